//! From plan nodes to operator instances.
//! Invariant: instances of one node differ between workers only where the plan says so (Values, on worker 0).

use arrow_schema::DataType as ArrowType;
use mainstem_core::{Error, Result};

use crate::consolidate::Consolidate;
use crate::exchange::{Exchange, Preaggregation};
use crate::expr::ExprRef;
use crate::graph::Graph;
use crate::operator::Operator;
use crate::ops::aggregate::{Aggregate, AggregatePlan};
use crate::ops::expand::Expand;
use crate::ops::interval_join::{IntervalJoin, IntervalJoinPlan};
use crate::ops::join::{Join, JoinPlan};
use crate::ops::limit::Limit;
use crate::ops::lookup_join::{LookupJoin, LookupJoinPlan};
use crate::ops::match_recognize::MatchRecognize;
use crate::ops::over::{ChangingOver, OverPlan, TimedOver};
use crate::ops::rank::{Contenders, RankPlan};
use crate::ops::remote_lookup::{RemoteLookup, RemoteLookupPlan};
use crate::ops::repeat::Repeat;
use crate::ops::session_window::SessionPlan;
use crate::ops::session_window::aggregate::SessionAggregate;
use crate::ops::session_window::table::SessionTable;
use crate::ops::sort::Sort;
use crate::ops::stateless::{Filter, Project, UnionAll, Values};
use crate::ops::temporal_join::{TemporalJoin, TemporalJoinPlan};
use crate::ops::temporal_sort::TemporalSort;
use crate::ops::to_changelog::ToChangelog;
use crate::ops::unnest::Unnest;
use crate::ops::upsert_normalize::UpsertNormalize;
use crate::ops::watermark::SourceWatermark;
use crate::ops::window_aggregate::{WindowAggregate, WindowAggregatePlan};
use crate::ops::window_join::{WindowJoin, WindowJoinPlan};
use crate::ops::window_table::WindowTable;
use crate::ops::window_updates::{WindowUpdates, WindowUpdatesPlan};
use crate::plan::{Node, NodeKind, WindowInput};
use crate::wanted_changes::consolidate;

/// How a worker runs a node.
#[allow(clippy::large_enum_variant, reason = "one a node, made once")]
pub(crate) enum Instance {
    Source(usize),
    Watermark(SourceWatermark),
    Exchange(Exchange),
    Sink(usize, Consolidate),
    /// With the index of what it asks.
    RemoteLookup(usize, RemoteLookup),
    Operator(Box<dyn Operator>),
    /// Nothing is to do, or it is done by the node below.
    Pass,
}

impl Instance {
    /// The memory that its state takes.
    pub(crate) fn state_bytes(&self) -> usize {
        match self {
            Self::Operator(operator) => operator.state_bytes(),
            _ => 0,
        }
    }

    pub(crate) fn exchange(&mut self) -> Option<&mut Exchange> {
        match self {
            Self::Exchange(exchange) => Some(exchange),
            _ => None,
        }
    }
}

