//! Writes a batch of rows in one transaction: append by COPY, or upsert by COPY into a temporary table and one
//! statement from there; for checkpoints both by COPY into a staging table.
//! Invariant: a batch is written whole or not at all. When PostgreSQL refuses it for a row's sake, the batch is cut
//! into halves under savepoints until the row stands alone; the rest of the batch is still one transaction.

use bytes::{BufMut, Bytes, BytesMut};
use foldhash::fast::FixedState;
use futures::SinkExt;
use hashbrown::HashMap;
use tokio_postgres::{Client, Error as PgError};

use super::copy::{self, HEAD, REMOVE, Row, TAIL};
use super::target::Target;

/// A chunk of a COPY stream, in bytes.
const CHUNK_BYTES: usize = 256 << 10;
const UPSERTS: &str = "mainstem_upserts";
const DELETES: &str = "mainstem_deletes";

/// The statements of one target.
#[derive(Debug)]
pub(crate) struct Statements {
    append: String,
    upsert: Option<Upsert>,
}

#[derive(Debug)]
struct Upsert {
    prepare: String,
    copy_upserts: String,
    copy_deletes: String,
    merge: String,
    delete: String,
}

impl Statements {
    pub(crate) fn new(target: &Target) -> Self {
        let (all, name) = (target.all_columns(), &target.name);
        let upsert = (target.key_count > 0).then(|| {
            let keys = target.key_columns();
            let merge = target.merge(&format!("pg_temp.{UPSERTS}"));
            let delete = target.delete(&format!("pg_temp.{DELETES} d"));
            let temporary = "CREATE TEMPORARY TABLE IF NOT EXISTS";
            Upsert {
                prepare: format!(
                    "{temporary} {UPSERTS} ON COMMIT DELETE ROWS AS SELECT {all} FROM {name} WITH NO DATA; \
                     {temporary} {DELETES} ON COMMIT DELETE ROWS AS SELECT {keys} FROM {name} WITH NO DATA"
                ),
                copy_upserts: format!("COPY pg_temp.{UPSERTS} ({all}) FROM STDIN (FORMAT binary)"),
                copy_deletes: format!("COPY pg_temp.{DELETES} ({keys}) FROM STDIN (FORMAT binary)"),
                merge: format!("{merge}; TRUNCATE pg_temp.{UPSERTS}"),
                delete: format!("{delete}; TRUNCATE pg_temp.{DELETES}"),
            }
        });
        Self { append: format!("COPY {name} ({all}) FROM STDIN (FORMAT binary)"), upsert }
    }

    /// What a new connection needs first.
    pub(crate) async fn prepare(&self, client: &Client) -> Result<(), PgError> {
        match &self.upsert {
            Some(upsert) => client.batch_execute(&upsert.prepare).await,
            None => Ok(()),
        }
    }
}

/// The rows to write.
#[derive(Debug)]
pub(crate) struct Batch {
    pub(crate) segments: Vec<Bytes>,
    pub(crate) row_count: usize,
}

/// A row that PostgreSQL does not take.
#[derive(Debug)]
pub(crate) struct Refused {
    pub(crate) row: Row,
    pub(crate) error: PgError,
}

/// Why a batch was not written.
#[derive(Debug)]
pub(crate) enum NotWritten {
    /// The connection, or the database as a whole.
    Database(PgError),
    /// One row; nothing of the batch was written.
    Row(Refused),
    /// No connection, and none to be waited for.
    Ours(mainstem_core::Error),
}

impl From<PgError> for NotWritten {
    fn from(error: PgError) -> Self {
        Self::Database(error)
    }
}

/// How rows are written.
#[derive(Debug)]
pub(crate) struct Way<'a> {
    pub(crate) statements: &'a Statements,
    pub(crate) key_count: usize,
    /// Refused rows are left out and returned; otherwise the first one ends it.
    pub(crate) skip: bool,
    /// They go into a staging table.
    pub(crate) staging: Option<Staging>,
}

/// Where rows are staged, and the values of the columns before their own.
#[derive(Debug)]
pub(crate) struct Staging {
    /// COPY.
    pub(crate) copy: String,
    pub(crate) number: i64,
    pub(crate) batch: i64,
    /// What else is done in the transaction.
    pub(crate) record: String,
}

