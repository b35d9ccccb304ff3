//! Top-N and deduplication: a condition on ROW_NUMBER, RANK or DENSE_RANK says which ranks are wanted, so only those
//! are kept and put out. `ORDER BY ... LIMIT` over a source without end is a top-N without partition.
//! Invariant: only a comparison of the rank alone with a constant, or with a column of the partition, is taken into the
//! node; all other conditions stay where they are, and without an upper bound OVER stays. Runs before event time is
//! asked for, as windows and keep-first go by watermarks, and again when conditions have moved.

use std::collections::BTreeSet;
use std::sync::Arc;

use arrow_array::types::{Int8Type, Int16Type, Int32Type, Int64Type};
use arrow_array::{Array, ArrayRef, cast::AsArray};
use mainstem_core::TypeKind;
use mainstem_engine::over::{OverCall, OverFunction};
use mainstem_engine::rank::{RankEmit, RankEnd, RankFunction};
use mainstem_engine::window::LocalTime;

use super::prune::{place_in, places};
use super::pushdown::{self, split};
use super::{bounded, map_inputs};
use crate::bind::{conjunction, conjuncts};
use crate::bound::{Bound, BoundKind};
use crate::catalog::ConnectorCatalog;
use crate::operators::BinaryOp;
use crate::rel::{Rel, RelField, RelKind, TimeAttribute, WindowSource, columns_of};

/// Finds every top-N below `rel`.
#[must_use]
pub(crate) fn ranks(rel: Rel, connectors: &ConnectorCatalog) -> Rel {
    let rel = map_inputs(rel, &mut |input| ranks(input, connectors));
    let fields = rel.fields;
    match rel.kind {
        kind @ RelKind::Filter { .. } => filtered(Rel { kind, fields }),
        RelKind::Sort { input, keys, limit: Some(limit) }
            if bounded::may_not_end(&input, connectors) =>
        {
            first_rows(input, keys, 0, limit)
        }
        RelKind::Limit { input, offset, count: Some(count) } => match input.kind {
            RelKind::Sort { input, keys, limit: None }
                if bounded::may_not_end(&input, connectors) =>
            {
                first_rows(input, keys, offset, count)
            }
            kind => {
                let input = Box::new(Rel { kind, fields: input.fields });
                Rel { kind: RelKind::Limit { input, offset, count: Some(count) }, fields }
            }
        },
        kind => Rel { kind, fields },
    }
}

/// ORDER BY, OFFSET and LIMIT.
fn first_rows(input: Box<Rel>, order: Vec<(usize, bool, bool)>, offset: u64, count: u64) -> Rel {
    let fields = input.fields.clone();
    let kind = RelKind::Rank {
        input,
        partition: Vec::new(),
        order,
        latest_first: false,
        function: RankFunction::RowNumber,
        from: offset.saturating_add(1),
        to: RankEnd::Constant(offset.saturating_add(count)),
        with_rank: false,
        emit: RankEmit::Changes,
    };
    Rel { kind, fields }
}

/// A node between the topmost filter and OVER.
enum Step {
    Filter(Vec<Bound>, Vec<RelField>),
    Project(Vec<Bound>, Vec<RelField>),
}

/// Filters and projections over OVER, with the conditions on its rank in the node itself.
fn filtered(rel: Rel) -> Rel {
    if rank_below(&rel).is_none() {
        return rel;
    }
    let mut steps = Vec::new();
    let mut rel = rel;
    loop {
        match rel.kind {
            RelKind::Filter { input, predicate } => {
                let mut parts = Vec::new();
                conjuncts(predicate, &mut parts);
                steps.push(Step::Filter(parts, rel.fields));
                rel = *input;
            }
            RelKind::Project { input, exprs } => {
                steps.push(Step::Project(exprs, rel.fields));
                rel = *input;
            }
            kind => {
                rel = Rel { kind, fields: rel.fields };
                break;
            }
        }
    }
    let mut wanted = Wanted::new(&rel);
    let mut taken = Vec::new();
    for (at, step) in steps.iter().enumerate() {
        let Step::Filter(parts, _) = step else { continue };
        let takes = |part: &Bound| {
            below_steps(part, &steps[at + 1..]).is_some_and(|part| wanted.take(&part))
        };
        taken.push((at, parts.iter().map(takes).collect::<Vec<bool>>()));
    }
    if wanted.to.is_some() {
        for (at, taken) in taken {
            if let Step::Filter(parts, _) = &mut steps[at] {
                let mut taken = taken.into_iter();
                parts.retain(|_| taken.next() != Some(true));
            }
        }
        rel = wanted.over(rel);
    }
    for step in steps.into_iter().rev() {
        rel = match step {
            Step::Project(exprs, fields) => {
                Rel { kind: RelKind::Project { input: Box::new(rel), exprs }, fields }
            }
            Step::Filter(parts, fields) => match conjunction(parts) {
                Some(predicate) => {
                    Rel { kind: RelKind::Filter { input: Box::new(rel), predicate }, fields }
                }
                None => rel,
            },
        };
    }
    rel
}

