//! The aggregate calls of one operator, driven together.
//! Invariant: all accumulators know the same groups; calls with DISTINCT over the same arguments keep their values once.

use std::sync::Arc;

use arrow_array::cast::AsArray;
use arrow_array::{ArrayRef, BooleanArray};
use mainstem_core::{Batch, Error, Result};
use mainstem_state::table::{Change, TableChange, TableRows, TableShape};

use crate::aggregate::{Accumulator, AggregateCall, Distinct, SavedGroups};

/// The tables of their state are named by the number of the part.
const CALL: &str = "call ";

pub(super) struct Calls {
    calls: Vec<AggregateCall>,
    parts: Vec<Part>,
    /// How many state columns each call has; empty if states cannot be merged.
    state_widths: Vec<usize>,
    /// Scratch.
    args: Vec<ArrayRef>,
}

/// What keeps the state of one or more calls, which are named by their places.
enum Part {
    One(usize, Box<dyn Accumulator>),
    /// Calls with DISTINCT over the same arguments.
    Distinct(Vec<usize>, Box<Distinct>),
}

impl Part {
    fn accumulator(&self) -> &dyn Accumulator {
        match self {
            Part::One(_, accumulator) => accumulator.as_ref(),
            Part::Distinct(_, distinct) => distinct.as_ref(),
        }
    }

    fn accumulator_mut(&mut self) -> &mut dyn Accumulator {
        match self {
            Part::One(_, accumulator) => accumulator.as_mut(),
            Part::Distinct(_, distinct) => distinct.as_mut(),
        }
    }
}

/// Calls that share what they keep, by their places.
fn shared(calls: &[AggregateCall]) -> Vec<Vec<usize>> {
    let mut found: Vec<Vec<usize>> = Vec::new();
    for (place, call) in calls.iter().enumerate() {
        let nulls = call.function.takes_nulls();
        let same = |other: &&mut Vec<usize>| {
            let other = &calls[other[0]];
            call.distinct
                && other.distinct
                && (&other.args, other.function.takes_nulls()) == (&call.args, nulls)
        };
        match found.iter_mut().find(same) {
            Some(others) => others.push(place),
            None => found.push(vec![place]),
        }
    }
    found
}

impl Calls {
    pub(super) fn new(calls: &[AggregateCall], retractable: bool) -> Self {
        let widths: Option<Vec<usize>> =
            calls.iter().map(|call| call.mergeable().map(|types| types.len())).collect();
        let parts = shared(calls).into_iter().map(|places| match places[..] {
            [place] => Part::One(place, calls[place].accumulator(retractable)),
            _ => {
                let inner = |&place: &usize| calls[place].function.accumulator(retractable);
                let nulls = calls[places[0]].function.takes_nulls();
                let distinct =
                    Distinct::new(places.iter().map(inner).collect(), nulls, retractable);
                Part::Distinct(places, Box::new(distinct))
            }
        });
        Self {
            parts: parts.collect(),
            calls: calls.to_vec(),
            state_widths: widths.unwrap_or_default(),
            args: Vec::new(),
        }
    }

    pub(super) fn update(
        &mut self,
        batch: &Batch,
        groups: &[u32],
        group_count: usize,
    ) -> Result<()> {
        let weights = batch.weights().map(|w| &w[..]);
        let filter = |call: &AggregateCall| {
            call.filter.map(|column| boolean(batch.column(column))).transpose()
        };
        for part in &mut self.parts {
            let first = match part {
                Part::One(place, _) => *place,
                Part::Distinct(places, _) => places[0],
            };
            let first = &self.calls[first];
            self.args.clear();
            self.args.extend(first.args.iter().map(|&i| Arc::clone(batch.column(i))));
            let args = &self.args;
            match part {
                Part::One(_, accumulator) => {
                    accumulator.update(args, groups, group_count, filter(first)?, weights)?;
                }
                Part::Distinct(places, distinct) => {
                    let filters = places.iter().map(|&place| filter(&self.calls[place]));
                    let filters = filters.collect::<Result<Vec<_>>>()?;
                    distinct.update_all(args, groups, group_count, &filters, weights)?;
                }
            }
        }
        self.args.clear();
        Ok(())
    }

    /// Merges states laid out as [`Calls::states`] does. Calls with DISTINCT have none, so here each call is a part.
    pub(super) fn merge(
        &mut self,
        states: &[ArrayRef],
        groups: &[u32],
        group_count: usize,
    ) -> Result<()> {
        let mut rest = states;
        for (part, &width) in self.parts.iter_mut().zip(&self.state_widths) {
            let (own, others) = rest.split_at(width);
            part.accumulator_mut().merge(own, groups, group_count)?;
            rest = others;
        }
        Ok(())
    }

    pub(super) fn states(&self, groups: &[u32]) -> Result<Vec<ArrayRef>> {
        let mut columns = Vec::new();
        for part in &self.parts {
            columns.extend(part.accumulator().state(groups)?);
        }
        Ok(columns)
    }

    /// All that is known of `groups`: a table for each part, in whose rows the columns of `names` stand first, a row of which
    /// names a group. Their owner is who has the first `owner` of those.
    pub(super) fn save(
        &self,
        groups: &[u32],
        names: &Batch,
        owner: usize,
    ) -> Result<Vec<TableRows>> {
        let rows = named(names, self.saved(groups)?)?.into_iter().enumerate();
        let table = |(number, (_, rows))| Self::shape(number, owner).with_rows(vec![rows]);
        Ok(rows.map(table).collect())
    }

