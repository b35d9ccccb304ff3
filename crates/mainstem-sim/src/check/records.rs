//! Records: sent, acknowledged, seen.
//! Checks that an acknowledged record stays where its producer was told it is, that an offset never changes its record, that a
//! record of an idempotent producer is nowhere twice, that ends of logs never go back, and that logs shrink only where they may.
//! What topics without durability have promised ends with a loss of power; a process that is killed loses nothing of it.

use std::collections::BTreeMap;

use mainstem_broker::wire::Uuid;

use super::Model;
use crate::frame::When;

/// A record's number, unique in a run; it is the first part of its value.
pub(crate) type Uid = usize;

/// A partition of a topic of the model.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Place {
    pub(crate) topic: usize,
    pub(crate) partition: i32,
}

/// A topic and what may happen in it.
#[derive(Debug, Clone)]
pub(crate) struct Topic {
    pub(crate) name: String,
    pub(crate) partitions: i32,
    /// Acknowledged means synced.
    pub(crate) durable: bool,
    /// All but the last record of a key may go.
    pub(crate) compacted: bool,
    /// Old records go by age or size.
    pub(crate) retained: bool,
    /// Old records go when a client says so.
    pub(crate) cut: bool,
    /// Transactions write here, and nothing ever goes.
    pub(crate) transactional: bool,
    /// No bit of it flips.
    pub(crate) spared: bool,
    /// A client deletes and makes it again and again; each time it is another topic of the model, with the same name.
    pub(crate) mortal: bool,
    /// Was deleted, or may have been.
    pub(crate) ended: bool,
    /// Of a mortal topic: from this step on it is there for certain.
    pub(crate) certain_since: Option<u64>,
    /// How long tombstones stay.
    pub(crate) delete_retention_ms: i64,
    /// Once somebody has asked for it.
    pub(crate) id: Option<Uuid>,
    pub(crate) configs: Vec<(&'static str, String)>,
}

impl Topic {
    pub(crate) fn new(name: &str, partitions: i32) -> Self {
        Self {
            name: name.to_owned(),
            partitions,
            durable: true,
            compacted: false,
            retained: false,
            cut: false,
            transactional: false,
            spared: false,
            mortal: false,
            ended: false,
            certain_since: None,
            delete_retention_ms: 86_400_000,
            id: None,
            configs: Vec::new(),
        }
    }

    pub(crate) fn with(mut self, config: (&'static str, String)) -> Self {
        self.configs.push(config);
        self
    }

    pub(crate) fn compacted(mut self, delete_retention_ms: i64) -> Self {
        self.compacted = true;
        self.delete_retention_ms = delete_retention_ms;
        self.with(("cleanup.policy", "compact".to_owned()))
            .with(("delete.retention.ms", delete_retention_ms.to_string()))
    }

    pub(crate) fn retained(mut self) -> Self {
        self.retained = true;
        self
    }

    pub(crate) fn cut(mut self) -> Self {
        self.cut = true;
        self
    }

    pub(crate) fn transactional(mut self) -> Self {
        self.transactional = true;
        self
    }

    pub(crate) fn mortal(mut self) -> Self {
        self.mortal = true;
        self.spared()
    }

    pub(crate) fn spared(mut self) -> Self {
        self.spared = true;
        self
    }

    pub(crate) fn weak(mut self) -> Self {
        self.durable = false;
        self
    }
}

/// A record that a client has sent.
#[derive(Debug, Clone)]
pub(crate) struct Sent {
    pub(crate) place: Place,
    pub(crate) key: Option<u32>,
    /// It has no value: its number is in a header.
    pub(crate) tombstone: bool,
    pub(crate) made_ms: i64,
    pub(crate) writer: u64,
    /// It may be there at most once.
    pub(crate) once: bool,
    /// Its writer's records stand in the order of their numbers.
    pub(crate) ordered: bool,
    pub(crate) transaction: Option<usize>,
    pub(crate) acked: bool,
    /// Where the broker said that it is.
    pub(crate) offset: Option<i64>,
}

impl Sent {
    /// A record without a key that is sent once.
    pub(crate) fn new(place: Place, writer: u64, made_ms: i64) -> Self {
        Self {
            place,
            key: None,
            tombstone: false,
            made_ms,
            writer,
            once: true,
            ordered: false,
            transaction: None,
            acked: false,
            offset: None,
        }
    }
}

/// What stands at an offset.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Seen {
    Record(Uid),
    Marker { producer_id: i64, commit: bool },
}

/// What is known of a partition.
#[derive(Debug, Default)]
pub(crate) struct PlaceState {
    pub(crate) seen: BTreeMap<i64, Seen>,
    pub(crate) where_seen: BTreeMap<Uid, i64>,
    pub(crate) acked: BTreeMap<i64, Uid>,
    pub(crate) start: i64,
    /// Clients asked for everything below to be deleted.
    pub(crate) cut_below: i64,
    /// The largest that was shown.
    pub(crate) high_watermark: i64,
    /// What was shown, by the step in which it was true.
    ends: BTreeMap<u64, Ends>,
    /// Answers of earlier lives of the broker tell nothing.
    pub(super) since_life: u32,
}

/// What every answer to a fetch says of a partition.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Ends {
    pub(crate) start: i64,
    pub(crate) high_watermark: i64,
    pub(crate) last_stable_offset: i64,
}

