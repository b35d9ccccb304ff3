//! SESSION windows, and windows that show updates, to plan nodes.
//! Invariant: the exchange goes by the sessions' keys; without keys there is one worker.

use mainstem_engine::aggregate::AggregateCall;
use mainstem_engine::plan::{NodeKind, WindowInput};
use mainstem_engine::window::EmitSpec;

use super::{Lowering, time_source};
use crate::error::SqlResult;
use crate::explain;
use crate::rel::{Rel, RelKind, Sessions, WindowSource};

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

/// The node of GROUP BY over sessions of `keys`.
pub(super) fn aggregate(
    sessions: &Sessions,
    keys: &[usize],
    aggregates: &[AggregateCall],
) -> NodeKind {
    NodeKind::SessionAggregate {
        session: sessions.spec.clone(),
        time: time_source(sessions.time),
        keys: keys.to_vec(),
        aggregates: aggregates.to_vec(),
    }
}

/// The node of GROUP BY over windows that show updates.
pub(super) fn updates(
    windows: &WindowSource,
    emit: EmitSpec,
    keys: &[usize],
    aggregates: &[AggregateCall],
) -> NodeKind {
    let WindowSource::Attached { start, end, processing_time, zone, .. } = windows else {
        unreachable!("such windows are columns of the rows")
    };
    let window = WindowInput::Attached {
        start: *start,
        end: *end,
        processing_time: *processing_time,
        zone: zone.clone(),
    };
    NodeKind::WindowUpdates { window, emit, keys: keys.to_vec(), aggregates: aggregates.to_vec() }
}
