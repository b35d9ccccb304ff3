//! Joins of which a side or the condition speaks of the outer query.
//! Invariant: of an inner join the conditions may hold behind it. Any other has to know the outer values where it decides which
//! rows find no partner: each row of a side that may stand alone is there once for each of the different outer values.

use mainstem_engine::plan::JoinKind;

use super::{Correlation, Pulled, over};
use crate::bind::attach::truth;
use crate::bind::expr::ExprBinder;
use crate::bind::query::{conjunction, conjuncts, equi_join, with_columns};
use crate::bound::{Bound, BoundKind};
use crate::error::SqlResult;
use crate::operators::{BinaryOp, UnaryOp};
use crate::rel::{Rel, RelField, RelKind};

impl Correlation<'_> {
    pub(super) fn join(&self, kind: RelKind, duplicates_matter: bool) -> SqlResult<Pulled> {
        let RelKind::Join { left, right, kind, left_keys, right_keys, residual, ttl_ms } = kind
        else {
            unreachable!("called for joins only")
        };
        if kind == JoinKind::Right {
            // The same the other way round.
            let (own, other) = (left.fields.len(), right.fields.len());
            let moved = |c: usize| if c < own { c + other } else { c - own };
            let flipped = RelKind::Join {
                left: right,
                right: left,
                kind: JoinKind::Left,
                left_keys: right_keys,
                right_keys: left_keys,
                residual: residual.map(|residual| residual.remap(&moved)),
                ttl_ms: [ttl_ms[1], ttl_ms[0]],
            };
            let mut pulled = self.join(flipped, duplicates_matter)?;
            pulled.outputs.rotate_left(other);
            return Ok(pulled);
        }
        let is_inner = kind == JoinKind::Inner || (kind == JoinKind::Semi && !duplicates_matter);
        let one_sided = matches!(kind, JoinKind::Semi | JoinKind::Anti);
        let l = self.side(*left, duplicates_matter, kind == JoinKind::Full)?;
        let is_optional = matches!(kind, JoinKind::Left | JoinKind::Full);
        let r = self.side(*right, duplicates_matter, is_optional)?;
        let width = l.rel.fields.len();
        let shifted = |e: &Bound| e.remap(&|c| c + width);
        let of_right: Vec<Bound> = r.outputs.iter().map(shifted).collect();
        let both: Vec<Bound> = l.outputs.iter().chain(&of_right).cloned().collect();
        let mut parts = Vec::new();
        for (a, b) in left_keys.iter().zip(&right_keys) {
            parts.push(self.binary(BinaryOp::Eq, l.outputs[*a].clone(), of_right[*b].clone())?);
        }
        if let Some(residual) = residual {
            conjuncts(over(&residual, &both), &mut parts);
        }
        let mut outputs = l.outputs.clone();
        if kind == JoinKind::Full {
            outputs = self.optional(&outputs, width - 1)?;
        }
        if is_optional {
            outputs.extend(self.optional(&of_right, width + r.rel.fields.len() - 1)?);
        } else if !one_sided {
            outputs.extend(of_right);
        }
        if kind == JoinKind::Full {
            return self.full_join(l, r, parts, outputs);
        }
        parts.extend(r.conditions.iter().map(shifted));
        if !is_inner && parts.iter().any(|part| self.speaks_of_outer(part)) {
            return self.join_with_domain(l, r.rel, kind, &parts, &outputs);
        }
        let (outer, own): (Vec<_>, Vec<_>) =
            parts.into_iter().partition(|p| self.speaks_of_outer(p));
        let kind = if is_inner { JoinKind::Inner } else { kind };
        let rel = joined(l.rel, r.rel, kind, own);
        let mut conditions = l.conditions;
        conditions.extend(outer);
        Ok(Pulled { rel, outputs, conditions, always: false, having: None })
    }

    /// A side of a join; one whose rows may be missing has TRUE as its last column.
    fn side(&self, rel: Rel, duplicates_matter: bool, is_optional: bool) -> SqlResult<Pulled> {
        let mut side = self.pull(rel, duplicates_matter)?;
        self.check_rows(&side, "a join of its aggregates")?;
        if is_optional {
            side.rel = with_columns(side.rel, vec![truth()]).0;
        }
        Ok(side)
    }

    /// What a side computes where its row may be missing, as `marker` says.
    fn optional(&self, outputs: &[Bound], marker: usize) -> SqlResult<Vec<Bound>> {
        let binder = ExprBinder::new(self.session, &[]);
        let optional = |output: &Bound| {
            if let Some(column) = output.as_column() {
                return Ok(Bound::column(column, output.data_type.with_nullable(true)));
            }
            let there = Bound::column(marker, truth().data_type.with_nullable(true));
            let there = binder.unary_bound(UnaryOp::IsNotNull, there, self.span)?;
            let nothing = Bound::null(&output.data_type);
            binder.case_of(vec![(there, output.clone())], nothing, self.span)
        };
        outputs.iter().map(optional).collect()
    }

    /// A join that is not an inner one on `parts` that speak of the outer query: each left row once for each of the
    /// different outer values.
    fn join_with_domain(
        &self,
        left: Pulled,
        right: Rel,
        kind: JoinKind,
        parts: &[Bound],
        outputs: &[Bound],
    ) -> SqlResult<Pulled> {
        let width = left.rel.fields.len();
        let domain = self.domain(left.rel, &left.conditions, parts)?;
        let moved = |e: &Bound| {
            let behind = |c: usize| if c < width { c } else { c + domain.width() };
            self.within(&domain, &e.remap(&behind))
        };
        let parts = parts.iter().map(moved).collect();
        let outputs = outputs.iter().map(moved).collect();
        let conditions = self.on_domain(&domain, &left.conditions)?;
        let rel = joined(domain.rel, right, kind, parts);
        Ok(Pulled { rel, outputs, conditions, always: false, having: None })
    }

    /// A full join: the rows of both sides once for each of the different outer values, and partners have the same.
    fn full_join(
        &self,
        left: Pulled,
        right: Pulled,
        parts: Vec<Bound>,
        outputs: Vec<Bound>,
    ) -> SqlResult<Pulled> {
        let all = [left.conditions.as_slice(), &right.conditions, &parts].concat();
        if !all.iter().any(|e| self.speaks_of_outer(e)) {
            let rel = joined(left.rel, right.rel, JoinKind::Full, parts);
            return Ok(Pulled { rel, outputs, conditions: all, always: false, having: None });
        }
        let (width, right_width) = (left.rel.fields.len(), right.rel.fields.len());
        let of_left = self.domain(left.rel, &left.conditions, &all)?;
        let of_right = self.domain(right.rel, &right.conditions, &all)?;
        let more = of_left.width();
        let moved = |e: &Bound| e.remap(&|c| if c < width { c } else { c + more });
        let mut on: Vec<Bound> =
            parts.iter().map(|part| self.within(&of_left, &moved(part))).collect();
        let mut keys = Vec::with_capacity(more);
        for place in 0..more {
            let data_type = of_left.rel.fields[width + place].data_type.clone();
            let at = [width + place, width + more + right_width + place];
            let [a, b] = at.map(|column| Bound::column(column, data_type.clone()));
            on.extend(self.same(a, b, data_type.nullable)?);
            let data_type = data_type.with_nullable(true);
            let sides = at.map(|column| Bound::column(column, data_type.clone())).to_vec();
            keys.push(Bound { kind: BoundKind::Coalesce(sides), data_type });
        }
        let conditions = self.on_values(&of_left, keys, &[])?;
        let outputs = outputs.iter().map(moved).collect();
        let rel = joined(of_left.rel, of_right.rel, JoinKind::Full, on);
        Ok(Pulled { rel, outputs, conditions, always: false, having: None })
    }
}

/// A join on all of `parts`.
fn joined(left: Rel, right: Rel, kind: JoinKind, parts: Vec<Bound>) -> Rel {
    let width = left.fields.len();
    let mut fields: Vec<RelField> = left.fields.clone();
    if !matches!(kind, JoinKind::Semi | JoinKind::Anti) {
        fields.extend(right.fields.iter().cloned());
    }
    if matches!(kind, JoinKind::Left | JoinKind::Full) {
        fields[width..].iter_mut().for_each(|f| f.data_type.nullable = true);
    }
    if kind == JoinKind::Full {
        fields[..width].iter_mut().for_each(|f| f.data_type.nullable = true);
    }
    equi_join(left, right, kind, conjunction(parts), fields)
}
