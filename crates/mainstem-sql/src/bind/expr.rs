//! Expressions: columns, literals, operators, CASE, casts. Function calls are in `call`.

use std::cell::RefCell;
use std::sync::Arc;

use arrow_array::{
    BinaryArray, BooleanArray, Decimal128Array, Float64Array, Int32Array, Int64Array, StringArray,
};
use mainstem_core::{DataType, TypeKind};

use super::aggregate::Grouping;
use super::match_recognize::MatchScope;
use super::scope::Surroundings;
use super::unknown_column;
use crate::ast::{Expr, ExprKind, Ident, IsTest};
use crate::bound::{Bound, BoundKind};
use crate::cast::{self, CastMode};
use crate::coercion;
use crate::error::{SqlError, SqlResult};
use crate::functions::Binding;
use crate::functions::temporal::{self, Unit};
use crate::operators::{self, BinaryOp, UnaryOp};
use crate::rel::RelField;
use crate::session::Session;
use crate::source::Span;

/// Binds expressions over `fields`.
pub(super) struct ExprBinder<'a> {
    pub(super) session: &'a Session,
    pub(super) fields: &'a [RelField],
    /// Set while the select list of an aggregation is bound.
    pub(super) grouping: Option<&'a RefCell<Grouping>>,
    /// Queries around this one, sub-queries in it.
    pub(super) around: Surroundings,
}

impl<'a> ExprBinder<'a> {
    pub(super) fn new(session: &'a Session, fields: &'a [RelField]) -> Self {
        Self { session, fields, grouping: None, around: Surroundings::default() }
    }

    pub(super) fn bind(&self, expr: &Expr) -> SqlResult<Bound> {
        if let Some(grouping) = self.grouping
            && let Some(bound) = Grouping::resolve(grouping, self, expr)?
        {
            return Ok(bound);
        }
        if let Some(matched) = &self.around.matched
            && let Some(bound) = MatchScope::resolve(matched, self, expr)?
        {
            return Ok(bound);
        }
        self.kind(expr)
    }

    /// A condition: boolean or refused.
    pub(super) fn condition(&self, expr: &Expr, clause: &str) -> SqlResult<Bound> {
        let bound = self.bind(expr)?;
        match bound.data_type.kind {
            TypeKind::Boolean | TypeKind::Null => Ok(bound),
            ref kind => Err(SqlError::new(
                format!("the condition of {clause} must be BOOLEAN, this is {kind}"),
                expr.span,
            )),
        }
    }

