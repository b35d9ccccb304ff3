//! Rows kept by operators: immutable column chunks, addressed by row number.
//! Invariant: a row keeps its number until the owner asks for a rewrite. Small neighbouring chunks are put together when
//! there are many of their size, or many rows in all: a row that comes in a full chunk is not copied, one that comes with fewer
//! others once, one that comes alone four times. Full chunks are never touched again. A chunk may be put aside on disk, where single rows of it are
//! read; it does not come back.

use std::cell::Cell;
use std::sync::Arc;

use arrow_array::cast::AsArray;
use arrow_array::types::Int64Type;
use arrow_array::{Array, ArrayRef, Int64Array};
use arrow_buffer::NullBuffer;
use arrow_data::ArrayData;
use arrow_schema::DataType as ArrowType;
use arrow_select::{concat::concat, interleave::interleave};
use mainstem_core::{Batch, Error, Result};
use mainstem_state::row_files::Place;

use super::row_codec::RowCodec;
use super::row_groups::RowGroups;
use crate::operator::PutAside;

/// A chunk of this many rows is full: fewer than a batch of a busy step has, so that its rows are kept as they came.
const CHUNK_ROWS: usize = 1 << 12;
/// So many rows are put together: large pieces of memory have less around them that nobody uses.
const MERGED_ROWS: usize = 1 << 14;
/// So many chunks of a size are put together.
const RUN_MAX: usize = 16;

#[derive(Debug)]
struct Chunk {
    first: u32,
    rows: usize,
    held: Held,
    /// Memory of its columns; 0: it is aside.
    bytes: usize,
    /// Rows of it were read since it was last looked at.
    used: Cell<bool>,
}

#[derive(Debug)]
enum Held {
    Memory(Vec<ArrayRef>),
    Aside(Aside),
}

/// Where rows are on disk.
#[derive(Debug)]
struct Aside {
    place: Place,
    groups: RowGroups,
}

impl Chunk {
    /// One more than the number of its last row.
    fn end(&self) -> u32 {
        self.first + self.rows as u32
    }

    fn memory(&self) -> Option<&[ArrayRef]> {
        match &self.held {
            Held::Memory(columns) => Some(columns),
            Held::Aside(_) => None,
        }
    }
}

/// Rows that were on disk: their places, ascending, and the columns that were asked for.
struct ReadRows {
    rows: Vec<(usize, usize)>,
    columns: Vec<ArrayRef>,
}

/// Chunks of rows.
#[derive(Debug)]
pub(super) struct Rows {
    types: Vec<ArrowType>,
    chunks: Vec<Chunk>,
    rows: usize,
    live: usize,
    /// Memory of the chunks.
    bytes: usize,
    /// Memory of the groups of those that are aside.
    group_bytes: usize,
    /// There if chunks are aside.
    codec: Option<RowCodec>,
    /// Chunks before this were looked at when there was last something to put aside.
    hand: usize,
}

impl Rows {
    pub(super) fn new(types: &[ArrowType]) -> Self {
        Self {
            types: types.to_vec(),
            chunks: Vec::new(),
            rows: 0,
            live: 0,
            bytes: 0,
            group_bytes: 0,
            codec: None,
            hand: 0,
        }
    }

    /// How many rows there are, the dead ones too.
    pub(super) fn len(&self) -> usize {
        self.rows
    }

    /// Adds all rows of a batch, and returns the number of the first.
    pub(super) fn push(&mut self, batch: &Batch) -> Result<u32> {
        let first = u32::try_from(self.rows).ok().filter(|_| self.rows + batch.rows() < ABSENT);
        let first = first.ok_or_else(|| {
            Error::new(mainstem_core::ErrorKind::Exhausted, "an operator holds more than 2^32 rows")
        })?;
        self.add(first, batch.rows(), batch.columns().to_vec());
        self.rows += batch.rows();
        self.live += batch.rows();
        while let Some(run) = self.mergeable() {
            let parts = &self.chunks[run..];
            let column = |column: usize| {
                let parts = parts.iter().filter_map(Chunk::memory);
                concat(&parts.map(|columns| columns[column].as_ref()).collect::<Vec<_>>())
            };
            let merged = (0..self.types.len()).map(column).collect::<Result<_, _>>()?;
            let (at, rows) = (parts[0].first, parts.iter().map(|chunk| chunk.rows).sum());
            self.bytes -= parts.iter().map(|chunk| chunk.bytes).sum::<usize>();
            self.chunks.truncate(run);
            self.add(at, rows, merged);
        }
        Ok(first)
    }

