//! Columns that nobody reads are not computed, not kept in state, not even decoded.

mod sets;
mod timed_join;

use std::collections::BTreeSet;

use mainstem_engine::plan::JoinKind;

use crate::bound::Bound;
use crate::rel::{Rel, RelField, RelKind, Sessions, WindowSource, Windows, columns_of};

/// `rel` with exactly the columns `wanted`, in that order.
pub(super) fn prune(rel: Rel, wanted: &[usize]) -> Rel {
    let fields = rel.fields;
    match rel.kind {
        RelKind::Scan { table, options, columns, filters } => {
            let columns = wanted.iter().map(|&w| columns[w]).collect();
            let fields = wanted.iter().map(|&w| fields[w].clone()).collect();
            Rel { kind: RelKind::Scan { table, options, columns, filters }, fields }
        }
        RelKind::Values { columns, rows } => {
            let columns = wanted.iter().map(|&w| std::sync::Arc::clone(&columns[w])).collect();
            let fields = wanted.iter().map(|&w| fields[w].clone()).collect();
            Rel { kind: RelKind::Values { columns, rows }, fields }
        }
        RelKind::Project { input, exprs } => {
            let exprs: Vec<Bound> = wanted.iter().map(|&w| exprs[w].clone()).collect();
            let fields = wanted.iter().map(|&w| fields[w].clone()).collect();
            project(*input, exprs, fields)
        }
        RelKind::Filter { input, predicate } => {
            let needed = union(wanted, columns_of(&predicate));
            let input = Box::new(prune(*input, &needed));
            let predicate = predicate.remap(&place_in(&needed));
            let kept = needed.iter().map(|&n| fields[n].clone()).collect();
            Rel { kind: RelKind::Filter { input, predicate }, fields: kept }
                .select(&places(wanted, &needed))
        }
        kind @ (RelKind::WindowTable { .. } | RelKind::SessionTable { .. }) => {
            window_table(kind, &fields, wanted)
        }
        kind @ (RelKind::Aggregate { .. } | RelKind::WindowAggregate { .. }) => {
            aggregate(kind, &fields, wanted)
        }
        RelKind::UnionAll { inputs } => {
            let inputs = inputs.into_iter().map(|i| prune(i, wanted)).collect();
            let fields = wanted.iter().map(|&w| fields[w].clone()).collect();
            Rel { kind: RelKind::UnionAll { inputs }, fields }
        }
        kind @ RelKind::Unnest { .. } => unnest(kind, &fields, wanted),
        kind @ RelKind::Over { .. } => over(kind, &fields, wanted),
        kind @ RelKind::Rank { .. } => super::rank::prune(kind, &fields, wanted),
        kind @ RelKind::Join { .. } => join(kind, &fields, wanted),
        kind @ RelKind::TimedJoin { .. } => timed_join::prune(kind, &fields, wanted),
        kind @ RelKind::MatchRecognize { .. } => {
            super::match_recognize::prune(kind, &fields, wanted)
        }
        RelKind::Sort { input, keys, limit } => {
            let needed = union(wanted, keys.iter().map(|k| k.0).collect());
            let keys = keys.iter().map(|&(c, d, n)| (place_in(&needed)(c), d, n)).collect();
            let kept = needed.iter().map(|&n| fields[n].clone()).collect();
            let input = Box::new(prune(*input, &needed));
            Rel { kind: RelKind::Sort { input, keys, limit }, fields: kept }
                .select(&places(wanted, &needed))
        }
        RelKind::Repeat { input, column, signed } => {
            sets::repeat(*input, (column, signed), &fields, wanted)
        }
        // Which changes there are depends on all columns.
        RelKind::ToChangelog { input, codes } => {
            let all: Vec<usize> = (0..input.fields.len()).collect();
            let input = Box::new(prune(*input, &all));
            Rel { kind: RelKind::ToChangelog { input, codes }, fields }.select(wanted)
        }
        RelKind::Expand { input, layouts } => sets::expand(*input, &layouts, &fields, wanted),
        RelKind::StateTtl { input, ttl_ms } => {
            let input = Box::new(prune(*input, wanted));
            let fields = wanted.iter().map(|&w| fields[w].clone()).collect();
            Rel { kind: RelKind::StateTtl { input, ttl_ms }, fields }
        }
        RelKind::Limit { input, offset, count } => {
            let input = Box::new(prune(*input, wanted));
            let fields = wanted.iter().map(|&w| fields[w].clone()).collect();
            Rel { kind: RelKind::Limit { input, offset, count }, fields }
        }
    }
}

