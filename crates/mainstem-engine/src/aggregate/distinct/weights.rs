//! The weight of each value for each call.
//! Invariant: where no row is ever taken back, a weight is 0 or 1: a value that was seen stays seen, and a bit says so.

use arrow_buffer::BooleanBuffer;

/// Calls whose bits are one byte.
const BYTE: usize = u8::BITS as usize;

/// By value, and call.
pub(super) struct Weights {
    calls: usize,
    kind: Kind,
}

enum Kind {
    Counts(Vec<i64>),
    /// A bit a call: bytes of a value stand side by side.
    Seen(Vec<u8>),
}

impl Weights {
    pub(super) fn new(calls: usize, retracts: bool) -> Self {
        let kind = if retracts { Kind::Counts(Vec::new()) } else { Kind::Seen(Vec::new()) };
        Self { calls, kind }
    }

    /// Bytes a value.
    fn bytes(&self) -> usize {
        self.calls.div_ceil(BYTE)
    }

    /// New values weigh nothing.
    pub(super) fn resize(&mut self, values: usize) {
        let bytes = self.bytes();
        match &mut self.kind {
            Kind::Counts(counts) => counts.resize(values * self.calls, 0),
            Kind::Seen(seen) => seen.resize(values * bytes, 0),
        }
    }

    pub(super) fn get(&self, value: u32, call: usize) -> i64 {
        match &self.kind {
            Kind::Counts(counts) => counts[value as usize * self.calls + call],
            Kind::Seen(seen) => {
                let byte = seen[value as usize * self.bytes() + call / BYTE];
                i64::from(byte >> (call % BYTE) & 1)
            }
        }
    }

    /// Adds to a weight; what it was, and what it is.
    pub(super) fn add(&mut self, value: u32, call: usize, weight: i64) -> (i64, i64) {
        let (before, bytes) = (self.get(value, call), self.bytes());
        match &mut self.kind {
            Kind::Counts(counts) => counts[value as usize * self.calls + call] += weight,
            Kind::Seen(seen) => {
                let byte = &mut seen[value as usize * bytes + call / BYTE];
                *byte |= u8::from(weight > 0) << (call % BYTE);
            }
        }
        (before, self.get(value, call))
    }

    /// Rows come, none twice as much as another: by call, which of them have a value that weighed nothing. `filters`: by call, the
    /// rows that count.
    pub(super) fn first_of(
        &mut self,
        values: &[u32],
        filters: &[Option<BooleanBuffer>],
    ) -> Vec<BooleanBuffer> {
        let rows = values.len();
        let counts =
            |call: usize, row: usize| filters[call].as_ref().is_none_or(|filter| filter.value(row));
        let bytes = self.bytes();
        let Kind::Seen(seen) = &mut self.kind else {
            let first = |call: usize| {
                let mut first = |row: usize| {
                    let (before, after) = self.add(values[row], call, i64::from(counts(call, row)));
                    before <= 0 && after > 0
                };
                BooleanBuffer::collect_bool(rows, &mut first)
            };
            return (0..filters.len()).map(first).collect();
        };
        let mut all = Vec::with_capacity(filters.len());
        // No branch on what a row has: that would be guessed wrong half of the time.
        for (at, filters) in filters.chunks(BYTE).enumerate() {
            let mut new = vec![u8::MAX; rows];
            for (call, filter) in filters.iter().enumerate() {
                let Some(filter) = filter else { continue };
                let bits = new.iter_mut().zip(filter);
                bits.for_each(|(bits, counts)| *bits &= !(u8::from(!counts) << call));
            }
            for (new, &value) in new.iter_mut().zip(values) {
                let seen = &mut seen[value as usize * bytes + at];
                (*new, *seen) = (*new & !*seen, *seen | *new);
            }
            all.extend(
                (0..filters.len())
                    .map(|call| BooleanBuffer::collect_bool(rows, |row| new[row] >> call & 1 == 1)),
            );
        }
        all
    }

    pub(super) fn is_zero(&self, value: u32) -> bool {
        (0..self.calls).all(|call| self.get(value, call) == 0)
    }

    pub(super) fn clear(&mut self, value: u32) {
        let (value, bytes) = (value as usize, self.bytes());
        match &mut self.kind {
            Kind::Counts(counts) => counts[value * self.calls..][..self.calls].fill(0),
            Kind::Seen(seen) => seen[value * bytes..][..bytes].fill(0),
        }
    }

    /// Memory held, in bytes.
    pub(super) fn size_bytes(&self) -> usize {
        match &self.kind {
            Kind::Counts(counts) => counts.capacity() * size_of::<i64>(),
            Kind::Seen(seen) => seen.capacity(),
        }
    }
}