    fn add(&mut self, first: u32, rows: usize, columns: Vec<ArrayRef>) {
        let bytes = memory_bytes(&columns);
        self.bytes += bytes;
        let held = Held::Memory(columns);
        self.chunks.push(Chunk { first, rows, held, bytes, used: Cell::new(false) });
    }

    /// Where the last chunks begin that are to be one.
    fn mergeable(&self) -> Option<usize> {
        let last = self.chunks.last()?;
        let small = |chunk: &&Chunk| {
            chunk.rows < CHUNK_ROWS && tier(chunk) <= tier(last) && chunk.memory().is_some()
        };
        let count = self.chunks.iter().rev().take_while(small).count();
        let run = self.chunks.len() - count;
        let rows: usize = self.chunks[run..].iter().map(|chunk| chunk.rows).sum();
        (count >= RUN_MAX || rows >= MERGED_ROWS).then_some(run)
    }

    /// The columns of the given rows.
    pub(super) fn gather(&self, rows: &[u32]) -> Result<Vec<ArrayRef>> {
        self.gather_columns(&(0..self.types.len()).collect::<Vec<_>>(), rows)
    }

    /// One column of the given rows.
    pub(super) fn gather_column(&self, column: usize, rows: &[u32]) -> Result<ArrayRef> {
        let mut columns = self.gather_columns(&[column], rows)?;
        columns.pop().ok_or_else(|| Error::internal("no column was gathered"))
    }

    fn gather_columns(&self, columns: &[usize], rows: &[u32]) -> Result<Vec<ArrayRef>> {
        let mut places = self.places(rows);
        if places.is_empty() {
            let empty = |&column: &usize| arrow_array::new_empty_array(&self.types[column]);
            return Ok(columns.iter().map(empty).collect());
        }
        let read = self.read_aside(columns, &places)?;
        // All chunks, or of a long history only those that the rows are in.
        let mut used: Vec<usize> = if places.len() >= self.chunks.len() && read.is_none() {
            (0..self.chunks.len()).collect()
        } else {
            let mut used: Vec<usize> = places.iter().map(|&(chunk, _)| chunk).collect();
            used.sort_unstable();
            used.dedup();
            used
        };
        used.retain(|&chunk| self.chunks[chunk].memory().is_some());
        if used.len() < self.chunks.len() {
            for place in &mut places {
                *place = match used.binary_search(&place.0) {
                    Ok(at) => (at, place.1),
                    // Behind the chunks in memory is what was read.
                    Err(_) => {
                        let row =
                            read.as_ref().and_then(|read| read.rows.binary_search(place).ok());
                        (used.len(), row.ok_or_else(|| Error::internal("a row was not read"))?)
                    }
                };
            }
        }
        let gather = |(at, &column): (usize, &usize)| {
            let memory = used.iter().filter_map(|&chunk| self.chunks[chunk].memory());
            let memory = memory.map(|columns| columns[column].as_ref());
            let read = read.iter().map(|read| read.columns[at].as_ref());
            Ok(interleave(&memory.chain(read).collect::<Vec<&dyn Array>>(), &places)?)
        };
        columns.iter().enumerate().map(gather).collect()
    }

    /// Those of these places that are on disk, read.
    fn read_aside(&self, columns: &[usize], places: &[(usize, usize)]) -> Result<Option<ReadRows>> {
        let Some(codec) = &self.codec else { return Ok(None) };
        let aside = |&&(chunk, _): &&(usize, usize)| self.chunks[chunk].memory().is_none();
        let mut rows: Vec<(usize, usize)> = places.iter().filter(aside).copied().collect();
        if rows.is_empty() {
            return Ok(None);
        }
        rows.sort_unstable();
        rows.dedup();
        let (mut bytes, mut spans, mut done) = (Vec::new(), Vec::with_capacity(rows.len()), 0);
        while done < rows.len() {
            let (chunk, first) = rows[done];
            let Held::Aside(Aside { place, groups }) = &self.chunks[chunk].held else {
                return Err(Error::internal("a chunk came back into memory"));
            };
            // Groups that stand side by side are read together.
            let (mut read, mut end) = (groups.group(first)..groups.group(first) + 1, done);
            while let Some(&(at, row)) = rows.get(end)
                && at == chunk
                && groups.group(row) <= read.end
            {
                read.end = groups.group(row) + 1;
                end += 1;
            }
            let (range, before) = (groups.bytes(&read), bytes.len());
            bytes.resize(before + range.len(), 0);
            place.read(range.start, &mut bytes[before..])?;
            let mut wanted = rows[done..end].iter().map(|(_, row)| *row).peekable();
            for (row, at) in groups.rows(&read, codec, &bytes[before..]) {
                if wanted.next_if_eq(&row).is_some() {
                    spans.push(before + at.start..before + at.end);
                }
            }
            done = end;
        }
        let parts: Vec<&[u8]> = spans.into_iter().map(|span| &bytes[span]).collect();
        Ok(Some(ReadRows { columns: codec.decode(&parts, columns)?, rows }))
    }

