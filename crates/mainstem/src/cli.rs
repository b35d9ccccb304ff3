//! The command line: raw arguments to validated commands, and the help that teaches.
//! Invariant: what leaves this file can be carried out as it is; a wrong value is refused here, with exit code 2.

use std::num::NonZeroUsize;
use std::path::PathBuf;

use crate::broker::Data;
use crate::up::UpArgs;
use clap::builder::{PossibleValue, PossibleValuesParser, TypedValueParser};
use clap::{Args, Parser, Subcommand, ValueEnum};
use mainstem_connectors::datasets::{DATASETS, Dataset, dataset};
use mainstem_engine::executor::Cuts;

use crate::checkpoint::{self, CheckpointCommand};
use crate::kafka_client::consume::ConsumeArgs;
use crate::kafka_client::group::{self, GroupCommand};
use crate::kafka_client::produce::ProduceArgs;
use crate::kafka_client::topic::{self, TopicCommand};
use crate::pipeline::ChangedSql;
use crate::state::StatePlace;

const EXAMPLES: &str = "\
Examples:
  mainstem run pipeline.sql                        run a pipeline until its inputs end, or Ctrl-C
  mainstem run pipeline.sql --var BROKER=kafka:9092  fill ${BROKER} in the file
  mainstem up pipeline.sql                         the same as a server, with a Kafka broker inside
  mainstem check pipeline.sql                      say what is wrong with it, without starting it
  mainstem explain pipeline.sql                    show how it would be run
  mainstem checkpoint list state                   what 'run --state state' has kept
  mainstem gen --dataset rides --count 5           five ride events as JSON lines
  mainstem connectors kafka                        the options of a connector
  mainstem topic list                              the topics of a Kafka; also produce, consume, group

Data goes to stdout, words to stderr. Exit codes: 0 done, 1 failed while running, 2 wrong usage or refused SQL,
130 stopped by a second Ctrl-C.";

/// Streaming SQL in one program: events in, live answers out.
///
/// Mainstem runs Apache Flink's SQL: tables over Kafka, files, PostgreSQL and generators, continuous queries with
/// windows and event time. One SQL file is one pipeline.
#[derive(Debug, Parser)]
#[command(name = "mainstem", version, after_help = EXAMPLES, max_term_width = 100)]
pub(crate) struct Arguments {
    #[command(subcommand)]
    pub(crate) command: Command,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Run SQL files as one pipeline
    Run(RunArgs),
    /// Run a Kafka broker, and a pipeline of each SQL file beside it, until Ctrl-C
    Up(UpArgs),
    /// Parse, bind and plan SQL files and check all options, without connecting to anything
    Check(ScriptArgs),
    /// List, show and verify the checkpoints that --state keeps
    #[command(after_help = checkpoint::HELP)]
    Checkpoint {
        #[command(subcommand)]
        command: CheckpointCommand,
    },
    /// Show the plan of the pipeline that SQL files make
    Explain(ExplainArgs),
    /// Generate events from a table of connector 'faker', 'datagen' or 'nexmark', or from a ready data set
    Gen(GenArgs),
    /// List connectors and formats, or the options of one of them
    Connectors {
        /// A connector or a format
        name: Option<String>,
    },
    /// List the SQL functions
    Functions {
        /// Only functions whose name contains this
        name: Option<String>,
    },
    /// Create, list, describe, alter and delete topics of a Kafka
    #[command(after_help = topic::HELP)]
    Topic {
        #[command(subcommand)]
        command: TopicCommand,
    },
    /// Write lines to a topic of a Kafka
    Produce(Box<ProduceArgs>),
    /// Print the records of topics of a Kafka
    Consume(Box<ConsumeArgs>),
    /// List, describe, reset and delete the consumer groups of a Kafka
    #[command(after_help = group::HELP)]
    Group {
        #[command(subcommand)]
        command: GroupCommand,
    },
}

/// The files of a pipeline and the values of their variables.
#[derive(Debug, Args)]
pub(crate) struct ScriptArgs {
    /// SQL files, read in this order as one script; - is stdin
    #[arg(required = true, value_name = "FILE")]
    pub(crate) files: Vec<PathBuf>,
    /// Fills ${NAME} in the files; beats a variable of the environment. May be given more than once
    #[arg(long = "var", value_name = "NAME=VALUE", value_parser = parse_variable)]
    pub(crate) variables: Vec<(String, String)>,
}

const RUN_HELP: &str = "\
Examples:
  mainstem run examples/transactions/pipeline.sql
  mainstem run tables.sql job.sql --parallelism 2
  echo \"SELECT 1 + 1 AS two\" | mainstem run -

The pipeline ends when all its inputs have ended. The first Ctrl-C stops reading, finishes what has been read and
writes it; a second one stops at once. INSERTs of a file run together; a bare SELECT prints its rows on stdout.";

