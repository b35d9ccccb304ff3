//! `mainstem topic`: creates, lists, describes, alters and deletes topics.
//! Invariant: of several topics named, all are looked up before the first is touched.
//! Brokers replace all of a topic's configs at once in the request that librdkafka's wrapper offers, so `alter` sends
//! those that stand there together with the change; another change at the same instant can be lost.

use std::collections::BTreeMap;

use clap::{Args, Subcommand};
use mainstem_core::Error;
use rdkafka::admin::{
    AlterConfig, ConfigSource, NewPartitions, NewTopic, ResourceSpecifier, TopicReplication,
};
use rdkafka::error::RDKafkaErrorCode as Code;
use serde_json::{Value, json};

use super::columns::{Align, Columns, count};
use super::connection::{Cluster, ConnectionArgs, Topic};
use super::offsets::{Moment, Place, offsets};
use super::{parse_pair, print_out};
use crate::failure::{Failure, Outcome, say};

pub(crate) const HELP: &str = "\
Examples:
  mainstem topic create orders --partitions 6 --config retention.ms=86400000
  mainstem topic create prices --config cleanup.policy=compact --if-not-exists
  mainstem topic list
  mainstem topic describe orders
  mainstem topic alter orders --partitions 12 --delete-config retention.ms
  mainstem topic delete orders -b kafka:9092";

#[derive(Debug, Subcommand)]
pub(crate) enum TopicCommand {
    /// Create a topic
    Create(CreateArgs),
    /// List the topics
    List(ListArgs),
    /// Show partitions, leaders, offsets and the configs that a topic has of its own
    Describe(DescribeArgs),
    /// Add partitions to a topic, set or delete its configs
    Alter(AlterArgs),
    /// Delete topics with all that is in them
    Delete(DeleteArgs),
}

#[derive(Debug, Args)]
pub(crate) struct CreateArgs {
    /// The topic's name
    #[arg(value_name = "NAME")]
    name: String,
    /// How many partitions [default: what the broker says]
    #[arg(long, short, value_name = "N", value_parser = clap::value_parser!(i32).range(1..))]
    partitions: Option<i32>,
    /// On how many brokers each partition is kept [default: what the broker says]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(i32).range(1..=32_767))]
    replication_factor: Option<i32>,
    /// A config of the topic, such as retention.ms=86400000. May be given more than once
    #[arg(long = "config", value_name = "NAME=VALUE", value_parser = parse_pair)]
    configs: Vec<(String, String)>,
    /// It is no error if the topic is there already; it is left as it is
    #[arg(long)]
    if_not_exists: bool,
    #[command(flatten)]
    connection: ConnectionArgs,
}

#[derive(Debug, Args)]
pub(crate) struct ListArgs {
    /// Kafka's own topics too: those whose name begins with __
    #[arg(long)]
    internal: bool,
    /// A JSON array
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    connection: ConnectionArgs,
}

#[derive(Debug, Args)]
pub(crate) struct DescribeArgs {
    /// Which topics [default: all but Kafka's own]
    #[arg(value_name = "NAME")]
    names: Vec<String>,
    /// A JSON array
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    connection: ConnectionArgs,
}

#[derive(Debug, Args)]
#[command(group(clap::ArgGroup::new("change").required(true).multiple(true)))]
pub(crate) struct AlterArgs {
    /// The topic's name
    #[arg(value_name = "NAME")]
    name: String,
    /// How many partitions it shall have; there is no way to fewer
    #[arg(long, short, value_name = "N", group = "change", value_parser = clap::value_parser!(u32).range(1..))]
    partitions: Option<u32>,
    /// Set a config. May be given more than once
    #[arg(long = "config", value_name = "NAME=VALUE", group = "change", value_parser = parse_pair)]
    configs: Vec<(String, String)>,
    /// Let a config have the broker's default again. May be given more than once
    #[arg(long = "delete-config", value_name = "NAME", group = "change")]
    deleted: Vec<String>,
    #[command(flatten)]
    connection: ConnectionArgs,
}

