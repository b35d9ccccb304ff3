//! Files as objects of a bucket.
//! Invariant: an object is there whole when `put` has returned, and never changes after that: it is written only where none is.
//! One that is there already with the same bytes is a write that had arrived although its answer was lost; with other bytes, a
//! second process writes here, and from then on this one writes nothing.
//! Calls give up after seconds: what a failure means is decided by who calls. Does not make buckets.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use bytes::Bytes;
use mainstem_core::{Error, ErrorKind, Result};
use mainstem_state::store::Store;
use object_store::path::Path;
use object_store::{
    Error as ObjectError, GetOptions, GetRange, ObjectStore, ObjectStoreExt as _, PutMode,
    PutPayload,
};
use tokio::runtime::{Handle, Runtime};
use tokio::time::{sleep, timeout};

use super::ObjectPlace;
use super::answers;

/// An answer takes no longer, but for what the bytes take.
const ANSWER_WITHIN: Duration = Duration::from_secs(15);
/// A slower line than this is none.
const BYTES_PER_SECOND: u64 = 1 << 20;
/// Before the second try, the third, ... With the time to connect, half a minute in the worst case.
const PAUSES_MS: [u64; 4] = [100, 300, 900, 2700];
/// A store that is away when a pipeline starts is waited for.
const REACH_WITHIN: Duration = Duration::from_secs(60);
const REACH_EVERY: Duration = Duration::from_secs(1);

/// A prefix of a bucket.
#[derive(Debug)]
pub(super) struct Objects {
    client: Arc<dyn ObjectStore>,
    place: ObjectPlace,
    prefix: Path,
    runtime: Handle,
    /// The runtime itself, where nobody else keeps it.
    _own: Option<Runtime>,
    /// Another process has written here.
    lost: AtomicBool,
}

impl Objects {
    /// Must be called on a runtime.
    pub(super) fn new(client: Arc<dyn ObjectStore>, place: ObjectPlace) -> Self {
        Self::on(Handle::current(), None, client, place)
    }

    /// With a runtime of its own. Must not be called on one.
    pub(super) fn alone(
        runtime: Runtime,
        client: Arc<dyn ObjectStore>,
        place: ObjectPlace,
    ) -> Self {
        Self::on(runtime.handle().clone(), Some(runtime), client, place)
    }

    fn on(
        runtime: Handle,
        own: Option<Runtime>,
        client: Arc<dyn ObjectStore>,
        place: ObjectPlace,
    ) -> Self {
        let prefix = Path::from(place.prefix.as_str());
        Self { client, place, prefix, runtime, _own: own, lost: AtomicBool::new(false) }
    }

    /// Asks the store once, and while it is away again and again for a while. What else is wrong is an error at once.
    pub(super) async fn reach(&self, notice: &(dyn Fn(&str) + Sync)) -> Result<()> {
        let mut away = None;
        let asking = async {
            while let Err(error) = self.names().await {
                if error.kind() != ErrorKind::Unavailable {
                    return Err(error);
                }
                if away.is_none() {
                    let seconds = REACH_WITHIN.as_secs();
                    notice(&format!("{error}; trying again for {seconds} s"));
                }
                away = Some(error);
                sleep(REACH_EVERY).await;
            }
            Ok(())
        };
        match timeout(REACH_WITHIN, asking).await {
            Ok(Err(error)) => Err(error),
            Ok(Ok(())) => {
                if away.is_some() {
                    notice(&format!("'{}' answers", self.place));
                }
                Ok(())
            }
            Err(_) => {
                Err(away.unwrap_or_else(|| self.silent("list the checkpoints", REACH_WITHIN)))
            }
        }
    }

    fn path(&self, name: &str) -> Path {
        self.prefix.clone().join(name)
    }

    fn silent(&self, doing: &str, waited: Duration) -> Error {
        let text =
            format!("cannot {doing} in '{}': no answer within {} s", self.place, waited.as_secs());
        Error::unavailable(text).with_hint("check that the store answers from this machine")
    }

    /// Asks until there is an answer that does not pass, for at most so many tries and so much time for each.
    async fn ask<T>(
        &self,
        doing: &str,
        size_bytes: u64,
        ask: impl AsyncFn() -> Result<T, ObjectError>,
    ) -> Result<Result<T, ObjectError>> {
        let within = ANSWER_WITHIN + Duration::from_secs(size_bytes / BYTES_PER_SECOND);
        let mut pauses = PAUSES_MS.into_iter();
        loop {
            match timeout(within, ask()).await {
                Err(_) => return Err(self.silent(doing, within)),
                Ok(Err(error)) if answers::may_pass(&error) => match pauses.next() {
                    Some(pause_ms) => sleep(Duration::from_millis(pause_ms)).await,
                    None => return Err(self.failed(doing, error)),
                },
                Ok(answer) => return Ok(answer),
            }
        }
    }

