//! The rows that bounded frames hold, by partition: a list per partition in the order of time, and cursors into it.
//! Invariant: a cursor stands on the first row of its frame; all rows behind it in the list are in the frame too. A
//! row is freed when the last cursor has passed it. A row costs the same however many rows a frame holds.

use arrow_array::{ArrayRef, UInt32Array, new_null_array};
use arrow_schema::DataType as ArrowType;
use arrow_select::take::take;
use mainstem_core::{Batch, Result};

use super::super::rows::Rows;
use super::super::saved::{SAVED_ROWS, beside, int64s, uint64s};
use crate::key_table::Ids;
use crate::operator::PutAside;

/// No row.
pub(super) const NONE: u32 = u32::MAX;

#[derive(Debug, Clone, Copy)]
struct Slot {
    /// Its number in the rows.
    row: u32,
    next: u32,
    time: i64,
    /// How many cursors have not passed it.
    holds: u32,
    /// By FIRST_VALUE and LAST_VALUE call: the row counts.
    flags: u64,
}

/// A frame of one partition.
#[derive(Debug, Clone, Copy)]
struct Cursor {
    head: u32,
    length: u32,
}

const EMPTY: Cursor = Cursor { head: NONE, length: 0 };

#[derive(Debug)]
pub(super) struct FrameRows {
    rows: Rows,
    ids: Ids,
    slots: Vec<Slot>,
    /// How many frames a partition has.
    frames: usize,
    /// By partition: the last row.
    tails: Vec<u32>,
    /// By partition and frame.
    cursors: Vec<Cursor>,
    /// By edge call: its frame and whether it is LAST_VALUE.
    edges: Vec<(usize, bool)>,
    /// By partition and edge call: the row whose value it has.
    found: Vec<u32>,
}

impl FrameRows {
    /// Keeps columns of `types` for so many frames a partition.
    pub(super) fn new(types: &[ArrowType], frames: usize, edges: Vec<(usize, bool)>) -> Self {
        Self {
            rows: Rows::new(types),
            ids: Ids::default(),
            slots: Vec::new(),
            frames,
            tails: Vec::new(),
            cursors: Vec::new(),
            edges,
            found: Vec::new(),
        }
    }

    /// Makes room for partitions.
    pub(super) fn grow(&mut self, partitions: usize) {
        if self.tails.len() < partitions {
            self.tails.resize(partitions, NONE);
            self.cursors.resize(partitions * self.frames, EMPTY);
            self.found.resize(partitions * self.edges.len(), NONE);
        }
    }

    /// Adds rows that [`FrameRows::push`] will name; the number of the first.
    pub(super) fn store(&mut self, batch: &Batch) -> Result<u32> {
        self.rows.push(batch)
    }

    /// Puts row `row` at the end of its partition, into every frame.
    pub(super) fn push(&mut self, partition: u32, row: u32, time: i64, flags: u64) {
        let id = self.ids.allocate();
        let slot = Slot { row, next: NONE, time, holds: self.frames as u32, flags };
        if self.slots.len() <= id as usize {
            self.slots.resize(id as usize + 1, slot);
        }
        self.slots[id as usize] = slot;
        let partition = partition as usize;
        let tail = std::mem::replace(&mut self.tails[partition], id);
        if tail != NONE {
            self.slots[tail as usize].next = id;
        }
        for cursor in &mut self.cursors[partition * self.frames..][..self.frames] {
            if cursor.length == 0 {
                cursor.head = id;
            }
            cursor.length += 1;
        }
        for (edge, &(_, last)) in self.edges.iter().enumerate() {
            let found = &mut self.found[partition * self.edges.len() + edge];
            if flags & (1 << edge) != 0 && (last || *found == NONE) {
                *found = id;
            }
        }
    }

    pub(super) fn length(&self, partition: u32, frame: usize) -> u32 {
        self.cursors[partition as usize * self.frames + frame].length
    }

    /// The number and the time of a frame's first row.
    pub(super) fn first(&self, partition: u32, frame: usize) -> Option<(u32, i64)> {
        let cursor = self.cursors[partition as usize * self.frames + frame];
        let slot = (cursor.length > 0).then(|| self.slots[cursor.head as usize])?;
        Some((slot.row, slot.time))
    }

    /// The row whose value an edge call has, or [`NONE`].
    pub(super) fn found(&self, partition: u32, edge: usize) -> u32 {
        match self.found[partition as usize * self.edges.len() + edge] {
            NONE => NONE,
            id => self.slots[id as usize].row,
        }
    }

