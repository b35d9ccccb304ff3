//! Early and late firing of group windows: `table.exec.emit.*`.
//! Invariant: as in Flink they hold for group windows (GROUP BY TUMBLE(...)) only, and window table functions refuse
//! them. Sessions are refused.

use mainstem_engine::window::EmitSpec;

use super::Binder;
use super::aggregate::Grouping;
use super::window::window_table;
use crate::bound::Bound;
use crate::error::{SqlError, SqlResult};
use crate::rel::{Rel, WindowSource};
use crate::source::Span;

impl Binder<'_> {
    /// Refuses what window table functions do not take.
    pub(super) fn check_emit(&self, span: Span) -> SqlResult<()> {
        let emit = &self.context.session.emit;
        if emit.early_fire || emit.late_fire {
            return Err(SqlError::new(
                "window table functions take no early or late firing (table.exec.emit)",
                span,
            )
            .with_hint("write the window as GROUP BY TUMBLE(ts, ...), or RESET the settings"));
        }
        Ok(())
    }

    /// A group window whose results are shown more than once: its rows get their windows from a window table, and the
    /// aggregate reads them there. Others are left as they are.
    pub(super) fn emitting(
        &self,
        input: Rel,
        grouping: &mut Grouping,
        source: WindowSource,
        span: Span,
    ) -> SqlResult<(Rel, WindowSource)> {
        let event_time = match &source {
            WindowSource::Assign(windows) => windows.time.is_some(),
            WindowSource::Sessions(sessions) => sessions.time.is_some(),
            WindowSource::Attached { .. } => return Ok((input, source)),
        };
        let Some(emit) = self.emit_spec(event_time, span)? else { return Ok((input, source)) };
        let WindowSource::Assign(windows) = source else {
            return Err(SqlError::unsupported("early and late firing of SESSION windows", span)
                .with_hint("RESET the settings table.exec.emit.*"));
        };
        let zone = windows.spec.zone.clone();
        let first = input.fields.len();
        let input = window_table(input, windows);
        let mut column =
            |at: usize| grouping.project(Bound::column(at, input.fields[at].data_type.clone()));
        let (start, end) = (column(first), column(first + 1));
        let emit = Some(emit);
        let source =
            WindowSource::Attached { start, end, processing_time: !event_time, zone, emit };
        Ok((input, source))
    }

    fn emit_spec(&self, event_time: bool, span: Span) -> SqlResult<Option<EmitSpec>> {
        let emit = &self.context.session.emit;
        let delay = |enabled: bool, delay: Option<i64>, which: &str| match (enabled, delay) {
            (false, _) => Ok(None),
            (true, Some(delay)) => Ok(Some(delay)),
            (true, None) => {
                let name = format!("table.exec.emit.{which}-fire.delay");
                Err(SqlError::new(format!("'{name}' is not set"), span)
                    .with_hint(format!("SET '{name}' = '0 ms' shows every change")))
            }
        };
        let early_delay_ms = delay(emit.early_fire, emit.early_delay_ms, "early")?;
        let late_delay_ms =
            if event_time { delay(emit.late_fire, emit.late_delay_ms, "late")? } else { None };
        let allow_lateness_ms = emit.allow_lateness_ms.filter(|_| event_time).unwrap_or(0);
        if late_delay_ms.is_some_and(|delay| allow_lateness_ms <= delay.max(0)) {
            return Err(SqlError::new(
                "'table.exec.emit.allow-lateness' must be longer than the delay of late firing",
                span,
            ));
        }
        let updates = early_delay_ms.is_some() || allow_lateness_ms > 0;
        Ok(updates.then_some(EmitSpec { early_delay_ms, late_delay_ms, allow_lateness_ms }))
    }
}