#[derive(Debug, Args)]
pub(crate) struct DeleteArgs {
    /// The topics' names
    #[arg(value_name = "NAME", required = true)]
    names: Vec<String>,
    /// It is no error if a topic is not there
    #[arg(long)]
    if_exists: bool,
    #[command(flatten)]
    connection: ConnectionArgs,
}

/// Does what `mainstem topic ...` says.
pub(crate) fn execute(command: &TopicCommand) -> Outcome {
    match command {
        TopicCommand::Create(args) => create(args),
        TopicCommand::List(args) => list(args),
        TopicCommand::Describe(args) => describe(args),
        TopicCommand::Alter(args) => alter(args),
        TopicCommand::Delete(args) => delete(args),
    }
}

fn create(args: &CreateArgs) -> Outcome {
    let cluster = Cluster::open(&args.connection)?;
    let name = args.name.as_str();
    let doing = format!("create topic '{name}'");
    let replication = TopicReplication::Fixed(args.replication_factor.unwrap_or(-1));
    let mut new = NewTopic::new(name, args.partitions.unwrap_or(-1), replication);
    for (key, value) in &args.configs {
        new = new.set(key, value);
    }
    let answers = cluster
        .administer(&doing, async |admin, options| admin.create_topics([&new], options).await)?;
    for answer in answers {
        match answer {
            Ok(_) => {
                cluster.wait_for_topic(
                    name,
                    usize::try_from(args.partitions.unwrap_or(1)).unwrap_or(1),
                )?;
                say(&format!("created topic '{name}'\n"));
            }
            Err((_, Code::TopicAlreadyExists)) if args.if_not_exists => {
                say(&format!("topic '{name}' is there already\n"));
            }
            Err((_, code)) => return Err(create_refused(&cluster, &doing, code)),
        }
    }
    Ok(())
}

fn create_refused(cluster: &Cluster, doing: &str, code: Code) -> Failure {
    let hint = match code {
        Code::TopicAlreadyExists => {
            "--if-not-exists makes this no error; `mainstem topic alter` changes it"
        }
        Code::InvalidTopic => {
            "names have at most 249 letters, digits, dots, underscores and dashes"
        }
        Code::InvalidReplicationFactor => "a cluster of N brokers keeps at most N copies",
        Code::InvalidConfig => {
            "is each --config the name of a topic config with a value that it takes?"
        }
        _ => return cluster.refused(doing, code),
    };
    Failure::Runtime(Error::user(format!("cannot {doing}: {}", super::words(code))).with_hint(hint))
}

fn list(args: &ListArgs) -> Outcome {
    let cluster = Cluster::open(&args.connection)?;
    let mut topics = cluster.topics()?;
    topics.retain(|topic| args.internal || !topic.is_internal());
    if args.json {
        let object = |topic: &Topic| {
            json!({
                "topic": topic.name, "partitions": topic.partitions.len(),
                "replication_factor": topic.replication(), "internal": topic.is_internal(),
            })
        };
        let array: Vec<Value> = topics.iter().map(object).collect();
        return print_out(&format!("{}\n", Value::Array(array)));
    }
    let mut columns = Columns::new(&[
        ("TOPIC", Align::Left),
        ("PARTITIONS", Align::Right),
        ("REPLICATION", Align::Right),
    ]);
    for topic in &topics {
        let (partitions, replication) = (topic.partitions.len(), topic.replication());
        columns.push([topic.name.clone(), partitions.to_string(), replication.to_string()]);
    }
    print_out(&columns.text(""))
}

/// What `describe` shows of one topic.
struct Description {
    topic: Topic,
    /// Its own configs, by name.
    configs: BTreeMap<String, String>,
    /// Earliest and latest offset of each partition.
    offsets: Vec<(i64, i64)>,
}

impl Description {
    /// How many records there are at most: compaction and transactions leave gaps.
    fn records(&self) -> u64 {
        self.offsets.iter().map(|(earliest, latest)| latest.abs_diff(*earliest)).sum()
    }

