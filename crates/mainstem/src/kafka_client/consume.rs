//! `mainstem consume`: records to lines.
//! Invariant: stdout carries records only. A group's offset is committed only after the record has been written to
//! stdout, so a record is printed at least once; Ctrl-C commits what was printed and leaves the group.

use std::collections::{BTreeMap, BTreeSet};
use std::io::{BufWriter, StdoutLock, Write};
use std::path::PathBuf;
use std::time::Duration;

use clap::{ArgGroup, Args};
use mainstem_core::options::parse_duration_ms;
use mainstem_core::{Error, ErrorKind};
use rdkafka::consumer::{CommitMode, Consumer};
use rdkafka::error::{KafkaError, RDKafkaErrorCode as Code};
use rdkafka::message::{BorrowedMessage, Message};
use rdkafka::{Offset, TopicPartitionList};

use super::avro::{Decoder, Framing, SchemaFile};
use super::columns::count;
use super::connection::{Cluster, ConnectionArgs, REQUEST_TIMEOUT, Topic};
use super::offsets::{Moment, Place, offsets, parse_time};
use super::print::{AvroDecoders, RecordField, RecordFormat, RecordPrinter};
use super::produce::parse_separator;
use super::stopping::Stopping;
use crate::clock::Stopwatch;
use crate::failure::{Failure, Outcome, say};

/// Who reads without a group; librdkafka wants a name, no broker hears it commit.
const NO_GROUP: &str = "mainstem-consume";
const WAIT: Duration = Duration::from_millis(50);
/// What is printed before it is flushed and may be committed, while more comes.
const RECORDS_A_FLUSH: usize = 1_000;

const HELP: &str = "\
Examples:
  mainstem consume orders                                   what comes from now on, until Ctrl-C
  mainstem consume orders --from-beginning --until-end      all there is
  mainstem consume orders --offset -10 --until-end          the last ten of each partition
  mainstem consume orders --timestamp 2026-01-31T09:00:00Z --max-messages 5
  mainstem consume orders --group audit --from-beginning    goes on where the group stopped
  mainstem consume prices --print key --separator : --from-beginning --timeout 5s
  mainstem consume orders --format json | jq .value
  mainstem consume orders --format avro --schema order.avsc --from-beginning | jq .value.total";

#[derive(Debug, Args)]
#[command(after_help = HELP, group(ArgGroup::new("start").multiple(false)))]
pub(crate) struct ConsumeArgs {
    /// What to read
    #[arg(value_name = "TOPIC", required = true)]
    topics: Vec<String>,
    /// Start with the oldest record; with --group, where the group has no offset yet
    #[arg(long, group = "start")]
    from_beginning: bool,
    /// Start here: earliest, latest, an offset, or -N for the last N records of each partition [default: latest]
    #[arg(long, group = "start", value_name = "WHERE", allow_hyphen_values = true, value_parser = parse_start, conflicts_with = "group_id")]
    offset: Option<Start>,
    /// Start with the first record of this time or later
    #[arg(long, group = "start", value_name = "ISO", value_parser = parse_time, conflicts_with = "group_id")]
    timestamp: Option<i64>,
    /// Only this partition. May be given more than once
    #[arg(long = "partition", short, value_name = "N", value_parser = clap::value_parser!(i32).range(0..), conflicts_with = "group_id")]
    partitions: Vec<i32>,
    /// Read as a member of this consumer group, and commit what was printed
    #[arg(long = "group", short, id = "group_id", value_name = "GROUP")]
    group: Option<String>,
    /// End after so many records
    #[arg(long, short = 'n', value_name = "N", value_parser = clap::value_parser!(u64).range(1..))]
    max_messages: Option<u64>,
    /// End when no record has come for so long, such as 5s
    #[arg(long, value_name = "DURATION", value_parser = parse_timeout)]
    timeout: Option<Duration>,
    /// End when the end of every partition was reached; for one topic
    #[arg(long, short = 'e', conflicts_with = "group_id")]
    until_end: bool,
    /// raw: values as they are, a line each; json: an object a record; avro: the same, with the value decoded
    #[arg(long, value_name = "FORMAT", default_value = "raw", value_parser = RecordFormat::parse)]
    format: RecordFormat,
    /// The Avro schema of the values
    #[arg(long, value_name = "FILE.avsc")]
    schema: Option<PathBuf>,
    /// The Avro schema of the keys [default: keys stay text]
    #[arg(long, value_name = "FILE.avsc")]
    key_schema: Option<PathBuf>,
    /// What stands around Avro datums
    #[arg(long, value_name = "KIND", default_value = "auto")]
    framing: Framing,
    /// Fields to print before a raw value
    #[arg(long, value_name = "FIELD,...", value_delimiter = ',')]
    print: Vec<RecordField>,
    /// What stands between the fields of --print [default: a tab]
    #[arg(long, alias = "key-separator", value_name = "TEXT", default_value = "\\t", hide_default_value = true, value_parser = parse_separator)]
    separator: String,
    /// What stands for a raw key or value that is not there
    #[arg(long, value_name = "TEXT", default_value = "null")]
    null_value: String,
    /// read_committed leaves out the records of open and aborted transactions
    #[arg(long, value_name = "LEVEL", default_value = "read_uncommitted", value_parser = ["read_committed", "read_uncommitted"])]
    isolation: String,
    /// No summary on stderr
    #[arg(long, short)]
    quiet: bool,
    #[command(flatten)]
    connection: ConnectionArgs,
}