    /// All rows of a chunk.
    fn whole(&self, chunk: &Chunk) -> Result<Batch> {
        let columns = match (&chunk.held, &self.codec) {
            (Held::Memory(columns), _) => columns.clone(),
            (Held::Aside(Aside { place, groups }), Some(codec)) => {
                let all = 0..groups.len();
                let mut bytes = vec![0; groups.bytes(&all).len()];
                place.read(0, &mut bytes)?;
                let rows = groups.rows(&all, codec, &bytes).map(|(_, at)| &bytes[at]);
                let columns = (0..self.types.len()).collect::<Vec<_>>();
                codec.decode(&rows.collect::<Vec<_>>(), &columns)?
            }
            _ => return Err(Error::internal("rows were put aside by nobody")),
        };
        Ok(Batch::new(columns, chunk.rows))
    }

    /// Puts chunks aside that were not used for longest, until `wanted` is met or there is nothing more to put aside.
    pub(super) fn put_aside(&mut self, wanted: &mut PutAside<'_>) -> Result<()> {
        // Each chunk has a second chance: whoever was used since the hand came by stays until it comes again.
        let mut left = 2 * self.chunks.len();
        while wanted.bytes > 0 && left > 0 {
            left -= 1;
            self.hand = if self.hand + 1 < self.chunks.len() { self.hand + 1 } else { 0 };
            let chunk = &self.chunks[self.hand];
            let Some(columns) = chunk.memory() else { continue };
            let full = chunk.rows >= CHUNK_ROWS || wanted.memory.everything;
            if !full || (chunk.used.take() && !wanted.memory.everything) {
                continue;
            }
            let codec = match &mut self.codec {
                Some(codec) => codec,
                none => none.insert(RowCodec::new(&self.types)?),
            };
            let encoded = codec.encode(columns, chunk.rows)?;
            let place = wanted.memory.space.write(&encoded.bytes)?;
            let chunk = &mut self.chunks[self.hand];
            let groups = RowGroups::of(&encoded);
            self.group_bytes += groups.size_bytes();
            chunk.held = Held::Aside(Aside { place, groups });
            let freed = std::mem::take(&mut chunk.bytes);
            self.bytes -= freed;
            wanted.bytes = wanted.bytes.saturating_sub(freed);
        }
        Ok(())
    }

    pub(super) fn column_type(&self, column: usize) -> &ArrowType {
        &self.types[column]
    }

    /// The chunk of each row, and its place there. These chunks are in use.
    fn places(&self, rows: &[u32]) -> Vec<(usize, usize)> {
        let mut places = Vec::with_capacity(rows.len());
        let mut near = usize::MAX;
        for &row in rows {
            let holds = self.chunks.get(near).is_some_and(|chunk| {
                row >= chunk.first && ((row - chunk.first) as usize) < chunk.rows
            });
            if !holds {
                near = self.chunks.partition_point(|chunk| chunk.first <= row) - 1;
                self.chunks[near].used.set(true);
            }
            places.push((near, (row - self.chunks[near].first) as usize));
        }
        places
    }

    /// The given rows, ascending, as batches, each with where its rows begin in `rows`. What stands together in a chunk is
    /// not copied.
    pub(super) fn batches(&self, rows: &[u32]) -> Result<Vec<(usize, Batch)>> {
        let (mut batches, mut done) = (Vec::new(), 0);
        for chunk in &self.chunks {
            let end = chunk.first as usize + chunk.rows;
            let count = rows[done..].partition_point(|&row| (row as usize) < end);
            if count == 0 {
                continue;
            }
            let own = &rows[done..done + count];
            let places = own.iter().map(|row| row - chunk.first);
            let whole = self.whole(chunk)?;
            let batch = if (own[count - 1] - own[0]) as usize + 1 == count {
                whole.slice((own[0] - chunk.first) as usize, count)
            } else {
                whole.take(&places.collect::<Vec<u32>>().into())?
            };
            batches.push((done, batch));
            done += count;
        }
        Ok(batches)
    }

