//! Rows kept by operators: immutable column chunks, addressed by row number.
//! Invariant: a row keeps its number until the owner asks for a rewrite. Small neighbouring chunks are put together when
//! there are many of their size, or enough rows for a full one: a row that comes with many others is copied once, one that
//! comes alone four times. Full chunks are never touched again.

use std::sync::Arc;

use arrow_array::cast::AsArray;
use arrow_array::types::Int64Type;
use arrow_array::{Array, ArrayRef, Int64Array};
use arrow_schema::DataType as ArrowType;
use arrow_select::{concat::concat, interleave::interleave};
use mainstem_core::{Batch, Result};

/// A chunk of this many rows is full: fewer than a busy step brings, so that its rows are kept as they came.
const CHUNK_ROWS: usize = 1 << 14;
/// So many chunks of a size are put together.
const RUN_MAX: usize = 16;

#[derive(Debug)]
struct Chunk {
    first: u32,
    rows: usize,
    columns: Vec<ArrayRef>,
}

impl Chunk {
    /// One more than the number of its last row.
    fn end(&self) -> u32 {
        self.first + self.rows as u32
    }
}

/// Chunks of rows.
#[derive(Debug)]
pub(super) struct Rows {
    types: Vec<ArrowType>,
    chunks: Vec<Chunk>,
    rows: usize,
    live: usize,
}

impl Rows {
    pub(super) fn new(types: &[ArrowType]) -> Self {
        Self { types: types.to_vec(), chunks: Vec::new(), rows: 0, live: 0 }
    }

    /// Adds all rows of a batch, and returns the number of the first.
    pub(super) fn push(&mut self, batch: &Batch) -> Result<u32> {
        let first = u32::try_from(self.rows).ok().filter(|_| self.rows + batch.rows() < ABSENT);
        let first = first.ok_or_else(|| {
            mainstem_core::Error::new(
                mainstem_core::ErrorKind::Exhausted,
                "an operator holds more than 2^32 rows",
            )
        })?;
        let columns = batch.columns().to_vec();
        self.chunks.push(Chunk { first, rows: batch.rows(), columns });
        self.rows += batch.rows();
        self.live += batch.rows();
        while let Some(run) = self.mergeable() {
            let parts = &self.chunks[run..];
            let column = |column: usize| {
                let parts: Vec<&dyn Array> =
                    parts.iter().map(|chunk| chunk.columns[column].as_ref()).collect();
                concat(&parts)
            };
            let merged = Chunk {
                first: parts[0].first,
                rows: parts.iter().map(|chunk| chunk.rows).sum(),
                columns: (0..self.types.len()).map(column).collect::<Result<_, _>>()?,
            };
            self.chunks.truncate(run);
            self.chunks.push(merged);
        }
        Ok(first)
    }

    /// Where the last chunks begin that are to be one.
    fn mergeable(&self) -> Option<usize> {
        let last = self.chunks.last()?;
        let small = |chunk: &&Chunk| chunk.rows < CHUNK_ROWS && tier(chunk) <= tier(last);
        let count = self.chunks.iter().rev().take_while(small).count();
        let run = self.chunks.len() - count;
        let rows: usize = self.chunks[run..].iter().map(|chunk| chunk.rows).sum();
        (count >= RUN_MAX || (count > 1 && rows >= CHUNK_ROWS)).then_some(run)
    }

    /// The columns of the given rows.
    pub(super) fn gather(&self, rows: &[u32]) -> Result<Vec<ArrayRef>> {
        let places = self.places(rows);
        (0..self.types.len()).map(|column| self.gather_places(column, &places)).collect()
    }

    /// One column of the given rows.
    pub(super) fn gather_column(&self, column: usize, rows: &[u32]) -> Result<ArrayRef> {
        self.gather_places(column, &self.places(rows))
    }

    pub(super) fn column_type(&self, column: usize) -> &ArrowType {
        &self.types[column]
    }