/// Where reading starts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Start {
    Earliest,
    Latest,
    At(i64),
    Last(i64),
}

fn parse_start(text: &str) -> Result<Start, String> {
    match (text, text.parse::<i64>()) {
        ("earliest" | "beginning", _) => Ok(Start::Earliest),
        ("latest" | "end", _) => Ok(Start::Latest),
        (_, Ok(offset @ 0..)) => Ok(Start::At(offset)),
        (_, Ok(last @ -1_000_000_000_000..0)) => Ok(Start::Last(-last)),
        _ => Err("write earliest, latest, an offset, or -N for the last N records".to_owned()),
    }
}

fn parse_timeout(text: &str) -> Result<Duration, String> {
    let millis = parse_duration_ms("timeout", text).ok().and_then(|ms| u64::try_from(ms).ok());
    millis.map(Duration::from_millis).ok_or_else(|| "write it as 5s, 500ms or 1min".to_owned())
}

/// Does what `mainstem consume` says.
pub(crate) fn execute(args: &ConsumeArgs) -> Outcome {
    if args.until_end && args.topics.len() > 1 {
        let error = Error::user("--until-end is for one topic");
        return Err(Failure::Usage(
            error.with_hint("--timeout 5s ends when nothing comes any more"),
        ));
    }
    let schemas = Schemas::read(args)?;
    let avro = schemas.decoders(args)?;
    let cluster = connect(args)?;
    let names: BTreeSet<&str> = args.topics.iter().map(String::as_str).collect();
    let topics: Vec<Topic> =
        names.iter().map(|name| cluster.topic(name)).collect::<Outcome<Vec<Topic>>>()?;
    let (mut open_ends, mut origins) = (BTreeSet::new(), BTreeMap::new());
    if args.group.is_some() {
        if !args.from_beginning {
            let places: Vec<Place> = topics.iter().flat_map(Topic::places).collect();
            let ends = offsets(&cluster, &places, Moment::Latest)?;
            origins.extend(places.into_iter().zip(ends.into_iter().map(|end| end.unwrap_or(0))));
        }
        if !args.quiet {
            cluster.link().announce();
        }
        let names: Vec<&str> = names.into_iter().collect();
        let subscribed = cluster.client().subscribe(&names);
        subscribed.map_err(|error| cluster.failed("subscribe", &error))?;
    } else {
        let list = assignment(&cluster, args, &topics)?;
        open_ends.extend(list.elements().iter().map(|element| element.partition()));
        cluster.client().assign(&list).map_err(|error| cluster.failed("start reading", &error))?;
    }
    let stopping = Stopping::listen("stopped at once; what was printed last may come again")?;
    let mut consuming = Consuming {
        args,
        cluster: &cluster,
        printer: RecordPrinter {
            format: args.format,
            fields: args.print.clone(),
            separator: args.separator.clone(),
            null: args.null_value.clone(),
            avro,
        },
        out: BufWriter::with_capacity(64 * 1024, std::io::stdout().lock()),
        unstored: BTreeMap::new(),
        unflushed: 0,
        records: 0,
        open_ends,
        origins,
    };
    let ended = consuming.run(&stopping);
    let committed = consuming.leave();
    let records = consuming.records;
    ended.and(committed)?;
    if !args.quiet {
        say(&format!("{} read\n", count(records, "record")));
    }
    Ok(())
}

