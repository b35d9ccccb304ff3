//! How CASE, COALESCE, AND and OR run over a batch, and subexpressions that an expression computes once.
//! Invariant: a branch sees only the rows that reach it, unless it is total (no row can make it fail); what is shared
//! is computed only if every row would have computed it anyway. So no row fails that would not fail alone.

use std::collections::BTreeMap;
use std::sync::Arc;

use arrow_arith::boolean::{and_kleene, or_kleene};
use arrow_array::{Array, ArrayRef, BooleanArray, NullArray, UInt32Array};
use arrow_buffer::BooleanBuffer;
use arrow_select::concat::concat;
use arrow_select::interleave::interleave;
use arrow_select::take::take;
use mainstem_core::{Batch, DataType, Result};
use mainstem_engine::expr::{EvalContext, Expr, ExprRef, Value};

use crate::bind::conjuncts;
use crate::bound::{Bound, BoundKind};
use crate::optimize::pushdown::{comparison, comparison_text};
use crate::rel::columns_of;

/// Less than this is not worth keeping for a second use.
const SHARED_COST_MIN: u32 = 1;
/// From this cost on it pays to copy the rows that an operand of AND and OR is needed for.
const COPY_COST_MIN: u32 = 16;
/// Up to this cost an expression is computed for all rows: the field of a ROW, say, for which the whole ROW would be copied.
const FREE_COST_MAX: u32 = 2;

/// The engine's view of an expression.
pub(crate) fn compile(expr: Bound) -> ExprRef {
    let shared = shared(&expr);
    if shared.is_empty() {
        return Arc::new(Whole(expr));
    }
    let reads: Vec<usize> = columns_of(&expr).into_iter().collect();
    let at = |c: usize| reads.iter().position(|r| *r == c).expect("the expression reads it");
    let names: Vec<String> = shared.iter().map(identity).collect();
    let body = replaced(&expr, &names, reads.len()).remap(&|c| {
        if c >= PLACE_OF_SHARED { c - PLACE_OF_SHARED } else { at(c) }
    });
    let shared = shared.iter().map(|s| s.remap(&at)).collect();
    Arc::new(Sharing { reads, shared, body, whole: expr })
}

/// An expression that computes nothing twice.
#[derive(Debug)]
struct Whole(Bound);

impl Expr for Whole {
    fn eval(&self, batch: &Batch, cx: &EvalContext) -> Result<Value> {
        self.0.eval(batch, cx)
    }

    fn as_column(&self) -> Option<usize> {
        self.0.as_column()
    }

    fn as_checked_column(&self) -> Option<usize> {
        self.0.as_checked_column()
    }

    fn describe(&self, columns: &[String]) -> String {
        describe(&self.0, columns)
    }

    fn conditions(&self, columns: &[String]) -> Vec<String> {
        conditions(&self.0, columns)
    }
}

/// Put in place of a column, it gives what the whole would give: constants carry their types.
fn describe(expr: &Bound, columns: &[String]) -> String {
    let constant = |text: String, data_type: &DataType| format!("{text} {data_type}");
    expr.text(&|column| columns[column].clone(), &constant)
}

fn conditions(expr: &Bound, columns: &[String]) -> Vec<String> {
    let mut parts = Vec::new();
    conjuncts(expr.clone(), &mut parts);
    let condition = |part: &Bound| match comparison(part) {
        Some((value, op, literal)) => comparison_text(&describe(value, columns), op, &literal),
        None => describe(part, columns),
    };
    parts.iter().map(condition).collect()
}

/// An expression with subexpressions that occur in it more than once: columns behind those it reads.
#[derive(Debug)]
struct Sharing {
    reads: Vec<usize>,
    shared: Vec<Bound>,
    body: Bound,
    /// What it was made of.
    whole: Bound,
}

impl Expr for Sharing {
    fn eval(&self, batch: &Batch, cx: &EvalContext) -> Result<Value> {
        let batch = batch.project(&self.reads);
        let mut columns = batch.columns().to_vec();
        for shared in &self.shared {
            columns.push(shared.eval(&batch, cx)?.into_array(batch.rows())?);
        }
        self.body.eval(&batch.with_columns(columns), cx)
    }

    fn describe(&self, columns: &[String]) -> String {
        describe(&self.whole, columns)
    }

    fn conditions(&self, columns: &[String]) -> Vec<String> {
        conditions(&self.whole, columns)
    }
}

/// Where columns of shared subexpressions count from until the others have moved.
const PLACE_OF_SHARED: usize = usize::MAX / 2;

/// The largest subexpressions that occur more than once, and at least once where every row computes them.
fn shared(expr: &Bound) -> Vec<Bound> {
    let mut counts = BTreeMap::new();
    count(expr, true, &mut counts);
    if !counts.values().any(|(times, eager)| *times > 1 && *eager) {
        return Vec::new();
    }
    let mut found = Vec::new();
    largest(expr, &counts, &mut found);
    found
}

fn is_sharable(expr: &Bound) -> bool {
    expr.cost() >= SHARED_COST_MIN && expr.is_deterministic() && !columns_of(expr).is_empty()
}