    /// What [`Calls::saved`] gave as a change of each of those tables: the rows replace those with the same values in the first
    /// `key` of the `names`.
    pub(super) fn changes(
        names: &Batch,
        key: usize,
        owner: usize,
        saved: Vec<SavedGroups>,
    ) -> Result<Vec<TableChange>> {
        let key: Vec<usize> = (0..key).collect();
        let rows = named(names, saved)?.into_iter().enumerate();
        let change = |(number, (each, rows)): (usize, (bool, Batch))| {
            let removed = if each { Vec::new() } else { vec![names.project(&key)] };
            let change = Change::Replaced { key: key.clone(), rows: vec![rows], removed };
            Self::shape(number, owner).changed(change)
        };
        Ok(rows.map(change).collect())
    }

    /// The shapes of those tables.
    pub(super) fn shapes(&self, owner: usize) -> impl Iterator<Item = TableShape> {
        (0..self.parts.len()).map(move |number| Self::shape(number, owner))
    }

    fn shape(number: usize, owner: usize) -> TableShape {
        TableShape::keyed(format!("{CALL}{number}"), (0..owner).collect())
    }

    /// All that is known of `groups`, by part.
    pub(super) fn saved(&self, groups: &[u32]) -> Result<Vec<SavedGroups>> {
        self.parts.iter().map(|part| part.accumulator().save(groups)).collect()
    }

    /// True for a table of [`Calls::save`].
    pub(super) fn has_table(table: &str) -> bool {
        table.starts_with(CALL)
    }

    /// Takes rows of such a table, without the columns that name their `groups`.
    pub(super) fn load(
        &mut self,
        table: &str,
        columns: &[ArrayRef],
        groups: &[u32],
        group_count: usize,
    ) -> Result<()> {
        let number = table.strip_prefix(CALL).and_then(|number| number.parse::<usize>().ok());
        self.load_part(number.unwrap_or(usize::MAX), columns, groups, group_count)
    }

    /// Takes what [`Calls::saved`] gave of a part: row `i` of `columns` belongs to `groups[i]`.
    pub(super) fn load_part(
        &mut self,
        part: usize,
        columns: &[ArrayRef],
        groups: &[u32],
        group_count: usize,
    ) -> Result<()> {
        if groups.is_empty() {
            // A part without rows has no columns either.
            return Ok(());
        }
        let part = self.parts.get_mut(part);
        let part =
            part.ok_or_else(|| Error::internal("state of more aggregate calls than there are"))?;
        part.accumulator_mut().load(columns, groups, group_count)
    }

    /// Adds the states of `from` to the groups `to`.
    pub(super) fn fold(&mut self, from: &[u32], to: &[u32], group_count: usize) -> Result<()> {
        for part in &mut self.parts {
            let accumulator = part.accumulator_mut();
            let states = accumulator.state(from)?;
            accumulator.merge(&states, to, group_count)?;
        }
        Ok(())
    }

    /// Adds the states of the groups `from` of `other` to the groups `to` of this.
    pub(super) fn fold_from(
        &mut self,
        other: &Calls,
        from: &[u32],
        to: &[u32],
        group_count: usize,
    ) -> Result<()> {
        for (part, other) in self.parts.iter_mut().zip(&other.parts) {
            let states = other.accumulator().state(from)?;
            part.accumulator_mut().merge(&states, to, group_count)?;
        }
        Ok(())
    }

    /// Moves the states of the groups `from` to the groups `to`, among which none of `from` is.
    pub(super) fn absorb(&mut self, from: &[u32], to: &[u32], group_count: usize) -> Result<()> {
        for part in &mut self.parts {
            part.accumulator_mut().absorb(from, to, group_count)?;
        }
        Ok(())
    }

    /// The results of `groups`, a column a call.
    pub(super) fn finish(&self, groups: &[u32]) -> Result<Vec<ArrayRef>> {
        let mut results = Vec::with_capacity(self.calls.len());
        for part in &self.parts {
            match part {
                Part::One(place, accumulator) => {
                    results.push((*place, accumulator.finish(groups)?))
                }
                Part::Distinct(places, distinct) => {
                    for (call, &place) in places.iter().enumerate() {
                        results.push((place, distinct.finish_one(call, groups)?));
                    }
                }
            }
        }
        results.sort_unstable_by_key(|(place, _)| *place);
        Ok(results.into_iter().map(|(_, result)| result).collect())
    }

    pub(super) fn clear(&mut self, groups: &[u32]) {
        self.parts.iter_mut().for_each(|part| part.accumulator_mut().clear(groups));
    }

    pub(super) fn size_bytes(&self) -> usize {
        self.parts.iter().map(|part| part.accumulator().size_bytes()).sum()
    }
}

/// Rows with the names of their groups before them, by part; and whether each group has one.
fn named(names: &Batch, saved: Vec<SavedGroups>) -> Result<Vec<(bool, Batch)>> {
    let rows = saved.into_iter().map(|SavedGroups { places, columns }| {
        let rows = places.len();
        let each = places.iter().copied().eq(0..names.rows() as u32);
        let mut named = names.take(&places.into())?.into_columns();
        named.extend(columns);
        Ok((each, Batch::new(named, rows)))
    });
    rows.collect()
}

fn boolean(column: &ArrayRef) -> Result<&BooleanArray> {
    column.as_boolean_opt().ok_or_else(|| Error::internal("a FILTER column is not boolean"))
}