/// The schemas of `--format avro`.
struct Schemas {
    key: Option<SchemaFile>,
    value: Option<SchemaFile>,
}

impl Schemas {
    fn read(args: &ConsumeArgs) -> Outcome<Self> {
        let named = args.schema.is_some() || args.key_schema.is_some();
        if named && args.format != RecordFormat::Avro {
            let error = Error::user("--schema and --key-schema are for --format avro");
            return Err(Failure::Usage(error.with_hint("add --format avro")));
        }
        let read = |path: &Option<PathBuf>| path.as_deref().map(SchemaFile::read).transpose();
        Ok(Self { key: read(&args.key_schema)?, value: read(&args.schema)? })
    }

    fn decoders(&self, args: &ConsumeArgs) -> Outcome<Option<AvroDecoders<'_>>> {
        if args.format != RecordFormat::Avro {
            return Ok(None);
        }
        let key = self.key.as_ref();
        let key =
            key.map(|key| Decoder::new(Some(key), args.framing, "--key-schema")).transpose()?;
        let value = Decoder::new(self.value.as_ref(), args.framing, "--schema")?;
        Ok(Some(AvroDecoders { key, value }))
    }
}

fn connect(args: &ConsumeArgs) -> Outcome<Cluster> {
    let reset = match (&args.group, args.from_beginning) {
        // Without a group this concerns only records that are deleted while they are read.
        (None, _) | (_, true) => "earliest",
        (Some(_), false) => "latest",
    };
    let defaults = [
        ("auto.offset.reset", reset),
        ("queued.max.messages.kbytes", "16384"),
        ("fetch.queue.backoff.ms", "2"),
        ("fetch.error.backoff.ms", "100"),
        ("fetch.wait.max.ms", "100"),
        ("reconnect.backoff.max.ms", "2000"),
    ];
    let fixed = [
        ("group.id", args.group.as_deref().unwrap_or(NO_GROUP)),
        ("enable.auto.commit", if args.group.is_some() { "true" } else { "false" }),
        ("enable.auto.offset.store", "false"),
        ("enable.partition.eof", if args.until_end { "true" } else { "false" }),
        ("isolation.level", &args.isolation),
    ];
    Cluster::connect(&args.connection, &defaults, &fixed)
}

/// The partitions to read and where each starts.
fn assignment(
    cluster: &Cluster,
    args: &ConsumeArgs,
    topics: &[Topic],
) -> Outcome<TopicPartitionList> {
    let mut places: Vec<Place> = Vec::new();
    for topic in topics {
        let there: BTreeSet<i32> = topic.partitions.iter().map(|p| p.id).collect();
        if let Some(missing) = args.partitions.iter().find(|id| !there.contains(id)) {
            let text = format!("topic '{}' has no partition {missing}", topic.name);
            let last = there.len().saturating_sub(1);
            return Err(Failure::Runtime(
                Error::user(text).with_hint(format!("it has 0 to {last}")),
            ));
        }
        let wanted = |id: &i32| args.partitions.is_empty() || args.partitions.contains(id);
        places.extend(there.into_iter().filter(wanted).map(|id| (topic.name.clone(), id)));
    }
    let starts = starts(cluster, args, &places)?;
    let mut list = TopicPartitionList::with_capacity(places.len());
    for ((topic, partition), start) in places.iter().zip(starts) {
        list.add_partition_offset(topic, *partition, start)
            .map_err(|error| cluster.failed("start reading", &error))?;
    }
    Ok(list)
}

