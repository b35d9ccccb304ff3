//! EXPLAIN: the engine's plan as a tree, with changelog mode and state per node, and what its ends promise over a crash.

mod join;

use std::collections::{BTreeMap, BTreeSet};

use mainstem_core::egress::ChangelogMode;
use mainstem_core::options::Delivery;
use mainstem_core::table::{FilterOp, Literal, ScanFilter};
use mainstem_engine::aggregate::AggregateCall;
use mainstem_engine::over::{Frame, OverCall, OverFunction};
use mainstem_engine::plan::{Node, NodeKind, Plan, TimeSource};
use mainstem_engine::rank::{RankEmit, RankEnd, RankFunction};
use mainstem_engine::window::{EmitSpec, WindowKind};

use crate::catalog::{ConnectorCatalog, Table};
use crate::job::{SinkPlan, SinkTarget, SourcePlan};
use crate::narrow::Reading;
use crate::rel::{RelField, Sessions, Windows};

/// One tree a sink; a node that several read is printed once and referred to later. `could_expire`: joins whose rows
/// would, if late rows did not count.
pub(crate) fn explain(plan: &Plan, could_expire: &BTreeSet<usize>) -> Vec<String> {
    let without_update_before = plan.without_update_before();
    let shown = BTreeSet::new();
    let mut tree = Tree { plan, could_expire, without_update_before, shown, lines: Vec::new() };
    for (index, node) in plan.nodes.iter().enumerate() {
        if matches!(node.kind, NodeKind::Sink { .. }) {
            tree.add(index, 0);
        }
    }
    tree.lines
}

/// What holds of each source and sink over a crash.
pub(crate) fn guarantees(
    sources: &[SourcePlan],
    sinks: &[SinkPlan],
    connectors: &ConnectorCatalog,
) -> Vec<String> {
    let mut lines = vec!["Guarantees over a crash".to_owned()];
    let mut tell = |end: &str, name: &str, delivery: Delivery| {
        let without = delivery.without_checkpoints();
        let line = match delivery == without {
            true => format!("   {end} {name}: {delivery}"),
            false => format!("   {end} {name}: {delivery} with --state, {without} without"),
        };
        // A table may be read several times.
        if !lines.contains(&line) {
            lines.push(line);
        }
    };
    for SourcePlan { table, .. } in sources {
        let spec = connectors.connector(&table.options);
        if let Some(delivery) = spec.and_then(|spec| spec.source) {
            tell("source", &table.name, delivery);
        }
    }
    for sink in sinks {
        match &sink.target {
            SinkTarget::Console => tell("sink", "stdout", Delivery::AtLeastOnce),
            SinkTarget::Table(table) => {
                let spec = connectors.connector(&table.options);
                if let Some(delivery) = spec.and_then(|spec| spec.sink_delivery(&table.options)) {
                    tell("sink", &table.name, delivery);
                }
            }
        }
    }
    lines
}

/// What is printed so far.
struct Tree<'a> {
    plan: &'a Plan,
    could_expire: &'a BTreeSet<usize>,
    without_update_before: Vec<bool>,
    shown: BTreeSet<usize>,
    lines: Vec<String>,
}

impl Tree<'_> {
    fn add(&mut self, index: usize, depth: usize) {
        let node = &self.plan.nodes[index];
        let indent = "   ".repeat(depth);
        let lead = if depth == 0 { "" } else { "+- " };
        if !self.shown.insert(index) {
            self.lines.push(format!("{indent}{lead}{} (shared, see above)", node.name));
            return;
        }
        let mode = self.changelog_mode(index);
        let parallelism = if is_single(self.plan, index) { "1" } else { "N" };
        let state = state(self.plan, index, self.could_expire).unwrap_or_default();
        let state = if state.is_empty() { state } else { format!(", state=[{state}]") };
        self.lines.push(format!(
            "{indent}{lead}{}  changelogMode=[{mode}], parallelism=[{parallelism}]{state}",
            node.name
        ));
        for &input in &node.inputs {
            self.add(input, depth + 1);
        }
    }

    /// What may come out of a node, or reach a sink, in Flink's letters.
    fn changelog_mode(&self, index: usize) -> &'static str {
        let node = &self.plan.nodes[index];
        let without_update_before = match &node.kind {
            NodeKind::Sink { changelog: ChangelogMode::Upsert { .. }, .. } => true,
            NodeKind::Sink { .. } => self.without_update_before[node.inputs[0]],
            _ => self.without_update_before[index],
        };
        match (node.changelog, without_update_before) {
            (false, _) => "I",
            (true, true) => "I,UA,D",
            (true, false) => "I,UB,UA,D",
        }
    }
}

