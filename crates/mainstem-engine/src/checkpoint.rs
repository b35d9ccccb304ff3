//! What a worker knows between two steps, node by node, as rows of tables; and workers that go on from there.
//! Invariant: workers that have loaded what workers of the same plan saved go on as those would have, whatever the number of
//! either: a row is loaded by the worker that an exchange would send it to, and what is the same on all workers is saved once.
//! Does not store anything, and knows no sources and sinks.

pub(crate) mod hand_out;
mod identity;
mod loaded;
mod port;
mod resolved;
pub(crate) mod told;

use std::collections::BTreeMap;
use std::sync::Arc;

use arrow_array::cast::AsArray;
use arrow_array::types::Int64Type;
use arrow_array::{BooleanArray, Int64Array, UInt32Array};
use mainstem_core::{Batch, Error, ErrorKind, Result};
use mainstem_state::blocks::Blocks;
use mainstem_state::chain::{Chain, unite};
use mainstem_state::manifest::OperatorRecord;
use mainstem_state::table::{Owner, Piece, TableChange, TableRows, TableShape};

use crate::hash::{hash_columns, owner};
use crate::instance::Instance;
use crate::plan::{Node, Plan};
use crate::worker::{Progress, Worker};
use resolved::resolved;

pub use identity::{Identities, keeps_state};
pub use loaded::Loaded;
pub use port::{CheckpointPort, CutPlace, LAST, Restored, Saved, SplitPosition, SplitPositions};

/// How far a node is: the watermark of its inputs and its own.
const PROGRESS: &str = "progress";
/// The splits of a source, as its watermark knows them.
const SPLITS: &str = "splits";

/// Whether a table says how far time is, and not what an operator knows.
pub fn is_progress(table: &str) -> bool {
    [PROGRESS, SPLITS].contains(&table)
}

impl Worker {
    /// Begins to hand out what changed since the cut before, or everything if `whole`; what is the same on all workers only if
    /// `common`. What it leaves comes by [`Worker::hand_out`]. Fails with the name of a node whose state cannot be handed out.
    pub(crate) fn cut(&mut self, whole: bool, common: bool) -> Result<Vec<Piece>> {
        let graph = Arc::clone(self.graph());
        let mut pieces = Vec::new();
        for (node, of_plan) in graph.plan.nodes.iter().enumerate() {
            let mut changes = match self.instance_mut(node) {
                Instance::Operator(operator) => {
                    let changes = operator.cut(whole).map_err(|e| e.context(&of_plan.name))?;
                    changes.ok_or_else(|| not_yet().context(&of_plan.name))?
                }
                _ => self.tables_of_others(node)?.into_iter().map(TableChange::from).collect(),
            };
            changes.push(self.progress_table(node).into());
            changes.retain(|change| common || change.shape.owner != Owner::Every);
            pieces.extend(changes.into_iter().map(|change| Piece { node, change }));
        }
        Ok(pieces)
    }

    /// About `rows` rows more of what the last cut has left; none: that was all.
    pub(crate) fn hand_out(&mut self, rows: usize) -> Result<Vec<Piece>> {
        for node in 0..self.graph().plan.nodes.len() {
            let Instance::Operator(operator) = self.instance_mut(node) else { continue };
            let changes = operator.hand_out(rows)?;
            if !changes.is_empty() {
                return Ok(changes.into_iter().map(|change| Piece { node, change }).collect());
            }
        }
        Ok(Vec::new())
    }

    /// All that this worker knows of a node.
    pub(crate) fn tables(&self, node: usize) -> Result<Vec<TableRows>> {
        let mut tables = match self.instance(node) {
            Instance::Operator(operator) => operator.save()?.ok_or_else(not_yet)?,
            _ => self.tables_of_others(node)?,
        };
        tables.push(self.progress_table(node));
        Ok(tables)
    }