fn starts(cluster: &Cluster, args: &ConsumeArgs, places: &[Place]) -> Outcome<Vec<Offset>> {
    if let Some(at_ms) = args.timestamp {
        let found = offsets(cluster, places, Moment::Time(at_ms))?;
        let latest = offsets(cluster, places, Moment::Latest)?;
        let of = |(found, latest): (Option<i64>, Option<i64>)| found.or(latest).unwrap_or(0);
        return Ok(found.into_iter().zip(latest).map(of).map(Offset::Offset).collect());
    }
    let start = match args.from_beginning {
        true => Start::Earliest,
        false => args.offset.unwrap_or(Start::Latest),
    };
    let (back, at) = match start {
        Start::Earliest => return Ok(vec![Offset::Beginning; places.len()]),
        // Asked for now, so that records that come while the reading begins are not missed.
        Start::Latest => (Some(0), None),
        Start::Last(back) => (Some(back), None),
        Start::At(at) => (None, Some(at)),
    };
    let earliest = offsets(cluster, places, Moment::Earliest)?;
    let latest = offsets(cluster, places, Moment::Latest)?;
    let mut starts = Vec::with_capacity(places.len());
    for (nth, (topic, partition)) in places.iter().enumerate() {
        let (first, end) = (earliest[nth].unwrap_or(0), latest[nth].unwrap_or(0));
        let start = match at {
            Some(at) if at < first || at > end => {
                let text = format!("topic '{topic}', partition {partition} has no offset {at}");
                let hint = format!("it has {first} to {end}; --partition chooses a partition");
                return Err(Failure::Runtime(Error::user(text).with_hint(hint)));
            }
            Some(at) => at,
            None => end.saturating_sub(back.unwrap_or(0)).max(first),
        };
        starts.push(Offset::Offset(start));
    }
    Ok(starts)
}

/// The reading and what it has not committed yet.
struct Consuming<'a> {
    args: &'a ConsumeArgs,
    cluster: &'a Cluster,
    printer: RecordPrinter<'a>,
    out: BufWriter<StdoutLock<'static>>,
    /// The last offsets that are printed but not marked for the commit: by partition, then topic.
    unstored: BTreeMap<i32, Vec<(String, i64)>>,
    unflushed: usize,
    records: u64,
    /// Partitions whose end has not been reached.
    open_ends: BTreeSet<i32>,
    /// Where a group that has no offset yet begins: the ends at the time of the start.
    origins: BTreeMap<Place, i64>,
}

