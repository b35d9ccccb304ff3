//! Joins by time: which joins are bounded by time attributes, windows or versions.
//! Invariant: a join is recognised from its sides and its condition alone, wherever they were written; what it keeps
//! of its sides' time attributes is what Flink keeps. A join that is not recognised is a regular one.

use arrow_array::Array;
use arrow_array::cast::AsArray;
use arrow_array::types::DurationMillisecondType;
use mainstem_core::TypeKind;
use mainstem_engine::plan::JoinKind;
use mainstem_engine::rank::{RankEnd, RankFunction};
use mainstem_engine::window::WindowKind;

use super::Binder;
use super::query::{conjunction, conjuncts, equi_join, filter};
use super::state_ttl::kept_for;
use crate::ast::{Expr, JoinType};
use crate::bound::{Bound, BoundKind};
use crate::error::{SqlError, SqlResult};
use crate::join_time::JoinTime;
use crate::operators::BinaryOp;
use crate::optimize::rank::ranks;
use crate::rel::{Rel, RelField, RelKind, TimeAttribute, WindowRole, WindowSource, columns_of};
use crate::remote::Remote;
use crate::source::Span;

/// A regular join, perhaps under a projection, as a join by time if it is one.
pub(super) fn recognised(rel: Rel) -> Rel {
    match rel.kind {
        RelKind::Project { input, exprs } => {
            let input = by_time(*input);
            let fields = moved_fields(rel.fields, &exprs, &input);
            Rel { kind: RelKind::Project { input: Box::new(input), exprs }, fields }
        }
        kind => by_time(Rel { kind, fields: rel.fields }),
    }
}

fn by_time(join: Rel) -> Rel {
    let RelKind::Join { left, right, kind, left_keys, right_keys, residual, ttl_ms } = join.kind
    else {
        return join;
    };
    let fields = join.fields;
    let mut pairs: Vec<(usize, usize)> = left_keys.into_iter().zip(right_keys).collect();
    let mut rest = Vec::new();
    if let Some(residual) = residual {
        conjuncts(residual, &mut rest);
    }
    let one_sided = matches!(kind, JoinKind::Semi | JoinKind::Anti);
    let mut right = right;
    let mut by = window(&left, &right, &mut pairs);
    if by.is_none() && one_sided {
        // How often a partner is there does not matter.
        let all = with_duplicates(right.as_ref().clone());
        by = window(&left, &all, &mut pairs);
        if by.is_some() {
            *right = all;
        }
    }
    if by.is_none() && !one_sided {
        by = interval(&left, &right, &pairs, &mut rest);
    }
    let (left_keys, right_keys) = pairs.into_iter().unzip();
    let residual = conjunction(rest);
    let Some(by) = by else {
        return Rel {
            kind: RelKind::Join { left, right, kind, left_keys, right_keys, residual, ttl_ms },
            fields,
        };
    };
    let fields = with_times(fields, &left, &right, kind, &by);
    let kind = RelKind::TimedJoin { left, right, kind, left_keys, right_keys, residual, by };
    Rel { kind, fields }
}

/// The columns of a join by time with what they still are to time.
fn with_times(
    mut fields: Vec<RelField>,
    left: &Rel,
    right: &Rel,
    kind: JoinKind,
    by: &JoinTime,
) -> Vec<RelField> {
    let width = left.fields.len();
    // Windows of rows that may be missing are no windows.
    let (on_left, on_right) = match by {
        JoinTime::Window { .. } => (
            !matches!(kind, JoinKind::Right | JoinKind::Full),
            matches!(kind, JoinKind::Inner | JoinKind::Right),
        ),
        JoinTime::Interval { .. } => (true, true),
        JoinTime::Version { .. } | JoinTime::Lookup => (true, false),
    };
    for (i, field) in fields.iter_mut().enumerate() {
        let (of, keeps) = match i.checked_sub(width) {
            None => (&left.fields[i], on_left),
            Some(i) => (&right.fields[i], on_right),
        };
        field.time = of.time.filter(|_| keeps);
        field.window = of.window.filter(|_| keeps && !matches!(by, JoinTime::Interval { .. }));
    }
    fields
}

