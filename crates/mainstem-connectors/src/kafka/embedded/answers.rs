//! What a host of a broker keeps for callers of its own process: who waits for which answer.
//! Invariant: a caller gets the one answer to its request, with the records of a fetch loaded, or learns that there is none. One
//! who does not wait any more leaves nothing behind.

use std::collections::BTreeMap;

use futures::channel::oneshot;
use futures::future::{BoxFuture, FutureExt as _};
use mainstem_broker::{Call, RequestId, Response};
use mainstem_core::{Error, Result};

/// Calls whose answers are not there yet, for a host that carries out a broker's actions where it is called.
#[derive(Debug, Default)]
pub struct Answers {
    waiting: BTreeMap<RequestId, oneshot::Sender<Response>>,
    last: u64,
}

impl Answers {
    /// A new call of a version of an API, and its answer.
    pub fn call(&mut self, version: i16) -> (Call, BoxFuture<'static, Result<Response>>) {
        self.last += 1;
        let id = RequestId(self.last);
        let (sender, answer) = oneshot::channel();
        self.waiting.insert(id, sender);
        let gone = |_| Error::unavailable("the broker of this process has stopped");
        let unread = |e| Error::unavailable("records cannot be read").with_source(e);
        let loaded = async move {
            let mut response = answer.await.map_err(gone)?;
            if let Response::Fetch(answer) = &mut response {
                answer.load().map_err(unread)?;
            }
            Ok(response)
        };
        (Call::in_process(id, version), loaded.boxed())
    }

    /// The answer to a call is there.
    pub fn respond(&mut self, to: RequestId, response: Response) {
        if let Some(waits) = self.waiting.remove(&to) {
            // Nobody may wait any more.
            let _ = waits.send(response);
        }
    }

    /// There will be no answer.
    pub fn disconnect(&mut self, to: RequestId) {
        self.waiting.remove(&to);
    }
}
