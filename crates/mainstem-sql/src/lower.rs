//! Relations to the engine's plan: scans with their watermarks, exchanges before keyed operators, sinks.
//! Invariant: a table that several queries of a job read is read once, with all columns that any of them needs; what
//! a sink cannot take is refused here, before anything starts.

pub(crate) mod join_expiry;
mod match_recognize;
mod over;
mod rank;
mod remote_lookup;
mod sets;
mod timed_join;
pub(crate) mod watermark;
mod windows;

pub(crate) use remote_lookup::state as lookup_state;
pub(crate) use timed_join::state as join_state;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use mainstem_core::egress::ChangelogMode;
use mainstem_core::options::{SinkChangelog, parse_duration_ms};
use mainstem_core::table::{Options, ScanFilter};
use mainstem_core::{Batch, DataType, Field};
use mainstem_engine::plan::{Node, NodeKind, Plan, Residual, Scan, TimeSource};
use mainstem_engine::rank::RankEmit;

use crate::bound::Bound;
use crate::catalog::{ColumnSource, ConnectorCatalog, Table};
use crate::error::{SqlError, SqlResult};
use crate::explain;
use crate::job::{Job, LookupPlan, SinkPlan, SinkTarget, SourcePlan};
use crate::narrow::{Reading, over_narrow};
use crate::optimize::pushdown::comparison_text;
use crate::optimize::rank::ranks;
use crate::optimize::{Around, known, optimize};
use crate::readings::Relations;
use crate::rel::{Rel, RelField, RelKind, TimeAttribute, WindowSource, columns_of};
use crate::source::Span;

/// One query of a job and where its rows go.
#[derive(Debug, Clone)]
pub struct Output {
    /// The query.
    pub rel: Rel,
    /// The table and its options; `None` for the terminal.
    pub target: Option<(Arc<Table>, Options)>,
    /// The statement, for errors.
    pub span: Span,
}

/// What identifies a scan that can be shared; its whole declaration, as ALTER TABLE may stand between two queries.
fn scan_key(table: &Table, options: &Options) -> String {
    format!("{}{options:?}", table.to_sql(&|_| false))
}

/// What the rows of a scan are, whatever else the plan reads of the table. Options that a hint sets make it another table; those of
/// its declaration may change, as the address of a broker does.
fn meaning_of(table: &Table, options: &Options, columns: &[usize], filters: &[ScanFilter]) -> Scan {
    let hints: Vec<_> =
        options.iter().filter(|(key, value)| table.options.get(*key) != Some(value)).collect();
    let hints = if hints.is_empty() { String::new() } else { format!(" {hints:?}") };
    let column = |column: usize| {
        let column = &table.columns[column];
        Scan::column(&table.name, &column.name, &column.data_type)
    };
    let condition = |f: &ScanFilter| comparison_text(&column(f.column), f.op, &f.literal);
    Scan {
        table: format!("{}{hints}", table.name),
        reading: 0,
        columns: columns.iter().map(|&c| column(c)).collect(),
        conditions: filters.iter().map(condition).collect(),
    }
}

/// A table that asks its source for watermarks can be declared, but no connector here gives any.
fn no_source_watermark(table: &Table) -> SqlError {
    let connector = table.options.get("connector").map_or("", String::as_str);
    let message = format!(
        "table '{}' declares SOURCE_WATERMARK(), but connector '{connector}' gives no watermarks of its own",
        table.name
    );
    SqlError::new(message, Span::default())
        .with_hint("write WATERMARK FOR ts AS ts - INTERVAL '5' SECOND in its CREATE TABLE")
}