/// `rel` without the DISTINCT on top of it, its columns with what they are to windows.
fn with_duplicates(rel: Rel) -> Rel {
    let Rel { kind, fields } = rel;
    match kind {
        RelKind::Aggregate { input, keys, aggregates } if aggregates.is_empty() => {
            let input = Box::new(with_duplicates(*input));
            let column = |&key: &usize| Bound::column(key, input.fields[key].data_type.clone());
            let exprs: Vec<Bound> = keys.iter().map(column).collect();
            let fields = moved_fields(fields, &exprs, &input);
            Rel { kind: RelKind::Project { input, exprs }, fields }
        }
        RelKind::Project { input, exprs } => {
            let input = Box::new(with_duplicates(*input));
            let fields = moved_fields(fields, &exprs, &input);
            Rel { kind: RelKind::Project { input, exprs }, fields }
        }
        kind => Rel { kind, fields },
    }
}

/// Which windows a column is a bound of.
#[derive(Debug)]
struct Origin {
    shape: Shape,
    processing_time: bool,
    zone: Option<std::sync::Arc<dyn mainstem_engine::window::LocalTime>>,
}

#[derive(Debug, PartialEq, Eq)]
enum Shape {
    Of(WindowKind, i64),
    Session(i64),
}

/// The windows that made column `column`.
fn origin(rel: &Rel, column: usize) -> Option<Origin> {
    match &rel.kind {
        RelKind::WindowTable { input, windows } if column >= input.fields.len() => Some(Origin {
            shape: Shape::Of(windows.spec.kind, windows.spec.offset_ms),
            processing_time: windows.time.is_none(),
            zone: windows.spec.zone.clone(),
        }),
        RelKind::SessionTable { input, sessions, .. } if column >= input.fields.len() => {
            Some(Origin {
                shape: Shape::Session(sessions.spec.gap_ms),
                processing_time: sessions.time.is_none(),
                zone: sessions.spec.zone.clone(),
            })
        }
        RelKind::WindowAggregate { input, windows, .. } => match windows {
            WindowSource::Assign(windows) => Some(Origin {
                shape: Shape::Of(windows.spec.kind, windows.spec.offset_ms),
                processing_time: windows.time.is_none(),
                zone: windows.spec.zone.clone(),
            }),
            WindowSource::Sessions(sessions) => Some(Origin {
                shape: Shape::Session(sessions.spec.gap_ms),
                processing_time: sessions.time.is_none(),
                zone: sessions.spec.zone.clone(),
            }),
            WindowSource::Attached { start, .. } => origin(input, *start),
        },
        RelKind::Project { input, exprs } => origin(input, exprs.get(column)?.as_column()?),
        RelKind::UnionAll { inputs } => origin(inputs.first()?, column),
        RelKind::Join { left, right, .. } | RelKind::TimedJoin { left, right, .. } => {
            match column.checked_sub(left.fields.len()) {
                None => origin(left, column),
                Some(column) => origin(right, column),
            }
        }
        RelKind::Aggregate { input, keys, .. } => origin(input, *keys.get(column)?),
        _ => origin(rel.inputs().first()?, column),
    }
}

/// Equal windows on both sides: their columns are taken out of `pairs`.
fn window(left: &Rel, right: &Rel, pairs: &mut Vec<(usize, usize)>) -> Option<JoinTime> {
    let is = |&(l, r): &(usize, usize), role| {
        left.fields[l].window == Some(role) && right.fields[r].window == Some(role)
    };
    let start = *pairs.iter().find(|pair| is(pair, WindowRole::Start))?;
    let end = *pairs.iter().find(|pair| is(pair, WindowRole::End))?;
    let (l, r) = (origin(left, start.0)?, origin(right, start.1)?);
    if l.shape != r.shape || l.processing_time != r.processing_time {
        return None;
    }
    pairs.retain(|pair| !is(pair, WindowRole::Start) && !is(pair, WindowRole::End));
    Some(JoinTime::Window {
        left: (start.0, end.0),
        right: (start.1, end.1),
        processing_time: l.processing_time,
        zone: l.zone,
    })
}

/// A column moved by so many ms.
type Moved = (usize, i64);

/// `expr` as a time attribute of `fields`, moved by a constant.
fn moved_attribute(expr: &Bound, fields: &[RelField]) -> Option<Moved> {
    moved(expr, &|column| fields.get(column).is_some_and(|field| field.time.is_some()))
}