/// True for what runs on one worker only.
fn is_single(plan: &Plan, index: usize) -> bool {
    let node = &plan.nodes[index];
    match &node.kind {
        NodeKind::Exchange { keys } => keys.is_empty(),
        NodeKind::Values { .. } | NodeKind::Limit { .. } | NodeKind::Sort { .. } => true,
        NodeKind::Source { .. } => false,
        _ => !node.inputs.is_empty() && node.inputs.iter().all(|i| is_single(plan, *i)),
    }
}

fn state(plan: &Plan, index: usize, could_expire: &BTreeSet<usize>) -> Option<String> {
    let node = &plan.nodes[index];
    let retracts = node.inputs.iter().any(|i| plan.nodes[*i].changelog);
    Some(match &node.kind {
        NodeKind::WindowAggregate { .. } => {
            "one accumulator per key and open slice, freed when the watermark passes".to_owned()
        }
        NodeKind::WindowUpdates { .. } => {
            "one accumulator per key and window, freed when the watermark passes its end and the allowed lateness"
                .to_owned()
        }
        NodeKind::SessionAggregate { .. } => {
            "one accumulator per key and open session, freed when the watermark passes its end"
                .to_owned()
        }
        NodeKind::SessionTable { .. } => {
            "the rows of open sessions, freed when the watermark passes their end".to_owned()
        }
        NodeKind::Aggregate { .. } if node.state_ttl_ms.is_some() => {
            let ttl = node.state_ttl_ms.unwrap_or_default();
            format!("one accumulator per key, forgotten {ttl} ms after its last row")
        }
        NodeKind::Aggregate { keys, .. } if keys.is_empty() => "one accumulator".to_owned(),
        NodeKind::Aggregate { .. } if retracts => {
            "one accumulator per key, freed when its rows are gone".to_owned()
        }
        NodeKind::Aggregate { .. } => "one accumulator per key, kept for ever".to_owned(),
        NodeKind::MatchRecognize(spec) if spec.within_ms.is_some() => {
            "rows until the watermark passes, then started runs, freed when they end or WITHIN passes"
                .to_owned()
        }
        NodeKind::MatchRecognize(_) => {
            "rows until the watermark passes, then started runs of each key, freed when they end"
                .to_owned()
        }
        NodeKind::Join { .. } => join::state(plan, index, could_expire),
        NodeKind::Over { time, calls, .. } => over_state(*time, calls),
        NodeKind::IntervalJoin { .. }
        | NodeKind::TemporalJoin { .. }
        | NodeKind::LookupJoin { .. }
        | NodeKind::WindowJoin { .. } => return crate::lower::join_state(&node.kind),
        NodeKind::RemoteLookup { cache, .. } => crate::lower::lookup_state(cache.as_ref(), retracts),
        NodeKind::UpsertNormalize { .. } => match node.state_ttl_ms {
            Some(ms) => format!("the last row of each key, forgotten {ms} ms after it"),
            None => "the last row of each key".to_owned(),
        },
        NodeKind::Rank { .. } => rank_state(node, retracts),
        NodeKind::TemporalSort { time: TimeSource::EventTime { .. }, .. } => {
            "rows until the watermark passes them".to_owned()
        }
        NodeKind::Sort { limit: None, .. } => "all rows until the end of input".to_owned(),
        NodeKind::Sort { limit: Some(limit), .. } => format!("{limit} rows"),
        _ => return None,
    })
}

/// What a rank keeps, and what bounds it.
fn rank_state(node: &Node, retracts: bool) -> String {
    let NodeKind::Rank { partition, order, latest_first, function, from, to, emit, .. } =
        &node.kind
    else {
        return String::new();
    };
    let wanted = match to {
        RankEnd::Constant(1) => "the first row".to_owned(),
        RankEnd::Constant(to) => format!("the first {to} rows"),
        RankEnd::Column(_) => "the first rows".to_owned(),
    };
    let in_order_of_arrival =
        order.is_empty() && !latest_first && *function == RankFunction::RowNumber;
    let keeps_one =
        *to == RankEnd::Constant(1) && *from <= 1 && *function == RankFunction::RowNumber;
    match emit {
        RankEmit::Windows { .. } => {
            format!("{wanted} of each partition of open windows, freed when the watermark passes")
        }
        RankEmit::FirstByTime { .. } => {
            "the keys, kept for ever; rows until the watermark passes them".to_owned()
        }
        RankEmit::Changes if retracts => {
            "all rows of the input, kept until they are retracted".to_owned()
        }
        RankEmit::Changes if in_order_of_arrival => {
            "one counter per partition, kept for ever".to_owned()
        }
        RankEmit::Changes if partition.is_empty() => wanted,
        RankEmit::Changes if keeps_one && node.state_ttl_ms.is_some() => {
            let ttl = node.state_ttl_ms.unwrap_or_default();
            format!("{wanted} of each partition, forgotten {ttl} ms after it came")
        }
        RankEmit::Changes => format!("{wanted} of each partition, kept for ever"),
    }
}

