//! Which ids of an operator's state were not used for long: a hand goes round, and whoever was used since it last came by is spared once.
//! Invariant: nothing is written down before somebody asks for the first time.

use super::id_set::IdSet;
use crate::key_table::Ids;
use crate::operator::PutAside;

/// Follows the use of ids.
#[derive(Debug, Default)]
pub(super) struct Recency {
    /// Somebody has asked what is to go.
    follows: bool,
    used: IdSet,
    /// The 64 ids that are looked at next, as all others together.
    hand: usize,
}

impl Recency {
    /// An id is used.
    #[inline]
    pub(super) fn note(&mut self, id: u32) {
        if self.follows {
            self.used.insert(id);
        }
    }

    /// Ids are used.
    pub(super) fn note_all(&mut self, ids: &[u32]) {
        if self.follows {
            ids.iter().for_each(|&id| self.used.insert(id));
        }
    }

    /// The ids that are to go, ascending, all of which together take so many bytes, and how many bytes each takes.
    pub(super) fn going(
        &mut self,
        ids: &Ids,
        bytes: usize,
        wanted: &PutAside<'_>,
    ) -> (Vec<u32>, usize) {
        self.follows = true;
        let each = (bytes / ids.live().max(1)).max(1);
        let going = match wanted.memory.everything {
            true => ids.used(),
            false => {
                let most = wanted.bytes.div_ceil(each);
                self.longest_unused(ids.bound(), ids.free(), most)
            }
        };
        (going, each)
    }

    /// About so many of the ids below `bound` but `free`: those that were not used for longest.
    fn longest_unused(&mut self, bound: usize, free: &[u32], most: usize) -> Vec<u32> {
        let live = IdSet::all_but(bound, free);
        let (words, mut found) = (bound.div_ceil(64), Vec::new());
        // Once around, and once more for those that were spared.
        for _ in 0..2 * words {
            if found.len() >= most {
                break;
            }
            self.hand = if self.hand < words { self.hand } else { 0 };
            for id in live.of_word(self.hand) {
                if !self.used.remove(id) {
                    found.push(id);
                }
            }
            self.hand += 1;
        }
        found.sort_unstable();
        found.dedup();
        found
    }

    /// Memory kept, in bytes.
    pub(super) fn size_bytes(&self) -> usize {
        self.used.size_bytes()
    }
}

/// Of so much memory for `places`, what those that are taken have: the others are taken next.
pub(super) fn in_use(bytes: usize, taken: usize, places: usize) -> usize {
    (bytes as u128 * taken as u128 / places.max(1) as u128) as usize
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_used_is_spared_once() {
        let mut recency = Recency { follows: true, ..Recency::default() };
        [0, 1, 200].into_iter().for_each(|id| recency.note(id));
        let found = recency.longest_unused(300, &[3], 62);
        assert_eq!((found.len(), found[0], found[60]), (61 + 64, 2, 63));
        // The hand is behind them.
        recency.note(250);
        assert_eq!(recency.longest_unused(300, &[3], 1), (128..192).collect::<Vec<_>>());
        let rest = recency.longest_unused(300, &[3], usize::MAX);
        assert_eq!(rest.len(), 299);
        assert_eq!(recency.longest_unused(300, &[], 0), [0; 0]);
    }
}
