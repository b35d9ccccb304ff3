//! A frame on its way out: what is in memory, and the ranges of files that are sent between it.
//! Invariant: pieces come out in their order, each byte once; no more of a file is in memory than the caller's buffer
//! takes. Files are read by whoever calls [`Outbound::fill`], outside of the broker's lock.

use std::collections::VecDeque;
use std::io;

use bytes::{Buf as _, Bytes};
use mainstem_log::FileRange;

/// A frame, length prefix included.
#[derive(Debug, Default)]
pub struct Outbound {
    pieces: VecDeque<Piece>,
    left: usize,
}

/// A piece of a frame.
#[derive(Debug)]
pub enum Piece {
    /// In memory.
    Bytes(Bytes),
    /// In a file.
    File(FileRange),
}

impl Outbound {
    /// Bytes, behind what is there.
    pub fn push_bytes(&mut self, bytes: Bytes) {
        if bytes.is_empty() {
            return;
        }
        self.left += bytes.len();
        self.pieces.push_back(Piece::Bytes(bytes));
    }

    /// A range of a file, behind what is there.
    pub fn push_file(&mut self, range: FileRange) {
        self.left += range.len as usize;
        self.pieces.push_back(Piece::File(range));
    }

    /// Puts another frame behind this one.
    pub fn append(&mut self, mut other: Self) {
        self.left += other.left;
        self.pieces.append(&mut other.pieces);
    }

    /// How many bytes have not come out yet; 0 from the start if nothing is to be sent.
    pub fn left(&self) -> usize {
        self.left
    }

    /// What comes out next.
    pub fn first(&self) -> Option<&Piece> {
        self.pieces.front()
    }

    /// The first `count` bytes of the first piece have come out.
    pub fn advance(&mut self, count: usize) {
        let Some(piece) = self.pieces.front_mut() else { return };
        let rest = match piece {
            Piece::Bytes(bytes) => {
                bytes.advance(count);
                bytes.len()
            }
            Piece::File(range) => {
                range.position += count as u64;
                range.len -= count as u32;
                range.len as usize
            }
        };
        self.left -= count;
        if rest == 0 {
            self.pieces.pop_front();
        }
    }

    /// Moves the next bytes into `buffer`; returns how many. Less than the buffer takes only at the end.
    pub fn fill(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let mut filled = 0;
        while let Some(piece) = self.pieces.front() {
            let room = &mut buffer[filled..];
            if room.is_empty() {
                break;
            }
            let taken = match piece {
                Piece::Bytes(bytes) => {
                    let taken = bytes.len().min(room.len());
                    room[..taken].copy_from_slice(&bytes[..taken]);
                    taken
                }
                Piece::File(range) => {
                    let taken = (range.len as usize).min(room.len());
                    range.file.read_exact_at(range.position, &mut room[..taken])?;
                    taken
                }
            };
            filled += taken;
            self.advance(taken);
        }
        Ok(filled)
    }

    /// All that is left, in memory.
    pub fn read(mut self) -> io::Result<Bytes> {
        let mut all = vec![0; self.left];
        self.fill(&mut all)?;
        Ok(all.into())
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use mainstem_core::disk::Disk as _;
    use mainstem_log::MemoryDisk;

    use super::*;

    #[test]
    fn pieces_come_out_in_order_through_any_buffer() {
        let disk = MemoryDisk::default();
        let file = disk.open("f", true).unwrap();
        file.write_all_at(0, b"0123456789").unwrap();
        let expected = b"head234567middle9tail";
        for size in 1..=expected.len() + 1 {
            let mut outbound = Outbound::default();
            outbound.push_bytes(Bytes::from_static(b"head"));
            outbound.push_file(FileRange { file: Arc::clone(&file), position: 2, len: 6 });
            outbound.push_bytes(Bytes::from_static(b"middle"));
            outbound.push_file(FileRange { file: Arc::clone(&file), position: 9, len: 1 });
            outbound.push_bytes(Bytes::from_static(b"tail"));
            assert_eq!(outbound.left(), expected.len());
            let (mut all, mut buffer): (Vec<u8>, _) = (Vec::new(), vec![0; size]);
            while outbound.left() > 0 {
                let filled = outbound.fill(&mut buffer).unwrap();
                assert!(filled == size || outbound.left() == 0);
                all.extend(&buffer[..filled]);
            }
            assert_eq!(all, expected, "{size}");
        }
        let mut gone = Outbound::default();
        gone.push_file(FileRange { file, position: 9, len: 2 });
        assert!(gone.read().is_err(), "a file that is too short");
    }
}
