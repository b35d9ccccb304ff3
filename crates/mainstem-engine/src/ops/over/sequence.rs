//! The rows of a partition in order: a list of entries in chunks.
//! Invariant: no chunk is empty or longer than [`CHUNK_MAX`]. Finding, adding and removing an entry cost the logarithm
//! of the length, plus moving one chunk, plus looking at the lengths of the chunks before it.

use std::ops::Range;

const CHUNK_MAX: usize = 512;

#[derive(Debug, Default)]
pub(super) struct Sequence {
    chunks: Vec<Vec<u32>>,
    length: usize,
}

impl Sequence {
    pub(super) fn len(&self) -> usize {
        self.length
    }

    /// How many entries, from the first on, are before the point that `before` describes.
    pub(super) fn partition_point(&self, before: impl Fn(u32) -> bool) -> usize {
        let chunk = self.chunks.partition_point(|chunk| before(chunk[chunk.len() - 1]));
        let skipped: usize = self.chunks[..chunk].iter().map(Vec::len).sum();
        let inside =
            self.chunks.get(chunk).map_or(0, |chunk| chunk.partition_point(|&entry| before(entry)));
        skipped + inside
    }

    /// The chunk that holds place `at`, and where in it; for the end, the place behind the last entry.
    fn locate(&self, at: usize) -> (usize, usize) {
        let mut rest = at;
        for (index, chunk) in self.chunks.iter().enumerate() {
            if rest < chunk.len() || (rest == chunk.len() && index + 1 == self.chunks.len()) {
                return (index, rest);
            }
            rest -= chunk.len();
        }
        (self.chunks.len(), 0)
    }

    pub(super) fn get(&self, at: usize) -> u32 {
        let (chunk, inside) = self.locate(at);
        self.chunks[chunk][inside]
    }

    pub(super) fn insert(&mut self, at: usize, entry: u32) {
        let (chunk, inside) = self.locate(at);
        if chunk == self.chunks.len() {
            self.chunks.push(Vec::new());
        }
        self.chunks[chunk].insert(inside, entry);
        self.length += 1;
        if self.chunks[chunk].len() > CHUNK_MAX {
            // Rows mostly come at the end: a chunk that is full there stays full.
            let last = chunk + 1 == self.chunks.len() && inside + 1 == self.chunks[chunk].len();
            let keep = if last { CHUNK_MAX } else { CHUNK_MAX / 2 };
            let tail = self.chunks[chunk].split_off(keep);
            self.chunks.insert(chunk + 1, tail);
        }
    }

    /// Adds an entry behind all others.
    pub(super) fn push(&mut self, entry: u32) {
        match self.chunks.last_mut() {
            Some(last) if last.len() < CHUNK_MAX => last.push(entry),
            _ => self.chunks.push(vec![entry]),
        }
        self.length += 1;
    }

    pub(super) fn remove(&mut self, at: usize) {
        let (chunk, inside) = self.locate(at);
        self.chunks[chunk].remove(inside);
        self.length -= 1;
        if self.chunks[chunk].is_empty() {
            self.chunks.remove(chunk);
        }
    }

    /// The entries of a range of places.
    pub(super) fn range(&self, range: Range<usize>) -> impl Iterator<Item = u32> + '_ {
        let (chunk, inside) = self.locate(range.start);
        let chunks = self.chunks.get(chunk..).unwrap_or_default();
        chunks.iter().flatten().copied().skip(inside).take(range.len())
    }

    pub(super) fn size_bytes(&self) -> usize {
        let entries: usize = self.chunks.iter().map(Vec::capacity).sum();
        entries * 4 + self.chunks.capacity() * size_of::<Vec<u32>>()
    }
}

#[cfg(test)]
mod tests {
    use super::Sequence;

    #[test]
    fn a_sequence_is_a_sorted_vector() {
        let mut sequence = Sequence::default();
        let mut model: Vec<u32> = Vec::new();
        let mut state = 1u32;
        for round in 0..6000 {
            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            let value = if round % 3 == 0 { state >> 16 } else { 100_000 + round };
            let at = sequence.partition_point(|entry| entry < value);
            assert_eq!(at, model.partition_point(|&entry| entry < value));
            if round % 5 == 4 && at < model.len() {
                sequence.remove(at);
                model.remove(at);
            } else {
                sequence.insert(at, value);
                model.insert(at, value);
            }
            assert_eq!(sequence.len(), model.len());
            if round % 97 == 0 {
                let from = (state as usize >> 8) % (model.len() + 1);
                let to = model.len().min(from + 700);
                let range: Vec<u32> = sequence.range(from..to).collect();
                assert_eq!(range, model[from..to]);
                assert_eq!(
                    sequence.get(from.min(model.len() - 1)),
                    model[from.min(model.len() - 1)]
                );
            }
        }
        while !model.is_empty() {
            sequence.remove(model.len() / 2);
            model.remove(model.len() / 2);
        }
        assert_eq!(sequence.range(0..0).count(), 0);
    }
}
