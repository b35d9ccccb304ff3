//! What librdkafka reports about the way to the brokers, told to the user once a change.
//! Invariant: nothing is said while the first connection is being made (its failure is one error, made by
//! `connection`); afterwards an outage and its end are each said once. It does not retry: librdkafka reconnects.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use rdkafka::TopicPartitionList;
use rdkafka::client::ClientContext;
use rdkafka::config::RDKafkaLogLevel;
use rdkafka::consumer::{BaseConsumer, ConsumerContext, Rebalance};
use rdkafka::error::{KafkaError, RDKafkaErrorCode as Code};

use crate::failure::say;

/// Shared by the clients of one command.
#[derive(Debug)]
pub(super) struct Link {
    servers: String,
    /// A broker has answered: from here on outages are news.
    opened: AtomicBool,
    down: AtomicBool,
    /// A group has given something to read since this was asked last.
    assigned: AtomicBool,
    /// What a group gives to read is told.
    announces: AtomicBool,
    last_reason: Mutex<String>,
    refusal: Mutex<Option<String>>,
}

impl Link {
    pub(super) fn new(servers: &str) -> Arc<Self> {
        Arc::new(Self {
            servers: servers.to_owned(),
            opened: AtomicBool::new(false),
            down: AtomicBool::new(false),
            assigned: AtomicBool::new(false),
            announces: AtomicBool::new(false),
            last_reason: Mutex::default(),
            refusal: Mutex::default(),
        })
    }

    /// A broker answered for the first time.
    pub(super) fn open(&self) {
        self.opened.store(true, Ordering::SeqCst);
        self.down.store(false, Ordering::SeqCst);
    }

    /// From now on the partitions that a group gives to read are told.
    pub(super) fn announce(&self) {
        self.announces.store(true, Ordering::SeqCst);
    }

    /// True once after each time that a group has given partitions to read.
    pub(super) fn take_assigned(&self) -> bool {
        self.assigned.load(Ordering::Relaxed) && self.assigned.swap(false, Ordering::SeqCst)
    }

    /// Records go or come: an outage is over.
    pub(super) fn up(&self) {
        if self.down.load(Ordering::Relaxed) && self.down.swap(false, Ordering::SeqCst) {
            say(&format!("Kafka at {} answers again\n", self.servers));
        }
    }

    /// True if every known broker has failed since a broker answered last.
    pub(super) fn is_down(&self) -> bool {
        self.down.load(Ordering::SeqCst)
    }

    /// Why the last attempt failed; empty if nothing is known.
    pub(super) fn last_reason(&self) -> String {
        lock(&self.last_reason).clone()
    }

    /// What waiting cannot mend: wrong credentials, TLS that does not fit.
    pub(super) fn refusal(&self) -> Option<String> {
        lock(&self.refusal).clone()
    }

    /// An error event of a client.
    pub(super) fn on_error(&self, error: &KafkaError, reason: &str) {
        let Some(code) = error.rdkafka_error_code() else { return };
        match code {
            Code::Authentication
            | Code::SaslAuthenticationFailed
            | Code::UnsupportedSASLMechanism
            | Code::SSL
                if !self.opened.load(Ordering::SeqCst) =>
            {
                lock(&self.refusal).get_or_insert_with(|| plain(reason).to_owned());
            }
            Code::BrokerTransportFailure | Code::Resolve | Code::OperationTimedOut => {
                plain(reason).clone_into(&mut lock(&self.last_reason));
            }
            Code::AllBrokersDown => {
                let known = self.down.swap(true, Ordering::SeqCst);
                if self.opened.load(Ordering::SeqCst) && !known {
                    let reason = self.last_reason();
                    let servers = &self.servers;
                    say(&format!("cannot reach Kafka at {servers}, retrying ({reason})\n"));
                }
            }
            _ => {}
        }
    }
}

/// `host:port/1: Connect to ... failed: Connection refused (after 0ms in state CONNECT)` without its end.
fn plain(reason: &str) -> &str {
    reason.split(" (after ").next().unwrap_or(reason)
}

fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    // The values are whole at every moment.
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The context of consumers and of the administration.
#[derive(Debug, Clone)]
pub(super) struct LinkContext(pub(super) Arc<Link>);

impl ClientContext for LinkContext {
    fn error(&self, error: KafkaError, reason: &str) {
        self.0.on_error(&error, reason);
    }
    // Its log repeats what the error events say.
    fn log(&self, _level: RDKafkaLogLevel, _facility: &str, _text: &str) {}
    fn stats_raw(&self, _statistics: &[u8]) {}
}

impl ConsumerContext for LinkContext {
    fn post_rebalance(&self, _: &BaseConsumer<Self>, rebalance: &Rebalance<'_>) {
        let Rebalance::Assign(list) = rebalance else { return };
        self.0.assigned.store(true, Ordering::SeqCst);
        if self.0.announces.load(Ordering::SeqCst) {
            say(&format!("reading {}\n", assigned_text(list)));
        }
    }
}

/// `orders[0,1] users[3]`.
fn assigned_text(list: &TopicPartitionList) -> String {
    let mut topics: BTreeMap<String, BTreeSet<i32>> = BTreeMap::new();
    for element in list.elements() {
        topics.entry(element.topic().to_owned()).or_default().insert(element.partition());
    }
    let one = |(topic, ids): (String, BTreeSet<i32>)| {
        let ids: Vec<String> = ids.iter().map(i32::to_string).collect();
        format!("{topic}[{}]", ids.join(","))
    };
    match topics.is_empty() {
        true => "nothing: other members have all partitions".to_owned(),
        false => topics.into_iter().map(one).collect::<Vec<_>>().join(" "),
    }
}