/// A job of all `outputs` together.
pub fn lower(
    outputs: Vec<Output>,
    connectors: &ConnectorCatalog,
    settings: &BTreeMap<String, String>,
) -> SqlResult<Job> {
    let relations = Relations::new(&outputs, connectors, settings);
    let mut scans: BTreeMap<String, usize> = BTreeMap::new();
    for output in &outputs {
        visit(&output.rel, &mut |rel| {
            if let RelKind::Scan { table, .. } = &rel.kind {
                *scans.entry(table.name.clone()).or_default() += 1;
            }
        });
    }
    // A filter inside the decoder would hide rows from the other readers of a shared table.
    let is_alone = |table: &str| scans.get(table) == Some(&1);
    let outputs: Vec<Output> =
        outputs.into_iter().map(|o| Output { rel: ranks(o.rel, connectors), ..o }).collect();
    let late_rows = join_expiry::ignores_late_rows(settings)?;
    let mut event_time = false;
    for output in &outputs {
        visit(&output.rel, &mut |rel| event_time |= goes_by_watermarks(rel, connectors, late_rows));
    }
    let around = Around { connectors, is_alone: &is_alone, event_time };
    let outputs: Vec<Output> =
        outputs.into_iter().map(|o| Output { rel: optimize(o.rel, &around), ..o }).collect();
    let mut lowering = Lowering {
        connectors,
        settings,
        plan: Plan::default(),
        sources: Vec::new(),
        sinks: Vec::new(),
        lookups: Vec::new(),
        wanted: BTreeMap::new(),
        readings: BTreeMap::new(),
        lowered: BTreeMap::new(),
        raw: BTreeMap::new(),
        event_time: false,
        state_ttl_ms: state_ttl(settings)?,
        group_ttl_ms: None,
        ignores_late_rows: late_rows,
        could_expire: BTreeSet::new(),
    };
    for output in &outputs {
        lowering.survey_scan(&output.rel, None);
        visit(&output.rel, &mut |rel| lowering.survey(rel));
    }
    for output in outputs {
        lowering.output(output)?;
    }
    let Lowering { mut plan, sources, sinks, lookups, could_expire, .. } = lowering;
    plan.sources = sources.len();
    plan.sinks = sinks.len();
    plan.lookups = lookups.len();
    let mut explain = explain::explain(&plan, &could_expire);
    explain.extend(explain::guarantees(&sources, &sinks, connectors));
    Ok(Job { plan, sources, sinks, lookups, explain, settings: settings.clone(), relations })
}

fn visit(rel: &Rel, see: &mut dyn FnMut(&Rel)) {
    see(rel);
    for input in rel.inputs() {
        visit(input, see);
    }
}

fn goes_by_watermarks(rel: &Rel, connectors: &ConnectorCatalog, ignores_late_rows: bool) -> bool {
    let asks = |e: &Bound| e.fingerprint().contains("CURRENT_WATERMARK(");
    match &rel.kind {
        RelKind::WindowAggregate { windows, .. } => match windows {
            WindowSource::Assign(windows) => windows.time.is_some(),
            WindowSource::Sessions(sessions) => sessions.time.is_some(),
            WindowSource::Attached { processing_time, .. } => !processing_time,
        },
        RelKind::Over { time, .. } => *time == Some(TimeAttribute::Event),
        RelKind::MatchRecognize { spec, .. } => matches!(spec.time, TimeSource::EventTime { .. }),
        RelKind::Rank { emit, .. } => match emit {
            RankEmit::Changes => false,
            RankEmit::FirstByTime { .. } => true,
            RankEmit::Windows { processing_time, .. } => !processing_time,
        },
        RelKind::Sort { .. } => {
            matches!(rank::sort_time(rel, connectors), Some(TimeSource::EventTime { .. }))
        }
        RelKind::SessionTable { sessions, .. } => sessions.time.is_some(),
        RelKind::TimedJoin { by, .. } => by.is_event_time(),
        RelKind::Project { exprs, .. } => exprs.iter().any(asks),
        RelKind::Filter { predicate, .. } => asks(predicate),
        RelKind::Unnest { condition, .. } => condition.iter().any(asks),
        RelKind::Join { .. } => {
            ignores_late_rows && join_expiry::expiry(rel).iter().any(Option::is_some)
        }
        _ => false,
    }
}

