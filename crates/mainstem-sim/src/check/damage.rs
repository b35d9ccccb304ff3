//! Bits of stored data that were flipped, and what that excuses. There is one copy of everything, so a batch that was hit is lost;
//! but nothing else is lost with it, but what cannot be told apart from it. What must hold, and where it is checked:
//!
//! - Nobody accepts a record that was not produced: readers check the CRC of every batch, and what they accept is held against
//!   what was sent (`reading.rs`). Damage that a reader meets has to be damage that was done ([`Model::past_damage`]).
//! - The broker neither panics nor hangs, and starts again. If it cuts a partition's log, it says so, and cuts at a batch that
//!   was hit ([`Model::recovery_said`]): offsets from there on are forgotten, none below. Cut without a word, or elsewhere, they
//!   are missed by the checks that hold anyway.
//! - Without a cut, a flip among the records of a batch costs this batch. One in its header (which says how long the batch is, and
//!   which offsets it has) may cost the rest of its segment: the way through it is lost. Closed segments behind it are not, but
//!   for readers of committed records, if their index is lost with the snapshot that it would be built from. A marker counts as a
//!   header.
//! - A flip in an index costs nothing; one in a snapshot neither, unless the records before it were deleted: then producers may be
//!   forgotten. One in the checkpoint of a log costs the memory of where the log starts: deleted records may come back.
//! - A flip in the file of recovery points costs nothing.
//! - A flip in what a compaction made is one in the segment that it becomes. One in the plan of a swap: the start is refused with an
//!   error that names it, and the run is over.
//! - A flip in the journal: the start is refused with an error that names the journal, or the journal is cut and says so, and then
//!   no folder of a topic goes, now or with the next start. In both cases the run is over: what the broker knew is gone.
//!   With neither, everything holds.
//!
//! A start that fails after a cut leaves the telling of it to the next one. Where a marker is lost, by a hit or by a cut, the coordinator knows better than the log: the transactions of that partition are
//! not looked at any more. Does not know how flips are made (`world/flips.rs`).

use std::collections::BTreeSet;

use super::{Model, Place, Uid};

/// A batch that was hit.
#[derive(Debug, Clone)]
pub(crate) struct Hit {
    pub(crate) place: Place,
    pub(crate) base: i64,
    pub(crate) last: i64,
    /// In its header, not among its records.
    pub(crate) header: bool,
    /// It ends a transaction.
    pub(crate) marker: bool,
    /// What the header says now of where the batch begins, and of where the next one does.
    pub(crate) shown_as: (i64, i64),
    /// The base offset of its segment, and that of the next one if it is closed.
    pub(crate) segment: i64,
    pub(crate) segment_end: i64,
    /// What was hit is to take the place of several segments: which one comes next is not known.
    pub(crate) merges: bool,
}

/// A file beside the segments.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum SideFile {
    Index,
    Snapshot,
    Checkpoint,
    Swap,
}

/// All damage, and what it has cost.
#[derive(Debug, Default)]
pub(crate) struct Damage {
    batches: Vec<Hit>,
    files: BTreeSet<(Place, SideFile)>,
    cut: BTreeSet<Place>,
    /// Records that were cut off.
    lost: BTreeSet<Uid>,
    pub(crate) journal: bool,
}

impl Hit {
    /// Offsets that may be lost while the log is not cut.
    fn costs(&self, offset: i64) -> bool {
        let end = if self.header { self.segment_end } else { self.last + 1 };
        (self.base..end).contains(&offset)
    }

    /// Where a reader goes on that meets damage where `at` is due.
    fn past(&self, at: i64, compacted: bool) -> Option<i64> {
        // Before a batch of a compacted log offsets may be missing, of whole segments, too.
        let first = if compacted { i64::MIN } else { self.base };
        match at {
            _ if at < first => None,
            _ if at <= self.last => Some(self.last + 1),
            _ if self.header && at < self.segment_end => Some(self.segment_end),
            _ => None,
        }
    }

    fn explains_cut(&self, segment: i64, end: i64, compacted: bool) -> bool {
        match compacted {
            true => segment <= self.base && end <= self.last.max(self.shown_as.1 - 1) + 1,
            false => end == self.base || end == self.shown_as.1,
        }
    }
}

impl Damage {
    /// The segments behind hits that were not closed then.
    pub(crate) fn segment_found(&mut self, place: Place, base: i64) {
        for hit in self.batches.iter_mut().filter(|hit| hit.place == place) {
            if base > hit.segment && !hit.merges {
                hit.segment_end = hit.segment_end.min(base);
            }
        }
    }

    fn hits(&self, place: Place) -> impl Iterator<Item = &Hit> {
        self.batches.iter().filter(move |hit| hit.place == place)
    }

    /// Whether the plan of a swap was hit.
    pub(crate) fn is_swap_hit(&self) -> bool {
        self.files.iter().any(|(_, file)| *file == SideFile::Swap)
    }

    pub(crate) fn is_header_hit(&self, place: Place) -> bool {
        self.hits(place).any(|hit| hit.header)
    }

    /// Whether what stood at an offset may be gone.
    pub(super) fn excuses(&self, place: Place, offset: i64) -> bool {
        self.hits(place).any(|hit| hit.costs(offset))
    }

    /// Whether a batch stands where its header says, as far as that was not damaged.
    pub(super) fn misplaces(&self, place: Place, base: i64) -> bool {
        self.hits(place).any(|hit| hit.shown_as.0 == base && hit.base != base)
    }

