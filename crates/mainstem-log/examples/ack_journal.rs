//! What acknowledging from the disk costs the machine, in two ways: each log syncs itself, over room of zeros, as [`mainstem_log::Log`]
//! does; or all logs share one journal, a ring of blocks that are there already, and only it is synced (docs/adr/0017).
//!
//! ```text
//! ack_journal logs|journal FOLDER LOGS BATCHES_A_SECOND SECONDS
//! ```
//!
//! Batches of 15.9 KB come at a fixed rate, whatever the disk does, and go round the logs. Printed are the busy seconds of all processors
//! (from /proc/stat: the kernel's own threads are in it) and how many syncs there were. Nothing is read back.
#![allow(
    clippy::unwrap_used,
    clippy::disallowed_methods,
    reason = "a benchmark measures real time and may stop at the first surprise"
)]

use std::fs::{self, File};
use std::os::unix::fs::FileExt as _;
use std::path::Path;
use std::sync::{Arc, Condvar, Mutex};
use std::thread;
use std::time::{Duration, Instant};

const BATCH: [u8; 15_900] = [7; 15_900];
const RING_BYTES: u64 = 64 << 20;
const SYNC_THREADS: usize = 4;
/// As the log has it: room for so many syncs like the last one, if it was not larger than this.
const AHEAD_SYNCS: u64 = 8;
const AHEAD_SYNC_BYTES_MAX: u64 = 128 << 10;
/// Batches that come together.
const AT_ONCE: u32 = 4;
/// The most room there is.
static ZEROS: [u8; (AHEAD_SYNCS * AHEAD_SYNC_BYTES_MAX) as usize] =
    [0; (AHEAD_SYNCS * AHEAD_SYNC_BYTES_MAX) as usize];
const TICKS_PER_SECOND: f64 = 100.0;

/// A file that is written to its end and synced behind that.
#[derive(Debug)]
struct Written {
    file: Arc<File>,
    end: u64,
    /// How long the file is.
    size: u64,
    synced: u64,
    last_sync_bytes: u64,
    syncing: bool,
}

/// What appends and syncs share.
#[derive(Debug)]
struct State {
    /// The files that are synced: the logs, or the journal alone.
    synced: Vec<Written>,
    syncs: u64,
    ended: bool,
}

fn main() {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let words: Vec<&str> = args.iter().map(String::as_str).collect();
    let [way @ ("logs" | "journal"), folder, logs, rate, seconds] = words[..] else {
        panic!("ack_journal logs|journal FOLDER LOGS BATCHES_A_SECOND SECONDS");
    };
    let [logs, rate, seconds] = [logs, rate, seconds].map(|word| word.parse::<u32>().unwrap());
    let folder = Path::new(folder);
    let mut paths: Vec<_> = (0..logs).map(|number| folder.join(format!("log-{number}"))).collect();
    let mut files: Vec<Written> = paths.iter().map(|path| create(path)).collect();
    let journal = way == "journal";
    let mut unsynced = Vec::new();
    if journal {
        let ring = folder.join("ring");
        unsynced = std::mem::replace(&mut files, vec![create_ring(&ring)]);
        paths.push(ring);
    }
    let state = Mutex::new(State { synced: files, syncs: 0, ended: false });
    let more = Condvar::new();
    let (busy, begin) = (busy_s(), Instant::now());
    thread::scope(|scope| {
        for _ in 0..if journal { 1 } else { SYNC_THREADS } {
            scope.spawn(|| sync_until_ended(&state, &more));
        }
        for number in 0..rate * seconds {
            let due = f64::from(number / AT_ONCE * AT_ONCE) / f64::from(rate);
            thread::sleep(Duration::from_secs_f64(due).saturating_sub(begin.elapsed()));
            let at = (number % logs) as usize;
            let mut state = state.lock().unwrap();
            if journal {
                append(&mut unsynced[at]);
                append_to_ring(&mut state.synced[0]);
            } else {
                append_over_zeros(&mut state.synced[at]);
            }
            drop(state);
            more.notify_one();
        }
        let (took_s, busy) = (begin.elapsed().as_secs_f64(), busy_s() - busy);
        let mut state = state.lock().unwrap();
        println!("{took_s:.1} s, busy {busy:.2} s, {} syncs", state.syncs);
        state.ended = true;
        drop(state);
        more.notify_all();
    });
    paths.iter().for_each(|path| fs::remove_file(path).unwrap());
}

fn create(path: &Path) -> Written {
    let file = File::options().read(true).write(true).create(true).truncate(true).open(path);
    let file = Arc::new(file.unwrap());
    Written { file, end: 0, size: 0, synced: 0, last_sync_bytes: 0, syncing: false }
}

/// All of it is there, durably, before the first batch comes.
fn create_ring(path: &Path) -> Written {
    let ring = create(path);
    for at in (0..RING_BYTES).step_by(ZEROS.len()) {
        ring.file.write_all_at(&ZEROS, at).unwrap();
    }
    ring.file.sync_all().unwrap();
    ring
}

fn append(log: &mut Written) {
    log.file.write_all_at(&BATCH, log.end).unwrap();
    log.end += BATCH.len() as u64;
}

/// Positions count on; the ring has a lap for each of its lengths.
fn append_to_ring(ring: &mut Written) {
    let left = RING_BYTES - ring.end % RING_BYTES;
    if left < BATCH.len() as u64 {
        ring.end += left;
    }
    ring.file.write_all_at(&BATCH, ring.end % RING_BYTES).unwrap();
    ring.end += BATCH.len() as u64;
}

fn append_over_zeros(log: &mut Written) {
    append(log);
    if log.end <= log.size {
        return;
    }
    let small = log.last_sync_bytes <= AHEAD_SYNC_BYTES_MAX;
    let room = if small { (AHEAD_SYNCS * log.last_sync_bytes).min(log.end / 8) } else { 0 };
    log.file.write_all_at(&ZEROS[..room as usize], log.end).unwrap();
    log.size = log.end + room;
}

fn sync_until_ended(state: &Mutex<State>, more: &Condvar) {
    let mut held = state.lock().unwrap();
    let mut next = 0;
    while !held.ended {
        let count = held.synced.len();
        let due = |held: &State, at: usize| {
            !held.synced[at].syncing && held.synced[at].synced < held.synced[at].end
        };
        let Some(at) = (0..count).map(|n| (next + n) % count).find(|&at| due(&held, at)) else {
            held = more.wait(held).unwrap();
            continue;
        };
        next = at + 1;
        let written = &mut held.synced[at];
        written.syncing = true;
        written.last_sync_bytes = written.end - written.synced;
        let (end, file) = (written.end, Arc::clone(&written.file));
        drop(held);
        file.sync_data().unwrap();
        held = state.lock().unwrap();
        held.syncs += 1;
        held.synced[at].syncing = false;
        held.synced[at].synced = end;
    }
}

/// Of all processors since the machine was started: everything but idle and waiting.
fn busy_s() -> f64 {
    let stat = fs::read_to_string("/proc/stat").unwrap();
    let numbers = stat.lines().next().unwrap().split_whitespace().skip(1);
    let ticks: Vec<f64> = numbers.map(|number| number.parse().unwrap()).collect();
    [0, 1, 2, 5, 6, 7].map(|at: usize| ticks[at]).iter().sum::<f64>() / TICKS_PER_SECOND
}
