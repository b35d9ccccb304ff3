//! What a worker knows between two steps, node by node, as rows of tables; and workers that go on from there.
//! Invariant: workers that have loaded what workers of the same plan saved go on as those would have, whatever the number of
//! either: a row is loaded by the worker that an exchange would send it to, and what is the same on all workers is saved once.
//! Does not store anything, and knows no sources and sinks.

mod port;

use std::collections::BTreeMap;
use std::sync::Arc;

use arrow_array::cast::AsArray;
use arrow_array::types::Int64Type;
use arrow_array::{BooleanArray, Int64Array, UInt32Array};
use mainstem_core::{Batch, Error, ErrorKind, Result};
use mainstem_state::fingerprint::fingerprint;
use mainstem_state::table::{Owner, TableRows, TableShape};

use crate::hash::{hash_columns, owner};
use crate::instance::Instance;
use crate::plan::{NodeKind, Plan};
use crate::worker::{Progress, Worker};

pub use port::{CheckpointPort, CutPlace, LAST, Restored, Saved, SplitPosition, SplitPositions};

/// How far a node is: the watermark of its inputs and its own.
const PROGRESS: &str = "progress";
/// The splits of a source, as its watermark knows them.
const SPLITS: &str = "splits";

/// What a node knows, on one worker.
#[derive(Debug, Clone)]
pub struct NodeState {
    /// Equal for nodes that mean the same over the same inputs.
    pub fingerprint: String,
    /// The node's name.
    pub name: String,
    /// Its tables.
    pub tables: Vec<TableRows>,
}

/// What all workers knew of a node, ready to be loaded: rows by name of the table.
#[derive(Debug, Clone, Default)]
pub struct SavedNode {
    /// That of [`NodeState`].
    pub fingerprint: String,
    /// For messages.
    pub name: String,
    /// Rows of each table, in their order.
    pub tables: Vec<(String, Vec<Batch>)>,
}

/// For each node of a plan what tells it from others: its kind and those of all nodes below it.
pub fn fingerprints(plan: &Plan) -> Vec<String> {
    let mut all: Vec<String> = Vec::with_capacity(plan.nodes.len());
    for node in &plan.nodes {
        let kind = match &node.kind {
            // Their numbers depend on what else is in the plan.
            NodeKind::Source { .. } => format!("Source {}", node.name),
            NodeKind::Sink { changelog, .. } => format!("Sink {} {changelog:?}", node.name),
            kind => format!("{kind:?}"),
        };
        let below: Vec<&str> = node.inputs.iter().map(|&input| all[input].as_str()).collect();
        let types = &node.output;
        all.push(fingerprint(&format!("{kind} {below:?} {types:?} {:?}", node.state_ttl_ms)));
    }
    all
}

impl Worker {
    /// All that this worker knows; what is the same on all workers only if `common`. Fails with the name of a node whose
    /// state cannot be handed out.
    pub(crate) fn save(&self, common: bool) -> Result<Vec<NodeState>> {
        let graph = self.graph();
        let nodes = graph.plan.nodes.iter().zip(&graph.fingerprints).enumerate();
        nodes
            .map(|(index, (node, fingerprint))| {
                let mut tables = self.tables(index).map_err(|e| e.context(&node.name))?;
                tables.retain(|table| common || table.shape.owner != Owner::Every);
                Ok(NodeState { fingerprint: fingerprint.clone(), name: node.name.clone(), tables })
            })
            .collect()
    }

    fn tables(&self, node: usize) -> Result<Vec<TableRows>> {
        let mut tables = match self.instance(node) {
            Instance::Operator(operator) => operator.save()?.ok_or_else(not_yet)?,
            Instance::Watermark(watermark) => vec![watermark.save(SPLITS)],
            Instance::RemoteLookup(_, operator) => operator.save()?,
            Instance::Source(_) | Instance::Exchange(_) | Instance::Sink(..) | Instance::Pass => {
                Vec::new()
            }
        };
        let (before, progress) = self.progress_of(node);
        let rows = vec![
            Arc::new(Int64Array::from(vec![before])) as _,
            Arc::new(Int64Array::from(vec![progress.watermark])) as _,
            Arc::new(BooleanArray::from(vec![progress.idle])) as _,
            Arc::new(BooleanArray::from(vec![progress.ended])) as _,
        ];
        tables.push(TableShape::common(PROGRESS).with_rows(vec![Batch::new(rows, 1)]));
        Ok(tables)
    }

    /// Takes what workers of this plan knew, before the first step; `nodes` in the order of [`Worker::save`].
    pub(crate) fn load(&mut self, nodes: &[SavedNode]) -> Result<()> {
        let graph = Arc::clone(self.graph());
        for (index, (node, fingerprint)) in
            graph.plan.nodes.iter().zip(&graph.fingerprints).enumerate()
        {
            let saved = nodes.get(index).filter(|saved| saved.fingerprint == *fingerprint);
            let saved = saved.ok_or_else(|| Error::internal("the state of another plan"))?;
            self.load_node(index, saved).map_err(|e| e.context(&node.name))?;
        }
        Ok(())
    }