/// How often each subexpression occurs, and whether some place of it is computed for all rows.
fn count(expr: &Bound, eager: bool, counts: &mut BTreeMap<String, (usize, bool)>) {
    if is_sharable(expr) {
        let entry = counts.entry(identity(expr)).or_insert((0, false));
        entry.0 += 1;
        entry.1 |= eager;
    }
    for (place, child) in expr.children().into_iter().enumerate() {
        let reached = match &expr.kind {
            BoundKind::Case { .. } | BoundKind::Coalesce(_) | BoundKind::Logic(..) => place == 0,
            _ => true,
        };
        count(child, eager && reached, counts);
    }
}

fn largest(expr: &Bound, counts: &BTreeMap<String, (usize, bool)>, found: &mut Vec<Bound>) {
    if is_sharable(expr) {
        let name = identity(expr);
        if counts.get(&name).is_some_and(|(times, eager)| *times > 1 && *eager) {
            if !found.iter().any(|f| identity(f) == name) {
                found.push(expr.clone());
            }
            return;
        }
    }
    expr.children().into_iter().for_each(|child| largest(child, counts, found));
}

/// `expr` with the shared subexpressions as columns behind the `width` that it reads.
fn replaced(expr: &Bound, names: &[String], width: usize) -> Bound {
    match names.iter().position(|n| *n == identity(expr)) {
        Some(place) => Bound::column(PLACE_OF_SHARED + width + place, expr.data_type.clone()),
        None => expr.map_children(&mut |child| replaced(child, names, width)),
    }
}

/// Text that is equal only for expressions that compute the same: the types of all parts are in it.
fn identity(expr: &Bound) -> String {
    let mut types = String::new();
    fn visit(expr: &Bound, out: &mut String) {
        out.push_str(&format!("{:?};", expr.data_type));
        expr.children().into_iter().for_each(|child| visit(child, out));
    }
    visit(expr, &mut types);
    format!("{}|{types}", expr.fingerprint())
}

fn booleans(value: Value, rows: usize) -> Result<BooleanArray> {
    let array = value.into_array(rows)?;
    if let Some(booleans) = array.as_any().downcast_ref::<BooleanArray>() {
        return Ok(booleans.clone());
    }
    // The type of a bare NULL condition.
    Ok(BooleanArray::new_null(rows))
}

/// The rows for which a condition is true.
fn truths(condition: &BooleanArray) -> BooleanBuffer {
    match condition.nulls() {
        Some(nulls) => condition.values() & nulls.inner(),
        None => condition.values().clone(),
    }
}

/// `expr` over some rows only; columns that it does not read are not copied.
fn eval_rows(expr: &Bound, rows: &[u32], batch: &Batch, cx: &EvalContext) -> Result<Value> {
    if rows.len() == batch.rows() || expr.as_literal().is_some() {
        return expr.eval(batch, cx);
    }
    let indices = UInt32Array::from(rows.to_vec());
    if expr.is_total() && expr.cost() <= FREE_COST_MAX {
        let value = expr.eval(batch, cx)?;
        return if value.is_scalar() {
            Ok(value)
        } else {
            Ok(Value::Array(take(value.array(), &indices, None)?))
        };
    }
    let read = columns_of(expr);
    let unread: ArrayRef = Arc::new(NullArray::new(rows.len()));
    let mut columns = Vec::with_capacity(batch.columns().len());
    for (index, column) in batch.columns().iter().enumerate() {
        columns.push(match read.contains(&index) {
            true => take(column, &indices, None)?,
            false => ArrayRef::clone(&unread),
        });
    }
    expr.eval(&Batch::new(columns, rows.len()), cx)
}

fn row_numbers(rows: &BooleanBuffer) -> Vec<u32> {
    rows.set_indices().map(|row| row as u32).collect()
}

/// Gathers per-branch results (values and the rows they belong to) into one array.
struct Gather {
    values: Vec<Value>,
    places: Vec<(usize, usize)>,
    /// The value of all rows, if one branch took them all.
    whole: Option<Value>,
}

impl Gather {
    fn new(rows: usize) -> Self {
        Self { values: Vec::new(), places: vec![(0, 0); rows], whole: None }
    }

    fn put(&mut self, rows: &[u32], value: Value) {
        self.whole = (rows.len() == self.places.len()).then(|| value.clone());
        let scalar = value.is_scalar();
        let part = self.values.len();
        for (i, &row) in rows.iter().enumerate() {
            self.places[row as usize] = (part, if scalar { 0 } else { i });
        }
        self.values.push(value);
    }

    fn finish(self, data_type: &DataType) -> Result<Value> {
        if let Some(whole) = self.whole {
            return Ok(whole);
        }
        if self.places.is_empty() {
            return Ok(Value::Array(arrow_array::new_empty_array(&data_type.to_arrow())));
        }
        let parts: Vec<&dyn Array> = self.values.iter().map(|v| v.array().as_ref()).collect();
        if self.values.iter().all(Value::is_scalar) {
            let choices = self.places.iter().map(|place| place.0 as u32);
            let choices = UInt32Array::from_iter_values(choices);
            return Ok(Value::Array(take(&concat(&parts)?, &choices, None)?));
        }
        Ok(Value::Array(interleave(&parts, &self.places)?))
    }
}

