//! The transaction coordinator: transactional ids, and the way from a decision to markers in every partition.
//! Invariant: what was decided (`PrepareCommit`, `PrepareAbort`, durable in the journal) is carried out to its end, also after a
//! crash, and carrying it out twice does nothing twice: a partition without an open transaction of the producer takes no marker.
//! A transaction is complete only when its markers are durable, because nothing writes them again afterwards.
//! An owner that is fenced by a newer epoch or by its own timeout changes nothing any more.
//! The protocol is Kafka's first version of transactions (KIP-98, KIP-360, KIP-447); `transaction.version` is not advertised.

use std::collections::{BTreeMap, BTreeSet};

use mainstem_log::Durability;
use serde_json::{Value, json};

pub(crate) mod state;

use crate::broker::Broker;
use crate::call::RequestId;
use crate::group::offsets::Place;
use crate::journal::{self, Entry, Then};
use crate::topics::LogId;
use crate::upkeep;
use crate::wire::{EndTxnResponse, StrBytes, make};
use crate::{ErrorCode, Response};
use state::{Stage, Transaction};

/// Producer ids are promised in blocks, so that not every new producer waits for the disk.
const PRODUCER_ID_BLOCK: i64 = 1_000;

/// `transactional.id.expiration.ms`: an id that was not used for this long is forgotten.
const EXPIRATION_MS: i64 = 7 * 24 * 3_600_000;
const EXPIRY_INTERVAL_MS: i64 = 3_600_000;

/// How long a disk that failed is left alone.
const RETRY_MS: i64 = 1_000;

/// Single node: there is never another coordinator.
pub(crate) const COORDINATOR_EPOCH: i32 = 0;

/// All transactional ids, and the producer ids that were given away.
#[derive(Debug, Default)]
pub(crate) struct Transactions {
    by_id: BTreeMap<StrBytes, Transaction>,
    timers: BTreeSet<(i64, StrBytes)>,
    next_producer_id: i64,
    reserved_producer_ids: i64,
    next_expiry_ms: i64,
    /// Decided, with markers that are not durable yet.
    ending: BTreeMap<StrBytes, Ending>,
    /// Decided, with a partition that took no marker: tried again by time. And where they began in those that took one.
    hindered: BTreeMap<StrBytes, BTreeMap<Place, i64>>,
    /// What failed because of the disk is not tried again before this.
    rest_until_ms: i64,
}

/// A decision that is being carried out.
#[derive(Debug)]
struct Ending {
    /// How far these logs must be durable.
    waits: BTreeMap<LogId, i64>,
    /// Where it began in each partition.
    began: BTreeMap<Place, i64>,
    asked_by: Option<RequestId>,
}

