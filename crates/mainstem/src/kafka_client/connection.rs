//! Where the brokers are, how to reach them, and what is said when they cannot be reached.
//! Invariant: a [`Cluster`] has been answered by a broker once; a topic is "unknown" only after a broker said so, and
//! no question creates a topic. Every request is bounded in time.

use std::sync::Arc;
use std::time::Duration;

use clap::Args;
use mainstem_core::Error;
use mainstem_core::options::nearest;
use rdkafka::ClientConfig;
use rdkafka::admin::{AdminClient, AdminOptions};
use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::error::{KafkaError, RDKafkaErrorCode as Code};
use rdkafka::metadata::MetadataTopic;

use super::link::{Link, LinkContext};
use super::{parse_pair, words};
use crate::failure::{Failure, Outcome};

const DEFAULT_SERVERS: &str = "127.0.0.1:9092";
const SERVERS_VARIABLE: &str = "MAINSTEM_BOOTSTRAP_SERVER";
/// How long one request may take.
pub(super) const REQUEST_TIMEOUT: Duration = Duration::from_secs(15);
const ATTEMPT: Duration = Duration::from_millis(1_000);
/// Attempts while nothing says that there is no broker: one may be starting.
const ATTEMPTS_MAX: usize = 10;
/// Attempts when every address refuses: a name with two addresses fails once where only one of them listens.
const ATTEMPTS_REFUSED: usize = 2;
const CREATED_ASKED_MAX: usize = 100;
const CREATED_PAUSE: Duration = Duration::from_millis(50);

/// How to reach a Kafka.
#[derive(Debug, Args)]
#[command(next_help_heading = "Connection")]
pub(crate) struct ConnectionArgs {
    /// Brokers to ask first, separated by commas [default: $MAINSTEM_BOOTSTRAP_SERVER, else 127.0.0.1:9092]
    #[arg(long, short = 'b', alias = "bootstrap-servers", value_name = "HOST:PORT")]
    bootstrap_server: Option<String>,
    /// A property of the client (librdkafka's names), such as security.protocol=SASL_SSL. May be given more than once
    #[arg(short = 'X', long = "property", value_name = "NAME=VALUE", value_parser = parse_pair)]
    properties: Vec<(String, String)>,
}

impl ConnectionArgs {
    /// The brokers: flag, then environment, then the place where ours listens.
    pub(super) fn servers(&self) -> String {
        let given = self.bootstrap_server.clone();
        let variable = || std::env::var(SERVERS_VARIABLE).ok().filter(|value| !value.is_empty());
        given.or_else(variable).unwrap_or_else(|| DEFAULT_SERVERS.to_owned())
    }

    /// `defaults`, then what the user gave.
    pub(super) fn config(&self, defaults: &[(&str, &str)]) -> ClientConfig {
        let mut config = ClientConfig::new();
        config.set("client.id", "mainstem").set("bootstrap.servers", self.servers());
        for (name, value) in defaults {
            config.set(*name, *value);
        }
        for (name, value) in &self.properties {
            config.set(name, value);
        }
        config
    }
}

/// A partition as the cluster tells it.
#[derive(Debug, Clone)]
pub(super) struct Partition {
    pub(super) id: i32,
    /// `None` while there is none.
    pub(super) leader: Option<i32>,
    pub(super) replicas: Vec<i32>,
    pub(super) in_sync: Vec<i32>,
}

/// A topic as the cluster tells it.
#[derive(Debug, Clone)]
pub(super) struct Topic {
    pub(super) name: String,
    pub(super) partitions: Vec<Partition>,
}

impl Topic {
    fn of(topic: &MetadataTopic) -> Self {
        let partition = |p: &rdkafka::metadata::MetadataPartition| Partition {
            id: p.id(),
            leader: Some(p.leader()).filter(|id| *id >= 0),
            replicas: p.replicas().to_vec(),
            in_sync: p.isr().to_vec(),
        };
        let mut partitions: Vec<Partition> = topic.partitions().iter().map(partition).collect();
        partitions.sort_by_key(|p| p.id);
        Self { name: topic.name().to_owned(), partitions }
    }

    /// Its partitions with its name.
    pub(super) fn places(&self) -> Vec<(String, i32)> {
        self.partitions.iter().map(|p| (self.name.clone(), p.id)).collect()
    }

    /// Kafka's own topics begin with two underscores.
    pub(super) fn is_internal(&self) -> bool {
        self.name.starts_with("__")
    }

    /// How many copies a record has.
    pub(super) fn replication(&self) -> usize {
        self.partitions.iter().map(|p| p.replicas.len()).max().unwrap_or(0)
    }
}

/// A Kafka that has answered.
pub(super) struct Cluster {
    servers: String,
    config: ClientConfig,
    client: BaseConsumer<LinkContext>,
    link: Arc<Link>,
}

impl Cluster {
    /// Connects to ask questions.
    pub(super) fn open(args: &ConnectionArgs) -> Outcome<Self> {
        Self::connect(args, &[], &[])
    }