impl Staging {
    /// How a row begins: its count of fields is to be added to.
    fn head(&self, fields: u16, row: &Row, marked: bool, out: &mut BytesMut) {
        let bigint = |value: i64, out: &mut BytesMut| {
            out.put_i32(8);
            out.put_i64(value);
        };
        out.put_u16(fields + if marked { 3 } else { 1 });
        bigint(self.number, out);
        if marked {
            bigint(self.batch, out);
            out.put_i32(1);
            out.put_u8(u8::from(row.mark == REMOVE));
        }
    }
}

/// What became of a batch.
#[derive(Debug, Default)]
pub(crate) struct Written {
    pub(crate) rows: usize,
    /// There were deletes.
    pub(crate) removes: bool,
    pub(crate) refused: Vec<Refused>,
}

/// Writes `batch`. What is written stands in `written` before the commit, whose answer may get lost.
pub(crate) async fn write(
    client: &Client,
    way: &Way<'_>,
    batch: &Batch,
    written: &mut Option<Written>,
) -> Result<(), NotWritten> {
    *written = None;
    client.batch_execute("BEGIN").await?;
    let done = match write_whole(client, way, batch).await {
        Ok(done) => done,
        Err(error) if is_about_a_row(&error) => {
            client.batch_execute("ROLLBACK; BEGIN").await?;
            match write_in_halves(client, way, batch).await {
                Ok(done) => done,
                Err(error) => {
                    // A lost connection rolls back by itself.
                    let _ = client.batch_execute("ROLLBACK").await;
                    return Err(error);
                }
            }
        }
        Err(error) => return Err(error.into()),
    };
    *written = Some(done);
    match &way.staging {
        Some(staging) => client.batch_execute(&format!("{}; COMMIT", staging.record)).await?,
        None => client.batch_execute("COMMIT").await?,
    }
    Ok(())
}

async fn write_whole(client: &Client, way: &Way<'_>, batch: &Batch) -> Result<Written, PgError> {
    let marked = way.statements.upsert.is_some();
    if marked || way.staging.is_some() {
        let mut rows = copy::rows(&batch.segments, marked);
        if marked {
            rows = latest_by_key(&batch.segments, &rows, way.key_count);
        }
        write_rows(client, way, &batch.segments, &rows).await?;
        let removes = rows.iter().any(|row| row.mark == REMOVE);
        return Ok(Written { rows: rows.len(), removes, refused: Vec::new() });
    }
    // Appended rows go as they came, without a look at them.
    let mut sink = Box::pin(client.copy_in::<_, Bytes>(&way.statements.append).await?);
    sink.feed(Bytes::from_static(HEAD)).await?;
    for segment in &batch.segments {
        let mut rest = segment.clone();
        while !rest.is_empty() {
            let chunk = rest.split_to(rest.len().min(CHUNK_BYTES));
            sink.send(chunk).await?;
        }
    }
    sink.feed(Bytes::from_static(TAIL)).await?;
    sink.as_mut().finish().await?;
    Ok(Written { rows: batch.row_count, ..Written::default() })
}

async fn write_in_halves(
    client: &Client,
    way: &Way<'_>,
    batch: &Batch,
) -> Result<Written, NotWritten> {
    let marked = way.statements.upsert.is_some();
    let mut rows = copy::rows(&batch.segments, marked);
    if marked {
        rows = latest_by_key(&batch.segments, &rows, way.key_count);
    }
    let removes = rows.iter().any(|row| row.mark == REMOVE);
    let mut refused = Vec::new();
    let mut pieces = vec![rows.as_slice()];
    while let Some(piece) = pieces.pop() {
        client.batch_execute("SAVEPOINT piece").await?;
        match write_rows(client, way, &batch.segments, piece).await {
            Ok(()) => client.batch_execute("RELEASE SAVEPOINT piece").await?,
            Err(error) if is_about_a_row(&error) => {
                client.batch_execute("ROLLBACK TO SAVEPOINT piece").await?;
                match piece {
                    [] => {}
                    [row] => {
                        let found = Refused { row: *row, error };
                        if !way.skip {
                            return Err(NotWritten::Row(found));
                        }
                        refused.push(found);
                    }
                    _ => {
                        let (first, second) = piece.split_at(piece.len() / 2);
                        pieces.push(second);
                        pieces.push(first);
                    }
                }
            }
            Err(error) => return Err(error.into()),
        }
    }
    Ok(Written { rows: rows.len() - refused.len(), removes, refused })
}

