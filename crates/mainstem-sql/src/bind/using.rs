//! JOIN ... USING and NATURAL JOIN: columns of the same name are compared, and stand once for both sides.
//! Invariant: the joined columns come first, then the others of the left and of the right side; the columns that were
//! compared are still there under the name of their table, but not for `*` and not by their name alone.

use std::collections::BTreeSet;

use super::Binder;
use super::query::conjunction;
use crate::ast::{Ident, JoinType};
use crate::bound::Bound;
use crate::error::{SqlError, SqlResult};
use crate::operators::BinaryOp;
use crate::rel::{Rel, RelField, RelKind};
use crate::source::Span;

/// Columns of the left and the right side that have the same name.
pub(super) type Named = Vec<(usize, usize)>;

impl Binder<'_> {
    /// The columns of both sides that USING names.
    pub(super) fn named_in_both(
        &self,
        left: &[RelField],
        right: &[RelField],
        names: &[Ident],
    ) -> SqlResult<Named> {
        let find = |fields: &[RelField], name: &Ident, side: &str| {
            let mut found =
                (0..fields.len()).filter(|&i| !fields[i].hidden && fields[i].name == name.value);
            match (found.next(), found.next()) {
                (Some(index), None) => Ok(index),
                (None, _) => {
                    let message =
                        format!("column '{}' of USING is not on the {side} side", name.value);
                    Err(SqlError::new(message, name.span))
                }
                (Some(_), Some(_)) => {
                    let message =
                        format!("column '{}' is on the {side} side more than once", name.value);
                    Err(SqlError::new(message, name.span).with_hint("write the condition with ON"))
                }
            }
        };
        let pair = |name| Ok((find(left, name, "left")?, find(right, name, "right")?));
        names.iter().map(pair).collect()
    }

    /// The columns of both sides that have the same name: those of NATURAL JOIN.
    pub(super) fn same_names(
        &self,
        left: &[RelField],
        right: &[RelField],
        span: Span,
    ) -> SqlResult<Named> {
        let visible = |fields: &[RelField]| -> Vec<String> {
            fields.iter().filter(|f| !f.hidden).map(|f| f.name.clone()).collect()
        };
        let on_right: BTreeSet<String> = visible(right).into_iter().collect();
        let names: Vec<Ident> = visible(left)
            .into_iter()
            .filter(|name| on_right.contains(name))
            .map(|value| Ident { value, span })
            .collect();
        self.named_in_both(left, right, &names)
    }

    /// The condition that the pairs are equal; `fields` are those of both sides.
    pub(super) fn equal_names(
        &self,
        pairs: &[(usize, usize)],
        fields: &[RelField],
        width: usize,
        span: Span,
    ) -> SqlResult<Option<Bound>> {
        let binder = self.expressions(fields);
        let column = |i: usize| Bound::column(i, fields[i].data_type.clone());
        let equal = |&(l, r): &(usize, usize)| {
            binder.binary(BinaryOp::Eq, column(l), column(width + r), span)
        };
        Ok(conjunction(pairs.iter().map(equal).collect::<SqlResult<_>>()?))
    }

    /// `joined` with one column for each pair in front.
    pub(super) fn merged(
        &self,
        joined: Rel,
        pairs: &[(usize, usize)],
        width: usize,
        kind: JoinType,
        span: Span,
    ) -> SqlResult<Rel> {
        let binder = self.expressions(&[]);
        let column = |i: usize| Bound::column(i, joined.fields[i].data_type.clone());
        let (mut exprs, mut fields) = (Vec::new(), Vec::new());
        let mut compared = BTreeSet::new();
        for &(l, r) in pairs {
            let r = width + r;
            compared.extend([l, r]);
            let (expr, source) = match kind {
                JoinType::Right => (column(r), Some(r)),
                JoinType::Full => {
                    (binder.function("COALESCE", &[column(l), column(r)], span)?, None)
                }
                JoinType::Inner | JoinType::Cross | JoinType::Left => (column(l), Some(l)),
            };
            let name = &joined.fields[l].name;
            fields.push(match source {
                Some(i) => RelField { qualifier: None, ..joined.fields[i].clone() },
                None => RelField::new(name, expr.data_type.clone()),
            });
            exprs.push(expr);
        }
        for (i, field) in joined.fields.iter().enumerate() {
            let hidden = field.hidden || compared.contains(&i);
            exprs.push(column(i));
            fields.push(RelField { hidden, ..field.clone() });
        }
        Ok(Rel { kind: RelKind::Project { input: Box::new(joined), exprs }, fields })
    }
}
