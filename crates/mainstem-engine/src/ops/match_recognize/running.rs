//! Aggregates of DEFINE over the rows of the variable that asks, or over all rows of the run: carried from row to row.
//! Invariant: a group holds the rows of one run up to the row that was asked about last. A run that takes the row hands
//! its group on to the run it becomes, of which there is one; so a row costs a run one update, however long it is.

use arrow_array::ArrayRef;
use mainstem_core::Result;

use super::super::rows::Rows;
use super::slots::{UNSET, View};
use crate::aggregate::{Accumulator, SavedGroups};
use crate::key_table::Ids;
use crate::match_recognize::{MatchExpr, MatchSpec, Slot};

/// One aggregate of a condition.
struct Call {
    slot: usize,
    variable: Option<usize>,
    args: Vec<usize>,
    accumulator: Box<dyn Accumulator>,
}

/// The aggregates of one variable's condition.
#[derive(Default)]
struct OfVariable {
    calls: Vec<Call>,
    groups: Ids,
    /// Groups that were handed out or lent in this pass.
    touched: Vec<u32>,
}

/// By variable.
pub(super) struct Running(Vec<OfVariable>);

impl Running {
    pub(super) fn new(spec: &MatchSpec) -> Self {
        let of = |(own, condition): (usize, Option<&MatchExpr>)| {
            let slots = condition.map_or(&[][..], |condition| &condition.slots);
            let call = |(slot, what): (usize, &Slot)| match what {
                Slot::Aggregate { variable, function, args }
                    if variable.is_none_or(|variable| variable == own) =>
                {
                    let (variable, args) = (*variable, args.clone());
                    let accumulator = function.accumulator(false);
                    Some(Call { slot, variable, args, accumulator })
                }
                _ => None,
            };
            let calls = slots.iter().enumerate().filter_map(call).collect();
            OfVariable { calls, ..OfVariable::default() }
        };
        let conditions = spec.variables.iter().map(|v| v.condition.as_ref());
        Self(conditions.enumerate().map(of).collect())
    }

    /// True if runs of this variable have groups.
    pub(super) fn has_groups(&self, variable: u16) -> bool {
        !self.0[usize::from(variable)].calls.is_empty()
    }

    /// A group that a run brings into the pass.
    pub(super) fn lend(&mut self, variable: u16, group: u32) {
        self.0[usize::from(variable)].touched.push(group);
    }

    /// The values of the aggregates of a condition, by slot, with the row that is asked about. `groups` are those of
    /// the runs, [`UNSET`] for runs without; afterwards those that the runs may hand on.
    pub(super) fn values(
        &mut self,
        variable: u16,
        views: &[View<'_>],
        groups: &mut [u32],
        store: &Rows,
    ) -> Result<Vec<(usize, ArrayRef)>> {
        let own = &mut self.0[usize::from(variable)];
        let is_new: Vec<bool> = groups.iter().map(|&group| group == UNSET).collect();
        for (group, _) in groups.iter_mut().zip(&is_new).filter(|(_, new)| **new) {
            *group = own.groups.allocate();
            own.touched.push(*group);
        }
        let mut values = Vec::new();
        for call in &mut own.calls {
            let (mut rows, mut into) = (Vec::new(), Vec::new());
            for ((view, &group), &is_new) in views.iter().zip(groups.iter()).zip(&is_new) {
                let (from, to) = view.range(call.variable);
                let from = if is_new { from } else { view.at };
                rows.extend(view.rows[from as usize..to as usize].iter().map(|held| held.row));
                into.resize(rows.len(), group);
            }
            let args: Vec<ArrayRef> =
                call.args.iter().map(|&c| store.gather_column(c, &rows)).collect::<Result<_>>()?;
            call.accumulator.update(&args, &into, own.groups.bound(), None, None)?;
            values.push((call.slot, call.accumulator.finish(groups)?));
        }
        Ok(values)
    }

    /// Forgets the groups of this pass that are not among `kept` (variable and group).
    pub(super) fn end_pass(&mut self, kept: &[(u16, u32)]) {
        for (variable, own) in self.0.iter_mut().enumerate() {
            let of_own = kept.iter().filter(|(v, _)| usize::from(*v) == variable);
            let mut kept: Vec<u32> = of_own.map(|(_, group)| *group).collect();
            kept.sort_unstable();
            own.touched.retain(|group| kept.binary_search(group).is_err());
            own.calls.iter_mut().for_each(|call| call.accumulator.clear(&own.touched));
            own.groups.release(&own.touched);
            own.touched.clear();
        }
    }

    /// Forgets groups (variable and group).
    pub(super) fn release(&mut self, groups: &[(u16, u32)]) {
        for &(variable, group) in groups {
            let own = &mut self.0[usize::from(variable)];
            own.calls.iter_mut().for_each(|call| call.accumulator.clear(&[group]));
            own.groups.release(&[group]);
        }
    }

    /// How many aggregates a variable has.
    pub(super) fn calls(&self, variable: u16) -> usize {
        self.0[usize::from(variable)].calls.len()
    }

    /// What each aggregate of a variable knows of groups.
    pub(super) fn save(&self, variable: u16, groups: &[u32]) -> Result<Vec<SavedGroups>> {
        let calls = self.0[usize::from(variable)].calls.iter();
        calls.map(|call| call.accumulator.save(groups)).collect()
    }

    /// A group for a run that is loaded.
    pub(super) fn allocate(&mut self, variable: u16) -> u32 {
        self.0[usize::from(variable)].groups.allocate()
    }

    /// Takes what [`Running::save`] gave for an aggregate.
    pub(super) fn load(
        &mut self,
        variable: u16,
        call: usize,
        columns: &[ArrayRef],
        groups: &[u32],
    ) -> Result<()> {
        let own = &mut self.0[usize::from(variable)];
        own.calls[call].accumulator.load(columns, groups, own.groups.bound())
    }

    pub(super) fn size_bytes(&self) -> usize {
        let calls = self.0.iter().flat_map(|own| &own.calls);
        calls.map(|call| call.accumulator.size_bytes()).sum()
    }
}
