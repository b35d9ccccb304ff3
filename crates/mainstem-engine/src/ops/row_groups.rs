//! How rows are found that stand one behind the other on disk.
//! Invariant: in memory is one offset for a group of neighbours; a group is read whole, and its rows, which say themselves how long
//! they are, are told apart then. A group of short rows takes some [`GROUP_BYTES`], long rows stand alone: to read one row costs
//! about the same in both.

use std::ops::Range;

use super::row_codec::{EncodedRows, RowCodec};

const GROUP_BYTES: usize = 2 << 10;
const GROUP_ROWS_MAX: usize = 16;

#[derive(Debug)]
pub(super) struct RowGroups {
    rows: usize,
    rows_a_group: usize,
    /// Of each group, and behind the last.
    starts: Box<[u32]>,
}

impl RowGroups {
    pub(super) fn of(rows: &EncodedRows) -> Self {
        let count = rows.offsets.len() - 1;
        let mean = rows.bytes.len() / count.max(1);
        let rows_a_group = (GROUP_BYTES / mean.max(1)).clamp(1, GROUP_ROWS_MAX);
        let groups = rows.offsets[..count].iter().step_by(rows_a_group);
        let starts = groups.chain(&rows.offsets[count..]).copied().collect();
        Self { rows: count, rows_a_group, starts }
    }

    pub(super) fn group(&self, row: usize) -> usize {
        row / self.rows_a_group
    }

    pub(super) fn len(&self) -> usize {
        self.starts.len() - 1
    }

    /// Where the bytes of neighbouring groups are.
    pub(super) fn bytes(&self, groups: &Range<usize>) -> Range<usize> {
        self.starts[groups.start] as usize..self.starts[groups.end] as usize
    }

    /// Each row of neighbouring groups, and where it is in `bytes`, which are theirs.
    pub(super) fn rows<'a>(
        &self,
        groups: &Range<usize>,
        codec: &'a RowCodec,
        bytes: &'a [u8],
    ) -> impl Iterator<Item = (usize, Range<usize>)> + 'a {
        let rows =
            groups.start * self.rows_a_group..(groups.end * self.rows_a_group).min(self.rows);
        rows.scan(0, |at, row| {
            let start = *at;
            *at += codec.length(&bytes[start..]);
            Some((row, start..*at))
        })
    }

    pub(super) fn size_bytes(&self) -> usize {
        size_of_val(&*self.starts)
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use arrow_array::{ArrayRef, Int64Array, StringArray};

    use super::*;

    #[test]
    fn rows_are_where_they_were_put() {
        for (rows, length, together) in
            [(0, 1, 16), (1, 9, 16), (16, 0, 16), (33, 70, 16), (100, 500, 4), (7, 9_000, 1)]
        {
            let text = |row| (row % 5 != 4).then(|| "x".repeat(length + row % 3));
            let columns: Vec<ArrayRef> = vec![
                Arc::new((0..rows as i64).collect::<Int64Array>()),
                Arc::new((0..rows).map(text).collect::<StringArray>()),
            ];
            let types: Vec<_> = columns.iter().map(|column| column.data_type().clone()).collect();
            let codec = RowCodec::new(&types).unwrap();
            let encoded = codec.encode(&columns, rows).unwrap();
            let groups = RowGroups::of(&encoded);
            assert_eq!((groups.rows_a_group, groups.len()), (together, rows.div_ceil(together)));
            assert_eq!(groups.size_bytes(), 4 * groups.len() + 4);
            for first in 0..groups.len() {
                let some = first..groups.len().min(first + 2);
                let bytes = groups.bytes(&some);
                for (row, at) in groups.rows(&some, &codec, &encoded.bytes[bytes.clone()]) {
                    assert!(some.contains(&groups.group(row)));
                    let expected = encoded.offsets[row] as usize..encoded.offsets[row + 1] as usize;
                    assert_eq!(bytes.start + at.start..bytes.start + at.end, expected);
                }
            }
        }
    }
}
