//! Bound expressions: names resolved to columns, types settled, functions compiled.
//! Invariant: evaluating a bound expression needs no lookup; a branch of CASE, COALESCE, AND or OR that a row does
//! not reach cannot fail that row.

use std::fmt;
use std::sync::Arc;

use arrow_array::{Array, ArrayRef, BooleanArray, UInt32Array, new_null_array};
use arrow_select::interleave::interleave;
use mainstem_core::{Batch, DataType, Result, TypeKind};
use mainstem_engine::expr::{EvalContext, Expr, ExprRef, Value};

use crate::functions::{Argument, Kernel};
use crate::operators::BinaryOp;

/// The name of the call that gives its argument back and ends the job on NULL: before sinks.
pub(crate) const NOT_NULL: &str = "NOT_NULL";

/// An expression over the columns of one relation.
#[derive(Clone)]
pub struct Bound {
    /// What it computes.
    pub kind: BoundKind,
    /// The type of the result.
    pub data_type: DataType,
}

/// What a bound expression computes.
#[derive(Clone)]
pub enum BoundKind {
    /// Input column, 0-based.
    Column(usize),
    /// A constant of length 1.
    Literal(ArrayRef),
    /// A compiled function or operator.
    Call {
        /// For EXPLAIN and for comparing expressions.
        name: String,
        /// Set for operators, so that plans can look inside.
        op: Option<BinaryOp>,
        /// The arguments, coerced.
        args: Vec<Bound>,
        /// The code.
        kernel: Kernel,
        /// False for RAND() and the like.
        deterministic: bool,
    },
    /// The value of the first branch whose condition is true.
    Case {
        /// Condition and value.
        branches: Vec<(Bound, Bound)>,
        /// ELSE; NULL if it was not written.
        otherwise: Box<Bound>,
    },
    /// The first argument that is not NULL.
    Coalesce(Vec<Bound>),
    /// AND (true) or OR (false) of two.
    Logic(bool, Box<Bound>, Box<Bound>),
}

impl fmt::Debug for Bound {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.fingerprint())
    }
}

impl fmt::Debug for BoundKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let kind = match self {
            BoundKind::Column(_) => "Column",
            BoundKind::Literal(_) => "Literal",
            BoundKind::Call { name, .. } => name,
            BoundKind::Case { .. } => "Case",
            BoundKind::Coalesce(_) => "Coalesce",
            BoundKind::Logic(..) => "Logic",
        };
        f.write_str(kind)
    }
}

impl Bound {
    /// Input column `index`.
    pub fn column(index: usize, data_type: DataType) -> Self {
        Self { kind: BoundKind::Column(index), data_type }
    }

    /// A constant.
    pub fn literal(value: ArrayRef, data_type: DataType) -> Self {
        Self { kind: BoundKind::Literal(value), data_type }
    }

    /// NULL of a type.
    pub fn null(data_type: &DataType) -> Self {
        Self::literal(new_null_array(&data_type.to_arrow(), 1), data_type.with_nullable(true))
    }

    /// What a function's `bind` may know of it.
    pub fn argument(&self) -> Argument {
        let literal = match &self.kind {
            BoundKind::Literal(value) => Some(ArrayRef::clone(value)),
            _ => None,
        };
        Argument { data_type: self.data_type.clone(), literal }
    }

    /// The constant's value.
    pub fn as_literal(&self) -> Option<&ArrayRef> {
        match &self.kind {
            BoundKind::Literal(value) => Some(value),
            _ => None,
        }
    }

    /// The column, if it is nothing else.
    pub fn as_column(&self) -> Option<usize> {
        match self.kind {
            BoundKind::Column(index) => Some(index),
            _ => None,
        }
    }

    /// The column, also behind the test that it has a value ([`NOT_NULL`]).
    pub fn as_checked_column(&self) -> Option<usize> {
        match &self.kind {
            BoundKind::Call { name, args, .. } if name == NOT_NULL => args[0].as_column(),
            _ => self.as_column(),
        }
    }

    fn children(&self) -> Vec<&Bound> {
        match &self.kind {
            BoundKind::Column(_) | BoundKind::Literal(_) => Vec::new(),
            BoundKind::Call { args, .. } | BoundKind::Coalesce(args) => args.iter().collect(),
            BoundKind::Case { branches, otherwise } => {
                branches.iter().flat_map(|(c, v)| [c, v]).chain([otherwise.as_ref()]).collect()
            }
            BoundKind::Logic(_, left, right) => vec![left, right],
        }
    }

    /// Calls `see` with every column it reads.
    pub fn visit_columns(&self, see: &mut impl FnMut(usize)) {
        if let BoundKind::Column(index) = self.kind {
            see(index);
        }
        self.children().into_iter().for_each(|child| child.visit_columns(see));
    }

