//! COUNT(*) and COUNT(x).
//! Invariant: the count of a group without rows is 0, never NULL.

use std::sync::Arc;

use arrow_array::cast::AsArray;
use arrow_array::types::Int64Type;
use arrow_array::{ArrayRef, BooleanArray, Int64Array};
use arrow_schema::DataType as ArrowType;
use mainstem_core::Result;

use super::rows::{Step, each_row, grow, play, selection};
use super::{Accumulator, AggregateFunction, Changes};

/// COUNT: with no argument it counts rows, with arguments the rows in which none is NULL.
pub fn count() -> Arc<dyn AggregateFunction> {
    Arc::new(Count)
}

#[derive(Debug)]
struct Count;

impl AggregateFunction for Count {
    fn name(&self) -> &str {
        "COUNT"
    }

    fn accumulator(&self, _retractable: bool) -> Box<dyn Accumulator> {
        Box::new(Counts(Vec::new()))
    }

    fn state_types(&self) -> Option<Vec<ArrowType>> {
        Some(vec![ArrowType::Int64])
    }
}

struct Counts(Vec<i64>);

impl Counts {
    fn gather(&self, groups: &[u32]) -> ArrayRef {
        let count = |&group: &u32| self.0.get(group as usize).copied().unwrap_or(0);
        Arc::new(groups.iter().map(count).collect::<Int64Array>())
    }
}

impl Accumulator for Counts {
    fn update(
        &mut self,
        args: &[ArrayRef],
        groups: &[u32],
        group_count: usize,
        filter: Option<&BooleanArray>,
        weights: Option<&[i64]>,
    ) -> Result<()> {
        grow(&mut self.0, group_count);
        let counts = self.0.as_mut_slice();
        let mask = selection(args, filter);
        each_row(groups, mask.as_ref(), weights, |_, group, weight| counts[group] += weight);
        Ok(())
    }

    fn scan(&mut self, changes: &Changes<'_>) -> Result<Option<ArrayRef>> {
        grow(&mut self.0, changes.group_count);
        let counts = self.0.as_mut_slice();
        let mut results = Vec::with_capacity(changes.reads.len());
        play(changes, |step| match step {
            Step::Change(_, group, weight) => counts[group] += weight,
            Step::Read(group) => results.push(counts[group]),
        });
        Ok(Some(Arc::new(Int64Array::from(results))))
    }

    fn merge(&mut self, states: &[ArrayRef], groups: &[u32], group_count: usize) -> Result<()> {
        grow(&mut self.0, group_count);
        let partial = states[0].as_primitive::<Int64Type>().values();
        groups.iter().zip(partial).for_each(|(&group, count)| self.0[group as usize] += count);
        Ok(())
    }

    fn state(&self, groups: &[u32]) -> Result<Vec<ArrayRef>> {
        Ok(vec![self.gather(groups)])
    }

    fn finish(&self, groups: &[u32]) -> Result<ArrayRef> {
        Ok(self.gather(groups))
    }

    fn clear(&mut self, groups: &[u32]) {
        for &group in groups {
            if let Some(count) = self.0.get_mut(group as usize) {
                *count = 0;
            }
        }
    }

    fn size_bytes(&self) -> usize {
        self.0.capacity() * 8
    }
}
