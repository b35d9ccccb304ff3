//! What PostgreSQL keeps of a sink that takes part in checkpoints: a row in `mainstem_checkpoints`, in the schema of the target,
//! and two staging tables beside it, `mainstem_staged_TARGET_SINK_0` and `_1`.
//!
//! Rows between two cuts have a number (that of their first batch) and go into one of the two tables, which are logged: they outlive a crash of PostgreSQL.
//! A cut goes on in the other table if that one has nothing left to show, so that a table is mostly emptied by TRUNCATE, never row by
//! row. Rows of numbers that are shown, or that no checkpoint knows, may lie there meanwhile: the number tells them apart.
//!
//! Who is who: a sink has a random id, made when a pipeline starts without a checkpoint, kept in every token, and thus the same over
//! restarts. Whoever writes under an id holds its advisory lock as long as its connection lives, and `run` counts who held it: a
//! connection that is made again finds out that another process has taken over, and stops. Pipelines that write to the same table
//! have different ids, different staging tables and different rows here: they never meet but in the target.
//!
//! What runs that died have left is cleared by the next sink that starts on the same target, if nobody holds the lock:
//! - nothing prepared that is not shown (`prepared = committed`): no checkpoint can ask for what is staged; the tables go;
//! - nothing prepared ever: no checkpoint names the id; the row goes too;
//! - prepared and not shown: its pipeline may be started again from a checkpoint that names these rows. They stay, and are told of.
//!
//! A sink whose tables were cleared while its connection was lost finds them missing and fails; its restart writes the rows again.
//!
//! Invariant: `staged`, the number of the last batch, changes in the transaction that stages the batch, `committed` in the one that
//! shows the rows: after a connection was lost in the middle of a commit, they say what has happened. Not here: rows (`show`).

use std::time::Duration;

use mainstem_core::{Error, ErrorKind, Result};
use serde::{Deserialize, Serialize};
use tokio_postgres::Client;
use tokio_postgres::error::SqlState;

use super::link::{Link, reason};
use super::staged::NotWritten;
use super::target::{Target, quote, tolerate_race};

const TABLE: &str = "mainstem_checkpoints";
/// Of the names of staging tables.
const PREFIX: &str = "mainstem_staged_";
/// The columns that staging tables have before those of the target; the last two if it has a key.
pub(super) const NUMBER: &str = "mainstem_number";
pub(super) const BATCH: &str = "mainstem_batch";
pub(super) const REMOVED: &str = "mainstem_removed";

const LOCK_POLL: Duration = Duration::from_millis(50);
/// PostgreSQL cuts names behind 63 bytes.
const TARGET_BYTES_MAX: usize = 24;

/// What a checkpoint keeps of a sink: the rows of one number, or only who the sink is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Token {
    pub(super) sink: String,
    pub(super) number: i64,
    /// In which of the two tables.
    pub(super) slot: usize,
    /// Without rows nothing is recorded in the database.
    pub(super) rows: u64,
    /// A batch has a key once at most.
    pub(super) batches: u64,
    /// Some of the rows are deletes.
    pub(super) removes: bool,
}

impl Token {
    pub(super) fn read(token: &[u8]) -> Result<Self> {
        let unknown = || {
            let text = "a checkpoint says of a table what this version does not understand";
            Error::new(ErrorKind::Corrupt, text)
        };
        let read: Self = serde_json::from_slice(token).map_err(|e| unknown().with_source(e))?;
        // It becomes part of names.
        let sound = read.sink.bytes().all(|b| b.is_ascii_alphanumeric()) && read.slot < 2;
        if sound { Ok(read) } else { Err(unknown()) }
    }

    pub(super) fn write(&self) -> Result<Vec<u8>> {
        let failed = |e| Error::internal("a token cannot be written").with_source(e);
        serde_json::to_vec(self).map_err(failed)
    }
}

/// The row of a sink.
#[derive(Debug, Clone, Copy)]
pub(super) struct Recorded {
    /// The last batch. It never goes back, and numbers are those of first batches.
    pub(super) staged: i64,
    /// The last number that was shown.
    pub(super) committed: i64,
}