pub(crate) fn case(
    branches: &[(Bound, Bound)],
    otherwise: &Bound,
    data_type: &DataType,
    batch: &Batch,
    cx: &EvalContext,
) -> Result<Value> {
    let rows = batch.rows();
    let mut open = BooleanBuffer::new_set(rows);
    let mut left = rows;
    let mut gather = Gather::new(rows);
    for (condition, value) in branches {
        if left == 0 {
            break;
        }
        let hit = if condition.is_total() && condition.cost() < COPY_COST_MIN {
            &truths(&booleans(condition.eval(batch, cx)?, rows)?) & &open
        } else {
            let numbers = row_numbers(&open);
            let hit = eval_rows(condition, &numbers, batch, cx)?;
            let hit = truths(&booleans(hit, numbers.len())?);
            spread(&hit, &numbers, rows)
        };
        let taken = row_numbers(&hit);
        if !taken.is_empty() {
            gather.put(&taken, eval_rows(value, &taken, batch, cx)?);
            open = &open & &!&hit;
            left -= taken.len();
        }
    }
    if left > 0 {
        let rest = row_numbers(&open);
        gather.put(&rest, eval_rows(otherwise, &rest, batch, cx)?);
    }
    gather.finish(data_type)
}

/// Bits about the rows `numbers` as bits about all rows, false for the others.
fn spread(bits: &BooleanBuffer, numbers: &[u32], rows: usize) -> BooleanBuffer {
    if numbers.len() == rows {
        return bits.clone();
    }
    let mut all = vec![false; rows];
    bits.set_indices().for_each(|i| all[numbers[i] as usize] = true);
    BooleanBuffer::from(all)
}

pub(crate) fn coalesce(
    args: &[Bound],
    data_type: &DataType,
    batch: &Batch,
    cx: &EvalContext,
) -> Result<Value> {
    let mut open: Vec<u32> = (0..batch.rows() as u32).collect();
    let mut gather = Gather::new(batch.rows());
    for (n, arg) in args.iter().enumerate() {
        if open.is_empty() {
            break;
        }
        let value = eval_rows(arg, &open, batch, cx)?.into_array(open.len())?;
        if n == 0 && value.null_count() == 0 {
            return Ok(Value::Array(value));
        }
        gather.put(&open, Value::Array(ArrayRef::clone(&value)));
        open = open
            .iter()
            .enumerate()
            .filter(|(i, _)| value.is_null(*i))
            .map(|(_, row)| *row)
            .collect();
    }
    gather.finish(data_type)
}

/// The cheaper operand first if no row can make the other one fail; the second one where the first leaves it open.
pub(crate) fn logic(
    and: bool,
    left: &Bound,
    right: &Bound,
    batch: &Batch,
    cx: &EvalContext,
) -> Result<Value> {
    let rows = batch.rows();
    let swap = left.is_total() && right.is_total() && right.cost() < left.cost();
    let (first, second) = if swap { (right, left) } else { (left, right) };
    let known = booleans(first.eval(batch, cx)?, rows)?;
    let decided = truths(&match and {
        true => arrow_arith::boolean::not(&known)?,
        false => known.clone(),
    });
    let decided_rows = decided.count_set_bits();
    let answers = if decided_rows == rows {
        return Ok(Value::Array(Arc::new(known)));
    } else if decided_rows > rows / 4 && second.cost() >= COPY_COST_MIN {
        on_open_rows(and, second, &decided, batch, cx)?
    } else {
        match second.eval(batch, cx) {
            Ok(answers) => booleans(answers, rows)?,
            Err(error) if second.is_total() => return Err(error),
            // It fails for some row: ask it only where the answer is open.
            Err(_) => on_open_rows(and, second, &decided, batch, cx)?,
        }
    };
    let combine = if and { and_kleene } else { or_kleene };
    Ok(Value::Array(Arc::new(combine(&known, &answers)?)))
}

/// `expr` for the rows that are not decided, and what changes nothing for the others.
fn on_open_rows(
    and: bool,
    expr: &Bound,
    decided: &BooleanBuffer,
    batch: &Batch,
    cx: &EvalContext,
) -> Result<BooleanArray> {
    let rows = batch.rows();
    let open = row_numbers(&!decided);
    let answers = booleans(eval_rows(expr, &open, batch, cx)?, open.len())?;
    if answers.null_count() == 0 {
        let values = spread(answers.values(), &open, rows);
        let values = if and { &values | decided } else { values };
        return Ok(BooleanArray::new(values, None));
    }
    let mut all: Vec<Option<bool>> = vec![Some(and); rows];
    for (i, &row) in open.iter().enumerate() {
        all[row as usize] = answers.is_valid(i).then(|| answers.value(i));
    }
    Ok(BooleanArray::from(all))
}

#[cfg(test)]
mod tests;