    /// Whether markers may be lost.
    pub(crate) fn unsettles(&self, place: Place) -> bool {
        self.cut.contains(&place) || self.hits(place).any(|hit| hit.header || hit.marker)
    }

    /// Whether a record may be gone that was acknowledged, somewhere or at `offset`.
    pub(super) fn may_lack(&self, place: Place, uid: Uid, offset: Option<i64>) -> bool {
        self.lost.contains(&uid)
            || self.unsettles(place)
            || offset.map_or(self.hits(place).next().is_some(), |at| self.excuses(place, at))
    }
}

impl Model {
    /// A batch is hit.
    pub(crate) fn hit(&mut self, hit: Hit) {
        self.damage.batches.push(hit);
    }

    /// A file beside the segments of a partition is hit.
    pub(crate) fn hit_beside(&mut self, place: Place, file: SideFile) {
        self.damage.files.insert((place, file));
    }

    /// A reader met damage where `at` was due. If it may, where it goes on: at most at `end`.
    pub(crate) fn past_damage(&self, place: Place, at: i64, end: i64) -> Option<i64> {
        let compacted = self.topics[place.topic].compacted;
        let past = self.damage.hits(place).filter_map(|hit| hit.past(at, compacted)).min();
        past.map(|past| past.min(end)).filter(|past| *past > at)
    }

    /// The broker cannot read at an offset. If it may be so, where a reader goes on.
    pub(crate) fn past_unreadable(
        &mut self,
        place: Place,
        from: i64,
        committed: bool,
    ) -> Option<i64> {
        let compacted = self.topics[place.topic].compacted;
        let mut hits = self.damage.batches.iter_mut();
        let hit = hits.find(|hit| {
            // Without a marker, nobody can list what was aborted, and aborted transactions are listed by later segments.
            let (first, end) = match committed {
                true => (i64::MIN, i64::MAX),
                false if compacted => (i64::MIN, hit.segment_end),
                false => (hit.base.min(hit.shown_as.0), hit.segment_end),
            };
            hit.place == place && (hit.header || hit.marker) && (first..end).contains(&from)
        })?;
        hit.header = true;
        if from >= hit.segment_end {
            // If the index of a later segment was lost, too, it is built from the last snapshot on: through this one, where it is
            // not known any more how transactions ended.
            hit.segment_end = i64::MAX;
        } else if from >= hit.segment {
            hit.base = hit.base.min(from);
        }
        Some(hit.segment_end)
    }

    /// Whether the broker may have forgotten which batches it has of a producer.
    pub(crate) fn may_forget_sequences(&self, place: Place) -> bool {
        let topic = &self.topics[place.topic];
        let shrinks = topic.retained || topic.cut || topic.compacted;
        !topic.durable
            || topic.mortal
            || self.damage.cut.contains(&place)
            || self.damage.is_header_hit(place)
            || (shrinks && self.damage.files.contains(&(place, SideFile::Snapshot)))
    }

    /// Whether an idempotent producer's record may be there again: the broker may not know it any more.
    pub(super) fn may_repeat(&self, place: Place) -> bool {
        self.may_forget_sequences(place) && !self.topics[place.topic].mortal
    }

    /// What the broker said when it started. True if the journal was damaged and cut: then nothing more can be expected.
    pub(crate) fn recovery_said(&mut self, notice: &str, life: u32) -> bool {
        let Some((name, said)) = notice.split_once(": ") else { return false };
        if name == "journal" {
            return self.damage.journal && said.contains(" was cut at ");
        }
        let Some(place) = self.places().find(|place| self.name(*place) == name) else {
            return false;
        };
        if said.contains("log.checkpoint was damaged")
            && self.damage.files.contains(&(place, SideFile::Checkpoint))
        {
            self.state(place).forget_ends(life);
        }
        for (segment, end) in cuts_of(said) {
            self.log_cut(place, segment, end, life);
        }
        false
    }

    /// A log was cut. If that was for damage, what is gone is forgotten; if not, nothing may be missing.
    fn log_cut(&mut self, place: Place, segment: i64, end: i64, life: u32) {
        let compacted = self.topics[place.topic].compacted;
        if !self.damage.hits(place).any(|hit| hit.explains_cut(segment, end, compacted)) {
            return;
        }
        self.damage.batches.retain_mut(|hit| {
            if hit.place == place && hit.base < end {
                hit.last = if hit.shown_as.1 == end { end - 1 } else { hit.last.min(end - 1) };
                hit.segment_end = i64::MAX;
            }
            hit.place != place || hit.base < end
        });
        self.damage.cut.insert(place);
        let state = self.state(place);
        let lost = state.forget_from(end, life);
        self.damage.lost.extend(lost);
    }
}

/// The segment and the offset of every cut that is told of: that of a start that failed, and that of this one.
fn cuts_of(said: &str) -> Vec<(i64, i64)> {
    let cut = |said: &str| {
        let (path, rest) = said.split_once(" was cut at byte ")?;
        let file = path.rsplit_once('/')?.1;
        let (_, rest) = rest.split_once(", offset ")?;
        let (end, _) = rest.split_once(':')?;
        Some((file.strip_suffix(".log")?.parse().ok()?, end.parse().ok()?))
    };
    said.split("; ").filter_map(cut).collect()
}
