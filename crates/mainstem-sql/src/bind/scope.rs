//! What an expression may refer to besides the columns of its own FROM: the queries around a sub-query, the
//! sub-queries of its clause.
//! Invariant: a name is looked for in the own FROM first, then outwards, query by query; the first that has it wins.

use std::cell::RefCell;
use std::rc::Rc;

use super::expr::ExprBinder;
use super::match_recognize::MatchScope;
use super::over::Overs;
use super::unknown_column;
use crate::ast::Ident;
use crate::bound::{Bound, BoundKind, Reference};
use crate::error::SqlResult;
use crate::operators::BinaryOp;
use crate::rel::{Rel, RelField};
use crate::source::Span;

/// A query around a sub-query.
#[derive(Debug)]
pub(super) struct Scope {
    /// What the sub-query sees of it.
    pub(super) fields: Vec<RelField>,
    /// How many queries are around it.
    pub(super) depth: usize,
    /// The query around it.
    pub(super) parent: Option<Rc<Scope>>,
}

/// What an expression may refer to besides columns.
#[derive(Debug, Clone, Default)]
pub(super) struct Surroundings {
    /// The innermost query around the one that is bound.
    pub(super) scope: Option<Rc<Scope>>,
    /// The sub-queries of the clause that is bound.
    pub(super) subqueries: Option<Rc<Subqueries>>,
    /// The calls over windows, where such calls can stand.
    pub(super) overs: Option<Rc<RefCell<Overs>>>,
    /// The variables of a pattern, within MATCH_RECOGNIZE.
    pub(super) matched: Option<Rc<RefCell<MatchScope>>>,
}

/// The sub-queries of a clause, bound.
#[derive(Debug)]
pub(super) struct Subqueries {
    /// By the place of their expression.
    pub(super) bound: Vec<(Span, Rel)>,
    /// As the expressions of the clause use them.
    pub(super) used: RefCell<Vec<Used>>,
    /// How many queries are around the clause's own.
    pub(super) depth: usize,
}

/// A sub-query in an expression.
#[derive(Debug, Clone)]
pub(super) struct Used {
    /// Which of `bound`.
    pub(super) index: usize,
    /// What is asked of it.
    pub(super) test: Test,
    /// What is compared with its columns.
    pub(super) operands: Vec<Bound>,
    /// Where.
    pub(super) span: Span,
    /// NULL may be answered with FALSE: the condition around it does not tell one from the other.
    pub(super) null_is_false: bool,
}

/// What an expression asks of a sub-query.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Test {
    /// Whether there is a row.
    Exists,
    /// The value of the only row.
    Scalar,
    /// Whether the operands equal a row.
    In,
    /// Whether the comparison holds for some row.
    Some(BinaryOp),
}

impl Subqueries {
    /// True if two of them ask for the same.
    fn same(&self, a: usize, b: usize) -> bool {
        let text = |index: usize| format!("{:?}", self.bound[index].1);
        text(a) == text(b)
    }

    /// The same for those that stand at `a` and `b`.
    pub(super) fn equal(&self, a: Span, b: Span) -> bool {
        let place = |span: Span| self.bound.iter().position(|(own, _)| *own == span);
        place(a).zip(place(b)).is_some_and(|(a, b)| self.same(a, b))
    }

    /// The number of a use; an equal one of an equal sub-query is the same.
    pub(super) fn usage(&self, new: Used) -> usize {
        let mut used = self.used.borrow_mut();
        let texts =
            |operands: &[Bound]| -> Vec<String> { operands.iter().map(Bound::identity).collect() };
        let same = |old: &Used| {
            old.test == new.test
                && texts(&old.operands) == texts(&new.operands)
                && (old.index == new.index || self.same(old.index, new.index))
        };
        used.iter().position(same).unwrap_or_else(|| {
            used.push(new);
            used.len() - 1
        })
    }
}

impl Surroundings {
    /// Columns behind the join with a sub-query are no time attributes: rows come when their partners do.
    pub(super) fn untime(&self, fields: &mut [RelField]) {
        if self.subqueries.is_some() {
            fields.iter_mut().for_each(RelField::fade);
        }
    }

    /// The column of a query around this one that a name stands for.
    pub(super) fn outer_column(
        &self,
        binder: &ExprBinder<'_>,
        parts: &[Ident],
        span: Span,
    ) -> SqlResult<Option<Bound>> {
        let mut scope = self.scope.as_ref();
        while let Some(around) = scope {
            let outer = ExprBinder::new(binder.session, &around.fields);
            if let Some((column, used)) = outer.place(parts, span)? {
                let reference = Reference::OuterColumn { depth: around.depth, column };
                let mut bound = Bound {
                    kind: BoundKind::Reference(reference),
                    data_type: around.fields[column].data_type.clone(),
                };
                for name in &parts[used..] {
                    bound = outer.field(bound, name)?;
                }
                return Ok(Some(bound));
            }
            let of_table: Vec<RelField> =
                around.fields.iter().filter(|f| is_of(f, parts)).cloned().collect();
            if let [_, name, ..] = parts
                && !of_table.is_empty()
                && !binder.fields.iter().any(|f| is_of(f, parts))
            {
                return Err(unknown_column(&name.value, &of_table, name.span));
            }
            scope = around.parent.as_ref();
        }
        Ok(None)
    }
}

/// True if the first of `parts` is the table that `field` is of.
fn is_of(field: &RelField, parts: &[Ident]) -> bool {
    parts.first().is_some_and(|table| field.qualifier.as_deref() == Some(&table.value))
}
