//! Keys whose state is on disk because memory is for others: their rows of each table of an operator, and an index that finds
//! them by the hash of the key.
//! Invariant: a key is here or with its operator, never both. Checkpoints are told of what is here as if it were there: that a key
//! has changed, or is still to be handed out, goes with it and comes back with it. A key is read alone, neighbours together. Files
//! are written from front to back, and no more than half of them is what nobody wants any more.

use std::collections::VecDeque;
use std::sync::Arc;

use arrow_array::{Array, ArrayRef};
use hashbrown::HashTable;
use mainstem_core::{Batch, Error, Result};
use mainstem_state::row_files::{Place, RowSpace};

use super::row_codec::{EncodedRows, RowCodec};
use super::tracker::{Marks, Tracker};
use super::wakes::Wakes;
use crate::aggregate::SavedGroups;
use crate::key_table::Ids;

/// A block has about as many bytes, or all keys that are put aside together.
const BLOCK_BYTES: usize = 256 << 10;
/// So much may be unwanted before anybody looks.
const UNWANTED_BYTES_MIN: u64 = 1 << 20;
/// The block of an id that is free.
const NOWHERE: KeyPlace = KeyPlace { block: u32::MAX, offset: 0, bytes: 0, rows: 0 };

/// Keys that are to go: hash and marks of each, and their rows of all tables.
#[derive(Debug)]
pub(super) struct Leaving {
    pub(super) hashes: Vec<u64>,
    pub(super) marks: Vec<Marks>,
    pub(super) tables: Vec<SavedGroups>,
    /// How many rows each key counts as.
    pub(super) rows: Vec<u32>,
    /// When one of them was last written, in ms, if somebody will ask.
    pub(super) newest_ms: i64,
    /// When time changes each, in ms; none if nobody will ask.
    pub(super) wakes: Vec<i64>,
}

/// Where the rows of a key are.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct KeyPlace {
    block: u32,
    offset: u32,
    bytes: u32,
    rows: u32,
}

/// Keys that were written together.
#[derive(Debug)]
struct Block {
    place: Place,
    bytes: u32,
    /// Some of them may have left.
    ids: Vec<u32>,
    live: usize,
    newest_ms: i64,
}

/// Keys on disk, by ids of their own.
#[derive(Debug, Default)]
pub(super) struct KeysAside {
    ids: Ids,
    index: HashTable<u32>,
    /// By id.
    hashes: Vec<u64>,
    places: Vec<KeyPlace>,
    /// The numbers of blocks ascend; the first here has the number `first_block`. `None`: all its keys have left.
    blocks: VecDeque<Option<Block>>,
    first_block: u32,
    /// Of all blocks, and of the keys in them that have not left.
    written_bytes: u64,
    live_bytes: u64,
    rows: usize,
    /// By table; there once a table had rows.
    codecs: Vec<Option<RowCodec>>,
    space: Option<Arc<RowSpace>>,
    /// When time changes keys.
    wakes: Wakes,
    /// For checkpoints.
    pub(super) tracker: Tracker,
}

impl KeysAside {
    pub(super) fn is_empty(&self) -> bool {
        self.index.is_empty()
    }

    /// How many rows all keys count as.
    pub(super) fn rows(&self) -> usize {
        self.rows
    }

    /// The hash by which a key was put aside.
    pub(super) fn hash(&self, id: u32) -> u64 {
        self.hashes[id as usize]
    }

    /// Where keys are put aside; none: nobody ever was.
    pub(super) fn space(&self) -> Option<Arc<RowSpace>> {
        self.space.clone()
    }

    /// All ids, ascending.
    pub(super) fn used(&self) -> Vec<u32> {
        self.ids.used()
    }

