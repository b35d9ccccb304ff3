//! What the engine knows of an aggregate function: vectorised state indexed by group.
//! Invariant: a group is a small integer that the operator hands out; an accumulator keeps one Vec per piece of
//! state, never one object per group.

mod bags;
mod bitmaps;
mod builtin;
mod count;
mod deviations;
mod distinct;
mod extreme;
mod first_last;
mod lists;
mod percentile;
mod rows;
mod sum;
mod values;

use std::sync::Arc;

use arrow_array::{ArrayRef, BooleanArray};
use arrow_schema::DataType as ArrowType;
use mainstem_core::{Error, Result};

pub(crate) use distinct::Distinct;

pub use bags::{collect, json_objectagg, single_value};
pub use builtin::builtin;
pub use count::count;
pub use deviations::squared_deviations;
pub use extreme::{max, min};
pub use first_last::{first_value, last_value};
pub use lists::{array_agg, json_arrayagg, listagg};
pub use percentile::percentile;
pub use sum::{avg, sum, sum0};

/// An aggregate function with its argument types fixed by the binder.
pub trait AggregateFunction: Send + Sync + std::fmt::Debug {
    /// The SQL name, for EXPLAIN.
    fn name(&self) -> &str;

    /// A new, empty accumulator. With `retractable` it must take negative weights; without, all weights are
    /// positive, which allows cheaper state.
    fn accumulator(&self, retractable: bool) -> Box<dyn Accumulator>;

    /// The Arrow types of [`Accumulator::state`]; `None` if states of this function cannot be merged.
    fn state_types(&self) -> Option<Vec<ArrowType>>;

    /// True if rows whose argument is NULL count, which DISTINCT has to know.
    fn takes_nulls(&self) -> bool {
        false
    }
}

/// Changes as [`Accumulator::update`] takes them, and the places between them where results are read.
#[derive(Debug, Clone, Copy)]
#[allow(missing_docs, reason = "the arguments of update")]
pub struct Changes<'a> {
    pub args: &'a [ArrayRef],
    pub groups: &'a [u32],
    pub group_count: usize,
    pub filter: Option<&'a BooleanArray>,
    pub weights: Option<&'a [i64]>,
    /// How many changes are before it, and whose result is read; in order.
    pub reads: &'a [(u32, u32)],
}

/// The state of groups as rows, of which a group may have any number.
#[derive(Debug, Clone, Default)]
pub struct SavedGroups {
    /// For each row its group, as a place in the list of groups that were asked for.
    pub places: Vec<u32>,
    /// What an accumulator of the same function understands.
    pub columns: Vec<ArrayRef>,
}

/// The state of one aggregate call over all groups of one operator instance.
pub trait Accumulator: Send {
    /// Adds rows: row `i` of `args` belongs to group `groups[i] < group_count`. Rows for which `filter` is not true
    /// are left out. `weights` (`None`: all +1) may be negative only if made retractable.
    fn update(
        &mut self,
        args: &[ArrayRef],
        groups: &[u32],
        group_count: usize,
        filter: Option<&BooleanArray>,
        weights: Option<&[i64]>,
    ) -> Result<()>;

    /// Plays changes in order and gives the results read between them, one a read; `None`, with nothing done, if it
    /// has no quick way: the caller then updates and finishes piece by piece.
    fn scan(&mut self, _changes: &Changes<'_>) -> Result<Option<ArrayRef>> {
        Ok(None)
    }

    /// Adds partial states made by [`Accumulator::state`] of another accumulator of the same function. Asked only of those
    /// whose function has state types.
    fn merge(&mut self, _states: &[ArrayRef], _groups: &[u32], _group_count: usize) -> Result<()> {
        Err(Error::internal("this aggregate has no partial states to merge"))
    }

    /// The partial states of `groups`, in that order. Asked only of those whose function has state types.
    fn state(&self, _groups: &[u32]) -> Result<Vec<ArrayRef>> {
        Err(Error::internal("this aggregate has no partial states"))
    }

    /// All that is known of `groups`, for [`Accumulator::load`]; by default their partial states.
    fn save(&self, groups: &[u32]) -> Result<SavedGroups> {
        let columns = self.state(groups)?;
        Ok(SavedGroups { places: (0..groups.len() as u32).collect(), columns })
    }

    /// Takes rows that [`Accumulator::save`] gave, in their order, into groups that nothing else is known of: row `i` of
    /// `columns` belongs to `groups[i]`.
    fn load(&mut self, columns: &[ArrayRef], groups: &[u32], group_count: usize) -> Result<()> {
        self.merge(columns, groups, group_count)
    }

    /// Moves the state of group `from[i]` into group `to[i]` of this accumulator and forgets `from`; no group is in
    /// both. What `from` took in counts as having come after what `to` did. Every accumulator can do this, whether
    /// its partial states can be handed out or not.
    fn absorb(&mut self, from: &[u32], to: &[u32], group_count: usize) -> Result<()> {
        let states = self.state(from)?;
        self.merge(&states, to, group_count)?;
        self.clear(from);
        Ok(())
    }

    /// The results of `groups`, in that order.
    fn finish(&self, groups: &[u32]) -> Result<ArrayRef>;

    /// Forgets `groups`, so that their numbers can be handed out again.
    fn clear(&mut self, groups: &[u32]);

    /// Memory held, in bytes.
    fn size_bytes(&self) -> usize;
}

/// One aggregate call of a plan node.
#[derive(Debug, Clone)]
pub struct AggregateCall {
    /// The function.
    pub function: Arc<dyn AggregateFunction>,
    /// Input columns that are its arguments; none for COUNT(*).
    pub args: Vec<usize>,
    /// Input column of the FILTER clause, boolean.
    pub filter: Option<usize>,
    /// DISTINCT: the operator feeds each different argument row once a group.
    pub distinct: bool,
}

impl AggregateCall {
    /// The accumulator of this call, with DISTINCT applied.
    pub(crate) fn accumulator(&self, retractable: bool) -> Box<dyn Accumulator> {
        let inner = self.function.accumulator(retractable);
        if self.distinct {
            Box::new(Distinct::new(vec![inner], self.function.takes_nulls(), retractable))
        } else {
            inner
        }
    }

    /// The types of its partial states, if they can be merged.
    pub(crate) fn mergeable(&self) -> Option<Vec<ArrowType>> {
        if self.distinct { None } else { self.function.state_types() }
    }
}

#[cfg(test)]
mod tests;