    fn kind(&self, expr: &Expr) -> SqlResult<Bound> {
        let span = expr.span;
        match expr.kind.as_ref() {
            ExprKind::Null => Ok(Bound::null(&TypeKind::Null.nullable())),
            ExprKind::Boolean(value) => Ok(Bound::literal(
                Arc::new(BooleanArray::from(vec![*value])),
                TypeKind::Boolean.not_null(),
            )),
            ExprKind::Number(text) => number(text, span),
            ExprKind::String(text) => Ok(string(text)),
            ExprKind::Bytes(bytes) => Ok(Bound::literal(
                Arc::new(BinaryArray::from_vec(vec![bytes.as_slice()])),
                TypeKind::Binary { length: bytes.len() as u32 }.not_null(),
            )),
            ExprKind::Temporal { kind, text } => {
                let parsed = match *kind {
                    "DATE" => temporal::literal::date(text),
                    "TIME" => temporal::literal::time(text),
                    _ => temporal::literal::timestamp(text),
                };
                let (data_type, value) = parsed.map_err(|e| SqlError::from_core(&e, span))?;
                Ok(Bound::literal(value, data_type))
            }
            ExprKind::Interval { text, negative, unit, precision, to } => {
                let from = self.unit(unit, span)?;
                let to = to.as_ref().map(|t| self.unit(t, span)).transpose()?;
                let (data_type, value) = temporal::literal::interval_with_precision(
                    *negative, text, from, *precision, to,
                )
                .map_err(|e| SqlError::from_core(&e, span))?;
                Ok(Bound::literal(value, data_type))
            }
            ExprKind::Difference { left, right, unit } => {
                let args = vec![self.bind(left)?, self.bind(right)?];
                let months = ["YEAR", "QUARTER", "MONTH"].contains(&unit.as_str());
                let binding =
                    operators::bind_difference(&args[0].argument(), &args[1].argument(), months);
                self.settled(&format!("MINUS_{unit}"), binding, args, span)
            }
            ExprKind::Column(parts) => self.column(parts, span),
            ExprKind::Field { base, name } => self.field(self.bind(base)?, name),
            ExprKind::Element { base, index } => self.element(base, index, span),
            ExprKind::Not(inner) => self.unary(UnaryOp::Not, inner, span),
            ExprKind::Negate(inner) if is_number(inner) => negative_number(inner, span),
            ExprKind::Negate(inner) => self.unary(UnaryOp::Negate, inner, span),
            ExprKind::Plus(inner) => self.unary(UnaryOp::Plus, inner, span),
            ExprKind::Binary { op, left, right } => {
                let (l, r) = (self.bind(left)?, self.bind(right)?);
                self.binary(*op, l, r, span)
            }
            ExprKind::Is { expr, test, negated } => self.is(expr, *test, *negated, span),
            ExprKind::Between { expr, low, high, negated, symmetric } => {
                self.between(expr, low, high, *negated, *symmetric, span)
            }
            ExprKind::InList { expr, list, negated } => self.in_list(expr, list, *negated, span),
            ExprKind::InSubquery { .. }
            | ExprKind::Quantified { .. }
            | ExprKind::Exists(_)
            | ExprKind::Subquery(_) => self.subquery(expr),
            ExprKind::Like { expr, pattern, escape, negated, similar } => {
                self.like(expr, pattern, escape.as_ref(), *negated, *similar, span)
            }
            ExprKind::Case { operand, branches, otherwise } => {
                self.case(operand.as_ref(), branches, otherwise.as_ref(), span)
            }
            ExprKind::Cast { expr, data_type, unit, try_cast } => {
                let mode = if *try_cast { CastMode::Try } else { CastMode::Cast };
                if data_type.kind.is_interval() {
                    return self.interval_cast(expr, data_type, unit.as_deref(), mode, span);
                }
                let value = self.bind(expr)?;
                if value.data_type.kind == TypeKind::Variant {
                    return Err(variant_cast(&data_type.kind, span));
                }
                self.cast(value, data_type, mode, span)
            }
            ExprKind::Over { call, ignore_nulls, window } => {
                self.over(call, *ignore_nulls, window, span)
            }
            _ => self.call_form(expr),
        }
    }

    pub(super) fn unit(&self, name: &str, span: Span) -> SqlResult<Unit> {
        Unit::parse(name).ok_or_else(|| SqlError::new(format!("unknown time unit '{name}'"), span))
    }

    /// The column that a name starts with, and how many of its parts name it; `None`: there is none.
    pub(super) fn place(&self, parts: &[Ident], span: Span) -> SqlResult<Option<(usize, usize)>> {
        let qualified = |i: usize| {
            parts.len() > 1
                && self.fields[i].qualifier.as_deref() == Some(parts[0].value.as_str())
                && self.fields[i].name == parts[1].value
        };
        let found: Vec<usize> = (0..self.fields.len()).filter(|&i| qualified(i)).collect();
        let (found, used) = if found.is_empty() {
            let plain =
                |i: &usize| !self.fields[*i].hidden && self.fields[*i].name == parts[0].value;
            ((0..self.fields.len()).filter(plain).collect::<Vec<_>>(), 1)
        } else {
            (found, 2)
        };
        match found.as_slice() {
            [index] => Ok(Some((*index, used))),
            [] => Ok(None),
            _ => {
                let hint = "qualify it with the table's name or alias";
                let message = format!("column '{}' is ambiguous", parts[used - 1].value);
                Err(SqlError::new(message, span).with_hint(hint))
            }
        }
    }

    fn column(&self, parts: &[Ident], span: Span) -> SqlResult<Bound> {
        let Some((index, used)) = self.place(parts, span)? else {
            return match self.around.outer_column(self, parts, span)? {
                Some(bound) => Ok(bound),
                None => self.no_such_column(parts, span),
            };
        };
        let mut bound = Bound::column(index, self.fields[index].data_type.clone());
        for name in &parts[used..] {
            bound = self.field(bound, name)?;
        }
        Ok(bound)
    }

