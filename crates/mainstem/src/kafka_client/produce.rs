//! `mainstem produce`: lines to records.
//! Invariant: every line that was read is acknowledged by the broker or named as not written, and then the exit code
//! is not 0. The first line that cannot be written ends the reading. With --transactional-id all lines are one
//! transaction: all of them can be read, or none.

use std::collections::BTreeSet;
use std::fs::File;
use std::io::{IsTerminal, Read};
use std::path::PathBuf;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use clap::Args;
use mainstem_core::Error;
use rdkafka::client::ClientContext;
use rdkafka::config::RDKafkaLogLevel;
use rdkafka::error::{KafkaError, RDKafkaErrorCode as Code};
use rdkafka::message::{DeliveryResult, Header, OwnedHeaders};
use rdkafka::producer::{BaseRecord, Producer, ProducerContext, ThreadedProducer};

use super::columns::count;
use super::connection::{Cluster, ConnectionArgs, REQUEST_TIMEOUT, config_error};
use super::lines::{Block, Lines, Next};
use super::link::Link;
use super::stopping::Stopping;
use super::{parse_pair, words};
use crate::clock::Stopwatch;
use crate::failure::{Failure, Outcome, say};
use crate::pipeline::report::{duration, short};
use crate::pipeline::terminal::Terminal;

const HELP: &str = "\
Examples:
  echo 'hello' | mainstem produce greetings
  mainstem produce orders --file orders.jsonl --compression zstd
  printf 'a:1\\nb:2\\na:-\\n' | mainstem produce prices --key-separator : --null-value -
  mainstem produce orders --file batch.jsonl --transactional-id loader   all lines or none
  mainstem consume a --from-beginning --until-end | mainstem produce b

Each line is a record; its value is the line without the line end. With --key-separator what stands before the first
separator is the key. Exit code 0: every line was acknowledged.";

#[derive(Debug, Args)]
#[command(after_help = HELP)]
pub(crate) struct ProduceArgs {
    /// Where to write; it must be there
    #[arg(value_name = "TOPIC")]
    topic: String,
    /// Where the lines come from [default: stdin]
    #[arg(long, short, value_name = "PATH")]
    file: Option<PathBuf>,
    /// What stands between key and value; \t is a tab. A line without it is an error
    #[arg(long, short = 'k', value_name = "TEXT", value_parser = parse_separator)]
    key_separator: Option<String>,
    /// A header of every record. May be given more than once
    #[arg(long = "header", short = 'H', value_name = "NAME=VALUE", value_parser = parse_pair)]
    headers: Vec<(String, String)>,
    /// Write to this partition [default: by key, or evenly]
    #[arg(long, short, value_name = "N", value_parser = clap::value_parser!(i32).range(0..))]
    partition: Option<i32>,
    /// A value that reads like this is none: the record is a tombstone, which deletes its key
    #[arg(long, value_name = "TEXT")]
    null_value: Option<String>,
    /// How records are compressed
    #[arg(long, value_name = "KIND", default_value = "none", value_parser = ["none", "gzip", "snappy", "lz4", "zstd"])]
    compression: String,
    /// Whose acknowledgement counts: all in-sync replicas, the leader (1), or nobody's (0)
    #[arg(long, value_name = "WHO", default_value = "all", value_parser = ["all", "1", "0"])]
    acks: String,
    /// Write all lines in one transaction under this id; Ctrl-C takes it back
    #[arg(long, value_name = "ID")]
    transactional_id: Option<String>,
    /// No progress and no summary on stderr
    #[arg(long, short)]
    quiet: bool,
    #[command(flatten)]
    connection: ConnectionArgs,
}

/// A separator for clap: `\t` and `\n` as escapes, and not empty.
pub(super) fn parse_separator(text: &str) -> Result<String, String> {
    match text.replace("\\t", "\t").replace("\\n", "\n") {
        separator if separator.is_empty() => Err("it must not be empty".to_owned()),
        separator => Ok(separator),
    }
}

/// What became of the lines that were sent.
#[derive(Debug, Default)]
struct Fate {
    /// Numbers of the lines that were not written; the first ones.
    lost: BTreeSet<usize>,
    lost_count: u64,
    /// Why, for the lowest line.
    reason: Option<(usize, Option<Code>, String)>,
    fatal: Option<String>,
}

/// How many lost lines are named.
const NAMED_MAX: usize = 10;

/// The producer's context: counts acknowledgements, keeps failures.
struct Deliveries {
    link: Arc<Link>,
    acknowledged: AtomicU64,
    fate: Mutex<Fate>,
}

