//! Window table functions, legacy group windows, and GROUP BY over either.

use std::sync::Arc;

use arrow_array::Array;
use arrow_array::cast::AsArray;
use arrow_array::types::DurationMillisecondType;
use chrono::{Offset, TimeZone};
use mainstem_core::{DataType, TypeKind};
use mainstem_engine::window::{LocalTime, SessionSpec, WindowKind, WindowSpec};

use super::Binder;
use super::aggregate::{Grouping, Key, legacy_text};
use super::expr::ExprBinder;
use super::scope::Surroundings;
use super::unknown_column;
use crate::ast::{Expr, ExprKind, GroupItem, Ident, Select, TableArg, TableArgValue};
use crate::bound::Bound;
use crate::error::{SqlError, SqlResult};
use crate::rel::{
    Rel, RelField, RelKind, Sessions, TimeAttribute, WindowRole, WindowSource, Windows,
};
use crate::source::Span;

/// The windows of a GROUP BY, if it has any.
pub(super) enum GroupWindow {
    /// None: a changelog.
    None,
    /// GROUP BY TUMBLE(ts, ...): a time column of the projection below.
    Legacy(WindowSource),
    /// GROUP BY window_start, window_end: keys (of the grouping) that are those columns.
    Attached { start: usize, end: usize },
}

#[derive(Debug)]
struct Zone(chrono_tz::Tz);

impl LocalTime for Zone {
    fn to_local(&self, utc_ms: i64) -> i64 {
        let Some(utc) = chrono::DateTime::from_timestamp_millis(utc_ms) else { return utc_ms };
        let offset = self.0.offset_from_utc_datetime(&utc.naive_utc()).fix();
        utc_ms + i64::from(offset.local_minus_utc()) * 1000
    }

    fn to_utc(&self, local_ms: i64) -> i64 {
        let Some(local) = chrono::DateTime::from_timestamp_millis(local_ms) else {
            return local_ms;
        };
        let local = local.naive_utc();
        match self.0.offset_from_local_datetime(&local).earliest() {
            Some(offset) => local_ms - i64::from(offset.fix().local_minus_utc()) * 1000,
            // A wall time that the clocks skip: the offset before the jump.
            None => {
                let before = local - chrono::Duration::hours(3);
                let offset = self.0.offset_from_local_datetime(&before).earliest();
                local_ms - offset.map_or(0, |o| i64::from(o.fix().local_minus_utc()) * 1000)
            }
        }
    }
}

/// The arguments behind table and time column; all but SESSION also take an offset.
const SHAPES: &[(&str, &[&str])] = &[
    ("TUMBLE", &["SIZE"]),
    ("HOP", &["SLIDE", "SIZE"]),
    ("CUMULATE", &["STEP", "SIZE"]),
    ("SESSION", &["GAP"]),
];

fn timestamp() -> DataType {
    TypeKind::Timestamp { precision: 3 }.not_null()
}

