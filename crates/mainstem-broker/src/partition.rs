//! A partition: its log, the producers that wait for its sync, the fetches that wait for more.
//! Invariant: an ack is released only when the high watermark has passed what it stands for; a fetch that watches is told of
//! every move of the high watermark and of the last stable offset.

use std::collections::{BTreeSet, VecDeque};

use mainstem_log::Log;

use crate::call::RequestId;
use crate::upkeep::Upkeep;

/// One partition of a topic.
#[derive(Debug)]
pub(crate) struct Partition {
    pub(crate) log: Log,
    pub(crate) syncing: bool,
    pub(crate) upkeep: Upkeep,
    /// How far the journal has to be durable before this partition is promised to anybody: its records, too.
    pub(crate) promised_from: i64,
    /// Whether the operator knows that it takes no records; ends when it takes one.
    pub(crate) complained: bool,
    /// Fetches that wait for more than there was.
    pub(crate) watchers: BTreeSet<RequestId>,
    acks: VecDeque<(i64, RequestId)>,
    shown: (i64, i64),
}

impl Partition {
    pub(crate) fn new(log: Log) -> Self {
        let shown = (log.high_watermark(), log.last_stable_offset());
        Self {
            log,
            syncing: false,
            upkeep: Upkeep::default(),
            promised_from: 0,
            complained: false,
            watchers: BTreeSet::new(),
            acks: VecDeque::new(),
            shown,
        }
    }

    /// Nothing of a topic is shown before the topic itself is durable: until the journal has reached `journal_end` its partitions
    /// look empty, as after a loss of power they may never have been.
    pub(crate) fn is_promised(&self, journal_end: i64) -> bool {
        self.promised_from <= journal_end
    }

    /// The producer `to` waits until everything appended so far is durable.
    pub(crate) fn ack_later(&mut self, to: RequestId) {
        self.acks.push_back((self.log.log_end_offset(), to));
    }

    /// The next producer whose records are durable now.
    pub(crate) fn acked(&mut self) -> Option<RequestId> {
        let (end, _) = self.acks.front()?;
        if *end > self.log.high_watermark() {
            return None;
        }
        self.acks.pop_front().map(|(_, to)| to)
    }

    /// Whether a producer waits for a sync.
    pub(crate) fn is_waited_for(&self) -> bool {
        !self.acks.is_empty()
    }

    /// All that wait for a sync that will never succeed.
    pub(crate) fn give_up(&mut self) -> impl Iterator<Item = RequestId> + use<> {
        std::mem::take(&mut self.acks).into_iter().map(|(_, to)| to)
    }

    /// True if readers can see something that they could not when this was asked last.
    pub(crate) fn moved(&mut self) -> bool {
        let now = (self.log.high_watermark(), self.log.last_stable_offset());
        std::mem::replace(&mut self.shown, now) != now
    }
}