    /// Puts keys aside.
    pub(super) fn put(&mut self, leaving: Leaving, space: &RowSpace) -> Result<()> {
        let Leaving { hashes, marks, tables, rows, newest_ms, wakes } = leaving;
        let ids: Vec<u32> = hashes.iter().map(|_| self.ids.allocate()).collect();
        let (bytes, ends) = self.encode(&tables, hashes.len())?;
        self.hashes.resize(self.ids.bound(), 0);
        self.places.resize(self.ids.bound(), NOWHERE);
        for ((&id, &hash), marks) in ids.iter().zip(&hashes).zip(marks) {
            self.hashes[id as usize] = hash;
            let all = &self.hashes;
            self.index.insert_unique(hash, id, |&id| all[id as usize]);
            self.tracker.set_marks(id, marks);
        }
        for (&id, wake) in ids.iter().zip(wakes) {
            self.wakes.set(id, wake);
        }
        for (&id, &rows) in ids.iter().zip(&rows) {
            self.places[id as usize].rows = rows;
            self.rows += rows as usize;
        }
        self.live_bytes += bytes.len() as u64;
        self.write(&bytes, &ends, ids, newest_ms, space)?;
        while self.written_bytes > 2 * self.live_bytes + UNWANTED_BYTES_MIN {
            self.rewrite_oldest(space)?;
        }
        Ok(())
    }

    /// The keys that time has changed, the first so many; each is given once.
    pub(super) fn due(&mut self, time_ms: i64, most: usize) -> Vec<u32> {
        self.wakes.due(time_ms, most)
    }

    /// When time changes the first of them, at the earliest.
    pub(super) fn next_wake_ms(&self) -> Option<i64> {
        self.wakes.next_ms()
    }

    /// Writes a block of keys, of each of which it is known where its bytes end.
    fn write(
        &mut self,
        bytes: &[u8],
        ends: &[u32],
        ids: Vec<u32>,
        newest_ms: i64,
        space: &RowSpace,
    ) -> Result<()> {
        let own = self.space.get_or_insert_with(|| Arc::new(space.of_one_user()));
        let block = self.first_block + self.blocks.len() as u32;
        let mut offset = 0;
        for (&id, &end) in ids.iter().zip(ends) {
            let place = &mut self.places[id as usize];
            *place = KeyPlace { block, offset, bytes: end - offset, rows: place.rows };
            offset = end;
        }
        self.written_bytes += u64::from(offset);
        let (place, live) = (own.write(bytes)?, ids.len());
        self.blocks.push_back(Some(Block { place, bytes: offset, ids, live, newest_ms }));
        Ok(())
    }

    /// Writes what is wanted of the oldest blocks once more.
    fn rewrite_oldest(&mut self, space: &RowSpace) -> Result<()> {
        let (mut bytes, mut ends, mut ids) = (Vec::new(), Vec::new(), Vec::new());
        let mut newest_ms = i64::MIN;
        while bytes.len() < BLOCK_BYTES
            && let Some(oldest) = self.blocks.pop_front()
        {
            let number = self.first_block;
            self.first_block += 1;
            let Some(block) = oldest else { continue };
            self.written_bytes -= u64::from(block.bytes);
            newest_ms = newest_ms.max(block.newest_ms);
            let mut all = vec![0; block.bytes as usize];
            block.place.read(0, &mut all)?;
            for id in block.ids {
                let place = self.places[id as usize];
                if place.block == number {
                    bytes.extend_from_slice(&all[place.offset as usize..][..place.bytes as usize]);
                    ends.push(bytes.len() as u32);
                    ids.push(id);
                }
            }
        }
        if ids.is_empty() { Ok(()) } else { self.write(&bytes, &ends, ids, newest_ms, space) }
    }

    /// The ids of all keys with one of these hashes; another key may have the same hash.
    pub(super) fn find(&self, hashes: &[u64]) -> Vec<u32> {
        let with = |&hash: &u64| {
            let same = move |&&id: &&u32| self.hashes[id as usize] == hash;
            self.index.iter_hash(hash).filter(same).copied()
        };
        let mut found: Vec<u32> = hashes.iter().flat_map(with).collect();
        found.sort_unstable();
        found.dedup();
        found
    }