impl Binder<'_> {
    /// FROM TABLE(TUMBLE(...)).
    pub(super) fn window_function(
        &mut self,
        name: &Ident,
        args: &[TableArg],
        span: Span,
    ) -> SqlResult<Rel> {
        let upper = name.value.to_ascii_uppercase();
        let Some((_, shape)) = SHAPES.iter().find(|(n, _)| *n == upper) else {
            return Err(SqlError::new(
                format!("unknown table function '{}'", name.value),
                name.span,
            )
            .with_hint(
                "there is TUMBLE, HOP, CUMULATE, SESSION, FROM_CHANGELOG and TO_CHANGELOG",
            ));
        };
        let mut order = vec!["DATA", "TIMECOL"];
        order.extend_from_slice(shape);
        let session = upper == "SESSION";
        if !session {
            order.push("OFFSET");
        }
        let named = by_name(args, &order, &upper, span)?;
        let usage = || {
            let shape = shape.join(", ").to_lowercase();
            if session {
                return format!(
                    "usage: SESSION(TABLE t [PARTITION BY k], DESCRIPTOR(ts), {shape})"
                );
            }
            format!("usage: {upper}(TABLE t, DESCRIPTOR(ts), {shape}[, offset])")
        };
        let input = match named[0] {
            Some(TableArgValue::Table(table)) => self.named(table, &[])?,
            Some(TableArgValue::Query(query)) => self.query(query)?,
            _ => {
                return Err(
                    SqlError::new(format!("{upper} needs a table"), span).with_hint(usage())
                );
            }
        };
        let Some(TableArgValue::Descriptor(columns)) = named[1] else {
            return Err(SqlError::new(format!("{upper} needs DESCRIPTOR(time column)"), span)
                .with_hint(usage()));
        };
        let column = &columns[0];
        let Some(index) = input.fields.iter().position(|f| f.name == column.value) else {
            return Err(unknown_column(&column.value, &input.fields, column.span));
        };
        let mut sizes = Vec::new();
        for value in &named[2..] {
            sizes.push(match value {
                Some(TableArgValue::Expr(expr)) => Some(self.interval_ms(expr)?),
                Some(_) => return Err(SqlError::new(usage(), span)),
                None => None,
            });
        }
        let offset = if session { 0 } else { sizes.pop().flatten().unwrap_or(0) };
        let Some(sizes) = sizes.into_iter().collect::<Option<Vec<i64>>>() else {
            return Err(
                SqlError::new(format!("{upper} has too few arguments"), span).with_hint(usage())
            );
        };
        let partition = partition(args, &input.fields)?;
        if session {
            let sessions = self.sessions(sizes[0], &input.fields, index, column.span)?;
            return Ok(session_table(input, sessions, partition));
        }
        if !partition.is_empty() {
            return Err(SqlError::new(format!("{upper} takes no PARTITION BY"), span)
                .with_hint("its windows are the same for all rows; group by the column instead"));
        }
        let kind = window_kind(&upper, &sizes, span)?;
        if let WindowKind::Tumble { size_ms } = kind
            && offset.abs() >= size_ms
        {
            let message =
                format!("the offset of TUMBLE must be less than its size of {size_ms} ms");
            return Err(SqlError::new(message, span));
        }
        let windows = self.windows(kind, offset, &input.fields, index, column.span)?;
        Ok(window_table(input, windows))
    }

    /// Sessions over column `index`, which must be a time attribute.
    fn sessions(
        &self,
        gap_ms: i64,
        fields: &[RelField],
        index: usize,
        span: Span,
    ) -> SqlResult<Sessions> {
        if gap_ms <= 0 {
            return Err(SqlError::new("the gap of a session must be positive", span));
        }
        let (time, zone) = self.time_attribute(fields, index, span)?;
        Ok(Sessions { spec: SessionSpec { gap_ms, zone }, time })
    }

    /// The columns that group windows see: behind joins they take what was rowtime before, as in Flink.
    fn seen_by_group_windows(input: &[RelField]) -> Vec<RelField> {
        let seen = |field: &RelField| RelField {
            time: field.time.or(field.faded.then_some(TimeAttribute::Event)),
            ..field.clone()
        };
        input.iter().map(seen).collect()
    }

    /// Windows over column `index`, which must be a time attribute.
    fn windows(
        &self,
        kind: WindowKind,
        offset_ms: i64,
        fields: &[RelField],
        index: usize,
        span: Span,
    ) -> SqlResult<Windows> {
        let (time, zone) = self.time_attribute(fields, index, span)?;
        Ok(Windows { spec: WindowSpec { kind, offset_ms, zone }, time })
    }

    /// Column `index` as event time, or `None` for processing time, and the zone of its windows.
    fn time_attribute(
        &self,
        fields: &[RelField],
        index: usize,
        span: Span,
    ) -> SqlResult<(Option<usize>, Option<Arc<dyn LocalTime>>)> {
        let field = &fields[index];
        let time = match field.time {
            Some(TimeAttribute::Event) => Some(index),
            Some(TimeAttribute::Processing) => None,
            None => {
                return Err(SqlError::new(
                    format!("'{}' is {}, not a time attribute", field.name, field.data_type),
                    span,
                )
                .with_hint(format!(
                    "declare WATERMARK FOR {} AS {} - INTERVAL '5' SECOND in its table, or a column AS PROCTIME()",
                    field.name, field.name
                )));
            }
        };
        Ok((time, self.zone_of(&field.data_type)))
    }

    /// The zone in which windows over a time of this type have their bounds; `None` for UTC or no zone.
    fn zone_of(&self, time: &DataType) -> Option<Arc<dyn LocalTime>> {
        let local = matches!(time.kind, TypeKind::TimestampLtz { .. });
        let zone = self.context.session.time_zone;
        (local && zone != chrono_tz::UTC).then(|| Arc::new(Zone(zone)) as Arc<dyn LocalTime>)
    }

    /// A day-time interval as ms.
    pub(super) fn interval_ms(&self, expr: &Expr) -> SqlResult<i64> {
        let bound = self.expressions(&[]).bind(expr)?;
        match (&bound.data_type.kind, bound.as_literal()) {
            (TypeKind::IntervalDayTime, Some(value)) if value.is_valid(0) => {
                Ok(value.as_primitive::<DurationMillisecondType>().value(0))
            }
            _ => Err(SqlError::new("expected an interval such as INTERVAL '10' SECOND", expr.span)),
        }
    }

    /// The keys of GROUP BY, and its windows.
    pub(super) fn grouping(
        &self,
        select: &Select,
        input: &[RelField],
        around: Surroundings,
    ) -> SqlResult<(Grouping, GroupWindow)> {
        let binder = ExprBinder { around, ..self.expressions(input) };
        let mut grouping = Grouping {
            input: input.to_vec().into(),
            keys: Vec::new(),
            around: binder.around.clone(),
            sets: vec![Vec::new()],
            legacy_window: None,
            projected: Vec::new(),
            calls: Vec::new(),
        };
        let mut legacy = None;
        for item in &select.group_by {
            let expr = match item {
                GroupItem::Expr(expr) => expr,
                GroupItem::GroupingSets(sets, span) => {
                    grouping.multiply(&binder, sets, *span)?;
                    continue;
                }
            };
            if let Some(window) = self.legacy_window(expr, input)? {
                if legacy.replace((window, expr)).is_some() {
                    return Err(SqlError::new("GROUP BY takes one window", expr.span));
                }
                continue;
            }
            let key = grouping.key(&binder, expr)?;
            grouping.sets.iter_mut().for_each(|set| set.push(key));
        }
        grouping.close_sets(legacy.is_some(), select.span)?;
        let window = match legacy {
            Some((windows, expr)) => {
                let ExprKind::Function(call) = expr.kind.as_ref() else {
                    return Err(SqlError::new("expected a window function", expr.span));
                };
                let name = call.name.last().value.to_ascii_uppercase();
                let text = legacy_text(&binder, &name, &call.args)?;
                grouping.legacy_window = Some((text, grouping.keys.len()));
                push_legacy_keys(&mut grouping, time_of(&windows), input);
                GroupWindow::Legacy(windows)
            }
            None => attached(&grouping.keys),
        };
        Ok((grouping, window))
    }

    fn legacy_window(&self, expr: &Expr, input: &[RelField]) -> SqlResult<Option<WindowSource>> {
        let ExprKind::Function(call) = expr.kind.as_ref() else { return Ok(None) };
        let name = call.name.last().value.to_ascii_uppercase();
        let shape = ["TUMBLE", "HOP", "SESSION"].contains(&name.as_str());
        if !shape || call.args.len() < 2 {
            return Ok(None);
        }
        let time = self.expressions(input).bind(&call.args[0])?;
        let Some(index) = time.as_column() else {
            return Err(SqlError::new(
                "the first argument must be a time attribute",
                call.args[0].span,
            ));
        };
        let input = &Self::seen_by_group_windows(input);
        let sizes =
            call.args[1..].iter().map(|a| self.interval_ms(a)).collect::<SqlResult<Vec<_>>>()?;
        if let ("SESSION", [gap_ms]) = (name.as_str(), sizes.as_slice()) {
            let sessions = self.sessions(*gap_ms, input, index, call.args[0].span)?;
            return Ok(Some(WindowSource::Sessions(sessions)));
        }
        let (sizes, offset) = match (name.as_str(), sizes.as_slice()) {
            ("TUMBLE", [size]) | ("TUMBLE", [size, _]) => (vec![*size], sizes.get(1).copied()),
            ("HOP", [slide, size]) | ("HOP", [slide, size, _]) => {
                (vec![*slide, *size], sizes.get(2).copied())
            }
            _ => return Err(SqlError::new(format!("{name} has too many arguments"), expr.span)),
        };
        let kind = window_kind(&name, &sizes, expr.span)?;
        let windows = self.windows(kind, offset.unwrap_or(0), input, index, call.args[0].span)?;
        Ok(Some(WindowSource::Assign(windows)))
    }

    /// The aggregation: result columns are the keys in order, then the calls.
    pub(super) fn aggregation(
        &self,
        mut input: Rel,
        grouping: Grouping,
        window: GroupWindow,
        span: Span,
    ) -> SqlResult<Rel> {
        let legacy_keys = if grouping.legacy_window.is_some() { 3 } else { 0 };
        let set_keys = usize::from(!grouping.sets.is_empty());
        let plain_keys = grouping.keys.len() - legacy_keys - set_keys;
        let mut this = grouping;
        let key_columns: Vec<usize> = (0..plain_keys)
            .map(|i| {
                let expr = this.keys[i].expr.clone();
                this.project(expr)
            })
            .collect();
        let calls: Vec<_> = this.calls.iter().map(|(_, call, _)| call.clone()).collect();
        let call_fields: Vec<RelField> =
            this.calls.iter().map(|(text, _, t)| RelField::new(text, t.clone())).collect();
        let mut key_fields: Vec<RelField> = this.keys.iter().map(|k| k.field.clone()).collect();
        let mut source = match window {
            GroupWindow::None => None,
            GroupWindow::Legacy(source) => {
                let (below, mut source) = self.emitting(input, &mut this, source, span)?;
                input = below;
                if let WindowSource::Assign(Windows { time: Some(column), .. })
                | WindowSource::Sessions(Sessions { time: Some(column), .. }) = &mut source
                {
                    let time = Bound::column(*column, input.fields[*column].data_type.clone());
                    *column = this.project(time);
                }
                Some(source)
            }
            GroupWindow::Attached { start, end } => {
                let column = this.keys[start].expr.as_column();
                let origin = column.and_then(|c| origin(&input, c));
                let processing_time =
                    origin.as_ref().is_some_and(|f| f.time == Some(TimeAttribute::Processing));
                let zone = origin.and_then(|time| self.zone_of(&time.data_type));
                let (start, end) = (key_columns[start], key_columns[end]);
                self.check_emit(span)?;
                Some(WindowSource::Attached { start, end, processing_time, zone, emit: None })
            }
        };
        if this.around.subqueries.is_some() && legacy_keys == 0 {
            // Behind the join with it rows come when their partners do: windows are keys like others, as in Flink, but
            // for group windows.
            source = None;
            this.around.untime(&mut key_fields);
        }
        let (input, projected) = self.settled(input, this.projected, &this.around)?;
        let mut input = pre_projection(input, projected);
        let mut key_columns = key_columns;
        if !this.sets.is_empty() {
            (input, key_columns) = Grouping::expanded(&this.keys, &this.sets, input, &key_columns);
        }
        let Some(source) = source else {
            if key_columns.is_empty() && calls.is_empty() {
                return Err(SqlError::new(
                    "GROUP BY and aggregate functions are both missing",
                    span,
                ));
            }
            let fields = key_fields.into_iter().chain(call_fields).collect();
            let kind =
                RelKind::Aggregate { input: Box::new(input), keys: key_columns, aggregates: calls };
            return Ok(Rel { kind, fields });
        };
        Ok(window_aggregate(input, source, &key_columns, calls, key_fields, call_fields))
    }
}

