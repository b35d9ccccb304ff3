//! Rows of a table by keys: one query for all keys of a question.
//!
//! ```sql
//! SELECT k.n, t."name" FROM unnest($1::bigint[], $2::text[]) WITH ORDINALITY AS k(k0, k1, n)
//!   JOIN "public"."customers" AS t ON t."id" = k.k0 AND t."kind" = k.k1
//! ```
//!
//! Invariant: PostgreSQL compares, by the rules of the column's type, and says by `n` which key a row is for; keys and
//! rows travel in binary. A question is asked again when the connection was lost, `lookup.max-retries` times; an
//! outage is announced once and its end once, however many questions are on their way.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use bytes::BytesMut;
use chrono_tz::Tz;
use futures::TryStreamExt;
use mainstem_core::options::OptionReader;
use mainstem_core::table::{FilterOp, Literal, ScanFilter};
use mainstem_core::{Batch, Error, Result};
use tokio_postgres::Statement;
use tokio_postgres::types::{IsNull, ToSql, Type, to_sql_checked};

use super::copy::put_array;
use super::link::{self, Session, failed, is_conflict, is_outage, reason};
use super::rows::RowReader;
use super::target::{self, Failure, Origin, Wanted};
use super::url::{self, Address};
use super::{SPEC, refuse_metadata, time_zone};
use crate::api::{Found, Lookup, LookupRequest};

/// Connections to PostgreSQL, each with one question at a time.
const CONNECTIONS: usize = 4;
const RETRY_FIRST: Duration = Duration::from_millis(500);
const RETRY_LONGEST: Duration = Duration::from_secs(10);

/// A table that is asked.
#[derive(Debug)]
pub(crate) struct JdbcLookup {
    request: LookupRequest,
    table_name: String,
    time_zone: Tz,
    address: Address,
    retries_max: u32,
    origin: Option<Origin>,
    sql: String,
    /// Connections that nobody uses.
    sessions: Mutex<Vec<Prepared>>,
    /// An outage was announced.
    away: AtomicBool,
}

#[derive(Debug)]
struct Prepared {
    session: Session,
    statement: Statement,
}

/// An array as PostgreSQL takes it.
#[derive(Debug)]
struct Parameter(Vec<u8>);

impl ToSql for Parameter {
    fn to_sql(
        &self,
        _: &Type,
        out: &mut BytesMut,
    ) -> std::result::Result<IsNull, Box<dyn std::error::Error + Sync + Send>> {
        out.extend_from_slice(&self.0);
        Ok(IsNull::No)
    }

    fn accepts(_: &Type) -> bool {
        true
    }

    to_sql_checked!();
}

impl JdbcLookup {
    /// Validates and builds; no I/O.
    pub(crate) fn new(request: LookupRequest) -> Result<Self> {
        let table = &request.table;
        refuse_metadata(table)?;
        let options = OptionReader::new(&table.options, SPEC.options);
        let (user, password) = (options.text("username"), options.text("password"));
        let retries = options.integer("lookup.max-retries")?.unwrap_or(0);
        if retries < 0 {
            return Err(Error::user("option 'lookup.max-retries' is less than 0"));
        }
        Ok(Self {
            table_name: options.required("table-name")?.to_owned(),
            time_zone: time_zone(&request.environment)?,
            address: url::parse(options.required("url")?, user, password)?,
            retries_max: u32::try_from(retries).unwrap_or(u32::MAX),
            origin: None,
            sql: String::new(),
            sessions: Mutex::default(),
            away: AtomicBool::new(false),
            request,
        })
    }

    fn sessions(&self) -> std::sync::MutexGuard<'_, Vec<Prepared>> {
        self.sessions.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn context(&self, what: &str) -> String {
        format!("table {} at {}: {what}", self.table_name, self.address.text)
    }

    fn notice(&self, text: &str) {
        self.request.environment.observer.notice(&self.request.table.name, text);
    }

    /// The database has answered.
    fn up(&self) {
        if self.away.swap(false, Ordering::AcqRel) {
            self.notice(&format!("PostgreSQL at {} answers again", self.address.text));
        }
    }

    /// After the `failures`th failure to do what `what` says: pauses if the same may work later.
    async fn pause(&self, what: &str, failures: u32, failure: Failure) -> Result<()> {
        let error = match failure {
            Failure::Ours(error) => return Err(error),
            Failure::Database(error) if is_outage(&error) || is_conflict(&error) => error,
            Failure::Database(error) => return Err(failed(&self.context(what), &error)),
        };
        // The others are as old as the one that broke.
        self.sessions().clear();
        if failures > self.retries_max {
            let text = self.context(&format!("{what}: {}", reason(&error)));
            return Err(Error::unavailable(text).with_hint(format!(
                "{failures} attempts failed; 'lookup.max-retries' says how many may follow the first"
            )));
        }
        if !self.away.swap(true, Ordering::AcqRel) {
            let (address, reason) = (&self.address.text, reason(&error));
            self.notice(&format!("cannot ask PostgreSQL at {address}, retrying ({reason})"));
        }
        link::pause(failures, RETRY_FIRST, RETRY_LONGEST).await;
        Ok(())
    }

