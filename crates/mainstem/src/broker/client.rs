//! The broker without sockets: typed requests in, typed answers out, through the same handlers that serve the network.
//! Invariant: nothing is encoded. A call that is dropped leaves nothing behind but a fetch that ends with its time.

use std::time::Duration;

use futures::future::{BoxFuture, FutureExt as _};
use mainstem_broker::{Call, Request, RequestId, Response};
use mainstem_connectors::kafka::embedded::Caller;
use mainstem_core::{Error, ErrorKind, Result};

use super::host::Host;

/// Answers up to this size are read from files where they are asked for: their pages are as good as always in memory.
const LOAD_INLINE_BYTES: u64 = 256 << 10;

/// How long the end of a transaction is given before it is asked for again.
const ENDING_PAUSE: Duration = Duration::from_millis(5);

/// A caller inside of this process; cheap to clone.
#[derive(Debug, Clone)]
pub(crate) struct Client {
    host: Host,
    /// What all calls have in common.
    call: Call,
}

impl Client {
    pub(crate) fn new(host: Host) -> Self {
        Self { host, call: Call::in_process(RequestId(0), 0) }
    }
}

impl Caller for Client {
    fn begin(
        &self,
        version: i16,
        request: Request,
    ) -> Result<BoxFuture<'static, Result<Response>>> {
        let call = Call { version, ..self.call.clone() };
        let gone = |_| Error::unavailable("the broker of this process has stopped");
        let answer = self.host.call(call, request).map_err(gone)?;
        let loaded = async move {
            let response = answer.wait().await.map_err(gone)?;
            load(response).await.map_err(|e| {
                let error = Error::new(ErrorKind::Corrupt, format!("records cannot be read: {e}"));
                error.with_source(e)
            })
        };
        Ok(loaded.boxed())
    }

    fn pause(&self) -> BoxFuture<'_, ()> {
        tokio::time::sleep(ENDING_PAUSE).boxed()
    }
}

/// Reads what an answer has in files: large ones where blocking hurts nobody.
async fn load(response: Response) -> std::io::Result<Response> {
    let Response::Fetch(mut answer) = response else { return Ok(response) };
    if answer.size_bytes() <= LOAD_INLINE_BYTES {
        answer.load()?;
        return Ok(Response::Fetch(answer));
    }
    let loading = tokio::task::spawn_blocking(move || answer.load().map(|()| answer));
    Ok(Response::Fetch(loading.await.map_err(std::io::Error::other)??))
}