/// The aggregate with its columns put into the order of GROUP BY.
fn window_aggregate(
    input: Rel,
    source: WindowSource,
    key_columns: &[usize],
    calls: Vec<mainstem_engine::aggregate::AggregateCall>,
    key_fields: Vec<RelField>,
    call_fields: Vec<RelField>,
) -> Rel {
    let is_window = |column: usize| match source {
        WindowSource::Attached { start, end, emit: None, .. } => {
            column == start
                || column == end
                || input.fields[column].window == Some(WindowRole::Time)
        }
        _ => false,
    };
    let keys: Vec<usize> = key_columns.iter().copied().filter(|&c| !is_window(c)).collect();
    let first_window = keys.len() + calls.len();
    let role_place = |role: WindowRole| match role {
        WindowRole::Start => first_window,
        WindowRole::End => first_window + 1,
        WindowRole::Time => first_window + 2,
    };
    // Where each key, then each call, stands in the operator's output.
    let mut places = Vec::new();
    let mut plain = 0;
    for (i, field) in key_fields.iter().enumerate() {
        let own_window = i >= key_columns.len() || is_window(key_columns[i]);
        match field.window.filter(|_| own_window) {
            Some(role) => places.push(role_place(role)),
            None => {
                places.push(plain);
                plain += 1;
            }
        }
    }
    places.extend(keys.len()..first_window);
    let time_type = match &source {
        WindowSource::Assign(Windows { time: Some(column), .. })
        | WindowSource::Sessions(Sessions { time: Some(column), .. }) => {
            input.fields[*column].data_type.with_nullable(false)
        }
        WindowSource::Attached { .. } => {
            let time = key_fields.iter().find(|f| f.window == Some(WindowRole::Time));
            time.map_or_else(timestamp, |f| f.data_type.clone())
        }
        WindowSource::Assign(_) | WindowSource::Sessions(_) => {
            TypeKind::TimestampLtz { precision: 3 }.not_null()
        }
    };
    let mut fields: Vec<RelField> =
        keys.iter().map(|&c| RelField { qualifier: None, ..input.fields[c].clone() }).collect();
    fields.extend(call_fields.iter().cloned());
    fields.push(RelField {
        window: Some(WindowRole::Start),
        ..RelField::new("window_start", timestamp())
    });
    fields.push(RelField {
        window: Some(WindowRole::End),
        ..RelField::new("window_end", timestamp())
    });
    fields.push(RelField {
        window: Some(WindowRole::Time),
        time: Some(TimeAttribute::Event),
        ..RelField::new("window_time", time_type)
    });
    let aggregate = Rel {
        kind: RelKind::WindowAggregate {
            input: Box::new(input),
            keys,
            aggregates: calls,
            windows: source,
        },
        fields,
    };
    let named: Vec<RelField> = key_fields.into_iter().chain(call_fields).collect();
    let mut rel = aggregate.select(&places);
    for (field, named) in rel.fields.iter_mut().zip(named) {
        let data_type = field.data_type.clone();
        *field = RelField { data_type, ..named };
    }
    rel
}

