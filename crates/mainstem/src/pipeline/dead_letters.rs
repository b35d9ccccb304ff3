//! Where bad records go under the policy `dead-letter`: a file of JSON lines, or a topic.
//! Invariant: a letter that a worker handed over is written and flushed before the job ends well; a target that cannot
//! be written stops the job. Workers wait when the queue is full.

use std::fs::{File, OpenOptions};
use std::io::{BufWriter, Write};
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use base64::Engine;
use mainstem_connectors::api::Environment;
use mainstem_connectors::format::{BadRecords, DEAD_LETTER_PATH, DEAD_LETTER_TOPIC, bad_records};
use mainstem_connectors::kafka::DeadLetterTopic;
use mainstem_core::ingest::DeadLetter;
use mainstem_core::table::TableSpec;
use mainstem_core::{Error, ErrorKind, Result};
use mainstem_engine::executor;
use tokio::sync::mpsc;
use tokio::time::Instant;

/// Lots of letters that wait; a lot is what one payload brought.
const LOTS_MAX: usize = 64;
const FLUSH_EVERY: Duration = Duration::from_millis(500);

/// The targets of a job's sources, open.
pub(super) struct DeadLetterTargets {
    /// By source; `None` for another policy.
    targets: Vec<Option<Target>>,
    written: Arc<AtomicU64>,
}

enum Target {
    File { table: String, path: PathBuf, file: BufWriter<File> },
    Topic(DeadLetterTopic),
}

impl DeadLetterTargets {
    /// Opens the targets that the tables name. `None` if no table has one.
    pub(super) async fn open(
        tables: &[TableSpec],
        environment: &Environment,
    ) -> Result<Option<Self>> {
        let mut targets = Vec::new();
        for table in tables {
            let target = Target::open(table, environment).await;
            targets.push(target.map_err(|e| e.context(format!("table '{}'", table.name)))?);
        }
        let written = Arc::new(AtomicU64::new(0));
        Ok(targets.iter().any(Option::is_some).then_some(Self { targets, written }))
    }

    /// How many letters were written.
    pub(super) fn counter(&self) -> Arc<AtomicU64> {
        Arc::clone(&self.written)
    }

    /// The engine's end of the queue, and the work of the other end, which ends when the engine has let go.
    pub(super) fn start(self) -> (executor::DeadLetters, impl Future<Output = Result<()>>) {
        let (sender, receiver) = mpsc::channel(LOTS_MAX);
        let receive: executor::DeadLetters = Arc::new(move |source, letters| {
            // An error means that the target has failed, and then the job is being stopped.
            let _ = sender.blocking_send((source, letters));
        });
        (receive, self.write_all(receiver))
    }

    async fn write_all(
        mut self,
        mut receiver: mpsc::Receiver<(usize, Vec<DeadLetter>)>,
    ) -> Result<()> {
        let mut due: Option<Instant> = None;
        loop {
            let at = due.unwrap_or_else(Instant::now);
            tokio::select! {
                lot = receiver.recv() => {
                    let Some((source, letters)) = lot else { break };
                    let target = self.targets.get_mut(source).and_then(Option::as_mut);
                    let target = target
                        .ok_or_else(|| Error::internal("a dead letter of a table without target"))?;
                    target.write(&letters).await?;
                    self.written.fetch_add(letters.len() as u64, Ordering::Relaxed);
                    due.get_or_insert_with(|| Instant::now() + FLUSH_EVERY);
                }
                () = tokio::time::sleep_until(at), if due.is_some() => {
                    self.flush().await?;
                    due = None;
                }
            }
        }
        self.flush().await
    }

    async fn flush(&mut self) -> Result<()> {
        for target in self.targets.iter_mut().flatten() {
            target.flush().await?;
        }
        Ok(())
    }
}

impl Target {
    async fn open(table: &TableSpec, environment: &Environment) -> Result<Option<Self>> {
        if bad_records(&table.options)? != BadRecords::DeadLetter {
            return Ok(None);
        }
        if table.options.contains_key(DEAD_LETTER_TOPIC) {
            return Ok(Some(Target::Topic(DeadLetterTopic::open(table, environment).await?)));
        }
        let path = table.options.get(DEAD_LETTER_PATH);
        let path = path.ok_or_else(|| Error::user("no dead-letter target is given"))?;
        let path = environment.base_dir.join(path);
        let file = OpenOptions::new().create(true).append(true).open(&path);
        let file = file.map_err(|e| file_error(&path, e))?;
        Ok(Some(Target::File { table: table.name.clone(), path, file: BufWriter::new(file) }))
    }

    async fn write(&mut self, letters: &[DeadLetter]) -> Result<()> {
        match self {
            Target::Topic(topic) => topic.write(letters).await,
            Target::File { table, path, file } => letters
                .iter()
                .try_for_each(|letter| writeln!(file, "{}", letter_json(table, letter)))
                .map_err(|e| file_error(path, e)),
        }
    }

    async fn flush(&mut self) -> Result<()> {
        match self {
            Target::Topic(topic) => topic.flush().await,
            Target::File { path, file, .. } => file.flush().map_err(|e| file_error(path, e)),
        }
    }
}

fn file_error(path: &std::path::Path, error: std::io::Error) -> Error {
    Error::new(
        ErrorKind::Unavailable,
        format!("dead-letter file '{}' cannot be written: {error}", path.display()),
    )
    .with_source(error)
}

/// One line: `record` if the bytes are text, else `record_base64`.
fn letter_json(table: &str, letter: &DeadLetter) -> serde_json::Value {
    let (name, record) = match std::str::from_utf8(&letter.record) {
        Ok(text) => ("record", text.to_owned()),
        Err(_) => {
            let engine = base64::engine::general_purpose::STANDARD;
            ("record_base64", engine.encode(&letter.record))
        }
    };
    serde_json::json!({
        "table": table,
        "place": letter.place,
        "reason": letter.reason,
        name: record,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn letters_are_lines_of_json() {
        let letter = |record: &'static [u8]| DeadLetter {
            record: bytes::Bytes::from_static(record),
            place: "a.json, line 3".into(),
            reason: "not \"it\"".into(),
        };
        assert_eq!(
            letter_json("t", &letter(b"{\"a\":")).to_string(),
            r#"{"table":"t","place":"a.json, line 3","reason":"not \"it\"","record":"{\"a\":"}"#
        );
        assert_eq!(letter_json("t", &letter(b"\xff"))["record_base64"], "/w==");
    }
}