    /// The same expression with each column replaced.
    #[must_use]
    pub fn map_columns(&self, replace: &impl Fn(usize, &DataType) -> Bound) -> Bound {
        let map = |b: &Bound| b.map_columns(replace);
        let kind = match &self.kind {
            BoundKind::Column(index) => return replace(*index, &self.data_type),
            BoundKind::Literal(value) => BoundKind::Literal(ArrayRef::clone(value)),
            BoundKind::Call { name, op, args, kernel, deterministic } => BoundKind::Call {
                name: name.clone(),
                op: *op,
                args: args.iter().map(map).collect(),
                kernel: Arc::clone(kernel),
                deterministic: *deterministic,
            },
            BoundKind::Case { branches, otherwise } => BoundKind::Case {
                branches: branches.iter().map(|(c, v)| (map(c), map(v))).collect(),
                otherwise: Box::new(map(otherwise)),
            },
            BoundKind::Coalesce(args) => BoundKind::Coalesce(args.iter().map(map).collect()),
            BoundKind::Logic(and, left, right) => {
                BoundKind::Logic(*and, Box::new(map(left)), Box::new(map(right)))
            }
        };
        Bound { kind, data_type: self.data_type.clone() }
    }

    /// The same expression over columns that moved: column `i` is now `new_index(i)`.
    #[must_use]
    pub fn remap(&self, new_index: &impl Fn(usize) -> usize) -> Bound {
        self.map_columns(&|index, data_type| Bound::column(new_index(index), data_type.clone()))
    }

    /// True if equal inputs give equal results.
    pub fn is_deterministic(&self) -> bool {
        let own = !matches!(self.kind, BoundKind::Call { deterministic: false, .. });
        own && self.children().into_iter().all(Bound::is_deterministic)
    }

    /// True if no row can make it fail, so that it may be computed for rows that do not need it.
    fn is_total(&self) -> bool {
        let own = match &self.kind {
            BoundKind::Call { op, .. } => matches!(
                op,
                Some(
                    BinaryOp::Eq
                        | BinaryOp::NotEq
                        | BinaryOp::Lt
                        | BinaryOp::LtEq
                        | BinaryOp::Gt
                        | BinaryOp::GtEq
                        | BinaryOp::Like
                        | BinaryOp::NotLike
                        | BinaryOp::IsDistinctFrom
                        | BinaryOp::IsNotDistinctFrom
                )
            ),
            _ => true,
        };
        own && self.children().into_iter().all(Bound::is_total)
    }

    /// Text that is equal for equal expressions; also what EXPLAIN shows, with `$n` for columns.
    pub fn fingerprint(&self) -> String {
        let list =
            |args: &[Bound]| args.iter().map(Bound::fingerprint).collect::<Vec<_>>().join(", ");
        match &self.kind {
            BoundKind::Column(index) => format!("${index}"),
            BoundKind::Literal(value) => literal_text(value, &self.data_type),
            BoundKind::Call { name, args, .. } if name == "CAST" => {
                format!("CAST({} AS {})", list(args), self.data_type.kind)
            }
            BoundKind::Call { name, op: Some(_), args, .. } if args.len() == 2 => {
                format!("({} {name} {})", args[0].fingerprint(), args[1].fingerprint())
            }
            BoundKind::Call { name, args, .. } => format!("{name}({})", list(args)),
            BoundKind::Case { branches, otherwise } => {
                let mut text = "CASE".to_owned();
                for (condition, value) in branches {
                    text.push_str(&format!(
                        " WHEN {} THEN {}",
                        condition.fingerprint(),
                        value.fingerprint()
                    ));
                }
                format!("{text} ELSE {} END", otherwise.fingerprint())
            }
            BoundKind::Coalesce(args) => format!("COALESCE({})", list(args)),
            BoundKind::Logic(and, left, right) => format!(
                "({} {} {})",
                left.fingerprint(),
                if *and { "AND" } else { "OR" },
                right.fingerprint()
            ),
        }
    }

    /// The engine's view of it.
    pub fn compile(self) -> ExprRef {
        Arc::new(Compiled(self))
    }

    /// Evaluates over all rows of `batch`.
    pub fn eval(&self, batch: &Batch, cx: &EvalContext) -> Result<Value> {
        match &self.kind {
            BoundKind::Column(index) => Ok(Value::Array(ArrayRef::clone(batch.column(*index)))),
            BoundKind::Literal(value) => Ok(Value::Scalar(ArrayRef::clone(value))),
            BoundKind::Call { args, kernel, .. } => {
                let args = args.iter().map(|a| a.eval(batch, cx)).collect::<Result<Vec<_>>>()?;
                kernel(&args, batch.rows(), cx)
            }
            BoundKind::Case { branches, otherwise } => {
                eval_case(branches, otherwise, &self.data_type, batch, cx)
            }
            BoundKind::Coalesce(args) => eval_coalesce(args, &self.data_type, batch, cx),
            BoundKind::Logic(and, left, right) => eval_logic(*and, left, right, batch, cx),
        }
    }

    /// Its value if it is a constant expression that can be computed now.
    #[must_use]
    pub fn fold(self) -> Bound {
        let constant = !matches!(self.kind, BoundKind::Column(_) | BoundKind::Literal(_))
            && self.is_deterministic()
            && self.children().into_iter().all(|c| c.as_literal().is_some());
        if !constant {
            return self;
        }
        let cx = EvalContext { now_ms: 0, watermark_ms: None };
        match self.eval(&Batch::new(Vec::new(), 1), &cx).and_then(|v| v.into_array(1)) {
            Ok(value) => Bound::literal(value, self.data_type),
            // It fails when a row reaches it, as Flink does.
            Err(_) => self,
        }
    }
}

