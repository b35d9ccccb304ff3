//! Joins a relation with the sub-queries of its expressions.
//! Invariant: `semi` keeps the columns of the relation and how often each row is there; `column` also, and adds
//! columns behind them. Three-valued logic is SQL's: NOT IN over a side with NULLs keeps nothing.

use std::sync::Arc;

use arrow_array::BooleanArray;
use mainstem_core::{DataType, TypeKind};
use mainstem_engine::aggregate::{AggregateCall, builtin};
use mainstem_engine::plan::JoinKind;

use super::correlation::{Correlation, Pulled, beside};
use super::expr::{ExprBinder, zero};
use super::query::{conjunction, equi_join, filter, with_columns};
use super::scope::{Subqueries, Test, Used};
use crate::bound::{Bound, BoundKind};
use crate::error::{SqlError, SqlResult};
use crate::operators::{BinaryOp, UnaryOp};
use crate::rel::{Rel, RelField, RelKind, columns_of};
use crate::session::Session;

/// Joins sub-queries of one clause.
#[derive(Debug, Clone, Copy)]
pub(super) struct Attach<'a> {
    pub(super) session: &'a Session,
    pub(super) subqueries: &'a Subqueries,
    /// The relation before any of them is joined.
    pub(super) outer: &'a Rel,
}

/// A relation with at most one row for each row of the outer query.
struct Single {
    rel: Rel,
    /// Over its columns and the outer query's.
    conditions: Vec<Bound>,
}