    fn no_such_column(&self, parts: &[Ident], span: Span) -> SqlResult<Bound> {
        const NILADIC: &[&str] = &[
            "CURRENT_DATE",
            "CURRENT_TIME",
            "CURRENT_TIMESTAMP",
            "LOCALTIME",
            "LOCALTIMESTAMP",
            "PI",
        ];
        let upper = parts[0].value.to_ascii_uppercase();
        if parts.len() == 1 && NILADIC.contains(&upper.as_str()) {
            return self.function(&upper, &[], span);
        }
        let is_table = self.fields.iter().any(|f| f.qualifier.as_deref() == Some(&parts[0].value));
        if parts.len() > 1 && is_table {
            let of_table: Vec<RelField> = self
                .fields
                .iter()
                .filter(|f| f.qualifier.as_deref() == Some(&parts[0].value))
                .cloned()
                .collect();
            return Err(unknown_column(&parts[1].value, &of_table, parts[1].span));
        }
        Err(unknown_column(&parts[0].value, self.fields, parts[0].span))
    }

    /// A field of a ROW.
    pub(super) fn field(&self, base: Bound, name: &Ident) -> SqlResult<Bound> {
        let TypeKind::Row(fields) = &base.data_type.kind else {
            let message =
                format!("'{}' is asked of {}, which has no fields", name.value, base.data_type);
            return Err(SqlError::new(message, name.span));
        };
        let Some(index) = fields.iter().position(|f| f.name == name.value) else {
            let known: Vec<RelField> =
                fields.iter().map(|f| RelField::new(&f.name, f.data_type.clone())).collect();
            return Err(unknown_column(&name.value, &known, name.span));
        };
        let field_type = &fields[index].data_type;
        let data_type = field_type.with_nullable(field_type.nullable || base.data_type.nullable);
        Ok(Bound::field(base, index, &name.value, data_type))
    }

    pub(super) fn wrap(
        &self,
        name: &str,
        op: Option<BinaryOp>,
        binding: Binding,
        args: Vec<Bound>,
        span: Span,
    ) -> SqlResult<Bound> {
        let mut coerced = Vec::with_capacity(args.len());
        for (i, arg) in args.into_iter().enumerate() {
            coerced.push(match binding.arguments.get(i) {
                Some(wanted) => self.coerce(arg, wanted, span)?,
                None => arg,
            });
        }
        let kind = BoundKind::Call {
            name: name.to_owned(),
            op,
            args: coerced,
            kernel: binding.kernel,
            deterministic: binding.deterministic,
        };
        Ok(Bound { kind, data_type: binding.returns }.fold())
    }

    /// An implicit cast, if one is needed.
    pub(super) fn coerce(&self, expr: Bound, to: &DataType, span: Span) -> SqlResult<Bound> {
        let same = expr.data_type.kind == to.kind
            || (expr.data_type.kind.is_string() && matches!(to.kind, TypeKind::Varchar { .. }));
        if same {
            return Ok(expr);
        }
        if expr.data_type.kind == TypeKind::Null {
            return Ok(Bound::null(to));
        }
        self.cast(expr, to, CastMode::Implicit, span)
    }

    pub(super) fn cast(
        &self,
        expr: Bound,
        to: &DataType,
        mode: CastMode,
        span: Span,
    ) -> SqlResult<Bound> {
        if expr.data_type.kind == TypeKind::Null {
            return Ok(Bound::null(to));
        }
        if expr.data_type.kind == to.kind {
            return Ok(expr);
        }
        let (data_type, kernel) = cast::bind(&expr.data_type, to, mode, self.session)
            .map_err(|e| SqlError::from_core(&e, span))?;
        let name = if mode == CastMode::Try { "TRY_CAST" } else { "CAST" };
        let kind = BoundKind::Call {
            name: name.to_owned(),
            op: None,
            args: vec![expr],
            kernel,
            deterministic: true,
        };
        Ok(Bound { kind, data_type }.fold())
    }

    fn unary(&self, op: UnaryOp, inner: &Expr, span: Span) -> SqlResult<Bound> {
        let operand = self.bind(inner)?;
        self.unary_bound(op, operand, span)
    }

    pub(super) fn unary_bound(&self, op: UnaryOp, operand: Bound, span: Span) -> SqlResult<Bound> {
        let binding = operators::bind_unary(op, &operand.argument(), self.session)
            .map_err(|e| SqlError::from_core(&e, span))?;
        self.wrap(unary_name(op), None, binding, vec![operand], span)
    }