/// A constant as SQL would write it, near enough for EXPLAIN.
fn literal_text(value: &ArrayRef, data_type: &DataType) -> String {
    if value.is_null(0) {
        return "NULL".to_owned();
    }
    let text = arrow_cast::display::array_value_to_string(value, 0).unwrap_or_default();
    match &data_type.kind {
        kind if kind.is_string() => format!("'{}'", text.replace('\'', "''")),
        kind if kind.is_numeric() || *kind == TypeKind::Boolean => text,
        kind => format!("{kind} '{text}'"),
    }
}

#[derive(Debug)]
struct Compiled(Bound);

impl Expr for Compiled {
    fn eval(&self, batch: &Batch, cx: &EvalContext) -> Result<Value> {
        self.0.eval(batch, cx)
    }

    fn as_column(&self) -> Option<usize> {
        self.0.as_column()
    }
}

fn booleans(value: Value, rows: usize) -> Result<BooleanArray> {
    let array = value.into_array(rows)?;
    if let Some(booleans) = array.as_any().downcast_ref::<BooleanArray>() {
        return Ok(booleans.clone());
    }
    // The type of a bare NULL condition.
    Ok(BooleanArray::new_null(rows))
}

fn take_rows(batch: &Batch, rows: &[u32]) -> Result<Batch> {
    if rows.len() == batch.rows() {
        return Ok(batch.clone());
    }
    batch.take(&UInt32Array::from(rows.to_vec()))
}

/// Gathers per-branch results (values and the rows they belong to) into one array.
struct Gather {
    values: Vec<ArrayRef>,
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
        self.values.push(ArrayRef::clone(value.array()));
    }

    fn finish(self, data_type: &DataType) -> Result<Value> {
        if let Some(whole) = self.whole {
            return Ok(whole);
        }
        if self.places.is_empty() {
            return Ok(Value::Array(arrow_array::new_empty_array(&data_type.to_arrow())));
        }
        let parts: Vec<&dyn Array> = self.values.iter().map(AsRef::as_ref).collect();
        Ok(Value::Array(interleave(&parts, &self.places)?))
    }
}

fn eval_case(
    branches: &[(Bound, Bound)],
    otherwise: &Bound,
    data_type: &DataType,
    batch: &Batch,
    cx: &EvalContext,
) -> Result<Value> {
    let mut open: Vec<u32> = (0..batch.rows() as u32).collect();
    let mut gather = Gather::new(batch.rows());
    for (condition, value) in branches {
        if open.is_empty() {
            break;
        }
        let part = take_rows(batch, &open)?;
        let hit = booleans(condition.eval(&part, cx)?, part.rows())?;
        let is_hit = |i: usize| hit.is_valid(i) && hit.value(i);
        let (mut taken, mut rest) = (Vec::new(), Vec::new());
        for (i, &row) in open.iter().enumerate() {
            if is_hit(i) { taken.push(row) } else { rest.push(row) }
        }
        if !taken.is_empty() {
            gather.put(&taken, value.eval(&take_rows(batch, &taken)?, cx)?);
        }
        open = rest;
    }
    if !open.is_empty() {
        gather.put(&open, otherwise.eval(&take_rows(batch, &open)?, cx)?);
    }
    gather.finish(data_type)
}

fn eval_coalesce(
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
        let part = take_rows(batch, &open)?;
        let value = arg.eval(&part, cx)?.into_array(part.rows())?;
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

fn eval_logic(
    and: bool,
    left: &Bound,
    right: &Bound,
    batch: &Batch,
    cx: &EvalContext,
) -> Result<Value> {
    let rows = batch.rows();
    let l = booleans(left.eval(batch, cx)?, rows)?;
    let combine = |l: &BooleanArray, r: &BooleanArray| {
        if and {
            arrow_arith::boolean::and_kleene(l, r)
        } else {
            arrow_arith::boolean::or_kleene(l, r)
        }
    };
    match right.eval(batch, cx) {
        Ok(r) => Ok(Value::Array(Arc::new(combine(&l, &booleans(r, rows)?)?))),
        Err(error) if right.is_total() => Err(error),
        Err(_) => {
            // The right side fails for some row: ask it only where the left side leaves the answer open.
            let decided = |i: usize| l.is_valid(i) && l.value(i) != and;
            let open: Vec<u32> = (0..rows as u32).filter(|&i| !decided(i as usize)).collect();
            let part = take_rows(batch, &open)?;
            let answers = booleans(right.eval(&part, cx)?, open.len())?;
            let mut r: Vec<Option<bool>> = vec![Some(!and); rows];
            for (i, &row) in open.iter().enumerate() {
                r[row as usize] = answers.is_valid(i).then(|| answers.value(i));
            }
            Ok(Value::Array(Arc::new(combine(&l, &BooleanArray::from(r))?)))
        }
    }
}
