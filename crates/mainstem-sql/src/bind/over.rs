//! OVER and QUALIFY: which calls a select list makes over which windows, and the relations that compute them.
//! Invariant: while a select list is bound, a call over a window is a column at or behind [`PENDING`]; once all calls
//! are known, each window becomes one `RelKind::Over` on top of what the select list reads, and the columns move to
//! their places. A call and all that it names are computed below its relation, once.

use std::cell::RefCell;
use std::rc::Rc;

use arrow_array::cast::AsArray;
use arrow_array::types::{DurationMillisecondType, Int8Type, Int16Type, Int32Type, Int64Type};
use mainstem_core::{DataType, TypeKind};
use mainstem_engine::aggregate::AggregateCall;
use mainstem_engine::over::{Frame, FrameEnd, OverCall, OverFunction};

use super::aggregate::is_aggregate;
use super::aggregate_call::{is_variance, settle, variance_over};
use super::expr::ExprBinder;
use super::query::{filter, with_columns};
use super::scope::Surroundings;
use crate::ast::{
    self, Call, Expr, ExprKind, FrameBound, Ident, OverWindow, Select, SelectItem, WindowDef,
};
use crate::bound::Bound;
use crate::error::{SqlError, SqlResult};
use crate::rel::{Rel, RelField, RelKind};
use crate::source::Span;

/// The first of the columns that stand for calls whose place is not known yet.
const PENDING: usize = usize::MAX / 2;

/// A window and the calls over it; all of it over what the select list reads.
#[derive(Debug)]
struct Window {
    /// Equal for equal windows.
    text: String,
    partition: Vec<Bound>,
    order: Vec<(Bound, bool, bool)>,
    calls: Vec<PlacedCall>,
}

/// A call; the columns of its function are places in `columns`.
#[derive(Debug)]
struct PlacedCall {
    function: OverFunction,
    columns: Vec<Bound>,
    data_type: DataType,
}

/// The calls over windows of the select list that is being bound.
#[derive(Debug)]
pub(super) struct Overs {
    named: Vec<(Ident, WindowDef)>,
    windows: Vec<Window>,
    /// By pending column: text, window, call.
    pending: Vec<(String, usize, usize)>,
}

impl Overs {
    /// For a select list with this WINDOW clause.
    pub(super) fn new(select: &Select) -> Rc<RefCell<Self>> {
        let named = select.windows.clone();
        Rc::new(RefCell::new(Self { named, windows: Vec::new(), pending: Vec::new() }))
    }

    /// The window of an OVER clause, with the windows that it refines merged in.
    fn definition(&self, window: &OverWindow) -> SqlResult<WindowDef> {
        let find = |name: &Ident| {
            let same = |(n, _): &&(Ident, WindowDef)| n.value.eq_ignore_ascii_case(&name.value);
            self.named.iter().find(same).map(|(_, def)| def).ok_or_else(|| {
                SqlError::new(format!("unknown window '{}'", name.value), name.span)
                    .with_hint("declare it: WINDOW name AS (...)")
            })
        };
        let mut def = match window {
            OverWindow::Named(name) => find(name)?.clone(),
            OverWindow::Inline(def) => def.clone(),
        };
        let mut depth = 0;
        while let Some(name) = def.base.take() {
            let base = find(&name)?;
            depth += 1;
            let clash = (!def.partition_by.is_empty() && !base.partition_by.is_empty())
                || (!def.order_by.is_empty() && !base.order_by.is_empty())
                || base.frame.is_some()
                || depth > self.named.len();
            if clash {
                let message = format!("window '{}' cannot be refined like that", name.value);
                return Err(SqlError::new(message, name.span)
                    .with_hint("add clauses that the named window does not have, no frame twice"));
            }
            def.base.clone_from(&base.base);
            if def.partition_by.is_empty() {
                def.partition_by.clone_from(&base.partition_by);
            }
            if def.order_by.is_empty() {
                def.order_by.clone_from(&base.order_by);
            }
        }
        Ok(def)
    }

