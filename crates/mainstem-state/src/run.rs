//! Rows of tables as bytes: runs of blocks, many to a file.
//! Layout of a file: `MSRUN\0\0\1`, then blocks of `size u32 | crc32c u32 | an Arrow IPC stream of one batch`, little endian. What
//! is in which block stands in the manifest.
//! Invariant: a block that was cut, torn or flipped is an error and never other rows.

use std::sync::Arc;

use arrow_array::{RecordBatch, RecordBatchOptions};
use arrow_buffer::Buffer;
use arrow_ipc::reader::StreamDecoder;
use arrow_ipc::writer::StreamWriter;
use arrow_schema::{DataType as ArrowType, Field, Schema};
use mainstem_core::{Batch, Error, ErrorKind, Result};
use serde::{Deserialize, Serialize};

const MAGIC: &[u8; 8] = b"MSRUN\0\0\x01";
const HEAD_BYTES: usize = 8;
/// More rows make a new block: a reader holds one in memory.
const BLOCK_ROWS: usize = 1 << 16;
/// A file with so many bytes takes no more blocks.
const FILE_BYTES: usize = 64 << 20;

/// Where a block is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct BlockRef {
    /// The file's name in the store.
    pub file: String,
    /// Where its head begins, in bytes.
    pub offset: u64,
    /// Head and content.
    pub bytes: u64,
    /// Rows in it.
    pub rows: u64,
}

/// Puts blocks into files. Files come out as they are full; the last one at the end.
#[derive(Debug)]
pub struct RunWriter {
    /// What all its files' names begin with.
    prefix: String,
    number: usize,
    bytes: Vec<u8>,
}

/// A file that is to be stored.
#[derive(Debug)]
pub struct RunFile {
    /// Its name in the store.
    pub name: String,
    /// Its content.
    pub bytes: Vec<u8>,
}

impl RunWriter {
    /// Names its files `prefix-0`, `prefix-1`, ...
    pub fn new(prefix: impl Into<String>) -> Self {
        Self { prefix: prefix.into(), number: 0, bytes: Vec::new() }
    }

    fn name(&self) -> String {
        format!("{}-{}.run", self.prefix, self.number)
    }

    /// Adds the rows of a batch; returns their blocks, and pushes the files that are full to `full`.
    pub fn add(&mut self, batch: &Batch, full: &mut Vec<RunFile>) -> Result<Vec<BlockRef>> {
        let mut blocks = Vec::new();
        for at in (0..batch.rows()).step_by(BLOCK_ROWS) {
            let part = batch.slice(at, BLOCK_ROWS.min(batch.rows() - at));
            if self.bytes.is_empty() {
                self.bytes.extend_from_slice(MAGIC);
            }
            let start = self.bytes.len();
            self.bytes.resize(start + HEAD_BYTES, 0);
            encode(&part, &mut self.bytes)?;
            let content = &self.bytes[start + HEAD_BYTES..];
            let size = u32::try_from(content.len()).map_err(|_| too_large())?;
            let crc = crc32c::crc32c(content);
            self.bytes[start..start + 4].copy_from_slice(&size.to_le_bytes());
            self.bytes[start + 4..start + HEAD_BYTES].copy_from_slice(&crc.to_le_bytes());
            blocks.push(BlockRef {
                file: self.name(),
                offset: start as u64,
                bytes: (self.bytes.len() - start) as u64,
                rows: part.rows() as u64,
            });
            if self.bytes.len() >= FILE_BYTES {
                full.extend(self.end());
            }
        }
        Ok(blocks)
    }

    /// The file that is not full, if anything is in it.
    pub fn end(&mut self) -> Option<RunFile> {
        if self.bytes.is_empty() {
            return None;
        }
        let file = RunFile { name: self.name(), bytes: std::mem::take(&mut self.bytes) };
        self.number += 1;
        Some(file)
    }
}

fn too_large() -> Error {
    Error::new(ErrorKind::Exhausted, "65536 rows of state take more than 4 GB")
}

fn schema(types: impl Iterator<Item = ArrowType>) -> Schema {
    Schema::new(types.map(|t| Field::new("", t, true)).collect::<Vec<_>>())
}

fn encode(batch: &Batch, out: &mut Vec<u8>) -> Result<()> {
    let schema = schema(batch.columns().iter().map(|column| column.data_type().clone()));
    let options = RecordBatchOptions::new().with_row_count(Some(batch.rows()));
    let columns = batch.columns().to_vec();
    let record = RecordBatch::try_new_with_options(Arc::new(schema.clone()), columns, &options)?;
    let mut writer = StreamWriter::try_new(out, &schema)?;
    writer.write(&record)?;
    writer.finish()?;
    Ok(())
}