impl Deliveries {
    fn fate(&self) -> MutexGuard<'_, Fate> {
        // It is whole at every moment.
        self.fate.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn lost(&self, line: usize, error: &KafkaError) {
        let code = error.rdkafka_error_code();
        let mut fate = self.fate();
        fate.lost_count += 1;
        fate.lost.insert(line);
        if fate.lost.len() > NAMED_MAX {
            fate.lost.pop_last();
        }
        if fate.reason.as_ref().is_none_or(|(first, ..)| line < *first) {
            let text = code.map_or_else(|| error.to_string(), words);
            fate.reason = Some((line, code, text));
        }
    }

    fn failed(&self) -> bool {
        let fate = self.fate();
        fate.lost_count > 0 || fate.fatal.is_some()
    }
}

impl ClientContext for Deliveries {
    fn error(&self, error: KafkaError, reason: &str) {
        if error.rdkafka_error_code() == Some(Code::Fatal) {
            self.fate().fatal.get_or_insert_with(|| reason.to_owned());
        }
        self.link.on_error(&error, reason);
    }
    fn log(&self, _level: RDKafkaLogLevel, _facility: &str, _text: &str) {}
    fn stats_raw(&self, _statistics: &[u8]) {}
}

impl ProducerContext for Deliveries {
    /// The number of the line.
    type DeliveryOpaque = usize;

    fn delivery(&self, result: &DeliveryResult<'_>, line: usize) {
        match result {
            Ok(_) => {
                self.acknowledged.fetch_add(1, Ordering::Relaxed);
                self.link.up();
            }
            Err((error, _)) => self.lost(line, error),
        }
    }
}

/// Does what `mainstem produce` says.
pub(crate) fn execute(args: &ProduceArgs) -> Outcome {
    if args.transactional_id.is_some() && args.acks != "all" {
        let error = Error::user(format!("a transaction cannot have --acks {}", args.acks));
        return Err(Failure::Usage(error.with_hint("leave --acks out")));
    }
    let (lines, typed) = open_lines(args)?;
    let cluster = Cluster::open(&args.connection)?;
    check_target(&cluster, args)?;
    let producing = Producing::open(args, &cluster)?;
    if typed && !args.quiet {
        say("one record a line; Ctrl-D ends\n");
    }
    let terminal = Terminal::new(args.quiet || typed, true);
    let stopping = Stopping::listen("stopped at once; the last lines may not have been written")?;
    let ended = producing.send_all(&lines, &stopping, &terminal);
    terminal.clear();
    producing.finish(ended, &stopping, args)
}

/// The lines, and whether a person types them.
fn open_lines(args: &ProduceArgs) -> Outcome<(Lines, bool)> {
    let Some(path) = args.file.as_ref().filter(|path| path.as_os_str() != "-") else {
        let typed = std::io::stdin().is_terminal();
        let lines = Lines::of(std::io::stdin(), "stdin".to_owned());
        return Ok((lines.map_err(Failure::Runtime)?, typed));
    };
    let name = format!("'{}'", path.display());
    let file: Box<dyn Read + Send> = match File::open(path) {
        Ok(file) => Box::new(file),
        Err(e) => {
            let error = Error::user(format!("cannot read {name}")).with_source(e);
            return Err(Failure::Usage(error));
        }
    };
    Ok((Lines::of(file, name).map_err(Failure::Runtime)?, false))
}

fn check_target(cluster: &Cluster, args: &ProduceArgs) -> Outcome {
    let topic = cluster.topic(&args.topic)?;
    let Some(partition) = args.partition else { return Ok(()) };
    if topic.partitions.iter().any(|p| p.id == partition) {
        return Ok(());
    }
    let last = topic.partitions.len().saturating_sub(1);
    let text = format!("topic '{}' has no partition {partition}", topic.name);
    Err(Failure::Runtime(Error::user(text).with_hint(format!("it has 0 to {last}"))))
}

/// How the sending ended.
enum Ended {
    /// All lines were sent.
    End,
    /// Ctrl-C.
    Stopped,
    /// A line could not be sent, or reading failed.
    Failed(Option<Error>),
}

/// An open producer.
struct Producing<'a> {
    producer: ThreadedProducer<Deliveries>,
    args: &'a ProduceArgs,
    headers: Option<OwnedHeaders>,
    watch: Stopwatch,
}

