//! Which ids of an operator's state have changed since the last cut, and which of those of the cut are still to be handed out.
//! Invariant: an id of a cut is given out once: by [`Tracker::touch`], before it changes, or by [`Tracker::next`]. Before the
//! first cut nothing is written down, for that one has everything.

use mainstem_core::{Batch, Result};

use crate::key_table::KeyTable;

/// A set of small numbers.
#[derive(Debug, Default)]
struct IdSet {
    words: Vec<u64>,
    len: usize,
}

impl IdSet {
    fn insert(&mut self, id: u32) {
        let (word, bit) = (id as usize / 64, 1 << (id % 64));
        if self.words.len() <= word {
            self.words.resize((word + 1).next_power_of_two(), 0);
        }
        self.len += usize::from(self.words[word] & bit == 0);
        self.words[word] |= bit;
    }

    /// All numbers below `bound` but `free`.
    fn all_but(bound: usize, free: &[u32]) -> Self {
        let mut words = vec![u64::MAX; bound.div_ceil(64)];
        if let (Some(last), left @ 1..) = (words.last_mut(), bound % 64) {
            *last = (1 << left) - 1;
        }
        let mut all = Self { words, len: bound };
        for &id in free {
            all.remove(id);
        }
        all
    }

    /// True if it was there.
    fn remove(&mut self, id: u32) -> bool {
        let (word, bit) = (id as usize / 64, 1 << (id % 64));
        let there = self.words.get(word).is_some_and(|word| word & bit != 0);
        if there {
            self.words[word] &= !bit;
            self.len -= 1;
        }
        there
    }

    /// Takes the least ids out, at most `most`; none is in a word before `from`, which becomes the first that may have more.
    fn take(&mut self, from: &mut usize, most: usize) -> Vec<u32> {
        let mut taken = Vec::with_capacity(most.min(self.len));
        while taken.len() < most && self.len > 0 {
            let Some(word) = self.words.get_mut(*from) else { break };
            if *word == 0 {
                *from += 1;
                continue;
            }
            taken.push(*from as u32 * 64 + word.trailing_zeros());
            *word &= *word - 1;
            self.len -= 1;
        }
        taken
    }
}

/// Follows the ids of one table of keys, groups or entries.
#[derive(Debug, Default)]
pub(super) struct Tracker {
    /// There was a cut.
    tracks: bool,
    changed: IdSet,
    /// Of the last cut, not yet given out.
    left: IdSet,
    /// No id of `left` is in a word before this.
    left_from: usize,
    /// Keys that went since the last cut.
    gone: Vec<Batch>,
}

impl Tracker {
    /// Whether anybody wants to know what changes.
    pub(super) fn tracks(&self) -> bool {
        self.tracks
    }

    /// Some of `ids`, to each of which something is about to happen: those that have to be handed out as they still are.
    pub(super) fn touch(&mut self, ids: impl IntoIterator<Item = u32>) -> Vec<u32> {
        if !self.tracks {
            return Vec::new();
        }
        ids.into_iter().filter(|&id| self.touch_one(id)).collect()
    }

    /// The same for one: true if it has to be handed out before it changes.
    #[inline]
    pub(super) fn touch_one(&mut self, id: u32) -> bool {
        if !self.tracks {
            return false;
        }
        self.changed.insert(id);
        self.left.len > 0 && self.left.remove(id)
    }

    /// `ids`, which were touched in this step, are no more, and neither are their keys.
    pub(super) fn forget(&mut self, ids: &[u32], keys: Batch) {
        if self.tracks && !ids.is_empty() {
            for &id in ids {
                self.changed.remove(id);
            }
            self.gone.push(keys);
        }
    }

    /// Cuts: what has changed is to be handed out; for a whole cut, all ids below a bound but those that are free. Returns the
    /// keys that went.
    pub(super) fn cut(&mut self, whole: Option<(usize, &[u32])>) -> Vec<Batch> {
        debug_assert_eq!(self.left.len, 0, "the cut before was handed out");
        self.tracks = true;
        let gone = std::mem::take(&mut self.gone);
        self.left = std::mem::take(&mut self.changed);
        self.left_from = 0;
        let Some((bound, free)) = whole else { return gone };
        self.left = IdSet::all_but(bound, free);
        Vec::new()
    }

    /// [`Tracker::cut`] of all keys of a table.
    pub(super) fn cut_table(&mut self, whole: bool, keys: &KeyTable) -> Vec<Batch> {
        self.cut(whole.then(|| (keys.bound(), keys.free())))
    }

    /// Has a table forget keys, which were touched in this step.
    pub(super) fn release(&mut self, keys: &mut KeyTable, ids: &[u32]) -> Result<()> {
        if self.tracks {
            self.forget(ids, Batch::new(keys.emit(ids)?, ids.len()));
        }
        keys.release(ids);
        Ok(())
    }

    /// The next ids of the last cut; none: that was all.
    pub(super) fn next(&mut self, most: usize) -> Vec<u32> {
        self.left.take(&mut self.left_from, most)
    }

    /// All that are left of the last cut.
    pub(super) fn rest(&mut self) -> Vec<u32> {
        self.next(usize::MAX)
    }

    /// Memory kept, in bytes.
    pub(super) fn size_bytes(&self) -> usize {
        (self.changed.words.capacity() + self.left.words.capacity()) * 8
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NONE: [u32; 0] = [];

    #[test]
    fn each_id_of_a_cut_is_given_out_once() {
        let mut tracker = Tracker::default();
        assert_eq!(tracker.touch([1, 2]), NONE);
        assert!(tracker.cut(Some((4, &[0, 3]))).is_empty());
        assert_eq!(tracker.touch([2, 2, 7]), [2]);
        assert_eq!(tracker.next(1), [1]);
        assert_eq!(tracker.touch([1]), NONE);
        assert_eq!(tracker.rest(), NONE);
        tracker.forget(&[7], Batch::new(Vec::new(), 1));
        assert_eq!(tracker.cut(None).len(), 1);
        assert_eq!(tracker.next(9), [1, 2]);
        assert_eq!(tracker.next(9), NONE);
        tracker.cut(Some((130, &[129, 64])));
        let wanted: Vec<u32> = (0..129).filter(|&id| id != 64).collect();
        assert_eq!([tracker.next(70), tracker.rest()].concat(), wanted);
    }
}