struct Lowering<'a> {
    connectors: &'a ConnectorCatalog,
    settings: &'a BTreeMap<String, String>,
    plan: Plan,
    sources: Vec<SourcePlan>,
    sinks: Vec<SinkPlan>,
    lookups: Vec<LookupPlan>,
    /// By scan: the table's columns that any query needs.
    wanted: BTreeMap<String, BTreeSet<usize>>,
    /// By scan: how much is read of the table's columns.
    readings: BTreeMap<String, BTreeMap<usize, Reading>>,
    /// By scan: its node, and the columns it puts out.
    lowered: BTreeMap<String, (usize, Vec<usize>)>,
    /// The same, as its source has it: upserts and not what they change.
    raw: BTreeMap<String, (usize, Vec<usize>)>,
    /// Some operator goes by watermarks.
    event_time: bool,
    /// `table.exec.state.ttl`.
    state_ttl_ms: Option<i64>,
    /// The same for the next aggregation, by hint; 0 is for ever.
    group_ttl_ms: Option<i64>,
    /// Rows later than the watermark need not find all their partners.
    ignores_late_rows: bool,
    /// Joins whose rows would expire if late rows did not count.
    could_expire: BTreeSet<usize>,
}

impl Lowering<'_> {
    fn survey(&mut self, rel: &Rel) {
        self.event_time |= goes_by_watermarks(rel, self.connectors, self.ignores_late_rows);
        let exprs = match &rel.kind {
            RelKind::Project { exprs, .. } => Some(exprs.as_slice()),
            _ => None,
        };
        for input in rel.inputs() {
            self.survey_scan(input, exprs);
        }
    }

    /// If `rel` is a scan: its columns are wanted, as far as `exprs` read them or, without a projection, whole.
    fn survey_scan(&mut self, rel: &Rel, exprs: Option<&[Bound]>) {
        let RelKind::Scan { table, options, columns, .. } = &rel.kind else { return };
        let key = scan_key(table, options);
        self.wanted.entry(key.clone()).or_default().extend(columns);
        let readings = self.readings.entry(key).or_default();
        match exprs {
            Some(exprs) => {
                exprs.iter().for_each(|e| Reading::note(&e.remap(&|c| columns[c]), readings));
            }
            None => readings.extend(columns.iter().map(|&c| (c, Reading::Whole))),
        }
    }

    fn push(
        &mut self,
        kind: NodeKind,
        inputs: Vec<usize>,
        name: String,
        types: &[DataType],
        changelog: bool,
    ) -> usize {
        let output = types.iter().map(DataType::to_arrow).collect();
        self.plan.nodes.push(Node {
            kind,
            inputs,
            name,
            output,
            changelog,
            state_ttl_ms: self.state_ttl_ms,
        });
        self.plan.nodes.len() - 1
    }

    fn changelog(&self, node: usize) -> bool {
        self.plan.nodes[node].changelog
    }

    /// Rows of `input` on the worker that owns their key.
    fn exchange(&mut self, input: usize, keys: Vec<usize>, types: &[DataType]) -> usize {
        let name = if keys.is_empty() {
            "Exchange(single)".to_owned()
        } else {
            format!("Exchange(hash[{}])", list(&keys))
        };
        let changelog = self.changelog(input);
        self.push(NodeKind::Exchange { keys }, vec![input], name, types, changelog)
    }

    fn rel(&mut self, rel: &Rel) -> SqlResult<usize> {
        let types = rel.types();
        match &rel.kind {
            RelKind::Scan { table, options, columns, filters } => {
                self.scan(table, options, columns, filters)
            }
            RelKind::Values { columns, rows } => {
                let batch = Batch::new(columns.clone(), *rows);
                let name = format!("Values({rows} rows)");
                Ok(self.push(NodeKind::Values { batch }, Vec::new(), name, &types, false))
            }
            RelKind::Project { input, exprs } => {
                let node = self.rel(input)?;
                let exprs = self.over_scan(input, exprs);
                Ok(self.project(node, &exprs, &rel.fields))
            }
            RelKind::Filter { input, predicate } => {
                let input = self.rel(input)?;
                let name = format!("Filter({})", predicate.fingerprint());
                let kind = NodeKind::Filter { predicate: predicate.clone().compile() };
                let changelog = self.changelog(input);
                Ok(self.push(kind, vec![input], name, &types, changelog))
            }
            RelKind::WindowTable { input, windows } => {
                let node = self.rel(input)?;
                let time = time_source(windows.time);
                let name = format!("WindowTable({})", explain::windows(windows));
                let kind = NodeKind::WindowTable { window: windows.spec.clone(), time };
                let changelog = self.changelog(node);
                Ok(self.push(kind, vec![node], name, &types, changelog))
            }
            RelKind::SessionTable { .. } => self.session_table(rel),
            RelKind::StateTtl { input, ttl_ms } => {
                self.group_ttl_ms = Some(*ttl_ms);
                self.rel(input)
            }
            RelKind::Aggregate { .. } | RelKind::WindowAggregate { .. } => self.aggregate(rel),
            RelKind::UnionAll { inputs } => {
                let nodes = inputs.iter().map(|i| self.rel(i)).collect::<SqlResult<Vec<_>>>()?;
                let changelog = nodes.iter().any(|n| self.changelog(*n));
                Ok(self.push(NodeKind::UnionAll, nodes, "UnionAll".to_owned(), &types, changelog))
            }
            RelKind::Unnest { .. } => self.unnest(rel),
            RelKind::Join { .. } => self.join(rel),
            RelKind::Repeat { .. } | RelKind::ToChangelog { .. } | RelKind::Expand { .. } => {
                self.sets(rel)
            }
            RelKind::TimedJoin { .. } => self.timed_join(rel),
            RelKind::Over { .. } => self.over(rel),
            RelKind::MatchRecognize { .. } => self.match_recognize(rel),
            RelKind::Rank { .. } => self.rank(rel),
            RelKind::Sort { .. } => self.sort(rel),
            RelKind::Limit { .. } => self.limit(rel),
        }
    }

    fn project(&mut self, input: usize, exprs: &[Bound], fields: &[RelField]) -> usize {
        let shown: Vec<String> = exprs
            .iter()
            .zip(fields)
            .map(|(e, f)| match e.as_column() {
                Some(_) => f.name.clone(),
                None => format!("{} AS {}", e.fingerprint(), f.name),
            })
            .collect();
        let name = format!("Project({})", shown.join(", "));
        let kind = NodeKind::Project { exprs: exprs.iter().map(|e| e.clone().compile()).collect() };
        let types: Vec<DataType> = fields.iter().map(|f| f.data_type.clone()).collect();
        let changelog = self.changelog(input);
        self.push(kind, vec![input], name, &types, changelog)
    }

    fn aggregate(&mut self, rel: &Rel) -> SqlResult<usize> {
        let types = rel.types();
        let (input, keys, aggregates) = match &rel.kind {
            RelKind::Aggregate { input, keys, aggregates }
            | RelKind::WindowAggregate { input, keys, aggregates, .. } => (input, keys, aggregates),
            _ => unreachable!("called for aggregations only"),
        };
        let hint = self.group_ttl_ms.take();
        let node = self.rel(input)?;
        let node = self.exchange(node, keys.clone(), &input.types());
        let calls: Vec<String> =
            aggregates.iter().map(|a| explain::call(a, &input.fields)).collect();
        let key_names: Vec<&str> = keys.iter().map(|k| input.fields[*k].name.as_str()).collect();
        let group = format!("group by [{}]", key_names.join(", "));
        let detail = std::iter::once(group).chain(calls).collect::<Vec<_>>().join(", ");
        let (kind, name, changelog) = match &rel.kind {
            RelKind::WindowAggregate { windows, .. } => {
                windows::aggregate(windows, keys, aggregates, &detail)
            }
            _ => {
                let kind = NodeKind::Aggregate {
                    keys: keys.clone(),
                    aggregates: aggregates.clone(),
                    final_only: false,
                };
                // DISTINCT over rows that only come never takes one back.
                let changelog = self.changelog(node) || !aggregates.is_empty();
                (kind, format!("Aggregate({detail})"), changelog)
            }
        };
        let node = self.push(kind, vec![node], name, &types, changelog);
        if let Some(ttl_ms) = hint {
            self.plan.nodes[node].state_ttl_ms = (ttl_ms > 0).then_some(ttl_ms);
        }
        Ok(node)
    }

    fn join(&mut self, rel: &Rel) -> SqlResult<usize> {
        let RelKind::Join { left, right, kind, left_keys, right_keys, residual, ttl_ms } =
            &rel.kind
        else {
            unreachable!("called for joins only")
        };
        let types = rel.types();
        let (l, r) = (self.rel(left)?, self.rel(right)?);
        let l = self.exchange(l, left_keys.clone(), &left.types());
        let r = self.exchange(r, right_keys.clone(), &right.types());
        let keys: Vec<String> = left_keys
            .iter()
            .zip(right_keys)
            .map(|(a, b)| format!("{} = {}", left.fields[*a].name, right.fields[*b].name))
            .collect();
        let keys = if keys.is_empty() { "no keys".to_owned() } else { keys.join(" AND ") };
        let rest = residual.as_ref().map_or(String::new(), |r| format!(", {}", r.fingerprint()));
        let name = format!("Join({kind:?}, {keys}{rest})");
        // 0 is for ever.
        let ttl_ms = ttl_ms.map(|hint| hint.or(self.state_ttl_ms).filter(|ms| *ms > 0));
        let outer = !matches!(
            kind,
            mainstem_engine::plan::JoinKind::Inner | mainstem_engine::plan::JoinKind::Semi
        );
        let changelog = outer || self.changelog(l) || self.changelog(r);
        let mut expiry = if changelog { [None; 2] } else { join_expiry::expiry(rel) };
        if !self.ignores_late_rows && expiry.iter().any(Option::is_some) {
            self.could_expire.insert(self.plan.nodes.len());
        }
        if !self.ignores_late_rows {
            expiry = [None; 2];
        }
        for (expiry, ttl_ms) in expiry.iter_mut().zip(ttl_ms) {
            *expiry = expiry.filter(|_| ttl_ms.is_none());
        }
        let node = NodeKind::Join {
            kind: *kind,
            left_keys: left_keys.clone(),
            right_keys: right_keys.clone(),
            residual: residual.as_ref().map(compact),
            expiry,
            ttl_ms,
        };
        Ok(self.push(node, vec![l, r], name, &types, changelog))
    }

    fn scan(
        &mut self,
        table: &Arc<Table>,
        options: &Options,
        columns: &[usize],
        filters: &[ScanFilter],
    ) -> SqlResult<usize> {
        let key = scan_key(table, options);
        if !self.lowered.contains_key(&key) {
            let (node, made) = self.changes(table, options, filters)?;
            let node = self.normalized(table, options, node, &made);
            self.lowered.insert(key.clone(), (node, made));
        }
        let (node, made) = self.lowered[&key].clone();
        Ok(self.picked(table, options, node, &made, columns))
    }

    /// The source of a table: its node, and the columns it puts out.
    fn changes(
        &mut self,
        table: &Arc<Table>,
        options: &Options,
        filters: &[ScanFilter],
    ) -> SqlResult<(usize, Vec<usize>)> {
        let key = scan_key(table, options);
        if !self.raw.contains_key(&key) {
            let source = self.source(table, options, filters)?;
            self.raw.insert(key.clone(), source);
        }
        Ok(self.raw[&key].clone())
    }

    /// `columns` of a scan that puts out `made`.
    fn picked(
        &mut self,
        table: &Table,
        options: &Options,
        node: usize,
        made: &[usize],
        columns: &[usize],
    ) -> usize {
        if made == columns {
            return node;
        }
        let key = scan_key(table, options);
        let mut exprs = Vec::new();
        let mut fields = Vec::new();
        for &c in columns {
            let place = made.iter().position(|m| *m == c).expect("surveyed before");
            let column = &table.columns[c];
            let data_type = match self.readings[&key].get(&c) {
                Some(reading) => reading.narrowed(&column.data_type),
                None => column.data_type.clone(),
            };
            exprs.push(Bound::column(place, data_type.clone()));
            fields.push(RelField::new(&column.name, data_type));
        }
        self.project(node, &exprs, &fields)
    }

    /// The changes of a table's source as a changelog.
    fn normalized(
        &mut self,
        table: &Table,
        options: &Options,
        node: usize,
        made: &[usize],
    ) -> usize {
        if !self.connectors.connector(options).is_some_and(|s| s.upsert_source) {
            return node;
        }
        let readings = &self.readings[&scan_key(table, options)];
        let type_of = |c: &usize| {
            let data_type = &table.columns[*c].data_type;
            readings.get(c).map_or_else(|| data_type.clone(), |r| r.narrowed(data_type))
        };
        let types: Vec<DataType> = made.iter().map(type_of).collect();
        let place = |c: &usize| made.iter().position(|m| m == c).expect("keys are always made");
        let key: Vec<usize> = table.primary_key.iter().map(place).collect();
        let node = self.exchange(node, key.clone(), &types);
        let name = format!("UpsertNormalize(key [{}])", list(&key));
        self.push(NodeKind::UpsertNormalize { key }, vec![node], name, &types, true)
    }

    /// Expressions over `input` as they are over what its source makes, if it is a scan.
    fn over_scan(&self, input: &Rel, exprs: &[Bound]) -> Vec<Bound> {
        let RelKind::Scan { table, options, columns, .. } = &input.kind else {
            return exprs.to_vec();
        };
        let of_table = &self.readings[&scan_key(table, options)];
        let readings = columns
            .iter()
            .enumerate()
            .filter_map(|(i, c)| Some((i, of_table.get(c)?.clone())))
            .collect();
        exprs.iter().map(|e| over_narrow(e, &readings)).collect()
    }

    /// True if the source can leave fields of ROWs out.
    fn finds_fields(&self, options: &Options) -> bool {
        match self.connectors.format(options) {
            Some(format) => format.fields && !options.contains_key("key.format"),
            None => self.connectors.connector(options).is_some_and(|c| c.pushdown.fields),
        }
    }

    /// Source, computed columns, watermark; the node and the table's columns that it puts out.
    fn source(
        &mut self,
        table: &Arc<Table>,
        options: &Options,
        filters: &[ScanFilter],
    ) -> SqlResult<(usize, Vec<usize>)> {
        let wanted = self.wanted.get(&scan_key(table, options)).cloned().unwrap_or_default();
        let spec = self.connectors.connector(options);
        if spec.is_some_and(|s| s.source.is_none()) {
            let message =
                format!("table '{}' cannot be read: its connector is a sink only", table.name);
            return Err(SqlError::new(message, Span::default()));
        }
        if table.watermark.as_ref().is_some_and(|w| w.of_source) {
            return Err(no_source_watermark(table));
        }
        let upsert = spec.is_some_and(|s| s.upsert_source);
        let changelog = upsert || self.connectors.format(options).is_some_and(|f| f.changelog);
        let mut made = wanted;
        let watermark = table.watermark.as_ref().filter(|_| self.event_time);
        if let Some(watermark) = watermark {
            made.extend(columns_of(&watermark.expr));
        }
        if upsert {
            made.extend(&table.primary_key);
        }
        let known = known::of_filters(filters, &|c| table.columns[c].data_type.clone());
        let computed = |c: &usize| match &table.columns[*c].source {
            ColumnSource::Computed { expr, .. } => Some(known::with_constants(expr, &known)),
            _ => None,
        };
        let computed: BTreeMap<usize, Bound> =
            made.iter().filter_map(|c| Some((*c, computed(c)?))).collect();
        let stored = stored_for(&made, &computed);
        let is_narrow = self.finds_fields(options);
        let readings = self.readings.entry(scan_key(table, options)).or_default();
        computed.values().for_each(|e| Reading::note(e, readings));
        watermark.iter().for_each(|w| Reading::note(&w.expr, readings));
        readings
            .retain(|c, _| is_narrow && matches!(table.columns[*c].source, ColumnSource::Physical));
        let readings = readings.clone();
        let mut node = self.table_source(table, options, filters, &stored, changelog);
        let type_of = |c: &usize| {
            let data_type = &table.columns[*c].data_type;
            readings.get(c).map_or_else(|| data_type.clone(), |r| r.narrowed(data_type))
        };
        let made: Vec<usize> = made.into_iter().collect();
        if made != stored {
            let at = |c: usize| stored.iter().position(|s| *s == c).expect("stored");
            let exprs: Vec<Bound> = made
                .iter()
                .map(|c| match computed.get(c) {
                    Some(expr) => over_narrow(expr, &readings).remap(&at),
                    None => Bound::column(at(*c), type_of(c)),
                })
                .collect();
            let fields: Vec<RelField> =
                made.iter().map(|c| RelField::new(&table.columns[*c].name, type_of(c))).collect();
            node = self.project(node, &exprs, &fields);
        }
        let types: Vec<DataType> = made.iter().map(type_of).collect();
        if let Some(watermark) = watermark {
            let at = |c: usize| made.iter().position(|m| *m == c).expect("added above");
            let clock_after_ms = self.clock_after(options)?;
            let kind = NodeKind::Watermark {
                expr: over_narrow(&watermark.expr, &readings).remap(&at).compile(),
                idle_timeout_ms: self.idle_timeout(options)?,
                clock_after_ms,
            };
            let column = &table.columns[watermark.column].name;
            let clock = clock_after_ms
                .map_or(String::new(), |ms| format!(", by the clock after {ms} ms without rows"));
            let name = format!("Watermark({column} AS {}{clock})", watermark.text);
            node = self.push(kind, vec![node], name, &types, changelog);
        }
        Ok((node, made))
    }

    /// The node that reads the columns `stored`, with the fields of ROWs that are read.
    fn table_source(
        &mut self,
        table: &Arc<Table>,
        options: &Options,
        filters: &[ScanFilter],
        stored: &[usize],
        changelog: bool,
    ) -> usize {
        let stored_all: Vec<usize> =
            (0..table.columns.len()).filter(|&i| table.is_stored(i)).collect();
        let in_spec = |c: &usize| stored_all.iter().position(|s| s == c).expect("stored");
        let readings = &self.readings[&scan_key(table, options)];
        let mut spec = table.spec(&stored_all, options);
        for column in stored {
            if let Some(reading) = readings.get(column) {
                let declared = &mut spec.columns[in_spec(column)].data_type;
                *declared = reading.narrowed(declared);
            }
        }
        let projection: Vec<usize> = stored.iter().map(in_spec).collect();
        let types: Vec<DataType> =
            projection.iter().map(|&c| spec.columns[c].data_type.clone()).collect();
        let name = explain::scan(table, stored, readings, filters);
        let scan = meaning_of(table, options, stored, filters);
        let filters = filters
            .iter()
            .map(|f| ScanFilter { column: in_spec(&f.column), ..f.clone() })
            .collect();
        let source = self.sources.len();
        self.sources.push(SourcePlan { table: spec, projection, filters });
        self.push(NodeKind::Source { source, scan }, Vec::new(), name, &types, changelog)
    }

    fn output(&mut self, output: Output) -> SqlResult<()> {
        let Output { rel, target, span } = output;
        let node = self.rel(&rel).map_err(|e| e.or_at(span))?;
        let types = rel.types();
        let columns: Vec<Field> = rel
            .fields
            .iter()
            .map(|f| Field { name: f.name.clone(), data_type: f.data_type.clone() })
            .collect();
        let changes = self.changelog(node);
        let upsert_key = rel.upsert_key();
        let (target, changelog, name) = match target {
            None => {
                let mode = if changes { ChangelogMode::Retract } else { ChangelogMode::AppendOnly };
                (SinkTarget::Console, mode, "Collect".to_owned())
            }
            Some((table, options)) => {
                let mut spec = table.spec(&table.sink_columns(), &options);
                let mode = self.sink_mode(&table, &options, &spec.primary_key, changes, span)?;
                if mode == ChangelogMode::Retract && spec.primary_key.is_empty() {
                    // Lets the connector tell updates from a delete and an insert.
                    spec.primary_key = upsert_key.clone().unwrap_or_default();
                }
                let name = format!("Sink({})", table.name);
                (SinkTarget::Table(spec), mode, name)
            }
        };
        let node = match &changelog {
            ChangelogMode::Upsert { key } => self.exchange(node, key.clone(), &types),
            _ => node,
        };
        let sink = self.sinks.len();
        let kind = NodeKind::Sink { sink, changelog: changelog.clone() };
        self.push(kind, vec![node], name, &types, changes);
        self.sinks.push(SinkPlan { target, columns, changelog, upsert_key });
        Ok(())
    }

    fn sink_mode(
        &self,
        table: &Table,
        options: &Options,
        key: &[usize],
        changes: bool,
        span: Span,
    ) -> SqlResult<ChangelogMode> {
        let Some(spec) = self.connectors.connector(options) else {
            return Err(SqlError::new(format!("table '{}' has no connector", table.name), span));
        };
        if spec.sink.is_none() {
            return Err(SqlError::new(
                format!(
                    "table '{}' cannot be written: connector '{}' is a source only",
                    table.name, spec.name
                ),
                span,
            ));
        }
        let carries = self.connectors.format(options).is_some_and(|f| f.changelog);
        let upsert = ChangelogMode::Upsert { key: key.to_vec() };
        match spec.sink_changelog {
            SinkChangelog::Upsert => {
                if key.is_empty() {
                    let message =
                        format!("table '{}' ({}) needs a PRIMARY KEY", table.name, spec.name);
                    return Err(SqlError::new(message, span));
                }
                Ok(upsert)
            }
            SinkChangelog::UpsertIfKey if !key.is_empty() => Ok(upsert),
            SinkChangelog::ByFormat if carries => Ok(ChangelogMode::Retract),
            _ if !changes => Ok(ChangelogMode::AppendOnly),
            SinkChangelog::All => Ok(ChangelogMode::Retract),
            SinkChangelog::NoUpdateBefore => Ok(ChangelogMode::NoUpdateBefore),
            _ => {
                let hint = match spec.name {
                    "jdbc" => "declare PRIMARY KEY (...) NOT ENFORCED in the table",
                    "kafka" => {
                        "use 'connector' = 'upsert-kafka' with a primary key, 'format' = 'debezium-json', or aggregate over a window"
                    }
                    _ => {
                        "aggregate over a window (TUMBLE, HOP, CUMULATE), or write to a table with upserts"
                    }
                };
                Err(SqlError::new(
                    format!(
                        "table '{}' (connector '{}') takes new rows only, but the query changes rows it has put out",
                        table.name, spec.name
                    ),
                    span,
                )
                .with_hint(hint))
            }
        }
    }
}

