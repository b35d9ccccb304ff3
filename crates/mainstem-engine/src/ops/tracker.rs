//! Which ids of an operator's state have changed since the last cut, and which of those of the cut are still to be handed out.
//! Invariant: an id of a cut is given out once: by [`Tracker::touch`], before it changes, or by [`Tracker::next`]. Before the
//! first cut nothing is written down, for that one has everything.

use mainstem_core::{Batch, Result};

use super::id_set::IdSet;
use crate::key_table::KeyTable;

/// What a tracker knows of an id.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Marks {
    /// It has changed since the last cut.
    pub(super) changed: bool,
    /// It is still to be handed out of the last cut.
    pub(super) left: bool,
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
        !self.left.is_empty() && self.left.remove(id)
    }

    /// `ids`, which were touched in this step, are no more, and neither are their keys.
    pub(super) fn forget(&mut self, ids: &[u32], keys: Batch) {
        if self.tracks && !ids.is_empty() {
            self.let_go(ids);
            self.keys_went(keys);
        }
    }

    /// `ids` are no more; their owner has told what there was to tell.
    pub(super) fn let_go(&mut self, ids: &[u32]) {
        for &id in ids {
            self.changed.remove(id);
            self.left.remove(id);
        }
    }

    /// Keys are no more, or have other ids.
    pub(super) fn keys_went(&mut self, keys: Batch) {
        if self.tracks {
            self.gone.push(keys);
        }
    }

    /// Cuts: what has changed is to be handed out; for a whole cut, all ids below a bound but those that are free. Returns the
    /// keys that went.
    pub(super) fn cut(&mut self, whole: Option<(usize, &[u32])>) -> Vec<Batch> {
        debug_assert!(self.left.is_empty(), "the cut before was handed out");
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

    /// What is known of an id, which another tracker is to follow from now on.
    pub(super) fn take_marks(&mut self, id: u32) -> Marks {
        Marks { changed: self.changed.remove(id), left: self.left.remove(id) }
    }

    /// Follows an id of which another tracker knew this.
    pub(super) fn set_marks(&mut self, id: u32, marks: Marks) {
        if marks.changed {
            self.changed.insert(id);
        }
        if marks.left {
            self.left.insert(id);
            self.left_from = self.left_from.min(id as usize / 64);
        }
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
        self.changed.size_bytes() + self.left.size_bytes()
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

    #[test]
    fn an_id_that_another_tracker_follows_is_given_out_there() {
        let (mut here, mut there) = (Tracker::default(), Tracker::default());
        here.cut(Some((200, &[])));
        there.cut(Some((0, &[])));
        assert_eq!(here.touch([150]), [150]);
        let marks = [3, 150, 7].map(|id| here.take_marks(id));
        assert_eq!(here.rest().len(), 197);
        there.set_marks(190, marks[0]);
        assert_eq!(there.next(1), [190]);
        there.set_marks(1, marks[1]);
        there.set_marks(2, marks[2]);
        assert_eq!(there.rest(), [2]);
        assert_eq!((here.cut(None).len(), here.rest(), there.cut(None).len()), (0, vec![], 0));
        assert_eq!(there.rest(), [1]);
    }
}