    fn load_node(&mut self, node: usize, saved: &SavedNode) -> Result<()> {
        let owners: BTreeMap<String, Owner> = self
            .tables(node)?
            .into_iter()
            .map(|table| (table.shape.name.into_owned(), table.shape.owner))
            .collect();
        for (table, batches) in &saved.tables {
            let owner = owners.get(table).ok_or_else(|| {
                let text = format!("state has a table '{table}' that this operator does not know");
                Error::new(ErrorKind::Conflict, text)
            })?;
            for batch in batches {
                let rows = match owner {
                    Owner::Every => batch.clone(),
                    Owner::Columns(columns) => self.own(batch, columns)?,
                };
                self.load_rows(node, table, &rows)?;
            }
        }
        Ok(())
    }

    /// The rows that an exchange by `columns` would send to this worker.
    fn own(&self, batch: &Batch, columns: &[usize]) -> Result<Batch> {
        let (workers, index) = (self.graph().workers, self.index());
        if workers == 1 {
            return Ok(batch.clone());
        }
        if columns.is_empty() {
            return Ok(if index == 0 { batch.clone() } else { batch.slice(0, 0) });
        }
        let keys = batch.project(columns);
        let mut hashes = Vec::new();
        hash_columns(keys.columns(), keys.rows(), &mut hashes)?;
        let rows = (0..).zip(&hashes).filter(|(_, hash)| owner(**hash, workers) == index);
        batch.take(&rows.map(|(row, _)| row).collect::<Vec<u32>>().into())
    }

    fn load_rows(&mut self, node: usize, table: &str, rows: &Batch) -> Result<()> {
        match (table, self.instance_mut(node)) {
            (PROGRESS, _) => {
                let times = |column: usize| rows.column(column).as_primitive::<Int64Type>();
                let flags = |column: usize| rows.column(column).as_boolean().value(0);
                let first = |column: usize| times(column).iter().next().flatten();
                let progress = Progress { watermark: first(1), idle: flags(2), ended: flags(3) };
                self.set_progress(node, first(0), progress);
            }
            (SPLITS, Instance::Watermark(watermark)) => watermark.load(rows),
            (_, Instance::Operator(operator)) => operator.load(table, rows)?,
            (_, Instance::RemoteLookup(_, operator)) => operator.load(table, rows)?,
            _ => return Err(Error::internal(format!("no operator takes the table '{table}'"))),
        }
        Ok(())
    }
}

fn not_yet() -> Error {
    Error::user("this operator cannot be kept in a checkpoint yet")
        .with_hint("run without --state, or write the query without it")
}

/// What workers saved, put together node by node; all are of one plan.
pub fn united(workers: Vec<Vec<NodeState>>) -> Vec<SavedNode> {
    let mut all: Vec<SavedNode> = Vec::new();
    for (at, state) in workers.into_iter().flat_map(|worker| worker.into_iter().enumerate()) {
        let NodeState { fingerprint, name, tables } = state;
        if all.len() <= at {
            all.push(SavedNode { fingerprint, name, tables: Vec::new() });
        }
        for TableRows { shape, batches } in tables {
            match all[at].tables.iter_mut().find(|(known, _)| *known == shape.name) {
                Some((_, known)) => known.extend(batches),
                None => all[at].tables.push((shape.name.into_owned(), batches)),
            }
        }
    }
    all
}

/// For tests and as the plainest way there: `old`'s successor, made anew from what it knows.
pub(crate) fn restarted(old: &Worker) -> Result<Worker> {
    let mut worker = Worker::new(old.graph(), old.index())?;
    worker.load(&united(vec![old.save(true)?]))?;
    worker.keep_counts(old)?;
    Ok(worker)
}

/// Helps watermarks to be saved: split, greatest time, time of the last row, idle.
pub(crate) fn split_rows(rows: impl Iterator<Item = (u32, Option<i64>, i64, bool)>) -> Batch {
    let rows: Vec<_> = rows.collect();
    let splits = rows.iter().map(|row| row.0);
    let columns = vec![
        Arc::new(UInt32Array::from_iter_values(splits)) as _,
        Arc::new(rows.iter().map(|row| row.1).collect::<Int64Array>()) as _,
        Arc::new(Int64Array::from_iter_values(rows.iter().map(|row| row.2))) as _,
        Arc::new(rows.iter().map(|row| Some(row.3)).collect::<BooleanArray>()) as _,
    ];
    Batch::new(columns, rows.len())
}
