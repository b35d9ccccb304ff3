//! What of a side was handed out at cuts, and what is still to be handed out of the last one.
//! Invariant: an append-only side whose partners do not count tells new rows only, without a copy: they never change. Any other
//! tells entries whose weight, partners or time changed, by key and number of the entry; one that changes while a cut is
//! handed out is written down first as it was.

use std::ops::Range;

use mainstem_core::{Batch, Result};
use mainstem_state::table::{Change, TableChange};

use super::{Side, Store};
use crate::ops::saved::{cut_of, replaced};
use crate::ops::tracker::Tracker;

#[derive(Debug)]
pub(super) enum Told {
    Rows(ToldRows),
    Entries(ToldEntries),
}

/// Of a side whose rows only come.
#[derive(Debug, Default)]
pub(super) struct ToldRows {
    tracks: bool,
    /// Rows below this are of earlier cuts.
    next: u32,
    /// Of the last cut, not yet handed out.
    left: Range<u32>,
    /// The same, of rows that were given other numbers since.
    early: Vec<Batch>,
    /// Rows of earlier cuts are no more, or have other numbers.
    anew: bool,
}

#[derive(Debug, Default)]
pub(super) struct ToldEntries {
    pub(super) tracker: Tracker,
    /// Entries of the last cut as they were then, not yet handed out.
    early: Vec<Counts>,
    /// The same, with their columns.
    pub(super) rows: Vec<Batch>,
    anew: bool,
}

/// What is known of an entry beside its columns.
#[derive(Debug, Clone, Copy)]
pub(super) struct Counts {
    pub(super) entry: u32,
    pub(super) weight: i64,
    pub(super) matches: Option<i64>,
    pub(super) written_ms: Option<i64>,
}

impl Told {
    pub(super) fn new(changelog: bool, counts: bool) -> Self {
        match changelog || counts {
            false => Self::Rows(ToldRows::default()),
            true => Self::Entries(ToldEntries::default()),
        }
    }

    pub(super) fn size_bytes(&self) -> usize {
        match self {
            Self::Rows(_) => 0,
            Self::Entries(told) => {
                told.tracker.size_bytes() + told.early.capacity() * size_of::<Counts>()
            }
        }
    }
}

impl Side {
    /// An entry is about to change, or is new.
    #[inline]
    pub(super) fn note(&mut self, entry: u32) {
        if let Told::Entries(told) = &mut self.told
            && told.tracker.touch_one(entry)
        {
            let counts = self.counts_of(entry);
            if let Told::Entries(told) = &mut self.told {
                told.early.push(counts);
            }
        }
    }

    /// Entries that were noted in this step, whose key ids are `keys`, are about to be forgotten.
    pub(super) fn note_gone(&mut self, entries: &[u32], keys: &[u32]) -> Result<()> {
        let Told::Entries(ToldEntries { tracker, .. }) = &self.told else { return Ok(()) };
        if !tracker.tracks() || entries.is_empty() {
            return Ok(());
        }
        self.keep_early()?;
        let mut columns = self.keys.emit(keys)?;
        columns.push(super::saved::entry_column(entries.iter().copied()));
        if let Told::Entries(told) = &mut self.told {
            told.tracker.forget(entries, Batch::new(columns, entries.len()));
        }
        Ok(())
    }

    /// What was written down of entries gets their columns.
    pub(super) fn keep_early(&mut self) -> Result<()> {
        let Told::Entries(told) = &mut self.told else { return Ok(()) };
        let early = std::mem::take(&mut told.early);
        if early.is_empty() {
            return Ok(());
        }
        let rows = self.entries(&early)?;
        if let Told::Entries(told) = &mut self.told {
            told.rows.push(rows);
        }
        Ok(())
    }