#[derive(Debug, Args)]
#[command(after_help = RUN_HELP)]
pub(crate) struct RunArgs {
    #[command(flatten)]
    pub(crate) script: ScriptArgs,
    /// How many workers share the rows; beats SET 'parallelism.default'
    #[arg(long, short = 'p', value_name = "N")]
    pub(crate) parallelism: Option<NonZeroUsize>,
    /// On Ctrl-C, close the windows that are still open and write what they hold so far
    #[arg(long)]
    pub(crate) close_windows: bool,
    /// How a bare SELECT is printed; default: table on a terminal, tsv otherwise
    #[arg(long, value_name = "KIND")]
    pub(crate) output: Option<OutputKind>,
    /// Where the topics are of Kafka tables without brokers of their own: a folder, or memory [default: memory]
    #[arg(long, value_name = "DIR")]
    pub(crate) data: Option<Data>,
    /// Keep checkpoints in this folder, or below s3://BUCKET/PREFIX, az://CONTAINER/PREFIX, gs://BUCKET/PREFIX, and go on from
    /// the newest one there. How often: SET 'execution.checkpointing.interval' = '10 s'
    #[arg(long, value_name = "PLACE", conflicts_with_all = ["close_windows", "cuts"])]
    pub(crate) state: Option<StatePlace>,
    /// Go on from this checkpoint of --state instead of the newest
    #[arg(long, value_name = "NUMBER", requires = "state")]
    pub(crate) from_checkpoint: Option<u64>,
    /// When the SQL means something else than that of the checkpoint
    #[arg(long, value_name = "HOW", default_value = "refuse", requires = "state")]
    pub(crate) changed_sql: ChangedSql,
    /// No progress and no summary on stderr
    #[arg(long, short)]
    pub(crate) quiet: bool,
    /// For tests: hold the input until it has ended, then cut it into steps: `rows`, or `random:SEED`
    #[arg(long, hide = true, value_name = "WHERE", value_parser = parse_cuts)]
    pub(crate) cuts: Option<Cuts>,
    /// For tests: after each step go on in new workers, from what a checkpoint would keep of the old ones
    #[arg(long, hide = true)]
    pub(crate) restarts: bool,
}

/// How rows are printed on stdout.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum OutputKind {
    /// Aligned columns, as in Flink's SQL client
    Table,
    /// A line a change, as the connector print writes it: +I[1, Alice]
    Changelog,
    /// A header, then a line a row: tabs between values, NULL as \N
    Tsv,
    /// A header, then a line a row
    Csv,
    /// An object a row
    Json,
}

#[derive(Debug, Args)]
pub(crate) struct ExplainArgs {
    #[command(flatten)]
    pub(crate) script: ScriptArgs,
    /// The number of workers to plan for; beats SET 'parallelism.default'
    #[arg(long, short = 'p', value_name = "N")]
    pub(crate) parallelism: Option<NonZeroUsize>,
}

const GEN_HELP: &str = "\
Examples:
  mainstem gen --dataset rides --count 3
  mainstem gen --dataset sessions --rate 100/s --to kafka://localhost:9092/sessions
  mainstem gen users.sql --count 1000000 --seed 7 --to users.jsonl
  mainstem gen --dataset transactions --count 10 --format csv

FILE holds a CREATE TABLE of connector 'faker', 'datagen' or 'nexmark'; of several, --table chooses. The same seed
gives the same rows.";

#[derive(Debug, Args)]
#[command(after_help = GEN_HELP)]
pub(crate) struct GenArgs {
    /// A SQL file with a table that generates rows
    #[arg(value_name = "FILE", required_unless_present = "dataset")]
    pub(crate) file: Option<PathBuf>,
    /// One of the ready data sets
    #[arg(long, conflicts_with = "file", value_name = "NAME", value_parser = dataset_parser())]
    pub(crate) dataset: Option<&'static Dataset>,
    /// Which table of FILE; default: the last one
    #[arg(long, value_name = "NAME", conflicts_with = "dataset")]
    pub(crate) table: Option<String>,
    /// How many rows; default: what the table says, without an end for data sets
    #[arg(long, value_name = "N")]
    pub(crate) count: Option<u64>,
    /// Rows a second, such as 100/s; default: what the table says, else as fast as possible
    #[arg(long, value_name = "N/s", value_parser = parse_rate)]
    pub(crate) rate: Option<u64>,
    /// Other rows of the same kind
    #[arg(long, value_name = "S")]
    pub(crate) seed: Option<i64>,
    /// stdout, a file, a directory that ends in /, or kafka://HOST:PORT/TOPIC
    #[arg(long, value_name = "TARGET", default_value = "stdout", value_parser = Target::parse)]
    pub(crate) to: Target,
    /// How rows are written
    #[arg(long, value_name = "FORMAT", default_value = "json")]
    pub(crate) format: RowFormat,
    /// Fills ${NAME} in FILE
    #[arg(long = "var", value_name = "NAME=VALUE", value_parser = parse_variable)]
    pub(crate) variables: Vec<(String, String)>,
    /// No progress and no summary on stderr
    #[arg(long, short)]
    pub(crate) quiet: bool,
}