    fn failed(&self, doing: &str, error: ObjectError) -> Error {
        answers::failed(&self.place, doing, &error)
    }

    async fn write(&self, name: &str, bytes: &[u8]) -> Result<()> {
        if self.lost.load(Ordering::SeqCst) {
            return Err(self.taken());
        }
        let (path, doing) = (self.path(name), format!("write '{name}'"));
        let payload = PutPayload::from(Bytes::copy_from_slice(bytes));
        let put = async |mode: PutMode| {
            let put =
                async || self.client.put_opts(&path, payload.clone(), mode.clone().into()).await;
            self.ask(&doing, bytes.len() as u64, put).await
        };
        let answer = match put(PutMode::Create).await? {
            // The user said so: AWS_CONDITIONAL_PUT=disabled.
            Err(ObjectError::NotImplemented { .. }) => put(PutMode::Overwrite).await?,
            answer => answer,
        };
        match answer {
            Ok(_) => Ok(()),
            Err(ObjectError::AlreadyExists { .. }) => {
                if self.read(name).await?.is_some_and(|there| there == bytes) {
                    return Ok(());
                }
                self.lost.store(true, Ordering::SeqCst);
                Err(self.taken())
            }
            Err(error) => Err(self.failed(&doing, error)),
        }
    }

    fn taken(&self) -> Error {
        let text = format!("another process keeps checkpoints in '{}'", self.place);
        Error::new(ErrorKind::Conflict, text)
            .with_hint("stop one of the two, or give it a prefix of its own with --state")
    }

    async fn read(&self, name: &str) -> Result<Option<Bytes>> {
        let (path, doing) = (self.path(name), format!("read '{name}'"));
        // How large it is, its answer says; a run of state is not larger than this.
        let get = async || self.client.get(&path).await?.bytes().await;
        match self.ask(&doing, 64 << 20, get).await? {
            Ok(bytes) => Ok(Some(bytes)),
            Err(error @ ObjectError::NotFound { .. }) if !answers::lacks_bucket(&error) => Ok(None),
            Err(error) => Err(self.failed(&doing, error)),
        }
    }

    async fn read_range(&self, name: &str, offset: u64, size: u64) -> Result<Vec<u8>> {
        let (path, doing) = (self.path(name), format!("read '{name}'"));
        let short = || {
            let text = format!("'{name}' has no {size} bytes from {offset}");
            Error::new(ErrorKind::Corrupt, text)
        };
        let end = offset.checked_add(size).ok_or_else(short)?;
        if size == 0 {
            return Ok(Vec::new());
        }
        let range =
            GetOptions { range: Some(GetRange::Bounded(offset..end)), ..GetOptions::default() };
        let get = async || self.client.get_opts(&path, range.clone()).await?.bytes().await;
        match self.ask(&doing, size, get).await? {
            Ok(bytes) if bytes.len() as u64 == size => Ok(bytes.into()),
            Ok(_) => Err(short()),
            Err(error) if answers::lacks_bytes(&error) => Err(short()),
            Err(error) => Err(self.failed(&doing, error)),
        }
    }

    async fn names(&self) -> Result<Vec<String>> {
        const DOING: &str = "list the checkpoints";
        let prefix = Some(&self.prefix).filter(|prefix| !prefix.as_ref().is_empty());
        match self.ask(DOING, 0, async || self.client.list_with_delimiter(prefix).await).await? {
            Ok(listed) => {
                let names = listed.objects.iter().filter_map(|object| object.location.filename());
                let mut names: Vec<_> = names.map(str::to_owned).collect();
                names.sort_unstable();
                Ok(names)
            }
            Err(error) => Err(self.failed(DOING, error)),
        }
    }

    async fn delete(&self, name: &str) -> Result<()> {
        let (path, doing) = (self.path(name), format!("remove '{name}'"));
        match self.ask(&doing, 0, async || self.client.delete(&path).await).await? {
            Ok(()) | Err(ObjectError::NotFound { .. }) => Ok(()),
            Err(error) => Err(self.failed(&doing, error)),
        }
    }
}

impl Store for Objects {
    fn put(&self, name: &str, bytes: &[u8]) -> Result<()> {
        self.runtime.block_on(self.write(name, bytes))
    }

    fn get(&self, name: &str) -> Result<Option<Vec<u8>>> {
        Ok(self.runtime.block_on(self.read(name))?.map(Vec::from))
    }

    fn get_range(&self, name: &str, offset: u64, size: u64) -> Result<Vec<u8>> {
        self.runtime.block_on(self.read_range(name, offset, size))
    }

    fn list(&self) -> Result<Vec<String>> {
        self.runtime.block_on(self.names())
    }

    fn remove(&self, name: &str) -> Result<()> {
        self.runtime.block_on(self.delete(name))
    }
}

#[cfg(test)]
mod tests;