    /// Rows with neighbouring numbers, the dead ones too; nothing is copied.
    pub(super) fn range(
        &self,
        rows: std::ops::Range<u32>,
    ) -> impl Iterator<Item = Result<Batch>> + '_ {
        let std::ops::Range { start, end } = rows;
        let from = self.chunks.partition_point(|chunk| chunk.end() <= start);
        let within = self.chunks[from..].iter();
        let within = within.take_while(move |chunk| start < end && chunk.first < end);
        within.map(move |chunk| {
            let (start, end) = (start.max(chunk.first), end.min(chunk.end()));
            let whole = self.whole(chunk)?;
            Ok(whole.slice((start - chunk.first) as usize, (end - start) as usize))
        })
    }

    /// All rows, as they are kept; the dead ones too.
    pub(super) fn chunks(&self) -> impl Iterator<Item = Result<Batch>> + '_ {
        self.chunks.iter().map(|chunk| self.whole(chunk))
    }

    /// Notes that `rows` rows are dead. Returns true if it is time to [`Rows::rewrite`].
    pub(super) fn release(&mut self, rows: usize) -> bool {
        self.live -= rows;
        self.rows > 4096 && self.live * 2 < self.rows
    }

    /// Copies the live rows, whose numbers are given, into new chunks, and gives them new numbers.
    pub(super) fn rewrite<'a>(&mut self, live: impl Iterator<Item = &'a mut u32>) -> Result<()> {
        let mut live: Vec<&mut u32> = live.collect();
        let mut new = Self::new(&self.types);
        for part in live.chunks_mut(MERGED_ROWS) {
            let old: Vec<u32> = part.iter().map(|row| **row).collect();
            let first = new.rows as u32;
            new.add(first, old.len(), self.gather(&old)?);
            new.rows += old.len();
            for (row, number) in part.iter_mut().zip(first..) {
                **row = number;
            }
        }
        new.live = live.len();
        *self = new;
        Ok(())
    }

    pub(super) fn size_bytes(&self) -> usize {
        self.bytes + self.group_bytes + self.chunks.capacity() * size_of::<Chunk>()
    }
}

/// A batch's rows with their weights as a last column, for tables of state.
pub(super) fn with_weights(batch: &Batch) -> Batch {
    let rows = batch.rows();
    let weights = batch.weights().cloned().unwrap_or_else(|| vec![1; rows].into());
    let mut columns = batch.columns().to_vec();
    columns.push(Arc::new(Int64Array::new(weights, None)));
    Batch::new(columns, rows)
}

/// The batch that such rows were made of.
pub(super) fn weighted_again(rows: &Batch) -> Batch {
    let mut columns = rows.columns().to_vec();
    let weights = columns.pop().map(|last| last.as_primitive::<Int64Type>().values().clone());
    let weights = weights.filter(|weights| weights.iter().any(|&weight| weight != 1));
    Batch::with_weights(columns, rows.rows(), weights)
}

/// Memory of columns: those that were read together share some, which counts once.
fn memory_bytes(columns: &[ArrayRef]) -> usize {
    let mut allocations = Vec::new();
    columns.iter().for_each(|column| note_allocations(&column.to_data(), &mut allocations));
    allocations.sort_unstable();
    allocations.dedup();
    allocations.iter().map(|(_, bytes)| bytes).sum()
}

/// Adds where the memory of an array begins, and how much it is.
fn note_allocations(data: &ArrayData, allocations: &mut Vec<(usize, usize)>) {
    let nulls = data.nulls().map(NullBuffer::buffer);
    let buffers = data.buffers().iter().chain(nulls);
    allocations.extend(buffers.map(|it| (it.data_ptr().as_ptr().addr(), it.capacity())));
    data.child_data().iter().for_each(|child| note_allocations(child, allocations));
}

/// Sizes of chunks, by powers of [`RUN_MAX`].
fn tier(chunk: &Chunk) -> u32 {
    chunk.rows.max(1).ilog(RUN_MAX)
}

/// No row has this number.
const ABSENT: usize = u32::MAX as usize;
