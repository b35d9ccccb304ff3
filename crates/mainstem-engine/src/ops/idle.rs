//! Which keys nobody has written for longer than the state's time to live (`table.exec.state.ttl`), by the clock.
//! Invariant: a key has one timer, at the time when it expires or before; a timer that comes too early is set anew, so
//! a write costs one store. Expired keys are asked for before a step reads state: it is never read after its time.

use std::collections::BTreeMap;

#[derive(Debug)]
pub(super) struct Idle {
    ttl_ms: i64,
    /// By key: when it was last written.
    written: Vec<i64>,
    /// By key: when its timer is; [`UNSET`] for a key that is not known.
    timers: Vec<i64>,
    due: BTreeMap<i64, Vec<u32>>,
}

const UNSET: i64 = i64::MIN;

impl Idle {
    pub(super) fn new(ttl_ms: i64) -> Self {
        Self { ttl_ms, written: Vec::new(), timers: Vec::new(), due: BTreeMap::new() }
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
        let timers = self.due.values().map(|keys| keys.capacity() * 4 + 32).sum::<usize>();
        (self.written.capacity() + self.timers.capacity()) * 8 + timers
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
}
