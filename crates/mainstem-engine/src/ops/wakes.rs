//! When time changes keys: their ids by time, given once each when the time has come.
//! Invariant: an id is given if the time that was last set for it has come. Times that are near each other share a place, so an id
//! costs 12 bytes, and those of a window that ends are given without being put in order; near times are ordered when only some of
//! them have come.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BinaryHeap};

/// The time of a key that time does not change.
pub(super) const NEVER: i64 = i64::MAX;
/// Times that are equal but for so many bits, a second, are near.
const NEAR_BITS: u32 = 10;
/// So many ids that are noted at a time which is no longer theirs are left alone.
const STALE_MAX: usize = 1024;

/// Ids of near times.
#[derive(Debug)]
struct Near {
    first_ms: i64,
    ids: Vec<u32>,
}

/// The times of keys, by their ids.
#[derive(Debug, Default)]
pub(super) struct Wakes {
    times: Vec<i64>,
    /// By what near times have in common.
    near: BTreeMap<i64, Near>,
    /// Those of the times that have come in part, in order, and of all times before.
    ordered: BinaryHeap<Reverse<(i64, u32)>>,
    /// What the times in `ordered` have in common at most.
    ordered_until: Option<i64>,
    /// How many ids are noted, also at times that are no longer theirs.
    noted: usize,
}

impl Wakes {
    /// Sets the time of an id, in ms.
    pub(super) fn set(&mut self, id: u32, time_ms: i64) {
        let at = id as usize;
        if time_ms == NEVER {
            self.clear(id);
            return;
        }
        if self.times.len() <= at {
            self.times.resize(at + 1, NEVER);
        }
        self.times[at] = time_ms;
        let common = time_ms >> NEAR_BITS;
        if self.ordered_until.is_some_and(|until| common <= until) {
            self.ordered.push(Reverse((time_ms, id)));
        } else {
            let near = self.near.entry(common);
            let near = near.or_insert_with(|| Near { first_ms: time_ms, ids: Vec::new() });
            near.first_ms = near.first_ms.min(time_ms);
            near.ids.push(id);
        }
        self.noted += 1;
        if self.noted > 2 * self.times.len() + STALE_MAX {
            self.drop_stale();
        }
    }

    /// The id has no time any more.
    pub(super) fn clear(&mut self, id: u32) {
        if let Some(time) = self.times.get_mut(id as usize) {
            *time = NEVER;
        }
    }

    fn drop_stale(&mut self) {
        let times = &self.times;
        let mut ordered: Vec<_> = std::mem::take(&mut self.ordered).into_vec();
        ordered.retain(|Reverse((time, id))| times[*id as usize] == *time);
        ordered.sort_unstable();
        ordered.dedup();
        self.noted = ordered.len();
        self.ordered = ordered.into();
        for (common, near) in &mut self.near {
            near.ids.retain(|&id| times[id as usize] >> NEAR_BITS == *common);
            near.ids.sort_unstable();
            near.ids.dedup();
            self.noted += near.ids.len();
        }
        self.near.retain(|_, near| !near.ids.is_empty());
    }

    /// Orders near times, of which only some have come.
    fn put_in_order(&mut self, common: i64, ids: Vec<u32>) {
        self.noted -= ids.len();
        let times = &self.times;
        let own = ids.into_iter().filter(|&id| times[id as usize] >> NEAR_BITS == common);
        self.ordered = own.map(|id| Reverse((times[id as usize], id))).collect();
        self.noted += self.ordered.len();
        self.ordered_until = Some(common);
    }

