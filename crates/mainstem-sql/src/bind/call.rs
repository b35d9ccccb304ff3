//! Function calls: the catalogue's functions, and the forms with a grammar of their own.

use std::sync::Arc;

use arrow_array::{StringArray, TimestampMillisecondArray};
use mainstem_core::{DataType, TypeKind};
use mainstem_engine::expr::Value;

use super::expr::{ExprBinder, string};
use crate::ast::{Expr, ExprKind};
use crate::bound::{Bound, BoundKind};
use crate::cast::CastMode;
use crate::error::{SqlError, SqlResult};
use crate::functions::flink_catalogue::REFUSED;
use crate::functions::temporal::{extract, overlaps, rounding, timestamp_add, timestamp_diff};
use crate::functions::{self, Binding};
use crate::operators::BinaryOp;
use crate::session::Session;
use crate::source::Span;

impl ExprBinder<'_> {
    /// Calls and constructors.
    pub(super) fn call_form(&self, expr: &Expr) -> SqlResult<Bound> {
        let span = expr.span;
        match expr.kind.as_ref() {
            ExprKind::Function(call) => {
                let name = call.name.last().value.to_ascii_uppercase();
                if call.star || call.distinct || call.filter.is_some() {
                    let message = format!("{name} is no aggregate function");
                    return Err(SqlError::new(message, span));
                }
                if super::aggregate::has_aggregate(expr) && self.grouping.is_none() {
                    return Err(SqlError::new(
                        format!("the aggregate function {name} cannot stand here"),
                        span,
                    )
                    .with_hint("conditions over aggregates go into HAVING"));
                }
                let args = call.args.iter().map(|a| self.bind(a)).collect::<SqlResult<Vec<_>>>()?;
                self.function(&name, &args, span)
            }
            ExprKind::Extract { unit, expr } => {
                let arg = self.bind(expr)?;
                let unit = self.unit(unit, span)?;
                let binding = extract::bind(unit, &arg.argument(), self.session);
                self.settled(&format!("EXTRACT_{unit}"), binding, vec![arg], span)
            }
            ExprKind::RoundTime { ceil, expr, unit } => {
                let arg = self.bind(expr)?;
                let direction =
                    if *ceil { rounding::Direction::Up } else { rounding::Direction::Down };
                let unit = self.unit(unit, span)?;
                let binding = rounding::bind(direction, &arg.argument(), unit, self.session);
                self.settled(&format!("{direction:?}_TO_{unit}"), binding, vec![arg], span)
            }
            ExprKind::TimestampArithmetic { diff, unit, first, second } => {
                let (first, second) = (self.bind(first)?, self.bind(second)?);
                let unit = self.unit(unit, span)?;
                let (a, b) = (first.argument(), second.argument());
                let (name, binding) = if *diff {
                    ("TIMESTAMPDIFF", timestamp_diff::bind(unit, &a, &b, self.session))
                } else {
                    ("TIMESTAMPADD", timestamp_add::bind(unit, &a, &b, self.session))
                };
                self.settled(&format!("{name}_{unit}"), binding, vec![first, second], span)
            }
            ExprKind::Trim { mode, characters, expr } => {
                let mut args = vec![string(mode)];
                if let Some(characters) = characters {
                    args.push(self.bind(characters)?);
                }
                args.push(self.bind(expr)?);
                self.function("TRIM", &args, span)
            }
            ExprKind::Overlaps { left, right } => {
                let args = [&left.0, &left.1, &right.0, &right.1]
                    .into_iter()
                    .map(|e| self.bind(e))
                    .collect::<SqlResult<Vec<_>>>()?;
                let arguments = [0, 1, 2, 3].map(|i: usize| args[i].argument());
                let binding = overlaps::bind(&arguments, self.session);
                self.settled("OVERLAPS", binding, args, span)
            }
            _ => self.constructor(expr),
        }
    }

    /// Uses a binding, or says where it was refused.
    pub(super) fn settled(
        &self,
        name: &str,
        binding: mainstem_core::Result<Binding>,
        args: Vec<Bound>,
        span: Span,
    ) -> SqlResult<Bound> {
        let binding = binding.map_err(|e| SqlError::from_core(&e, span))?;
        self.wrap(name, None, binding, args, span)
    }

    /// A call of the catalogue's function `name` (upper case).
    pub(super) fn function(&self, name: &str, args: &[Bound], span: Span) -> SqlResult<Bound> {
        match (name, args) {
            ("PROCTIME", []) => return Ok(proctime()),
            ("CURRENT_DATABASE", []) => {
                let name = StringArray::from(vec![self.session.database.as_str()]);
                return Ok(Bound::literal(Arc::new(name), TypeKind::STRING.not_null()));
            }
            ("CURRENT_WATERMARK", [column]) => return self.current_watermark(column, span),
            ("COALESCE", [_, ..]) => return self.coalesce(args, span),
            ("IFNULL", _) => return self.if_null(args, span),
            ("IF", [condition, yes, no]) => {
                if condition.data_type.kind != TypeKind::Boolean {
                    return Err(SqlError::new("the first argument of IF must be BOOLEAN", span));
                }
                return self.case_of(vec![(condition.clone(), yes.clone())], no.clone(), span);
            }
            ("NULLIF", [value, other]) => {
                let equal = self.binary(BinaryOp::Eq, value.clone(), other.clone(), span)?;
                let null = Bound::null(&value.data_type);
                return self.case_of(vec![(equal, null)], value.clone(), span);
            }
            ("MOD", [left, right]) => {
                return self.binary(BinaryOp::Modulo, left.clone(), right.clone(), span);
            }
            _ => {}
        }
        let Some(function) = functions::lookup(name) else {
            return match self.session.functions.get(name) {
                Some(function) => self.call_user(function, args, span),
                None => Err(unknown(name, self.session, span)),
            };
        };
        let arguments: Vec<_> = args.iter().map(Bound::argument).collect();
        let binding = (function.bind)(&arguments, self.session).map_err(|e| {
            let error = SqlError::from_core(&e, span);
            if error.hint().is_some() {
                error
            } else {
                error.with_hint(format!("usage: {}", function.usage))
            }
        })?;
        self.wrap(function.name, None, binding, args.to_vec(), span)
    }

    /// COALESCE of two, but a string that is never NULL keeps its type.
    fn if_null(&self, args: &[Bound], span: Span) -> SqlResult<Bound> {
        let [value, _] = args else {
            return Err(SqlError::new(
                format!("IFNULL takes 2 arguments, not {}", args.len()),
                span,
            )
            .with_hint("usage: IFNULL(value, if_null)"));
        };
        let both = self.coalesce(args, span)?;
        if both.data_type.kind == TypeKind::Null {
            return Err(SqlError::new("IFNULL of two NULLs has no type", span)
                .with_hint("write CAST(NULL AS type)"));
        }
        let stays = value.data_type.kind.is_string() && !value.data_type.nullable;
        Ok(if stays { value.clone() } else { both })
    }

    fn coalesce(&self, args: &[Bound], span: Span) -> SqlResult<Bound> {
        let mut args = args.to_vec();
        if args.iter().any(|a| a.data_type.kind == TypeKind::Double) {
            // CASE makes FLOAT of FLOAT and DOUBLE, COALESCE makes DOUBLE.
            let double = TypeKind::Double.nullable();
            for arg in args.iter_mut().filter(|a| a.data_type.kind == TypeKind::Float) {
                *arg = self.cast(arg.clone(), &double, CastMode::Implicit, span)?;
            }
        }
        let (args, mut data_type) = self.unify(args, "the arguments of COALESCE", span)?;
        data_type.nullable = args.iter().all(|a| a.data_type.nullable);
        Ok(Bound { kind: BoundKind::Coalesce(args), data_type }.fold())
    }

    fn current_watermark(&self, column: &Bound, span: Span) -> SqlResult<Bound> {
        let kind = match &column.data_type.kind {
            TypeKind::Timestamp { .. } => TypeKind::Timestamp { precision: 3 },
            TypeKind::TimestampLtz { .. } => TypeKind::TimestampLtz { precision: 3 },
            _ => {
                return Err(SqlError::new("CURRENT_WATERMARK takes a rowtime column", span));
            }
        };
        let data_type = kind.nullable();
        let arrow = data_type.to_arrow();
        let kernel: functions::Kernel = Arc::new(move |_, _, cx| {
            let value = TimestampMillisecondArray::from(vec![cx.watermark_ms]);
            Ok(Value::Scalar(Arc::new(value.with_data_type(arrow.clone()))))
        });
        let kind = BoundKind::Call {
            name: "CURRENT_WATERMARK".to_owned(),
            op: None,
            args: vec![column.clone()],
            kernel,
            deterministic: false,
        };
        Ok(Bound { kind, data_type })
    }
}

