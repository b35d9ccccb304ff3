//! Joins of two inputs on equal keys, over Z-sets.
//! Invariant: after each step the rows that came out, added up, are the join of what came in. A step joins the new
//! left rows with the old right ones, then the new right rows with all left ones; so dL x R + L x dR + dL x dR. Rows
//! without a partner (outer, semi, anti) are settled once, at the end of the step, so none is shown for a moment.
//! An inner join forgets the rows of one input once the other has ended, and rows that have expired, for they will find
//! no new partner; with a time to live any join forgets the rows that nobody wrote for so long, and what it emitted of
//! them stays; apart from that, state grows with its inputs.

use std::sync::Arc;

use arrow_array::{ArrayRef, BooleanArray, UInt32Array, new_null_array};
use arrow_buffer::ScalarBuffer;
use arrow_schema::DataType as ArrowType;
use arrow_select::filter::filter;
use mainstem_core::{Batch, Error, Result};
use mainstem_state::table::{TableChange, TableRows};

use super::join_side::{NONE, Side};
use super::probe::{Pairs, split_nulls};
use crate::operator::{Arrivals, Inputs, Operator, PutAside, StepContext};
use crate::picked::Picked;
use crate::plan::{Expiry, JoinKind, Residual};

/// The tables of the two sides of a join.
pub(super) const LEFT: &str = "left";
pub(super) const RIGHT: &str = "right";

pub(crate) struct Join {
    kind: JoinKind,
    residual: Option<Residual>,
    left: Side,
    right: Side,
    /// An entry may stand for equal rows, and rows that only come come out one by one.
    singly: bool,
}

/// What the plan says of a join.
#[derive(Debug, Clone)]
pub(crate) struct JoinPlan {
    pub(crate) kind: JoinKind,
    pub(crate) keys: [Vec<usize>; 2],
    pub(crate) residual: Option<Residual>,
    pub(crate) inputs: [Vec<ArrowType>; 2],
    pub(crate) changelog: [bool; 2],
    pub(crate) expiry: [Option<Expiry>; 2],
    pub(crate) ttl_ms: [Option<i64>; 2],
}

impl Join {
    pub(crate) fn new(plan: &JoinPlan) -> Result<Self> {
        let counts_left = !matches!(plan.kind, JoinKind::Inner | JoinKind::Right);
        let counts_right = matches!(plan.kind, JoinKind::Right | JoinKind::Full);
        let only_come =
            plan.changelog == [false; 2] && matches!(plan.kind, JoinKind::Inner | JoinKind::Semi);
        let side = |at: usize, counts| {
            let ttl_ms = plan.ttl_ms[at];
            let interns = plan.changelog[at] || ttl_ms.is_some();
            let side = Side::new(&plan.keys[at], &plan.inputs[at], interns, counts)?;
            Ok::<_, Error>(side.with_expiry(plan.expiry[at]).with_time_to_live(ttl_ms))
        };
        Ok(Self {
            kind: plan.kind,
            residual: plan.residual.clone(),
            left: side(0, counts_left)?,
            right: side(1, counts_right)?,
            singly: only_come && plan.ttl_ms != [None; 2],
        })
    }

    /// Keys that rows of a step name are in memory from now on.
    fn bring_back(&mut self, inputs: &[Arrivals]) -> Result<()> {
        if !self.left.has_aside() && !self.right.has_aside() {
            return Ok(());
        }
        let columns = [self.left.key_columns.clone(), self.right.key_columns.clone()];
        for (input, columns) in inputs.iter().zip(columns) {
            let keys = input.batches.iter().map(|batch| Ok(batch.project(&columns)));
            let picked = input.picked.iter().map(|rows| rows.project(&columns));
            for keys in keys.chain(picked) {
                let keys: Batch = keys?;
                self.left.bring_back(&keys)?;
                self.right.bring_back(&keys)?;
            }
        }
        Ok(())
    }