    /// The pending column of a call.
    fn place(&mut self, window: (Vec<Bound>, Vec<(Bound, bool, bool)>), call: PlacedCall) -> Bound {
        let (partition, order) = window;
        let text = format!("{partition:?} {order:?}");
        let at = self.windows.iter().position(|w| w.text == text).unwrap_or_else(|| {
            self.windows.push(Window { text, partition, order, calls: Vec::new() });
            self.windows.len() - 1
        });
        let text = format!("{at} {:?} {:?}", call.function, call.columns);
        let data_type = call.data_type.clone();
        let known = self.pending.iter().position(|(t, ..)| *t == text);
        let index = known.unwrap_or_else(|| {
            self.windows[at].calls.push(call);
            self.pending.push((text, at, self.windows[at].calls.len() - 1));
            self.pending.len() - 1
        });
        Bound::column(PENDING + index, data_type)
    }

    /// `rel` with all calls computed behind its columns, and where each pending column is.
    fn apply(&self, mut rel: Rel) -> (Rel, Vec<usize>) {
        let mut first_calls = Vec::new();
        for window in &self.windows {
            let (partitions, orders) = (window.partition.len(), window.order.len());
            let mut extra = window.partition.clone();
            extra.extend(window.order.iter().map(|key| key.0.clone()));
            extra.extend(window.calls.iter().flat_map(|call| call.columns.iter().cloned()));
            let (input, places) = with_columns(rel, extra);
            let order: Vec<(usize, bool, bool)> = places[partitions..partitions + orders]
                .iter()
                .zip(&window.order)
                .map(|(&column, &(_, descending, nulls_first))| (column, descending, nulls_first))
                .collect();
            let time = order.first().filter(|key| !key.1).and_then(|key| input.fields[key.0].time);
            let mut rest = &places[partitions + orders..];
            let mut fields = input.fields.clone();
            first_calls.push(fields.len());
            let mut calls = Vec::new();
            for call in &window.calls {
                let mut function = call.function.clone();
                let (own, others) = rest.split_at(call.columns.len());
                function.remap(&|c| own[c]);
                rest = others;
                fields.push(RelField::new(format!("w{}", fields.len()), call.data_type.clone()));
                calls.push(OverCall { function, output: call.data_type.to_arrow() });
            }
            let partition = places[..partitions].to_vec();
            let input = Box::new(input);
            rel = Rel { kind: RelKind::Over { input, partition, order, time, calls }, fields };
        }
        let place = |(_, window, call): &(String, usize, usize)| first_calls[*window] + call;
        let places = self.pending.iter().map(place).collect();
        (rel, places)
    }
}

/// QUALIFY, bound: names that are no column stand for items of the select list.
pub(super) fn qualify(binder: &ExprBinder<'_>, select: &Select) -> SqlResult<Option<Bound>> {
    let Some(condition) = &select.qualify else { return Ok(None) };
    let mut condition = condition.clone();
    expand_aliases(&mut condition, binder, &select.items);
    binder.condition(&condition, "QUALIFY").map(Some)
}

/// Puts select items in the place of their aliases, where no column has the name.
fn expand_aliases(expr: &mut Expr, binder: &ExprBinder<'_>, items: &[SelectItem]) {
    if let ExprKind::Column(parts) = expr.kind.as_ref()
        && let [name] = &parts[..]
        && binder.bind(expr).is_err()
    {
        let alias_of = |item: &SelectItem| match item {
            SelectItem::Expr { expr, alias: Some(alias) } if alias.value == name.value => {
                Some(expr.kind.clone())
            }
            _ => None,
        };
        if let Some(kind) = items.iter().find_map(alias_of) {
            expr.kind = kind;
        }
        return;
    }
    match expr.kind.as_mut() {
        ExprKind::Not(e) | ExprKind::Negate(e) | ExprKind::Is { expr: e, .. } => {
            expand_aliases(e, binder, items);
        }
        ExprKind::Binary { left, right, .. } => {
            expand_aliases(left, binder, items);
            expand_aliases(right, binder, items);
        }
        ExprKind::Between { expr, low, high, .. } => {
            [expr, low, high].into_iter().for_each(|e| expand_aliases(e, binder, items));
        }
        ExprKind::InList { expr, list, .. } => {
            expand_aliases(expr, binder, items);
            list.iter_mut().for_each(|e| expand_aliases(e, binder, items));
        }
        ExprKind::Function(call) => {
            call.args.iter_mut().for_each(|e| expand_aliases(e, binder, items));
        }
        _ => {}
    }
}