    /// Lets the first row out of a frame, which has one; its number. Adds to `freed` if no frame holds it any more.
    pub(super) fn pop(&mut self, partition: u32, frame: usize, freed: &mut usize) -> u32 {
        let at = partition as usize;
        let cursor = &mut self.cursors[at * self.frames + frame];
        let id = cursor.head;
        let Slot { row, next, .. } = self.slots[id as usize];
        cursor.head = next;
        cursor.length -= 1;
        for (edge, &(of, last)) in self.edges.iter().enumerate() {
            let found = &mut self.found[at * self.edges.len() + edge];
            if of == frame && *found == id {
                *found = if last { NONE } else { next };
                while *found != NONE && self.slots[*found as usize].flags & (1 << edge) == 0 {
                    *found = self.slots[*found as usize].next;
                }
            }
        }
        let slot = &mut self.slots[id as usize];
        slot.holds -= 1;
        if slot.holds == 0 {
            if self.tails[at] == id {
                self.tails[at] = NONE;
            }
            self.ids.release(&[id]);
            *freed += 1;
        }
        row
    }

    /// The given columns of the given rows, which are in the rows still.
    pub(super) fn gather(&self, rows: &[u32]) -> Result<Batch> {
        Ok(Batch::new(self.rows.gather(rows)?, rows.len()))
    }

    /// A column of rows, NULL for [`NONE`].
    pub(super) fn pick(&self, rows: &[u32], column: usize) -> Result<ArrayRef> {
        let present: Vec<u32> = rows.iter().copied().filter(|&row| row != NONE).collect();
        if present.is_empty() {
            return Ok(new_null_array(self.rows.column_type(column), rows.len()));
        }
        let values = self.rows.gather_column(column, &present)?;
        if present.len() == rows.len() {
            return Ok(values);
        }
        let mut next = 0..;
        let places: UInt32Array =
            rows.iter().map(|&row| if row == NONE { None } else { next.next() }).collect();
        Ok(take(&values, &places, None)?)
    }

    /// Gives the memory of freed rows back; nothing may hold row numbers now.
    pub(super) fn release(&mut self, freed: usize) -> Result<()> {
        if freed > 0 && self.rows.release(freed) {
            let live = self.slots.iter_mut().filter(|slot| slot.holds > 0);
            self.rows.rewrite(live.map(|slot| &mut slot.row))?;
        }
        Ok(())
    }

    /// Lets all rows of a partition out of all frames.
    pub(super) fn clear(&mut self, partition: u32, freed: &mut usize) {
        for frame in 0..self.frames {
            while self.length(partition, frame) > 0 {
                self.pop(partition, frame, freed);
            }
        }
    }

    /// The rows that frames of the given partitions hold, partition by partition in order, each with the place of its
    /// partition in the list. Behind their columns stand the time and for which edge calls they count.
    pub(super) fn save(&self, partitions: &[u32]) -> Result<Vec<(Vec<u32>, Batch)>> {
        let mut held: Vec<(u32, Slot)> = Vec::new();
        for (place, &partition) in (0..).zip(partitions) {
            let cursors = &self.cursors[partition as usize * self.frames..][..self.frames];
            let longest = cursors.iter().max_by_key(|cursor| cursor.length);
            let mut id = longest.filter(|cursor| cursor.length > 0).map_or(NONE, |c| c.head);
            while id != NONE {
                let slot = self.slots[id as usize];
                held.push((place, slot));
                id = slot.next;
            }
        }
        let mut batches = Vec::with_capacity(held.len().div_ceil(SAVED_ROWS));
        for held in held.chunks(SAVED_ROWS) {
            let places = held.iter().map(|(place, _)| *place).collect();
            let rows: Vec<u32> = held.iter().map(|(_, slot)| slot.row).collect();
            let times = int64s(held.iter().map(|(_, slot)| Some(slot.time)));
            let flags = uint64s(held.iter().map(|(_, slot)| slot.flags));
            batches.push((places, beside(self.gather(&rows)?, [times, flags])));
        }
        Ok(batches)
    }

    /// How many rows are held.
    pub(super) fn len(&self) -> usize {
        self.ids.live()
    }

    pub(super) fn put_aside(&mut self, wanted: &mut PutAside<'_>) -> Result<()> {
        self.rows.put_aside(wanted)
    }

    pub(super) fn size_bytes(&self) -> usize {
        self.rows.size_bytes()
            + self.slots.capacity() * size_of::<Slot>()
            + self.cursors.capacity() * size_of::<Cursor>()
            + (self.tails.capacity() + self.found.capacity()) * 4
    }
}