pub(crate) fn instantiate(graph: &Graph, index: usize, worker: usize) -> Result<Instance> {
    let node = graph.node(index);
    let input = |at: usize| graph.node(node.inputs[at]);
    let operator: Box<dyn Operator> = match &node.kind {
        NodeKind::Source { source, .. } => return Ok(Instance::Source(*source)),
        NodeKind::Watermark { expr, idle_timeout_ms, clock_after_ms } => {
            let expr = ExprRef::clone(expr);
            let watermark = SourceWatermark::new(expr, *idle_timeout_ms, *clock_after_ms);
            return Ok(Instance::Watermark(watermark));
        }
        NodeKind::Exchange { .. } if graph.idle_exchanges[index] => return Ok(Instance::Pass),
        NodeKind::Exchange { keys } => {
            return Ok(Instance::Exchange(Exchange {
                keys: keys.clone(),
                contenders: contenders(graph, index)?,
                preaggregation: preaggregation(graph, index, keys)?,
                picks: picks(graph, index),
            }));
        }
        NodeKind::Sink { sink, changelog } => {
            let consolidate = consolidate(graph, node.inputs[0], changelog)?;
            return Ok(Instance::Sink(*sink, consolidate));
        }
        NodeKind::RemoteLookup { .. } => return remote_lookup(node, input(0)),
        NodeKind::Project { .. } if moved_into_filter(graph, index).is_some() => {
            return Ok(Instance::Pass);
        }
        NodeKind::Project { exprs } => Box::new(Project { exprs: exprs.clone() }),
        NodeKind::Filter { predicate } => {
            let above = graph.only_reader(index);
            let keep = above.and_then(|reader| moved_into_filter(graph, reader));
            Box::new(Filter { predicate: ExprRef::clone(predicate), keep })
        }
        NodeKind::Values { batch } => {
            Box::new(Values { batch: (worker == 0).then(|| batch.clone()) })
        }
        NodeKind::UnionAll => Box::new(UnionAll),
        NodeKind::Unnest { .. } => Box::new(unnest(node)?),
        NodeKind::WindowTable { window, time } => {
            window.check()?;
            let (window, time_type) = (window.clone(), last_type(node)?);
            Box::new(WindowTable { window, time: *time, time_type })
        }
        NodeKind::WindowAggregate { .. } => {
            Box::new(WindowAggregate::new(&window_aggregate(graph, index)?)?)
        }
        NodeKind::WindowUpdates { .. } => Box::new(window_updates(node, input(0))?),
        NodeKind::SessionTable { .. } | NodeKind::SessionAggregate { .. } => {
            sessions(node, input(0))?
        }
        NodeKind::Aggregate { .. } => Box::new(Aggregate::new(&aggregate(graph, index)?)?),
        NodeKind::UpsertNormalize { key } => {
            Box::new(UpsertNormalize::new(key, &input(0).output, node.state_ttl_ms)?)
        }
        NodeKind::Over { .. } => over(node, input(0))?,
        NodeKind::Join { .. }
        | NodeKind::IntervalJoin { .. }
        | NodeKind::TemporalJoin { .. }
        | NodeKind::LookupJoin { .. }
        | NodeKind::WindowJoin { .. } => join(graph, node)?,
        NodeKind::Rank { .. } => rank(graph, index)?.operator()?,
        NodeKind::Repeat { column, signed } => {
            Box::new(Repeat { column: *column, signed: *signed })
        }
        NodeKind::ToChangelog { codes, key } => {
            Box::new(ToChangelog::new(codes, key.as_deref(), &input(0).output)?)
        }
        NodeKind::Expand { layouts } => {
            Box::new(Expand { layouts: layouts.clone(), types: node.output.clone() })
        }
        NodeKind::MatchRecognize(spec) => Box::new(MatchRecognize::new(spec, &input(0).output)?),
        NodeKind::Limit { offset, count } => Box::new(Limit { skip: *offset, left: *count }),
        NodeKind::TemporalSort { time, keys } => {
            Box::new(TemporalSort::new(*time, keys, &input(0).output)?)
        }
        NodeKind::Sort { keys, limit } => Box::new(Sort::new(keys, *limit, &input(0).output)?),
    };
    Ok(Instance::Operator(operator))
}

/// Whether the rows that an exchange sends are kept as they come: by a join, if its input only grows.
fn picks(graph: &Graph, index: usize) -> bool {
    let reader = graph.only_reader(index).map(|reader| graph.node(reader));
    reader.is_some_and(|reader| {
        matches!(reader.kind, NodeKind::Join { ttl_ms: [None, None], .. })
            && !graph.node(index).changelog
    })
}

fn window_updates(node: &Node, input: &Node) -> Result<WindowUpdates> {
    let NodeKind::WindowUpdates { window, emit, keys, aggregates } = &node.kind else {
        return Err(Error::internal("not a window aggregate that shows updates"));
    };
    let WindowInput::Attached { start, end, processing_time, zone } = window else {
        return Err(Error::internal("rows without windows"));
    };
    WindowUpdates::new(WindowUpdatesPlan {
        start: *start,
        end: *end,
        processing_time: *processing_time,
        zone: zone.clone(),
        emit: *emit,
        keys: keys.clone(),
        aggregates: aggregates.clone(),
        input: input.output.clone(),
        changelog: input.changelog,
        results: node.output[keys.len()..keys.len() + aggregates.len()].to_vec(),
        time_type: last_type(node)?,
    })
}

/// The table function SESSION, or an aggregate over sessions.
fn sessions(node: &Node, input: &Node) -> Result<Box<dyn Operator>> {
    let (session, time, keys, aggregates) = match &node.kind {
        NodeKind::SessionTable { session, time, keys } => (session, time, keys, None),
        NodeKind::SessionAggregate { session, time, keys, aggregates } => {
            (session, time, keys, Some(aggregates))
        }
        _ => return Err(Error::internal("not over sessions")),
    };
    let plan = SessionPlan {
        session: session.clone(),
        time: *time,
        keys: keys.clone(),
        input: input.output.clone(),
        changelog: input.changelog,
        time_type: last_type(node)?,
    };
    Ok(match aggregates {
        None => Box::new(SessionTable::new(&plan)?),
        Some(aggregates) => Box::new(SessionAggregate::new(&plan, aggregates)?),
    })
}