    /// The same for nodes that are no operators, which know little.
    fn tables_of_others(&self, node: usize) -> Result<Vec<TableRows>> {
        Ok(match self.instance(node) {
            Instance::Watermark(watermark) => vec![watermark.save(SPLITS)],
            Instance::RemoteLookup(_, operator) => operator.save()?,
            _ => Vec::new(),
        })
    }

    fn progress_table(&self, node: usize) -> TableRows {
        let (before, progress) = self.progress_of(node);
        let rows = vec![
            Arc::new(Int64Array::from(vec![before])) as _,
            Arc::new(Int64Array::from(vec![progress.watermark])) as _,
            Arc::new(BooleanArray::from(vec![progress.idle])) as _,
            Arc::new(BooleanArray::from(vec![progress.ended])) as _,
        ];
        TableShape::common(PROGRESS).with_rows(vec![Batch::new(rows, 1)])
    }

    /// Takes what workers of this plan knew, before the first step; `nodes` in the order of the plan.
    pub(crate) fn load<S: Blocks>(
        &mut self,
        nodes: &[OperatorRecord<S::Block>],
        blocks: &S,
    ) -> Result<()> {
        let graph = Arc::clone(self.graph());
        for (index, (node, fingerprint)) in
            graph.plan.nodes.iter().zip(&graph.fingerprints).enumerate()
        {
            let saved = nodes.get(index).filter(|saved| saved.fingerprint == *fingerprint);
            let saved = saved.ok_or_else(|| Error::internal("the state of another plan"))?;
            self.load_node(index, saved, blocks).map_err(|e| e.context(&node.name))?;
        }
        Ok(())
    }

    fn load_node<S: Blocks>(
        &mut self,
        node: usize,
        saved: &OperatorRecord<S::Block>,
        blocks: &S,
    ) -> Result<()> {
        let owners: BTreeMap<String, Owner> = self
            .tables(node)?
            .into_iter()
            .map(|table| (table.shape.name.into_owned(), table.shape.owner))
            .collect();
        for table in &saved.tables {
            let name = &table.name;
            let owner = owners.get(name).ok_or_else(|| {
                let text = format!("state has a table '{name}' that this operator does not know");
                Error::new(ErrorKind::Conflict, text)
            })?;
            let (workers, index) = (self.graph().workers, self.index());
            let whole = |block: &S::Block| match (owner, blocks.writer(block, workers)) {
                (Owner::Columns(_), Some(writer)) if writer != index => Ok(None),
                _ => blocks.rows(block).map(Some),
            };
            let own = |block: &S::Block| match (owner, whole(block)?) {
                (Owner::Columns(columns), Some(rows))
                    if blocks.writer(block, workers).is_none() =>
                {
                    rows_of(&rows, columns, (index, workers)).map(Some)
                }
                (_, rows) => Ok(rows),
            };
            resolved(table, own, whole, |rows| {
                self.load_rows(node, name, rows)?;
                self.put_aside()
            })?;
        }
        Ok(())
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

/// The rows that an exchange by `columns` would send to the worker `index` of `workers`.
fn rows_of(batch: &Batch, columns: &[usize], (index, workers): (usize, usize)) -> Result<Batch> {
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

fn not_yet() -> Error {
    Error::user("this operator cannot be kept in a checkpoint yet")
        .with_hint("run without --state, or write the query without it")
}

/// What workers of a plan have told, put together node by node.
pub fn united(
    plan: &Plan,
    chains: impl IntoIterator<Item = Chain<Batch>>,
) -> Vec<OperatorRecord<Batch>> {
    let nodes = plan.nodes.iter().zip(Identities::of(plan).nodes);
    let node = |(node, fingerprint): (&Node, String)| OperatorRecord {
        fingerprint,
        name: node.name.clone(),
        tables: Vec::new(),
    };
    let mut all: Vec<OperatorRecord<Batch>> = nodes.map(node).collect();
    for chain in chains {
        for (node, tables) in all.iter_mut().zip(chain.into_records()) {
            tables.into_iter().for_each(|table| unite(&mut node.tables, table));
        }
    }
    all
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