/// The formats of `gen`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum RowFormat {
    /// A JSON object a row
    Json,
    /// Comma-separated values
    Csv,
}

/// Where generated rows go.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Target {
    /// The terminal or a pipe.
    Stdout,
    /// A file or a directory.
    Path(String),
    /// A topic.
    Kafka {
        /// `host:port`, more than one separated by commas.
        servers: String,
        /// Its name.
        topic: String,
    },
}

impl Target {
    fn parse(text: &str) -> Result<Self, String> {
        if text == "stdout" || text == "-" {
            return Ok(Target::Stdout);
        }
        let Some(rest) = text.strip_prefix("kafka://") else {
            let path = text.strip_prefix("file://").unwrap_or(text);
            if path.contains("://") {
                return Err("the targets are stdout, a path, and kafka://HOST:PORT/TOPIC".into());
            }
            return Ok(Target::Path(path.to_owned()));
        };
        match rest.split_once('/') {
            Some((servers, topic))
                if !servers.is_empty() && !topic.is_empty() && !topic.contains('/') =>
            {
                Ok(Target::Kafka { servers: servers.to_owned(), topic: topic.to_owned() })
            }
            _ => Err("write it as kafka://HOST:PORT/TOPIC".into()),
        }
    }
}

fn dataset_parser() -> impl TypedValueParser<Value = &'static Dataset> {
    let names = DATASETS.iter().map(|set| PossibleValue::new(set.name).help(set.doc));
    PossibleValuesParser::new(names).map(|name| dataset(&name).expect("only known names pass"))
}

pub(crate) fn parse_variable(text: &str) -> Result<(String, String), String> {
    let (name, value) = text.split_once('=').ok_or("write it as NAME=VALUE")?;
    let valid = !name.is_empty()
        && !name.starts_with(|c: char| c.is_ascii_digit())
        && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_');
    if !valid {
        return Err(format!("'{name}' is not a name: letters, digits and _ only"));
    }
    Ok((name.to_owned(), value.to_owned()))
}

fn parse_cuts(text: &str) -> Result<Cuts, String> {
    let seed = text.strip_prefix("random:").and_then(|seed| seed.parse().ok());
    match (text, seed) {
        ("rows", _) => Ok(Cuts::EachRow),
        (_, Some(seed)) => Ok(Cuts::Random { seed }),
        _ => Err("write it as rows or random:SEED".into()),
    }
}

fn parse_rate(text: &str) -> Result<u64, String> {
    let number = text.strip_suffix("/s").unwrap_or(text);
    match number.trim().parse() {
        Ok(rate @ 1..=1_000_000_000) => Ok(rate),
        _ => Err("write it as rows a second, 1/s to 1000000000/s".into()),
    }
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    #[test]
    fn the_definition_is_consistent() {
        Arguments::command().debug_assert();
    }

    #[test]
    fn targets() {
        let kafka = |servers: &str, topic: &str| Target::Kafka {
            servers: servers.to_owned(),
            topic: topic.to_owned(),
        };
        for (text, expected) in [
            ("stdout", Ok(Target::Stdout)),
            ("-", Ok(Target::Stdout)),
            ("a/b.json", Ok(Target::Path("a/b.json".into()))),
            ("file:///tmp/x", Ok(Target::Path("/tmp/x".into()))),
            ("kafka://h:1/t", Ok(kafka("h:1", "t"))),
            ("kafka://h:1,i:2/t", Ok(kafka("h:1,i:2", "t"))),
            ("kafka://h:1", Err(())),
            ("kafka:///t", Err(())),
            ("kafka://h/a/b", Err(())),
            ("s3://bucket/x", Err(())),
        ] {
            assert_eq!(Target::parse(text).map_err(drop), expected, "{text}");
        }
    }

    #[test]
    fn variables_and_rates() {
        assert_eq!(parse_variable("A=b=c"), Ok(("A".into(), "b=c".into())));
        assert_eq!(parse_variable("A="), Ok(("A".into(), String::new())));
        for wrong in ["A", "=x", "1A=x", "a b=x"] {
            assert!(parse_variable(wrong).is_err(), "{wrong}");
        }
        assert_eq!(parse_rate("100/s"), Ok(100));
        assert_eq!(parse_rate("7"), Ok(7));
        for wrong in ["0/s", "-1", "x/s", "5/min"] {
            assert!(parse_rate(wrong).is_err(), "{wrong}");
        }
    }
}