fn unnest(node: &Node) -> Result<Unnest> {
    let NodeKind::Unnest { column, flatten, multiset, with_ordinality, outer, condition } =
        &node.kind
    else {
        return Err(Error::internal("not an unnest"));
    };
    Ok(Unnest {
        column: *column,
        flatten: *flatten,
        multiset: *multiset,
        with_ordinality: *with_ordinality,
        outer: *outer,
        condition: condition.clone(),
    })
}

fn remote_lookup(node: &Node, input: &Node) -> Result<Instance> {
    let NodeKind::RemoteLookup { lookup, kind, left_keys, filter, columns, residual, cache } =
        &node.kind
    else {
        return Err(Error::internal("not a lookup outside"));
    };
    let left = input.output.clone();
    let right = node.output.get(left.len()..).unwrap_or_default().to_vec();
    if right.len() != columns.len() {
        return Err(Error::internal("a lookup gives other columns than its plan says"));
    }
    let operator = RemoteLookup::new(RemoteLookupPlan {
        kind: *kind,
        left_keys: left_keys.clone(),
        filter: filter.clone(),
        columns: columns.clone(),
        residual: residual.clone(),
        cache: *cache,
        left,
        right,
        changelog: input.changelog,
    })?;
    Ok(Instance::RemoteLookup(*lookup, operator))
}

fn join(graph: &Graph, node: &Node) -> Result<Box<dyn Operator>> {
    let inputs = [0, 1].map(|at| graph.node(node.inputs[at]));
    let types = inputs.map(|input| input.output.clone());
    let operator: Box<dyn Operator> = match &node.kind {
        NodeKind::Join { .. } => Box::new(regular_join(node, inputs)?),
        NodeKind::IntervalJoin {
            kind,
            left_keys,
            right_keys,
            left_time,
            right_time,
            lower_ms,
            upper_ms,
            residual,
        } => Box::new(IntervalJoin::new(&IntervalJoinPlan {
            kind: *kind,
            keys: [left_keys.clone(), right_keys.clone()],
            times: [*left_time, *right_time],
            lower_ms: *lower_ms,
            upper_ms: *upper_ms,
            residual: residual.clone(),
            inputs: types,
        })?),
        NodeKind::TemporalJoin {
            kind,
            left_keys,
            right_keys,
            left_time,
            right_time,
            versions,
            residual,
        } => {
            let [_, right] = types;
            Box::new(TemporalJoin::new(&TemporalJoinPlan {
                kind: *kind,
                keys: [left_keys.clone(), right_keys.clone()],
                times: [*left_time, *right_time],
                versions: *versions,
                residual: residual.clone(),
                right,
            })?)
        }
        NodeKind::LookupJoin { kind, left_keys, right_keys, residual } => {
            let [_, right] = types;
            Box::new(LookupJoin::new(&LookupJoinPlan {
                kind: *kind,
                keys: [left_keys.clone(), right_keys.clone()],
                residual: residual.clone(),
                right,
                changelog: inputs[1].changelog,
            })?)
        }
        NodeKind::WindowJoin {
            kind,
            left_keys,
            right_keys,
            left_window,
            right_window,
            processing_time,
            zone,
            residual,
        } => Box::new(WindowJoin::new(&WindowJoinPlan {
            kind: *kind,
            keys: [left_keys.clone(), right_keys.clone()],
            windows: [*left_window, *right_window],
            processing_time: *processing_time,
            zone: zone.clone(),
            residual: residual.clone(),
            inputs: types,
        })),
        _ => return Err(Error::internal("not a join")),
    };
    Ok(operator)
}

fn regular_join(node: &Node, inputs: [&Node; 2]) -> Result<Join> {
    let NodeKind::Join { kind, left_keys, right_keys, residual, expiry, ttl_ms } = &node.kind
    else {
        return Err(Error::internal("not a regular join"));
    };
    Join::new(&JoinPlan {
        kind: *kind,
        keys: [left_keys.clone(), right_keys.clone()],
        residual: residual.clone(),
        inputs: inputs.map(|input| input.output.clone()),
        changelog: inputs.map(|input| input.changelog),
        expiry: *expiry,
        ttl_ms: *ttl_ms,
    })
}

fn over(node: &Node, input: &Node) -> Result<Box<dyn Operator>> {
    let NodeKind::Over { partition, order, time, calls } = &node.kind else {
        return Err(Error::internal("not an OVER"));
    };
    let plan = OverPlan {
        partition: partition.clone(),
        order: order.clone(),
        calls: calls.clone(),
        input: input.output.clone(),
        changelog: input.changelog,
    };
    Ok(match time {
        Some(time) => Box::new(TimedOver::new(&plan, *time)?),
        None => Box::new(ChangingOver::new(&plan)?),
    })
}