impl<'a> Producing<'a> {
    fn open(args: &'a ProduceArgs, cluster: &Cluster) -> Outcome<Self> {
        let idempotence = if args.acks == "all" { "true" } else { "false" };
        let mut config = args.connection.config(&[
            ("linger.ms", "5"),
            ("enable.idempotence", idempotence),
            // Java's choice, so that keys go where other clients send them.
            ("partitioner", "murmur2_random"),
            ("queue.buffering.max.kbytes", "65536"),
        ]);
        config.set("compression.type", &args.compression).set("acks", &args.acks);
        if let Some(id) = &args.transactional_id {
            config.set("transactional.id", id);
        }
        let context = Deliveries {
            link: Arc::clone(cluster.link()),
            acknowledged: AtomicU64::new(0),
            fate: Mutex::default(),
        };
        let producer: ThreadedProducer<Deliveries> =
            config.create_with_context(context).map_err(|error| config_error(&error))?;
        if args.transactional_id.is_some() {
            producer
                .init_transactions(REQUEST_TIMEOUT)
                .and_then(|()| producer.begin_transaction())
                .map_err(|error| cluster.failed("begin a transaction", &error))?;
        }
        let headers = (!args.headers.is_empty()).then(|| {
            args.headers.iter().fold(OwnedHeaders::new(), |headers, (key, value)| {
                headers.insert(Header { key, value: Some(value) })
            })
        });
        Ok(Self { producer, args, headers, watch: Stopwatch::start() })
    }

    fn acknowledged(&self) -> u64 {
        self.producer.context().acknowledged.load(Ordering::Relaxed)
    }

    fn send_all(&self, lines: &Lines, stopping: &Stopping, terminal: &Terminal) -> Ended {
        let live = terminal.is_live(false);
        loop {
            if live {
                let done = self.acknowledged();
                let rate = done as f64 / self.watch.seconds().max(0.001);
                terminal.show(format!("{done} records written, {}/s", short(rate)));
            }
            if self.producer.context().failed() {
                return Ended::Failed(None);
            }
            if stopping.asked() {
                return Ended::Stopped;
            }
            match lines.next(Duration::from_millis(50)) {
                Ok(Next::Block(block)) => {
                    if let Err(ended) = self.send_block(&block, stopping) {
                        return ended;
                    }
                }
                Ok(Next::Waiting) => {}
                Ok(Next::End) => return Ended::End,
                Err(error) => return Ended::Failed(Some(error)),
            }
        }
    }

    fn send_block(&self, block: &Block, stopping: &Stopping) -> Result<(), Ended> {
        for (number, line) in block.lines() {
            let (key, value) = match &self.args.key_separator {
                None => (None, line),
                Some(separator) => match split_once(line, separator.as_bytes()) {
                    Some((key, value)) => (Some(key), value),
                    None => return Err(Ended::Failed(Some(without_key(number, separator)))),
                },
            };
            let null = self.args.null_value.as_ref().is_some_and(|null| null.as_bytes() == value);
            let mut record = BaseRecord {
                topic: &self.args.topic,
                partition: self.args.partition,
                payload: (!null).then_some(value),
                key,
                timestamp: None,
                headers: self.headers.clone(),
                delivery_opaque: number,
            };
            while let Err((error, back)) = self.producer.send(record) {
                if error.rdkafka_error_code() != Some(Code::QueueFull) {
                    self.producer.context().lost(number, &error);
                    return Err(Ended::Failed(None));
                }
                if stopping.asked() {
                    return Err(Ended::Stopped);
                }
                // Until an answer makes room.
                self.producer.poll(Duration::from_millis(1));
                record = back;
            }
        }
        Ok(())
    }

    /// Waits for what is under way, and says what became of all lines.
    fn finish(&self, ended: Ended, stopping: &Stopping, args: &ProduceArgs) -> Outcome {
        let stopped = matches!(ended, Ended::Stopped);
        let failure = match ended {
            Ended::Failed(Some(error)) => Some(error),
            _ => None,
        };
        let transaction = args.transactional_id.is_some();
        if transaction && (stopped || failure.is_some() || self.producer.context().failed()) {
            return Err(self.abort(failure.or_else(|| self.loss()), stopped));
        }
        // Every record ends by itself: acknowledged, or given up after message.timeout.ms.
        while self.producer.in_flight_count() > 0 {
            let _ = self.producer.flush(Duration::from_millis(100));
        }
        if let Some(loss) = self.loss() {
            let loss = match &failure {
                Some(first) => loss.with_detail(format!("and {first}")),
                None => loss,
            };
            return Err(match transaction {
                true => self.abort(Some(loss), false),
                false => Failure::Runtime(loss),
            });
        }
        if transaction {
            if stopping.asked() {
                return Err(self.abort(None, true));
            }
            if let Err(error) = self.producer.commit_transaction(REQUEST_TIMEOUT * 4) {
                let text = format!("the transaction could not be committed: {}", said(&error));
                return Err(self.abort(Some(Error::user(text)), false));
            }
        }
        if let Some(error) = failure {
            let written = format!("{} were written", count(self.acknowledged(), "line"));
            return Err(Failure::Runtime(error.with_detail(written)));
        }
        self.summary(stopped, transaction);
        Ok(())
    }

