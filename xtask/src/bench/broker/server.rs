//! The two brokers that are compared, ours and Apache Kafka: started, stopped, killed.
//! Invariant: each has an address and a place of data of its own, which stay the same from start to start; both are gone and
//! wiped when they are dropped. Does not measure.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use crate::bench::books::{Books, TICKS_PER_SECOND};
use crate::error::{Context, Error, Result};
use crate::services::{Instance, Service, State};
use crate::{layout, process};

const INSTANCE: &str = "bench-broker";
const READY_WITHIN: Duration = Duration::from_secs(60);
const STOP_WITHIN: Duration = Duration::from_secs(30);

/// One that is measured.
#[derive(Debug)]
pub(super) enum Server {
    Ours(Ours),
    Kafka(Instance),
}

/// `mainstem up` over a folder.
#[derive(Debug)]
pub(super) struct Ours {
    binary: PathBuf,
    data: PathBuf,
    address: String,
    child: Option<Child>,
}

impl Server {
    /// Ours over a new folder; not started.
    pub(super) fn ours(binary: &Path, data: PathBuf) -> Result<Self> {
        layout::remove_folder(&data)?;
        let [port] = process::free_ports(0)?;
        let address = format!("127.0.0.1:{port}");
        Ok(Self::Ours(Ours { binary: binary.to_path_buf(), data, address, child: None }))
    }

    /// A new Kafka; not started.
    pub(super) fn kafka() -> Result<Self> {
        let instance = Instance { name: INSTANCE.to_owned() };
        instance.down(&[Service::Kafka], true)?;
        Ok(Self::Kafka(instance))
    }

    pub(super) fn name(&self) -> &'static str {
        match self {
            Self::Ours(_) => "Mainstem",
            Self::Kafka(_) => "Apache Kafka",
        }
    }

    /// Where clients connect. Of Kafka it is known once it has been started.
    pub(super) fn address(&self) -> String {
        match self {
            Self::Ours(ours) => ours.address.clone(),
            Self::Kafka(_) => format!("127.0.0.1:{}", kafka_state().port),
        }
    }

    /// Starts it and returns when its process began; it accepts connections then.
    pub(super) fn start(&mut self) -> Result<Instant> {
        match self {
            Self::Ours(ours) => ours.start(),
            Self::Kafka(instance) => {
                instance.up(&[Service::Kafka])?;
                began(kafka_state().pid)
            }
        }
    }

    pub(super) fn stop(&mut self) -> Result<()> {
        match self {
            Self::Ours(ours) => ours.stop(),
            Self::Kafka(instance) => instance.down(&[Service::Kafka], false),
        }
    }

    /// Stops it and removes its data.
    pub(super) fn wipe(&mut self) -> Result<()> {
        match self {
            Self::Ours(ours) => {
                ours.stop()?;
                layout::remove_folder(&ours.data)
            }
            Self::Kafka(instance) => instance.down(&[Service::Kafka], true),
        }
    }

    /// Ends it as `kill -9` does.
    pub(super) fn kill(&mut self) -> Result<()> {
        match self {
            Self::Ours(ours) => ours.kill(),
            Self::Kafka(_) => process::kill(kafka_state().pid, &kafka_state().marker()),
        }
    }

    /// The folder of its data.
    pub(super) fn data(&self) -> PathBuf {
        match self {
            Self::Ours(ours) => ours.data.clone(),
            Self::Kafka(_) => kafka_state().data,
        }
    }

    /// The size of its data.
    pub(super) fn data_bytes(&self) -> Result<u64> {
        let text = process::capture(Command::new("du").arg("-sb").arg(self.data()))?;
        let size = text.split_whitespace().next().and_then(|size| size.parse().ok());
        size.ok_or_else(|| Error::new("cannot measure the folder of the broker"))
    }

    /// CPU and memory of its process.
    pub(super) fn books(&self) -> Result<Books> {
        let pid = match self {
            Self::Ours(ours) => ours.child.as_ref().map_or(0, Child::id),
            Self::Kafka(_) => kafka_state().pid,
        };
        Books::of(pid).ok_or_else(|| Error::new(format!("{} does not run", self.name())))
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // What stays behind after an error is wiped by the next run.
        let _ = self.wipe();
    }
}

impl Ours {
    fn start(&mut self) -> Result<Instant> {
        let log = self.data.with_extension("log");
        let out = File::create(&log).context(format_args!("cannot create {}", log.display()))?;
        let mut up = Command::new(&self.binary);
        up.arg("up").arg("--data").arg(&self.data).args(["--kafka-listen", &self.address]);
        up.stdin(Stdio::null()).stdout(Stdio::null()).stderr(out);
        let begin = Instant::now();
        let child = self.child.insert(up.spawn().context("cannot start our broker")?);
        let mut ended = false;
        let ready = process::wait_until(READY_WITHIN, || {
            ended = !matches!(child.try_wait(), Ok(None));
            ended || fs::read_to_string(&log).is_ok_and(|said| said.contains("ready for Kafka"))
        });
        match ready && !ended {
            true => Ok(begin),
            false => Err(Error::new(format!("our broker did not start; {}", process::tail(&log)))),
        }
    }

    fn stop(&mut self) -> Result<()> {
        let Some(mut child) = self.child.take() else { return Ok(()) };
        let interrupt = format!("kill -INT {}", child.id());
        process::capture(Command::new("sh").args(["-c", &interrupt]))?;
        if !process::wait_until(STOP_WITHIN, || !matches!(child.try_wait(), Ok(None))) {
            child.kill().context("cannot kill our broker")?;
            child.wait().context("cannot wait for our broker")?;
            return Err(Error::new(format!("our broker did not stop within {STOP_WITHIN:?}")));
        }
        Ok(())
    }

    fn kill(&mut self) -> Result<()> {
        let Some(mut child) = self.child.take() else { return Ok(()) };
        child.kill().context("cannot kill our broker")?;
        child.wait().map(drop).context("cannot wait for our broker")
    }
}

fn kafka_state() -> State {
    State::load(INSTANCE, Service::Kafka)
}

/// When a process was started, to 10 ms.
fn began(pid: u32) -> Result<Instant> {
    let now = Instant::now();
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    let uptime = fs::read_to_string("/proc/uptime").unwrap_or_default();
    let uptime_s = uptime.split_whitespace().next().and_then(|text| text.parse::<f64>().ok());
    let age_s = uptime_s.zip(start_s(&stat)).map(|(uptime, start)| (uptime - start).max(0.0));
    let began = age_s.and_then(|age| now.checked_sub(Duration::from_secs_f64(age)));
    began.ok_or_else(|| Error::new("cannot tell when the process was started"))
}

/// Of a line of /proc/PID/stat: the start of the process, after that of the machine.
fn start_s(stat: &str) -> Option<f64> {
    // The name is in parentheses and may hold any character.
    let (_, after) = stat.rsplit_once(") ")?;
    Some(after.split_whitespace().nth(19)?.parse::<f64>().ok()? / TICKS_PER_SECOND)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_start_of_a_process() {
        let line = "12 (a (b) c) S 1 12 12 0 -1 4194304 100 0 0 0 250 50 0 0 20 0 4 0 1234 2 3";
        assert_eq!(start_s(line), Some(12.34));
        assert_eq!(start_s(""), None);
    }
}
