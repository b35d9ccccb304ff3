//! All rows of a table, read once: a source that ends.
//! Invariant: one query, one snapshot of the table; rows travel in binary. A connection that is lost on the way ends the
//! pipeline, and a pipeline that stopped on the way does not go on: nobody can tell which rows were read.

use std::pin::Pin;

use async_trait::async_trait;
use chrono_tz::Tz;
use futures::TryStreamExt;
use mainstem_core::ingest::{Decode, Decoded, Payload};
use mainstem_core::options::OptionReader;
use mainstem_core::{Error, Result};
use tokio_postgres::RowStream;

use super::link::{Link, Session, failed, is_outage};
use super::rows::RowReader;
use super::target::{self, Failure, Wanted};
use super::{SPEC, refuse_metadata, time_zone, url};
use crate::api::{Fetched, Position, Source, SourceRequest, Split, SplitReader};

/// Rows in a batch.
const BATCH_ROWS: usize = 8192;

/// A table that is read.
pub(crate) struct JdbcSource {
    request: SourceRequest,
    table_name: String,
    time_zone: Tz,
    link: Link,
}

impl JdbcSource {
    /// Validates and builds; no I/O.
    pub(crate) fn new(request: SourceRequest) -> Result<Self> {
        let table = &request.table;
        refuse_metadata(table)?;
        let options = OptionReader::new(&table.options, SPEC.options);
        let (user, password) = (options.text("username"), options.text("password"));
        let address = url::parse(options.required("url")?, user, password)?;
        let observer = std::sync::Arc::clone(&request.environment.observer);
        Ok(Self {
            table_name: options.required("table-name")?.to_owned(),
            time_zone: time_zone(&request.environment)?,
            link: Link::new(address, &table.name, observer, None),
            request,
        })
    }

    fn context(&self, what: &str) -> String {
        format!("table {} at {}: {what}", self.table_name, self.link.address())
    }

    async fn start(&self, session: &Session) -> Result<(RowReader, RowStream), Failure> {
        let SourceRequest { table, projection, .. } = &self.request;
        let wanted = Wanted { read: projection, keys: &[], compared: &[] };
        let origin = target::origin(&session.client, table, &self.table_name, wanted).await?;
        let names: Vec<&str> = origin.columns.iter().map(|column| column.name.as_str()).collect();
        let sql = format!("SELECT {} FROM {}", names.join(", "), origin.name);
        let rows = session.client.query_raw(&sql, std::iter::empty::<&str>()).await?;
        Ok((RowReader::new(&origin.columns, self.time_zone)?, rows))
    }
}

#[async_trait]
impl Source for JdbcSource {
    async fn discover(&mut self) -> Result<Vec<Split>> {
        Ok(vec![Split { id: self.table_name.clone() }])
    }

    async fn open(
        &mut self,
        _: &Split,
        position: Option<&Position>,
    ) -> Result<Box<dyn SplitReader>> {
        if position.is_some() {
            let what = self.context("it was read in part, and cannot be read on from there");
            return Err(Error::user(what).with_hint(
                "PostgreSQL gives the rows of a table in no order that stays: start without the state of the run before",
            ));
        }
        loop {
            let session = self.link.connect().await?;
            match self.start(&session).await {
                Ok((reader, rows)) => {
                    self.link.up();
                    let context = self.context("reading failed");
                    return Ok(Box::new(TableReader {
                        _session: session,
                        reader,
                        rows: Box::pin(rows),
                        context,
                        ended: false,
                    }));
                }
                Err(Failure::Ours(error)) => return Err(error),
                Err(Failure::Database(error)) if is_outage(&error) => {
                    self.link.lost(&error).await?;
                }
                Err(Failure::Database(error)) => {
                    return Err(failed(&self.context("cannot be read"), &error));
                }
            }
        }
    }

    fn decoder(&self) -> Result<Box<dyn Decode>> {
        Ok(Box::new(AsTheyAre))
    }
}

/// Rows are columns already.
struct AsTheyAre;

impl Decode for AsTheyAre {
    fn decode(&mut self, payload: Payload, _: i64, out: &mut Decoded) -> Result<()> {
        let Payload::Batch(batch) = payload else {
            return Err(Error::internal("a jdbc table gave something else than columns"));
        };
        out.records += batch.rows() as u64;
        out.batches.push(batch);
        Ok(())
    }
}

struct TableReader {
    /// Its rows end with it.
    _session: Session,
    reader: RowReader,
    rows: Pin<Box<RowStream>>,
    context: String,
    /// All rows were read; the stream is not to be asked again.
    ended: bool,
}

#[async_trait]
impl SplitReader for TableReader {
    async fn next(&mut self) -> Result<Option<Fetched>> {
        while !self.ended && self.reader.rows() < BATCH_ROWS {
            let row = self.rows.try_next().await.map_err(|error| failed(&self.context, &error))?;
            match row {
                Some(row) => self.reader.push(&row, 0)?,
                None => self.ended = true,
            }
        }
        if self.reader.rows() == 0 {
            return Ok(None);
        }
        let payload = Payload::Batch(self.reader.finish()?);
        Ok(Some(Fetched { payload, position: Position::default() }))
    }
}
