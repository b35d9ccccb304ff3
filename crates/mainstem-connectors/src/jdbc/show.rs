//! Moves staged rows into the target.
//! Invariant: one transaction moves the rows of all numbers asked for, oldest first, and records the last of them; a number that is
//! recorded already is left alone. When the target refuses a row (a unique index, a foreign key, a trigger: staging tables know
//! nothing of them), the rows of the number are cut into halves under savepoints until the row stands alone.

use mainstem_core::{Error, ErrorKind};
use tokio_postgres::Client;

use super::ledger::{BATCH, Ledger, NUMBER, REMOVED, Token};
use super::link::reason;
use super::staged::{NotWritten, is_about_a_row};
use super::target::{Target, quote};
use crate::format::BAD_RECORDS;

/// While somebody reads a staging table (pg_dump), it is not emptied.
const TRUNCATE_WAIT: &str = "100ms";

/// Rows that were left out.
#[derive(Debug, Default)]
pub(super) struct LeftOut {
    pub(super) count: u64,
    /// The first: its values, and PostgreSQL's words.
    pub(super) first: Option<(String, String)>,
}

/// What a transaction shows, and where.
pub(super) struct Showing<'a> {
    pub(super) client: &'a Client,
    pub(super) ledger: &'a Ledger,
    pub(super) target: &'a Target,
    /// Oldest first.
    pub(super) tokens: &'a [Token],
    /// The staging tables of which nothing is needed any more.
    pub(super) emptied: &'a [usize],
    /// Rows that the target refuses are left out; otherwise the first one ends it.
    pub(super) skip: bool,
}

impl Showing<'_> {
    /// Shows all rows, or none.
    pub(super) async fn run(&self) -> Result<LeftOut, NotWritten> {
        let mut left_out = LeftOut::default();
        self.client.batch_execute("BEGIN").await?;
        if let Err(error) = self.show_all(&mut left_out).await {
            // A lost connection rolls back by itself.
            let _ = self.client.batch_execute("ROLLBACK").await;
            return Err(error);
        }
        self.client.batch_execute("COMMIT").await?;
        Ok(left_out)
    }

    async fn show_all(&self, left_out: &mut LeftOut) -> Result<(), NotWritten> {
        let Self { client, ledger, tokens, .. } = self;
        let (table, sink) = (&ledger.table, &ledger.sink);
        let sql = format!("SELECT committed FROM {table} WHERE sink = $1 FOR UPDATE");
        let row = client.query_opt(&sql, &[sink]).await?;
        let row = row.ok_or_else(|| gone(ledger))?;
        let committed: i64 = row.get(0);
        let mut last = committed;
        for token in tokens.iter().filter(|token| token.rows > 0 && token.number > committed) {
            Moves::new(self, token).run(left_out).await?;
            last = last.max(token.number);
        }
        if last > committed {
            let sql = format!("UPDATE {table} SET committed = $2, changed = now() WHERE sink = $1");
            client.execute(&sql, &[sink, &last]).await?;
        }
        for &slot in self.emptied {
            let name = &ledger.slots[slot];
            let sql = format!(
                "SAVEPOINT emptied; SET LOCAL lock_timeout = '{TRUNCATE_WAIT}'; TRUNCATE {name}; \
                 RELEASE SAVEPOINT emptied"
            );
            if let Err(error) = client.batch_execute(&sql).await {
                if error.code() != Some(&tokio_postgres::error::SqlState::LOCK_NOT_AVAILABLE) {
                    return Err(error.into());
                }
                // Its rows are shown and will not be looked at; the next commit tries again.
                client.batch_execute("ROLLBACK TO SAVEPOINT emptied").await?;
            }
        }
        Ok(())
    }
}

fn gone(ledger: &Ledger) -> NotWritten {
    let text = format!("{} has lost the row of sink '{}'", ledger.table, ledger.sink);
    NotWritten::Ours(
        Error::new(ErrorKind::Corrupt, text)
            .with_hint("somebody has removed it; start anew, with an empty --state"),
    )
}

/// Moves the rows of one number.
struct Moves<'a> {
    showing: &'a Showing<'a>,
    token: &'a Token,
    staged: &'a str,
    /// The latest row of each key has to be looked for.
    sorts: bool,
    removes: bool,
}

impl<'a> Moves<'a> {
    fn new(showing: &'a Showing<'a>, token: &'a Token) -> Self {
        let upserts = showing.target.key_count > 0;
        Self {
            showing,
            token,
            staged: &showing.ledger.slots[token.slot],
            sorts: upserts && token.batches > 1,
            removes: upserts && token.removes,
        }
    }

    async fn run(&self, left_out: &mut LeftOut) -> Result<(), NotWritten> {
        let client = self.showing.client;
        let upserts = self.showing.target.key_count > 0;
        if upserts {
            self.check_count().await?;
        }
        client.batch_execute("SAVEPOINT number").await?;
        let statements = self.statements(&self.source(&self.whole(), self.sorts));
        let moved = match upserts {
            // One statement, which counts what it appends.
            false => client.execute(&statements, &[]).await,
            true => client.batch_execute(&statements).await.map(|()| self.token.rows),
        };
        match moved {
            Ok(moved) if moved == self.token.rows => {
                return Ok(client.batch_execute("RELEASE SAVEPOINT number").await?);
            }
            Ok(_) => {}
            Err(error) if is_about_a_row(&error) => {}
            Err(error) => return Err(error.into()),
        }
        client.batch_execute("ROLLBACK TO SAVEPOINT number").await?;
        self.check_count().await?;
        self.run_in_halves(left_out).await
    }