    fn abort(&self, cause: Option<Error>, stopped: bool) -> Failure {
        let aborted = self.producer.abort_transaction(REQUEST_TIMEOUT * 4);
        let ending = match &aborted {
            Ok(()) => "the transaction was aborted: no line can be read".to_owned(),
            Err(error) => format!(
                "the transaction could not be aborted ({}): the broker does so after transaction.timeout.ms",
                said(error)
            ),
        };
        match cause {
            Some(cause) => Failure::Runtime(cause.with_detail(ending)),
            None if stopped && aborted.is_ok() => {
                Failure::Interrupted("stopped; the transaction was aborted: no line can be read")
            }
            None => Failure::Runtime(Error::unavailable(ending)),
        }
    }

    /// The error that names the lines that were not written.
    fn loss(&self) -> Option<Error> {
        let fate = self.producer.context().fate();
        if let Some(fatal) = &fate.fatal {
            let text = format!("the broker ended this producer: {fatal}");
            let detail = format!("{} were written", count(self.acknowledged(), "line"));
            return Some(Error::user(text).with_detail(detail));
        }
        let (line, code, reason) = fate.reason.as_ref()?;
        let text =
            format!("line {line} could not be written to topic '{}': {reason}", self.args.topic);
        let named: Vec<String> = fate.lost.iter().map(usize::to_string).collect();
        let more = if fate.lost_count > named.len() as u64 { ", ..." } else { "" };
        let detail = format!(
            "not written: {} ({}{more}); written: {}",
            count(fate.lost_count, "line"),
            named.join(", "),
            count(self.acknowledged(), "line"),
        );
        let error = Error::user(text).with_detail(detail);
        Some(match code {
            Some(Code::MessageSizeTooLarge) => error.with_hint(
                "raise -X message.max.bytes=.., and max.message.bytes of the topic: `mainstem topic alter`",
            ),
            Some(Code::MessageTimedOut) => {
                error.with_hint("-X message.timeout.ms=.. sets how long brokers are waited for")
            }
            Some(Code::TopicAuthorizationFailed) => {
                error.with_hint("ask for the right (ACL) to write to this topic")
            }
            _ => error,
        })
    }

    fn summary(&self, stopped: bool, transaction: bool) {
        if self.args.quiet {
            return;
        }
        let (done, seconds) = (self.acknowledged(), self.watch.seconds());
        let how = if transaction { " in one transaction" } else { "" };
        let stopped = if stopped { "stopped; " } else { "" };
        let records = count(done, "record");
        say(&format!(
            "{stopped}{records} written to topic '{}'{how} in {}\n",
            self.args.topic,
            duration(seconds)
        ));
    }
}

fn said(error: &KafkaError) -> String {
    error.rdkafka_error_code().map_or_else(|| error.to_string(), words)
}

fn without_key(number: usize, separator: &str) -> Error {
    Error::user(format!("line {number} has no key: '{}' is not in it", separator.escape_debug()))
        .with_hint("a record without a key cannot be written together with --key-separator")
}

fn split_once<'a>(line: &'a [u8], separator: &[u8]) -> Option<(&'a [u8], &'a [u8])> {
    let at = line.windows(separator.len()).position(|window| window == separator)?;
    Some((&line[..at], &line[at + separator.len()..]))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_end_at_the_first_separator() {
        for (line, separator, expected) in [
            ("a:b:c", ":", Some(("a", "b:c"))),
            (":b", ":", Some(("", "b"))),
            ("a:", ":", Some(("a", ""))),
            ("a=>b", "=>", Some(("a", "b"))),
            ("ab", ":", None),
            ("", ":", None),
        ] {
            let expected = expected.map(|(k, v): (&str, &str)| (k.as_bytes(), v.as_bytes()));
            assert_eq!(split_once(line.as_bytes(), separator.as_bytes()), expected, "{line}");
        }
        assert_eq!(parse_separator("\\t").as_deref(), Ok("\t"));
        assert!(parse_separator("").is_err());
    }
}