    /// All entries are about to be forgotten, or to get other numbers: what is left of the last cut is put aside. Returns what
    /// goes on being true.
    pub(super) fn told_anew(&mut self) -> Result<Told> {
        let entries = match &mut self.told {
            Told::Rows(told) => {
                let left = std::mem::take(&mut told.left);
                let early = std::mem::take(&mut told.early);
                let tracks = told.tracks;
                let Store::Appended(rows) = &self.store else { unreachable!("its rows only come") };
                let left = rows.range(left).collect::<Result<Vec<_>>>()?;
                let early = early.into_iter().chain(left).collect();
                return Ok(Told::Rows(ToldRows {
                    tracks,
                    early,
                    anew: true,
                    ..ToldRows::default()
                }));
            }
            Told::Entries(told) if !told.tracker.tracks() => {
                return Ok(Told::Entries(ToldEntries::default()));
            }
            Told::Entries(told) => told.tracker.rest(),
        };
        entries.into_iter().for_each(|entry| self.put_down(entry));
        self.keep_early()?;
        let mut aside = self.aside.tracker.rest();
        let aside = self.rows_aside(&mut aside)?;
        let Told::Entries(told) = &mut self.told else { unreachable!("as before") };
        let rows = std::mem::take(&mut told.rows).into_iter().chain(aside).collect();
        let mut tracker = Tracker::default();
        // It goes on to track, with nothing to hand out.
        tracker.cut(None);
        Ok(Told::Entries(ToldEntries { tracker, early: Vec::new(), rows, anew: true }))
    }

    pub(super) fn put_down(&mut self, entry: u32) {
        let counts = self.counts_of(entry);
        if let Told::Entries(told) = &mut self.told {
            told.early.push(counts);
        }
    }

    /// Begins to hand out what changed of the table `name`.
    pub(in crate::ops) fn cut(&mut self, name: &'static str, whole: bool) -> Vec<TableChange> {
        let len = self.next.len() as u32;
        let key = self.key_of_table();
        let (anew, removed) = match &mut self.told {
            Told::Rows(told) => {
                let anew = whole || told.anew;
                let from = if anew { 0 } else { told.next };
                (told.left, told.next) = (from..len, len);
                (told.tracks, told.anew) = (true, false);
                (anew, Vec::new())
            }
            Told::Entries(told) => {
                let anew = std::mem::take(&mut told.anew) || whole;
                let all = match &self.store {
                    Store::Appended(_) => (len as usize, &[][..]),
                    Store::Interned(rows) => (rows.bound(), rows.free()),
                };
                let mut removed = told.tracker.cut(anew.then_some(all));
                removed.extend(self.aside.cut(anew));
                (anew, removed)
            }
        };
        cut_of(self.shape(name), &key, anew, removed)
    }

    /// About `count` rows more of the last cut.
    pub(in crate::ops) fn hand_out(
        &mut self,
        name: &'static str,
        count: usize,
    ) -> Result<Vec<TableChange>> {
        let shape = self.shape(name);
        let ids = match &mut self.told {
            Told::Rows(told) => {
                let end = told.left.end.min(told.left.start.saturating_add(count as u32));
                let now = std::mem::replace(&mut told.left.start, end)..end;
                let mut rows = std::mem::take(&mut told.early);
                let Store::Appended(store) = &self.store else {
                    unreachable!("its rows only come")
                };
                rows.extend(store.range(now).collect::<Result<Vec<_>>>()?);
                let added = (!rows.is_empty()).then(|| shape.changed(Change::Added(rows)));
                return Ok(added.into_iter().collect());
            }
            Told::Entries(told) => told.tracker.next(count),
        };
        ids.into_iter().for_each(|entry| self.put_down(entry));
        self.keep_early()?;
        let Told::Entries(told) = &mut self.told else { unreachable!("as before") };
        let mut rows = std::mem::take(&mut told.rows);
        if rows.is_empty() {
            let mut aside = self.aside.tracker.next(count);
            rows.extend(self.rows_aside(&mut aside)?);
        }
        Ok(replaced(shape, &self.key_of_table(), rows))
    }
}
