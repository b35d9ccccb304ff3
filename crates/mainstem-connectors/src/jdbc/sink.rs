//! The sink: collects encoded rows and writes them batch by batch.
//! Invariant: rows leave the buffer only after their transaction has committed; a batch that met an outage is written
//! again over a new connection. The buffer is bounded: `write` writes a batch itself when it is full.

use async_trait::async_trait;
use bytes::Bytes;
use chrono_tz::Tz;
use mainstem_core::egress::{Encode, Encoded};
use mainstem_core::options::OptionReader;
use mainstem_core::{Error, Result};

use super::copy::{self, CopyEncode};
use super::link::{Link, Session, failed, is_conflict, is_outage};
use super::staged::{self, Batch, NotWritten, Refused, Statements};
use super::target::{self, Failure, Target};
use super::{SPEC, refuse_metadata, time_zone, types, url, value_text};
use crate::api::{Sink, SinkRequest};
use crate::format::BAD_RECORDS;

const ROWS_MAX: usize = 50_000;
const BYTES_MAX: usize = 16 << 20;
const LOST_WHILE_WRITING_MAX: u32 = 10;

pub(crate) struct JdbcSink {
    request: SinkRequest,
    table_name: String,
    create: bool,
    skip: bool,
    /// `sink.buffer-flush.max-rows`.
    rows_max: usize,
    time_zone: Tz,
    link: Link,
    open: Option<Open>,
    session: Option<Session>,
    buffer: Vec<Bytes>,
    buffered_rows: usize,
    buffered_bytes: usize,
    skipped: u64,
}

/// What is known once the table has been looked at.
struct Open {
    target: Target,
    statements: Statements,
}

impl JdbcSink {
    /// Validates and builds; no I/O.
    pub(crate) fn new(request: SinkRequest) -> Result<Self> {
        let table = &request.table;
        let options = OptionReader::new(&table.options, SPEC.options);
        let (user, password) = (options.text("username"), options.text("password"));
        let address = url::parse(options.required("url")?, user, password)?;
        let create = options.boolean("sink.create")?;
        if create {
            for column in &table.columns {
                types::declared(&column.name, &column.data_type)?;
            }
        }
        refuse_metadata(table)?;
        let retries = options.integer("sink.max-retries")?;
        let retries = retries.map(|n| u32::try_from(n.max(0)).unwrap_or(u32::MAX));
        let rows_max = match options.integer("sink.buffer-flush.max-rows")? {
            None => ROWS_MAX,
            Some(n) if n <= 0 => usize::MAX,
            Some(n) => usize::try_from(n).unwrap_or(usize::MAX),
        };
        let time_zone = time_zone(&request.environment)?;
        let observer = std::sync::Arc::clone(&request.environment.observer);
        Ok(Self {
            table_name: options.required("table-name")?.to_owned(),
            create,
            skip: options.text(BAD_RECORDS).is_some_and(|v| v.eq_ignore_ascii_case("skip")),
            rows_max,
            time_zone,
            link: Link::new(address, &table.name, observer, retries),
            open: None,
            session: None,
            buffer: Vec::new(),
            buffered_rows: 0,
            buffered_bytes: 0,
            skipped: 0,
            request,
        })
    }

    /// Writes the buffer in one transaction, over as many connections as it takes.
    async fn write_buffer(&mut self) -> Result<()> {
        if self.buffer.is_empty() {
            return Ok(());
        }
        let batch = Batch { segments: self.buffer.clone(), row_count: self.buffered_rows };
        let mut lost_while_writing = 0;
        loop {
            match self.attempt(&batch).await {
                Ok(refused) => {
                    self.link.up();
                    self.report(&batch, &refused);
                    break;
                }
                Err(NotWritten::Database(error)) if is_outage(&error) || is_conflict(&error) => {
                    self.session = None;
                    // Connecting waits without a limit; a batch over which every connection breaks does not.
                    lost_while_writing += 1;
                    if lost_while_writing > LOST_WHILE_WRITING_MAX {
                        let what =
                            format!("writing {} rows failed again and again", batch.row_count);
                        return Err(failed(&self.context(&what), &error));
                    }
                    if is_outage(&error) {
                        self.link.lost(&error).await?;
                    }
                }
                Err(NotWritten::Database(error)) => {
                    let what = format!("{} rows cannot be written", batch.row_count);
                    return Err(failed(&self.context(&what), &error));
                }
                Err(NotWritten::Ours(error)) => return Err(error),
                Err(NotWritten::Row(refused)) => {
                    return Err(self.refusal(&batch, &refused).with_hint(format!(
                        "mend the row or the table, or set '{BAD_RECORDS}' = 'skip' on the sink table"
                    )));
                }
            }
        }
        self.buffer.clear();
        self.buffered_rows = 0;
        self.buffered_bytes = 0;
        Ok(())
    }