    /// Some of the keys that were put aside first, at most so many or those of a block; none: there are none.
    pub(super) fn oldest(&self) -> Vec<u32> {
        let block = self
            .blocks
            .iter()
            .zip(self.first_block..)
            .find_map(|(block, number)| block.as_ref().map(|block| (&block.ids, number)));
        block.map_or_else(Vec::new, |(ids, number)| self.in_block(ids, number))
    }

    fn in_block(&self, ids: &[u32], number: u32) -> Vec<u32> {
        let here = |id: &&u32| self.places[**id as usize].block == number;
        ids.iter().filter(here).copied().collect()
    }

    /// The keys of blocks in which none was written after this time.
    pub(super) fn written_until(&self, time_ms: i64) -> Vec<u32> {
        let blocks = self.blocks.iter().zip(self.first_block..);
        let old = blocks.filter_map(|(block, number)| {
            let block = block.as_ref().filter(|block| block.newest_ms <= time_ms)?;
            Some(self.in_block(&block.ids, number))
        });
        old.flatten().collect()
    }

    /// Cuts for a checkpoint: the keys that went since the cut before.
    pub(super) fn cut(&mut self, whole: bool) -> Vec<Batch> {
        self.tracker.cut(whole.then(|| (self.ids.bound(), self.ids.free())))
    }

    /// Takes keys out: their rows of all tables, and their marks, in the order of `ids`, which is changed to that of the files.
    pub(super) fn take(&mut self, ids: &mut [u32]) -> Result<(Vec<SavedGroups>, Vec<Marks>)> {
        let tables = self.read(ids)?;
        let marks = ids.iter().map(|&id| self.tracker.take_marks(id)).collect();
        self.release(ids);
        Ok((tables, marks))
    }

    /// Keys are no more; for checkpoints they were touched in this step.
    pub(super) fn forget(&mut self, ids: &[u32], keys: Batch) {
        self.tracker.forget(ids, keys);
        self.release(ids);
    }

    fn release(&mut self, ids: &[u32]) {
        for &id in ids {
            let entry = self.index.find_entry(self.hashes[id as usize], |&other| other == id);
            entry.expect("a key that is here is found").remove();
            let place = std::mem::replace(&mut self.places[id as usize], NOWHERE);
            self.wakes.clear(id);
            self.live_bytes -= u64::from(place.bytes);
            self.rows -= place.rows as usize;
            let at = (place.block - self.first_block) as usize;
            let left = self.blocks[at].as_mut().map(|block| {
                block.live -= 1;
                (block.live, block.bytes)
            });
            if let Some((0, bytes)) = left {
                self.blocks[at] = None;
                self.written_bytes -= u64::from(bytes);
            }
        }
        while let Some(None) = self.blocks.front() {
            self.blocks.pop_front();
            self.first_block += 1;
        }
        self.ids.release(ids);
    }

    /// The rows of keys of all tables, in the order of `ids`, which is changed to that of the files.
    pub(super) fn read(&self, ids: &mut [u32]) -> Result<Vec<SavedGroups>> {
        ids.sort_unstable_by_key(|&id| self.places[id as usize]);
        let places: Vec<KeyPlace> = ids.iter().map(|&id| self.places[id as usize]).collect();
        let total: usize = places.iter().map(|place| place.bytes as usize).sum();
        let (mut bytes, mut done) = (vec![0; total], 0);
        let together =
            |a: &KeyPlace, b: &KeyPlace| a.block == b.block && a.offset + a.bytes == b.offset;
        for run in places.chunk_by(together) {
            let length: usize = run.iter().map(|place| place.bytes as usize).sum();
            let at = (run[0].block - self.first_block) as usize;
            let block = self.blocks[at].as_ref();
            let block = block.ok_or_else(|| Error::internal("a key in a block that is gone"))?;
            block.place.read(run[0].offset as usize, &mut bytes[done..done + length])?;
            done += length;
        }
        self.decode(&bytes, ids.len())
    }