async fn write_rows(
    client: &Client,
    way: &Way<'_>,
    segments: &[Bytes],
    rows: &[Row],
) -> Result<(), PgError> {
    let key_count = way.key_count;
    if let Some(staging) = &way.staging {
        let marked = way.statements.upsert.is_some();
        let put = |row: &Row, chunk: &mut BytesMut| {
            let bytes = row.bytes(segments);
            staging.head(u16::from_be_bytes([bytes[0], bytes[1]]), row, marked, chunk);
            chunk.put_slice(&bytes[2..]);
        };
        return copy_rows(client, &staging.copy, rows.iter(), put).await;
    }
    let put_whole = |row: &Row, chunk: &mut BytesMut| chunk.put_slice(row.bytes(segments));
    let Some(upsert) = &way.statements.upsert else {
        return copy_rows(client, &way.statements.append, rows.iter(), put_whole).await;
    };
    if rows.iter().any(|r| r.mark == REMOVE) {
        let removed = rows.iter().filter(|r| r.mark == REMOVE);
        let put_key = |row: &Row, chunk: &mut BytesMut| {
            let data = &segments[row.segment];
            let end = copy::fields_end(data, row.start, Some(key_count));
            chunk.put_i16(key_count as i16);
            chunk.put_slice(&data[row.start + 2..end]);
        };
        copy_rows(client, &upsert.copy_deletes, removed, put_key).await?;
        client.batch_execute(&upsert.delete).await?;
    }
    if rows.iter().any(|r| r.mark != REMOVE) {
        let put = rows.iter().filter(|r| r.mark != REMOVE);
        copy_rows(client, &upsert.copy_upserts, put, put_whole).await?;
        client.batch_execute(&upsert.merge).await?;
    }
    Ok(())
}

/// Sends rows as `put` writes them.
async fn copy_rows<'a>(
    client: &Client,
    statement: &str,
    rows: impl Iterator<Item = &'a Row>,
    put: impl Fn(&Row, &mut BytesMut),
) -> Result<(), PgError> {
    let mut sink = Box::pin(client.copy_in::<_, Bytes>(statement).await?);
    let mut chunk = BytesMut::with_capacity(CHUNK_BYTES);
    chunk.put_slice(HEAD);
    for row in rows {
        put(row, &mut chunk);
        if chunk.len() >= CHUNK_BYTES {
            sink.send(chunk.split().freeze()).await?;
        }
    }
    chunk.put_slice(TAIL);
    sink.send(chunk.freeze()).await?;
    sink.as_mut().finish().await?;
    Ok(())
}

/// The last row of each key, in the order of their first appearance.
fn latest_by_key(segments: &[Bytes], rows: &[Row], key_count: usize) -> Vec<Row> {
    let mut places: HashMap<&[u8], usize, FixedState> =
        HashMap::with_capacity_and_hasher(rows.len(), FixedState::default());
    let mut latest: Vec<Row> = Vec::with_capacity(rows.len());
    for row in rows {
        let data = &segments[row.segment];
        let key = &data[row.start + 2..copy::fields_end(data, row.start, Some(key_count))];
        match places.get(key) {
            Some(&place) => latest[place] = *row,
            None => {
                places.insert(key, latest.len());
                latest.push(*row);
            }
        }
    }
    latest
}

/// Whether a single row may be the cause: data (22), integrity (23), a trigger's word (P0), a size (54), a check (44),
/// a value with fewer bytes than its type has (08P01).
pub(crate) fn is_about_a_row(error: &PgError) -> bool {
    error.code().is_some_and(|code| {
        ["22", "23", "P0", "54", "44", "08P01"].iter().any(|class| code.code().starts_with(class))
    })
}