/// `expr` as a column for which `is_one` holds, moved by a constant.
pub(crate) fn moved(expr: &Bound, is_one: &dyn Fn(usize) -> bool) -> Option<Moved> {
    if let Some(column) = expr.as_column() {
        return is_one(column).then_some((column, 0));
    }
    let BoundKind::Call { op, args, .. } = &expr.kind else { return None };
    match (op, args.as_slice()) {
        (Some(BinaryOp::Add), [a, b]) => match (moved(a, is_one), moved(b, is_one)) {
            (Some((column, ms)), None) => Some((column, ms.checked_add(interval_ms(b)?)?)),
            (None, Some((column, ms))) => Some((column, ms.checked_add(interval_ms(a)?)?)),
            _ => None,
        },
        (Some(BinaryOp::Subtract), [a, b]) => {
            let (column, ms) = moved(a, is_one)?;
            Some((column, ms.checked_sub(interval_ms(b)?)?))
        }
        _ => None,
    }
}

fn interval_ms(expr: &Bound) -> Option<i64> {
    let value = expr.as_literal().filter(|value| value.is_valid(0))?;
    match expr.data_type.kind {
        TypeKind::IntervalDayTime => {
            Some(value.as_primitive_opt::<DurationMillisecondType>()?.value(0))
        }
        _ => None,
    }
}

/// Bounds of left time minus right time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Bounds {
    left: usize,
    right: usize,
    lower: Option<i64>,
    upper: Option<i64>,
}

/// What a conjunct over both sides says of the difference of two time attributes.
fn bounds(part: &Bound, fields: &[RelField], width: usize) -> Option<Bounds> {
    let BoundKind::Call { op: Some(op), args, .. } = &part.kind else { return None };
    let [a, b] = args.as_slice() else { return None };
    let (a, b) = (moved_attribute(a, fields)?, moved_attribute(b, fields)?);
    let (l, r, op) = match (a.0 < width, b.0 < width) {
        (true, false) => (a, b, *op),
        (false, true) => (b, a, mirrored(*op)),
        _ => return None,
    };
    if fields[l.0].time != fields[r.0].time {
        return None;
    }
    // left + l.1 op right + r.1
    let at = r.1.checked_sub(l.1)?;
    let (lower, upper) = match op {
        BinaryOp::Eq => (Some(at), Some(at)),
        BinaryOp::GtEq => (Some(at), None),
        BinaryOp::Gt => (Some(at.checked_add(1)?), None),
        BinaryOp::LtEq => (None, Some(at)),
        BinaryOp::Lt => (None, Some(at.checked_sub(1)?)),
        _ => return None,
    };
    Some(Bounds { left: l.0, right: r.0 - width, lower, upper })
}

fn mirrored(op: BinaryOp) -> BinaryOp {
    match op {
        BinaryOp::Lt => BinaryOp::Gt,
        BinaryOp::LtEq => BinaryOp::GtEq,
        BinaryOp::Gt => BinaryOp::Lt,
        BinaryOp::GtEq => BinaryOp::LtEq,
        other => other,
    }
}

/// Bounds on both ends for two time attributes; the conjuncts that say so are taken out of `rest`. Equal times stay
/// among the keys.
fn interval(
    left: &Rel,
    right: &Rel,
    pairs: &[(usize, usize)],
    rest: &mut Vec<Bound>,
) -> Option<JoinTime> {
    let width = left.fields.len();
    let both: Vec<RelField> = left.fields.iter().chain(&right.fields).cloned().collect();
    let of_pairs = pairs.iter().filter_map(|&(l, r)| {
        let (l, r) = (moved_key(left, l)?, moved_key(right, r)?);
        let same = left.fields[l.0].time == right.fields[r.0].time;
        let at = Some(r.1.checked_sub(l.1)?).filter(|_| same)?;
        Some(Bounds { left: l.0, right: r.0, lower: Some(at), upper: Some(at) })
    });
    let mut all: Vec<Bounds> = of_pairs.collect();
    all.extend(rest.iter().filter_map(|part| bounds(part, &both, width)));
    let closed = |first: &Bounds| {
        let same = all.iter().filter(|b| (b.left, b.right) == (first.left, first.right));
        let lower = same.clone().filter_map(|b| b.lower).max()?;
        Some((first.left, first.right, lower, same.filter_map(|b| b.upper).min()?))
    };
    let (l, r, lower_ms, upper_ms) = all.iter().find_map(closed)?;
    let attribute = left.fields[l].time?;
    rest.retain(|part| bounds(part, &both, width).is_none_or(|b| (b.left, b.right) != (l, r)));
    Some(JoinTime::Interval { left: l, right: r, attribute, lower_ms, upper_ms })
}