    /// Joins new rows of one side with the other, and keeps them.
    fn absorb(
        &mut self,
        rows: Picked,
        is_left: bool,
        keep: bool,
        cx: &StepContext,
        output: &mut Vec<Batch>,
    ) -> Result<()> {
        let (own, other) = if is_left {
            (&mut self.left, &mut self.right)
        } else {
            (&mut self.right, &mut self.left)
        };
        let (rows, without) = split_picked(rows, &own.key_columns)?;
        // Rows with NULL keys never find a partner, so they need no state.
        if let Some(without) = without.filter(|rows| !rows.is_empty())
            && own.counts()
            && self.kind != JoinKind::Semi
        {
            let rows = without.rows();
            let columns = pad(self.kind, is_left, without.columns().to_vec(), other.types(), rows);
            output.push(Batch::with_weights(columns, rows, without.weights().cloned()));
        }
        if rows.rows() == 0 {
            return Ok(());
        }
        let keys = rows.project(&own.key_columns)?;
        let partners = other.first_partners(&keys)?;
        let entries = if keep { own.insert(&rows)? } else { vec![(NONE, false); rows.rows()] };
        let mut pairs = Pairs::default();
        for (row, &first) in partners.iter().enumerate() {
            let mut partner = first;
            let start = pairs.partners.len();
            while partner != NONE {
                pairs.push(row, partner);
                let other = if is_left { &self.right } else { &self.left };
                partner = other.next(partner);
            }
            // The list starts with the row that came last.
            pairs.partners[start..].reverse();
            if pairs.is_full() {
                let full = std::mem::take(&mut pairs);
                self.settle_pairs(&rows, &entries, full, is_left, cx, output)?;
            }
        }
        self.settle_pairs(&rows, &entries, pairs, is_left, cx, output)
    }

    /// Emits pairs, and counts them for both rows.
    fn settle_pairs(
        &mut self,
        new: &Picked,
        entries: &[(u32, bool)],
        pairs: Pairs,
        is_left: bool,
        cx: &StepContext,
        output: &mut Vec<Batch>,
    ) -> Result<()> {
        if pairs.rows.is_empty() {
            return Ok(());
        }
        let (own, other) = if is_left {
            (&mut self.left, &mut self.right)
        } else {
            (&mut self.right, &mut self.left)
        };
        let emits = !matches!(self.kind, JoinKind::Semi | JoinKind::Anti);
        let joining = Joining { new, other, is_left };
        let (pairs, partners) = joining.filter(pairs, self.residual.as_ref(), cx)?;
        if emits && !pairs.rows.is_empty() {
            let joined = joining.rows(&pairs, partners)?;
            let weight =
                |(&row, &partner): (&u32, &u32)| new.weight(row as usize) * other.weight(partner);
            let weights: Vec<i64> = pairs.rows.iter().zip(&pairs.partners).map(weight).collect();
            output.push(weighted(joined, weights)?);
        }
        for (&row, &partner) in pairs.rows.iter().zip(&pairs.partners) {
            let (entry, is_new) = entries[row as usize];
            if is_new {
                own.add_matches(entry, other.weight(partner));
            }
            other.add_matches(partner, new.weight(row as usize));
        }
        Ok(())
    }

    /// Emits what changed for rows whose having a partner matters.
    fn settle_unmatched(&mut self, is_left: bool, output: &mut Vec<Batch>) -> Result<()> {
        let (own, other_types) = if is_left {
            (&mut self.left, self.right.types().to_vec())
        } else {
            (&mut self.right, self.left.types().to_vec())
        };
        let wants_partner = self.kind == JoinKind::Semi;
        let shown = |weight: i64, matches: i64| {
            if (matches > 0) == wants_partner { weight } else { 0 }
        };
        let (mut rows, mut weights) = (Vec::new(), Vec::new());
        for before in own.take_touched() {
            let (weight, matches) = (own.weight(before.entry), own.matches(before.entry));
            let change = shown(weight, matches) - shown(before.weight, before.matches);
            if change != 0 {
                rows.push(before.entry);
                weights.push(change);
            }
        }
        if !rows.is_empty() {
            let count = rows.len();
            let columns = pad(self.kind, is_left, own.gather(&rows)?, &other_types, count);
            output.push(weighted(Batch::new(columns, count), weights)?);
        }
        Ok(())
    }
}

