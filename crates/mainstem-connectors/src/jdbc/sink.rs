//! The sink: collects encoded rows and writes them batch by batch.
//! Invariant: rows leave the buffer only after their transaction has committed; a batch that met an outage is written
//! again over a new connection. The buffer is bounded: `write` writes a batch itself when it is full.
//!
//! With checkpoints rows are staged (see `ledger`), appended ones and upserts alike, and one transaction shows those of a checkpoint.
//! Upserts would converge without: a sink that writes them at once is effectively once. But a reader would see rows that a
//! crash takes back, values of a key that go back in time, and half a checkpoint; and of a key that changes often, only the last
//! row before a cut has to reach the target. Whoever wants less delay and less writing says 'sink.delivery-guarantee' = 'at-least-once'.
//! Here a batch whose commit was not answered is not written twice: the ledger says whether it is there.

use async_trait::async_trait;
use bytes::Bytes;
use chrono_tz::Tz;
use mainstem_core::egress::{Encode, Encoded};
use mainstem_core::options::OptionReader;
use mainstem_core::{Error, ErrorKind, Result};

use super::copy::{self, CopyEncode};
use super::cuts::Cuts;
use super::ledger::{BATCH, Ledger, NUMBER, REMOVED, Recorded, Token};
use super::link;
use super::link::{Link, Session, failed, is_conflict, is_outage};
use super::show::{LeftOut, Showing};
use super::staged::{self, Batch, NotWritten, Refused, Staging, Statements, Way, Written};
use super::target::{self, Failure, Target};
use super::{DELIVERY, EXACTLY_ONCE, SPEC, refuse_metadata, time_zone, types, url, value_text};
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
    /// Unless 'sink.delivery-guarantee' says otherwise.
    exactly_once: bool,
    /// Rows are staged.
    staged: Option<Staged>,
    /// What became of the last batch, if its commit was asked for.
    written: Option<Written>,
}