/// A key column that is a time attribute, or is computed from one.
fn moved_key(side: &Rel, key: usize) -> Option<Moved> {
    if side.fields[key].time.is_some() {
        return Some((key, 0));
    }
    let RelKind::Project { input, exprs } = &side.kind else { return None };
    let (column, ms) = moved_attribute(&exprs[key], &input.fields)?;
    let place = exprs.iter().position(|e| e.as_column() == Some(column))?;
    Some((place, ms))
}

/// The rows, the key and the time of a versioned table, and whether only rows that are not out of order are versions.
struct Versioned {
    rel: Rel,
    key: Vec<usize>,
    time: usize,
    keep_last: bool,
}

fn versioned(rel: Rel) -> Option<Versioned> {
    match &rel.kind {
        RelKind::Scan { table, columns, .. } => {
            let place = |column: &usize| columns.iter().position(|c| c == column);
            let key: Vec<usize> = table.primary_key.iter().map(place).collect::<Option<_>>()?;
            let time = place(&table.watermark.as_ref()?.column)?;
            (!key.is_empty()).then(|| Versioned { rel, key, time, keep_last: false })
        }
        RelKind::Project { .. } | RelKind::Filter { .. } => {
            let Rel { kind, fields } = rel;
            let (input, exprs, predicate) = match kind {
                RelKind::Project { input, exprs } => (input, Some(exprs), None),
                RelKind::Filter { input, predicate } => (input, None, Some(predicate)),
                _ => return None,
            };
            let below = versioned(*input)?;
            let place = |column: usize| match &exprs {
                Some(exprs) => exprs.iter().position(|e| e.as_column() == Some(column)),
                None => Some(column),
            };
            let key = below.key.iter().map(|&c| place(c)).collect::<Option<Vec<usize>>>()?;
            let (time, keep_last) = (place(below.time)?, below.keep_last);
            let input = Box::new(below.rel);
            let kind = match (exprs, predicate) {
                (Some(exprs), _) => RelKind::Project { input, exprs },
                (None, Some(predicate)) => RelKind::Filter { input, predicate },
                (None, None) => return None,
            };
            Some(Versioned { rel: Rel { kind, fields }, key, time, keep_last })
        }
        RelKind::Rank { .. } => last_rows(rel),
        _ => None,
    }
}

/// A deduplication that keeps the last row of each key: every row was the last one of its key at its time.
fn last_rows(rel: Rel) -> Option<Versioned> {
    let RelKind::Rank {
        input,
        partition,
        order,
        function: RankFunction::RowNumber,
        from: 1,
        to: RankEnd::Constant(1),
        with_rank,
        ..
    } = rel.kind
    else {
        return None;
    };
    let [(time, true, _)] = order.as_slice() else { return None };
    let time = *time;
    let by_time = input.fields[time].time == Some(TimeAttribute::Event);
    if !by_time || partition.is_empty() {
        return None;
    }
    let rel = match with_rank {
        false => *input,
        true => {
            let rank = rel.fields.last()?;
            let one = arrow_array::Int64Array::from(vec![1]);
            let one = Bound::literal(std::sync::Arc::new(one), rank.data_type.clone());
            let columns = input.fields.iter().enumerate();
            let mut exprs: Vec<Bound> =
                columns.map(|(i, field)| Bound::column(i, field.data_type.clone())).collect();
            exprs.push(one);
            Rel { kind: RelKind::Project { input, exprs }, fields: rel.fields }
        }
    };
    Some(Versioned { rel, key: partition, time, keep_last: true })
}

