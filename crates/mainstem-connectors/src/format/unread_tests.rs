//! Pieces of a file in memory: however it is cut, each line comes once and whole.

use std::ops::Range;

use super::*;

#[derive(Debug)]
struct Memory {
    data: Vec<u8>,
    path: Arc<str>,
}

impl RandomAccess for Memory {
    fn path(&self) -> &Arc<str> {
        &self.path
    }

    fn read_at(&self, offset: u64, buffer: &mut [u8]) -> Result<usize> {
        let rest = self.data.get(offset as usize..).unwrap_or_default();
        let size = rest.len().min(buffer.len());
        buffer[..size].copy_from_slice(&rest[..size]);
        Ok(size)
    }

    fn line_at(&self, offset: u64) -> Result<u64> {
        Ok(1 + memchr::memchr_iter(b'\n', &self.data[..offset as usize]).count() as u64)
    }
}

/// What came out of a piece.
#[derive(Debug, Default, PartialEq)]
struct Seen {
    bytes: Vec<u8>,
    /// The first line of each block and each oversized record, and the size of the latter.
    oversized: Vec<(u64, u64)>,
}

fn read(data: &[u8], cuts: &[u64], record_bytes_max: usize) -> Seen {
    let file: Arc<dyn RandomAccess> = Arc::new(Memory { data: data.to_vec(), path: "f".into() });
    let mut reader = BlockReader::new(record_bytes_max);
    let mut seen = Seen::default();
    let ends = cuts.iter().copied().chain([data.len() as u64]);
    let mut start = 0;
    for end in ends {
        let unread = Unread { file: Arc::clone(&file), range: start..end };
        start = end;
        let see = |payload| {
            match payload {
                Payload::Lines(lines) => {
                    let before = memchr::memchr_iter(b'\n', &seen.bytes).count() as u64 + 1;
                    if seen.oversized.is_empty() {
                        assert_eq!(lines.first_line.get(), Some(before));
                    }
                    seen.bytes.extend_from_slice(&lines.data);
                }
                Payload::Oversized(record) => {
                    assert!(record.head.len() <= OVERSIZED_HEAD_BYTES);
                    seen.oversized.push((record.line.get().unwrap(), record.size_bytes));
                }
                other => panic!("{other:?}"),
            }
            Ok(())
        };
        reader.read(&unread, see).unwrap();
    }
    seen
}

fn all_of(bytes: &[u8]) -> Seen {
    Seen { bytes: bytes.to_vec(), oversized: vec![] }
}

#[test]
fn every_cut_of_a_small_file_brings_every_line_once() {
    for text in ["a\nbc\n\ndef\n", "a\nbc", "\n\n\n", "x", "ab\r\ncd\r\n", "\n"] {
        let size = text.len() as u64;
        for first in 0..=size {
            for second in first..=size {
                assert_eq!(read(text.as_bytes(), &[first, second], 100), all_of(text.as_bytes()));
            }
        }
    }
}

#[test]
fn the_byte_order_mark_belongs_to_no_line() {
    let text = "\u{feff}a\nb\n";
    for cut in 0..=text.len() as u64 {
        assert_eq!(read(text.as_bytes(), &[cut], 100), all_of(b"a\nb\n"), "cut at {cut}");
    }
    assert_eq!(read("\u{feff}".as_bytes(), &[], 100), all_of(b""));
}

#[test]
fn lines_longer_than_a_block_are_whole() {
    let lines = |sizes: &[usize]| -> Vec<u8> {
        sizes.iter().flat_map(|size| [vec![b'x'; *size], vec![b'\n']].concat()).collect()
    };
    for sizes in [
        vec![BLOCK_BYTES - 1, BLOCK_BYTES, BLOCK_BYTES + 1, 3],
        vec![10, 5 * BLOCK_BYTES, 10, LINE_BYTES_MIN - 1, 0, 7],
        vec![100; 20_000],
        vec![LAST_LINE_BYTES - 1; 300],
        vec![LAST_LINE_BYTES + BLOCK_BYTES; 9],
    ] {
        let data = lines(&sizes);
        let size = data.len() as u64;
        let block = BLOCK_BYTES as u64;
        for cuts in [vec![], vec![size / 2], vec![size - 1], vec![1, 2, 3], vec![block]] {
            let cuts: Vec<u64> = cuts.into_iter().filter(|cut| *cut <= size).collect();
            assert!(read(&data, &cuts, 16 << 20) == all_of(&data), "{cuts:?}");
            assert!(
                read(&data[..data.len() - 1], &cuts, 16 << 20) == all_of(&data[..data.len() - 1])
            );
        }
    }
}

#[test]
fn lines_longer_than_the_limit_are_passed_over() {
    let long = vec![b'x'; 3 << 20];
    let data = [b"a\nb\n", &long[..], b"\nc\n", &long[..]].concat();
    let middle = 4..long.len() as u64 + 5;
    let oversized = vec![(3, long.len() as u64 + 1), (5, long.len() as u64)];
    let pieces: &[Range<u64>] = &[0..0, 2..2, 4..4, 5..5, 4..middle.end, 1 << 20..2 << 20];
    for cuts in pieces.iter().map(|range| [range.start, range.end]) {
        let seen = read(&data, &cuts, 1000);
        assert_eq!(seen.oversized, oversized, "{cuts:?}");
        assert_eq!(seen.bytes, b"a\nb\nc\n");
    }
}