fn pre_projection(input: Rel, exprs: Vec<Bound>) -> Rel {
    let fields = exprs
        .iter()
        .map(|e| match e.as_column() {
            Some(index) => RelField { qualifier: None, ..input.fields[index].clone() },
            None => RelField::new(e.fingerprint(), e.data_type.clone()),
        })
        .collect();
    Rel { kind: RelKind::Project { input: Box::new(input), exprs }, fields }
}

/// window_start, window_end and window_time of a legacy window, as keys behind the others.
fn push_legacy_keys(grouping: &mut Grouping, time: Option<usize>, input: &[RelField]) {
    let (time_type, attribute) = match time {
        Some(index) => (input[index].data_type.with_nullable(false), TimeAttribute::Event),
        None => (TypeKind::TimestampLtz { precision: 3 }.not_null(), TimeAttribute::Processing),
    };
    let roles = [
        (WindowRole::Start, "window_start", timestamp(), None),
        (WindowRole::End, "window_end", timestamp(), None),
        (WindowRole::Time, "window_time", time_type, Some(attribute)),
    ];
    for (role, name, data_type, time) in roles {
        // No expression of the input equals it: only TUMBLE_START and its like name it.
        let expr = Bound::column(usize::MAX, data_type.clone());
        let field = RelField { time, window: Some(role), ..RelField::new(name, data_type) };
        grouping.keys.push(Key { expr, field });
    }
}