fn last_type(node: &Node) -> Result<ArrowType> {
    node.output.last().cloned().ok_or_else(|| Error::internal("a node without window_time"))
}

/// The columns that a projection keeps, if it only picks columns and the filter below can do that for it.
fn moved_into_filter(graph: &Graph, index: usize) -> Option<Vec<usize>> {
    let node = graph.node(index);
    let NodeKind::Project { exprs } = &node.kind else { return None };
    let below = node.inputs[0];
    if !matches!(graph.node(below).kind, NodeKind::Filter { .. })
        || graph.only_reader(below) != Some(index)
    {
        return None;
    }
    exprs.iter().map(ExprRef::as_ref).map(crate::expr::Expr::as_column).collect()
}

fn rank(graph: &Graph, index: usize) -> Result<RankPlan> {
    let node = graph.node(index);
    let NodeKind::Rank { partition, order, latest_first, function, from, to, with_rank, emit } =
        &node.kind
    else {
        return Err(Error::internal("not a rank"));
    };
    let input = graph.node(node.inputs[0]);
    Ok(RankPlan {
        partition: partition.clone(),
        order: order.clone(),
        latest_first: *latest_first,
        function: *function,
        from: *from,
        to: *to,
        with_rank: *with_rank,
        emit: emit.clone(),
        input: input.output.clone(),
        changelog: input.changelog,
        upserts: graph.without_update_before[index],
        ttl_ms: node.state_ttl_ms,
    })
}

/// What is worth sending to a rank, if it is the only reader of an exchange.
fn contenders(graph: &Graph, index: usize) -> Result<Option<Contenders>> {
    match graph.only_reader(index) {
        Some(reader) if matches!(graph.node(reader).kind, NodeKind::Rank { .. }) => {
            Contenders::new(&rank(graph, reader)?)
        }
        _ => Ok(None),
    }
}

fn window_aggregate(graph: &Graph, index: usize) -> Result<WindowAggregatePlan> {
    let node = graph.node(index);
    let NodeKind::WindowAggregate { window, keys, aggregates } = &node.kind else {
        return Err(Error::internal("not a window aggregate"));
    };
    let input = graph.node(node.inputs[0]);
    Ok(WindowAggregatePlan {
        window: window.clone(),
        keys: keys.clone(),
        aggregates: aggregates.clone(),
        input: input.output.clone(),
        changelog: input.changelog,
        time_type: last_type(node)?,
    })
}

fn aggregate(graph: &Graph, index: usize) -> Result<AggregatePlan> {
    let node = graph.node(index);
    let NodeKind::Aggregate { keys, aggregates, final_only } = &node.kind else {
        return Err(Error::internal("not an aggregate"));
    };
    let input = graph.node(node.inputs[0]);
    Ok(AggregatePlan {
        keys: keys.clone(),
        aggregates: aggregates.clone(),
        input: input.output.clone(),
        changelog: input.changelog,
        final_only: *final_only,
        upserts: graph.without_update_before[index],
        state_ttl_ms: node.state_ttl_ms,
    })
}

/// Aggregation before an exchange, if the only reader above is an aggregation that can merge partial states and the
/// exchange goes by its keys.
fn preaggregation(graph: &Graph, index: usize, by: &[usize]) -> Result<Option<Preaggregation>> {
    let Some(reader) = graph.only_reader(index).filter(|_| graph.workers > 1) else {
        return Ok(None);
    };
    let (operator, keys): (Box<dyn Operator>, Vec<usize>) = match &graph.node(reader).kind {
        NodeKind::WindowAggregate { keys, .. } => {
            let plan = window_aggregate(graph, reader)?;
            if !plan.mergeable() {
                return Ok(None);
            }
            (Box::new(WindowAggregate::partial(&plan)?), keys.clone())
        }
        NodeKind::Aggregate { keys, .. } => {
            let plan = aggregate(graph, reader)?;
            if !plan.mergeable() {
                return Ok(None);
            }
            (Box::new(Aggregate::partial(&plan)?), keys.clone())
        }
        _ => return Ok(None),
    };
    let place = |column: &usize| keys.iter().position(|key| key == column);
    let Some(keys) = by.iter().map(place).collect::<Option<Vec<usize>>>() else {
        return Ok(None);
    };
    Ok(Some(Preaggregation { operator, keys, pause_steps: 0 }))
}
