//! Real clients against our broker, each doing what programs do with Kafka.
//! Invariant: a client runs in the version that is pinned here, fetched once into `.services/`; it says itself what is wrong
//! (an assert, an exit code), or the table of its steps names what it has to print. The same runs against any other broker
//! (`--against`): what Apache Kafka does not pass is no test.
//!
//! | file | clients |
//! |---|---|
//! | `python` | confluent-kafka, kafka-python 2 and 3, aiokafka: `tests/compat/python/` |
//! | `kcat` | kcat as Debian has it |
//! | `java_tools` | Kafka's own command line tools |
//! | `jvm` | Kafka Streams and Flink, killed in the middle: `tests/compat/java/` |

mod java_tools;
mod jvm;
mod kcat;
mod python;

use std::path::PathBuf;
use std::thread;
use std::time::Instant;

use clap::ValueEnum;

use super::brokers::{self, Broker};
use crate::error::{Error, Result};
use crate::layout;

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Client {
    ConfluentKafka,
    #[value(name = "kafka-python-2")]
    KafkaPython2,
    #[value(name = "kafka-python-3")]
    KafkaPython3,
    Aiokafka,
    Kcat,
    KafkaTools,
    KafkaStreams,
    Flink,
}

impl Client {
    fn name(self) -> String {
        self.to_possible_value().expect("no client is hidden").get_name().to_owned()
    }

    fn run(self, address: &str) -> Result<()> {
        match self {
            Self::ConfluentKafka => python::CONFLUENT_KAFKA.run(address),
            Self::KafkaPython2 => python::KAFKA_PYTHON_2.run(address),
            Self::KafkaPython3 => python::KAFKA_PYTHON_3.run(address),
            Self::Aiokafka => python::AIOKAFKA.run(address),
            Self::Kcat => kcat::run(address),
            Self::KafkaTools => java_tools::run(address),
            Self::KafkaStreams => jvm::STREAMS.run(address),
            Self::Flink => jvm::FLINK.run(address),
        }
    }
}

#[derive(Debug, Clone, Default, clap::Args)]
pub(crate) struct ClientsArgs {
    /// Which ones; all when none is named
    clients: Vec<Client>,
    /// Another broker instead of ours
    #[arg(long, value_name = "HOST:PORT")]
    against: Option<String>,
}

/// What `cargo xtask compat clients` does: all at the same time, as they mostly wait.
pub(crate) fn main(args: &ClientsArgs) -> Result<()> {
    let clients = match args.clients.as_slice() {
        [] => Client::value_variants(),
        named => named,
    };
    let Some(address) = &args.against else {
        let binary = brokers::build()?;
        layout::create_folder(&folder())?;
        let mut broker = Broker::start(&binary, folder().join("broker.log"), &[])?;
        let run = run_all(clients, &broker.address);
        return broker.check().and(run);
    };
    run_all(clients, address)
}

/// Where clients are kept, and what they leave.
fn folder() -> PathBuf {
    layout::root().join(".services/clients")
}

fn run_all(clients: &[Client], address: &str) -> Result<()> {
    let failed: Vec<String> = thread::scope(|scope| {
        let runs: Vec<_> =
            clients.iter().map(|client| scope.spawn(|| run(*client, address))).collect();
        runs.into_iter().filter_map(|run| run.join().expect("it does not panic")).collect()
    });
    match failed.as_slice() {
        [] => Ok(()),
        failed => Err(Error::new(format!("failed: {}", failed.join(", ")))),
    }
}

/// Runs one and tells how it went; its name if it failed.
fn run(client: Client, address: &str) -> Option<String> {
    let start = Instant::now();
    let ran = client.run(address);
    let (name, seconds) = (client.name(), start.elapsed().as_secs());
    match ran {
        Ok(()) => {
            eprintln!("{name}: ok in {seconds} s");
            None
        }
        Err(error) => {
            eprintln!("{name}: FAILED after {seconds} s: {error}");
            Some(name)
        }
    }
}
