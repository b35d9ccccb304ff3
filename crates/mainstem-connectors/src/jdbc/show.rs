//! Moves staged rows into the target.
//! Invariant: one transaction moves the rows of all numbers asked for, oldest first, and records the last of them; a number that is
//! recorded already is left alone. When the target refuses a row (a unique index, a foreign key, a trigger: staging tables know
//! nothing of them), the rows of the number are cut into halves under savepoints until the row stands alone.

use mainstem_core::{Error, ErrorKind};
use tokio_postgres::Client;

use super::copy::Column;
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

/// Shows the rows of `tokens` and empties the tables of `emptied`.
pub(super) async fn show(
    client: &Client,
    ledger: &Ledger,
    target: &Target,
    tokens: &[Token],
    emptied: &[usize],
    skip: bool,
) -> Result<LeftOut, NotWritten> {
    let mut left_out = LeftOut::default();
    client.batch_execute("BEGIN").await?;
    let shown = show_all(client, ledger, target, tokens, emptied, skip, &mut left_out).await;
    if let Err(error) = shown {
        // A lost connection rolls back by itself.
        let _ = client.batch_execute("ROLLBACK").await;
        return Err(error);
    }
    client.batch_execute("COMMIT").await?;
    Ok(left_out)
}

async fn show_all(
    client: &Client,
    ledger: &Ledger,
    target: &Target,
    tokens: &[Token],
    emptied: &[usize],
    skip: bool,
    left_out: &mut LeftOut,
) -> Result<(), NotWritten> {
    let (table, sink) = (&ledger.table, &ledger.sink);
    let sql = format!("SELECT committed FROM {table} WHERE sink = $1 FOR UPDATE");
    let row = client.query_opt(&sql, &[sink]).await?;
    let row = row.ok_or_else(|| gone(ledger))?;
    let committed: i64 = row.get(0);
    let mut last = committed;
    for token in tokens.iter().filter(|token| token.rows > 0 && token.number > committed) {
        let moves = Moves::new(ledger, target, token);
        moves.run(client, ledger, token, skip, left_out).await?;
        last = last.max(token.number);
    }
    if last > committed {
        let sql = format!("UPDATE {table} SET committed = $2, changed = now() WHERE sink = $1");
        client.execute(&sql, &[sink, &last]).await?;
    }
    for &slot in emptied {
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

fn gone(ledger: &Ledger) -> NotWritten {
    let text = format!("{} has lost the row of sink '{}'", ledger.table, ledger.sink);
    NotWritten::Ours(
        Error::new(ErrorKind::Corrupt, text)
            .with_hint("somebody has removed it; start anew, with an empty --state"),
    )
}

/// The statements that move the rows of one number.
struct Moves<'a> {
    target: &'a Target,
    staged: &'a str,
    number: i64,
    /// The latest row of each key has to be looked for.
    sorts: bool,
    removes: bool,
}

impl<'a> Moves<'a> {
    fn new(ledger: &'a Ledger, target: &'a Target, token: &Token) -> Self {
        let upserts = target.key_count > 0;
        Self {
            target,
            staged: &ledger.slots[token.slot],
            number: token.number,
            sorts: upserts && token.batches > 1,
            removes: upserts && token.removes,
        }
    }

    async fn run(
        &self,
        client: &Client,
        ledger: &Ledger,
        token: &Token,
        skip: bool,
        left_out: &mut LeftOut,
    ) -> Result<(), NotWritten> {
        if self.target.key_count > 0 {
            self.check_count(client, ledger, token).await?;
        }
        client.batch_execute("SAVEPOINT number").await?;
        let whole = format!("{NUMBER} = {}", self.number);
        let statements = self.statements(&self.source(&whole, self.sorts));
        let moved = match self.target.key_count {
            // One statement, which counts what it appends.
            0 => client.execute(&statements, &[]).await,
            _ => client.batch_execute(&statements).await.map(|()| token.rows),
        };
        match moved {
            Ok(moved) if moved == token.rows => {
                return Ok(client.batch_execute("RELEASE SAVEPOINT number").await?);
            }
            Ok(_) => {}
            Err(error) if is_about_a_row(&error) => {}
            Err(error) => return Err(error.into()),
        }
        client.batch_execute("ROLLBACK TO SAVEPOINT number").await?;
        self.check_count(client, ledger, token).await?;
        self.run_in_halves(client, skip, left_out).await
    }

    /// All rows that were staged are there.
    async fn check_count(
        &self,
        client: &Client,
        ledger: &Ledger,
        token: &Token,
    ) -> Result<(), NotWritten> {
        let (staged, number) = (self.staged, self.number);
        let sql = format!("SELECT count(*) FROM {staged} WHERE {NUMBER} = {number}");
        let count: i64 = client.query_one(&sql, &[]).await?.get(0);
        if u64::try_from(count).ok() == Some(token.rows) {
            return Ok(());
        }
        let text = format!(
            "{staged} holds {count} rows of number {number} where the checkpoint says {}",
            token.rows
        );
        Err(NotWritten::Ours(Error::new(ErrorKind::Corrupt, text).with_hint(format!(
            "somebody has changed the rows that were staged for table {}",
            ledger.target_table()
        ))))
    }

    fn names(columns: &[Column]) -> String {
        columns.iter().map(|c| quote(&c.name)).collect::<Vec<_>>().join(", ")
    }

    /// The rows to move, of those that fulfil `condition`.
    fn source(&self, condition: &str, sorts: bool) -> String {
        let Self { target, staged, .. } = self;
        let all = Self::names(&target.columns);
        if target.key_count == 0 {
            return format!("SELECT {all} FROM {staged} WHERE {condition}");
        }
        let keys = Self::names(&target.columns[..target.key_count]);
        let (distinct, order) = match sorts {
            true => (format!("DISTINCT ON ({keys})"), format!("ORDER BY {keys}, {BATCH} DESC")),
            false => (String::new(), String::new()),
        };
        format!(
            "SELECT {distinct} ctid AS place, {REMOVED}, {all} FROM {staged} WHERE {condition} {order}"
        )
    }

    fn statements(&self, source: &str) -> String {
        let target = self.target;
        let (all, name) = (Self::names(&target.columns), &target.name);
        if target.key_count == 0 {
            return format!("INSERT INTO {name} ({all}) {source}");
        }
        let (key, rest) = target.columns.split_at(target.key_count);
        let set = rest.iter().map(|c| quote(&c.name)).map(|c| format!("{c} = EXCLUDED.{c}"));
        let action = match rest {
            [] => "NOTHING".to_owned(),
            _ => format!("UPDATE SET {}", set.collect::<Vec<_>>().join(", ")),
        };
        let same = key.iter().map(|c| quote(&c.name)).map(|c| format!("t.{c} = d.{c}"));
        let same = same.collect::<Vec<_>>().join(" AND ");
        let keys = Self::names(key);
        let insert = format!(
            "INSERT INTO {name} ({all}) SELECT {all} FROM ({source}) d WHERE NOT {REMOVED} \
             ON CONFLICT ({keys}) DO {action}"
        );
        match self.removes {
            true => format!(
                "DELETE FROM {name} t USING ({source}) d WHERE d.{REMOVED} AND {same}; {insert}"
            ),
            false => insert,
        }
    }

    async fn run_in_halves(
        &self,
        client: &Client,
        skip: bool,
        left_out: &mut LeftOut,
    ) -> Result<(), NotWritten> {
        let whole = format!("{NUMBER} = {}", self.number);
        let places = match self.target.key_count {
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
                        let row = self.row_text(client, &condition).await?;
                        self.refused(row, &reason(&error), skip, left_out)?;
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
    async fn row_text(&self, client: &Client, condition: &str) -> Result<String, NotWritten> {
        let parts = self.target.columns.iter().map(|c| {
            let label = format!("{} = ", c.name).replace('\'', "''");
            format!("'{label}' || coalesce(left({}::text, 60), 'NULL')", quote(&c.name))
        });
        let parts = parts.collect::<Vec<_>>().join(", ");
        let sql = format!("SELECT concat_ws(', ', {parts}) FROM {} WHERE {condition}", self.staged);
        Ok(client.query_one(&sql, &[]).await?.get(0))
    }

    fn refused(
        &self,
        row: String,
        words: &str,
        skip: bool,
        left_out: &mut LeftOut,
    ) -> Result<(), NotWritten> {
        if skip {
            left_out.count += 1;
            left_out.first.get_or_insert_with(|| (row, words.to_owned()));
            return Ok(());
        }
        let text = format!("table {}: PostgreSQL refused a row: {words}", self.target.name);
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
