//! Rows kept by operators: immutable column chunks, addressed by row number.
//! Invariant: a row keeps its number until the owner asks for a rewrite. Small neighbouring chunks are put together when
//! there are many of their size, or many rows in all: a row that comes in a full chunk is not copied, one that comes with fewer
//! others once, one that comes alone four times. Full chunks are never touched again. A chunk may be put aside on disk, where single rows of it are
//! read; it does not come back. A chunk may be picked from a batch that other workers have a part of: then all of it stays.

use std::cell::Cell;
use std::sync::Arc;

use arrow_array::cast::AsArray;
use arrow_array::types::Int64Type;
use arrow_array::{Array, ArrayRef, Int64Array, UInt32Array};
use arrow_schema::DataType as ArrowType;
use arrow_select::{concat::concat, interleave::interleave};
use mainstem_core::{Batch, Error, Result};
use mainstem_state::row_files::Place;

use super::row_codec::RowCodec;
use super::row_groups::RowGroups;
use crate::operator::PutAside;
use crate::picked::Picked;

/// A chunk of this many rows is full: fewer than a batch of a busy step has, so that its rows are kept as they came.
const CHUNK_ROWS: usize = 1 << 11;
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
    Memory(Picked),
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

    fn memory(&self) -> Option<&Picked> {
        match &self.held {
            Held::Memory(rows) => Some(rows),
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
        self.keep(Batch::new(batch.columns().to_vec(), batch.rows()).into())
    }

    /// The same; what others have picked of the batch stays in memory as long as these do.
    pub(super) fn push_picked(&mut self, new: &Picked) -> Result<u32> {
        self.keep(new.unweighted())
    }

    fn keep(&mut self, new: Picked) -> Result<u32> {
        let count = new.rows();
        let first = u32::try_from(self.rows).ok().filter(|_| self.rows + count < ABSENT);
        let first = first.ok_or_else(|| {
            Error::new(mainstem_core::ErrorKind::Exhausted, "an operator holds more than 2^32 rows")
        })?;
        self.add(first, new);
        self.rows += count;
        self.live += count;
        while let Some(run) = self.mergeable() {
            let parts = &self.chunks[run..];
            let merged = merged(self.types.len(), parts)?;
            let (at, rows) = (parts[0].first, parts.iter().map(|chunk| chunk.rows).sum());
            self.bytes -= parts.iter().map(|chunk| chunk.bytes).sum::<usize>();
            self.chunks.truncate(run);
            self.add(at, Batch::new(merged, rows).into());
        }
        Ok(first)
    }

    fn add(&mut self, first: u32, new: Picked) {
        let (rows, bytes) = (new.rows(), new.size_bytes());
        self.bytes += bytes;
        let held = Held::Memory(new);
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
        for place in &mut places {
            if let Some(rows) = self.chunks[place.0].memory() {
                place.1 = rows.source_row(place.1);
            }
        }
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
            let memory = memory.map(|rows| rows.source_column(column).as_ref());
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
    fn whole(&self, chunk: &Chunk) -> Result<Picked> {
        match (&chunk.held, &self.codec) {
            (Held::Memory(rows), _) => Ok(rows.clone()),
            (Held::Aside(Aside { place, groups }), Some(codec)) => {
                let all = 0..groups.len();
                let mut bytes = vec![0; groups.bytes(&all).len()];
                place.read(0, &mut bytes)?;
                let rows = groups.rows(&all, codec, &bytes).map(|(_, at)| &bytes[at]);
                let columns = (0..self.types.len()).collect::<Vec<_>>();
                let columns = codec.decode(&rows.collect::<Vec<_>>(), &columns)?;
                Ok(Batch::new(columns, chunk.rows).into())
            }
            _ => Err(Error::internal("rows were put aside by nobody")),
        }
    }

    /// Puts chunks aside that were not used for longest, until `wanted` is met or there is nothing more to put aside.
    pub(super) fn put_aside(&mut self, wanted: &mut PutAside<'_>) -> Result<()> {
        // Each chunk has a second chance: whoever was used since the hand came by stays until it comes again.
        let mut left = 2 * self.chunks.len();
        while wanted.bytes > 0 && left > 0 {
            left -= 1;
            self.hand = if self.hand + 1 < self.chunks.len() { self.hand + 1 } else { 0 };
            let chunk = &self.chunks[self.hand];
            let Some(rows) = chunk.memory() else { continue };
            let full = chunk.rows >= CHUNK_ROWS || wanted.memory.everything;
            if !full || (chunk.used.take() && !wanted.memory.everything) {
                continue;
            }
            let codec = match &mut self.codec {
                Some(codec) => codec,
                none => none.insert(RowCodec::new(&self.types)?),
            };
            let encoded = codec.encode(rows.clone().into_batch()?.columns(), chunk.rows)?;
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
    /// not copied, unless it was picked.
    pub(super) fn batches(&self, rows: &[u32]) -> Result<Vec<(usize, Batch)>> {
        let (mut batches, mut done) = (Vec::new(), 0);
        for chunk in &self.chunks {
            let end = chunk.first as usize + chunk.rows;
            let count = rows[done..].partition_point(|&row| (row as usize) < end);
            if count == 0 {
                continue;
            }
            let own = &rows[done..done + count];
            let whole = self.whole(chunk)?;
            let batch = if (own[count - 1] - own[0]) as usize + 1 == count {
                whole.slice((own[0] - chunk.first) as usize, count)?
            } else {
                let places = own.iter().map(|row| row - chunk.first);
                whole.take(&UInt32Array::from_iter_values(places))?
            };
            batches.push((done, batch));
            done += count;
        }
        Ok(batches)
    }

    /// Rows with neighbouring numbers, the dead ones too; nothing is copied but what was picked.
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
            let (from, count) = ((start - chunk.first) as usize, (end - start) as usize);
            self.whole(chunk)?.slice(from, count)
        })
    }

    /// All rows, as they are kept; the dead ones too.
    pub(super) fn chunks(&self) -> impl Iterator<Item = Result<Batch>> + '_ {
        self.chunks.iter().map(|chunk| self.whole(chunk)?.into_batch())
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
            new.add(first, Batch::new(self.gather(&old)?, old.len()).into());
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

/// The columns of chunks that are in memory, one chunk after the other.
fn merged(columns: usize, chunks: &[Chunk]) -> Result<Vec<ArrayRef>> {
    let parts: Vec<&Picked> = chunks.iter().filter_map(Chunk::memory).collect();
    let arrays = |column: usize| -> Vec<&dyn Array> {
        parts.iter().map(|part| part.source_column(column).as_ref()).collect()
    };
    if parts.iter().all(|part| part.is_whole()) {
        return (0..columns).map(|column| Ok(concat(&arrays(column))?)).collect();
    }
    let places = parts
        .iter()
        .enumerate()
        .flat_map(|(at, part)| (0..part.rows()).map(move |row| (at, part.source_row(row))));
    let places: Vec<(usize, usize)> = places.collect();
    (0..columns).map(|column| Ok(interleave(&arrays(column), &places)?)).collect()
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

/// Sizes of chunks, by powers of [`RUN_MAX`].
fn tier(chunk: &Chunk) -> u32 {
    chunk.rows.max(1).ilog(RUN_MAX)
}

/// No row has this number.
const ABSENT: usize = u32::MAX as usize;

#[cfg(test)]
mod tests {
    use arrow_array::StringArray;
    use proptest::prelude::*;

    use super::*;

    /// Numbers from `first`, and a text for each; every seventh text is NULL.
    fn batch(first: i64, rows: usize) -> Batch {
        let numbers = first..first + rows as i64;
        let text = |n: i64| (n % 7 != 0).then(|| format!("text of {n}"));
        let texts: StringArray = numbers.clone().map(text).collect();
        let numbers: ArrayRef = Arc::new(Int64Array::from_iter_values(numbers));
        Batch::new(vec![numbers, Arc::new(texts)], rows)
    }

    /// The numbers of rows, whose texts have to be theirs.
    fn numbers(columns: Vec<ArrayRef>) -> Vec<i64> {
        let numbers = columns[0].as_primitive::<Int64Type>().values().to_vec();
        for (number, text) in numbers.iter().zip(columns[1].as_string::<i32>()) {
            let expected = (number % 7 != 0).then(|| format!("text of {number}"));
            assert_eq!(text, expected.as_deref());
        }
        numbers
    }

    proptest! {
        #[test]
        fn rows_that_were_picked_are_rows(
            // How many rows a batch has, and which of them (one of so many, from where) are meant.
            parts in prop::collection::vec((1usize..5_000, prop::option::of((1usize..4, 0usize..4))), 1..40),
            asked in prop::collection::vec(any::<prop::sample::Index>(), 0..200),
        ) {
            let mut rows = Rows::new(&[ArrowType::Int64, ArrowType::Utf8]);
            let mut expected = Vec::new();
            for (number, (count, picks)) in parts.into_iter().enumerate() {
                let batch = batch(number as i64 * 10_000, count);
                let (each, from) = picks.unwrap_or((1, 0));
                let places = (from..count).step_by(each).map(|place| place as u32);
                let picked = match picks {
                    Some(_) => Picked::new(batch.clone(), UInt32Array::from_iter_values(places.clone())),
                    None => batch.clone().into(),
                };
                let first = rows.push_picked(&picked).unwrap();
                prop_assert_eq!(first as usize, expected.len());
                expected.extend(places.map(|place| number as i64 * 10_000 + i64::from(place)));
            }
            prop_assert_eq!(rows.len(), expected.len());
            let all = rows.chunks().flat_map(|chunk| numbers(chunk.unwrap().into_columns()));
            prop_assert_eq!(&all.collect::<Vec<_>>(), &expected);
            let mut asked: Vec<u32> = match expected.len() {
                0 => Vec::new(),
                len => asked.iter().map(|index| index.index(len) as u32).collect(),
            };
            let of = |asked: &[u32]| asked.iter().map(|&row| expected[row as usize]).collect::<Vec<_>>();
            prop_assert_eq!(numbers(rows.gather(&asked).unwrap()), of(&asked));
            asked.sort_unstable();
            asked.dedup();
            let batches = rows.batches(&asked).unwrap().into_iter();
            let batches = batches.flat_map(|(_, batch)| numbers(batch.into_columns()));
            prop_assert_eq!(batches.collect::<Vec<_>>(), of(&asked));
            if let (Some(&first), Some(&last)) = (asked.first(), asked.last()) {
                let range = rows.range(first..last).flat_map(|batch| numbers(batch.unwrap().into_columns()));
                prop_assert_eq!(&range.collect::<Vec<_>>(), &expected[first as usize..last as usize]);
            }
            let kept = of(&asked);
            rows.rewrite(asked.iter_mut()).unwrap();
            prop_assert_eq!(numbers(rows.gather(&asked).unwrap()), kept);
        }
    }
}