/// The ranking function of the lone call of OVER below filters and projections.
fn rank_below(rel: &Rel) -> Option<RankFunction> {
    match &rel.kind {
        RelKind::Filter { input, .. } | RelKind::Project { input, .. } => rank_below(input),
        RelKind::Over { calls, .. } => ranking(calls),
        _ => None,
    }
}

fn ranking(calls: &[OverCall]) -> Option<RankFunction> {
    let [call] = calls else { return None };
    match call.function {
        OverFunction::RowNumber => Some(RankFunction::RowNumber),
        OverFunction::Rank => Some(RankFunction::Rank),
        OverFunction::DenseRank => Some(RankFunction::DenseRank),
        _ => None,
    }
}

/// A condition over the columns at the bottom of `steps`, if it can be said there.
fn below_steps(part: &Bound, steps: &[Step]) -> Option<Bound> {
    let mut part = part.clone();
    for step in steps {
        if let Step::Project(exprs, _) = step {
            part = part.map_columns(&|c, _| exprs[c].clone());
        }
    }
    part.is_deterministic().then_some(part)
}

/// The ranks that the conditions ask for.
struct Wanted {
    /// The column of the rank.
    rank: usize,
    partition: Vec<usize>,
    from: u64,
    to: Option<RankEnd>,
}

impl Wanted {
    fn new(over: &Rel) -> Self {
        let partition = match &over.kind {
            RelKind::Over { partition, .. } => partition.clone(),
            _ => Vec::new(),
        };
        Self { rank: over.fields.len() - 1, partition, from: 1, to: None }
    }

    /// Takes a comparison of the rank in; false if it is none, or does not fit what was taken before.
    fn take(&mut self, part: &Bound) -> bool {
        let BoundKind::Call { op: Some(op), args, .. } = &part.kind else { return false };
        let [left, right] = &args[..] else { return false };
        let is_rank = |e: &Bound| e.as_column() == Some(self.rank);
        let (op, other) = match (is_rank(left), is_rank(right)) {
            (true, false) => (*op, right),
            (false, true) => (mirrored(*op), left),
            _ => return false,
        };
        if let Some(value) = integer(other) {
            return self.bound(op, value);
        }
        match (op, partition_column(other, &self.partition)) {
            (BinaryOp::LtEq, Some(column)) if self.to.is_none() => {
                self.to = Some(RankEnd::Column(column));
                true
            }
            _ => false,
        }
    }

    fn bound(&mut self, op: BinaryOp, value: i64) -> bool {
        let (from, to) = match op {
            BinaryOp::Eq => (Some(value), Some(value)),
            BinaryOp::LtEq => (None, Some(value)),
            BinaryOp::Lt => (None, Some(value.saturating_sub(1))),
            BinaryOp::GtEq => (Some(value), None),
            BinaryOp::Gt => (Some(value.saturating_add(1)), None),
            _ => return false,
        };
        let natural = |value: i64| u64::try_from(value).unwrap_or(0);
        match (to.map(natural), self.to) {
            (Some(_), Some(RankEnd::Column(_))) => return false,
            (Some(to), Some(RankEnd::Constant(before))) => {
                self.to = Some(RankEnd::Constant(to.min(before)));
            }
            (Some(to), None) => self.to = Some(RankEnd::Constant(to)),
            (None, _) => {}
        }
        self.from = self.from.max(from.map_or(1, natural));
        true
    }

