//! Brings bad records under the policy `dead-letter` from the workers to their targets.
//! Invariant: a letter that a worker handed over is written and flushed before the job ends well; a target that cannot
//! be written stops the job. Workers wait when the queue is full.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use mainstem_connectors::api::Environment;
use mainstem_connectors::dead_letter::DeadLetters;
use mainstem_core::ingest::DeadLetter;
use mainstem_core::table::TableSpec;
use mainstem_core::{Error, Result};
use mainstem_engine::executor;
use tokio::sync::mpsc;
use tokio::time::Instant;

/// Lots of letters that wait; a lot is what one payload brought.
const LOTS_MAX: usize = 64;
const FLUSH_EVERY: Duration = Duration::from_millis(500);

/// The targets of a job's sources, open.
pub(super) struct DeadLetterTargets {
    /// By source; `None` for another policy.
    targets: Vec<Option<DeadLetters>>,
    written: Arc<AtomicU64>,
}

impl DeadLetterTargets {
    /// Opens the targets that the tables name. `None` if no table has one.
    pub(super) async fn open(
        tables: &[TableSpec],
        environment: &Environment,
    ) -> Result<Option<Self>> {
        let mut targets = Vec::new();
        for table in tables {
            let target = DeadLetters::open(table, environment).await;
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
