//! A member of a group: what it can do, what it was given, and the request of it that is parked.
//! Invariant: at most one join and one sync of a member are parked; replacing one answers the older.

use bytes::Bytes;

use crate::call::RequestId;
use crate::wire::StrBytes;

/// One member, dynamic or static.
#[derive(Debug, Clone)]
pub(crate) struct Member {
    pub(crate) id: StrBytes,
    /// `group.instance.id`: the member keeps its place when it comes back under this name.
    pub(crate) instance_id: Option<StrBytes>,
    pub(crate) client_id: StrBytes,
    pub(crate) client_host: StrBytes,
    pub(crate) session_timeout_ms: i64,
    pub(crate) rebalance_timeout_ms: i64,
    /// Protocols (assignors) in the order of preference, with the metadata for each.
    pub(crate) protocols: Vec<(StrBytes, Bytes)>,
    pub(crate) assignment: Bytes,
    /// When the member counts as dead, unless it is heard of before.
    pub(crate) deadline_ms: i64,
    /// The join that is answered when the rebalance is complete.
    pub(crate) join: Option<RequestId>,
    /// The sync that is answered when the leader has assigned.
    pub(crate) sync: Option<RequestId>,
}

impl Member {
    pub(crate) fn supports(&self, protocol: &StrBytes) -> bool {
        self.protocols.iter().any(|(name, _)| name == protocol)
    }

    pub(crate) fn metadata(&self, protocol: Option<&StrBytes>) -> Bytes {
        let found = self.protocols.iter().find(|(name, _)| Some(name) == protocol);
        found.map(|(_, metadata)| metadata.clone()).unwrap_or_default()
    }

    /// Its favourite among the candidates.
    pub(crate) fn vote<'a>(&'a self, candidates: &[StrBytes]) -> Option<&'a StrBytes> {
        self.protocols.iter().map(|(name, _)| name).find(|name| candidates.contains(name))
    }

    pub(crate) fn is_static(&self) -> bool {
        self.instance_id.is_some()
    }

    /// It was heard of.
    pub(crate) fn alive(&mut self, now_ms: i64) {
        self.deadline_ms = now_ms + self.session_timeout_ms;
    }
}
