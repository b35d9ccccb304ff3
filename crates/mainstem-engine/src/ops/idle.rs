//! Which keys nobody has written for longer than the state's time to live (`table.exec.state.ttl`), by the clock.
//! Invariant: a key has one timer, at the time when it expires or before; a timer that comes too early is set anew, so
//! a write costs one store. Expired keys are asked for before a step reads state: it is never read after its time. Keys that
//! are forgotten and come again leave no more behind than there are keys.

use std::collections::BTreeMap;

#[derive(Debug)]
pub(super) struct Idle {
    ttl_ms: i64,
    /// By key: when it was last written.
    written: Vec<i64>,
    /// By key: when its timer is; [`UNSET`] for a key that is not known.
    timers: Vec<i64>,
    due: BTreeMap<i64, Vec<u32>>,
    /// How many there are in `due`, those of keys that were forgotten among them.
    all: usize,
}

const UNSET: i64 = i64::MIN;
/// So many timers of keys that were forgotten are left alone.
const FORGOTTEN_MAX: usize = 1024;

impl Idle {
    pub(super) fn new(ttl_ms: i64) -> Self {
        Self { ttl_ms, written: Vec::new(), timers: Vec::new(), due: BTreeMap::new(), all: 0 }
    }

    pub(super) fn ttl_ms(&self) -> i64 {
        self.ttl_ms
    }

    /// `key` is written now.
    pub(super) fn write(&mut self, key: u32, now_ms: i64) {
        let at = key as usize;
        if self.timers.len() <= at {
            self.timers.resize(at + 1, UNSET);
            self.written.resize(at + 1, UNSET);
        }
        self.written[at] = now_ms;
        if self.timers[at] == UNSET {
            self.set(key);
        }
    }

    fn set(&mut self, key: u32) {
        let expires = self.written[key as usize].saturating_add(self.ttl_ms);
        self.timers[key as usize] = expires;
        self.due.entry(expires).or_default().push(key);
        self.all += 1;
        if self.all > 2 * self.timers.len() + FORGOTTEN_MAX {
            self.set_all();
        }
    }

    /// Leaves out the timers of keys that were forgotten.
    fn set_all(&mut self) {
        self.due.clear();
        self.all = 0;
        for (&timer, key) in self.timers.iter().zip(0..).filter(|(timer, _)| **timer != UNSET) {
            self.due.entry(timer).or_default().push(key);
            self.all += 1;
        }
    }

    /// When `key` was last written; `None` if it is not known.
    pub(super) fn written_ms(&self, key: u32) -> Option<i64> {
        self.written.get(key as usize).copied().filter(|&at| at != UNSET)
    }

    /// The keys that have expired; they are no longer known.
    pub(super) fn expired(&mut self, now_ms: i64) -> Vec<u32> {
        let mut expired = Vec::new();
        while let Some((&timer, _)) = self.due.first_key_value()
            && timer <= now_ms
            && let Some((_, keys)) = self.due.pop_first()
        {
            self.all -= keys.len();
            for key in keys {
                if self.timers[key as usize] != timer {
                    continue;
                }
                self.timers[key as usize] = UNSET;
                if self.written[key as usize].saturating_add(self.ttl_ms) > now_ms {
                    self.set(key);
                } else {
                    expired.push(key);
                }
            }
        }
        expired
    }

    /// `key` is gone for another reason.
    pub(super) fn forget(&mut self, key: u32) {
        if let Some(timer) = self.timers.get_mut(key as usize) {
            *timer = UNSET;
        }
    }

    pub(super) fn size_bytes(&self) -> usize {
        let due = self.all * size_of::<u32>() + self.due.len() * size_of::<(i64, Vec<u32>)>();
        (self.written.capacity() + self.timers.capacity()) * 8 + due
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_lives_until_nobody_has_written_it_for_its_time() {
        let mut idle = Idle::new(100);
        idle.write(0, 10);
        idle.write(1, 10);
        idle.write(1, 60);
        idle.write(2, 20);
        idle.forget(2);
        assert!(idle.expired(109).is_empty());
        assert_eq!(idle.expired(110), [0]);
        assert!(idle.expired(159).is_empty());
        idle.write(2, 159);
        assert_eq!(idle.expired(160), [1]);
        assert_eq!(idle.expired(1000), [2]);
        assert!(idle.expired(i64::MAX).is_empty());
    }

    #[test]
    fn keys_that_come_and_go_leave_nothing_behind() {
        let mut idle = Idle::new(1_000_000);
        idle.write(7, 0);
        for now_ms in 0..10_000 {
            idle.write(3, now_ms);
            idle.forget(3);
        }
        assert!(idle.size_bytes() < 300_000, "{}", idle.size_bytes());
        idle.write(3, 10_000);
        assert_eq!(idle.expired(1_000_000), [7]);
        assert_eq!(idle.expired(1_010_000), [3]);
    }
}