    /// Connects to read and write the committed offsets of `group`, without joining it.
    pub(super) fn open_as(args: &ConnectionArgs, group: &str) -> Outcome<Self> {
        let defaults = [("isolation.level", "read_uncommitted")];
        Self::connect(args, &defaults, &[("group.id", group), ("enable.auto.commit", "false")])
    }

    /// Connects; `defaults` yield to the user's properties, `fixed` do not.
    pub(super) fn connect(
        args: &ConnectionArgs,
        defaults: &[(&str, &str)],
        fixed: &[(&str, &str)],
    ) -> Outcome<Self> {
        let servers = args.servers();
        let mut config = args.config(defaults);
        config.set("allow.auto.create.topics", "false");
        for (name, value) in fixed {
            config.set(*name, *value);
        }
        let link = Link::new(&servers);
        let client = config.create_with_context(LinkContext(Arc::clone(&link)));
        let client = client.map_err(|error| config_error(&error))?;
        let cluster = Self { servers, config, client, link };
        cluster.wait_for_answer()?;
        Ok(cluster)
    }

    fn wait_for_answer(&self) -> Outcome {
        for attempt in 1..=ATTEMPTS_MAX {
            // A question about one topic is small however large the cluster is; whether it is there does not matter.
            let answer = self.client.fetch_metadata(Some("__consumer_offsets"), ATTEMPT);
            if answer.is_ok() {
                self.link.open();
                return Ok(());
            }
            // Error events are served by polling.
            for _ in 0..16 {
                let _ = self.client.poll(Duration::ZERO);
            }
            if let Some(reason) = self.link.refusal() {
                let text = format!("Kafka at {} refused the connection: {reason}", self.servers);
                return Err(Failure::Runtime(Error::user(text).with_hint(
                    "check -X security.protocol=.., -X sasl.mechanism=.., -X sasl.username=.. and \
                     -X sasl.password=..",
                )));
            }
            if self.link.is_down() && attempt >= ATTEMPTS_REFUSED {
                break;
            }
        }
        Err(self.unreachable())
    }

    fn unreachable(&self) -> Failure {
        let mut error = Error::unavailable(format!("no Kafka answers at {}", self.servers));
        let reason = self.link.last_reason();
        error = error.with_detail(match reason.is_empty() {
            true => "a listener with TLS or SASL is silent to others: does it want -X security.protocol=..?".to_owned(),
            false => reason,
        });
        Failure::Runtime(error.with_hint(format!(
            "start one here with `mainstem up`, or say where it is: --bootstrap-server HOST:PORT or \
             {SERVERS_VARIABLE}"
        )))
    }

    /// The brokers as the user named them.
    pub(super) fn servers(&self) -> &str {
        &self.servers
    }

    /// The client, for questions.
    pub(super) fn client(&self) -> &BaseConsumer<LinkContext> {
        &self.client
    }

    /// What is known about the way to the brokers.
    pub(super) fn link(&self) -> &Arc<Link> {
        &self.link
    }

    /// All topics, sorted by name.
    pub(super) fn topics(&self) -> Outcome<Vec<Topic>> {
        let metadata = self.client.fetch_metadata(None, REQUEST_TIMEOUT);
        let metadata = metadata.map_err(|error| self.failed("list the topics", &error))?;
        let there = metadata.topics().iter().filter(|topic| topic.error().is_none());
        let mut topics: Vec<Topic> = there.map(Topic::of).collect();
        topics.sort_by(|a, b| a.name.cmp(&b.name));
        Ok(topics)
    }

    /// The topic of this name; `None` if the cluster says that there is none.
    pub(super) fn find(&self, name: &str) -> Outcome<Option<Topic>> {
        let doing = format!("ask for topic '{name}'");
        let metadata = self.client.fetch_metadata(Some(name), REQUEST_TIMEOUT);
        let metadata = match metadata {
            Err(error) if is_unknown(error.rdkafka_error_code()) => return Ok(None),
            other => other.map_err(|error| self.failed(&doing, &error))?,
        };
        let Some(found) = metadata.topics().iter().find(|topic| topic.name() == name) else {
            return Ok(None);
        };
        match found.error().map(Code::from) {
            None => Ok(Some(Topic::of(found))),
            code if is_unknown(code) => Ok(None),
            Some(code) => Err(self.failed(&doing, &KafkaError::MetadataFetch(code))),
        }
    }

    /// The topic of this name, or an error that names similar ones.
    pub(super) fn topic(&self, name: &str) -> Outcome<Topic> {
        match self.find(name)? {
            Some(topic) => Ok(topic),
            None => Err(self.unknown_topic(name)?),
        }
    }

