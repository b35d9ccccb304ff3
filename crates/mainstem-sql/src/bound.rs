//! Bound expressions: names resolved to columns, types settled, functions compiled.
//! Invariant: evaluating a bound expression needs no lookup; a branch of CASE, COALESCE, AND or OR that a row does
//! not reach cannot fail that row.

use std::fmt;
use std::sync::Arc;

use arrow_array::{Array, ArrayRef, BooleanArray, StructArray, new_null_array};
use arrow_select::nullif::nullif;
use mainstem_core::{Batch, DataType, Error, Result, TypeKind};
use mainstem_engine::expr::{EvalContext, ExprRef, Value};

use crate::evaluate;
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
    /// A field of a ROW.
    Field {
        /// The ROW.
        base: Box<Bound>,
        /// Which of its fields, 0-based.
        index: usize,
        /// What it is called.
        name: String,
    },
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
    /// What decorrelation replaces before the query around it is bound: no relation that is bound as a whole has one.
    Reference(Reference),
}

/// What an expression means of a relation that is not its input, while the query around it is bound.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reference {
    /// A column of a query around this sub-query.
    OuterColumn {
        /// How many queries are around that one.
        depth: usize,
        /// Its column.
        column: usize,
    },
    /// The value of a sub-query: its place in the list of those that the clause uses.
    Subquery(usize),
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
            BoundKind::Field { .. } => "Field",
            BoundKind::Call { name, .. } => name,
            BoundKind::Case { .. } => "Case",
            BoundKind::Coalesce(_) => "Coalesce",
            BoundKind::Logic(..) => "Logic",
            BoundKind::Reference(_) => "Reference",
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

    /// Field `index`, called `name`, of the ROW that `base` computes.
    pub fn field(base: Bound, index: usize, name: &str, data_type: DataType) -> Self {
        let kind = BoundKind::Field { base: Box::new(base), index, name: name.to_owned() };
        Self { kind, data_type }.fold()
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

    /// The column, also behind the test that it has a value (`NOT_NULL`).
    pub fn as_checked_column(&self) -> Option<usize> {
        match &self.kind {
            BoundKind::Call { name, args, .. } if name == NOT_NULL => args[0].as_column(),
            _ => self.as_column(),
        }
    }

    pub(crate) fn children(&self) -> Vec<&Bound> {
        match &self.kind {
            BoundKind::Column(_) | BoundKind::Literal(_) | BoundKind::Reference(_) => Vec::new(),
            BoundKind::Field { base, .. } => vec![base],
            BoundKind::Call { args, .. } | BoundKind::Coalesce(args) => args.iter().collect(),
            BoundKind::Case { branches, otherwise } => {
                branches.iter().flat_map(|(c, v)| [c, v]).chain([otherwise.as_ref()]).collect()
            }
            BoundKind::Logic(_, left, right) => vec![left, right],
        }
    }

    /// True if `test` holds for it or for a part of it.
    pub(crate) fn any(&self, test: &dyn Fn(&Bound) -> bool) -> bool {
        test(self) || self.children().into_iter().any(|child| child.any(test))
    }

    /// The same expression with each reference replaced.
    #[must_use]
    pub(crate) fn map_references(&self, replace: &dyn Fn(Reference) -> Option<Bound>) -> Bound {
        match &self.kind {
            BoundKind::Reference(reference) => replace(*reference).unwrap_or_else(|| self.clone()),
            _ => self.map_children(&mut |b| b.map_references(replace)),
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
        match self.kind {
            BoundKind::Column(index) => replace(index, &self.data_type),
            _ => self.map_children(&mut |b| b.map_columns(replace)),
        }
    }

    /// The same expression over children that `map` makes of its own.
    #[must_use]
    pub(crate) fn map_children(&self, map: &mut dyn FnMut(&Bound) -> Bound) -> Bound {
        let kind = match &self.kind {
            BoundKind::Column(index) => BoundKind::Column(*index),
            BoundKind::Literal(value) => BoundKind::Literal(ArrayRef::clone(value)),
            BoundKind::Field { base, index, name } => {
                BoundKind::Field { base: Box::new(map(base)), index: *index, name: name.clone() }
            }
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
            BoundKind::Reference(reference) => BoundKind::Reference(*reference),
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
    pub(crate) fn is_total(&self) -> bool {
        let own = match &self.kind {
            BoundKind::Call { op: Some(op), .. } => matches!(
                op,
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
            ),
            BoundKind::Call { name, args, .. } => match name.as_str() {
                "IS NULL" | "IS NOT NULL" | "LOWER" | "UPPER" | "CHAR_LENGTH" => true,
                // A constant pattern that cannot be compiled is refused when it is bound.
                "REGEXP" | "REGEXP_EXTRACT" => args[1].as_literal().is_some(),
                _ => false,
            },
            _ => true,
        };
        own && self.children().into_iter().all(Bound::is_total)
    }

    /// About how much computing it costs a row, in comparisons.
    pub(crate) fn cost(&self) -> u32 {
        let own = match &self.kind {
            BoundKind::Column(_) | BoundKind::Literal(_) => 0,
            BoundKind::Call { op: Some(BinaryOp::Like | BinaryOp::NotLike), .. } => 8,
            BoundKind::Call { op: Some(_), .. } | BoundKind::Field { .. } => 1,
            BoundKind::Call { name, .. } if name.starts_with("IS ") => 1,
            BoundKind::Call { name, .. } if name.starts_with("REGEXP") => 64,
            BoundKind::Call { .. } => 8,
            _ => 2,
        };
        self.children().into_iter().map(Bound::cost).fold(own, u32::saturating_add)
    }

    /// Text that is equal for equal expressions; also what EXPLAIN shows, with `$n` for columns.
    pub fn fingerprint(&self) -> String {
        self.text(&|column| format!("${column}"), &|constant, _| constant)
    }

    /// The same with other names for columns, and other texts for constants of a type.
    pub(crate) fn text(
        &self,
        column: &dyn Fn(usize) -> String,
        constant: &dyn Fn(String, &DataType) -> String,
    ) -> String {
        let text = |expr: &Bound| expr.text(column, constant);
        let list = |args: &[Bound]| args.iter().map(text).collect::<Vec<_>>().join(", ");
        match &self.kind {
            BoundKind::Column(index) => column(*index),
            BoundKind::Literal(value) => {
                constant(literal_text(value, &self.data_type), &self.data_type)
            }
            BoundKind::Field { base, name, .. } => format!(".{name}({})", text(base)),
            BoundKind::Call { name, args, .. } if name == "CAST" => {
                format!("CAST({} AS {})", list(args), self.data_type.kind)
            }
            BoundKind::Call { name, op: Some(_), args, .. } if args.len() == 2 => {
                format!("({} {name} {})", text(&args[0]), text(&args[1]))
            }
            BoundKind::Call { name, args, .. } => format!("{name}({})", list(args)),
            BoundKind::Case { branches, otherwise } => {
                let mut whole = "CASE".to_owned();
                for (condition, value) in branches {
                    whole.push_str(&format!(" WHEN {} THEN {}", text(condition), text(value)));
                }
                format!("{whole} ELSE {} END", text(otherwise))
            }
            BoundKind::Coalesce(args) => format!("COALESCE({})", list(args)),
            BoundKind::Logic(and, left, right) => {
                format!("({} {} {})", text(left), if *and { "AND" } else { "OR" }, text(right))
            }
            BoundKind::Reference(reference) => format!("{reference:?}"),
        }
    }

    /// Text that is equal for equal expressions alone: the fingerprint, and the types of its constants, which that leaves
    /// out (NULL is NULL in every type).
    pub fn identity(&self) -> String {
        fn constants(expr: &Bound, text: &mut String) {
            if expr.as_literal().is_some() {
                text.push_str(&format!(" {}", expr.data_type));
            }
            expr.children().into_iter().for_each(|child| constants(child, text));
        }
        let mut text = self.fingerprint();
        constants(self, &mut text);
        text
    }

    /// The engine's view of it.
    pub fn compile(self) -> ExprRef {
        evaluate::compile(self)
    }

    /// Evaluates over all rows of `batch`.
    pub fn eval(&self, batch: &Batch, cx: &EvalContext) -> Result<Value> {
        match &self.kind {
            BoundKind::Column(index) => Ok(Value::Array(ArrayRef::clone(batch.column(*index)))),
            BoundKind::Literal(value) => Ok(Value::Scalar(ArrayRef::clone(value))),
            BoundKind::Field { base, index, .. } => Ok(match base.eval(batch, cx)? {
                Value::Array(row) => Value::Array(field_of(&row, *index)?),
                Value::Scalar(row) => Value::Scalar(field_of(&row, *index)?),
            }),
            BoundKind::Call { args, kernel, .. } => {
                let args = args.iter().map(|a| a.eval(batch, cx)).collect::<Result<Vec<_>>>()?;
                kernel(&args, batch.rows(), cx)
            }
            BoundKind::Case { branches, otherwise } => {
                evaluate::case(branches, otherwise, &self.data_type, batch, cx)
            }
            BoundKind::Coalesce(args) => evaluate::coalesce(args, &self.data_type, batch, cx),
            BoundKind::Logic(and, left, right) => evaluate::logic(*and, left, right, batch, cx),
            BoundKind::Reference(_) => Err(Error::internal("a sub-query was not settled")),
        }
    }

    /// Its value if it is a constant expression that can be computed now.
    #[must_use]
    pub fn fold(self) -> Bound {
        let leaf = matches!(
            self.kind,
            BoundKind::Column(_) | BoundKind::Literal(_) | BoundKind::Reference(_)
        );
        let constant = !leaf
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

/// NULL where the ROW is NULL.
fn field_of(row: &ArrayRef, index: usize) -> Result<ArrayRef> {
    let row = row.as_any().downcast_ref::<StructArray>();
    let row = row.ok_or_else(|| Error::internal("a ROW is not a struct array"))?;
    let field = row.column(index);
    match row.nulls().filter(|nulls| nulls.null_count() > 0) {
        Some(nulls) => Ok(nullif(field, &BooleanArray::new(!nulls.inner(), None))?),
        None => Ok(ArrayRef::clone(field)),
    }
}
