//! The four codecs of Kafka's record batches, over one block of records.
//! Invariant: decompression never holds more than `bytes_max` bytes, whatever the block claims; every error is an answer, none
//! is a panic. Snappy is written in the framing of xerial, as the Java clients do, and read with it or raw.

use crate::record_batch::{BatchError, Compression};
use bytes::Bytes;
use std::io::{Read, Write};

/// The window that a zstd frame may ask for: 2^27 bytes, the limit of the format's recommendation.
const ZSTD_WINDOW_LOG_MAX: u32 = 27;
const XERIAL_MAGIC: &[u8] = b"\x82SNAPPY\0";
const XERIAL_HEADER_BYTES: usize = 16;
const XERIAL_BLOCK_BYTES: usize = 32 << 10;
/// No block of snappy unpacks to more than this many times its size (a copy of 64 bytes takes 3, with room to spare).
const SNAPPY_RATIO_MAX: usize = 64;

/// The bytes of a block; uncompressed ones are handed through.
pub(crate) fn decompress(
    compression: Compression,
    block: Bytes,
    bytes_max: usize,
) -> Result<Bytes, BatchError> {
    let bytes = match compression {
        Compression::None => return Ok(block),
        Compression::Gzip => read_bounded(flate2::read::MultiGzDecoder::new(&block[..]), bytes_max),
        Compression::Snappy => unsnap(&block, bytes_max),
        Compression::Lz4 => read_bounded(lz4_flex::frame::FrameDecoder::new(&block[..]), bytes_max),
        Compression::Zstd => {
            let mut decoder =
                zstd::stream::read::Decoder::with_buffer(&block[..]).map_err(refused)?;
            decoder.window_log_max(ZSTD_WINDOW_LOG_MAX).map_err(refused)?;
            read_bounded(decoder, bytes_max)
        }
    }?;
    Ok(bytes.into())
}

/// The compressed form of `records`, appended to `out`.
pub(crate) fn compress(compression: Compression, records: &[u8], out: &mut Vec<u8>) {
    const IN_MEMORY: &str = "writing to memory does not fail";
    match compression {
        Compression::None => out.extend_from_slice(records),
        Compression::Gzip => {
            let mut encoder =
                flate2::write::GzEncoder::new(&mut *out, flate2::Compression::default());
            encoder.write_all(records).and_then(|()| encoder.try_finish()).expect(IN_MEMORY);
        }
        Compression::Snappy => snap(records, out),
        Compression::Lz4 => {
            let mut encoder = lz4_flex::frame::FrameEncoder::new(&mut *out);
            encoder.write_all(records).expect(IN_MEMORY);
            encoder.finish().expect(IN_MEMORY);
        }
        Compression::Zstd => {
            // In one call, so that the frame tells its size and asks for no larger window than that.
            out.extend_from_slice(&zstd::bulk::compress(records, 0).expect(IN_MEMORY));
        }
    }
}

fn refused(e: impl std::fmt::Display) -> BatchError {
    BatchError::Decompress(e.to_string())
}

fn read_bounded(reader: impl Read, bytes_max: usize) -> Result<Vec<u8>, BatchError> {
    let mut bytes = Vec::new();
    reader.take(bytes_max as u64 + 1).read_to_end(&mut bytes).map_err(refused)?;
    if bytes.len() > bytes_max {
        return Err(BatchError::TooLarge { bytes_max });
    }
    Ok(bytes)
}

fn unsnap(block: &[u8], bytes_max: usize) -> Result<Vec<u8>, BatchError> {
    let mut out = Vec::new();
    if !block.starts_with(XERIAL_MAGIC) {
        unsnap_block(block, bytes_max, &mut out)?;
        return Ok(out);
    }
    let mut rest = block
        .get(XERIAL_HEADER_BYTES..)
        .ok_or_else(|| refused("the header of the snappy framing is cut"))?;
    while !rest.is_empty() {
        let (length, tail) =
            rest.split_first_chunk::<4>().ok_or_else(|| refused("a snappy length is cut"))?;
        let length = u32::from_be_bytes(*length) as usize;
        let (chunk, tail) = tail
            .split_at_checked(length)
            .ok_or_else(|| refused("a snappy block is longer than the batch"))?;
        unsnap_block(chunk, bytes_max, &mut out)?;
        rest = tail;
    }
    Ok(out)
}

fn unsnap_block(block: &[u8], bytes_max: usize, out: &mut Vec<u8>) -> Result<(), BatchError> {
    let claimed = snap::raw::decompress_len(block).map_err(refused)?;
    if claimed > bytes_max - out.len() {
        return Err(BatchError::TooLarge { bytes_max });
    }
    if claimed > block.len() * SNAPPY_RATIO_MAX {
        return Err(refused("a snappy block claims more than it can hold"));
    }
    let from = out.len();
    out.resize(from + claimed, 0);
    let written = snap::raw::Decoder::new().decompress(block, &mut out[from..]).map_err(refused)?;
    out.truncate(from + written);
    Ok(())
}

fn snap(records: &[u8], out: &mut Vec<u8>) {
    out.extend_from_slice(XERIAL_MAGIC);
    out.extend_from_slice(&1_u32.to_be_bytes());
    out.extend_from_slice(&1_u32.to_be_bytes());
    let mut encoder = snap::raw::Encoder::new();
    for chunk in records.chunks(XERIAL_BLOCK_BYTES) {
        let block = encoder.compress_vec(chunk).expect("a block of 32 KiB can be compressed");
        out.extend_from_slice(&(block.len() as u32).to_be_bytes());
        out.extend_from_slice(&block);
    }
}