    /// The condition for all its rows.
    fn whole(&self) -> String {
        format!("{NUMBER} = {}", self.token.number)
    }

    /// All rows that were staged are there.
    async fn check_count(&self) -> Result<(), NotWritten> {
        let (staged, Token { number, rows, .. }) = (self.staged, self.token);
        let sql = format!("SELECT count(*) FROM {staged} WHERE {}", self.whole());
        let count: i64 = self.showing.client.query_one(&sql, &[]).await?.get(0);
        if u64::try_from(count).ok() == Some(*rows) {
            return Ok(());
        }
        let text = format!(
            "{staged} holds {count} rows of number {number} where the checkpoint says {rows}"
        );
        Err(NotWritten::Ours(Error::new(ErrorKind::Corrupt, text).with_hint(format!(
            "somebody has changed the rows that were staged for table {}",
            self.showing.ledger.target_table()
        ))))
    }

    /// The rows to move, of those that fulfil `condition`.
    fn source(&self, condition: &str, sorts: bool) -> String {
        let (target, staged) = (self.showing.target, self.staged);
        let all = target.all_columns();
        if target.key_count == 0 {
            return format!("SELECT {all} FROM {staged} WHERE {condition}");
        }
        let keys = target.key_columns();
        let (distinct, order) = match sorts {
            true => (format!("DISTINCT ON ({keys})"), format!("ORDER BY {keys}, {BATCH} DESC")),
            false => (String::new(), String::new()),
        };
        format!(
            "SELECT {distinct} ctid AS place, {REMOVED}, {all} FROM {staged} WHERE {condition} {order}"
        )
    }

    fn statements(&self, source: &str) -> String {
        let target = self.showing.target;
        if target.key_count == 0 {
            return format!("INSERT INTO {} ({}) {source}", target.name, target.all_columns());
        }
        let merge = target.merge(&format!("({source}) d WHERE NOT {REMOVED}"));
        match self.removes {
            true => {
                let delete = target.delete(&format!("({source}) d"));
                format!("{delete} AND d.{REMOVED}; {merge}")
            }
            false => merge,
        }
    }

    async fn run_in_halves(&self, left_out: &mut LeftOut) -> Result<(), NotWritten> {
        let client = self.showing.client;
        let whole = self.whole();
        let places = match self.showing.target.key_count {
            0 => format!("SELECT ctid::text FROM {} WHERE {whole}", self.staged),
            _ => {
                // Deletes first, as they go first otherwise.
                let source = self.source(&whole, self.sorts);
                format!("SELECT place::text FROM ({source}) d ORDER BY NOT {REMOVED}")
            }
        };
        let rows = client.query(&places, &[]).await?;
        let places: Vec<String> = rows.iter().map(|row| row.get(0)).collect();
        let mut pieces = vec![places.as_slice()];
        while let Some(piece) = pieces.pop() {
            let condition = format!("ctid = ANY('{{{}}}'::tid[])", listed(piece));
            let statements = self.statements(&self.source(&condition, false));
            client.batch_execute("SAVEPOINT piece").await?;
            match client.batch_execute(&statements).await {
                Ok(()) => client.batch_execute("RELEASE SAVEPOINT piece").await?,
                Err(error) if is_about_a_row(&error) => {
                    client.batch_execute("ROLLBACK TO SAVEPOINT piece").await?;
                    if let [_] = piece {
                        let row = self.row_text(&condition).await?;
                        self.refused(row, &reason(&error), left_out)?;
                    } else {
                        let (first, second) = piece.split_at(piece.len() / 2);
                        pieces.push(second);
                        pieces.push(first);
                    }
                }
                Err(error) => return Err(error.into()),
            }
        }
        Ok(())
    }

    /// `id = 7, name = x, at = NULL`.
    async fn row_text(&self, condition: &str) -> Result<String, NotWritten> {
        let parts = self.showing.target.columns.iter().map(|c| {
            let label = format!("{} = ", c.name).replace('\'', "''");
            format!("'{label}' || coalesce(left({}::text, 60), 'NULL')", quote(&c.name))
        });
        let parts = parts.collect::<Vec<_>>().join(", ");
        let sql = format!("SELECT concat_ws(', ', {parts}) FROM {} WHERE {condition}", self.staged);
        Ok(self.showing.client.query_one(&sql, &[]).await?.get(0))
    }

    fn refused(&self, row: String, words: &str, left_out: &mut LeftOut) -> Result<(), NotWritten> {
        if self.showing.skip {
            left_out.count += 1;
            left_out.first.get_or_insert_with(|| (row, words.to_owned()));
            return Ok(());
        }
        let text = format!("table {}: PostgreSQL refused a row: {words}", self.showing.target.name);
        let error = Error::user(text).with_detail(format!("the row: {row}"));
        Err(NotWritten::Ours(error.with_hint(format!(
            "mend the table, or set '{BAD_RECORDS}' = 'skip' on the sink table; the next run tries the row again"
        ))))
    }
}

/// The elements of an array.
fn listed(places: &[String]) -> String {
    places.iter().map(|place| format!("\"{place}\"")).collect::<Vec<_>>().join(",")
}