impl Binder<'_> {
    /// `left JOIN right FOR SYSTEM_TIME AS OF time ON condition`, `fields` being the columns of both.
    pub(super) fn join_as_of(
        &self,
        left: Rel,
        right: Rel,
        time: &Expr,
        kind: JoinType,
        condition: Option<Bound>,
        fields: Vec<RelField>,
    ) -> SqlResult<Rel> {
        let kind = match kind {
            JoinType::Inner | JoinType::Cross => JoinKind::Inner,
            JoinType::Left => JoinKind::Left,
            JoinType::Right | JoinType::Full => {
                let message = "a RIGHT or FULL JOIN with FOR SYSTEM_TIME AS OF";
                return Err(SqlError::unsupported(message, time.span)
                    .with_hint("as in Flink there is INNER and LEFT JOIN"));
            }
        };
        let of = self.expressions(&left.fields).bind(time)?;
        let column = of.as_column();
        match column.and_then(|column| Some((column, left.fields[column].time?))) {
            Some((_, TimeAttribute::Processing)) => {
                self.as_of(left, right, kind, condition, fields, JoinTime::Lookup)
            }
            Some((column, TimeAttribute::Event)) => {
                let right = ranks(right, self.context.connectors);
                let Some(Versioned { rel, key, time, keep_last }) = versioned(right) else {
                    return Err(SqlError::new(
                        "FOR SYSTEM_TIME AS OF a rowtime needs a versioned table",
                        time.span,
                    )
                    .with_hint(
                        "a table with PRIMARY KEY (...) NOT ENFORCED and WATERMARK, or a view that keeps its last row per key by ROW_NUMBER() over its rowtime; both columns must be kept",
                    ));
                };
                let by = JoinTime::Version { left: column, right: time, key, keep_last };
                self.as_of(left, rel, kind, condition, fields, by)
            }
            None => Err(SqlError::new(
                "FOR SYSTEM_TIME AS OF takes a time attribute of the left side",
                time.span,
            )
            .with_hint("a column with a WATERMARK, or one AS PROCTIME()")),
        }
    }

    fn as_of(
        &self,
        left: Rel,
        right: Rel,
        kind: JoinKind,
        condition: Option<Bound>,
        fields: Vec<RelField>,
        by: JoinTime,
    ) -> SqlResult<Rel> {
        let width = left.fields.len();
        let joined = super::query::regular_join(left, right, kind, condition, fields);
        self.with_kind(joined, &|this, join| {
            let RelKind::Join { left, mut right, kind, left_keys, right_keys, residual, .. } =
                join.kind
            else {
                return Ok(join);
            };
            debug_assert!(left.fields.len() >= width, "columns are only added");
            let (left_keys, right_keys, residual) = match &by {
                JoinTime::Version { key, .. } => {
                    let pairs: Vec<(usize, usize)> =
                        left_keys.into_iter().zip(right_keys).collect();
                    let (of_key, others): (Vec<_>, Vec<_>) =
                        pairs.into_iter().partition(|pair| key.contains(&pair.1));
                    let mut rest: Vec<Bound> = residual.into_iter().collect();
                    for pair in others {
                        rest.push(this.equality(&left, &right, pair)?);
                    }
                    let (left_keys, right_keys) = of_key.into_iter().unzip();
                    (left_keys, right_keys, conjunction(rest))
                }
                // A table outside is asked by its own columns; other equalities are conditions on what it gives.
                JoinTime::Lookup
                    if let Some(remote) = Remote::of(&right, this.context.connectors) =>
                {
                    let pairs = left_keys.into_iter().zip(right_keys);
                    let (keys, others): (Vec<_>, Vec<_>) =
                        pairs.partition(|pair| remote.key(pair.1).is_some());
                    let mut parts = Vec::new();
                    residual.into_iter().for_each(|residual| conjuncts(residual, &mut parts));
                    for pair in others {
                        parts.push(this.equality(&left, &right, pair)?);
                    }
                    let sides = sorted(parts, left.fields.len());
                    *right = under(*right, sides.right);
                    let rest = [sides.left, sides.both, sides.rest].concat();
                    let (left_keys, right_keys) = keys.into_iter().unzip();
                    (left_keys, right_keys, conjunction(rest))
                }
                _ => (left_keys, right_keys, residual),
            };
            let fields = with_times(join.fields, &left, &right, kind, &by);
            let by = by.clone();
            let kind =
                RelKind::TimedJoin { left, right, kind, left_keys, right_keys, residual, by };
            Ok(Rel { kind, fields })
        })
    }

    /// `left.pair.0 = right.pair.1`, over both.
    fn equality(&self, left: &Rel, right: &Rel, pair: (usize, usize)) -> SqlResult<Bound> {
        let width = left.fields.len();
        let l = Bound::column(pair.0, left.fields[pair.0].data_type.clone());
        let r = Bound::column(width + pair.1, right.fields[pair.1].data_type.clone());
        self.expressions(&[]).binary(BinaryOp::Eq, l, r, Span::default())
    }

    /// `rel` with the join under its projection rewritten, and the projection's columns as the join has them.
    fn with_kind(
        &self,
        rel: Rel,
        rewrite: &dyn Fn(&Self, Rel) -> SqlResult<Rel>,
    ) -> SqlResult<Rel> {
        match rel.kind {
            RelKind::Project { input, exprs } => {
                let input = rewrite(self, *input)?;
                let fields = moved_fields(rel.fields, &exprs, &input);
                Ok(Rel { kind: RelKind::Project { input: Box::new(input), exprs }, fields })
            }
            kind => rewrite(self, Rel { kind, fields: rel.fields }),
        }
    }

    /// A filter over joins, its conjuncts made conditions of the inner joins they are about: there they are keys, or
    /// bounds of time.
    pub(super) fn conditions_into_joins(&self, rel: Rel) -> SqlResult<Rel> {
        match rel.kind {
            RelKind::Filter { input, predicate } if has_join(&input) => {
                let mut parts = Vec::new();
                conjuncts(predicate, &mut parts);
                self.spread(*input, parts)
            }
            // Sub-queries of the same WHERE.
            RelKind::Join {
                left,
                right,
                kind: kind @ (JoinKind::Semi | JoinKind::Anti),
                left_keys,
                right_keys,
                residual,
                ttl_ms,
            } => {
                let left = Box::new(self.conditions_into_joins(*left)?);
                let kind =
                    RelKind::Join { left, right, kind, left_keys, right_keys, residual, ttl_ms };
                Ok(Rel { kind, fields: rel.fields })
            }
            kind => Ok(Rel { kind, fields: rel.fields }),
        }
    }

    /// `rel` under the conjuncts `parts`.
    fn spread(&self, rel: Rel, parts: Vec<Bound>) -> SqlResult<Rel> {
        let Rel { kind, fields } = rel;
        match kind {
            RelKind::Filter { input, predicate } if has_join(&input) => {
                let mut all = Vec::new();
                conjuncts(predicate, &mut all);
                all.extend(parts);
                self.spread(*input, all)
            }
            RelKind::Project { input, exprs } if has_join(&input) => {
                let plain =
                    |p: &Bound| columns_of(p).iter().all(|c| exprs[*c].as_column().is_some());
                let (down, stay): (Vec<_>, Vec<_>) = parts.into_iter().partition(plain);
                let down = down.iter().map(|p| p.map_columns(&|c, _| exprs[c].clone())).collect();
                let input = self.spread(*input, down)?;
                let fields = moved_fields(fields, &exprs, &input);
                let rel = Rel { kind: RelKind::Project { input: Box::new(input), exprs }, fields };
                Ok(under(rel, stay))
            }
            RelKind::Join { left, right, kind, left_keys, right_keys, residual, ttl_ms } => {
                let width = left.fields.len();
                match kind {
                    JoinKind::Inner => {
                        let mut all =
                            self.condition_of(&left, &right, left_keys, right_keys, residual)?;
                        all.extend(parts);
                        let sides = sorted(all, width);
                        let left = self.spread(*left, sides.left)?;
                        let right = self.spread(*right, sides.right)?;
                        let condition = conjunction(sides.both);
                        let joined = equi_join(left, right, kind, condition, fields);
                        Ok(under(kept_for(joined, ttl_ms), sides.rest))
                    }
                    JoinKind::Left
                    | JoinKind::Semi
                    | JoinKind::Anti
                    | JoinKind::Right
                    | JoinKind::Full => {
                        let (left, stay) = match kind {
                            JoinKind::Right | JoinKind::Full => (left, parts),
                            _ => {
                                let mut sides = sorted(parts, width);
                                let left = self.spread(*left, sides.left.split_off(0))?;
                                (Box::new(left), sides.over_both(width))
                            }
                        };
                        let kind = RelKind::Join {
                            left,
                            right,
                            kind,
                            left_keys,
                            right_keys,
                            residual,
                            ttl_ms,
                        };
                        Ok(under(Rel { kind, fields }, stay))
                    }
                }
            }
            RelKind::TimedJoin { left, right, kind, left_keys, right_keys, residual, by }
                if matches!(by, JoinTime::Version { .. } | JoinTime::Lookup) =>
            {
                let mut condition =
                    self.condition_of(&left, &right, left_keys, right_keys, residual)?;
                let mut sides = sorted(parts, left.fields.len());
                let width = left.fields.len();
                let left = self.spread(*left, sides.left.split_off(0))?;
                if kind == JoinKind::Inner {
                    condition.append(&mut sides.both);
                }
                let joined = self.as_of(left, *right, kind, conjunction(condition), fields, by)?;
                Ok(under(joined, sides.over_both(width)))
            }
            kind => Ok(under(Rel { kind, fields }, parts)),
        }
    }

    /// The conjuncts of a join's condition, over both sides.
    fn condition_of(
        &self,
        left: &Rel,
        right: &Rel,
        left_keys: Vec<usize>,
        right_keys: Vec<usize>,
        residual: Option<Bound>,
    ) -> SqlResult<Vec<Bound>> {
        let pairs = left_keys.into_iter().zip(right_keys);
        let mut parts: Vec<Bound> =
            pairs.map(|pair| self.equality(left, right, pair)).collect::<SqlResult<_>>()?;
        if let Some(residual) = residual {
            conjuncts(residual, &mut parts);
        }
        Ok(parts)
    }
}