/// Knows the row and the tables of one sink.
#[derive(Debug)]
pub(super) struct Ledger {
    pub(super) sink: String,
    run: i64,
    /// `"schema".mainstem_checkpoints`.
    pub(super) table: String,
    schema: String,
    /// The target, as its owner wrote it.
    target_table: String,
    target: Target,
    /// The names of the two tables.
    pub(super) slots: [String; 2],
}

impl Ledger {
    /// Finds or makes the row of the sink of `tokens`, or a new one, and takes it over from the run before.
    pub(super) async fn open(
        client: &Client,
        link: &Link,
        target: &Target,
        tokens: &[Token],
    ) -> Result<(Self, Recorded), NotWritten> {
        configure(client).await?;
        let sql = "SELECT quote_ident(n.nspname), c.relname::text FROM pg_catalog.pg_class c \
                   JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace \
                   WHERE c.oid = to_regclass($1::text)";
        let place = client.query_one(sql, &[&target.name]).await?;
        let (schema, target_table): (String, String) = (place.get(0), place.get(1));
        let table = format!("{schema}.{TABLE}");
        let create = format!(
            "CREATE TABLE IF NOT EXISTS {table} (sink text PRIMARY KEY, target text NOT NULL, run bigint NOT NULL, \
             staged bigint NOT NULL, prepared bigint NOT NULL, committed bigint NOT NULL, \
             changed timestamptz NOT NULL DEFAULT now())"
        );
        let created = tolerate_race(client.batch_execute(&create).await);
        created.map_err(|e| allowed(&schema, e))?;
        let sink = match tokens.last() {
            Some(token) => token.sink.clone(),
            None => {
                let sql = "SELECT left(replace(gen_random_uuid()::text, '-', ''), 16)";
                client.query_one(sql, &[]).await?.get(0)
            }
        };
        let start = target_table.floor_char_boundary(TARGET_BYTES_MAX);
        let slot = |slot: usize| {
            let name = format!("{PREFIX}{}_{sink}_{slot}", &target_table[..start]);
            format!("{schema}.{}", quote(&name))
        };
        let slots = [slot(0), slot(1)];
        let target = target.clone();
        let mut ledger = Self { sink, run: 0, table, schema, target_table, target, slots };
        ledger.lock(client, link).await?;
        let recorded = ledger.take_over(client, tokens).await?;
        Ok((ledger, recorded))
    }

    /// Counts a run, from now on the only one.
    async fn take_over(
        &mut self,
        client: &Client,
        tokens: &[Token],
    ) -> Result<Recorded, NotWritten> {
        let Self { sink, table, .. } = &*self;
        let sql = format!(
            "UPDATE {table} SET run = run + 1, changed = now() WHERE sink = $1 \
             RETURNING run, staged, committed"
        );
        let row = match client.query_opt(&sql, &[sink]).await? {
            Some(row) => row,
            None if tokens.iter().any(|token| token.rows > 0) => {
                let text = format!("{table} knows nothing of the rows of this checkpoint");
                let error = Error::new(ErrorKind::Corrupt, text);
                return Err(NotWritten::Ours(error.with_hint(
                    "the table is another one than before, or was emptied; without it start anew, with an empty --state",
                )));
            }
            None => {
                let number = tokens.last().map_or(0, |token| token.number);
                let sql = format!(
                    "INSERT INTO {table} (sink, target, run, staged, prepared, committed) \
                     VALUES ($1, $2, 1, $3, $3, $3) RETURNING run, staged, committed"
                );
                client.query_one(&sql, &[sink, &self.target.name, &number]).await?
            }
        };
        self.run = row.get(0);
        Ok(Recorded { staged: row.get(1), committed: row.get(2) })
    }

    /// For a connection that was made again.
    pub(super) async fn resume(
        &self,
        client: &Client,
        link: &Link,
    ) -> Result<Recorded, NotWritten> {
        configure(client).await?;
        self.lock(client, link).await?;
        self.recorded(client).await?.ok_or_else(|| self.taken_over())
    }