/// As [`split_nulls`]; rows of a batch without NULL there stay picked.
fn split_picked(rows: Picked, columns: &[usize]) -> Result<(Picked, Option<Batch>)> {
    let nullable = |&column: &usize| rows.source_column(column).null_count() > 0;
    if !columns.iter().any(nullable) {
        return Ok((rows, None));
    }
    let (batch, without) = split_nulls(&rows.into_batch()?, columns)?;
    Ok((batch.into(), without))
}

/// New rows of one side and the other side.
struct Joining<'a> {
    new: &'a Picked,
    other: &'a Side,
    is_left: bool,
}

impl Joining<'_> {
    /// The pairs that the residual condition lets through, and the columns of their partners if all had to be read for it.
    fn filter(
        &self,
        mut pairs: Pairs,
        residual: Option<&Residual>,
        cx: &StepContext,
    ) -> Result<(Pairs, Option<Vec<ArrayRef>>)> {
        let Some(residual) = residual else { return Ok((pairs, None)) };
        let whole = match self.other.has_columns() {
            true => None,
            false => Some(self.other.gather(&pairs.partners)?),
        };
        let rows = UInt32Array::from(pairs.rows.clone());
        let left = if self.is_left { self.new.columns() } else { self.other.types().len() };
        let column = |&column: &usize| -> Result<ArrayRef> {
            let (of_left, at) = if column < left { (true, column) } else { (false, column - left) };
            match &whole {
                _ if of_left == self.is_left => self.new.take_column(at, &rows),
                Some(whole) => Ok(Arc::clone(&whole[at])),
                None => self.other.gather_column(at, &pairs.partners),
            }
        };
        let columns = residual.columns.iter().map(column).collect::<Result<_>>()?;
        let condition = Batch::new(columns, pairs.rows.len());
        let mask = residual.condition.eval_filter(&condition, &cx.eval())?;
        let kept = |column: &ArrayRef| Ok(filter(column, &mask)?);
        let whole = whole.map(|whole| whole.iter().map(kept).collect::<Result<_>>()).transpose()?;
        pairs.filter(&mask);
        Ok((pairs, whole))
    }

    /// The joined rows, left columns first.
    fn rows(&self, pairs: &Pairs, partners: Option<Vec<ArrayRef>>) -> Result<Batch> {
        let rows = UInt32Array::from(pairs.rows.clone());
        let own = self.new.take(&rows)?;
        let partners = partners.map_or_else(|| self.other.gather(&pairs.partners), Ok)?;
        let (mut columns, rest) = match self.is_left {
            true => (own.into_columns(), partners),
            false => (partners, own.into_columns()),
        };
        columns.extend(rest);
        Ok(Batch::new(columns, pairs.rows.len()))
    }
}

/// The columns of a row without a partner: NULLs for the other side, or, for semi and anti joins, nothing.
pub(super) fn pad(
    kind: JoinKind,
    is_left: bool,
    own: Vec<ArrayRef>,
    other: &[ArrowType],
    rows: usize,
) -> Vec<ArrayRef> {
    if matches!(kind, JoinKind::Semi | JoinKind::Anti) {
        return own;
    }
    let nulls = other.iter().map(|t| new_null_array(t, rows));
    if is_left { own.into_iter().chain(nulls).collect() } else { nulls.chain(own).collect() }
}

