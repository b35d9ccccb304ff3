//! What workers hand in of a cut, as files: each worker's part of a checkpoint is written by a thread of its own.
//! Invariant: whatever a worker hands in is taken to its end, also when the store does not take it, so that workers are never
//! held; memory in use is that of one file a worker. What was written counts only with the manifest that names it.

use std::sync::Arc;
use std::sync::mpsc::{Receiver, Sender, channel};

use mainstem_core::Result;
use mainstem_engine::checkpoint::{CheckpointPort, Saved};
use mainstem_state::manifest::CheckpointId;
use mainstem_state::store::Store;
use mainstem_state::stored::{PieceWriter, StoredPiece};

/// The way to the thread that writes a worker's part of a checkpoint.
#[derive(Debug)]
pub(super) struct Writing(Sender<Saved>);

impl Writing {
    /// Starts a thread for the part of `worker` in a checkpoint; `done` is called once, when the worker's part is stored or cannot be.
    pub(super) fn start(
        store: Arc<dyn Store>,
        port: Arc<CheckpointPort>,
        (id, worker): (CheckpointId, usize),
        done: impl FnOnce(Result<Vec<StoredPiece>>) + Send + 'static,
    ) -> Self {
        let (send, receive) = channel();
        tokio::task::spawn_blocking(move || {
            // Whoever sent is gone only if the job failed.
            let writer = PieceWriter::new(&*store, id, worker);
            if let Some(written) = write(writer, &port, &receive) {
                done(written);
            }
        });
        Self(send)
    }

    /// Hands on what a worker has handed in.
    pub(super) fn take(&self, saved: Saved) {
        // The thread lives until the last part.
        let _ = self.0.send(saved);
    }
}

/// `None`: the last part never came.
fn write(
    mut writer: PieceWriter<'_>,
    port: &CheckpointPort,
    receive: &Receiver<Saved>,
) -> Option<Result<Vec<StoredPiece>>> {
    let mut result = Ok(());
    loop {
        let saved = receive.recv().ok()?;
        let (bytes, complete) = (saved.size_bytes(), saved.complete);
        if result.is_ok() {
            result = saved.pieces.into_iter().try_for_each(|piece| writer.add(piece));
        }
        port.is_done_with(bytes);
        if complete {
            break;
        }
    }
    Some(result.and_then(|()| writer.end()))
}