    /// The error for a topic that is not there.
    pub(super) fn unknown_topic(&self, name: &str) -> Outcome<Failure> {
        let topics = self.topics()?;
        let names: Vec<&str> = topics.iter().map(|topic| topic.name.as_str()).collect();
        let hint = match similar(name, &names) {
            near if near.is_empty() => {
                format!(
                    "create it: `mainstem topic create {name}`; `mainstem topic list` lists all"
                )
            }
            near => format!("did you mean {}?", near.join(", ")),
        };
        let text = format!("there is no topic '{name}' at {}", self.servers);
        Ok(Failure::Runtime(Error::user(text).with_hint(hint)))
    }

    /// Waits until a topic that was just created is known where clients ask.
    pub(super) fn wait_for_topic(&self, name: &str, partitions: usize) -> Outcome {
        for _ in 0..CREATED_ASKED_MAX {
            let ready = |topic: &Topic| {
                topic.partitions.len() >= partitions.max(1)
                    && topic.partitions.iter().all(|p| p.leader.is_some())
            };
            if self.find(name)?.as_ref().is_some_and(ready) {
                return Ok(());
            }
            std::thread::sleep(CREATED_PAUSE);
        }
        let text = format!("topic '{name}' was created, but no broker leads it yet");
        Err(Failure::Runtime(Error::unavailable(text)))
    }

    /// Makes requests of the administration.
    pub(super) fn administer<T>(
        &self,
        doing: &str,
        request: impl AsyncFnOnce(&AdminClient<LinkContext>, &AdminOptions) -> Result<T, KafkaError>,
    ) -> Outcome<T> {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
        let runtime = runtime.map_err(|e| {
            Failure::Runtime(Error::internal("the runtime cannot be started").with_source(e))
        })?;
        let context = LinkContext(Arc::clone(&self.link));
        let admin: AdminClient<LinkContext> =
            self.config.create_with_context(context).map_err(|error| config_error(&error))?;
        let options = AdminOptions::new()
            .request_timeout(Some(REQUEST_TIMEOUT))
            .operation_timeout(Some(REQUEST_TIMEOUT));
        runtime.block_on(request(&admin, &options)).map_err(|error| self.failed(doing, &error))
    }

    /// A request that failed, in words: `doing` reads after "cannot".
    pub(super) fn failed(&self, doing: &str, error: &KafkaError) -> Failure {
        let Some(code) = error.rdkafka_error_code() else {
            return Failure::Runtime(Error::user(format!("cannot {doing}: {error}")));
        };
        self.refused(doing, code)
    }

    /// An answer that is an error code.
    pub(super) fn refused(&self, doing: &str, code: Code) -> Failure {
        let text = format!("cannot {doing}: {}", words(code));
        let error = match code {
            Code::BrokerTransportFailure
            | Code::AllBrokersDown
            | Code::OperationTimedOut
            | Code::RequestTimedOut => {
                let error = Error::unavailable(format!("{text} (Kafka at {})", self.servers));
                error.with_hint(
                    "is the cluster healthy, and are its advertised addresses reachable?",
                )
            }
            Code::TopicAuthorizationFailed
            | Code::GroupAuthorizationFailed
            | Code::ClusterAuthorizationFailed
            | Code::TransactionalIdAuthorizationFailed => {
                Error::user(text).with_hint("ask for the rights (ACLs) to do this")
            }
            _ => Error::user(text),
        };
        Failure::Runtime(error)
    }
}

/// A property that librdkafka does not take.
pub(super) fn config_error(error: &KafkaError) -> Failure {
    let error = match error {
        KafkaError::ClientConfig(_, reason, name, _) => {
            Error::user(format!("the property '{name}' cannot be used: {reason}"))
        }
        KafkaError::ClientCreation(reason) => Error::user(format!("no client: {reason}")),
        other => Error::user(other.to_string()),
    };
    Failure::Usage(error.with_hint("-X takes the names of librdkafka, such as security.protocol"))
}

fn is_unknown(code: Option<Code>) -> bool {
    matches!(code, Some(Code::UnknownTopic | Code::UnknownTopicOrPartition))
}

/// Names that someone who wrote `name` may have meant, the nearest first, at most five.
pub(super) fn similar<'a>(name: &str, names: &[&'a str]) -> Vec<&'a str> {
    let mut near: Vec<&str> = nearest(name, names.iter().copied()).into_iter().collect();
    let wanted = name.to_ascii_lowercase();
    let related = |other: &str| {
        let other = other.to_ascii_lowercase();
        other.contains(&wanted) || (other.len() > 2 && wanted.contains(&other))
    };
    for other in names {
        if near.len() < 5 && related(other) && !near.contains(other) {
            near.push(other);
        }
    }
    near
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_that_may_have_been_meant() {
        let names = ["orders", "orders-eu", "payments", "x"];
        for (name, expected) in [
            ("order", vec!["orders", "orders-eu"]),
            ("ordesr", vec!["orders"]),
            ("EU", vec!["orders-eu"]),
            ("nothing", vec![]),
            ("payments-2024", vec!["payments"]),
        ] {
            assert_eq!(similar(name, &names), expected, "{name}");
        }
    }
}