fn attached(keys: &[Key]) -> GroupWindow {
    let find = |role| keys.iter().position(|k| k.field.window == Some(role));
    match (find(WindowRole::Start), find(WindowRole::End)) {
        (Some(start), Some(end)) => GroupWindow::Attached { start, end },
        _ => GroupWindow::None,
    }
}

fn window_kind(name: &str, sizes: &[i64], span: Span) -> SqlResult<WindowKind> {
    if sizes.iter().any(|s| *s <= 0) {
        return Err(SqlError::new("the sizes of a window must be positive", span));
    }
    match (name, sizes) {
        ("TUMBLE", [size_ms]) => Ok(WindowKind::Tumble { size_ms: *size_ms }),
        ("HOP", [slide_ms, size_ms]) if name == "HOP" => {
            if size_ms % slide_ms != 0 {
                let message = format!(
                    "HOP needs a size that is a multiple of the slide, these are {size_ms} ms and {slide_ms} ms"
                );
                return Err(SqlError::new(message, span));
            }
            Ok(WindowKind::Hop { size_ms: *size_ms, slide_ms: *slide_ms })
        }
        (_, [step_ms, max_size_ms]) => {
            if max_size_ms % step_ms != 0 {
                let message = format!(
                    "CUMULATE needs a size that is a multiple of the step, these are {max_size_ms} ms and {step_ms} ms"
                );
                return Err(SqlError::new(message, span));
            }
            Ok(WindowKind::Cumulate { max_size_ms: *max_size_ms, step_ms: *step_ms })
        }
        _ => Err(SqlError::new(format!("{name} has a wrong number of arguments"), span)),
    }
}