impl Consuming<'_> {
    fn run(&mut self, stopping: &Stopping) -> Outcome {
        let mut idle = Stopwatch::start();
        loop {
            if stopping.asked() || self.args.max_messages.is_some_and(|max| self.records >= max) {
                return Ok(());
            }
            let cluster = self.cluster;
            if cluster.link().take_assigned() {
                // If it fails, as when the next assignment is on its way, it is done then or at the end.
                let _ = self.commit_origins();
            }
            let mut polled = cluster.client().poll(Duration::ZERO);
            if polled.is_none() {
                self.flush()?;
                polled = cluster.client().poll(WAIT);
            }
            match polled {
                None => {
                    let waited = Duration::from_secs_f64(idle.seconds().max(0.0));
                    if self.args.timeout.is_some_and(|timeout| waited >= timeout) {
                        return Ok(());
                    }
                }
                Some(Ok(record)) => {
                    self.print(&record)?;
                    if self.args.timeout.is_some() {
                        idle = Stopwatch::start();
                    }
                }
                Some(Err(KafkaError::PartitionEOF(partition))) => {
                    self.open_ends.remove(&partition);
                    if self.args.until_end && self.open_ends.is_empty() {
                        return Ok(());
                    }
                }
                Some(Err(error)) => self.survive(&error)?,
            }
        }
    }

    fn print(&mut self, record: &BorrowedMessage<'_>) -> Outcome {
        self.cluster.link().up();
        self.printer.write(&mut self.out, record)?;
        self.records += 1;
        self.unflushed += 1;
        if self.args.group.is_some() {
            let printed = self.unstored.entry(record.partition()).or_default();
            match printed.iter_mut().find(|(topic, _)| topic == record.topic()) {
                Some((_, offset)) => *offset = record.offset(),
                None => printed.push((record.topic().to_owned(), record.offset())),
            }
        }
        if self.unflushed >= RECORDS_A_FLUSH { self.flush() } else { Ok(()) }
    }

    /// Lets the reader of stdout have everything, and then the group's commit.
    fn flush(&mut self) -> Outcome {
        if self.unflushed == 0 {
            return Ok(());
        }
        self.out.flush().map_err(Failure::stdout)?;
        self.unflushed = 0;
        for (partition, printed) in std::mem::take(&mut self.unstored) {
            for (topic, offset) in printed {
                // It fails for a partition that another member has taken over: that one reads the records again.
                let _ = self.cluster.client().store_offset(&topic, partition, offset);
            }
        }
        Ok(())
    }

    /// Outages are waited out; `link` tells of them. Anything else ends the reading.
    fn survive(&self, error: &KafkaError) -> Outcome {
        let fatal = matches!(error, KafkaError::MessageConsumptionFatal(_));
        match error.rdkafka_error_code() {
            Some(
                Code::BrokerTransportFailure
                | Code::AllBrokersDown
                | Code::OperationTimedOut
                | Code::Resolve
                | Code::PollExceeded
                | Code::CoordinatorNotAvailable
                | Code::NotCoordinator
                | Code::CoordinatorLoadInProgress
                | Code::LeaderNotAvailable
                | Code::NotLeaderForPartition,
            ) if !fatal => Ok(()),
            // Only a group's reader needs the coordinator.
            Some(Code::GroupAuthorizationFailed) if self.args.group.is_none() => Ok(()),
            Some(Code::UnknownTopic | Code::UnknownTopicOrPartition) => {
                let error = Error::user("a topic went away while it was read");
                Err(Failure::Runtime(error.with_hint("was it deleted?")))
            }
            _ => Err(self.cluster.failed("read on", error)),
        }
    }

    /// Prints what is left and commits it.
    fn leave(&mut self) -> Outcome {
        self.flush()?;
        let Some(group) = &self.args.group else { return Ok(()) };
        let committed = match self.cluster.client().commit_consumer_state(CommitMode::Sync) {
            // Nothing has been read.
            Err(error) if error.rdkafka_error_code() == Some(Code::NoOffset) => Ok(()),
            other => other,
        };
        match committed.and_then(|()| self.commit_origins()) {
            Ok(()) => Ok(()),
            Err(error) => {
                let text =
                    format!("the offsets of group '{group}' could not be committed: {error}");
                let error = Error::new(ErrorKind::Unavailable, text);
                Err(Failure::Runtime(error.with_hint("the last records will be read again")))
            }
        }
    }

    /// Partitions for which the group has no offset get the one that they are read from: should nothing come, then what
    /// comes until the group is back is not passed over.
    fn commit_origins(&self) -> Result<(), KafkaError> {
        let client = self.cluster.client();
        let assigned = client.assignment()?;
        if self.origins.is_empty() || assigned.count() == 0 {
            return Ok(());
        }
        let mut list = TopicPartitionList::new();
        for element in client.committed_offsets(assigned, REQUEST_TIMEOUT)?.elements() {
            let place = (element.topic().to_owned(), element.partition());
            if let (Offset::Invalid, Some(origin)) = (element.offset(), self.origins.get(&place)) {
                list.add_partition_offset(&place.0, place.1, Offset::Offset(*origin))?;
            }
        }
        match list.count() {
            0 => Ok(()),
            _ => client.commit(&list, CommitMode::Sync),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn starts_and_timeouts() {
        for (text, expected) in [
            ("earliest", Some(Start::Earliest)),
            ("latest", Some(Start::Latest)),
            ("0", Some(Start::At(0))),
            ("17", Some(Start::At(17))),
            ("-10", Some(Start::Last(10))),
            ("-9223372036854775808", None),
            ("first", None),
        ] {
            assert_eq!(parse_start(text).ok(), expected, "{text}");
        }
        assert_eq!(parse_timeout("5s"), Ok(Duration::from_secs(5)));
        for wrong in ["-1s", "soon"] {
            assert!(parse_timeout(wrong).is_err(), "{wrong}");
        }
    }
}
