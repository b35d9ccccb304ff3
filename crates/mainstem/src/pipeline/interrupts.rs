//! Ctrl-C and SIGTERM: the first asks to finish, the second to stop at once.
//! Invariant: signals are counted from the start of the program, so none is missed between two jobs.

use tokio::sync::watch;

/// How many signals have come; cheap to clone.
#[derive(Debug, Clone)]
pub(crate) struct Interrupts {
    count: watch::Sender<u32>,
    seen: watch::Receiver<u32>,
}

impl Interrupts {
    /// Takes over SIGINT and SIGTERM. Must be called on the runtime.
    pub(crate) fn listen() -> std::io::Result<Self> {
        let (count, seen) = watch::channel(0);
        let mut next = signals()?;
        let counter = count.clone();
        tokio::spawn(async move {
            loop {
                next.recv().await;
                counter.send_modify(|count| *count += 1);
            }
        });
        Ok(Self { count, seen })
    }

    /// As if a first signal came, unless one has come.
    pub(crate) fn finish(&self) {
        self.count.send_if_modified(|count| {
            let first = *count == 0;
            *count = 1.max(*count);
            first
        });
    }

    /// Returns once a first signal has come.
    pub(crate) async fn first(&mut self) {
        self.at_least(1).await;
    }

    /// Returns once a second signal has come.
    pub(crate) async fn second(&mut self) {
        self.at_least(2).await;
    }

    /// How many have come so far.
    pub(crate) fn seen(&self) -> u32 {
        *self.seen.borrow()
    }

    async fn at_least(&mut self, count: u32) {
        if self.seen.wait_for(|seen| *seen >= count).await.is_err() {
            std::future::pending::<()>().await;
        }
    }
}

#[cfg(unix)]
struct Signals(tokio::signal::unix::Signal, tokio::signal::unix::Signal);

#[cfg(unix)]
fn signals() -> std::io::Result<Signals> {
    use tokio::signal::unix::{SignalKind, signal};
    Ok(Signals(signal(SignalKind::interrupt())?, signal(SignalKind::terminate())?))
}

#[cfg(unix)]
impl Signals {
    async fn recv(&mut self) {
        tokio::select! {
            _ = self.0.recv() => {}
            _ = self.1.recv() => {}
        }
    }
}

#[cfg(not(unix))]
struct Signals;

#[cfg(not(unix))]
fn signals() -> std::io::Result<Signals> {
    Ok(Signals)
}

#[cfg(not(unix))]
impl Signals {
    async fn recv(&mut self) {
        if tokio::signal::ctrl_c().await.is_err() {
            std::future::pending::<()>().await;
        }
    }
}
