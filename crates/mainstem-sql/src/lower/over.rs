//! OVER: rows of a partition meet on one worker; the operator that emits each row once where that is possible.
//! Invariant: rows come out once only if the input only appends, the order is the ascending time attribute, and no
//! call looks ahead.

use mainstem_engine::over::{Frame, OverCall, OverFunction};
use mainstem_engine::plan::{NodeKind, TimeSource};

use super::Lowering;
use crate::error::SqlResult;
use crate::explain;
use crate::rel::{Rel, RelField, RelKind, TimeAttribute};

impl Lowering<'_> {
    pub(super) fn over(&mut self, rel: &Rel) -> SqlResult<usize> {
        let RelKind::Over { input, partition, order, time, calls } = &rel.kind else {
            unreachable!("called for OVER only")
        };
        let node = self.rel(input)?;
        let node = self.exchange(node, partition.clone(), &input.types());
        let once = !self.changelog(node) && calls.iter().all(|c| c.function.looks_back());
        let time = match time {
            Some(TimeAttribute::Event) if once => {
                Some(TimeSource::EventTime { column: order[0].0 })
            }
            Some(TimeAttribute::Processing) if once => Some(TimeSource::ProcessingTime),
            _ => None,
        };
        let name = format!(
            "Over(partition by [{}], order by [{}], {})",
            partition.iter().map(|&c| input.fields[c].name.as_str()).collect::<Vec<_>>().join(", "),
            order.iter().map(|key| order_text(key, &input.fields)).collect::<Vec<_>>().join(", "),
            calls.iter().map(|c| call_text(c, &input.fields)).collect::<Vec<_>>().join(", ")
        );
        let kind = NodeKind::Over {
            partition: partition.clone(),
            order: order.clone(),
            time,
            calls: calls.clone(),
        };
        Ok(self.push(kind, vec![node], name, &rel.types(), time.is_none()))
    }
}

pub(super) fn order_text(
    &(column, descending, nulls_first): &(usize, bool, bool),
    fields: &[RelField],
) -> String {
    let nulls = match (descending, nulls_first) {
        (false, false) => " NULLS LAST",
        (true, true) => " NULLS FIRST",
        _ => "",
    };
    format!("{}{}{nulls}", fields[column].name, if descending { " DESC" } else { "" })
}

/// `SUM(price) ROWS BETWEEN 2 PRECEDING AND CURRENT ROW` by column names.
fn call_text(over: &OverCall, fields: &[RelField]) -> String {
    let text = match &over.function {
        OverFunction::Aggregate { call, .. } => explain::call(call, fields),
        OverFunction::Ntile(parts) => format!("NTILE({parts})"),
        OverFunction::Shift { column, rows, .. } => {
            format!("{}({}, {})", over.function.name(), fields[*column].name, rows.abs())
        }
        function => {
            let columns = function.columns();
            let args = columns.first().map_or("", |&c| fields[c].name.as_str());
            format!("{}({args})", function.name())
        }
    };
    match over.function.frame() {
        Some(frame) => format!("{text} {}", frame_text(&frame)),
        None => text,
    }
}

fn frame_text(frame: &Frame) -> String {
    let end = |end: Option<i64>, own: &str| match end {
        None => format!("UNBOUNDED {own}"),
        Some(0) => "CURRENT ROW".to_owned(),
        Some(n) if n < 0 => format!("{} PRECEDING", -n),
        Some(n) => format!("{n} FOLLOWING"),
    };
    let unit = if frame.rows { "ROWS" } else { "RANGE" };
    format!("{unit} BETWEEN {} AND {}", end(frame.start, "PRECEDING"), end(frame.end, "FOLLOWING"))
}