/// PROCTIME(): the step's `now`, one value for all rows of a step.
pub(super) fn proctime() -> Bound {
    let data_type: DataType = TypeKind::TimestampLtz { precision: 3 }.not_null();
    let arrow = data_type.to_arrow();
    let kernel: functions::Kernel = Arc::new(move |_, _, cx| {
        let value = TimestampMillisecondArray::from(vec![cx.now_ms]).with_data_type(arrow.clone());
        Ok(Value::Scalar(Arc::new(value)))
    });
    let kind = BoundKind::Call {
        name: "PROCTIME".to_owned(),
        op: None,
        args: Vec::new(),
        kernel,
        deterministic: false,
    };
    Bound { kind, data_type }
}

fn unknown(name: &str, session: &Session, span: Span) -> SqlError {
    if let Some((_, why, remedy)) = REFUSED.iter().find(|(known, ..)| *known == name) {
        return SqlError::new(format!("{name} is not supported here: {why}"), span)
            .with_hint(*remedy);
    }
    let error = SqlError::new(format!("unknown function '{name}'"), span);
    let declared = session.functions.keys().map(String::as_str);
    let names = functions::all().map(|f| f.name).chain(declared);
    match mainstem_core::options::nearest(name, names) {
        Some(near) => error.with_hint(format!("did you mean {near}?")),
        None => error,
    }
}
