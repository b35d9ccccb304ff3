//! Joins of a stream with a table that is read to its end first.
//! Invariant: no row of the left input comes out before the right input has ended; from then on each row comes out in
//! the step it came in. The table is what its changes add up to.

use arrow_buffer::ScalarBuffer;
use arrow_schema::DataType as ArrowType;
use mainstem_core::{Batch, Result};
use mainstem_state::table::{Change, TableChange, TableRows, TableShape};

use super::arrivals::Arrivals;
use super::join::pad;
use super::join_side::{NONE, Side};
use super::probe::{Pairs, Probe, split_nulls, unmatched};
use crate::expr::ExprRef;
use crate::operator::{Inputs, Operator, PutAside, StepContext, Watermark};
use crate::plan::JoinKind;

/// The tables of its state.
const TABLE: &str = "table";
const WAITING: &str = "waiting";
const READY: &str = "ready";

/// What the plan says of a lookup join.
#[derive(Debug, Clone)]
pub(crate) struct LookupJoinPlan {
    pub(crate) kind: JoinKind,
    pub(crate) keys: [Vec<usize>; 2],
    pub(crate) residual: Option<ExprRef>,
    /// The columns of input 1.
    pub(crate) right: Vec<ArrowType>,
    /// Input 1 takes rows back.
    pub(crate) changelog: bool,
}

/// Keeps the table, and left rows until it is there.
pub(crate) struct LookupJoin {
    kind: JoinKind,
    left_keys: Vec<usize>,
    residual: Option<ExprRef>,
    table: Side,
    waiting: Arrivals,
    /// The table is there.
    ready: bool,
    /// A cut has said so.
    ready_told: bool,
}

impl LookupJoin {
    pub(crate) fn new(plan: &LookupJoinPlan) -> Result<Self> {
        Ok(Self {
            kind: plan.kind,
            left_keys: plan.keys[0].clone(),
            residual: plan.residual.clone(),
            table: Side::new(&plan.keys[1], &plan.right, plan.changelog, false)?,
            waiting: Arrivals::default(),
            ready: false,
            ready_told: false,
        })
    }

    fn waiting_shape(&self) -> TableShape {
        TableShape::keyed(WAITING, self.left_keys.clone())
    }

    fn ask(&mut self, batch: &Batch, cx: &StepContext, output: &mut Vec<Batch>) -> Result<()> {
        let (batch, without) = split_nulls(batch, &self.left_keys)?;
        if let Some(without) = without {
            self.pad(&without, output);
        }
        let keys = batch.project(&self.left_keys);
        self.table.bring_back(&keys)?;
        let first = self.table.first_partners(&keys)?;
        let mut matched = vec![false; batch.rows()];
        let mut pairs = Pairs::default();
        for (row, &first) in first.iter().enumerate() {
            let start = pairs.partners.len();
            let mut partner = first;
            while partner != NONE {
                pairs.push(row, partner);
                partner = self.table.next(partner);
            }
            // The list starts with the row that came last.
            pairs.partners[start..].reverse();
            if pairs.is_full() {
                self.settle(&batch, std::mem::take(&mut pairs), &mut matched, cx, output)?;
            }
        }
        self.settle(&batch, pairs, &mut matched, cx, output)?;
        if self.kind == JoinKind::Left {
            self.pad(&unmatched(&batch, &matched)?, output);
        }
        Ok(())
    }

    fn settle(
        &self,
        batch: &Batch,
        mut pairs: Pairs,
        matched: &mut [bool],
        cx: &StepContext,
        output: &mut Vec<Batch>,
    ) -> Result<()> {
        if pairs.rows.is_empty() {
            return Ok(());
        }
        let probe = Probe { is_left: true, residual: self.residual.as_ref(), eval: cx.eval() };
        let joined = probe.join(batch, &mut pairs, &|rows| self.table.gather(rows))?;
        for &row in &pairs.rows {
            matched[row as usize] = true;
        }
        if pairs.partners.iter().all(|&partner| self.table.weight(partner) == 1) {
            output.push(joined);
            return Ok(());
        }
        let times = pairs.partners.iter().enumerate();
        let weights: ScalarBuffer<i64> =
            times.map(|(at, &partner)| joined.weight(at) * self.table.weight(partner)).collect();
        let rows = joined.rows();
        output.push(Batch::with_weights(joined.into_columns(), rows, Some(weights)));
        Ok(())
    }

