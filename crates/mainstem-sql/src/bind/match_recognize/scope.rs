//! Expressions over pattern variables: `A.price`, `LAST(A.price, 1)`, `SUM(A.price)`, MATCH_ROWTIME().
//! Invariant: while an expression of DEFINE or MEASURES is bound, its columns are slots: each says which row of which
//! variable the value is of. Arguments of aggregates are computed below, once a row.

use std::cell::RefCell;

use mainstem_core::{DataType, TypeKind};
use mainstem_engine::match_recognize::{MatchExpr, Slot};

use super::super::aggregate::is_aggregate;
use super::super::aggregate_call::{is_variance, settle};
use super::super::expr::ExprBinder;
use super::super::unknown_column;
use super::{offset, twice};
use crate::ast::{Call, Expr, ExprKind, Ident};
use crate::bound::Bound;
use crate::error::{SqlError, SqlResult};
use crate::rel::{RelField, TimeAttribute};
use crate::source::Span;

/// Where an expression stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in super::super) enum Clause {
    /// The definition of a variable.
    Define(usize),
    Measures,
}

/// Which rows names stand for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Rows {
    /// The last one of its variable.
    Plain,
    /// FIRST or LAST, and the offset.
    Picked { first: bool, offset: u32 },
    /// Every row: the argument of an aggregate.
    Each,
}

/// The variables that names can refer to, and the slots that they became.
#[derive(Debug)]
pub(in super::super) struct MatchScope {
    fields: Vec<RelField>,
    variables: Vec<String>,
    time_type: DataType,
    clause: Clause,
    rows: Rows,
    /// The variables that the arguments of a call name.
    named: Vec<Option<usize>>,
    /// Of the expression that is bound, with their texts.
    slots: Vec<(String, Slot)>,
    /// Arguments of aggregates that are no columns: they stand behind the input's columns.
    arguments: Vec<Bound>,
}

impl MatchScope {
    pub(super) fn new(fields: &[RelField], variables: Vec<String>, time_type: DataType) -> Self {
        Self {
            fields: fields.to_vec(),
            variables,
            time_type,
            clause: Clause::Measures,
            rows: Rows::Plain,
            named: Vec::new(),
            slots: Vec::new(),
            arguments: Vec::new(),
        }
    }

    /// The next expressions stand in `clause`.
    pub(super) fn enter(&mut self, clause: Clause) {
        self.clause = clause;
        self.slots.clear();
    }

    /// The expression that was bound since.
    pub(super) fn leave(&mut self, bound: Bound) -> MatchExpr {
        let slots = std::mem::take(&mut self.slots).into_iter().map(|(_, slot)| slot).collect();
        MatchExpr { slots, expr: bound.compile() }
    }

    /// What is computed behind the input's columns.
    pub(super) fn take_arguments(&mut self) -> Vec<Bound> {
        std::mem::take(&mut self.arguments)
    }

    /// Set if the slot is MATCH_ROWTIME() or MATCH_PROCTIME().
    pub(super) fn time_attribute(&self, slot: usize) -> Option<TimeAttribute> {
        match self.slots.get(slot) {
            Some((_, Slot::RowTime(_))) => Some(TimeAttribute::Event),
            Some((_, Slot::ProcessingTime(_))) => Some(TimeAttribute::Processing),
            _ => None,
        }
    }

    /// The slot that `expr` stands for; `None` if its parts have to be looked at.
    pub(in super::super) fn resolve(
        this: &RefCell<Self>,
        binder: &ExprBinder<'_>,
        expr: &Expr,
    ) -> SqlResult<Option<Bound>> {
        match expr.kind.as_ref() {
            ExprKind::Column(parts) => this.borrow_mut().column(binder, parts, expr.span),
            ExprKind::Function(call) if is_aggregate(call) => {
                Self::aggregate(this, binder, call, expr.span).map(Some)
            }
            ExprKind::Function(call) => Self::function(this, binder, call, expr.span),
            _ => Ok(None),
        }
    }

