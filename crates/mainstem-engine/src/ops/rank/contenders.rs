//! The rows of a batch that can have a wanted rank, found where they come from: what has enough better rows of its partition beside
//! it in its batch is not sent to the worker that ranks them.
//! Invariant: a row that is left out would have left no trace, for the rows that are better go the same way, in the same order.

use arrow_array::BooleanArray;
use arrow_buffer::BooleanBuffer;
use mainstem_core::{Batch, Result};

use super::RankPlan;
use super::order::{Encoded, SortKeys};
use crate::key_table::KeyTable;
use crate::rank::{RankEmit, RankEnd, RankFunction};

/// After a batch of which less than a quarter was left out, this many go as they are.
const PAUSE_BATCHES: u32 = 32;

/// Finds contenders batch by batch.
pub(crate) struct Contenders {
    columns: Vec<usize>,
    table: KeyTable,
    keys: SortKeys,
    latest_first: bool,
    /// The last rank that is wanted.
    to: usize,
    ids: Vec<u32>,
    /// Batches that are left to go as they are.
    pause: u32,
}

impl Contenders {
    /// For a rank whose wanted rows follow from their numbers alone, however they come; `None` for others.
    pub(crate) fn new(plan: &RankPlan) -> Result<Option<Self>> {
        let RankEnd::Constant(to @ 1..) = plan.to else { return Ok(None) };
        let numbers = plan.function == RankFunction::RowNumber && !plan.changelog;
        let (true, RankEmit::Changes, Ok(to)) = (numbers, &plan.emit, usize::try_from(to)) else {
            return Ok(None);
        };
        let types: Vec<_> = plan.partition.iter().map(|&i| plan.input[i].clone()).collect();
        Ok(Some(Self {
            columns: plan.partition.clone(),
            table: KeyTable::new(&types)?,
            keys: SortKeys::new(&plan.order, &plan.input)?,
            latest_first: plan.latest_first,
            to,
            ids: Vec::new(),
            pause: 0,
        }))
    }

    /// True for each row of a batch that can have a wanted rank; `None`: all can, or it was not looked.
    pub(crate) fn find(&mut self, batch: &Batch) -> Result<Option<BooleanArray>> {
        if self.pause > 0 {
            self.pause -= 1;
            return Ok(None);
        }
        let rows = batch.rows();
        self.table.clear();
        self.table.intern(batch.project(&self.columns).columns(), rows, &mut self.ids)?;
        let mut crowds = Crowds::of(&self.ids, self.table.bound(), self.to);
        if crowds.rows.is_empty() {
            self.pause = PAUSE_BATCHES;
            return Ok(None);
        }
        let encoded = self.keys.encode(batch)?;
        let mut contends = vec![true; rows];
        let mut left_out = 0;
        for crowd in crowds.each() {
            let (_, first, rest) =
                crowd.select_nth_unstable_by(self.to, |&a, &b| self.compare(&encoded, a, b));
            left_out += 1 + rest.len();
            std::iter::once(first).chain(rest).for_each(|&mut row| contends[row as usize] = false);
        }
        if left_out * 4 < rows {
            self.pause = PAUSE_BATCHES;
        }
        Ok(Some(BooleanArray::new(BooleanBuffer::from(contends), None)))
    }

    /// Which of two rows of a partition has the smaller number.
    fn compare(&self, encoded: &Encoded, a: u32, b: u32) -> std::cmp::Ordering {
        let by_key = encoded.compare(a as usize, b as usize);
        by_key.then_with(|| if self.latest_first { b.cmp(&a) } else { a.cmp(&b) })
    }
}

/// The rows of partitions that have more of them in a batch than are wanted, partition by partition.
struct Crowds {
    rows: Vec<u32>,
    /// Where each partition's rows end.
    ends: Vec<u32>,
}

impl Crowds {
    /// `ids`: the partition of each row, below `bound`.
    fn of(ids: &[u32], bound: usize, wanted: usize) -> Self {
        let mut counts = vec![0u32; bound];
        ids.iter().for_each(|&id| counts[id as usize] += 1);
        let mut ends = Vec::new();
        let mut all = 0;
        // From counts to where the next row goes; nowhere for partitions without a crowd.
        for count in &mut counts {
            let rows = std::mem::replace(count, u32::MAX);
            if rows as usize > wanted {
                *count = all;
                all += rows;
                ends.push(all);
            }
        }
        let mut rows = vec![0; all as usize];
        for (row, &id) in (0..).zip(ids) {
            let at = &mut counts[id as usize];
            if *at != u32::MAX {
                rows[*at as usize] = row;
                *at += 1;
            }
        }
        Self { rows, ends }
    }