/// A projection over `input`; two projections become one where that computes nothing twice.
fn project(input: Rel, exprs: Vec<Bound>, fields: Vec<RelField>) -> Rel {
    if let Some((below, exprs)) = merged(&input, &exprs) {
        return project(below, exprs, fields);
    }
    let needed: Vec<usize> =
        exprs.iter().flat_map(columns_of).collect::<BTreeSet<_>>().into_iter().collect();
    let exprs: Vec<Bound> = exprs.iter().map(|e| e.remap(&place_in(&needed))).collect();
    let input = prune(input, &needed);
    // Pruning may have put a projection there that was not before.
    let (input, exprs) = merged(&input, &exprs).unwrap_or((input, exprs));
    let identity = exprs.len() == input.fields.len()
        && exprs.iter().enumerate().all(|(i, e)| e.as_column() == Some(i));
    if identity {
        return Rel { kind: input.kind, fields };
    }
    Rel { kind: RelKind::Project { input: Box::new(input), exprs }, fields }
}

/// What is below the projection `input`, and `exprs` over that; `None` if it is no projection or if an expression
/// would be computed more than once.
fn merged(input: &Rel, exprs: &[Bound]) -> Option<(Rel, Vec<Bound>)> {
    let RelKind::Project { input: below, exprs: inner } = &input.kind else { return None };
    let mut uses = vec![0usize; inner.len()];
    exprs.iter().for_each(|e| e.visit_columns(&mut |c| uses[c] += 1));
    let cheap = |c: usize| inner[c].as_column().is_some() || inner[c].as_literal().is_some();
    (0..inner.len()).all(|c| uses[c] <= 1 || cheap(c)).then(|| {
        let exprs = exprs.iter().map(|e| e.map_columns(&|c, _| inner[c].clone()).fold()).collect();
        (below.as_ref().clone(), exprs)
    })
}

fn window_table(kind: RelKind, fields: &[RelField], wanted: &[usize]) -> Rel {
    let (input, time, keys) = match &kind {
        RelKind::WindowTable { input, windows } => (input, windows.time, &Vec::new()),
        RelKind::SessionTable { input, sessions, keys } => (input, sessions.time, keys),
        _ => unreachable!("called for window table functions only"),
    };
    let width = input.fields.len();
    let mut needed: BTreeSet<usize> = wanted.iter().copied().filter(|w| *w < width).collect();
    needed.extend(time);
    needed.extend(keys);
    let needed: Vec<usize> = needed.into_iter().collect();
    let at = place_in(&needed);
    let outputs: Vec<usize> = needed.iter().copied().chain(width..width + 3).collect();
    let kept = outputs.iter().map(|&n| fields[n].clone()).collect();
    let kind = match kind {
        RelKind::WindowTable { input, windows } => {
            let windows = Windows { time: windows.time.map(&at), ..windows };
            RelKind::WindowTable { input: Box::new(prune(*input, &needed)), windows }
        }
        RelKind::SessionTable { input, sessions, keys } => {
            let sessions = Sessions { time: sessions.time.map(&at), ..sessions };
            let keys = keys.into_iter().map(&at).collect();
            RelKind::SessionTable { input: Box::new(prune(*input, &needed)), sessions, keys }
        }
        kind => kind,
    };
    Rel { kind, fields: kept }.select(&places(wanted, &outputs))
}