/// Rows with weights, those of weight 0 left out.
fn weighted(batch: Batch, weights: Vec<i64>) -> Result<Batch> {
    if weights.iter().all(|&weight| weight == 1) {
        return Ok(batch);
    }
    let rows = batch.rows();
    let some_zero = weights.contains(&0);
    let keep: Option<BooleanArray> =
        some_zero.then(|| weights.iter().map(|&w| Some(w != 0)).collect());
    let weights: ScalarBuffer<i64> = weights.into();
    let batch = Batch::with_weights(batch.into_columns(), rows, Some(weights));
    keep.map_or(Ok(batch.clone()), |keep| batch.filter(&keep))
}

/// A row for each time that its weight says.
fn one_by_one(batch: Batch) -> Result<Batch> {
    let Some(weights) = batch.weights() else { return Ok(batch) };
    let times = |weight: &i64| usize::try_from(*weight).unwrap_or(0);
    let rows = (0..).zip(weights.iter().map(times));
    let rows: UInt32Array =
        rows.flat_map(|(row, times)| std::iter::repeat_n(row, times)).collect::<Vec<u32>>().into();
    Ok(Batch::new(batch.take(&rows)?.into_columns(), rows.len()))
}

impl Operator for Join {
    fn step(&mut self, inputs: Inputs, cx: &mut StepContext) -> Result<Vec<Batch>> {
        let mut output = Vec::new();
        self.bring_back(&inputs)?;
        self.left.forget_idle(cx.now_ms)?;
        self.right.forget_idle(cx.now_ms)?;
        let ended = [inputs[0].ended, inputs[1].ended];
        let forgets = |at: usize| self.kind == JoinKind::Inner && ended[1 - at];
        let keep = [!forgets(0), !forgets(1)];
        // Left rows meet the right rows of this step when those come, so they are kept until then.
        let right_comes = inputs[1].batches.iter().any(|batch| !batch.is_empty())
            || inputs[1].picked.iter().any(|rows| rows.rows() > 0);
        for (at, input) in inputs.into_iter().enumerate() {
            let keeps = keep[at] || (at == 0 && right_comes);
            let rows = input.batches.into_iter().map(Picked::from).chain(input.picked);
            for rows in rows.filter(|rows| rows.rows() > 0) {
                self.absorb(rows, at == 0, keeps, cx, &mut output)?;
            }
        }
        if !keep[0] {
            self.left.clear()?;
        }
        if !keep[1] {
            self.right.clear()?;
        }
        for is_left in [true, false] {
            let side = if is_left { &self.left } else { &self.right };
            if side.counts() {
                self.settle_unmatched(is_left, &mut output)?;
            }
        }
        for side in [&mut self.left, &mut self.right] {
            side.forget_dead()?;
            side.forget_expired(cx.watermark)?;
        }
        match self.singly {
            true => output.into_iter().map(one_by_one).collect(),
            false => Ok(output),
        }
    }

    fn save(&self) -> Result<Option<Vec<TableRows>>> {
        Ok(Some(vec![self.left.save(LEFT)?, self.right.save(RIGHT)?]))
    }

    fn cut(&mut self, whole: bool) -> Result<Option<Vec<TableChange>>> {
        let mut changes = self.left.cut(LEFT, whole);
        changes.extend(self.right.cut(RIGHT, whole));
        Ok(Some(changes))
    }

    fn hand_out(&mut self, rows: usize) -> Result<Vec<TableChange>> {
        let left = self.left.hand_out(LEFT, rows)?;
        if left.is_empty() { self.right.hand_out(RIGHT, rows) } else { Ok(left) }
    }

    fn load(&mut self, table: &str, rows: &Batch) -> Result<()> {
        if table == LEFT { self.left.load(rows) } else { self.right.load(rows) }
    }

    fn put_aside(&mut self, wanted: &mut PutAside<'_>) -> Result<()> {
        self.left.put_aside(wanted)?;
        self.right.put_aside(wanted)
    }

    fn state_rows(&self) -> usize {
        self.left.state_rows() + self.right.state_rows()
    }

    fn state_bytes(&self) -> usize {
        self.left.size_bytes() + self.right.size_bytes()
    }
}