    fn taken_over(&self) -> NotWritten {
        let text = format!("another run of this pipeline writes to table {} now", self.target.name);
        NotWritten::Ours(Error::user(text).with_hint("stop one of the two"))
    }

    /// `None` if another run has taken over.
    async fn recorded(&self, client: &Client) -> Result<Option<Recorded>, NotWritten> {
        let table = &self.table;
        let sql = format!("SELECT staged, committed FROM {table} WHERE sink = $1 AND run = $2");
        let row = client.query_opt(&sql, &[&self.sink, &self.run]).await?;
        Ok(row.map(|row| Recorded { staged: row.get(0), committed: row.get(1) }))
    }

    /// Waits for the connection that holds it: that of a process just killed, or our own that broke.
    async fn lock(&self, client: &Client, link: &Link) -> Result<(), NotWritten> {
        let mut said = false;
        loop {
            if try_lock(client, &self.sink).await? {
                return Ok(());
            }
            if self.run > 0 && self.recorded(client).await?.is_none() {
                return Err(self.taken_over());
            }
            if !std::mem::replace(&mut said, true) {
                let name = &self.target.name;
                link.notice(&format!(
                    "waiting for an earlier run of this pipeline, which still writes to table {name}"
                ));
            }
            tokio::time::sleep(LOCK_POLL).await;
        }
    }

    /// Staging tables without rows, as the target is now. What was prepared and not shown is given up.
    pub(super) async fn renew(&self, client: &Client) -> Result<(), NotWritten> {
        let key_count = self.target.key_count;
        let sql = "SELECT attname::text FROM pg_catalog.pg_attribute \
                   WHERE attrelid = to_regclass($1::text) AND attnum > 0 AND NOT attisdropped";
        let all = client.query(sql, &[&self.target.name]).await?;
        let all = all.iter().map(|row| row.get::<_, String>(0));
        let unwritten = all.filter(|name| self.target.columns.iter().all(|c| c.name != *name));
        let mut alters: Vec<String> =
            unwritten.map(|name| format!("DROP COLUMN {}", quote(&name))).collect();
        let (marks, like) = if key_count > 0 {
            // A delete has only its key: constraints are for the target to check.
            let rest = self.target.columns[key_count..].iter();
            alters.extend(rest.map(|c| format!("ALTER COLUMN {} DROP NOT NULL", quote(&c.name))));
            (format!("{NUMBER} bigint, {BATCH} bigint, {REMOVED} boolean"), "")
        } else {
            (format!("{NUMBER} bigint"), "INCLUDING CONSTRAINTS")
        };
        let mut sql = String::new();
        for slot in &self.slots {
            sql.push_str(&format!(
                "DROP TABLE IF EXISTS {slot}; CREATE TABLE {slot} ({marks}, LIKE {} {like}) \
                 WITH (autovacuum_enabled = false, toast.autovacuum_enabled = false); ",
                self.target.name
            ));
            if !alters.is_empty() {
                sql.push_str(&format!("ALTER TABLE {slot} {}; ", alters.join(", ")));
            }
        }
        sql.push_str(&format!(
            "UPDATE {} SET prepared = committed WHERE sink = '{}'; ",
            self.table, self.sink
        ));
        let made = client.batch_execute(&format!("BEGIN; {sql} COMMIT")).await;
        made.map_err(|e| allowed(&self.schema, e.into()))
    }

    /// Removes what other runs have left on this target, as far as no checkpoint can ask for it.
    pub(super) async fn clear_others(
        &self,
        client: &Client,
        link: &Link,
    ) -> Result<(), NotWritten> {
        let (table, target) = (&self.table, &self.target.name);
        let sql = format!("SELECT sink FROM {table} WHERE target = $1 AND sink <> $2");
        for row in client.query(&sql, &[target, &self.sink]).await? {
            let other: String = row.get(0);
            // It becomes part of names.
            if !other.bytes().all(|b| b.is_ascii_alphanumeric())
                || !try_lock(client, &other).await?
            {
                continue;
            }
            let cleared = self.clear(client, link, &other).await;
            let sql = "SELECT pg_advisory_unlock(hashtextextended($1, 0))";
            client.query_one(sql, &[&other]).await?;
            cleared?;
        }
        Ok(())
    }