    /// The ids whose time has come, at most so many, those of earlier seconds first; each is given once.
    pub(super) fn due(&mut self, time_ms: i64, most: usize) -> Vec<u32> {
        let mut due = Vec::new();
        while due.len() < most {
            if let Some(&Reverse((time, id))) = self.ordered.peek() {
                if time > time_ms {
                    break;
                }
                self.ordered.pop();
                self.noted -= 1;
                if self.times[id as usize] == time {
                    self.times[id as usize] = NEVER;
                    due.push(id);
                }
                continue;
            }
            let Some(mut first) = self.near.first_entry() else { break };
            let common = *first.key();
            let last_ms = (common << NEAR_BITS) | ((1 << NEAR_BITS) - 1);
            if first.get().first_ms > time_ms {
                break;
            }
            if last_ms > time_ms {
                let ids = first.remove().ids;
                self.put_in_order(common, ids);
                continue;
            }
            while due.len() < most
                && let Some(id) = first.get_mut().ids.pop()
            {
                self.noted -= 1;
                let time = &mut self.times[id as usize];
                if *time >> NEAR_BITS == common {
                    *time = NEVER;
                    due.push(id);
                }
            }
            if first.get().ids.is_empty() {
                first.remove();
            }
        }
        due
    }

    /// The first time that was set, in ms; it may be of an id that has another one by now.
    pub(super) fn next_ms(&self) -> Option<i64> {
        let ordered = self.ordered.peek().map(|Reverse((time, _))| *time);
        ordered.or_else(|| self.near.first_key_value().map(|(_, near)| near.first_ms))
    }

    /// Memory kept, in bytes.
    pub(super) fn size_bytes(&self) -> usize {
        let near = self.near.values().map(|near| near.ids.capacity() * 4 + size_of::<Near>());
        self.times.capacity() * size_of::<i64>()
            + near.sum::<usize>()
            + self.ordered.capacity() * size_of::<(i64, u32)>()
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use proptest::prelude::*;

    use super::*;

    #[derive(Debug, Clone)]
    enum Op {
        Set(u32, i64),
        Clear(u32),
        Due(i64, usize),
    }

    fn op() -> impl Strategy<Value = Op> {
        let time = prop_oneof![0..20_000_i64, Just(5_000), Just(NEVER), Just(-3)];
        prop_oneof![
            6 => (0..40_u32, time).prop_map(|(id, time)| Op::Set(id, time)),
            1 => (0..40_u32).prop_map(Op::Clear),
            2 => (0..20_000_i64, 1..50_usize).prop_map(|(time, most)| Op::Due(time, most)),
        ]
    }

    proptest! {
        #[test]
        fn each_is_given_once_when_its_time_has_come(ops in prop::collection::vec(op(), 0..200)) {
            let (mut wakes, mut model) = (Wakes::default(), BTreeMap::<u32, i64>::new());
            for op in ops {
                match op {
                    Op::Set(id, time) => {
                        wakes.set(id, time);
                        model.insert(id, time);
                    }
                    Op::Clear(id) => {
                        wakes.clear(id);
                        model.remove(&id);
                    }
                    Op::Due(time, most) => {
                        let coming = model.values().filter(|of| **of <= time).count();
                        let due = wakes.due(time, most);
                        prop_assert_eq!(due.len(), coming.min(most));
                        for id in &due {
                            prop_assert!(model.remove(id).is_some_and(|of| of <= time));
                        }
                        // An earlier second is never behind a later one.
                        let first_left = model.values().copied().min().unwrap_or(NEVER);
                        prop_assert!(wakes.next_ms().unwrap_or(NEVER) <= first_left);
                    }
                }
            }
            let left = model.values().filter(|of| **of != NEVER).count();
            prop_assert_eq!(wakes.due(NEVER - 1, usize::MAX).len(), left);
            prop_assert_eq!((wakes.noted, wakes.next_ms()), (0, None));
        }
    }

    #[test]
    fn what_is_stale_goes() {
        let mut wakes = Wakes::default();
        for round in 0..10_000 {
            wakes.set(round % 3, i64::from(round % 2) * 10_000);
            if round % 100 == 0 {
                wakes.due(500, 1);
            }
        }
        assert!(wakes.noted <= 2 * 3 + STALE_MAX, "{}", wakes.noted);
        assert_eq!(wakes.due(10_000, 9).len(), 3);
    }
}
