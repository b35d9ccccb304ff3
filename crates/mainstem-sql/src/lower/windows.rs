//! The table function SESSION and GROUP BY over windows of every kind to plan nodes.
//! Invariant: the exchange goes by the sessions' keys; without keys there is one worker.

use mainstem_engine::aggregate::AggregateCall;
use mainstem_engine::plan::{NodeKind, WindowInput};

use super::{Lowering, time_source};
use crate::error::SqlResult;
use crate::explain;
use crate::rel::{Rel, RelKind, WindowSource};

impl Lowering<'_> {
    pub(super) fn session_table(&mut self, rel: &Rel) -> SqlResult<usize> {
        let RelKind::SessionTable { input, sessions, keys } = &rel.kind else {
            unreachable!("called for the table function SESSION only")
        };
        let node = self.rel(input)?;
        let node = self.exchange(node, keys.clone(), &input.types());
        let key_names: Vec<&str> = keys.iter().map(|k| input.fields[*k].name.as_str()).collect();
        let text = explain::sessions(sessions);
        let name = format!("SessionTable({text}, partition by [{}])", key_names.join(", "));
        let kind = NodeKind::SessionTable {
            session: sessions.spec.clone(),
            time: time_source(sessions.time),
            keys: keys.clone(),
        };
        let changelog = self.changelog(node);
        Ok(self.push(kind, vec![node], name, &rel.types(), changelog))
    }
}

/// The node of GROUP BY over windows, what EXPLAIN calls it, and whether it takes rows back.
pub(super) fn aggregate(
    windows: &WindowSource,
    keys: &[usize],
    aggregates: &[AggregateCall],
    detail: &str,
) -> (NodeKind, String, bool) {
    let (keys, aggregates) = (keys.to_vec(), aggregates.to_vec());
    match windows {
        WindowSource::Assign(windows) => {
            let time = time_source(windows.time);
            let window = WindowInput::Assign { window: windows.spec.clone(), time };
            let name = format!("WindowAggregate({}, {detail})", explain::windows(windows));
            (NodeKind::WindowAggregate { window, keys, aggregates }, name, false)
        }
        WindowSource::Sessions(sessions) => {
            let (session, time) = (sessions.spec.clone(), time_source(sessions.time));
            let name = format!("SessionAggregate({}, {detail})", explain::sessions(sessions));
            (NodeKind::SessionAggregate { session, time, keys, aggregates }, name, false)
        }
        WindowSource::Attached { start, end, processing_time, zone, emit } => {
            let window = WindowInput::Attached {
                start: *start,
                end: *end,
                processing_time: *processing_time,
                zone: zone.clone(),
            };
            let Some(emit) = *emit else {
                let name = format!("WindowAggregate(windows of the input, {detail})");
                return (NodeKind::WindowAggregate { window, keys, aggregates }, name, false);
            };
            let name = format!("WindowUpdates({}, {detail})", explain::emit(&emit));
            (NodeKind::WindowUpdates { window, emit, keys, aggregates }, name, true)
        }
    }
}
