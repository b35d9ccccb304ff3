//! The task that drains an output port into a sink.
//! Invariant: what was written is flushed within a second, and before the task ends. It does not close the sink: the
//! job does, when all parts have ended well.

use std::sync::Arc;
use std::time::Duration;

use mainstem_connectors::api::Sink;
use mainstem_core::Result;
use mainstem_engine::port::OutputPort;
use tokio::time::Instant;

use super::acknowledge::SinkGauge;

/// How long written rows may stay unflushed.
const FLUSH_EVERY: Duration = Duration::from_millis(500);

/// Writes all that comes out of `port`, flushes it, and gives the sink back.
pub(super) async fn drain(
    mut sink: Box<dyn Sink>,
    port: Arc<OutputPort>,
    gauge: Arc<SinkGauge>,
) -> Result<Box<dyn Sink>> {
    let mut due: Option<Instant> = None;
    let mut items = 0;
    loop {
        let at = due.unwrap_or_else(Instant::now);
        tokio::select! {
            data = port.recv() => match data {
                None => break,
                Some(data) => {
                    items += 1;
                    if data.rows() > 0 {
                        sink.write(data).await?;
                        due.get_or_insert_with(|| Instant::now() + FLUSH_EVERY);
                    } else if due.is_none() {
                        gauge.set_flushed(items);
                    }
                }
            },
            () = tokio::time::sleep_until(at), if due.is_some() => {
                sink.flush().await?;
                due = None;
                gauge.set_flushed(items);
            }
        }
    }
    sink.flush().await?;
    Ok(sink)
}