impl PlaceState {
    /// Nothing that was promised holds any more.
    pub(crate) fn forget(&mut self) {
        let Self { cut_below, since_life, .. } = *self;
        *self = Self { cut_below, since_life, ..Self::default() };
    }

    /// What was at this offset and behind is gone. Returns the records that are known to have been there.
    pub(super) fn forget_from(&mut self, end: i64, life: u32) -> Vec<Uid> {
        self.forget_ends(life);
        let seen = self.seen.split_off(&end).into_values();
        let seen = seen.filter_map(|seen| match seen {
            Seen::Record(uid) => Some(uid),
            Seen::Marker { .. } => None,
        });
        let lost: Vec<Uid> = seen.chain(self.acked.split_off(&end).into_values()).collect();
        self.where_seen.retain(|_, offset| *offset < end);
        lost
    }

    /// Where the log began and ended counts no more.
    pub(super) fn forget_ends(&mut self, life: u32) {
        self.ends.clear();
        self.high_watermark = self.start;
        self.since_life = life;
    }
}

/// All records.
#[derive(Debug)]
pub(crate) struct Records {
    pub(crate) sent: Vec<Sent>,
    pub(crate) places: BTreeMap<Place, PlaceState>,
}

impl Records {
    pub(crate) fn new(topics: &[Topic]) -> Self {
        let mut places = BTreeMap::new();
        for (topic, known) in topics.iter().enumerate() {
            for partition in 0..known.partitions {
                places.insert(Place { topic, partition }, PlaceState::default());
            }
        }
        Self { sent: Vec::new(), places }
    }
}

impl Model {
    /// A record is about to be sent for the first time.
    pub(crate) fn will_send(&mut self, sent: Sent) -> Uid {
        self.records.sent.push(sent);
        self.records.sent.len() - 1
    }

    pub(crate) fn state(&mut self, place: Place) -> &mut PlaceState {
        self.records.places.get_mut(&place).expect("a place of the model")
    }

    /// A batch was acknowledged; `base_offset` is -1 where the broker no longer knows it.
    pub(crate) fn acked(&mut self, place: Place, when: When, uids: &[Uid], base_offset: i64) {
        if !self.holds(place, when) || !self.is_certain(place, when) {
            return;
        }
        for (uid, offset) in uids.iter().zip(base_offset..) {
            let uid = *uid;
            self.records.sent[uid].acked = true;
            if base_offset < 0 {
                continue;
            }
            self.records.sent[uid].offset = Some(offset);
            let state = self.state(place);
            if let Some(other) = state.acked.insert(offset, uid).filter(|other| *other != uid) {
                let name = self.name(place);
                self.fail(format!(
                    "{name}: offset {offset} was acknowledged for record {other} and for {uid}"
                ));
                return;
            }
            if let Some(seen) = state.seen.get(&offset).copied().filter(|s| *s != Seen::Record(uid))
            {
                let name = self.name(place);
                self.fail(format!(
                    "{name}: offset {offset} was acknowledged for record {uid}, but shows {seen:?}"
                ));
                return;
            }
        }
    }

