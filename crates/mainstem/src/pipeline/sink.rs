//! The task that drains an output port into a sink.
//! Invariant: what was written is flushed within a second, and before the task ends; rows that a sink stages are prepared at each
//! cut instead, and shown when the checkpoint is complete. It does not close the sink: the job does, when all parts have ended
//! well.

use std::sync::Arc;
use std::time::Duration;

use mainstem_connectors::api::Sink;
use mainstem_core::Result;
use mainstem_engine::port::{Outgoing, OutputPort};
use tokio::sync::mpsc;
use tokio::time::Instant;

use super::acknowledge::SinkGauge;
use super::checkpoints::SinkEvent;

/// How long written rows may stay unflushed.
const FLUSH_EVERY: Duration = Duration::from_millis(500);

/// How a sink takes part in checkpoints.
pub(super) struct CheckpointTies {
    /// Its number.
    pub(super) sink: usize,
    /// Rows stay unseen until their token is committed.
    pub(super) staged: bool,
    /// To the checkpoints.
    pub(super) events: mpsc::UnboundedSender<SinkEvent>,
    /// Tokens to commit; closed when the last checkpoint is over.
    pub(super) commits: mpsc::UnboundedReceiver<Vec<Vec<u8>>>,
}

/// Writes all that comes out of `port`, flushes it, and gives the sink back.
pub(super) async fn drain(
    sink: Box<dyn Sink>,
    port: Arc<OutputPort>,
    gauge: Arc<SinkGauge>,
    mut ties: Option<CheckpointTies>,
) -> Result<Box<dyn Sink>> {
    let mut drain = Drain { sink, gauge, items: 0, due: None };
    loop {
        let at = drain.due.unwrap_or_else(Instant::now);
        let flushes = drain.due.is_some() && ties.as_ref().is_none_or(|ties| !ties.staged);
        tokio::select! {
            outgoing = port.recv() => match outgoing {
                None => break,
                Some(Outgoing::Rows(data)) => drain.write(data).await?,
                Some(Outgoing::Cut(number)) => {
                    if let Some(ties) = &ties {
                        drain.prepare(number, ties).await?;
                    }
                }
            },
            Some(tokens) = next_commit(&mut ties) => drain.commit(&tokens, &ties).await?,
            () = tokio::time::sleep_until(at), if flushes => drain.flush().await?,
        }
    }
    while let Some(tokens) = next_commit(&mut ties).await {
        drain.commit(&tokens, &ties).await?;
    }
    drain.flush().await?;
    Ok(drain.sink)
}

/// The next tokens to commit; `None` when there will be no more. Cancel safe.
async fn next_commit(ties: &mut Option<CheckpointTies>) -> Option<Vec<Vec<u8>>> {
    match ties {
        Some(ties) => ties.commits.recv().await,
        None => None,
    }
}

struct Drain {
    sink: Box<dyn Sink>,
    gauge: Arc<SinkGauge>,
    items: u64,
    /// When what was written has to be flushed.
    due: Option<Instant>,
}

impl Drain {
    async fn write(&mut self, data: mainstem_core::egress::Encoded) -> Result<()> {
        self.items += 1;
        if data.rows() > 0 {
            self.sink.write(data).await?;
            self.due.get_or_insert_with(|| Instant::now() + FLUSH_EVERY);
        } else if self.due.is_none() {
            self.gauge.set_flushed(self.items);
        }
        Ok(())
    }

    async fn flush(&mut self) -> Result<()> {
        self.sink.flush().await?;
        self.due = None;
        self.gauge.set_flushed(self.items);
        Ok(())
    }

    async fn prepare(&mut self, number: u64, ties: &CheckpointTies) -> Result<()> {
        let token = self.sink.prepare().await?;
        self.due = None;
        // Nobody listens any more: the job has failed elsewhere.
        let _ = ties.events.send(SinkEvent::Prepared { sink: ties.sink, number, token });
        Ok(())
    }

    async fn commit(&mut self, tokens: &[Vec<u8>], ties: &Option<CheckpointTies>) -> Result<()> {
        self.sink.commit(tokens).await?;
        if let Some(ties) = ties {
            let _ = ties.events.send(SinkEvent::Committed { sink: ties.sink });
        }
        Ok(())
    }
}