    fn pad(&self, batch: &Batch, output: &mut Vec<Batch>) {
        if self.kind == JoinKind::Left && !batch.is_empty() {
            let columns = batch.columns().to_vec();
            let columns = pad(self.kind, true, columns, self.table.types(), batch.rows());
            output.push(Batch::with_weights(columns, batch.rows(), batch.weights().cloned()));
        }
    }
}

impl Operator for LookupJoin {
    fn step(&mut self, inputs: Inputs, cx: &mut StepContext) -> Result<Vec<Batch>> {
        let ended = [inputs[0].ended, inputs[1].ended];
        for (at, input) in inputs.into_iter().enumerate() {
            for batch in input.batches.into_iter().filter(|batch| !batch.is_empty()) {
                if at == 0 {
                    self.waiting.push(batch);
                } else {
                    let (with_keys, _) = split_nulls(&batch, &self.table.key_columns)?;
                    self.table.bring_back(&with_keys.project(&self.table.key_columns))?;
                    self.table.insert(&with_keys.into())?;
                }
            }
        }
        self.table.forget_dead()?;
        self.ready |= ended[1];
        let mut output = Vec::new();
        if self.ready {
            for batch in self.waiting.take() {
                self.ask(&batch, cx, &mut output)?;
            }
            if ended[0] {
                self.table.clear()?;
            }
        }
        Ok(output)
    }

    fn output_watermark(&self, input: Watermark) -> Watermark {
        input.filter(|_| self.ready)
    }

    /// The table's rows; left rows that wait for it; a row once it is there.
    fn save(&self) -> Result<Option<Vec<TableRows>>> {
        let ready = ready_shape().with_rows(vec![ready_row(self.ready)]);
        Ok(Some(vec![self.table.save(TABLE)?, self.waiting.save(self.waiting_shape()), ready]))
    }

    fn cut(&mut self, whole: bool) -> Result<Option<Vec<TableChange>>> {
        let mut changes = self.table.cut(TABLE, whole);
        changes.extend(self.waiting.cut(self.waiting_shape(), whole));
        if whole || self.ready != self.ready_told {
            let ready = Change::Anew(vec![ready_row(self.ready)]);
            changes.push(ready_shape().changed(ready));
            self.ready_told = self.ready;
        }
        Ok(Some(changes))
    }

    fn hand_out(&mut self, rows: usize) -> Result<Vec<TableChange>> {
        let table = self.table.hand_out(TABLE, rows)?;
        if !table.is_empty() {
            return Ok(table);
        }
        Ok(self.waiting.hand_out(self.waiting_shape(), rows).into_iter().collect())
    }

    fn load(&mut self, table: &str, rows: &Batch) -> Result<()> {
        match table {
            TABLE => self.table.load(rows)?,
            READY => self.ready |= !rows.is_empty(),
            _ => self.waiting.load(rows),
        }
        Ok(())
    }

    fn put_aside(&mut self, wanted: &mut PutAside<'_>) -> Result<()> {
        self.table.put_aside(wanted)
    }

    fn state_rows(&self) -> usize {
        self.table.state_rows() + self.waiting.rows()
    }

    fn state_bytes(&self) -> usize {
        self.table.size_bytes() + self.waiting.size_bytes()
    }
}

fn ready_shape() -> TableShape {
    TableShape::common(READY)
}

/// A row without columns, if the table is there.
fn ready_row(ready: bool) -> Batch {
    Batch::new(Vec::new(), usize::from(ready))
}
