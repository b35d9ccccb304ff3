//! Other programs: running them, finding them, ending the ones we started.
//! Invariant: a process is only signalled when its command line carries the marker that we gave it, so that a recycled
//! process id never hits a stranger. Linux only: liveness is read from /proc.

use std::ffi::OsStr;
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};
use std::{env, fs, thread};

use crate::error::{Context, Error, Result};

/// Runs a command with our own input and output and fails when it fails.
pub(crate) fn run(command: &mut Command) -> Result<()> {
    let status = command.status().context(format_args!("cannot start {}", line(command)))?;
    if status.success() {
        return Ok(());
    }
    Err(Error::new(format!("{} ended with {status}", line(command))))
}

/// Runs a command in silence and returns what it wrote; a failure carries the end of its output.
pub(crate) fn capture(command: &mut Command) -> Result<String> {
    let output = command
        .stdin(Stdio::null())
        .output()
        .context(format_args!("cannot start {}", line(command)))?;
    let stdout = String::from_utf8_lossy(&output.stdout).into_owned();
    if output.status.success() {
        return Ok(stdout);
    }
    let stderr = String::from_utf8_lossy(&output.stderr);
    let said = last_lines(&format!("{stdout}{stderr}"), 30);
    Err(Error::new(format!("{} ended with {}\n{said}", line(command), output.status)))
}

/// Starts a server in silence, and returns when it takes connections at `address`.
pub(crate) fn serve(command: &mut Command, address: &str, within: Duration) -> Result<Child> {
    command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    let mut server = command.spawn().context(format_args!("cannot start {}", line(command)))?;
    let is_there = || TcpStream::connect(address).is_ok();
    if wait_until(within, is_there) && matches!(server.try_wait(), Ok(None)) {
        return Ok(server);
    }
    // It may have ended by itself.
    let _ = server.kill();
    let _ = server.wait();
    Err(Error::new(format!("{} does not take connections", line(command))))
}

/// The command as a person would type it, cut where a class path makes it endless.
fn line(command: &Command) -> String {
    let words = std::iter::once(command.get_program()).chain(command.get_args());
    let text = words.map(OsStr::to_string_lossy).collect::<Vec<_>>().join(" ");
    match text.char_indices().nth(200) {
        Some((end, _)) => format!("`{}...`", &text[..end]),
        None => format!("`{text}`"),
    }
}

pub(crate) fn last_lines(text: &str, count: usize) -> String {
    let lines: Vec<&str> = text.lines().collect();
    lines[lines.len().saturating_sub(count)..].join("\n")
}

/// The end of a log file, for an error message.
pub(crate) fn tail(log: &Path) -> String {
    let text = fs::read(log).unwrap_or_default();
    format!("the end of {}:\n{}", log.display(), last_lines(&String::from_utf8_lossy(&text), 30))
}

/// Looks a program up on the path.
pub(crate) fn find(program: &str) -> Option<PathBuf> {
    let path = env::var_os("PATH")?;
    env::split_paths(&path).map(|folder| folder.join(program)).find(|file| file.is_file())
}

pub(crate) fn is_root() -> bool {
    let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
    let uids = status.lines().find_map(|line| line.strip_prefix("Uid:"));
    uids.and_then(|uids| uids.split_whitespace().nth(1)) == Some("0")
}

/// Whether the process runs and is the one we started.
pub(crate) fn is_alive(pid: u32, marker: &str) -> bool {
    // Empty for a process that ends or has ended.
    let command_line = fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
    pid != 0 && String::from_utf8_lossy(&command_line).contains(marker)
}

/// Whether the process is gone with all of its threads, and so with its sockets and file locks.
fn is_gone(pid: u32) -> bool {
    let Ok(threads) = fs::read_dir(format!("/proc/{pid}/task")) else { return true };
    threads.flatten().all(|thread| {
        let stat = fs::read_to_string(thread.path().join("stat")).unwrap_or_default();
        // The state follows the name, which is in parentheses and may hold any character.
        let state = stat.rsplit_once(") ").map_or("", |(_, rest)| rest);
        state.is_empty() || state.starts_with('Z') || state.starts_with('X')
    })
}

/// Ctrl-C, as a terminal sends it.
pub(crate) fn interrupt(pid: u32) -> Result<()> {
    signal("INT", pid)
}

/// Asks the process to end and waits until it has; after the grace it is killed.
pub(crate) fn terminate(pid: u32, marker: &str, grace: Duration) -> Result<()> {
    if !is_alive(pid, marker) {
        return Ok(());
    }
    signal("TERM", pid)?;
    if wait_until(grace, || is_gone(pid)) {
        return Ok(());
    }
    kill(pid, marker)
}

/// Kills the process as a power cut would: it gets no chance to close anything.
pub(crate) fn kill(pid: u32, marker: &str) -> Result<()> {
    if !is_alive(pid, marker) {
        return Ok(());
    }
    signal("KILL", pid)?;
    if wait_until(Duration::from_secs(10), || is_gone(pid)) {
        return Ok(());
    }
    Err(Error::new(format!("process {pid} is still there 10 seconds after SIGKILL")))
}

fn signal(name: &str, pid: u32) -> Result<()> {
    // The shell's own `kill`: the program of that name is not on every machine.
    capture(Command::new("sh").args(["-c", &format!("kill -{name} {pid}")])).map(drop)
}

/// Polls a condition until it holds or the time is over; returns whether it held.
pub(crate) fn wait_until(limit: Duration, mut condition: impl FnMut() -> bool) -> bool {
    let start = Instant::now();
    loop {
        if condition() {
            return true;
        }
        if start.elapsed() > limit {
            return false;
        }
        thread::sleep(Duration::from_millis(50));
    }
}

/// Below the ports that the system gives to outgoing connections (32768 and up), so that a server that is down for a while
/// finds its port free when it comes back.
const SERVER_PORTS: std::ops::Range<u16> = 20_000..32_000;

/// As many different loopback ports as asked for, each free when this returns: the wanted one (0 for none) first, if it is.
pub(crate) fn free_ports<const COUNT: usize>(wanted: u16) -> Result<[u16; COUNT]> {
    // Other processes look for ports at the same time: each begins at a place of its own.
    let span = SERVER_PORTS.end - SERVER_PORTS.start;
    let seed = std::process::id().wrapping_mul(7919) % u32::from(span);
    let start = u16::try_from(seed).expect("less than the span");
    let candidates = (0..span).map(|step| SERVER_PORTS.start + (start + step) % span);
    // All are held until all are found: none is found twice.
    let mut held = Vec::with_capacity(COUNT);
    let wanted = Some(wanted).filter(|port| *port != 0);
    for port in wanted.into_iter().chain(candidates) {
        if held.len() == COUNT {
            break;
        }
        held.extend(TcpListener::bind(("127.0.0.1", port)).map(|listener| (port, listener)));
    }
    let ports: Vec<u16> = held.iter().map(|(port, _)| *port).collect();
    ports.try_into().map_err(|_| Error::new("no free loopback port".to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ports_are_different_and_the_wanted_one_comes_first() {
        let [free] = free_ports(0).unwrap();
        let [first, second, third] = free_ports(free).unwrap();
        assert_eq!(first, free);
        assert!(first != second && second != third && first != third);
        let _taken = TcpListener::bind(("127.0.0.1", free)).unwrap();
        let [other, another] = free_ports(free).unwrap();
        assert!(other != free && another != free && other != another);
    }
}