    fn json(&self) -> Value {
        let partitions = self.topic.partitions.iter().zip(&self.offsets);
        let partitions = partitions.map(|(p, (earliest, latest))| {
            json!({
                "partition": p.id, "leader": p.leader, "replicas": p.replicas, "in_sync": p.in_sync,
                "earliest": earliest, "latest": latest,
            })
        });
        json!({
            "topic": self.topic.name, "replication_factor": self.topic.replication(),
            "records_max": self.records(), "configs": self.configs,
            "partitions": partitions.collect::<Vec<Value>>(),
        })
    }

    fn text(&self) -> String {
        let name = &self.topic.name;
        let partitions = count(self.topic.partitions.len() as u64, "partition");
        let copies = count(self.topic.replication() as u64, "replica");
        let mut text =
            format!("{name}  {partitions}, {copies}, {}\n", count(self.records(), "record"));
        for (key, value) in &self.configs {
            text.push_str(&format!("  {key} = {value}\n"));
        }
        let mut columns = Columns::new(&[
            ("PARTITION", Align::Right),
            ("LEADER", Align::Right),
            ("REPLICAS", Align::Left),
            ("IN SYNC", Align::Left),
            ("EARLIEST", Align::Right),
            ("LATEST", Align::Right),
            ("RECORDS", Align::Right),
        ]);
        let ids = |ids: &[i32]| ids.iter().map(i32::to_string).collect::<Vec<_>>().join(",");
        for (partition, (earliest, latest)) in self.topic.partitions.iter().zip(&self.offsets) {
            columns.push([
                partition.id.to_string(),
                partition.leader.map_or_else(|| "none".to_owned(), |id| id.to_string()),
                ids(&partition.replicas),
                ids(&partition.in_sync),
                earliest.to_string(),
                latest.to_string(),
                latest.abs_diff(*earliest).to_string(),
            ]);
        }
        text + &columns.text("  ")
    }
}

fn describe(args: &DescribeArgs) -> Outcome {
    let cluster = Cluster::open(&args.connection)?;
    let topics = if args.names.is_empty() {
        cluster.topics()?.into_iter().filter(|topic| !topic.is_internal()).collect()
    } else {
        args.names.iter().map(|name| cluster.topic(name)).collect::<Outcome<Vec<Topic>>>()?
    };
    let descriptions = descriptions(&cluster, topics)?;
    if args.json {
        let array = Value::Array(descriptions.iter().map(Description::json).collect());
        return print_out(&format!("{array}\n"));
    }
    let texts: Vec<String> = descriptions.iter().map(Description::text).collect();
    print_out(&texts.join("\n"))
}

fn descriptions(cluster: &Cluster, topics: Vec<Topic>) -> Outcome<Vec<Description>> {
    let places: Vec<Place> = topics.iter().flat_map(Topic::places).collect();
    let earliest = offsets(cluster, &places, Moment::Earliest)?;
    let latest = offsets(cluster, &places, Moment::Latest)?;
    let names: Vec<&str> = topics.iter().map(|topic| topic.name.as_str()).collect();
    let mut configs = own_configs(cluster, &names)?;
    let mut both = earliest.into_iter().zip(latest);
    let mut descriptions = Vec::with_capacity(topics.len());
    for topic in topics {
        let pairs = both.by_ref().take(topic.partitions.len());
        let offsets = pairs.map(|(e, l)| (e.unwrap_or(0), l.unwrap_or(0))).collect();
        let configs = configs.remove(&topic.name).unwrap_or_default();
        descriptions.push(Description { topic, configs, offsets });
    }
    Ok(descriptions)
}

