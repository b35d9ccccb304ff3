//! The one hash of key columns, for exchanges and key tables.
//! Invariant: equal keys hash equally in every batch, worker and run (the seed is fixed); NULL is a value.
//! Does not resist crafted collisions: inputs are the operator's own.

use std::hash::{BuildHasher, Hasher};

use arrow_array::cast::AsArray;
use arrow_array::{Array, ArrayRef};
use arrow_row::{RowConverter, SortField};
use arrow_schema::DataType as ArrowType;
use foldhash::fast::FixedState;
use mainstem_core::Result;

use crate::columns::{integers, is_integer_like, nulls};

const SEED: u64 = 0x9e37_79b9_7f4a_7c15;
const MULTIPLIER: u64 = 0xd6e8_feb8_6659_fd93;
const NULL_HASH: u64 = 0xa076_1d64_78bd_642f;

/// Mixes one 64-bit value into a running hash by a folded multiplication.
#[inline(always)]
pub(crate) fn mix(hash: u64, value: u64) -> u64 {
    let product = u128::from(hash ^ value) * u128::from(MULTIPLIER);
    (product as u64) ^ ((product >> 64) as u64)
}

/// The start of every hash.
pub(crate) const START: u64 = SEED;

/// Hashes byte strings with the fixed seed.
#[derive(Debug, Clone)]
pub(crate) struct ByteHasher(FixedState);

impl ByteHasher {
    pub(crate) fn new() -> Self {
        Self(FixedState::with_seed(SEED))
    }

    #[inline(always)]
    pub(crate) fn hash(&self, bytes: &[u8]) -> u64 {
        let mut hasher = self.0.build_hasher();
        hasher.write(bytes);
        hasher.finish()
    }
}

/// Hashes the rows of `columns` into `out`, which is overwritten.
pub(crate) fn hash_columns(columns: &[ArrayRef], rows: usize, out: &mut Vec<u64>) -> Result<()> {
    out.clear();
    out.resize(rows, START);
    let bytes = ByteHasher::new();
    for column in columns {
        let nulls = nulls(column);
        let is_null = |row: usize| nulls.is_some_and(|n| n.is_null(row));
        match column.data_type() {
            t if is_integer_like(t) => {
                let values = integers(column)?;
                match nulls {
                    None => {
                        out.iter_mut().zip(values.iter()).for_each(|(h, &v)| *h = mix(*h, v as u64))
                    }
                    Some(_) => {
                        out.iter_mut().zip(values.iter()).enumerate().for_each(|(row, (h, &v))| {
                            *h = mix(*h, if is_null(row) { NULL_HASH } else { v as u64 });
                        })
                    }
                }
            }
            ArrowType::Utf8 => {
                let values = column.as_string::<i32>();
                for (row, h) in out.iter_mut().enumerate() {
                    let value = values.value(row).as_bytes();
                    *h = mix(*h, if is_null(row) { NULL_HASH } else { bytes.hash(value) });
                }
            }
            other => {
                let converter = RowConverter::new(vec![SortField::new(other.clone())])?;
                let encoded = converter.convert_columns(std::slice::from_ref(column))?;
                for (row, h) in out.iter_mut().enumerate() {
                    let hash = bytes.hash(encoded.row(row).data());
                    *h = mix(*h, if is_null(row) { NULL_HASH } else { hash });
                }
            }
        }
    }
    Ok(())
}

/// The worker that owns a key, from bits that no hash table of sane size uses.
#[inline(always)]
pub(crate) fn owner(hash: u64, workers: usize) -> usize {
    ((u64::from((hash >> 20) as u32) * workers as u64) >> 32) as usize
}