    async fn look(&self) -> Result<(Prepared, Origin, String), Failure> {
        let LookupRequest { table, projection, keys, filters, .. } = &self.request;
        let compared: Vec<usize> = filters.iter().map(|filter| filter.column).collect();
        let wanted = Wanted { read: projection, keys, compared: &compared };
        let session = link::connect(&self.address).await?;
        let origin = target::origin(&session.client, table, &self.table_name, wanted).await?;
        let sql = query(&origin, filters)?;
        let statement = session.client.prepare(&sql).await?;
        Ok((Prepared { session, statement }, origin, sql))
    }

    async fn ask(&self, keys: &Batch) -> Result<Found, Failure> {
        let origin = self.origin.as_ref().ok_or_else(|| Error::internal("not open"))?;
        let free = self.sessions().pop();
        let Prepared { session, statement } = match free {
            Some(prepared) => prepared,
            None => {
                let session = link::connect(&self.address).await?;
                let statement = session.client.prepare(&self.sql).await?;
                Prepared { session, statement }
            }
        };
        let mut parameters = Vec::with_capacity(origin.keys.len());
        for (column, values) in origin.keys.iter().zip(keys.columns()) {
            let mut bytes = Vec::with_capacity(20 + values.len() * 12);
            put_array(values, &column.wire, column.type_oid, self.time_zone, &mut bytes)?;
            parameters.push(Parameter(bytes));
        }
        let rows = session.client.query_raw(&statement, &parameters).await?;
        let mut rows = std::pin::pin!(rows);
        let mut reader = RowReader::new(&origin.columns, self.time_zone)?;
        let mut found = Vec::with_capacity(keys.rows());
        while let Some(row) = rows.try_next().await? {
            let number = u32::try_from(row.try_get::<_, i64>(0)? - 1);
            found.push(number.map_err(|_| Error::internal("a row is for no key"))?);
            reader.push(&row, 1)?;
        }
        self.sessions().push(Prepared { session, statement });
        Ok(Found { keys: found, rows: reader.finish()? })
    }
}

#[async_trait]
impl Lookup for JdbcLookup {
    async fn open(&mut self) -> Result<()> {
        for failures in 1.. {
            match self.look().await {
                Ok((prepared, origin, sql)) => {
                    self.up();
                    self.sessions().push(prepared);
                    (self.origin, self.sql) = (Some(origin), sql);
                    break;
                }
                Err(failure) => self.pause("cannot be looked at", failures, failure).await?,
            }
        }
        Ok(())
    }

    fn in_flight_max(&self) -> usize {
        CONNECTIONS
    }

    async fn find(&self, keys: &Batch) -> Result<Found> {
        let mut failures = 0;
        loop {
            match self.ask(keys).await {
                Ok(found) => {
                    self.up();
                    return Ok(found);
                }
                Err(failure) => {
                    failures += 1;
                    self.pause("cannot be asked", failures, failure).await?;
                }
            }
        }
    }
}

/// The query for keys of `origin`; see the module.
fn query(origin: &Origin, filters: &[ScanFilter]) -> Result<String> {
    let columns = origin.columns.iter().map(|column| format!(", t.{}", column.name));
    let columns: String = columns.collect();
    let mut conditions = Vec::new();
    let from = if origin.keys.is_empty() {
        "(SELECT 1::bigint) AS k(n)".to_owned()
    } else {
        let (mut arrays, mut names) = (Vec::new(), Vec::new());
        for (index, key) in origin.keys.iter().enumerate() {
            arrays.push(format!("${}::{}[]", index + 1, key.type_name));
            names.push(format!("k{index}"));
            conditions.push(format!("t.{} = k.k{index}", key.name));
        }
        let (arrays, names) = (arrays.join(", "), names.join(", "));
        format!("unnest({arrays}) WITH ORDINALITY AS k({names}, n)")
    };
    for filter in filters {
        let name = origin.compared.get(&filter.column).filter(|_| filter.op == FilterOp::Eq);
        let name = name.ok_or_else(|| Error::internal("a lookup compares by = only"))?;
        conditions.push(format!("t.{name} = {}", constant(&filter.literal)));
    }
    if conditions.is_empty() {
        return Err(Error::internal("a lookup without a key"));
    }
    Ok(format!(
        "SELECT k.n{columns} FROM {from} JOIN {} AS t ON {}",
        origin.name,
        conditions.join(" AND ")
    ))
}

/// Without a type, so that it takes the column's.
fn constant(literal: &Literal) -> String {
    match literal {
        Literal::Boolean(value) => value.to_string(),
        Literal::Integer(value) => format!("'{value}'"),
        Literal::Double(value) => format!("'{value}'"),
        Literal::String(value) => format!("'{}'", value.replace('\'', "''")),
    }
}