    /// The bytes of keys, one after another, and where each ends: of each table how many rows, and each row behind its length.
    fn encode(&mut self, tables: &[SavedGroups], keys: usize) -> Result<(Vec<u8>, Vec<u32>)> {
        self.codecs.resize_with(tables.len().max(self.codecs.len()), || None);
        let encode = |(table, codec): (&SavedGroups, &mut Option<RowCodec>)| {
            if table.places.is_empty() {
                return Ok(EncodedRows { bytes: Vec::new(), offsets: [0].into() });
            }
            let columns = &table.columns;
            let codec = match codec {
                Some(codec) => codec,
                none => {
                    let types: Vec<_> = columns.iter().map(|c| c.data_type().clone()).collect();
                    none.insert(RowCodec::new(&types)?)
                }
            };
            codec.encode(columns, table.places.len())
        };
        let encoded = tables.iter().zip(&mut self.codecs).map(encode);
        let encoded = encoded.collect::<Result<Vec<_>>>()?;
        // Of each table its rows in the order of the keys.
        let orders: Vec<Vec<u32>> = tables.iter().map(in_order).collect();
        let mut next = vec![0; tables.len()];
        let (mut bytes, mut ends) = (Vec::new(), Vec::with_capacity(keys));
        for key in 0..keys as u32 {
            for (at, table) in tables.iter().enumerate() {
                let left = &orders[at][next[at]..];
                let own = left.iter().take_while(|row| table.places[**row as usize] == key);
                let own = &left[..own.count()];
                bytes.extend_from_slice(&(own.len() as u32).to_le_bytes());
                for &row in own {
                    let ends = &encoded[at].offsets[row as usize..];
                    let row = &encoded[at].bytes[ends[0] as usize..ends[1] as usize];
                    bytes.extend_from_slice(&(row.len() as u32).to_le_bytes());
                    bytes.extend_from_slice(row);
                }
                next[at] += own.len();
            }
            let end = u32::try_from(bytes.len());
            ends.push(end.map_err(|_| Error::internal("keys of over 4 GiB put aside together"))?);
        }
        Ok((bytes, ends))
    }

    fn decode(&self, mut bytes: &[u8], keys: usize) -> Result<Vec<SavedGroups>> {
        let short = || Error::internal("what was put aside is shorter than it was");
        let number = |bytes: &mut &[u8]| {
            let (number, rest) = bytes.split_first_chunk().ok_or_else(short)?;
            *bytes = rest;
            Ok::<usize, Error>(u32::from_le_bytes(*number) as usize)
        };
        let mut all: Vec<(Vec<u32>, Vec<&[u8]>)> = vec![Default::default(); self.codecs.len()];
        for key in 0..keys as u32 {
            for (of, rows) in &mut all {
                for _ in 0..number(&mut bytes)? {
                    let length = number(&mut bytes)?;
                    let (row, rest) = bytes.split_at_checked(length).ok_or_else(short)?;
                    bytes = rest;
                    of.push(key);
                    rows.push(row);
                }
            }
        }
        let table = |((places, rows), codec): ((Vec<u32>, Vec<&[u8]>), &Option<RowCodec>)| {
            let columns: Vec<ArrayRef> = codec.as_ref().map_or(Ok(Vec::new()), |codec| {
                codec.decode(&rows, &(0..codec.width()).collect::<Vec<_>>())
            })?;
            Ok(SavedGroups { places, columns })
        };
        all.into_iter().zip(&self.codecs).map(table).collect()
    }

    /// Memory kept, in bytes.
    pub(super) fn size_bytes(&self) -> usize {
        let ids: usize = self.blocks.iter().flatten().map(|block| block.ids.capacity()).sum();
        self.index.allocation_size()
            + self.hashes.capacity() * size_of::<u64>()
            + self.places.capacity() * size_of::<KeyPlace>()
            + self.blocks.capacity() * size_of::<Option<Block>>()
            + ids * size_of::<u32>()
            + self.wakes.size_bytes()
            + self.tracker.size_bytes()
    }
}

/// The rows of groups, those of one together, as they stand.
fn in_order(saved: &SavedGroups) -> Vec<u32> {
    let mut rows: Vec<u32> = (0..saved.places.len() as u32).collect();
    if !saved.places.is_sorted() {
        rows.sort_by_key(|&row| saved.places[row as usize]);
    }
    rows
}