/// How rows are staged.
struct Staged {
    ledger: Ledger,
    cuts: Cuts,
    /// COPY into each of the two tables.
    copies: [String; 2],
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
            exactly_once: options
                .text(DELIVERY)
                .is_none_or(|v| v.eq_ignore_ascii_case(EXACTLY_ONCE)),
            staged: None,
            written: None,
            request,
        })
    }

    /// Writes the buffer in one transaction, over as many connections as it takes. With `cut` nothing comes after it before the
    /// rows are prepared.
    async fn write_buffer(&mut self, cut: bool) -> Result<()> {
        let cut = cut
            && self.staged.as_ref().is_some_and(|s| s.cuts.has_rows() || self.buffered_rows > 0);
        if self.buffer.is_empty() && !cut {
            return Ok(());
        }
        let batch = Batch { segments: self.buffer.clone(), row_count: self.buffered_rows };
        let mut lost_while_writing = 0;
        loop {
            match self.attempt(&batch, cut).await {
                Ok(written) => {
                    self.link.up();
                    if let Some(staged) = &mut self.staged {
                        staged.cuts.staged(written.rows, written.removes);
                    }
                    self.report(&batch, &written.refused);
                    break;
                }
                Err(NotWritten::Row(refused)) => {
                    return Err(self.refusal(&batch, &refused).with_hint(format!(
                        "mend the row or the table, or set '{BAD_RECORDS}' = 'skip' on the sink table"
                    )));
                }
                Err(other) => {
                    let what = format!("writing {} rows", batch.row_count);
                    self.try_again(&what, other, &mut lost_while_writing).await?;
                }
            }
        }
        self.buffer.clear();
        self.buffered_rows = 0;
        self.buffered_bytes = 0;
        Ok(())
    }

    /// Returns when the same is worth another try, over a new connection.
    async fn try_again(
        &mut self,
        what: &str,
        error: NotWritten,
        lost_while_writing: &mut u32,
    ) -> Result<()> {
        let error = match error {
            NotWritten::Database(error) | NotWritten::Row(Refused { error, .. }) => error,
            NotWritten::Ours(error) => return Err(error),
        };
        if !is_outage(&error) && !is_conflict(&error) {
            return Err(failed(&self.context(&format!("{what} failed")), &error));
        }
        self.session = None;
        // Connecting waits without a limit; a batch over which every connection breaks does not.
        *lost_while_writing += 1;
        if *lost_while_writing > LOST_WHILE_WRITING_MAX {
            return Err(failed(&self.context(&format!("{what} failed again and again")), &error));
        }
        if is_outage(&error) {
            self.link.lost(&error).await?;
        }
        Ok(())
    }

    /// Sees to a connection. If it is a new one for staged rows: what the ledger says.
    async fn connect(&mut self) -> Result<Option<Recorded>, NotWritten> {
        if self.session.is_some() {
            return Ok(None);
        }
        let session = self.link.connect().await.map_err(NotWritten::Ours)?;
        let recorded = match (&self.staged, &self.open) {
            (Some(staged), _) => Some(staged.ledger.resume(&session.client, &self.link).await?),
            (None, Some(open)) => {
                open.statements.prepare(&session.client).await?;
                None
            }
            (None, None) => None,
        };
        self.session = Some(session);
        Ok(recorded)
    }

    async fn attempt(&mut self, batch: &Batch, cut: bool) -> Result<Written, NotWritten> {
        let recorded = self.connect().await?;
        if let (Some(recorded), Some(staged)) = (recorded, &self.staged) {
            let last = staged.cuts.batch();
            if recorded.staged == last + 1
                && let Some(written) = self.written.take()
            {
                // The connection broke behind the commit.
                return Ok(written);
            }
            if recorded.staged != last {
                let text = format!(
                    "PostgreSQL has lost rows that it had confirmed: batch {} where {last} was written",
                    recorded.staged
                );
                let error = Error::new(ErrorKind::Corrupt, text);
                return Err(NotWritten::Ours(error.with_hint("start the pipeline again")));
            }
        }
        let (Some(open), Some(session)) = (&self.open, &self.session) else {
            return Err(NotWritten::Ours(Error::internal("the jdbc sink is not open")));
        };
        let staging = self.staged.as_ref().map(|Staged { ledger, cuts, copies }| {
            let (number, batch) = (cuts.number(), cuts.batch() + 1);
            let record = ledger.record_batch(batch, cut.then_some(number));
            Staging { copy: copies[cuts.slot()].clone(), number, batch, record }
        });
        let key_count = open.target.key_count;
        let way = Way { statements: &open.statements, key_count, skip: self.skip, staging };
        staged::write(&session.client, &way, batch, &mut self.written).await?;
        Ok(self.written.take().unwrap_or_default())
    }

    /// Takes the sink over from the run before and shows `tokens`; staging tables are empty then.
    async fn take_over(&mut self, tokens: &[Token]) -> Result<(Staged, LeftOut), NotWritten> {
        self.connect().await?;
        let (Some(open), Some(session)) = (&self.open, &self.session) else {
            return Err(NotWritten::Ours(Error::internal("the jdbc sink is not open")));
        };
        let (client, target) = (&session.client, &open.target);
        let (ledger, recorded) = Ledger::open(client, &self.link, target, tokens).await?;
        let showing =
            Showing { client, ledger: &ledger, target, tokens, emptied: &[], skip: self.skip };
        let left_out = showing.run().await?;
        ledger.renew(client).await?;
        ledger.clear_others(client, &self.link).await?;
        if let Some(token) = tokens.last().filter(|token| token.number < recorded.committed) {
            self.link.notice(&format!(
                "table {} is ahead of the checkpoint: it has rows of later ones (to number {}, the checkpoint is at {}), \
                 which are written again",
                target.name, recorded.committed, token.number
            ));
        }
        let mut names: Vec<String> = vec![NUMBER.to_owned()];
        if target.key_count > 0 {
            names.extend([BATCH.to_owned(), REMOVED.to_owned()]);
        }
        names.extend(target.columns.iter().map(|c| target::quote(&c.name)));
        let names = names.join(", ");
        let copy = |slot: &String| format!("COPY {slot} ({names}) FROM STDIN (FORMAT binary)");
        let copies = ledger.slots.each_ref().map(copy);
        let committed = tokens.last().map_or(recorded.committed, |token| token.number);
        let committed = committed.max(recorded.committed);
        let cuts = Cuts::new(Recorded { committed, ..recorded });
        Ok((Staged { ledger, cuts, copies }, left_out))
    }

    async fn commit_once(&mut self, tokens: &[Token]) -> Result<LeftOut, NotWritten> {
        self.connect().await?;
        let (Some(open), Some(session), Some(staged)) =
            (&self.open, &self.session, &mut self.staged)
        else {
            return Err(NotWritten::Ours(Error::internal("rows of jdbc were not staged")));
        };
        let emptied = staged.cuts.emptied_by(tokens);
        let showing = Showing {
            client: &session.client,
            ledger: &staged.ledger,
            target: &open.target,
            tokens,
            emptied: &emptied,
            skip: self.skip,
        };
        let left_out = showing.run().await?;
        staged.cuts.shown(tokens, &emptied);
        Ok(left_out)
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

    /// Removes the staging tables.
    async fn leave(&self, ledger: &Ledger) {
        if let Some(session) = &self.session
            && let Err(error) = ledger.leave(&session.client).await
        {
            let [first, second] = &ledger.slots;
            let why = link::reason(&error);
            self.link.notice(&format!(
                "the empty tables {first} and {second} are left, and go with the next start: {why}"
            ));
        }
    }

    /// Rows that were left out when they were shown.
    fn report_left_out(&mut self, left_out: LeftOut) {
        if let LeftOut { count, first: Some((row, words)) } = left_out {
            let error = self.context(&format!("PostgreSQL refused a row: {words}"));
            self.notice_left_out(count, &format!("{error}; the row: {row}"));
        }
    }

    fn notice_left_out(&mut self, count: u64, what: &str) {
        self.skipped += count;
        let (so_far, rows) = (self.skipped, if count == 1 { "row" } else { "rows" });
        self.link.notice(&format!("left out {count} {rows} ({so_far} so far): {what}"));
    }

    /// Rows that were left out: the first is shown, all are counted.
    fn report(&mut self, batch: &Batch, refused: &[Refused]) {
        let Some(first) = refused.first() else { return };
        let error = self.refusal(batch, first);
        let detail = error.detail().unwrap_or_default();
        self.notice_left_out(refused.len() as u64, &format!("{error}; {detail}"));
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
                self.write_buffer(false).await?;
            }
            self.buffered_rows += rows;
            self.buffered_bytes += data.len();
            self.buffer.push(data);
            if self.buffered_rows >= self.rows_max || self.buffered_bytes >= BYTES_MAX {
                self.write_buffer(false).await?;
            }
        }
        Ok(())
    }

    async fn flush(&mut self) -> Result<()> {
        self.write_buffer(false).await
    }

    async fn stage(&mut self, tokens: &[Vec<u8>]) -> Result<bool> {
        let tokens = tokens.iter().map(|token| Token::read(token)).collect::<Result<Vec<_>>>()?;
        // What was staged before the option was changed is still to be shown.
        if !self.exactly_once && tokens.iter().all(|token| token.rows == 0) {
            return Ok(false);
        }
        let mut lost = 0;
        let (staged, left_out) = loop {
            match self.take_over(&tokens).await {
                Ok(taken) => break taken,
                Err(error) => {
                    self.try_again("going on from a checkpoint", error, &mut lost).await?;
                }
            }
        };
        self.link.up();
        self.report_left_out(left_out);
        if self.exactly_once {
            self.staged = Some(staged);
        } else {
            self.leave(&staged.ledger).await;
            // For temporary tables.
            self.session = None;
        }
        Ok(self.exactly_once)
    }

    async fn prepare(&mut self) -> Result<Option<Vec<u8>>> {
        self.write_buffer(true).await?;
        let Some(Staged { ledger, cuts, .. }) = &mut self.staged else { return Ok(None) };
        // Without rows too: a checkpoint has to know the sink.
        cuts.cut(&ledger.sink).write().map(Some)
    }

    async fn commit(&mut self, tokens: &[Vec<u8>]) -> Result<()> {
        let tokens = tokens.iter().map(|token| Token::read(token)).collect::<Result<Vec<_>>>()?;
        if tokens.iter().all(|token| token.rows == 0) {
            return Ok(());
        }
        let mut lost = 0;
        loop {
            match self.commit_once(&tokens).await {
                Ok(left_out) => {
                    self.link.up();
                    self.report_left_out(left_out);
                    return Ok(());
                }
                Err(error) => {
                    self.try_again("showing the rows of a checkpoint", error, &mut lost).await?;
                }
            }
        }
    }

    async fn close(&mut self) -> Result<()> {
        if let Some(staged) = &self.staged {
            if staged.cuts.has_rows() || staged.cuts.has_unshown() || !self.buffer.is_empty() {
                let text = "the last checkpoint is not complete, and rows wait for it";
                return Err(Error::internal(text));
            }
            self.leave(&staged.ledger).await;
        }
        self.write_buffer(false).await?;
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
