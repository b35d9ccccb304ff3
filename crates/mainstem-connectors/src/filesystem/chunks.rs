//! A Parquet file as its reader asks for it: by pages and by ranges, from several places at once.

use std::io::{BufReader, ErrorKind, Read};
use std::sync::Arc;

use bytes::Bytes;
use parquet::errors::{ParquetError, Result};
use parquet::file::reader::{ChunkReader, Length};

use super::files::OpenFile;

/// An open file of a size.
pub(super) struct Chunks {
    pub(super) file: Arc<dyn OpenFile>,
    pub(super) size_bytes: u64,
}

/// Reads a file from an offset on; others read it at other offsets.
pub(super) struct OffsetReader {
    file: Arc<dyn OpenFile>,
    offset: u64,
}

impl Read for OffsetReader {
    fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
        let count = self.file.read_at(self.offset, buffer)?;
        self.offset += count as u64;
        Ok(count)
    }
}

impl Length for Chunks {
    fn len(&self) -> u64 {
        self.size_bytes
    }
}

impl ChunkReader for Chunks {
    type T = BufReader<OffsetReader>;

    fn get_read(&self, offset: u64) -> Result<Self::T> {
        Ok(BufReader::new(OffsetReader { file: Arc::clone(&self.file), offset }))
    }

    fn get_bytes(&self, offset: u64, length: usize) -> Result<Bytes> {
        let mut bytes = Vec::with_capacity(length);
        let from = OffsetReader { file: Arc::clone(&self.file), offset };
        let count = from.take(length as u64).read_to_end(&mut bytes)?;
        if count < length {
            let short = std::io::Error::from(ErrorKind::UnexpectedEof);
            return Err(ParquetError::External(Box::new(short)));
        }
        Ok(bytes.into())
    }
}