/// The select list over `input`, with all calls over windows computed between the two and QUALIFY applied.
pub(super) fn project(
    input: Rel,
    overs: &RefCell<Overs>,
    exprs: Vec<Bound>,
    fields: Vec<RelField>,
    qualify: Option<Bound>,
) -> Rel {
    let (mut rel, places) = overs.borrow().apply(input);
    let placed = |e: &Bound| e.remap(&|c| if c < PENDING { c } else { places[c - PENDING] });
    if let Some(predicate) = &qualify {
        rel = filter(rel, placed(predicate));
    }
    let exprs = exprs.iter().map(placed).collect();
    Rel { kind: RelKind::Project { input: Box::new(rel), exprs }, fields }
}

/// The columns of one call, as its function refers to them.
struct Columns(Vec<Bound>);

impl Columns {
    fn add(&mut self, expr: Bound) -> usize {
        self.0.push(expr);
        self.0.len() - 1
    }
}

impl ExprBinder<'_> {
    /// `f(...) OVER (...)`.
    pub(super) fn over(
        &self,
        call: &Call,
        ignore_nulls: Option<bool>,
        window: &OverWindow,
        span: Span,
    ) -> SqlResult<Bound> {
        let Some(overs) = self.around.overs.clone() else {
            return Err(SqlError::new("a call with OVER cannot stand here", span).with_hint(
                "it can stand in the select list and in QUALIFY; elsewhere, use a sub-query",
            ));
        };
        // Arguments are below the window: no call over a window can stand in them, and no sub-query, which is joined above it.
        let around = Surroundings { overs: None, subqueries: None, ..self.around.clone() };
        let below = ExprBinder { around, ..*self };
        let def = overs.borrow().definition(window)?;
        let list = |exprs: &[Expr]| exprs.iter().map(|e| below.bind(e)).collect::<SqlResult<_>>();
        let partition: Vec<Bound> = list(&def.partition_by)?;
        let mut order = Vec::new();
        for item in &def.order_by {
            // Flink: NULL is the smallest value.
            let nulls_first = item.nulls_first.unwrap_or(!item.descending);
            order.push((below.bind(&item.expr)?, item.descending, nulls_first));
        }
        let frame = match &def.frame {
            Some(frame) => below.frame(frame, &order)?,
            None => Frame::DEFAULT,
        };
        let args: Vec<Bound> = list(&call.args)?;
        let condition = call.filter.as_ref().map(|f| below.condition(f, "FILTER")).transpose()?;
        let call = Call { ignore_nulls: ignore_nulls.or(call.ignore_nulls), ..call.clone() };
        let framed = def.frame.is_some();
        let written = Written { call, filter: condition, frame, framed, span };
        let mut place = |call| overs.borrow_mut().place((partition.clone(), order.clone()), call);
        let name = written.call.name.last().value.to_ascii_uppercase();
        if is_variance(&name) {
            let mut add = |name: &'static str, arg: Bound| {
                below.aggregate_over(&written, name, vec![arg]).map(&mut place)
            };
            return variance_over(&below, &name, args, span, &mut add);
        }
        if matches!(name.as_str(), "FIRST_VALUE" | "LAST_VALUE") && args.len() == 1 {
            return Ok(place(edge(written, name == "LAST_VALUE", args)));
        }
        if is_aggregate(&written.call) {
            return below.aggregate_over(&written, &name, args).map(place);
        }
        below.placed_over(&written, &name, args, !order.is_empty()).map(place)
    }

    fn aggregate_over(
        &self,
        written: &Written,
        name: &str,
        args: Vec<Bound>,
    ) -> SqlResult<PlacedCall> {
        let settled = settle(self, name, &written.call, args, written.span)?;
        let mut columns = Columns(settled.args);
        let args = (0..columns.0.len()).collect();
        let filter = written.filter.clone().map(|f| columns.add(f));
        let (function, distinct) = (settled.function, written.call.distinct);
        let call = AggregateCall { function, args, filter, distinct };
        let function = OverFunction::Aggregate { call, frame: written.frame };
        Ok(PlacedCall { function, columns: columns.0, data_type: settled.data_type })
    }

    /// A function of the row's place: LAG, LEAD, ROW_NUMBER and the others.
    fn placed_over(
        &self,
        written: &Written,
        name: &str,
        args: Vec<Bound>,
        ordered: bool,
    ) -> SqlResult<PlacedCall> {
        let Written { call, span, framed, .. } = written;
        let shifts = matches!(name, "LAG" | "LEAD");
        if !shifts && !RANKS.contains(&name) {
            let message = format!("{name} is no function that can stand with OVER");
            return Err(SqlError::new(message, *span).with_hint(
                "aggregates, ROW_NUMBER, RANK, DENSE_RANK, NTILE, PERCENT_RANK, CUME_DIST, LAG and LEAD can",
            ));
        }
        let clause = match () {
            () if *framed => Some("frame"),
            () if call.star || call.distinct => Some("* or DISTINCT"),
            () if call.filter.is_some() => Some("FILTER"),
            () if call.ignore_nulls == Some(true) => Some("IGNORE NULLS"),
            () => None,
        };
        if let Some(clause) = clause {
            return Err(SqlError::new(format!("{name} takes no {clause}"), *span));
        }
        if !ordered {
            return Err(SqlError::new(format!("{name} needs ORDER BY in its window"), *span));
        }
        if shifts {
            return self.shift(name, args, *span);
        }
        let (function, data_type) = rank(name, &args, *span)?;
        Ok(PlacedCall { function, columns: Vec::new(), data_type })
    }

    /// LAG and LEAD: value, distance (1), what stands where there is none (NULL).
    fn shift(&self, name: &str, args: Vec<Bound>, span: Span) -> SqlResult<PlacedCall> {
        let mut args = args.into_iter();
        let (value, distance, default) = (args.next(), args.next(), args.next());
        let (Some(value), None) = (value, args.next()) else {
            return Err(SqlError::new(format!("{name} takes 1 to 3 arguments"), span)
                .with_hint(format!("usage: {name}(value [, rows [, default]])")));
        };
        let distance = match distance {
            None => 1,
            Some(distance) => whole(&distance).filter(|n| *n >= 0).ok_or_else(|| {
                SqlError::new(
                    format!("the second argument of {name} must be a whole number from 0"),
                    span,
                )
            })?,
        };
        let rows = if name == "LAG" { -distance } else { distance };
        let (value, default, data_type) = match default {
            None => {
                let data_type = value.data_type.with_nullable(true);
                (value, None, data_type)
            }
            Some(default) => {
                let what = format!("the value and the default of {name}");
                let (mut both, data_type) = self.unify(vec![value, default], &what, span)?;
                let default = both.pop();
                let value = both.pop();
                (value.expect("two were given"), default, data_type)
            }
        };
        let mut columns = Columns(vec![value]);
        let default = default.map(|d| columns.add(d));
        let function = OverFunction::Shift { column: 0, rows, default };
        Ok(PlacedCall { function, columns: columns.0, data_type })
    }

    fn frame(&self, frame: &ast::Frame, order: &[(Bound, bool, bool)]) -> SqlResult<Frame> {
        let start = match &frame.start {
            FrameBound::UnboundedPreceding => None,
            FrameBound::UnboundedFollowing => {
                return Err(SqlError::new("a frame cannot start at its end", frame.span));
            }
            bound => Some(self.frame_end(bound, frame.rows, order)?),
        };
        let end: FrameEnd = match &frame.end {
            FrameBound::UnboundedFollowing => None,
            FrameBound::UnboundedPreceding => {
                return Err(SqlError::new("a frame cannot end at its start", frame.span));
            }
            bound => Some(self.frame_end(bound, frame.rows, order)?),
        };
        if let (Some(start), Some(end)) = (start, end)
            && start > end
        {
            return Err(SqlError::new("the frame starts behind its end", frame.span));
        }
        Ok(Frame { rows: frame.rows, start, end })
    }

    /// The signed distance of one end of a frame that is not UNBOUNDED.
    fn frame_end(
        &self,
        bound: &FrameBound,
        rows: bool,
        order: &[(Bound, bool, bool)],
    ) -> SqlResult<i64> {
        let (expr, sign) = match bound {
            FrameBound::Preceding(expr) => (expr, -1),
            FrameBound::Following(expr) => (expr, 1),
            _ => return Ok(0),
        };
        let distance = self.bind(expr)?;
        let number = if rows {
            whole(&distance)
        } else {
            let [(key, ..)] = order else {
                let message = "RANGE with a distance needs exactly one ORDER BY column";
                return Err(SqlError::new(message, expr.span));
            };
            let is_time = matches!(
                key.data_type.kind,
                TypeKind::Timestamp { .. } | TypeKind::TimestampLtz { .. }
            );
            match distance.data_type.kind {
                TypeKind::IntervalDayTime if is_time => interval_ms(&distance),
                _ if !is_time => {
                    let whole_key = matches!(
                        key.data_type.kind,
                        TypeKind::TinyInt | TypeKind::SmallInt | TypeKind::Int | TypeKind::BigInt
                    );
                    if !whole_key {
                        return Err(SqlError::unsupported(
                            format!("RANGE with a distance over {}", key.data_type.kind),
                            expr.span,
                        )
                        .with_hint("order by a time or a whole number, or use ROWS"));
                    }
                    whole(&distance)
                }
                _ => None,
            }
        };
        match number.filter(|n| *n >= 0) {
            Some(number) => Ok(sign * number),
            None if rows => Err(SqlError::new(
                "the distance of a ROWS frame must be a whole number from 0",
                expr.span,
            )),
            None => Err(SqlError::new(
                "the distance of a RANGE frame must be a constant of the order column's kind",
                expr.span,
            )
            .with_hint("for a time: INTERVAL '10' MINUTE")),
        }
    }
}