    /// `A.price` or `price`; `None` for names of functions without parentheses.
    fn column(
        &mut self,
        binder: &ExprBinder<'_>,
        parts: &[Ident],
        span: Span,
    ) -> SqlResult<Option<Bound>> {
        let of_variable = self.variables.iter().position(|v| *v == parts[0].value);
        let (variable, rest) = match of_variable.filter(|_| parts.len() > 1) {
            Some(variable) => (Some(variable), &parts[1..]),
            None => (None, parts),
        };
        let Some(column) = self.fields.iter().position(|f| f.name == rest[0].value) else {
            if variable.is_none() && parts.len() == 1 {
                // CURRENT_TIMESTAMP and its like; anything else is refused there.
                return Ok(None);
            }
            if variable.is_none() {
                let message = format!("'{}' is no variable of the pattern", parts[0].value);
                return Err(SqlError::new(message, span)
                    .with_hint(format!("its variables are {}", self.variables.join(", "))));
            }
            return Err(unknown_column(&rest[0].value, &self.fields, rest[0].span));
        };
        let mut bound = self.value(variable, column);
        for name in &rest[1..] {
            bound = binder.field(bound, name)?;
        }
        Ok(Some(bound))
    }

    fn value(&mut self, variable: Option<usize>, column: usize) -> Bound {
        let data_type = self.fields[column].data_type.clone();
        let (first, offset) = match self.rows {
            Rows::Each => {
                self.named.push(variable);
                return Bound::column(column, data_type);
            }
            Rows::Plain => (false, 0),
            Rows::Picked { first, offset } => {
                self.named.push(variable);
                (first, offset)
            }
        };
        let is_own = match self.clause {
            Clause::Define(own) => variable.is_none_or(|v| v == own),
            Clause::Measures => false,
        };
        if is_own && !first && offset == 0 {
            return self.slot(Slot::Current(column), data_type);
        }
        let slot = Slot::Row { variable, first, offset, column };
        self.slot(slot, data_type.with_nullable(true))
    }

    fn slot(&mut self, slot: Slot, data_type: DataType) -> Bound {
        self.slot_called(format!("{slot:?}"), slot, data_type)
    }

    /// The slot of that text, which is equal for equal slots.
    fn slot_called(&mut self, text: String, slot: Slot, data_type: DataType) -> Bound {
        let known = self.slots.iter().position(|(t, _)| *t == text);
        let index = known.unwrap_or_else(|| {
            self.slots.push((text, slot));
            self.slots.len() - 1
        });
        Bound::column(index, data_type)
    }

    /// FIRST, LAST and the functions that only stand here; `None` for any other.
    fn function(
        this: &RefCell<Self>,
        binder: &ExprBinder<'_>,
        call: &Call,
        span: Span,
    ) -> SqlResult<Option<Bound>> {
        let name = call.name.last().value.to_ascii_uppercase();
        let usage = || SqlError::new(format!("{name} has a wrong number of arguments"), span);
        match name.as_str() {
            "FIRST" | "LAST" | "PREV" | "NEXT" => {
                let physical = matches!(name.as_str(), "PREV" | "NEXT");
                let rows = match call.args.as_slice() {
                    [_] => u32::from(physical),
                    [_, rows] => offset(rows)?,
                    _ => return Err(usage()),
                };
                if physical && rows > 0 {
                    let hint = "Flink counts rows of variables only: LAST(A.price, 1) is the row of A before its last one";
                    return Err(SqlError::new(
                        format!("{name} is not supported in MATCH_RECOGNIZE"),
                        span,
                    )
                    .with_hint(hint));
                }
                if this.borrow().rows != Rows::Plain {
                    return Err(twice(span));
                }
                {
                    let mut this = this.borrow_mut();
                    this.rows = Rows::Picked { first: name == "FIRST", offset: rows };
                    this.named.clear();
                }
                let bound = binder.bind(&call.args[0]);
                this.borrow_mut().rows = Rows::Plain;
                let bound = bound?;
                this.borrow().one_variable(&name, span)?;
                Ok(Some(bound))
            }
            "FINAL" => {
                if this.borrow().clause != Clause::Measures {
                    return Err(SqlError::new("FINAL cannot stand in DEFINE", span));
                }
                let [inner] = call.args.as_slice() else { return Err(usage()) };
                binder.bind(inner).map(Some)
            }
            "RUNNING" => Err(SqlError::new("RUNNING is not supported in MATCH_RECOGNIZE", span)
                .with_hint("with ONE ROW PER MATCH there is FINAL only")),
            "MATCH_ROWTIME" | "MATCH_PROCTIME" => {
                this.borrow_mut().match_time(&name, call, span).map(Some)
            }
            _ => Ok(None),
        }
    }