    pub(super) fn binary(
        &self,
        op: BinaryOp,
        left: Bound,
        right: Bound,
        span: Span,
    ) -> SqlResult<Bound> {
        if matches!(op, BinaryOp::And | BinaryOp::Or) {
            for side in [&left, &right] {
                if !matches!(side.data_type.kind, TypeKind::Boolean | TypeKind::Null) {
                    let message =
                        format!("{op:?} needs BOOLEAN operands, this is {}", side.data_type);
                    return Err(SqlError::new(message, span));
                }
            }
            let nullable = left.data_type.nullable || right.data_type.nullable;
            let boolean = DataType { kind: TypeKind::Boolean, nullable };
            let (left, right) =
                (self.coerce(left, &boolean, span)?, self.coerce(right, &boolean, span)?);
            let kind = BoundKind::Logic(op == BinaryOp::And, Box::new(left), Box::new(right));
            return Ok(Bound { kind, data_type: boolean }.fold());
        }
        let binding = operators::bind_binary(op, &left.argument(), &right.argument(), self.session)
            .map_err(|e| SqlError::from_core(&e, span))?;
        self.wrap(binary_name(op), Some(op), binding, vec![left, right], span)
    }

    fn is(&self, expr: &Expr, test: IsTest, negated: bool, span: Span) -> SqlResult<Bound> {
        let op = match (test, negated) {
            (IsTest::Null, false) => UnaryOp::IsNull,
            (IsTest::Null, true) => UnaryOp::IsNotNull,
            (IsTest::True, false) => UnaryOp::IsTrue,
            (IsTest::True, true) => UnaryOp::IsNotTrue,
            (IsTest::False, false) => UnaryOp::IsFalse,
            (IsTest::False, true) => UnaryOp::IsNotFalse,
            (IsTest::Unknown, false) => UnaryOp::IsUnknown,
            (IsTest::Unknown, true) => UnaryOp::IsNotUnknown,
            _ => return self.is_json(expr, test, negated, span),
        };
        self.unary(op, expr, span)
    }

    pub(super) fn not(&self, bound: Bound, span: Span) -> SqlResult<Bound> {
        self.unary_bound(UnaryOp::Not, bound, span)
    }

    fn between(
        &self,
        expr: &Expr,
        low: &Expr,
        high: &Expr,
        negated: bool,
        symmetric: bool,
        span: Span,
    ) -> SqlResult<Bound> {
        let (value, low, high) = (self.bind(expr)?, self.bind(low)?, self.bind(high)?);
        let range = |low: &Bound, high: &Bound| {
            let above = self.binary(BinaryOp::GtEq, value.clone(), low.clone(), span)?;
            let below = self.binary(BinaryOp::LtEq, value.clone(), high.clone(), span)?;
            self.binary(BinaryOp::And, above, below, span)
        };
        let mut bound = range(&low, &high)?;
        if symmetric {
            bound = self.binary(BinaryOp::Or, bound, range(&high, &low)?, span)?;
        }
        if negated { self.not(bound, span) } else { Ok(bound) }
    }

    fn in_list(&self, expr: &Expr, list: &[Expr], negated: bool, span: Span) -> SqlResult<Bound> {
        let value = self.bind(expr)?;
        let mut any: Option<Bound> = None;
        for item in list {
            let equal = self.equals_item(&value, self.bind(item)?, item.span)?;
            any = Some(match any {
                None => equal,
                Some(before) => self.binary(BinaryOp::Or, before, equal, span)?,
            });
        }
        let any = any.ok_or_else(|| SqlError::new("IN needs at least one value", span))?;
        if negated { self.not(any, span) } else { Ok(any) }
    }

    /// Equality as IN tests it: Flink casts text to the number's type here, which `=` does not do.
    pub(super) fn equals_item(&self, value: &Bound, item: Bound, span: Span) -> SqlResult<Bound> {
        let mixed = coercion::string_meets_number(&value.data_type, &item.data_type);
        let common = coercion::comparable_type(&value.data_type, &item.data_type);
        match common.filter(|_| mixed) {
            Some(common) => {
                let left = self.cast(value.clone(), &common, CastMode::Implicit, span)?;
                let right = self.cast(item, &common, CastMode::Implicit, span)?;
                self.binary(BinaryOp::Eq, left, right, span)
            }
            None => self.binary(BinaryOp::Eq, value.clone(), item, span),
        }
    }