/// The time column of windows that are computed; `None` for processing time.
fn time_of(source: &WindowSource) -> Option<usize> {
    match source {
        WindowSource::Assign(windows) => windows.time,
        WindowSource::Sessions(sessions) => sessions.time,
        WindowSource::Attached { .. } => None,
    }
}

/// The columns of PARTITION BY.
fn partition(args: &[TableArg], fields: &[RelField]) -> SqlResult<Vec<usize>> {
    let columns = args.iter().flat_map(|arg| &arg.partition_by);
    columns
        .map(|column| {
            let found = fields.iter().position(|f| f.name == column.value);
            found.ok_or_else(|| unknown_column(&column.value, fields, column.span))
        })
        .collect()
}

/// `window_time` as the window function made it from which column `column`, a bound of a window, comes.
fn origin(rel: &Rel, column: usize) -> Option<RelField> {
    let time = || rel.fields.iter().find(|f| f.window == Some(WindowRole::Time)).cloned();
    match &rel.kind {
        RelKind::WindowTable { .. }
        | RelKind::SessionTable { .. }
        | RelKind::WindowAggregate { .. } => time(),
        RelKind::Project { input, exprs } => origin(input, exprs.get(column)?.as_column()?),
        RelKind::UnionAll { inputs } => origin(inputs.first()?, column),
        RelKind::Join { left, right, .. } | RelKind::TimedJoin { left, right, .. } => {
            match column.checked_sub(left.fields.len()) {
                None => origin(left, column),
                Some(column) => origin(right, column),
            }
        }
        _ => {
            let input = *rel.inputs().first()?;
            let same = input.fields.get(column)?.window == rel.fields.get(column)?.window;
            if same { origin(input, column) } else { time() }
        }
    }
}

fn session_table(input: Rel, sessions: Sessions, keys: Vec<usize>) -> Rel {
    let fields = with_window(&input, sessions.time);
    Rel { kind: RelKind::SessionTable { input: Box::new(input), sessions, keys }, fields }
}

pub(super) fn window_table(input: Rel, windows: Windows) -> Rel {
    let fields = with_window(&input, windows.time);
    Rel { kind: RelKind::WindowTable { input: Box::new(input), windows }, fields }
}

/// The columns of a window table function over column `time`.
fn with_window(input: &Rel, time: Option<usize>) -> Vec<RelField> {
    let (time_type, attribute) = match time {
        Some(index) => (input.fields[index].data_type.with_nullable(false), TimeAttribute::Event),
        None => (TypeKind::TimestampLtz { precision: 3 }.not_null(), TimeAttribute::Processing),
    };
    let mut fields: Vec<RelField> = input
        .fields
        .iter()
        .map(|f| RelField {
            // The time column itself is no longer what windows go by: window_time is.
            time: f.time.filter(|t| *t == TimeAttribute::Processing && time.is_some()),
            window: None,
            ..f.clone()
        })
        .collect();
    let window = |role, name: &str, data_type, time| RelField {
        window: Some(role),
        time,
        ..RelField::new(name, data_type)
    };
    fields.push(window(WindowRole::Start, "window_start", timestamp(), None));
    fields.push(window(WindowRole::End, "window_end", timestamp(), None));
    fields.push(window(WindowRole::Time, "window_time", time_type, Some(attribute)));
    fields
}

/// The arguments in the order of `order`, whether given by position or by name.
pub(super) fn by_name<'t>(
    args: &'t [TableArg],
    order: &[&str],
    function: &str,
    span: Span,
) -> SqlResult<Vec<Option<&'t TableArgValue>>> {
    let mut found = vec![None; order.len()];
    for (position, arg) in args.iter().enumerate() {
        let index = match &arg.name {
            None => Some(position).filter(|p| *p < order.len()),
            Some(name) => {
                let place = order.iter().position(|o| o.eq_ignore_ascii_case(&name.value));
                if place.is_none() {
                    let message = format!("{function} has no argument '{}'", name.value);
                    return Err(SqlError::new(message, name.span)
                        .with_hint(format!("its arguments are {}", order.join(", "))));
                }
                place
            }
        };
        match index {
            Some(index) => found[index] = Some(&arg.value),
            None => {
                return Err(SqlError::new(format!("{function} has too many arguments"), span));
            }
        }
    }
    Ok(found)
}
