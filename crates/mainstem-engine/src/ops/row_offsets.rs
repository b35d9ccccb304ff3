//! Where rows begin that stand one behind the other on disk.
//! Invariant: what was given comes out again, in some two bytes a row, as long as [`NEAR_ROWS`] rows take less than 64 KiB.

/// So many rows share a whole offset.
const NEAR_ROWS: usize = 16;

/// The offsets of rows, ascending, and behind them the end of the last.
#[derive(Debug)]
pub(super) enum RowOffsets {
    /// An offset for every [`NEAR_ROWS`] rows, and how far each row is beyond it.
    Near {
        whole: Box<[u32]>,
        beyond: Box<[u16]>,
    },
    Far(Box<[u32]>),
}

impl RowOffsets {
    pub(super) fn at(&self, row: usize) -> usize {
        match self {
            Self::Near { whole, beyond } => {
                whole[row / NEAR_ROWS] as usize + usize::from(beyond[row])
            }
            Self::Far(offsets) => offsets[row] as usize,
        }
    }

    pub(super) fn size_bytes(&self) -> usize {
        match self {
            Self::Near { whole, beyond } => size_of_val(&**whole) + size_of_val(&**beyond),
            Self::Far(offsets) => size_of_val(&**offsets),
        }
    }
}

impl From<Box<[u32]>> for RowOffsets {
    fn from(offsets: Box<[u32]>) -> Self {
        let mut beyond = Vec::with_capacity(offsets.len());
        for near in offsets.chunks(NEAR_ROWS) {
            for offset in near {
                match u16::try_from(offset - near[0]) {
                    Ok(far) => beyond.push(far),
                    Err(_) => return Self::Far(offsets),
                }
            }
        }
        let whole = offsets.iter().copied().step_by(NEAR_ROWS).collect();
        Self::Near { whole, beyond: beyond.into() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn offsets_come_out_as_they_were() {
        for (rows, bytes) in
            [(0, 1), (1, 70_000), (15, 9), (16, 9), (17, 4_000), (40, 4_096), (100, 5_000)]
        {
            let offsets: Box<[u32]> = (0..=rows).map(|row| row * bytes).collect();
            let kept = RowOffsets::from(offsets.clone());
            for (row, &offset) in offsets.iter().enumerate() {
                assert_eq!(kept.at(row), offset as usize, "{rows} rows of {bytes} bytes");
            }
            let near = matches!(kept, RowOffsets::Near { .. });
            assert_eq!(near, (NEAR_ROWS - 1).min(rows as usize) as u32 * bytes < 1 << 16);
            assert!(!near || kept.size_bytes() <= 4 + offsets.len() * 9 / 4);
        }
    }
}
