//! Requests that are parked: fetches until there is enough or time is over, producers until the last of their partitions
//! is durable.
//! Invariant: a request is in at most one place; taking it out is what answers it.

use std::collections::{BTreeMap, BTreeSet};

use crate::ErrorCode;
use crate::call::{Call, ConnectionId, RequestId};
use crate::wire::{FetchRequest, ProduceResponse, StrBytes};

/// A fetch that had not enough to answer.
#[derive(Debug)]
pub(crate) struct WaitingFetch {
    pub(crate) call: Call,
    pub(crate) request: FetchRequest,
    pub(crate) deadline_ms: i64,
}

/// A produce whose records are appended and not yet durable everywhere.
#[derive(Debug)]
pub(crate) struct WaitingProduce {
    pub(crate) connection: ConnectionId,
    pub(crate) response: ProduceResponse,
    /// Partitions that are not durable yet.
    pub(crate) open: usize,
}

/// The parked requests.
#[derive(Debug, Default)]
pub(crate) struct Waiting {
    fetches: BTreeMap<RequestId, WaitingFetch>,
    deadlines: BTreeSet<(i64, RequestId)>,
    pub(crate) produces: BTreeMap<RequestId, WaitingProduce>,
}

impl Waiting {
    pub(crate) fn park_fetch(&mut self, fetch: WaitingFetch) {
        self.deadlines.insert((fetch.deadline_ms, fetch.call.id));
        self.fetches.insert(fetch.call.id, fetch);
    }

    pub(crate) fn fetch(&self, id: RequestId) -> Option<&WaitingFetch> {
        self.fetches.get(&id)
    }

    pub(crate) fn take_fetch(&mut self, id: RequestId) -> Option<WaitingFetch> {
        let fetch = self.fetches.remove(&id)?;
        self.deadlines.remove(&(fetch.deadline_ms, id));
        Some(fetch)
    }

    /// The fetch whose time is over first.
    pub(crate) fn overdue(&self, now_ms: i64) -> Option<RequestId> {
        self.deadlines.first().filter(|(at, _)| *at <= now_ms).map(|(_, id)| *id)
    }

    pub(crate) fn next_deadline_ms(&self) -> Option<i64> {
        self.deadlines.first().map(|(at, _)| *at)
    }

    /// One of the partitions of a produce is durable; the answer, if it was the last.
    pub(crate) fn produced(&mut self, id: RequestId) -> Option<ProduceResponse> {
        let produce = self.produces.get_mut(&id)?;
        produce.open -= 1;
        if produce.open > 0 {
            return None;
        }
        self.produces.remove(&id).map(|done| done.response)
    }

    /// One of the partitions of a produce will never be durable; the answer, if it was the last.
    pub(crate) fn not_produced(
        &mut self,
        id: RequestId,
        topic: &StrBytes,
        partition: i32,
        code: ErrorCode,
    ) -> Option<ProduceResponse> {
        let produce = self.produces.get_mut(&id)?;
        let topics = produce.response.responses.iter_mut().filter(|found| found.name == *topic);
        let partitions = topics.flat_map(|topic| &mut topic.partition_responses);
        for answer in partitions.filter(|answer| answer.index == partition) {
            answer.error_code = code.code();
            answer.base_offset = -1;
            answer.log_append_time_ms = -1;
            answer.log_start_offset = -1;
        }
        self.produced(id)
    }

    /// Every fetch that waits.
    pub(crate) fn all_fetches(&self) -> Vec<RequestId> {
        self.fetches.keys().copied().collect()
    }

    /// The fetches that came over a connection.
    pub(crate) fn fetches_of(&self, connection: ConnectionId) -> Vec<RequestId> {
        let own = self.fetches.values().filter(|fetch| fetch.call.connection == connection);
        own.map(|fetch| fetch.call.id).collect()
    }
}