impl Transactions {
    pub(crate) fn get(&self, id: &StrBytes) -> Option<&Transaction> {
        self.by_id.get(id)
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = (&StrBytes, &Transaction)> {
        self.by_id.iter()
    }

    fn put(&mut self, id: &StrBytes, transaction: Transaction) {
        if let Some(old) = self.by_id.get(id).and_then(Transaction::deadline_ms) {
            self.timers.remove(&(old, id.clone()));
        }
        self.timers.extend(transaction.deadline_ms().map(|deadline| (deadline, id.clone())));
        self.by_id.insert(id.clone(), transaction);
    }

    /// Takes back an entry of the journal.
    pub(crate) fn restore(&mut self, key: &Value, value: &Value) -> Option<()> {
        let id = StrBytes::from(key.get(1)?.as_str()?);
        self.put(&id, Transaction::restore(value)?);
        Some(())
    }

    /// Takes back how many producer ids were given away.
    pub(crate) fn restore_producer_ids(&mut self, value: &Value) -> Option<()> {
        self.reserved_producer_ids = value["reserved"].as_i64()?;
        self.next_producer_id = self.reserved_producer_ids;
        Some(())
    }

    pub(crate) fn next_deadline_ms(&self) -> Option<i64> {
        let expiry = (!self.by_id.is_empty()).then_some(self.next_expiry_ms);
        let timeout = self.timers.first().map(|(at, _)| (*at).max(self.rest_until_ms));
        let again = (!self.hindered.is_empty()).then_some(self.rest_until_ms);
        [expiry, timeout, again].into_iter().flatten().min()
    }

    fn overdue(&self, now_ms: i64) -> Option<StrBytes> {
        if self.rest_until_ms > now_ms {
            return None;
        }
        self.timers.first().filter(|(at, _)| *at <= now_ms).map(|(_, id)| id.clone())
    }
}

/// A producer id that nobody had before; in force at once, to be answered durably.
pub(crate) fn new_producer_id(broker: &mut Broker) -> Result<i64, ErrorCode> {
    let transactions = &mut broker.transactions;
    let id = transactions.next_producer_id;
    if id >= transactions.reserved_producer_ids {
        let reserved = id + PRODUCER_ID_BLOCK;
        broker.record(&[(json!(["producer-ids"]), Some(json!({"v": 1, "reserved": reserved})))])?;
        broker.transactions.reserved_producer_ids = reserved;
    }
    broker.transactions.next_producer_id = id + 1;
    Ok(id)
}

/// Changes a transaction and records it.
pub(crate) fn update(
    broker: &mut Broker,
    id: &StrBytes,
    mut transaction: Transaction,
    mut with: Vec<Entry>,
) -> Result<(), ErrorCode> {
    transaction.updated_ms = broker.now_ms;
    with.push(transaction.entry(id));
    broker.record(&with)?;
    broker.transactions.put(id, transaction);
    Ok(())
}

/// The transaction of a caller that may change it.
pub(crate) fn owned(
    broker: &Broker,
    id: &StrBytes,
    producer_id: i64,
    epoch: i16,
) -> Result<Transaction, ErrorCode> {
    if id.is_empty() {
        return Err(ErrorCode::InvalidRequest);
    }
    let transaction =
        broker.transactions.get(id).ok_or(ErrorCode::InvalidProducerIdMapping)?.clone();
    transaction.check(producer_id, epoch)?;
    Ok(transaction)
}

/// Fails if the transaction is to end and cannot before the broker is started again: the journal or a log of it takes no more writes.
/// To ask again is of no use then.
pub(crate) fn check_may_complete(
    broker: &Broker,
    transaction: &Transaction,
) -> Result<(), ErrorCode> {
    if transaction.stage.prepared().is_none() {
        return Ok(());
    }
    let logs = transaction.partitions.iter();
    let logs = logs.filter_map(|(topic, index)| broker.topics.partition(topic, *index).ok());
    let mut logs = logs.map(|partition| &partition.log).chain([&broker.journal.log]);
    match logs.any(|log| log.poisoned().is_some()) {
        true => Err(ErrorCode::KafkaStorageError),
        false => Ok(()),
    }
}

/// Whether a transactional batch may be appended: its partition has to take part.
pub(crate) fn check_produce(
    broker: &Broker,
    id: &StrBytes,
    producer_id: i64,
    epoch: i16,
    place: &(StrBytes, i32),
) -> Result<(), ErrorCode> {
    let transaction = owned(broker, id, producer_id, epoch).map_err(|code| match code {
        // Produce has its own word for it.
        ErrorCode::ProducerFenced => ErrorCode::InvalidProducerEpoch,
        code => code,
    })?;
    match transaction.stage == Stage::Ongoing && transaction.partitions.contains(place) {
        true => Ok(()),
        false => Err(ErrorCode::InvalidTxnState),
    }
}

/// Decides: from here on the transaction ends this way, whatever happens. Who asked is answered when it is done.
pub(crate) fn decide(
    broker: &mut Broker,
    id: &StrBytes,
    mut transaction: Transaction,
    commit: bool,
    asked_by: Option<RequestId>,
) -> Result<(), ErrorCode> {
    transaction.stage = if commit { Stage::PrepareCommit } else { Stage::PrepareAbort };
    update(broker, id, transaction, Vec::new())?;
    broker.after_journal(Then::EndTransaction { id: id.clone(), asked_by });
    Ok(())
}

/// Carries out what was decided: first the markers in the partitions, and when they are durable the rest.
pub(crate) fn carry_out(broker: &mut Broker, id: &StrBytes, asked_by: Option<RequestId>) {
    let Some(transaction) = broker.transactions.get(id).cloned() else { return };
    let Some(commit) = transaction.stage.prepared() else { return };
    let (producer_id, epoch, now_ms) = (transaction.producer_id, transaction.epoch, broker.now_ms);
    let mut began = broker.transactions.hindered.get(id).cloned().unwrap_or_default();
    let (mut waits, mut hindered) = (BTreeMap::new(), None);
    for (topic, index) in &transaction.partitions {
        // A topic that was deleted meanwhile needs no marker.
        let Some(topic_id) = broker.topics.by_name(topic).map(|topic| topic.id) else { continue };
        let Ok(partition) = broker.topics.partition_mut(topic, *index) else { continue };
        let log = &mut partition.log;
        let from = log.open_transaction(producer_id);
        match log.append_marker(commit, producer_id, epoch, COORDINATOR_EPOCH, now_ms) {
            Ok(_) => {
                waits.insert(LogId::Partition(topic_id, *index), log.log_end_offset());
                began.extend(from.map(|from| ((topic.clone(), *index), from)));
                broker.touch(topic_id, *index);
            }
            Err(why) => hindered = Some(format!("{topic}-{index} takes no marker: {why}")),
        }
    }
    if let Some(why) = hindered {
        return hinder(broker, id, began, asked_by, &why);
    }
    broker.transactions.hindered.remove(id);
    broker.transactions.ending.insert(id.clone(), Ending { waits, began, asked_by });
    try_complete(broker, id);
}

/// The disk stands against what was decided: it is tried again, and whoever asked asks again.
fn hinder(
    broker: &mut Broker,
    id: &StrBytes,
    began: BTreeMap<Place, i64>,
    asked_by: Option<RequestId>,
    why: &str,
) {
    broker.transactions.rest_until_ms = broker.now_ms + RETRY_MS;
    if broker.transactions.hindered.insert(id.clone(), began).is_none() {
        broker.notice(format!("the transaction '{id}' is decided and cannot be ended yet: {why}"));
    }
    if let Some(to) = asked_by {
        let transaction = broker.transactions.get(id);
        let may = transaction.map_or(Ok(()), |found| check_may_complete(broker, found));
        broker.respond(to, end_response(may.err().unwrap_or(ErrorCode::ConcurrentTransactions)));
    }
}

/// A log is durable further than before, takes no more writes, or is gone: decisions may wait for that.
pub(crate) fn log_moved(broker: &mut Broker, log: LogId) {
    let waiting = broker.transactions.ending.iter();
    let waiting = waiting.filter(|(_, ending)| ending.waits.contains_key(&log));
    let waiting: Vec<StrBytes> = waiting.map(|(id, _)| id.clone()).collect();
    for id in waiting {
        try_complete(broker, &id);
    }
}

fn try_complete(broker: &mut Broker, id: &StrBytes) {
    let Broker { transactions, topics, .. } = broker;
    let Some(ending) = transactions.ending.get_mut(id) else { return };
    let mut poisoned = None;
    ending.waits.retain(|log, end| {
        let LogId::Partition(topic, index) = *log else { return false };
        let Some(partition) = topics.partition_of(topic, index) else { return false };
        let log = &partition.log;
        if log.durable_offset() >= *end || log.settings().durability == Durability::None {
            return false;
        }
        poisoned = poisoned.take().or(log.poisoned().map(str::to_owned));
        true
    });
    if !ending.waits.is_empty() && poisoned.is_none() {
        return;
    }
    let asked_by = ending.asked_by;
    let began = std::mem::take(&mut ending.began);
    transactions.ending.remove(id);
    match poisoned {
        Some(why) => hinder(broker, id, began, asked_by, &why),
        None => complete(broker, id, began, asked_by),
    }
}

/// Every marker is durable: offsets count, and the next transaction may begin.
fn complete(
    broker: &mut Broker,
    id: &StrBytes,
    began: BTreeMap<Place, i64>,
    asked_by: Option<RequestId>,
) {
    let Some(mut transaction) = broker.transactions.get(id).cloned() else { return };
    let Some(commit) = transaction.stage.prepared() else { return };
    let groups = std::mem::take(&mut transaction.groups);
    let producer_id = transaction.producer_id;
    let mut entries = Vec::new();
    for group in &groups {
        if let Some(state) = broker.groups.get_mut(group) {
            entries.extend(state.offsets.end_entries(group, producer_id, commit));
        }
    }
    transaction.stage = if commit { Stage::CompleteCommit } else { Stage::CompleteAbort };
    transaction.partitions.clear();
    transaction.ended.add(began.clone(), commit);
    if update(broker, id, transaction, entries).is_err() {
        return hinder(broker, id, began, asked_by, "the journal takes no entry");
    }
    for group in &groups {
        if let Some(state) = broker.groups.get_mut(group) {
            state.offsets.finish(producer_id, commit);
        }
        broker.groups.settle(group);
    }
    if let Some(to) = asked_by {
        broker.respond(to, end_response(ErrorCode::None));
    }
}

pub(crate) fn end_response(code: ErrorCode) -> Response {
    make(|response: &mut EndTxnResponse| response.error_code = code.code()).into()
}

/// Carries out what was decided before the broker stopped, and what had been carried out if damage has undone it. Open transactions
/// get their whole timeout again: their owners could not end them meanwhile.
pub(crate) fn resume(broker: &mut Broker, notices: &mut Vec<String>) {
    end_again(broker, notices);
    let now_ms = broker.now_ms;
    let open = broker.transactions.by_id.iter().filter(|(_, t)| t.stage == Stage::Ongoing);
    for (id, transaction) in open.map(|(id, t)| (id.clone(), t.clone())).collect::<Vec<_>>() {
        broker.transactions.put(&id, Transaction { counted_from_ms: now_ms, ..transaction });
    }
    let decided: Vec<StrBytes> = broker
        .transactions
        .iter()
        .filter(|(_, transaction)| transaction.stage.prepared().is_some())
        .map(|(id, _)| id.clone())
        .collect();
    for id in decided {
        carry_out(broker, &id, None);
    }
}

/// Where a partition has lost the marker of a transaction that is done, readers of committed records would wait for ever: it is
/// written again, durably, before the transactional id can begin another one.
fn end_again(broker: &mut Broker, notices: &mut Vec<String>) {
    let Broker { transactions, topics, now_ms, .. } = broker;
    let by_producer = transactions.by_id.values().map(|known| (known.producer_id, known));
    let by_producer: BTreeMap<i64, &Transaction> = by_producer.collect();
    for topic in topics.iter_mut() {
        for (partition, index) in topic.partitions.iter_mut().zip(0..) {
            let log = &mut partition.log;
            let place = (topic.name.clone(), index);
            let open = log.producers().filter_map(|producer| {
                Some((producer.producer_id, producer.open_transaction_offset?))
            });
            for (id, from) in open.collect::<Vec<_>>() {
                let known = by_producer.get(&id);
                let is_present = |known: &&&Transaction| known.partitions.contains(&place);
                if known.filter(is_present).is_some() {
                    continue;
                }
                let open =
                    format!("{}-{index}: a transaction that began at offset {from}", topic.name);
                let end = known.and_then(|known| Some((known.epoch, known.end_of(&place, from)?)));
                let Some((epoch, commit)) = end else {
                    notices.push(format!(
                        "{open} has no end here, and nobody knows it: readers of committed records wait there until it is aborted (kafka-transactions.sh abort --topic {} --partition {index} --start-offset {from})",
                        topic.name
                    ));
                    continue;
                };
                let marked = log.append_marker(commit, id, epoch, COORDINATOR_EPOCH, *now_ms);
                let marked = marked.map_err(|e| upkeep::with_cause(&e));
                let marked = marked
                    .and_then(|_| journal::sync_at_once(log).map_err(|e| upkeep::with_cause(&e)));
                let was = if commit { "committed" } else { "aborted" };
                notices.push(match marked {
                    Ok(()) => format!("{open} was {was}, but lost its marker: it is written again"),
                    Err(why) => format!(
                        "{open} was {was}, but lost its marker, and takes no new one: {why}"
                    ),
                });
            }
        }
    }
}

/// Aborts what takes longer than its owner promised, and forgets ids that nobody uses.
pub(crate) fn tick(broker: &mut Broker) {
    let now_ms = broker.now_ms;
    while let Some(id) = broker.transactions.overdue(now_ms) {
        let Some(mut transaction) = broker.transactions.get(&id).cloned() else { break };
        // The owner is fenced: its next request is of an old epoch.
        transaction.last_epoch = transaction.epoch;
        transaction.epoch += 1;
        if decide(broker, &id, transaction, false, None).is_err() {
            // The journal takes nothing now; without a rest the timer would ring for ever.
            broker.transactions.rest_until_ms = now_ms + RETRY_MS;
            break;
        }
    }
    if broker.transactions.rest_until_ms <= now_ms {
        for id in broker.transactions.hindered.keys().cloned().collect::<Vec<_>>() {
            carry_out(broker, &id, None);
        }
    }
    if broker.transactions.next_expiry_ms <= now_ms {
        broker.transactions.next_expiry_ms = now_ms + EXPIRY_INTERVAL_MS;
        expire(broker);
    }
}

fn expire(broker: &mut Broker) {
    let before_ms = broker.now_ms - EXPIRATION_MS;
    let idle = |transaction: &Transaction| {
        transaction.updated_ms < before_ms
            && transaction.stage != Stage::Ongoing
            && transaction.stage.prepared().is_none()
    };
    let ids = broker.transactions.iter().filter(|(_, transaction)| idle(transaction));
    let ids: Vec<StrBytes> = ids.map(|(id, _)| id.clone()).collect();
    let entries: Vec<Entry> =
        ids.iter().map(|id| (json!(["transaction", id.as_str()]), None)).collect();
    if !entries.is_empty() && broker.record(&entries).is_ok() {
        for id in ids {
            broker.transactions.by_id.remove(&id);
        }
    }
}