    fn each(&mut self) -> impl Iterator<Item = &mut [u32]> {
        let mut rest = self.rows.as_mut_slice();
        let mut from = 0;
        self.ends.iter().map(move |&end| {
            let (crowd, after) = std::mem::take(&mut rest).split_at_mut((end - from) as usize);
            (rest, from) = (after, end);
            crowd
        })
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use arrow_array::{ArrayRef, Int64Array, StringArray};
    use arrow_schema::DataType as ArrowType;
    use proptest::prelude::*;

    use super::*;

    /// Partition, integer key, text key.
    type Row = (Option<i64>, Option<i64>, i64);

    fn plan(order: Vec<(usize, bool, bool)>, latest_first: bool, to: u64) -> RankPlan {
        RankPlan {
            partition: vec![0],
            order,
            latest_first,
            function: RankFunction::RowNumber,
            from: 1,
            to: RankEnd::Constant(to),
            with_rank: true,
            emit: RankEmit::Changes,
            input: vec![ArrowType::Int64, ArrowType::Int64, ArrowType::Utf8],
            changelog: false,
            upserts: false,
            ttl_ms: None,
        }
    }

    /// Longer than a prefix.
    fn text(number: i64) -> String {
        format!("a sort key of many bytes, {number}")
    }

    fn batch(rows: &[Row]) -> Batch {
        let columns: Vec<ArrayRef> = vec![
            Arc::new(rows.iter().map(|row| row.0).collect::<Int64Array>()),
            Arc::new(rows.iter().map(|row| row.1).collect::<Int64Array>()),
            Arc::new(StringArray::from_iter_values(rows.iter().map(|row| text(row.2)))),
        ];
        Batch::new(columns, rows.len())
    }

    fn naive(plan: &RankPlan, rows: &[Row], to: u64) -> Vec<bool> {
        let key = |row: usize| -> Vec<(i8, i64)> {
            let part = |&(column, descending, nulls_first): &(usize, bool, bool)| {
                let value = if column == 1 { rows[row].1 } else { Some(rows[row].2) };
                match value {
                    None => (if nulls_first { -1 } else { 1 }, 0),
                    Some(value) => (0, if descending { -value } else { value }),
                }
            };
            plan.order.iter().map(part).collect()
        };
        let comes_before = |a: usize, b: usize| match key(a).cmp(&key(b)) {
            std::cmp::Ordering::Equal => {
                if plan.latest_first {
                    a > b
                } else {
                    a < b
                }
            }
            order => order.is_lt(),
        };
        let better = |row: usize| {
            let of_partition = |&other: &usize| rows[other].0 == rows[row].0;
            let others = (0..rows.len()).filter(of_partition);
            others.filter(|&other| comes_before(other, row)).count() as u64
        };
        (0..rows.len()).map(|row| better(row) < to).collect()
    }

    proptest! {
        #[test]
        fn rows_with_enough_better_ones_are_left_out(
            batches in prop::collection::vec(
                prop::collection::vec(
                    (prop::option::of(0i64..3), prop::option::of(0i64..4), 0i64..3),
                    0..40,
                ),
                1..4,
            ),
            order in prop::sample::select(vec![
                vec![],
                vec![(1, false, true)],
                vec![(1, true, false)],
                vec![(2, true, true)],
                vec![(1, false, false), (2, false, false)],
            ]),
            latest_first in any::<bool>(),
            to in 1u64..6,
        ) {
            let plan = plan(order, latest_first, to);
            let mut contenders = Contenders::new(&plan).unwrap().unwrap();
            for rows in batches {
                let expected = naive(&plan, &rows, to);
                let all = expected.iter().all(|&contends| contends);
                contenders.pause = 0;
                let found = contenders.find(&batch(&rows)).unwrap();
                prop_assert_eq!(found.is_none(), all);
                let found = found.unwrap_or_else(|| BooleanArray::from(vec![true; rows.len()]));
                prop_assert_eq!(found, BooleanArray::from(expected));
            }
        }
    }

    #[test]
    fn what_leaves_out_little_is_not_looked_at_for_a_while() {
        let plan = plan(vec![(1, false, false)], false, 1);
        let mut contenders = Contenders::new(&plan).unwrap().unwrap();
        let crowd: Vec<Row> = (0..8).map(|key| (Some(0), Some(key), 0)).collect();
        let loners: Vec<Row> = (0..8).map(|key| (Some(key), Some(key), 0)).collect();
        let mut looks = |rows: &[Row]| contenders.find(&batch(rows)).unwrap().is_some();
        assert!(looks(&crowd) && looks(&crowd));
        assert!(!looks(&loners));
        assert!((0..PAUSE_BATCHES).all(|_| !looks(&crowd)));
        assert!(looks(&crowd));
    }

    #[test]
    fn ranks_that_depend_on_more_are_left_alone() {
        let plan = plan(vec![(1, false, false)], false, 1);
        let alone = |plan: RankPlan| Contenders::new(&plan).unwrap().is_none();
        assert!(alone(RankPlan { changelog: true, ..plan.clone() }));
        assert!(alone(RankPlan { function: RankFunction::Rank, ..plan.clone() }));
        assert!(alone(RankPlan { to: RankEnd::Column(1), ..plan.clone() }));
        assert!(alone(RankPlan { to: RankEnd::Constant(0), ..plan.clone() }));
        assert!(alone(RankPlan { emit: RankEmit::FirstByTime { time: 1 }, ..plan }));
    }
}