/// A condition over no more columns than it reads.
fn compact(condition: &Bound) -> Residual {
    let columns: Vec<usize> = columns_of(condition).into_iter().collect();
    let place = |column: usize| columns.binary_search(&column).expect("it is one that is read");
    Residual { condition: condition.remap(&place).compile(), columns }
}

/// The stored columns that `columns`, some of them computed, are made from.
fn stored_for(columns: &BTreeSet<usize>, computed: &BTreeMap<usize, Bound>) -> Vec<usize> {
    let mut stored: BTreeSet<usize> =
        columns.iter().copied().filter(|c| !computed.contains_key(c)).collect();
    stored.extend(computed.values().flat_map(columns_of));
    stored.into_iter().collect()
}

/// `table.exec.state.ttl`; 0 is for ever.
fn state_ttl(settings: &BTreeMap<String, String>) -> SqlResult<Option<i64>> {
    const NAME: &str = "table.exec.state.ttl";
    let Some(value) = settings.get(NAME) else { return Ok(None) };
    let ms =
        parse_duration_ms(NAME, value).map_err(|e| SqlError::from_core(&e, Span::default()))?;
    Ok((ms > 0).then_some(ms))
}

fn time_source(column: Option<usize>) -> TimeSource {
    match column {
        Some(column) => TimeSource::EventTime { column },
        None => TimeSource::ProcessingTime,
    }
}

fn list(columns: &[usize]) -> String {
    columns.iter().map(|c| format!("${c}")).collect::<Vec<_>>().join(", ")
}
