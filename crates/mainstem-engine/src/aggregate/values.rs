//! Values kept once each, by number, for accumulators that keep rows apart.
//! Invariant: a number stands for its value while somebody holds it; equal values have equal numbers, NULL among them.
//! No object per value: they lie in a key table.

use arrow_array::{Array, ArrayRef, BooleanArray};
use arrow_buffer::BooleanBuffer;
use arrow_schema::DataType as ArrowType;
use arrow_select::filter::filter;
use mainstem_core::Result;

use crate::key_table::KeyTable;

pub(super) struct Values {
    table: KeyTable,
    /// By number: how often it is held.
    holders: Vec<u32>,
    /// Numbers that may have lost their last holder.
    loose: Vec<u32>,
}

impl Values {
    /// For columns of these types; refuses types that cannot be compared.
    pub(super) fn new(types: &[ArrowType]) -> Result<Self> {
        Ok(Self { table: KeyTable::new(types)?, holders: Vec::new(), loose: Vec::new() })
    }

    /// True if columns of this type can be kept.
    pub(super) fn takes(input: &ArrowType) -> bool {
        KeyTable::new(std::slice::from_ref(input)).is_ok()
    }

    /// The numbers of the selected rows, in their order. Whoever wants to keep one holds it before
    /// [`Values::sweep`].
    pub(super) fn intern(
        &mut self,
        columns: &[ArrayRef],
        selection: Option<&BooleanBuffer>,
    ) -> Result<Vec<u32>> {
        let mut numbers = Vec::new();
        match selection {
            None => self.table.intern(columns, columns[0].len(), &mut numbers)?,
            Some(mask) => {
                let mask = BooleanArray::new(mask.clone(), None);
                let kept: Vec<ArrayRef> =
                    columns.iter().map(|c| filter(c, &mask)).collect::<Result<_, _>>()?;
                self.table.intern(&kept, kept[0].len(), &mut numbers)?;
            }
        }
        self.holders.resize(self.holders.len().max(self.table.bound()), 0);
        self.loose.extend(&numbers);
        Ok(numbers)
    }

    #[inline]
    pub(super) fn hold(&mut self, number: u32) {
        self.holders[number as usize] += 1;
    }

    #[inline]
    pub(super) fn let_go(&mut self, number: u32) {
        let holders = &mut self.holders[number as usize];
        *holders -= 1;
        if *holders == 0 {
            self.loose.push(number);
        }
    }

    /// Forgets the values that nobody holds.
    pub(super) fn sweep(&mut self) {
        let holders = &self.holders;
        self.loose.retain(|&number| holders[number as usize] == 0);
        self.loose.sort_unstable();
        self.loose.dedup();
        self.table.release(&self.loose);
        self.loose.clear();
    }

    /// The columns of the given numbers, in that order.
    pub(super) fn columns(&self, numbers: &[u32]) -> Result<Vec<ArrayRef>> {
        self.table.emit(numbers)
    }

    pub(super) fn size_bytes(&self) -> usize {
        self.table.size_bytes() + (self.holders.capacity() + self.loose.capacity()) * 4
    }
}