fn has_join(rel: &Rel) -> bool {
    match &rel.kind {
        RelKind::Join { .. } | RelKind::TimedJoin { .. } => true,
        RelKind::Project { input, .. } | RelKind::Filter { input, .. } => has_join(input),
        _ => false,
    }
}

fn under(rel: Rel, parts: Vec<Bound>) -> Rel {
    match conjunction(parts) {
        Some(predicate) => filter(rel, predicate),
        None => rel,
    }
}

/// `fields` of a projection, with what moved columns are to time.
fn moved_fields(mut fields: Vec<RelField>, exprs: &[Bound], input: &Rel) -> Vec<RelField> {
    for (field, expr) in fields.iter_mut().zip(exprs) {
        if let Some(column) = expr.as_column() {
            (field.time, field.window) = (input.fields[column].time, input.fields[column].window);
        }
    }
    fields
}

fn refers_outside(part: &Bound) -> bool {
    part.any(&|expr| matches!(expr.kind, BoundKind::Reference(_)))
}

/// Conjuncts by the sides they read; those of the right side count its columns.
struct BySide {
    left: Vec<Bound>,
    right: Vec<Bound>,
    both: Vec<Bound>,
    rest: Vec<Bound>,
}

impl BySide {
    /// What is left of them, over the columns of both sides.
    fn over_both(self, width: usize) -> Vec<Bound> {
        let right = self.right.iter().map(|part| part.remap(&|c| c + width));
        self.left.into_iter().chain(right).chain(self.both).chain(self.rest).collect()
    }
}

fn sorted(parts: Vec<Bound>, width: usize) -> BySide {
    let mut sides =
        BySide { left: Vec::new(), right: Vec::new(), both: Vec::new(), rest: Vec::new() };
    for part in parts {
        let columns = columns_of(&part);
        let on_left = columns.iter().any(|c| *c < width);
        let on_right = columns.iter().any(|c| *c >= width);
        match (on_left, on_right) {
            // What reads a query around this one is found where it was written.
            _ if !part.is_deterministic() || refers_outside(&part) => sides.rest.push(part),
            (true, true) => sides.both.push(part),
            (true, false) => sides.left.push(part),
            (false, true) => sides.right.push(part.remap(&|c| c - width)),
            (false, false) => sides.rest.push(part),
        }
    }
    sides
}