fn aggregate(kind: RelKind, fields: &[RelField], wanted: &[usize]) -> Rel {
    let (input, keys, mut aggregates, windows) = match kind {
        RelKind::Aggregate { input, keys, aggregates } => (input, keys, aggregates, None),
        RelKind::WindowAggregate { input, keys, aggregates, windows } => {
            (input, keys, aggregates, Some(windows))
        }
        _ => unreachable!("called for aggregations only"),
    };
    let first = keys.len();
    let behind = first + aggregates.len();
    // A global aggregation keeps a call, or it would have no row.
    let mut kept_calls: Vec<usize> =
        (0..aggregates.len()).filter(|i| wanted.contains(&(first + i))).collect();
    if kept_calls.is_empty() && keys.is_empty() && !aggregates.is_empty() {
        kept_calls.push(0);
    }
    let mut needed: BTreeSet<usize> = keys.iter().copied().collect();
    for &i in &kept_calls {
        needed.extend(&aggregates[i].args);
        needed.extend(aggregates[i].filter);
    }
    match &windows {
        Some(WindowSource::Assign(Windows { time, .. })) => needed.extend(time),
        Some(WindowSource::Sessions(sessions)) => needed.extend(sessions.time),
        Some(WindowSource::Attached { start, end, .. }) => needed.extend([*start, *end]),
        None => {}
    }
    let needed: Vec<usize> = needed.into_iter().collect();
    let at = place_in(&needed);
    let outputs: Vec<usize> = (0..first)
        .chain(kept_calls.iter().map(|i| first + i))
        .chain(behind..fields.len())
        .collect();
    let kept_fields = outputs.iter().map(|&o| fields[o].clone()).collect();
    let keys: Vec<usize> = keys.into_iter().map(&at).collect();
    for call in &mut aggregates {
        call.args.iter_mut().chain(&mut call.filter).for_each(|c| {
            if needed.contains(c) {
                *c = at(*c);
            }
        });
    }
    let aggregates = kept_calls.iter().map(|&i| aggregates[i].clone()).collect();
    let input = Box::new(prune(*input, &needed));
    let kind = match windows {
        None => RelKind::Aggregate { input, keys, aggregates },
        Some(WindowSource::Assign(Windows { spec, time })) => {
            let windows = WindowSource::Assign(Windows { spec, time: time.map(&at) });
            RelKind::WindowAggregate { input, keys, aggregates, windows }
        }
        Some(WindowSource::Sessions(Sessions { spec, time })) => {
            let windows = WindowSource::Sessions(Sessions { spec, time: time.map(&at) });
            RelKind::WindowAggregate { input, keys, aggregates, windows }
        }
        Some(WindowSource::Attached { start, end, processing_time, zone, emit }) => {
            let (start, end) = (at(start), at(end));
            let windows = WindowSource::Attached { start, end, processing_time, zone, emit };
            RelKind::WindowAggregate { input, keys, aggregates, windows }
        }
    };
    Rel { kind, fields: kept_fields }.select(&places(wanted, &outputs))
}

fn over(kind: RelKind, fields: &[RelField], wanted: &[usize]) -> Rel {
    let RelKind::Over { input, partition, order, time, calls } = kind else {
        unreachable!("called for OVER only")
    };
    let width = input.fields.len();
    let mut kept_calls: Vec<usize> = (0..calls.len()).collect();
    kept_calls.retain(|i| wanted.contains(&(width + i)));
    if kept_calls.is_empty() {
        return prune(*input, wanted);
    }
    let mut needed: BTreeSet<usize> = wanted.iter().copied().filter(|w| *w < width).collect();
    needed.extend(&partition);
    needed.extend(order.iter().map(|key| key.0));
    kept_calls.iter().for_each(|&i| needed.extend(calls[i].function.columns()));
    let needed: Vec<usize> = needed.into_iter().collect();
    let outputs: Vec<usize> =
        needed.iter().copied().chain(kept_calls.iter().map(|i| width + i)).collect();
    let kept = outputs.iter().map(|&o| fields[o].clone()).collect();
    let at = place_in(&needed);
    let partition = partition.into_iter().map(&at).collect();
    let order = order.into_iter().map(|(c, d, n)| (at(c), d, n)).collect();
    let mut calls: Vec<_> = kept_calls.iter().map(|&i| calls[i].clone()).collect();
    calls.iter_mut().for_each(|call| call.function.remap(&at));
    let input = Box::new(prune(*input, &needed));
    let kind = RelKind::Over { input, partition, order, time, calls };
    Rel { kind, fields: kept }.select(&places(wanted, &outputs))
}