    /// A reader was shown what stands at an offset.
    pub(super) fn saw(&mut self, place: Place, offset: i64, what: Seen) {
        let name = self.name(place);
        if let Seen::Record(uid) = what {
            let Some(sent) = self.records.sent.get(uid).cloned() else {
                return self.fail(format!("{name}: record {uid} at {offset} was never sent"));
            };
            if !self.may_hold(place, &sent) {
                let other = self.name(sent.place);
                return self.fail(format!("{name}: record {uid} was sent to {other}: {sent:?}"));
            }
            let elsewhere = self.state(place).where_seen.insert(uid, offset);
            if let Some(elsewhere) =
                elsewhere.filter(|at| *at != offset && sent.once && !self.may_repeat(place))
            {
                return self.fail(format!(
                    "{name}: record {uid} of writer {} is at {elsewhere} and at {offset}",
                    sent.writer
                ));
            }
        }
        let state = self.state(place);
        if let Some(before) = state.seen.insert(offset, what).filter(|before| *before != what) {
            return self
                .fail(format!("{name}: offset {offset} was {before:?}, now it is {what:?}"));
        }
        if let Some(acked) = state.acked.get(&offset).copied()
            && Seen::Record(acked) != what
        {
            self.fail(format!("{name}: offset {offset} is {what:?}, acknowledged was {acked}"));
        }
    }

    /// A reader was shown the ends of a partition.
    pub(crate) fn shown(&mut self, place: Place, when: When, ends: Ends) {
        let name = self.name(place);
        let topic = &self.topics[place.topic];
        let (retained, cut) = (topic.retained, topic.cut);
        let unsettled = self.damage.unsettles(place);
        // A segment whose header says that it is old goes by retention.
        let aged = self.damage.is_header_hit(place);
        let state = self.state(place);
        let cut_below = state.cut_below;
        let before = state.ends.range(..when.answered).next_back().map(|(_, ends)| *ends);
        let after = state.ends.range(when.answered + 1..).next().map(|(_, ends)| *ends);
        state.ends.insert(when.answered, ends);
        state.start = state.start.max(ends.start);
        state.high_watermark = state.high_watermark.max(ends.high_watermark);
        let pairs = [before.map(|before| (before, ends)), after.map(|after| (ends, after))];
        for (before, after) in pairs.into_iter().flatten() {
            if after.start < before.start
                || after.high_watermark < before.high_watermark
                || (after.last_stable_offset < before.last_stable_offset && !unsettled)
            {
                self.fail(format!("{name}: an end went back: {before:?}, then {after:?}"));
            }
        }
        let Ends { start, high_watermark, last_stable_offset } = ends;
        let allowed = retained || aged || (cut && start <= cut_below);
        if start > 0 && !allowed {
            self.fail(format!(
                "{name}: the log starts at {start}, nobody allowed more than {cut_below}"
            ));
        }
        if last_stable_offset > high_watermark || start > last_stable_offset {
            self.fail(format!("{name}: {ends:?} contradict each other"));
        }
    }

    /// An offset that was shown was refused as outside of the log: only where records may go for good reasons.
    pub(crate) fn out_of_range(&mut self, place: Place, offset: i64) {
        let topic = &self.topics[place.topic];
        let may = topic.retained || topic.cut || !topic.durable || self.damage.unsettles(place);
        let name = self.name(place);
        if !may {
            self.fail(format!("{name}: offset {offset} was shown and is out of range now"));
        }
    }

    /// Records below an offset were deleted.
    pub(crate) fn cut_to(&mut self, place: Place, start: i64) {
        let state = self.state(place);
        state.start = state.start.max(start);
    }
}