    fn match_time(&mut self, name: &str, call: &Call, span: Span) -> SqlResult<Bound> {
        if self.clause != Clause::Measures || self.rows != Rows::Plain {
            return Err(SqlError::new(format!("{name} can stand in MEASURES only"), span));
        }
        if name == "MATCH_PROCTIME" {
            if !call.args.is_empty() {
                return Err(SqlError::new("MATCH_PROCTIME takes no argument", span));
            }
            let data_type = TypeKind::TimestampLtz { precision: 3 }.not_null();
            let slot = Slot::ProcessingTime(data_type.to_arrow());
            return Ok(self.slot(slot, data_type));
        }
        let is_rowtime = |arg: &Expr| match arg.kind.as_ref() {
            ExprKind::Column(parts) => {
                let name = &parts[parts.len() - 1].value;
                let field = self.fields.iter().find(|f| f.name == *name);
                field.is_some_and(|f| f.time == Some(TimeAttribute::Event))
            }
            _ => false,
        };
        match call.args.as_slice() {
            [] => {}
            [arg] if is_rowtime(arg) => {}
            _ => {
                let message = "MATCH_ROWTIME takes no argument, or the rowtime attribute";
                return Err(SqlError::new(message, span));
            }
        }
        let data_type = self.time_type.clone();
        Ok(self.slot(Slot::RowTime(data_type.to_arrow()), data_type))
    }

    fn aggregate(
        this: &RefCell<Self>,
        binder: &ExprBinder<'_>,
        call: &Call,
        span: Span,
    ) -> SqlResult<Bound> {
        let name = call.name.last().value.to_ascii_uppercase();
        if call.distinct || call.filter.is_some() || is_variance(&name) {
            let what = match (call.distinct, call.filter.is_some()) {
                (true, _) => format!("{name}(DISTINCT ...)"),
                (_, true) => "FILTER".to_owned(),
                _ => name,
            };
            return Err(SqlError::new(format!("{what} is not supported in MATCH_RECOGNIZE"), span)
                .with_hint("SUM, COUNT, AVG, MIN, MAX and the other plain aggregates are"));
        }
        if this.borrow().rows != Rows::Plain {
            return Err(SqlError::new(format!("{name} cannot stand in another call here"), span));
        }
        let args = {
            this.borrow_mut().rows = Rows::Each;
            this.borrow_mut().named.clear();
            let args = call.args.iter().map(|a| binder.bind(a)).collect::<SqlResult<Vec<_>>>();
            this.borrow_mut().rows = Rows::Plain;
            args?
        };
        let settled = settle(binder, &name, call, args, span)?;
        let mut this = this.borrow_mut();
        let variable = if call.star { None } else { this.one_variable(&name, span)? };
        let args: Vec<usize> = settled.args.into_iter().map(|arg| this.argument(arg)).collect();
        let text = format!("{name} {variable:?} {args:?}");
        let slot = Slot::Aggregate { variable, function: settled.function, args };
        Ok(this.slot_called(text, slot, settled.data_type))
    }

    /// The variable that the arguments of a call name.
    fn one_variable(&self, name: &str, span: Span) -> SqlResult<Option<usize>> {
        match self.named.split_first() {
            Some((first, rest)) if rest.iter().all(|other| other == first) => Ok(*first),
            Some(_) => {
                let message = format!("the argument of {name} names rows of several variables");
                Err(SqlError::new(message, span).with_hint("use a call for each variable"))
            }
            None => {
                let message = format!("the argument of {name} names no column");
                Err(SqlError::new(message, span).with_hint("name one: price, or A.price"))
            }
        }
    }

    /// The column of the input, or behind it, that `expr` is.
    fn argument(&mut self, expr: Bound) -> usize {
        if let Some(column) = expr.as_column() {
            return column;
        }
        let text = expr.identity();
        let known = self.arguments.iter().position(|a| a.identity() == text);
        let index = known.unwrap_or_else(|| {
            self.arguments.push(expr);
            self.arguments.len() - 1
        });
        self.fields.len() + index
    }
}