fn unnest(kind: RelKind, fields: &[RelField], wanted: &[usize]) -> Rel {
    let RelKind::Unnest { input, column, flatten, multiset, with_ordinality, outer, condition } =
        kind
    else {
        unreachable!("called for UNNEST only")
    };
    let width = input.fields.len();
    let read = condition.as_ref().map(columns_of).unwrap_or_default();
    let below = wanted.iter().copied().chain(read).filter(|w| *w < width);
    let needed: Vec<usize> = below.chain([column]).collect::<BTreeSet<_>>().into_iter().collect();
    let outputs: Vec<usize> = needed.iter().copied().chain(width..fields.len()).collect();
    let kept = outputs.iter().map(|&n| fields[n].clone()).collect();
    let column = place_in(&needed)(column);
    let condition = condition.map(|condition| condition.remap(&place_in(&outputs)));
    let input = Box::new(prune(*input, &needed));
    let kind =
        RelKind::Unnest { input, column, flatten, multiset, with_ordinality, outer, condition };
    Rel { kind, fields: kept }.select(&places(wanted, &outputs))
}

fn join(kind: RelKind, fields: &[RelField], wanted: &[usize]) -> Rel {
    let RelKind::Join { left, right, kind, left_keys, right_keys, residual, ttl_ms } = kind else {
        unreachable!("called for joins only")
    };
    let width = left.fields.len();
    let mut needed: BTreeSet<usize> = wanted.iter().copied().collect();
    needed.extend(&left_keys);
    needed.extend(right_keys.iter().map(|k| k + width));
    if let Some(residual) = &residual {
        needed.extend(columns_of(residual));
    }
    let outputs: Vec<usize> = needed.into_iter().collect();
    let on_left: Vec<usize> = outputs.iter().copied().filter(|c| *c < width).collect();
    let on_right: Vec<usize> =
        outputs.iter().copied().filter(|c| *c >= width).map(|c| c - width).collect();
    let residual = residual.map(|r| r.remap(&place_in(&outputs)));
    let left_keys = left_keys.into_iter().map(place_in(&on_left)).collect();
    let right_keys = right_keys.into_iter().map(place_in(&on_right)).collect();
    let made = if matches!(kind, JoinKind::Semi | JoinKind::Anti) { &on_left } else { &outputs };
    let kept = made.iter().map(|&o| fields[o].clone()).collect();
    let left = Box::new(prune(*left, &on_left));
    let right = Box::new(prune(*right, &on_right));
    let kind = RelKind::Join { left, right, kind, left_keys, right_keys, residual, ttl_ms };
    Rel { kind, fields: kept }.select(&places(wanted, &outputs))
}

fn union(wanted: &[usize], more: BTreeSet<usize>) -> Vec<usize> {
    wanted.iter().copied().chain(more).collect::<BTreeSet<_>>().into_iter().collect()
}

/// Where a column stands among `needed`.
pub(super) fn place_in(needed: &[usize]) -> impl Fn(usize) -> usize {
    move |column| needed.iter().position(|n| *n == column).expect("every column read is needed")
}

pub(super) fn places(wanted: &[usize], outputs: &[usize]) -> Vec<usize> {
    wanted.iter().map(|&w| place_in(outputs)(w)).collect()
}