    fn like(
        &self,
        expr: &Expr,
        pattern: &Expr,
        escape: Option<&Expr>,
        negated: bool,
        similar: bool,
        span: Span,
    ) -> SqlResult<Bound> {
        let mut args = vec![self.bind(expr)?, self.bind(pattern)?];
        if let Some(escape) = escape {
            args.push(self.bind(escape)?);
        }
        let op = match (similar, negated) {
            (false, false) => BinaryOp::Like,
            (false, true) => BinaryOp::NotLike,
            (true, false) => BinaryOp::SimilarTo,
            (true, true) => BinaryOp::NotSimilarTo,
        };
        let escape = args.get(2).map(Bound::argument);
        let binding = operators::bind_pattern(
            op,
            &args[0].argument(),
            &args[1].argument(),
            escape.as_ref(),
            self.session,
        )
        .map_err(|e| SqlError::from_core(&e, span))?;
        self.wrap(binary_name(op), Some(op), binding, args, span)
    }

    fn case(
        &self,
        operand: Option<&Expr>,
        branches: &[(Expr, Expr)],
        otherwise: Option<&Expr>,
        span: Span,
    ) -> SqlResult<Bound> {
        let operand = operand.map(|o| self.bind(o)).transpose()?;
        let mut bound = Vec::with_capacity(branches.len());
        for (condition, value) in branches {
            let condition = match &operand {
                None => self.condition(condition, "WHEN")?,
                Some(operand) => {
                    let wanted = self.bind(condition)?;
                    self.binary(BinaryOp::Eq, operand.clone(), wanted, condition.span)?
                }
            };
            bound.push((condition, self.bind(value)?));
        }
        let otherwise = match otherwise {
            Some(expr) => self.bind(expr)?,
            None => Bound::null(&TypeKind::Null.nullable()),
        };
        self.case_of(bound, otherwise, span)
    }

    /// CASE over bound parts; also IF and NULLIF.
    pub(super) fn case_of(
        &self,
        branches: Vec<(Bound, Bound)>,
        otherwise: Bound,
        span: Span,
    ) -> SqlResult<Bound> {
        let mut values: Vec<Bound> = branches.iter().map(|(_, v)| v.clone()).collect();
        values.push(otherwise);
        let (mut values, data_type) = self.unify(values, "the branches of CASE", span)?;
        let otherwise = Box::new(values.pop().expect("ELSE was pushed last"));
        let branches = branches.into_iter().map(|(c, _)| c).zip(values).collect();
        Ok(Bound { kind: BoundKind::Case { branches, otherwise }, data_type }.fold())
    }

    /// Casts all to their common type.
    pub(super) fn unify(
        &self,
        values: Vec<Bound>,
        what: &str,
        span: Span,
    ) -> SqlResult<(Vec<Bound>, DataType)> {
        let types: Vec<DataType> = values.iter().map(|v| v.data_type.clone()).collect();
        let Some(common) = coercion::common_type(&types) else {
            let list: Vec<String> = types.iter().map(|t| t.kind.to_string()).collect();
            let message = format!("{what} have no common type: {}", list.join(", "));
            return Err(SqlError::new(message, span).with_hint("add a CAST"));
        };
        let values = values
            .into_iter()
            .map(|v| self.coerce(v, &common, span))
            .collect::<SqlResult<Vec<_>>>()?;
        Ok((values, common))
    }
}

pub(super) fn string(text: &str) -> Bound {
    // Flink counts UTF-16 units.
    let length = text.encode_utf16().count() as u32;
    Bound::literal(Arc::new(StringArray::from(vec![text])), TypeKind::Char { length }.not_null())
}

/// 0, of type BIGINT.
pub(super) fn zero() -> Bound {
    Bound::literal(Arc::new(Int64Array::from(vec![0])), TypeKind::BigInt.not_null())
}

/// Flink 2.3 has no CAST out of a VARIANT.
fn variant_cast(to: &TypeKind, span: Span) -> SqlError {
    SqlError::new(format!("unsupported cast from VARIANT to {to}"), span)
        .with_hint("JSON_STRING(variant) is its text, which CAST and JSON_VALUE take")
}