/// The rows of a block, from its bytes: head and content, as [`BlockRef`] tells where. Nothing is copied: the rows keep the bytes.
pub fn decode_block(block: &BlockRef, bytes: Vec<u8>) -> Result<Batch> {
    let damaged = |what: &str| {
        let text = format!("{what} in '{}' at byte {}", block.file, block.offset);
        Error::new(ErrorKind::Corrupt, text)
    };
    let (head, content) =
        bytes.split_first_chunk::<HEAD_BYTES>().ok_or_else(|| damaged("a block is cut short"))?;
    let [size, crc] = [0, 4].map(|at| {
        let bytes: [u8; 4] = head[at..at + 4].try_into().expect("four of eight bytes");
        u32::from_le_bytes(bytes)
    });
    if size as usize != content.len() || crc32c::crc32c(content) != crc {
        return Err(damaged("a block is damaged"));
    }
    let mut content = Buffer::from_vec(bytes).slice(HEAD_BYTES);
    let record = StreamDecoder::new().decode(&mut content)?;
    let record = record.ok_or_else(|| damaged("a block without rows"))?;
    if record.num_rows() as u64 != block.rows {
        return Err(damaged("a block with other rows than its manifest says"));
    }
    let rows = record.num_rows();
    Ok(Batch::new(record.columns().to_vec(), rows))
}

/// True if a file begins as one of ours.
pub fn is_run(bytes: &[u8]) -> bool {
    bytes.starts_with(MAGIC)
}

#[cfg(test)]
mod tests {
    use arrow_array::{ArrayRef, Int64Array, StringArray};

    use super::*;

    fn rows(from: i64, to: i64) -> Batch {
        let numbers: ArrayRef = Arc::new(Int64Array::from_iter_values(from..to));
        let texts = (from..to).map(|n| (n % 3 > 0).then(|| format!("row {n}")));
        let texts: ArrayRef = Arc::new(StringArray::from_iter(texts));
        Batch::new(vec![numbers, texts], (to - from) as usize)
    }

    #[test]
    fn rows_come_back_block_by_block() {
        let mut writer = RunWriter::new("7-0");
        let mut files = Vec::new();
        let mut blocks = writer.add(&rows(0, 70_000), &mut files).unwrap();
        blocks.extend(writer.add(&Batch::new(Vec::new(), 3), &mut files).unwrap());
        assert_eq!(writer.add(&rows(0, 0), &mut files).unwrap(), []);
        files.extend(writer.end());
        assert!(writer.end().is_none());
        let [file] = &files[..] else { panic!("one file") };
        assert!(is_run(&file.bytes));
        assert_eq!(blocks.iter().map(|b| b.rows).collect::<Vec<_>>(), [65_536, 4_464, 3]);
        let read = |block: &BlockRef| {
            let (at, size) = (block.offset as usize, block.bytes as usize);
            decode_block(block, file.bytes[at..at + size].to_vec()).unwrap()
        };
        assert_eq!(read(&blocks[1]).columns(), rows(65_536, 70_000).columns());
        assert_eq!((read(&blocks[2]).rows(), read(&blocks[2]).columns().len()), (3, 0));
    }

    #[test]
    fn every_flipped_bit_is_found() {
        let mut writer = RunWriter::new("7-0");
        let blocks = writer.add(&rows(0, 5), &mut Vec::new()).unwrap();
        let file = writer.end().unwrap();
        let block = &blocks[0];
        let bytes = &file.bytes[block.offset as usize..];
        for bit in 0..bytes.len() * 8 {
            let mut bytes = bytes.to_vec();
            bytes[bit / 8] ^= 1 << (bit % 8);
            assert_eq!(decode_block(block, bytes.clone()).unwrap_err().kind(), ErrorKind::Corrupt);
        }
        for size in 0..bytes.len() {
            assert!(decode_block(block, bytes[..size].to_vec()).is_err());
        }
    }

    #[test]
    fn full_files_come_out() {
        let mut writer = RunWriter::new("7-0");
        let long: ArrayRef = Arc::new(StringArray::from_iter_values(std::iter::repeat_n(
            "x".repeat(1 << 10),
            BLOCK_ROWS,
        )));
        let batch = Batch::new(vec![long], BLOCK_ROWS);
        let mut files = Vec::new();
        let first = writer.add(&batch, &mut files).unwrap();
        let second = writer.add(&rows(0, 1), &mut files).unwrap();
        assert_eq!(files.len(), 1);
        assert_eq!((&*first[0].file, &*second[0].file), ("7-0-0.run", "7-0-1.run"));
        assert_eq!(writer.end().unwrap().name, "7-0-1.run");
    }
}