    /// The node in the place of `over`, with the same columns.
    fn over(self, over: Rel) -> Rel {
        let fields = over.fields;
        let RelKind::Over { input, partition, order, time, calls } = over.kind else {
            return Rel { kind: over.kind, fields };
        };
        let Some(to) = self.to else {
            return Rel { kind: RelKind::Over { input, partition, order, time, calls }, fields };
        };
        let function = ranking(&calls).expect("looked at before");
        let rank_type = fields[self.rank].data_type.clone();
        let constant = match to {
            RankEnd::Constant(to) if to == self.from && function == RankFunction::RowNumber => {
                i64::try_from(to).ok()
            }
            _ => None,
        };
        let shape = Shape::of(&input, &partition, order, function, (self.from, to));
        let kind = RelKind::Rank {
            input,
            partition,
            order: shape.order,
            latest_first: shape.latest_first,
            function,
            from: self.from,
            to,
            with_rank: constant.is_none(),
            emit: shape.emit,
        };
        let Some(value) = constant else { return Rel { kind, fields } };
        // The rank of the only row of a partition is known.
        let kept = fields[..self.rank].to_vec();
        let mut exprs: Vec<Bound> =
            kept.iter().enumerate().map(|(i, f)| Bound::column(i, f.data_type.clone())).collect();
        let value: ArrayRef = Arc::new(arrow_array::Int64Array::from(vec![value]));
        exprs.push(Bound::literal(value, rank_type));
        let input = Box::new(Rel { kind, fields: kept });
        Rel { kind: RelKind::Project { input, exprs }, fields }
    }
}

/// A rank with the columns `wanted`: without the rank itself if nobody asks for it.
pub(super) fn prune(kind: RelKind, fields: &[RelField], wanted: &[usize]) -> Rel {
    let RelKind::Rank {
        input,
        partition,
        order,
        latest_first,
        function,
        from,
        to,
        with_rank,
        emit,
    } = kind
    else {
        unreachable!("called for ranks only")
    };
    let width = input.fields.len();
    let with_rank = with_rank && wanted.contains(&width);
    let mut needed: BTreeSet<usize> = wanted.iter().copied().filter(|w| *w < width).collect();
    needed.extend(&partition);
    needed.extend(order.iter().map(|key| key.0));
    if let RankEmit::FirstByTime { time } = &emit {
        needed.insert(*time);
    }
    let needed: Vec<usize> = needed.into_iter().collect();
    let at = place_in(&needed);
    let outputs: Vec<usize> = needed.iter().copied().chain(with_rank.then_some(width)).collect();
    let kept = outputs.iter().map(|&o| fields[o].clone()).collect();
    let kind = RelKind::Rank {
        partition: partition.into_iter().map(&at).collect(),
        order: order.into_iter().map(|(c, d, n)| (at(c), d, n)).collect(),
        latest_first,
        function,
        from,
        to: match to {
            RankEnd::Column(column) => RankEnd::Column(at(column)),
            constant => constant,
        },
        with_rank,
        emit: match emit {
            RankEmit::Changes => RankEmit::Changes,
            RankEmit::FirstByTime { time } => RankEmit::FirstByTime { time: at(time) },
            RankEmit::Windows { end, processing_time, zone } => {
                RankEmit::Windows { end: at(end), processing_time, zone }
            }
        },
        input: Box::new(super::prune::prune(*input, &needed)),
    };
    Rel { kind, fields: kept }.select(&places(wanted, &outputs))
}

/// A rank over the partitions that pass `parts`, and those of them that are not about whole partitions.
pub(super) fn filter_partitions(rel: Rel, parts: Vec<Bound>) -> (Rel, Vec<Bound>) {
    let fields = rel.fields;
    let mut kind = rel.kind;
    let RelKind::Rank { input, partition, .. } = &mut kind else {
        return (Rel { kind, fields }, parts);
    };
    let whole = |p: &Bound| {
        let read = columns_of(p);
        p.is_deterministic() && !read.is_empty() && read.iter().all(|c| partition.contains(c))
    };
    let (down, stay) = split(parts, whole);
    let empty = Rel { kind: RelKind::Values { columns: Vec::new(), rows: 0 }, fields: Vec::new() };
    let taken = std::mem::replace(input.as_mut(), empty);
    **input = pushdown::filtered(taken, down);
    (Rel { kind, fields }, stay)
}