    /// The chunk of each row, and its place there.
    fn places(&self, rows: &[u32]) -> Vec<(usize, usize)> {
        let mut places = Vec::with_capacity(rows.len());
        let mut near = 0;
        for &row in rows {
            let holds = self.chunks.get(near).is_some_and(|chunk| {
                row >= chunk.first && ((row - chunk.first) as usize) < chunk.rows
            });
            if !holds {
                near = self.chunks.partition_point(|chunk| chunk.first <= row) - 1;
            }
            places.push((near, (row - self.chunks[near].first) as usize));
        }
        places
    }

    fn gather_places(&self, column: usize, places: &[(usize, usize)]) -> Result<ArrayRef> {
        if places.is_empty() {
            return Ok(arrow_array::new_empty_array(&self.types[column]));
        }
        let array = |chunk: usize| self.chunks[chunk].columns[column].as_ref();
        if places.len() >= self.chunks.len() {
            let arrays: Vec<&dyn Array> = (0..self.chunks.len()).map(array).collect();
            return Ok(interleave(&arrays, places)?);
        }
        // A few rows of a long history: only the chunks that they are in.
        let mut used: Vec<usize> = places.iter().map(|&(chunk, _)| chunk).collect();
        used.sort_unstable();
        used.dedup();
        let arrays: Vec<&dyn Array> = used.iter().map(|&chunk| array(chunk)).collect();
        let at = |chunk: &usize| used.binary_search(chunk).expect("the chunk of a place is used");
        let places: Vec<_> = places.iter().map(|(chunk, row)| (at(chunk), *row)).collect();
        Ok(interleave(&arrays, &places)?)
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
            let whole = Batch::new(chunk.columns.clone(), chunk.rows);
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
    pub(super) fn range(&self, rows: std::ops::Range<u32>) -> impl Iterator<Item = Batch> + '_ {
        let std::ops::Range { start, end } = rows;
        let from = self.chunks.partition_point(|chunk| chunk.end() <= start);
        let within = self.chunks[from..].iter();
        let within = within.take_while(move |chunk| start < end && chunk.first < end);
        within.map(move |chunk| {
            let (start, end) = (start.max(chunk.first), end.min(chunk.end()));
            let whole = Batch::new(chunk.columns.clone(), chunk.rows);
            whole.slice((start - chunk.first) as usize, (end - start) as usize)
        })
    }

    /// All rows, as they are kept; the dead ones too.
    pub(super) fn chunks(&self) -> impl Iterator<Item = Batch> + '_ {
        self.chunks.iter().map(|chunk| Batch::new(chunk.columns.clone(), chunk.rows))
    }

    /// Notes that `rows` rows are dead. Returns true if it is time to [`Rows::rewrite`].
    pub(super) fn release(&mut self, rows: usize) -> bool {
        self.live -= rows;
        self.rows > 4096 && self.live * 2 < self.rows
    }

    /// Copies the live rows, whose numbers are given, into new chunks, and gives them new numbers.
    pub(super) fn rewrite<'a>(&mut self, live: impl Iterator<Item = &'a mut u32>) -> Result<()> {
        let mut live: Vec<&mut u32> = live.collect();
        let mut chunks = Vec::new();
        let mut first = 0;
        for part in live.chunks_mut(CHUNK_ROWS) {
            let old: Vec<u32> = part.iter().map(|row| **row).collect();
            let columns = self.gather(&old)?;
            chunks.push(Chunk { first, rows: old.len(), columns });
            for row in part {
                **row = first;
                first += 1;
            }
        }
        self.rows = live.len();
        self.live = live.len();
        self.chunks = chunks;
        Ok(())
    }

    pub(super) fn size_bytes(&self) -> usize {
        let columns = self.chunks.iter().flat_map(|chunk| &chunk.columns);
        columns.map(|column| column.get_array_memory_size()).sum()
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

/// Sizes of chunks, by powers of [`RUN_MAX`].
fn tier(chunk: &Chunk) -> u32 {
    chunk.rows.max(1).ilog(RUN_MAX)
}

/// No row has this number.
const ABSENT: usize = u32::MAX as usize;