    async fn clear(&self, client: &Client, link: &Link, other: &str) -> Result<(), NotWritten> {
        let table = &self.table;
        let sql = format!("SELECT prepared, committed, changed::text FROM {table} WHERE sink = $1");
        let Some(row) = client.query_opt(&sql, &[&other]).await? else { return Ok(()) };
        let (prepared, committed, changed): (i64, i64, String) =
            (row.get(0), row.get(1), row.get(2));
        let [first, second] = self.slots.each_ref().map(|slot| slot.replace(&self.sink, other));
        if prepared > committed {
            link.notice(&format!(
                "another pipeline, last seen at {changed}, has staged rows for table {} that it shows when it is started \
                 again; if it never will be: DROP TABLE {first}, {second}; DELETE FROM {table} WHERE sink = '{other}'",
                self.target.name
            ));
            return Ok(());
        }
        let mut sql = format!("DROP TABLE IF EXISTS {first}, {second}; ");
        if prepared == 0 {
            sql.push_str(&format!("DELETE FROM {table} WHERE sink = '{other}'; "));
        }
        Ok(client.batch_execute(&format!("BEGIN; {sql} COMMIT")).await?)
    }

    /// What ends the transaction of a batch; with the last one before a cut, the cut's number.
    pub(super) fn record_batch(&self, batch: i64, prepared: Option<i64>) -> String {
        let prepared = prepared.map(|number| format!(", prepared = {number}")).unwrap_or_default();
        format!(
            "UPDATE {} SET staged = {batch}{prepared}, changed = now() WHERE sink = '{}'",
            self.table, self.sink
        )
    }

    /// All is shown: the tables go. The row stays if a checkpoint may ask for it.
    pub(super) async fn leave(&self, client: &Client) -> Result<(), tokio_postgres::Error> {
        let Self { sink, table, slots: [first, second], .. } = self;
        let sql = format!(
            "BEGIN; SET LOCAL lock_timeout = '2s'; DROP TABLE IF EXISTS {first}, {second}; \
             DELETE FROM {table} WHERE sink = '{sink}' AND prepared = 0; COMMIT"
        );
        client.batch_execute(&sql).await
    }

    /// The name of the target without its schema.
    pub(super) fn target_table(&self) -> &str {
        &self.target_table
    }
}

/// For a connection: what is committed is on disk, and tables are read from their beginning.
async fn configure(client: &Client) -> Result<(), NotWritten> {
    let sql = "SET synchronize_seqscans = off; \
               SELECT set_config('synchronous_commit', 'on', false) \
               WHERE current_setting('synchronous_commit') = 'off'";
    Ok(client.batch_execute(sql).await?)
}

async fn try_lock(client: &Client, sink: &str) -> Result<bool, NotWritten> {
    let sql = "SELECT pg_try_advisory_lock(hashtextextended($1, 0))";
    Ok(client.query_one(sql, &[&sink]).await?.get(0))
}

/// Says what to do about a right that is missing.
fn allowed(schema: &str, failure: super::target::Failure) -> NotWritten {
    use super::target::Failure;
    match failure {
        Failure::Database(error) if error.code() == Some(&SqlState::INSUFFICIENT_PRIVILEGE) => {
            let text = format!(
                "the tables in which rows wait for their checkpoint cannot be created in schema {schema}: {}",
                reason(&error)
            );
            NotWritten::Ours(Error::user(text).with_hint(format!(
                "grant the user CREATE on schema {schema} and SELECT on the table, or set 'sink.delivery-guarantee' = \
                 'at-least-once' on the sink table: rows are then seen at once, and may come again after a crash"
            )))
        }
        Failure::Database(error) => error.into(),
        Failure::Ours(error) => NotWritten::Ours(error),
    }
}