/// A call as it was written.
struct Written {
    call: Call,
    filter: Option<Bound>,
    frame: Frame,
    /// The frame was written.
    framed: bool,
    span: Span,
}

/// FIRST_VALUE or LAST_VALUE.
fn edge(written: Written, last: bool, args: Vec<Bound>) -> PlacedCall {
    let data_type = args[0].data_type.with_nullable(true);
    let mut columns = Columns(args);
    let filter = written.filter.map(|f| columns.add(f));
    // Flink passes over NULLs unless told otherwise.
    let ignore_nulls = written.call.ignore_nulls.unwrap_or(true);
    let function =
        OverFunction::Edge { column: 0, last, ignore_nulls, filter, frame: written.frame };
    PlacedCall { function, columns: columns.0, data_type }
}

/// Functions of the row's place alone.
const RANKS: &[&str] = &["ROW_NUMBER", "RANK", "DENSE_RANK", "NTILE", "PERCENT_RANK", "CUME_DIST"];

fn rank(name: &str, args: &[Bound], span: Span) -> SqlResult<(OverFunction, DataType)> {
    let bigint = TypeKind::BigInt.not_null();
    match (name, args) {
        ("ROW_NUMBER", []) => Ok((OverFunction::RowNumber, bigint)),
        ("RANK", []) => Ok((OverFunction::Rank, bigint)),
        ("DENSE_RANK", []) => Ok((OverFunction::DenseRank, bigint)),
        ("PERCENT_RANK", []) => Ok((OverFunction::PercentRank, TypeKind::Double.not_null())),
        ("CUME_DIST", []) => Ok((OverFunction::CumeDist, TypeKind::Double.not_null())),
        ("NTILE", [parts]) => match whole(parts).filter(|n| *n > 0) {
            Some(parts) => Ok((OverFunction::Ntile(parts), bigint)),
            None => Err(SqlError::new("NTILE takes a whole number from 1", span)),
        },
        ("NTILE", _) => Err(SqlError::new("NTILE takes one argument", span)),
        _ => Err(SqlError::new(format!("{name} takes no argument"), span)),
    }
}

/// A constant whole number.
fn whole(expr: &Bound) -> Option<i64> {
    let value = expr.as_literal().filter(|v| v.is_valid(0))?;
    match expr.data_type.kind {
        TypeKind::TinyInt => Some(value.as_primitive::<Int8Type>().value(0).into()),
        TypeKind::SmallInt => Some(value.as_primitive::<Int16Type>().value(0).into()),
        TypeKind::Int => Some(value.as_primitive::<Int32Type>().value(0).into()),
        TypeKind::BigInt => Some(value.as_primitive::<Int64Type>().value(0)),
        _ => None,
    }
}

/// A constant interval of days and time.
fn interval_ms(expr: &Bound) -> Option<i64> {
    let value = expr.as_literal().filter(|v| v.is_valid(0))?;
    value.as_primitive_opt::<DurationMillisecondType>().map(|v| v.value(0))
}
