//! Our broker as the suites want it: in memory, on a free loopback port, gone when it is dropped.
//! Invariant: a broker that was returned accepts connections. One that ends while it is used makes the run fail with the
//! end of its log.

use std::fs::File;
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use crate::error::{Context, Error, Result};
use crate::{layout, process};

const READY_WITHIN: Duration = Duration::from_secs(30);

/// Builds the program whose broker is tested and tells where it is.
pub(super) fn build() -> Result<PathBuf> {
    let mut cargo = Command::new("cargo");
    cargo.args(["build", "--quiet", "--package", "mainstem"]).current_dir(layout::root());
    process::run(cargo.stdin(Stdio::null()))?;
    Ok(layout::built("debug/mainstem"))
}

/// A broker of ours that runs.
#[derive(Debug)]
pub(super) struct Broker {
    child: Child,
    log: PathBuf,
    pub(super) address: String,
}

impl Broker {
    /// Starts one; `more` are arguments of `mainstem up`.
    pub(super) fn start(binary: &Path, log: PathBuf, more: &[&str]) -> Result<Self> {
        let [port] = process::free_ports(0)?;
        let address = format!("127.0.0.1:{port}");
        let out = File::create(&log).context(format_args!("cannot create {}", log.display()))?;
        let mut up = Command::new(binary);
        up.args(["up", "--data", "memory", "--kafka-listen", &address]);
        up.args(more).stdin(Stdio::null()).stdout(Stdio::null()).stderr(out);
        let child = up.spawn().context(format_args!("cannot start {}", binary.display()))?;
        let mut broker = Self { child, log, address };
        let ready = process::wait_until(READY_WITHIN, || {
            broker.has_ended() || TcpStream::connect(&broker.address).is_ok()
        });
        match ready {
            true => broker.check().map(|()| broker),
            false => {
                Err(Error::new(format!("our broker did not start; {}", process::tail(&broker.log))))
            }
        }
    }

    fn has_ended(&mut self) -> bool {
        !matches!(self.child.try_wait(), Ok(None))
    }

    /// Fails when the broker is no more.
    pub(super) fn check(&mut self) -> Result<()> {
        match self.has_ended() {
            true => Err(Error::new(format!("our broker ended; {}", process::tail(&self.log)))),
            false => Ok(()),
        }
    }
}

impl Drop for Broker {
    fn drop(&mut self) {
        // It has nothing to keep: its topics are in memory.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
