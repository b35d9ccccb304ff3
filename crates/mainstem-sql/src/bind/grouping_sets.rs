//! GROUPING SETS, ROLLUP and CUBE: every row is laid out once per set, with the keys that are not in it NULL and the
//! set's number as one more key.
//! Invariant: several elements of one GROUP BY make the product of their sets; a single set is a plain GROUP BY. As in
//! Flink, ROLLUP and CUBE make each set once; sets that are written twice count twice.
//! Windows have to be in every set.

use std::collections::BTreeSet;
use std::sync::Arc;

use arrow_array::Int64Array;
use mainstem_core::TypeKind;
use mainstem_engine::plan::Expanded;

use super::aggregate::{Grouping, Key};
use super::expr::ExprBinder;
use crate::ast::{Call, Expr, GroupingSet};
use crate::bound::Bound;
use crate::error::{SqlError, SqlResult};
use crate::operators::BinaryOp;
use crate::rel::{Rel, RelField, RelKind};
use crate::source::Span;

/// The most sets that a GROUP BY may have.
const SETS_MAX: usize = 4096;

impl Grouping {
    /// The key that `expr` is, a new one if need be.
    pub(super) fn key(&mut self, binder: &ExprBinder<'_>, expr: &Expr) -> SqlResult<usize> {
        let bound = binder.bind(expr)?;
        let text = bound.identity();
        if let Some(known) = self.keys.iter().position(|k| k.expr.identity() == text) {
            return Ok(known);
        }
        let field = match bound.as_column() {
            Some(index) => RelField { qualifier: None, ..binder.fields[index].clone() },
            None => RelField::new("", bound.data_type.clone()),
        };
        self.keys.push(Key { expr: bound, field });
        Ok(self.keys.len() - 1)
    }

    /// Every set so far with every one of `sets`.
    pub(super) fn multiply(
        &mut self,
        binder: &ExprBinder<'_>,
        sets: &[GroupingSet],
        span: Span,
    ) -> SqlResult<()> {
        let mut columns = Vec::with_capacity(sets.len());
        let mut made = BTreeSet::new();
        for set in sets {
            let keys =
                set.exprs.iter().map(|e| self.key(binder, e)).collect::<SqlResult<Vec<_>>>()?;
            let different: BTreeSet<usize> = keys.iter().copied().collect();
            let is_new = |by: Span| made.insert((by.start, different));
            if set.made_by.is_none_or(is_new) {
                columns.push(keys);
            }
        }
        if self.sets.len().saturating_mul(columns.len()) > SETS_MAX {
            let message = format!("GROUP BY makes more than {SETS_MAX} grouping sets");
            return Err(SqlError::new(message, span));
        }
        let both = |before: &Vec<usize>| {
            let before = before.clone();
            columns.iter().map(move |set| [before.as_slice(), set].concat())
        };
        self.sets = self.sets.iter().flat_map(both).collect();
        Ok(())
    }

    /// Behind the last element of GROUP BY: adds the number of the set as a key, if there are several.
    pub(super) fn close_sets(&mut self, has_legacy_window: bool, span: Span) -> SqlResult<()> {
        if self.sets.len() == 1 {
            self.sets.clear();
            return Ok(());
        }
        if has_legacy_window {
            return Err(SqlError::unsupported("a group window beside GROUPING SETS", span)
                .with_hint("use the table functions TUMBLE, HOP or CUMULATE"));
        }
        for (at, key) in self.keys.iter_mut().enumerate() {
            if self.sets.iter().all(|set| set.contains(&at)) {
                continue;
            }
            if key.field.window.is_some() {
                let message = format!("a grouping set without '{}'", key.field.name);
                return Err(SqlError::unsupported(message, span));
            }
            (key.field.data_type.nullable, key.field.time) = (true, None);
        }
        let number = TypeKind::BigInt.not_null();
        // No expression of the input equals it: only GROUPING and its like read it.
        let expr = Bound::column(usize::MAX, number.clone());
        self.keys.push(Key { expr, field: RelField::new("grouping set", number) });
        Ok(())
    }