#[cfg(test)]
mod tests {
    use arrow_array::cast::AsArray;
    use arrow_array::{Int64Array, StringArray};
    use mainstem_core::disk::Disk;
    use mainstem_log::MemoryDisk;

    use super::*;

    const KEYS: u64 = 256;

    /// A key has one row of the first table, two of the second if it is odd, none of the third.
    fn leaving(keys: &[u64], text: &str) -> Leaving {
        let places = || (0..keys.len() as u32).collect::<Vec<_>>();
        let ids = |keys: &[u64]| -> ArrayRef {
            Arc::new(keys.iter().map(|&key| key as i64).collect::<Int64Array>())
        };
        let odd: Vec<u32> = places().into_iter().filter(|&at| keys[at as usize] % 2 == 1).collect();
        let texts: Vec<String> =
            odd.iter().map(|&at| format!("{}{text}", keys[at as usize])).collect();
        let twice = |places: &[u32]| [places, places].concat();
        let texts: ArrayRef = Arc::new(StringArray::from([texts.clone(), texts].concat()));
        Leaving {
            hashes: keys.iter().map(|key| key % 100).collect(),
            marks: vec![Marks::default(); keys.len()],
            tables: vec![
                SavedGroups { places: places(), columns: vec![ids(keys)] },
                SavedGroups { places: twice(&odd), columns: vec![texts] },
                SavedGroups::default(),
            ],
            rows: vec![1; keys.len()],
            newest_ms: keys.iter().map(|&key| key as i64).max().unwrap_or(0),
            wakes: Vec::new(),
        }
    }

    fn keys_of(tables: &[SavedGroups]) -> Vec<u64> {
        let keys = tables[0].columns[0].as_primitive::<arrow_array::types::Int64Type>();
        keys.values().iter().map(|&key| key as u64).collect()
    }

    #[test]
    fn keys_come_back_with_their_rows_and_files_do_not_grow() {
        let disk: Arc<dyn Disk> = Arc::new(MemoryDisk::new());
        let space = RowSpace::new(disk, "rows");
        let mut aside = KeysAside::default();
        let text = "x".repeat(20_000);
        let all: Vec<u64> = (0..KEYS).collect();
        aside.put(leaving(&all, &text), &space).unwrap();
        for round in 0..200_u64 {
            let hashes: Vec<u64> = (0..10).map(|at| (round * round * 13 + at * 31) % 90).collect();
            let mut found = aside.find(&hashes);
            let (tables, marks) = aside.take(&mut found).unwrap();
            let mut keys = keys_of(&tables);
            assert_eq!((keys.len(), marks.len()), (found.len(), found.len()));
            assert!(aside.find(&hashes).is_empty());
            let texts = tables[1].columns[0].as_string::<i32>();
            for (place, value) in tables[1].places.iter().zip(texts) {
                assert_eq!(value, Some(format!("{}{text}", keys[*place as usize]).as_str()));
            }
            assert_eq!(texts.len(), 2 * keys.iter().filter(|key| **key % 2 == 1).count());
            keys.rotate_left(1);
            aside.put(leaving(&keys, &text), &space).unwrap();
            assert!(aside.written_bytes <= 2 * aside.live_bytes + UNWANTED_BYTES_MIN);
        }
        assert!(aside.first_block > 0, "keys that nobody asked for were written once more");
        assert_eq!((aside.rows(), aside.used().len()), (256, 256));
        let mut old = aside.written_until(KEYS as i64);
        assert_eq!(old.len(), 256);
        let mut keys = keys_of(&aside.read(&mut old).unwrap());
        keys.sort_unstable();
        assert_eq!(keys, all);
        aside.forget(&old, Batch::new(Vec::new(), 256));
        assert!(aside.is_empty() && aside.blocks.is_empty() && aside.oldest().is_empty());
        assert_eq!((aside.written_bytes, aside.live_bytes, aside.rows()), (0, 0, 0));
    }
}