    async fn attempt(&mut self, batch: &Batch) -> Result<Vec<Refused>, NotWritten> {
        let Some(open) = &self.open else { return Ok(Vec::new()) };
        if self.session.is_none() {
            match self.link.connect().await {
                Ok(session) => {
                    open.statements.prepare(&session.client).await?;
                    self.session = Some(session);
                }
                Err(error) => return Err(NotWritten::Ours(error)),
            }
        }
        let Some(session) = &self.session else { return Ok(Vec::new()) };
        let key_count = open.target.key_count;
        staged::write(&session.client, &open.statements, key_count, batch, self.skip).await
    }

    fn context(&self, what: &str) -> String {
        let name = self.open.as_ref().map_or(self.table_name.as_str(), |o| o.target.name.as_str());
        format!("table {name} at {}: {what}", self.link.address())
    }

    fn refusal(&self, batch: &Batch, refused: &Refused) -> Error {
        let error = failed(&self.context("PostgreSQL refused a row"), &refused.error);
        match &self.open {
            None => error,
            Some(open) => {
                let row = refused.row.bytes(&batch.segments);
                error.with_detail(format!("the row: {}", value_text::row_text(row, &open.target)))
            }
        }
    }

    /// Rows that were left out: the first is shown, all are counted.
    fn report(&mut self, batch: &Batch, refused: &[Refused]) {
        let Some(first) = refused.first() else { return };
        let before = self.skipped;
        self.skipped += refused.len() as u64;
        let error = self.refusal(batch, first);
        let detail = error.detail().unwrap_or_default();
        self.link.notice(&format!(
            "left out {} row{} ({} so far): {error}; {detail}",
            refused.len(),
            if refused.len() == 1 { "" } else { "s" },
            before + refused.len() as u64,
        ));
    }
}

#[async_trait]
impl Sink for JdbcSink {
    async fn open(&mut self) -> Result<()> {
        loop {
            let session = self.link.connect().await?;
            let (table, name) = (&self.request.table, &self.table_name);
            let prepared = async {
                let target = target::prepare(&session.client, table, name, self.create).await?;
                let statements = Statements::new(&target);
                statements.prepare(&session.client).await?;
                Ok::<_, Failure>(Open { target, statements })
            };
            match prepared.await {
                Ok(open) => {
                    self.link.up();
                    self.open = Some(open);
                    self.session = Some(session);
                    return Ok(());
                }
                Err(Failure::Ours(error)) => return Err(error),
                Err(Failure::Database(error)) if is_outage(&error) => {
                    self.link.lost(&error).await?;
                }
                Err(Failure::Database(error)) => {
                    let what = if self.create { "cannot be prepared" } else { "cannot be checked" };
                    return Err(failed(&self.context(what), &error));
                }
            }
        }
    }

    fn encoder(&self) -> Result<Box<dyn Encode>> {
        let open =
            self.open.as_ref().ok_or_else(|| Error::internal("the jdbc sink is not open"))?;
        Ok(Box::new(CopyEncode {
            columns: open.target.columns.clone(),
            marked: open.target.key_count > 0,
            time_zone: self.time_zone,
        }))
    }

    async fn write(&mut self, data: Encoded) -> Result<()> {
        let Encoded::Bytes { data, rows } = data else {
            return Err(Error::internal("a jdbc sink got data that is no COPY rows"));
        };
        if rows == 0 {
            return Ok(());
        }
        let marked = self.open.as_ref().is_some_and(|o| o.target.key_count > 0);
        for (data, rows) in cut(data, rows, self.rows_max, marked) {
            if self.buffered_rows > 0 && self.buffered_rows.saturating_add(rows) > self.rows_max {
                self.write_buffer().await?;
            }
            self.buffered_rows += rows;
            self.buffered_bytes += data.len();
            self.buffer.push(data);
            if self.buffered_rows >= self.rows_max || self.buffered_bytes >= BYTES_MAX {
                self.write_buffer().await?;
            }
        }
        Ok(())
    }

    async fn flush(&mut self) -> Result<()> {
        self.write_buffer().await
    }

    async fn close(&mut self) -> Result<()> {
        self.write_buffer().await?;
        self.session = None;
        Ok(())
    }
}

/// Cuts rows into pieces of at most `rows_max`.
fn cut(data: Bytes, rows: usize, rows_max: usize, marked: bool) -> Vec<(Bytes, usize)> {
    if rows <= rows_max {
        return vec![(data, rows)];
    }
    let whole = [data];
    let all = copy::rows(&whole, marked);
    let from = |row: &copy::Row| row.start - usize::from(marked);
    all.chunks(rows_max)
        .map(|piece| (whole[0].slice(from(&piece[0])..piece[piece.len() - 1].end), piece.len()))
        .collect()
}