/// What OVER keeps, and what bounds it.
fn over_state(time: Option<TimeSource>, calls: &[OverCall]) -> String {
    let waiting = match time {
        None => {
            return "all rows of the input and their results, kept until they are retracted"
                .to_owned();
        }
        Some(TimeSource::EventTime { .. }) => "rows until the watermark passes them; ",
        Some(TimeSource::ProcessingTime) => "",
    };
    let bounded = |f: Frame| f.start.is_some();
    let ranges = |f: Frame| bounded(f) && !f.rows;
    let of_frame = |call: &OverCall| match &call.function {
        OverFunction::Shift { .. } => true,
        function => function.frame().is_some_and(bounded),
    };
    let kept = if calls.iter().all(|call| call.function.frame().is_some_and(ranges)) {
        "the rows of a frame per partition, freed when RANGE does not reach them any more"
    } else if calls.iter().any(of_frame) {
        "the rows of a frame per partition, kept for ever"
    } else {
        "one accumulator per partition, kept for ever"
    };
    format!("{waiting}{kept}")
}

/// `SUM(price) FILTER (...)` by column names.
pub(crate) fn call(call: &AggregateCall, fields: &[RelField]) -> String {
    let args: Vec<&str> = call.args.iter().map(|a| fields[*a].name.as_str()).collect();
    let args = if args.is_empty() { "*".to_owned() } else { args.join(", ") };
    let distinct = if call.distinct { "DISTINCT " } else { "" };
    let filter = call.filter.map_or(String::new(), |f| format!(" FILTER {}", fields[f].name));
    format!("{}({distinct}{args}){filter}", call.function.name())
}

/// `TUMBLE(size=[3000 ms])`.
pub(crate) fn windows(windows: &Windows) -> String {
    let time = if windows.time.is_some() { "" } else { ", proctime" };
    match windows.spec.kind {
        WindowKind::Tumble { size_ms } => format!("TUMBLE(size=[{size_ms} ms]{time})"),
        WindowKind::Hop { size_ms, slide_ms } => {
            format!("HOP(size=[{size_ms} ms], slide=[{slide_ms} ms]{time})")
        }
        WindowKind::Cumulate { max_size_ms, step_ms } => {
            format!("CUMULATE(max_size=[{max_size_ms} ms], step=[{step_ms} ms]{time})")
        }
    }
}

/// `SESSION(gap=[3000 ms])`.
pub(crate) fn sessions(sessions: &Sessions) -> String {
    let time = if sessions.time.is_some() { "" } else { ", proctime" };
    format!("SESSION(gap=[{} ms]{time})", sessions.spec.gap_ms)
}

/// `early delay=[0 ms], allowed lateness=[3000 ms]`.
pub(crate) fn emit(emit: &EmitSpec) -> String {
    let delay = |name: &str, delay: Option<i64>| {
        delay.map_or(String::new(), |delay| format!("{name} delay=[{delay} ms], "))
    };
    let (early, late) = (delay("early", emit.early_delay_ms), delay("late", emit.late_delay_ms));
    format!("{early}{late}allowed lateness=[{} ms]", emit.allow_lateness_ms)
}

/// `TableSourceScan(rides, fields=[a, b(c, d)], filter=[...])`: of the ROW b, the fields c and d.
pub(crate) fn scan(
    table: &Table,
    columns: &[usize],
    readings: &BTreeMap<usize, Reading>,
    filters: &[ScanFilter],
) -> String {
    let name = |c: &usize| {
        let column = &table.columns[*c];
        match readings.get(c) {
            Some(reading) => reading.text(&column.name, &column.data_type),
            None => column.name.clone(),
        }
    };
    let names: Vec<String> = columns.iter().map(name).collect();
    let mut text = format!("TableSourceScan({}, fields=[{}]", table.name, names.join(", "));
    if !filters.is_empty() {
        let parts: Vec<String> = filters
            .iter()
            .map(|f| {
                let column = &table.columns[f.column].name;
                let op = match f.op {
                    FilterOp::Eq => "=",
                    FilterOp::NotEq => "<>",
                    FilterOp::Lt => "<",
                    FilterOp::LtEq => "<=",
                    FilterOp::Gt => ">",
                    FilterOp::GtEq => ">=",
                    FilterOp::IsNotNull => return format!("{column} IS NOT NULL"),
                };
                format!("{column} {op} {}", literal(&f.literal))
            })
            .collect();
        text.push_str(&format!(", decoder filter=[{}]", parts.join(" AND ")));
    }
    text + ")"
}

/// A constant as it is written.
pub(crate) fn literal(literal: &Literal) -> String {
    match literal {
        Literal::Boolean(value) => value.to_string(),
        Literal::Integer(value) => value.to_string(),
        Literal::Double(value) => value.to_string(),
        Literal::String(value) => format!("'{value}'"),
    }
}