    /// `input` once per set, and where the keys are in it. `columns` are the keys' places in `input`.
    pub(super) fn expanded(
        keys: &[Key],
        sets: &[Vec<usize>],
        input: Rel,
        columns: &[usize],
    ) -> (Rel, Vec<usize>) {
        let width = input.fields.len();
        let copied: Vec<usize> =
            (0..columns.len()).filter(|&k| keys[k].field.window.is_none()).collect();
        let layout = |(number, set): (usize, &Vec<usize>)| {
            let mut layout: Vec<Expanded> = (0..width).map(Expanded::Column).collect();
            layout.extend(copied.iter().map(|k| match set.contains(k) {
                true => Expanded::Column(columns[*k]),
                false => Expanded::Null,
            }));
            layout.push(Expanded::Number(number as i64));
            layout
        };
        let layouts = sets.iter().enumerate().map(layout).collect();
        let mut fields = input.fields.clone();
        fields.extend(copied.iter().map(|&k| {
            let name = input.fields[columns[k]].name.clone();
            RelField { name, ..keys[k].field.clone() }
        }));
        fields.push(RelField::new("grouping set", TypeKind::BigInt.not_null()));
        let place = |k: usize| match copied.iter().position(|c| *c == k) {
            Some(at) => width + at,
            None => columns[k],
        };
        let mut places: Vec<usize> = (0..columns.len()).map(place).collect();
        places.push(fields.len() - 1);
        (Rel { kind: RelKind::Expand { input: Box::new(input), layouts }, fields }, places)
    }

    /// GROUPING(a, ...), GROUPING_ID(a, ...) and GROUP_ID().
    pub(super) fn set_part(
        &self,
        below: &ExprBinder<'_>,
        call: &Call,
        span: Span,
    ) -> SqlResult<Option<Bound>> {
        let name = call.name.last().value.to_ascii_uppercase();
        if call.name.0.len() > 1 || !["GROUPING", "GROUPING_ID", "GROUP_ID"].contains(&&*name) {
            return Ok(None);
        }
        if (name == "GROUP_ID") != call.args.is_empty() {
            let takes = if name == "GROUP_ID" { "no arguments" } else { "columns of GROUP BY" };
            return Err(SqlError::new(format!("{name} takes {takes}"), span));
        }
        let mut keys = Vec::new();
        for arg in &call.args {
            let text = below.bind(arg)?.identity();
            let key = self.keys.iter().position(|k| k.expr.identity() == text);
            keys.push(key.ok_or_else(|| {
                SqlError::new(format!("{name} takes columns of GROUP BY"), arg.span)
            })?);
        }
        if keys.len() > 63 {
            return Err(SqlError::new(format!("{name} takes at most 63 columns"), span));
        }
        let value = |number: usize| -> i64 {
            let set = &self.sets[number];
            if name == "GROUP_ID" {
                let same = |other: &&Vec<usize>| {
                    other.iter().all(|k| set.contains(k)) && set.iter().all(|k| other.contains(k))
                };
                return self.sets[..number].iter().filter(same).count() as i64;
            }
            keys.iter().fold(0, |bits, key| bits << 1 | i64::from(!set.contains(key)))
        };
        self.by_set(below, &value, span).map(Some)
    }

    /// The number that each set has.
    fn by_set(
        &self,
        below: &ExprBinder<'_>,
        value: &dyn Fn(usize) -> i64,
        span: Span,
    ) -> SqlResult<Bound> {
        let Some(last) = self.sets.len().checked_sub(1) else { return Ok(number(0)) };
        let set = Bound::column(self.keys.len() - 1, TypeKind::BigInt.not_null());
        let binder = ExprBinder::new(below.session, &[]);
        let otherwise = value(last);
        let mut branches = Vec::new();
        for at in (0..last).filter(|&at| value(at) != otherwise) {
            let is_this = binder.binary(BinaryOp::Eq, set.clone(), number(at as i64), span)?;
            branches.push((is_this, number(value(at))));
        }
        if branches.is_empty() {
            return Ok(number(otherwise));
        }
        binder.case_of(branches, number(otherwise), span)
    }
}

fn number(value: i64) -> Bound {
    Bound::literal(Arc::new(Int64Array::from(vec![value])), TypeKind::BigInt.not_null())
}