impl Attach<'_> {
    fn correlation(&self, used: &Used) -> Correlation<'_> {
        let (depth, outer) = (self.subqueries.depth, Some(self.outer));
        Correlation { session: self.session, depth, span: used.span, outer }
    }

    fn binder(&self) -> ExprBinder<'_> {
        ExprBinder::new(self.session, &[])
    }

    fn pulled(&self, used: &Used, duplicates_matter: bool) -> SqlResult<Pulled> {
        let mut rel = self.subqueries.bound[used.index].1.clone();
        // Whether there is a row does not depend on order and limit.
        while used.test == Test::Exists
            && matches!(
                rel.kind,
                RelKind::Sort { limit: None | Some(1..), .. }
                    | RelKind::Limit { offset: 0, count: None | Some(1..), .. }
            )
        {
            rel = match rel.kind {
                RelKind::Sort { input, .. } | RelKind::Limit { input, .. } => *input,
                kind => Rel { kind, fields: rel.fields },
            };
        }
        self.correlation(used).pull(rel, duplicates_matter)
    }

    /// `expr` of a sub-query over the columns of `left`, then the sub-query's.
    fn beside(&self, left: &Rel, expr: &Bound) -> Bound {
        beside(self.subqueries.depth, left, expr)
    }

    /// The rows of `rel` for which the sub-query's answer is TRUE or, `negated`, FALSE.
    pub(super) fn semi(&self, rel: Rel, used: &Used, negated: bool) -> SqlResult<Rel> {
        let pulled = self.pulled(used, false)?;
        if pulled.always {
            let columns: Vec<usize> = (0..rel.fields.len()).collect();
            let (rel, mut value) = self.column(rel, used)?;
            if negated {
                value = self.binder().not(value, used.span)?;
            }
            return Ok(filter(rel, value).select(&columns));
        }
        match (used.test, negated) {
            (Test::Exists, _) => {
                let kind = if negated { JoinKind::Anti } else { JoinKind::Semi };
                let single = self.reduced(pulled, used)?;
                Ok(self.one_sided(rel, single, kind, Vec::new()))
            }
            (_, false) => {
                let (single, values) = self.values_of(pulled, used)?;
                let equal = self.equalities(&rel, &values, used)?;
                Ok(self.one_sided(rel, single, JoinKind::Semi, equal))
            }
            (_, true) => self.not_in(rel, pulled, used),
        }
    }

    /// A semi or anti join on the conditions of `right` and `more`, which is over both sides.
    fn one_sided(&self, left: Rel, right: Single, kind: JoinKind, more: Vec<Bound>) -> Rel {
        let mut parts: Vec<Bound> =
            right.conditions.iter().map(|c| self.beside(&left, c)).collect();
        parts.extend(more);
        let fields = joined_fields(&left);
        equi_join(left, right.rel, kind, conjunction(parts), fields)
    }

    /// NOT IN: no row equals, none could.
    fn not_in(&self, rel: Rel, pulled: Pulled, used: &Used) -> SqlResult<Rel> {
        let [operand] = used.operands.as_slice() else {
            return self.not_in_rows(rel, pulled, used);
        };
        let output = pulled.outputs[0].clone();
        let (operand_nullable, output_nullable) =
            (operand.data_type.nullable, output.data_type.nullable);
        let (all, values) = self.values_of(pulled.clone(), used)?;
        let equal = self.equalities(&rel, &values, used)?;
        let mut rel = self.one_sided(rel, all, JoinKind::Anti, equal);
        if output_nullable {
            let null = self.binder().unary_bound(UnaryOp::IsNull, output, used.span)?;
            let mut nulls = pulled.clone();
            if self.correlation(used).speaks_of_outer(&null) {
                nulls.conditions.push(null);
            } else {
                nulls.rel = filter(nulls.rel, null);
            }
            let single = self.reduced(nulls, used)?;
            rel = self.one_sided(rel, single, JoinKind::Anti, Vec::new());
        }
        if operand_nullable {
            // Rows with a value have no key here, so the join lets them pass and keeps nothing of them.
            let binder = self.binder();
            let null = binder.unary_bound(UnaryOp::IsNull, operand.clone(), used.span)?;
            let nothing = Bound::null(&TypeKind::Boolean.nullable());
            let key = binder.case_of(vec![(null, truth())], nothing, used.span)?;
            let mut single = self.reduced(pulled, used)?;
            single.rel = with_columns(single.rel, vec![truth()]).0;
            let marker = rel.fields.len() + single.rel.fields.len() - 1;
            let marker = Bound::column(marker, TypeKind::Boolean.not_null());
            let equal = binder.binary(BinaryOp::Eq, key, marker, used.span)?;
            rel = self.one_sided(rel, single, JoinKind::Anti, vec![equal]);
        }
        Ok(rel)
    }

    /// NOT IN of several columns: a row could be equal unless two known values differ.
    fn not_in_rows(&self, rel: Rel, pulled: Pulled, used: &Used) -> SqlResult<Rel> {
        let binder = self.binder();
        let mut parts = Vec::new();
        for (operand, output) in used.operands.iter().zip(&pulled.outputs) {
            let output = self.beside(&rel, output);
            let mut part = binder.equals_item(operand, output.clone(), used.span)?;
            for side in [operand.clone(), output] {
                if side.data_type.nullable {
                    let null = binder.unary_bound(UnaryOp::IsNull, side, used.span)?;
                    part = binder.binary(BinaryOp::Or, part, null, used.span)?;
                }
            }
            parts.push(part);
        }
        let single = Single { rel: pulled.rel, conditions: pulled.conditions };
        Ok(self.one_sided(rel, single, JoinKind::Anti, parts))
    }

    /// The operands equal the values of the sub-query, which are beside `left`.
    fn equalities(&self, left: &Rel, values: &[Bound], used: &Used) -> SqlResult<Vec<Bound>> {
        let equal = |(operand, value): (&Bound, &Bound)| {
            self.binder().equals_item(operand, self.beside(left, value), used.span)
        };
        used.operands.iter().zip(values).map(equal).collect()
    }

    fn has_keys(&self, pulled: &Pulled, used: &Used) -> bool {
        let correlation = self.correlation(used);
        pulled.conditions.iter().all(|c| correlation.equality(c).is_some())
    }

    /// One row where the sub-query has any for the same keys. If not all conditions are equalities, all rows.
    fn reduced(&self, pulled: Pulled, used: &Used) -> SqlResult<Single> {
        if self.has_keys(&pulled, used) {
            return self.distinct(pulled, &[], used);
        }
        Ok(Single { rel: pulled.rel, conditions: pulled.conditions })
    }

    /// The sub-query's rows, each once if that can be had, and its columns over them.
    fn values_of(&self, pulled: Pulled, used: &Used) -> SqlResult<(Single, Vec<Bound>)> {
        let correlation = self.correlation(used);
        let speaks = |output: &Bound| correlation.speaks_of_outer(output);
        if !self.has_keys(&pulled, used) || pulled.outputs.iter().any(speaks) {
            let single = Single { rel: pulled.rel, conditions: pulled.conditions };
            return Ok((single, pulled.outputs));
        }
        let columns: Vec<usize> = (0..pulled.outputs.len()).collect();
        let column = |i: usize| Bound::column(i, pulled.outputs[i].data_type.clone());
        let values = columns.iter().map(|&i| column(i)).collect();
        Ok((self.distinct(pulled, &columns, used)?, values))
    }

    /// The different values of the columns `values` and of the keys; TRUE if there are neither. Where a row finds a
    /// partner by equality, the first column is not NULL.
    fn distinct(&self, pulled: Pulled, values: &[usize], used: &Used) -> SqlResult<Single> {
        let keyed = self.correlation(used).keyed(pulled, values)?;
        let columns: Vec<usize> =
            values.iter().copied().chain(keyed.first..keyed.rel.fields.len()).collect();
        let mut rel = keyed.rel.select(&columns);
        if columns.is_empty() {
            rel = with_columns(rel, vec![truth()]).0;
        }
        if rel.upsert_key().is_none() {
            let fields = rel.fields.clone();
            let keys: Vec<usize> = (0..fields.len()).collect();
            let kind = RelKind::Aggregate { input: Box::new(rel), keys, aggregates: Vec::new() };
            rel = Rel { kind, fields };
        }
        let conditions = self.on_keys(&rel, values.len(), keyed.outer, used)?;
        Ok(Single { rel, conditions })
    }

    /// `outer[i]` equals the column `first + i`.
    fn on_keys(
        &self,
        rel: &Rel,
        first: usize,
        outer: Vec<Bound>,
        used: &Used,
    ) -> SqlResult<Vec<Bound>> {
        let equal = |(i, outer): (usize, Bound)| {
            let key = Bound::column(first + i, rel.fields[first + i].data_type.clone());
            self.correlation(used).binary(BinaryOp::Eq, outer, key)
        };
        outer.into_iter().enumerate().map(equal).collect()
    }

    /// `rel` with columns for the sub-query's answer, and the answer.
    pub(super) fn column(&self, rel: Rel, used: &Used) -> SqlResult<(Rel, Bound)> {
        match used.test {
            Test::Exists => self.exists(rel, used),
            Test::Scalar => self.scalar(rel, used),
            Test::In => self.is_in(rel, used),
            Test::Some(op) => self.some(rel, op, used),
        }
    }

    /// A left join that finds one partner at most. The second value are its columns' places.
    fn added(&self, left: Rel, right: Single, more: Vec<Bound>) -> (Rel, usize) {
        let first = left.fields.len();
        let mut parts: Vec<Bound> =
            right.conditions.iter().map(|c| self.beside(&left, c)).collect();
        parts.extend(more);
        let mut fields = joined_fields(&left);
        fields.extend(right.rel.fields.iter().map(|f| {
            let data_type = f.data_type.with_nullable(true);
            RelField { time: None, window: None, qualifier: None, data_type, ..f.clone() }
        }));
        (equi_join(left, right.rel, JoinKind::Left, conjunction(parts), fields), first)
    }

    fn is_there(&self, rel: &Rel, column: usize, used: &Used) -> SqlResult<Bound> {
        let column = Bound::column(column, rel.fields[column].data_type.clone());
        self.binder().unary_bound(UnaryOp::IsNotNull, column, used.span)
    }

    fn exists(&self, rel: Rel, used: &Used) -> SqlResult<(Rel, Bound)> {
        let mut pulled = self.pulled(used, false)?;
        if pulled.always {
            let Some(having) = pulled.having.take() else { return Ok((rel, truth())) };
            pulled.outputs = vec![having];
            let (rel, having, _) = self.value_of(rel, pulled, used)?;
            let answer = self.binder().unary_bound(UnaryOp::IsTrue, having, used.span)?;
            return Ok((rel, answer));
        }
        let single = self.distinct(pulled, &[], used)?;
        let (rel, first) = self.added(rel, single, Vec::new());
        let answer = self.is_there(&rel, first, used)?;
        Ok((rel, answer))
    }

    /// IN: TRUE if a row equals; NULL if one could; else FALSE.
    fn is_in(&self, rel: Rel, used: &Used) -> SqlResult<(Rel, Bound)> {
        let [operand] = used.operands.as_slice() else {
            return self.is_row_in(rel, used);
        };
        let pulled = self.pulled(used, false)?;
        if pulled.always {
            let (rel, value, having) = self.value_of(rel, pulled, used)?;
            let answer = self.binder().equals_item(operand, value, used.span)?;
            return Ok((rel, self.where_there(having, answer, falsehood(), used)?));
        }
        let output = pulled.outputs[0].clone();
        let nullable = output.data_type.nullable;
        let null = self.binder().unary_bound(UnaryOp::IsNull, output.clone(), used.span)?;
        let values = self.with_outputs(&pulled, used, UnaryOp::IsNotNull)?;
        let single = self.distinct(values, &[0], used)?;
        let value = Bound::column(0, single.rel.fields[0].data_type.clone());
        let equal = self.binder().equals_item(operand, self.beside(&rel, &value), used.span)?;
        let (mut rel, first) = self.added(rel, single, vec![equal]);
        let mut branches = vec![(self.is_there(&rel, first, used)?, truth())];
        let unknown = || Bound::null(&TypeKind::Boolean.nullable());
        if nullable && null.as_literal().is_none() {
            let nulls = self.with_outputs(&pulled, used, UnaryOp::IsNull)?;
            let single = self.distinct(nulls, &[], used)?;
            let (joined, first) = self.added(rel, single, Vec::new());
            rel = joined;
            branches.push((self.is_there(&rel, first, used)?, unknown()));
        }
        if operand.data_type.nullable {
            let single = self.distinct(pulled, &[], used)?;
            let (joined, first) = self.added(rel, single, Vec::new());
            rel = joined;
            let some = self.is_there(&rel, first, used)?;
            let null = self.binder().unary_bound(UnaryOp::IsNull, operand.clone(), used.span)?;
            let both = self.binder().binary(BinaryOp::And, null, some, used.span)?;
            branches.push((both, unknown()));
        }
        let answer = self.binder().case_of(branches, falsehood(), used.span)?;
        Ok((rel, answer))
    }

    /// IN of several columns: TRUE if a row equals, else FALSE. NULL, where a row could equal, would have to be told
    /// from FALSE by a comparison with all rows: that is refused, as in Flink, unless nothing can be NULL or nobody asks.
    fn is_row_in(&self, rel: Rel, used: &Used) -> SqlResult<(Rel, Bound)> {
        let refuse = |what: &str| {
            Err(SqlError::unsupported(
                format!("IN of several columns {what} in this place"),
                used.span,
            )
            .with_hint("it runs as a condition of its own in WHERE or HAVING"))
        };
        let pulled = self.pulled(used, false)?;
        if pulled.always {
            return refuse("over an aggregate without GROUP BY");
        }
        let may_be_null = used.operands.iter().chain(&pulled.outputs).any(|e| e.data_type.nullable);
        if may_be_null && !used.null_is_false {
            return refuse("that may be NULL");
        }
        let values = self.with_outputs(&pulled, used, UnaryOp::IsNotNull)?;
        let columns: Vec<usize> = (0..used.operands.len()).collect();
        let single = self.distinct(values, &columns, used)?;
        let column = |&c: &usize| Bound::column(c, single.rel.fields[c].data_type.clone());
        let values: Vec<Bound> = columns.iter().map(column).collect();
        let equal = self.equalities(&rel, &values, used)?;
        let (rel, first) = self.added(rel, single, equal);
        let answer = self.is_there(&rel, first, used)?;
        Ok((rel, answer))
    }

    /// The rows of `pulled` whose outputs are all, or are not, NULL.
    fn with_outputs(&self, pulled: &Pulled, used: &Used, op: UnaryOp) -> SqlResult<Pulled> {
        let test = |output: &Bound| self.binder().unary_bound(op, output.clone(), used.span);
        let tests = pulled.outputs.iter().map(test).collect::<SqlResult<Vec<_>>>()?;
        let test = conjunction(tests).unwrap_or_else(truth);
        if self.correlation(used).speaks_of_outer(&test) {
            return Err(SqlError::unsupported("IN over outer columns in this place", used.span)
                .with_hint("it runs as a condition of its own in WHERE or HAVING"));
        }
        Ok(Pulled { rel: filter(pulled.rel.clone(), test), ..pulled.clone() })
    }

    fn scalar(&self, rel: Rel, used: &Used) -> SqlResult<(Rel, Bound)> {
        let pulled = self.pulled(used, true)?;
        let is_constant = matches!(pulled.rel.kind, RelKind::Values { rows: 1, .. });
        if is_constant && pulled.conditions.is_empty() && columns_of(&pulled.outputs[0]).is_empty()
        {
            let value = self.beside(&rel, &pulled.outputs[0]);
            return Ok((rel, value));
        }
        let (rel, value, having) = self.value_of(rel, pulled, used)?;
        let nothing = Bound::null(&value.data_type);
        Ok((rel, self.where_there(having, value, nothing, used)?))
    }

    /// `answer` where the row of an aggregation is there, else `otherwise`.
    fn where_there(
        &self,
        having: Option<Bound>,
        answer: Bound,
        otherwise: Bound,
        used: &Used,
    ) -> SqlResult<Bound> {
        match having {
            Some(having) => self.binder().case_of(vec![(having, answer)], otherwise, used.span),
            None => Ok(answer),
        }
    }

    /// `rel` with the columns of a sub-query of one column, the value of its only row, and HAVING.
    fn value_of(
        &self,
        rel: Rel,
        pulled: Pulled,
        used: &Used,
    ) -> SqlResult<(Rel, Bound, Option<Bound>)> {
        let is_one = pulled.always || (pulled.conditions.is_empty() && is_one_row(&pulled.rel));
        let pulled = if is_one { pulled } else { self.only_row(pulled, used)? };
        let single = Single { rel: pulled.rel, conditions: pulled.conditions };
        let value = self.beside(&rel, &pulled.outputs[0]);
        let having = pulled.having.map(|having| self.beside(&rel, &having));
        let (rel, first) = self.added(rel, single, Vec::new());
        let optional = |expr: Bound| {
            expr.map_columns(&|c, data_type| {
                let nullable = data_type.nullable || c >= first;
                Bound::column(c, data_type.with_nullable(nullable))
            })
        };
        let value = optional(value);
        let value = Bound { data_type: value.data_type.with_nullable(true), ..value };
        Ok((rel, value, having.map(optional)))
    }

    /// Groups by the keys; a group of more than one row is an error.
    fn only_row(&self, pulled: Pulled, used: &Used) -> SqlResult<Pulled> {
        let correlation = self.correlation(used);
        let value = pulled.outputs[0].clone();
        let is_outer = correlation.speaks_of_outer(&value);
        let read: Vec<usize> = columns_of(&value).into_iter().collect();
        // What outer columns are part of is computed behind the join, from the columns of the only row.
        let outputs: Vec<Bound> = if is_outer {
            let column = |&c: &usize| Bound::column(c, pulled.rel.fields[c].data_type.clone());
            read.iter().map(column).chain([truth()]).collect()
        } else {
            vec![value.clone()]
        };
        let needed: Vec<usize> = (0..outputs.len()).collect();
        let keyed = correlation.keyed(Pulled { outputs, ..pulled }, &needed)?;
        let keys: Vec<usize> = (keyed.first..keyed.rel.fields.len()).collect();
        let mut fields: Vec<RelField> = keys.iter().map(|&k| keyed.rel.fields[k].clone()).collect();
        let mut aggregates = Vec::new();
        for c in needed {
            aggregates.push(self.call("SINGLE_VALUE", &[c], &keyed.rel, used)?);
            let data_type = keyed.rel.fields[c].data_type.with_nullable(true);
            fields.push(RelField::new(&keyed.rel.fields[c].name, data_type));
        }
        let first = keys.len();
        let column = |at: usize| Bound::column(first + at, fields[first + at].data_type.clone());
        let output = if is_outer {
            let place = |c: usize| read.iter().position(|r| *r == c).expect("collected above");
            let value = value.map_columns(&|c, _| column(place(c)));
            let binder = self.binder();
            let is_there = binder.unary_bound(UnaryOp::IsNotNull, column(read.len()), used.span)?;
            let nothing = Bound::null(&value.data_type);
            binder.case_of(vec![(is_there, value)], nothing, used.span)?
        } else {
            column(0)
        };
        let kind = RelKind::Aggregate { input: Box::new(keyed.rel), keys, aggregates };
        let rel = Rel { kind, fields };
        let conditions = self.on_keys(&rel, 0, keyed.outer, used)?;
        Ok(Pulled { rel, outputs: vec![output], conditions, always: false, having: None })
    }

    fn call(&self, name: &str, args: &[usize], rel: &Rel, used: &Used) -> SqlResult<AggregateCall> {
        let types: Vec<DataType> = args.iter().map(|&c| rel.fields[c].data_type.clone()).collect();
        let Some((function, _)) = builtin(name, &types) else {
            let shown = types.first().map_or(String::new(), ToString::to_string);
            return Err(SqlError::unsupported(
                format!("a sub-query that stands for a value of type {shown}"),
                used.span,
            ));
        };
        Ok(AggregateCall { function, args: args.to_vec(), filter: None, distinct: false })
    }

    /// `x op SOME (...)`: TRUE if it holds for the least or the greatest value; NULL if a value or x is NULL.
    fn some(&self, rel: Rel, op: BinaryOp, used: &Used) -> SqlResult<(Rel, Bound)> {
        let [operand] = used.operands.as_slice() else {
            return Err(SqlError::new("SOME and ALL compare one column", used.span));
        };
        let pulled = self.pulled(used, true)?;
        if pulled.always {
            let (rel, value, having) = self.value_of(rel, pulled, used)?;
            let answer = self.binder().binary(op, operand.clone(), value, used.span)?;
            return Ok((rel, self.where_there(having, answer, falsehood(), used)?));
        }
        let keyed = self.correlation(used).keyed(pulled, &[0])?;
        let keys: Vec<usize> = (keyed.first..keyed.rel.fields.len()).collect();
        let first = keys.len();
        let mut fields: Vec<RelField> = keys.iter().map(|&k| keyed.rel.fields[k].clone()).collect();
        let value_type = keyed.rel.fields[0].data_type.with_nullable(true);
        let mut aggregates = Vec::new();
        for (name, args) in [("COUNT", &[][..]), ("COUNT", &[0]), ("MIN", &[0]), ("MAX", &[0])] {
            aggregates.push(self.call(name, args, &keyed.rel, used)?);
            let data_type =
                if name == "COUNT" { TypeKind::BigInt.not_null() } else { value_type.clone() };
            fields.push(RelField::new(name, data_type));
        }
        let kind = RelKind::Aggregate { input: Box::new(keyed.rel), keys, aggregates };
        let single_rel = Rel { kind, fields };
        let conditions = self.on_keys(&single_rel, 0, keyed.outer, used)?;
        let (rel, right) = self.added(rel, Single { rel: single_rel, conditions }, Vec::new());
        let column = |n: usize| {
            let place = right + first + n;
            Bound::column(place, rel.fields[place].data_type.clone())
        };
        let binder = self.binder();
        let compare = |n| binder.binary(op, operand.clone(), column(n), used.span);
        let holds = match op {
            BinaryOp::Lt | BinaryOp::LtEq => compare(3)?,
            BinaryOp::Gt | BinaryOp::GtEq => compare(2)?,
            BinaryOp::NotEq => binder.binary(BinaryOp::Or, compare(2)?, compare(3)?, used.span)?,
            _ => return Err(SqlError::new("this operator takes no SOME or ALL", used.span)),
        };
        let rows = Bound {
            kind: BoundKind::Coalesce(vec![column(0), zero()]),
            data_type: TypeKind::BigInt.not_null(),
        };
        let rows = binder.coerce(rows, &TypeKind::BigInt.not_null(), used.span)?;
        let empty = binder.binary(BinaryOp::Eq, rows, zero(), used.span)?;
        let some_null = binder.binary(BinaryOp::Gt, column(0), column(1), used.span)?;
        let is_unknown = binder.unary_bound(UnaryOp::IsNull, holds.clone(), used.span)?;
        let unknown = binder.binary(BinaryOp::Or, some_null, is_unknown, used.span)?;
        let branches = vec![
            (empty, falsehood()),
            (holds, truth()),
            (unknown, Bound::null(&TypeKind::Boolean.nullable())),
        ];
        let answer = binder.case_of(branches, falsehood(), used.span)?;
        Ok((rel, answer))
    }
}

/// The columns of a relation behind a join: rows come when their partners do, not in the order of time.
fn joined_fields(rel: &Rel) -> Vec<RelField> {
    rel.fields.iter().map(RelField::behind_join).collect()
}

pub(super) fn truth() -> Bound {
    Bound::literal(Arc::new(BooleanArray::from(vec![true])), TypeKind::Boolean.not_null())
}

fn falsehood() -> Bound {
    Bound::literal(Arc::new(BooleanArray::from(vec![false])), TypeKind::Boolean.not_null())
}

/// True for a relation that never has two rows at once.
fn is_one_row(rel: &Rel) -> bool {
    match &rel.kind {
        RelKind::Aggregate { keys, .. } => keys.is_empty(),
        RelKind::Values { rows, .. } => *rows <= 1,
        RelKind::Sort { limit: Some(0 | 1), .. } | RelKind::Limit { count: Some(0 | 1), .. } => {
            true
        }
        RelKind::Project { input, .. }
        | RelKind::Filter { input, .. }
        | RelKind::Sort { input, .. }
        | RelKind::Limit { input, .. } => is_one_row(input),
        _ => false,
    }
}