/// The configs that were set on topics themselves.
fn own_configs(
    cluster: &Cluster,
    names: &[&str],
) -> Outcome<BTreeMap<String, BTreeMap<String, String>>> {
    let mut found = BTreeMap::new();
    if names.is_empty() {
        return Ok(found);
    }
    let doing = "ask for the configs of topics";
    let resources: Vec<ResourceSpecifier<'_>> =
        names.iter().map(|name| ResourceSpecifier::Topic(name)).collect();
    let answers = cluster.administer(doing, async |admin, options| {
        admin.describe_configs(&resources, options).await
    })?;
    for answer in answers {
        let resource = answer.map_err(|code| cluster.refused(doing, code))?;
        let rdkafka::admin::OwnedResourceSpecifier::Topic(name) = resource.specifier else {
            continue;
        };
        let own = resource.entries.into_iter().filter(|e| e.source == ConfigSource::DynamicTopic);
        let own = own.filter_map(|entry| Some((entry.name, entry.value?)));
        found.insert(name, own.collect());
    }
    Ok(found)
}

fn alter(args: &AlterArgs) -> Outcome {
    let cluster = Cluster::open(&args.connection)?;
    let topic = cluster.topic(&args.name)?;
    if let Some(wanted) = args.partitions {
        add_partitions(&cluster, &topic, wanted as usize)?;
    }
    if args.configs.is_empty() && args.deleted.is_empty() {
        return Ok(());
    }
    let name = topic.name.as_str();
    let mut configs = own_configs(&cluster, &[name])?.remove(name).unwrap_or_default();
    for key in &args.deleted {
        if configs.remove(key).is_none() {
            let error = Error::user(format!("topic '{name}' has no config '{key}' of its own"));
            let own = configs.keys().map(String::as_str).collect::<Vec<_>>().join(", ");
            let own =
                if own.is_empty() { "it has none".to_owned() } else { format!("it has {own}") };
            return Err(Failure::Runtime(error.with_hint(own)));
        }
    }
    configs.extend(args.configs.iter().cloned());
    let doing = format!("change the configs of topic '{name}'");
    let change = AlterConfig {
        specifier: ResourceSpecifier::Topic(name),
        entries: configs.iter().map(|(key, value)| (key.as_str(), value.as_str())).collect(),
    };
    let answers = cluster
        .administer(&doing, async |admin, options| admin.alter_configs([&change], options).await)?;
    for answer in answers {
        answer.map_err(|(_, code)| create_refused(&cluster, &doing, code))?;
    }
    say(&format!("changed the configs of topic '{name}'\n"));
    Ok(())
}

fn add_partitions(cluster: &Cluster, topic: &Topic, wanted: usize) -> Outcome {
    let (name, there) = (topic.name.as_str(), topic.partitions.len());
    if wanted <= there {
        let text = format!("topic '{name}' has {} already", count(there as u64, "partition"));
        let hint = "partitions can only be added; for fewer, create another topic and copy into it";
        return Err(Failure::Runtime(Error::user(text).with_hint(hint)));
    }
    let doing = format!("add partitions to topic '{name}'");
    let new = NewPartitions::new(name, wanted);
    let answers = cluster.administer(&doing, async |admin, options| {
        admin.create_partitions([&new], options).await
    })?;
    for answer in answers {
        answer.map_err(|(_, code)| cluster.refused(&doing, code))?;
    }
    cluster.wait_for_topic(name, wanted)?;
    say(&format!(
        "topic '{name}' has {wanted} partitions now; keys may go to other ones than before\n"
    ));
    Ok(())
}

fn delete(args: &DeleteArgs) -> Outcome {
    let cluster = Cluster::open(&args.connection)?;
    let mut there = Vec::new();
    for name in &args.names {
        match cluster.find(name)? {
            Some(_) => there.push(name.as_str()),
            None if args.if_exists => say(&format!("there is no topic '{name}'\n")),
            None => return Err(cluster.unknown_topic(name)?),
        }
    }
    if there.is_empty() {
        return Ok(());
    }
    let doing = format!("delete '{}'", there.join("', '"));
    let answers = cluster
        .administer(&doing, async |admin, options| admin.delete_topics(&there, options).await)?;
    for answer in answers {
        let name = answer
            .map_err(|(name, code)| cluster.refused(&format!("delete topic '{name}'"), code))?;
        say(&format!("deleted topic '{name}'\n"));
    }
    Ok(())
}