fn is_number(expr: &Expr) -> bool {
    matches!(expr.kind.as_ref(), ExprKind::Number(_))
}

/// `-` belongs to the literal, so that the least INT and the least BIGINT can be written.
fn negative_number(expr: &Expr, span: Span) -> SqlResult<Bound> {
    match expr.kind.as_ref() {
        ExprKind::Number(text) => number(&format!("-{text}"), span),
        _ => Err(SqlError::new("expected a number", span)),
    }
}

/// A number as Flink types it: INT, BIGINT or DECIMAL by size, DECIMAL with a point, DOUBLE with an exponent.
fn number(text: &str, span: Span) -> SqlResult<Bound> {
    if text.contains(['e', 'E']) {
        let value: f64 =
            text.parse().map_err(|_| SqlError::new("this number cannot be read", span))?;
        return Ok(Bound::literal(
            Arc::new(Float64Array::from(vec![value])),
            TypeKind::Double.not_null(),
        ));
    }
    if let Ok(value) = text.parse::<i32>() {
        return Ok(Bound::literal(
            Arc::new(Int32Array::from(vec![value])),
            TypeKind::Int.not_null(),
        ));
    }
    if let Ok(value) = text.parse::<i64>() {
        return Ok(Bound::literal(
            Arc::new(Int64Array::from(vec![value])),
            TypeKind::BigInt.not_null(),
        ));
    }
    let (sign, digits) = text.strip_prefix('-').map_or((1, text), |digits| (-1, digits));
    let (whole, fraction) = digits.split_once('.').unwrap_or((digits, ""));
    let digits = format!("{whole}{fraction}");
    let (precision, scale) = (digits.len().max(1), fraction.len());
    let value = digits.parse::<i128>().ok().map(|v| v * sign).filter(|_| precision <= 38);
    let Some(value) = value else {
        return Err(SqlError::new("a number has at most 38 digits", span)
            .with_hint("write it with an exponent to make it a DOUBLE"));
    };
    let (precision, scale) = (precision as u8, scale as u8);
    let array = Decimal128Array::from(vec![value])
        .with_precision_and_scale(precision, scale as i8)
        .map_err(|e| SqlError::new(e.to_string(), span))?;
    Ok(Bound::literal(Arc::new(array), TypeKind::Decimal { precision, scale }.not_null()))
}

fn binary_name(op: BinaryOp) -> &'static str {
    match op {
        BinaryOp::Add => "+",
        BinaryOp::Subtract => "-",
        BinaryOp::Multiply => "*",
        BinaryOp::Divide => "/",
        BinaryOp::Modulo => "%",
        BinaryOp::Eq => "=",
        BinaryOp::NotEq => "<>",
        BinaryOp::Lt => "<",
        BinaryOp::LtEq => "<=",
        BinaryOp::Gt => ">",
        BinaryOp::GtEq => ">=",
        BinaryOp::And => "AND",
        BinaryOp::Or => "OR",
        BinaryOp::Concat => "||",
        BinaryOp::Like => "LIKE",
        BinaryOp::NotLike => "NOT LIKE",
        BinaryOp::SimilarTo => "SIMILAR TO",
        BinaryOp::NotSimilarTo => "NOT SIMILAR TO",
        BinaryOp::IsDistinctFrom => "IS DISTINCT FROM",
        BinaryOp::IsNotDistinctFrom => "IS NOT DISTINCT FROM",
    }
}

fn unary_name(op: UnaryOp) -> &'static str {
    match op {
        UnaryOp::Negate => "-",
        UnaryOp::Plus => "+",
        UnaryOp::Not => "NOT",
        UnaryOp::IsNull => "IS NULL",
        UnaryOp::IsNotNull => "IS NOT NULL",
        UnaryOp::IsTrue => "IS TRUE",
        UnaryOp::IsNotTrue => "IS NOT TRUE",
        UnaryOp::IsFalse => "IS FALSE",
        UnaryOp::IsNotFalse => "IS NOT FALSE",
        UnaryOp::IsUnknown => "IS UNKNOWN",
        UnaryOp::IsNotUnknown => "IS NOT UNKNOWN",
    }
}
