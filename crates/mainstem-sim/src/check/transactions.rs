//! Transactions: what belongs to each, and what was asked for and answered about its end.
//! Checks that readers of committed records see all records of a transaction or none, none before a commit was asked for, none
//! after an abort was answered, all after a commit was; and that what a transaction read from its input counts as read exactly
//! if what it wrote is there.

use std::collections::{BTreeMap, BTreeSet};

use super::{Model, Place, Uid};

/// One transaction, as its owner knows it.
#[derive(Debug, Clone, Default)]
pub(crate) struct Transaction {
    /// Acknowledged before its end was asked for.
    pub(crate) records: Vec<Uid>,
    pub(crate) commit_asked: bool,
    pub(crate) committed: bool,
    pub(crate) aborted: bool,
    /// What it takes from its input: place, from, to.
    pub(crate) input: Option<(Place, i64, i64)>,
}

/// All of them, and what an audit has seen.
#[derive(Debug, Default)]
pub(crate) struct Transactions {
    pub(crate) all: Vec<Transaction>,
    audited: BTreeSet<Uid>,
}

impl Model {
    pub(crate) fn transaction(&mut self, number: usize) -> &mut Transaction {
        &mut self.transactions.all[number]
    }

    pub(crate) fn begin_transaction(&mut self) -> usize {
        self.transactions.all.push(Transaction::default());
        self.transactions.all.len() - 1
    }

    /// A reader of committed records was given these.
    pub(crate) fn saw_committed(&mut self, place: Place, records: &[(i64, Uid)]) {
        if self.damage.unsettles(place) {
            return;
        }
        for (offset, uid) in records {
            let Some(number) = self.records.sent[*uid].transaction else { continue };
            let transaction = &self.transactions.all[number];
            if !transaction.commit_asked || transaction.aborted {
                let (name, what) = (self.name(place), transaction.clone());
                self.fail(format!(
                    "{name}: record {uid} at {offset} is shown as committed: {number} {what:?}"
                ));
            }
        }
    }

    /// A partition was read whole by a reader of committed records.
    pub(crate) fn read_committed_whole(&mut self, place: Place, records: &[(i64, Uid)]) {
        self.saw_committed(place, records);
        self.transactions.audited.extend(records.iter().map(|(_, uid)| *uid));
    }

    /// Every partition was read whole.
    pub(crate) fn audited(&mut self) {
        let audited = std::mem::take(&mut self.transactions.audited);
        let mut unknown = BTreeSet::new();
        let mut inputs: BTreeMap<Place, Vec<(i64, i64, usize)>> = BTreeMap::new();
        for (number, transaction) in self.transactions.all.clone().into_iter().enumerate() {
            let may_lack = |uid: &Uid| {
                let sent = &self.records.sent[*uid];
                self.damage.may_lack(sent.place, *uid, sent.offset)
            };
            let certain: Vec<Uid> =
                transaction.records.iter().copied().filter(|uid| !may_lack(uid)).collect();
            let there = certain.iter().filter(|uid| audited.contains(uid)).count();
            let all = certain.len();
            if all == 0 && !transaction.records.is_empty() {
                // Nobody can tell any more.
                unknown.extend(transaction.input.map(|(place, ..)| place));
            }
            if there != 0 && there != all {
                self.fail(format!("{there} of {all} records are there: {number} {transaction:?}"));
            }
            if transaction.committed && there != all {
                self.fail(format!("committed and not there: {number} {transaction:?}"));
            }
            if let Some((place, from, to)) = transaction.input
                && there > 0
            {
                inputs.entry(place).or_default().push((from, to, number));
            }
        }
        inputs.retain(|place, _| !unknown.contains(place));
        for (place, mut pieces) in inputs {
            pieces.sort_unstable();
            let mut read = 0;
            for (from, to, number) in pieces {
                if from != read {
                    let name = self.name(place);
                    self.fail(format!(
                        "{name}: transaction {number} took the input from {from}, due was {read}"
                    ));
                }
                read = to;
            }
            let group = super::offsets::transform_group(place);
            let committed = self.offsets.final_offset(&group, place).unwrap_or(0);
            if committed != read {
                let name = self.name(place);
                self.fail(format!(
                    "{name}: output is there for input up to {read}, {committed} is committed"
                ));
            }
        }
    }
}
