//! Cuts in memory, for tests and as the plainest way from one set of workers to another.
//! Invariant: what a worker's cuts have told adds up to what it knew at the last of them; [`CutCheck`] makes sure.

use std::sync::Arc;

use arrow_array::ArrayRef;
use arrow_row::{RowConverter, SortField};
use mainstem_core::{Batch, Error, Result};
use mainstem_state::blocks::InMemory;
use mainstem_state::chain::Chain;
use mainstem_state::manifest::TableRecord;
use mainstem_state::table::{Piece, TableRows};

use super::resolved::resolved;
use super::united;
use crate::worker::Worker;

/// So few rows are handed out between two steps that a cut takes many.
const ROWS_FEW: usize = 3;

fn tell(chain: &mut Chain<Batch>, pieces: Vec<Piece>) {
    for Piece { node, change } in pieces {
        let (anew, record) = change.change.into_record();
        chain.tell(node, &change.shape.name, anew, record);
    }
}

/// All that a worker knows, by a whole cut; what is the same on all workers only if `common`.
pub(crate) fn whole(worker: &mut Worker, common: bool) -> Result<Chain<Batch>> {
    let mut chain = Chain::new(worker.graph().plan.nodes.len());
    let mut pieces = worker.cut(true, common)?;
    while !pieces.is_empty() {
        tell(&mut chain, pieces);
        pieces = worker.hand_out(usize::MAX)?;
    }
    Ok(chain)
}

/// `old`'s successor, made anew from what it knows.
pub(crate) fn restarted(old: &mut Worker) -> Result<Worker> {
    let graph = Arc::clone(old.graph());
    let mut worker = Worker::new(&graph, old.index())?;
    // It stands for all workers.
    worker.load(&united(&graph.plan, [whole(old, true)?]), &InMemory)?;
    worker.keep_counts(old)?;
    Ok(worker)
}

/// Cuts a worker again and again, hands its changes out in crumbs between steps, and compares what they add up to with what the
/// worker knew at the cut.
#[derive(Debug)]
pub(crate) struct CutCheck {
    chain: Chain<Batch>,
    cuts: usize,
    /// What was known at the cut that is being handed out, by node.
    known: Option<Vec<Vec<TableRows>>>,
}

impl CutCheck {
    pub(crate) fn new(worker: &Worker) -> Self {
        let nodes = worker.graph().plan.nodes.len();
        Self { chain: Chain::new(nodes), cuts: 0, known: None }
    }

    /// Between two steps.
    pub(crate) fn go_on(&mut self, worker: &mut Worker) -> Result<()> {
        if self.known.is_some() {
            return self.crumbs(worker);
        }
        let nodes = worker.graph().plan.nodes.len();
        let known = (0..nodes).map(|node| worker.tables(node)).collect::<Result<_>>()?;
        self.chain.begin();
        let pieces = worker.cut(self.cuts.is_multiple_of(WHOLE_EACH), true)?;
        tell(&mut self.chain, pieces);
        self.cuts += 1;
        self.known = Some(known);
        Ok(())
    }

    /// Behind the last step.
    pub(crate) fn finish(&mut self, worker: &mut Worker) -> Result<()> {
        while self.known.is_some() {
            self.crumbs(worker)?;
        }
        Ok(())
    }

    fn crumbs(&mut self, worker: &mut Worker) -> Result<()> {
        let pieces = worker.hand_out(ROWS_FEW)?;
        if pieces.is_empty()
            && let Some(known) = self.known.take()
        {
            return self.compare(known, worker);
        }
        tell(&mut self.chain, pieces);
        Ok(())
    }

    fn compare(&self, known: Vec<Vec<TableRows>>, worker: &Worker) -> Result<()> {
        let told: Vec<Vec<TableRecord<Batch>>> = self.chain.clone().into_records().collect();
        for (node, (known, told)) in known.into_iter().zip(&told).enumerate() {
            for table in known {
                let name = &table.shape.name;
                let record = told.iter().find(|record| record.name == **name);
                let mut rows = Vec::new();
                if let Some(record) = record {
                    let read = |rows: &Batch| Ok(Some(rows.clone()));
                    resolved(record, read, read, |batch| {
                        rows.push(batch.clone());
                        Ok(())
                    })?;
                }
                if sorted(&rows)? != sorted(&table.batches)? {
                    let node = &worker.graph().plan.nodes[node].name;
                    let cut = self.cuts;
                    let text = format!("cut {cut} does not tell what '{name}' of {node} was");
                    return Err(Error::internal(text));
                }
            }
        }
        Ok(())
    }
}

/// Each so manieth cut is whole.
const WHOLE_EACH: usize = 9;

/// Rows in an order that depends on nothing but them.
fn sorted(batches: &[Batch]) -> Result<Vec<Vec<u8>>> {
    let mut rows = Vec::new();
    for batch in batches.iter().filter(|batch| !batch.is_empty()) {
        let types = || batch.columns().iter().map(|column| column.data_type().clone());
        let fields: Vec<_> = types().map(SortField::new).collect();
        if fields.is_empty() || !RowConverter::supports_fields(&fields) {
            rows.extend((0..batch.rows()).map(|row| shown(batch.columns(), row)));
            continue;
        }
        let converted = RowConverter::new(fields)?.convert_columns(batch.columns())?;
        rows.extend(converted.iter().map(|row| row.data().to_vec()));
    }
    rows.sort_unstable();
    Ok(rows)
}

/// A row with a column that cannot be ordered.
fn shown(columns: &[ArrayRef], row: usize) -> Vec<u8> {
    let values = columns.iter().map(|column| format!("{:?}", column.slice(row, 1)));
    values.collect::<Vec<_>>().join("|").into_bytes()
}