/// Order, ties and times of a rank.
struct Shape {
    order: Vec<(usize, bool, bool)>,
    latest_first: bool,
    emit: RankEmit,
}

impl Shape {
    fn of(
        input: &Rel,
        partition: &[usize],
        order: Vec<(usize, bool, bool)>,
        function: RankFunction,
        range: (u64, RankEnd),
    ) -> Self {
        let mut shape = Self { order, latest_first: false, emit: RankEmit::Changes };
        let is_first = function == RankFunction::RowNumber && range == (1, RankEnd::Constant(1));
        let windows = input.window_columns();
        if let Some((_, end)) =
            windows.filter(|(start, end)| partition.contains(start) && partition.contains(end))
        {
            let (processing_time, zone) = windows_below(input);
            shape.emit = RankEmit::Windows { end, processing_time, zone };
        }
        let &[(column, descending, _)] = &shape.order[..] else { return shape };
        let windowed = matches!(shape.emit, RankEmit::Windows { .. });
        let time = match input.fields[column].time {
            None if windowed && is_time_of_window(input, column) => Some(TimeAttribute::Event),
            time => time,
        };
        match time {
            Some(TimeAttribute::Processing) if function == RankFunction::RowNumber => {
                shape.order.clear();
                shape.latest_first = descending;
            }
            Some(TimeAttribute::Event) if is_first && descending => shape.latest_first = true,
            Some(TimeAttribute::Event) if is_first && !windowed => {
                shape.emit = RankEmit::FirstByTime { time: column };
            }
            _ => {}
        }
        shape
    }
}

/// True for the event time that a window table function below went by: to Flink it is a time attribute still.
fn is_time_of_window(rel: &Rel, column: usize) -> bool {
    match &rel.kind {
        RelKind::WindowTable { windows, .. } => windows.time == Some(column),
        RelKind::SessionTable { sessions, .. } => sessions.time == Some(column),
        RelKind::Project { input, exprs } => {
            exprs[column].as_column().is_some_and(|column| is_time_of_window(input, column))
        }
        RelKind::Filter { input, .. } => is_time_of_window(input, column),
        _ => false,
    }
}

/// Whether the windows that the rows belong to are over processing time, and the zone of their bounds.
fn windows_below(rel: &Rel) -> (bool, Option<Arc<dyn LocalTime>>) {
    match &rel.kind {
        RelKind::WindowTable { windows, .. }
        | RelKind::WindowAggregate { windows: WindowSource::Assign(windows), .. } => {
            (windows.time.is_none(), windows.spec.zone.clone())
        }
        RelKind::SessionTable { sessions, .. }
        | RelKind::WindowAggregate { windows: WindowSource::Sessions(sessions), .. } => {
            (sessions.time.is_none(), sessions.spec.zone.clone())
        }
        RelKind::WindowAggregate {
            windows: WindowSource::Attached { processing_time, zone, .. },
            ..
        } => (*processing_time, zone.clone()),
        _ => rel.inputs().first().map_or((false, None), |input| windows_below(input)),
    }
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

fn integer(expr: &Bound) -> Option<i64> {
    let value = expr.as_literal().filter(|value| value.is_valid(0))?;
    Some(match expr.data_type.kind {
        TypeKind::TinyInt => value.as_primitive_opt::<Int8Type>()?.value(0).into(),
        TypeKind::SmallInt => value.as_primitive_opt::<Int16Type>()?.value(0).into(),
        TypeKind::Int => value.as_primitive_opt::<Int32Type>()?.value(0).into(),
        TypeKind::BigInt => value.as_primitive_opt::<Int64Type>()?.value(0),
        _ => return None,
    })
}

/// An integer column of the partition, also behind the cast to the rank's type.
fn partition_column(expr: &Bound, partition: &[usize]) -> Option<usize> {
    let column = match &expr.kind {
        BoundKind::Call { name, args, .. }
            if name == "CAST" && expr.data_type.kind == TypeKind::BigInt =>
        {
            &args[0]
        }
        _ => expr,
    };
    let is_integer = matches!(
        column.data_type.kind,
        TypeKind::TinyInt | TypeKind::SmallInt | TypeKind::Int | TypeKind::BigInt
    );
    column.as_column().filter(|c| is_integer && partition.contains(c))
}
