//! `cargo xtask compat`: test suites of others, and real clients, turned on our embedded broker.
//! Invariant: what is expected of each of their tests stands in a list in the repository (`tests/compat/`), with a reason
//! where a test is left out; a run that differs from the list fails, whichever way it differs.

mod brokers;
pub(crate) mod clients;
pub(crate) mod librdkafka;

use clap::Subcommand;

use crate::error::Result;

#[derive(Debug, clap::Args)]
pub(crate) struct CompatArgs {
    #[command(subcommand)]
    suite: Suite,
}

#[derive(Debug, Subcommand)]
enum Suite {
    /// librdkafka's own tests, from the source inside the rdkafka-sys package
    Librdkafka(librdkafka::LibrdkafkaArgs),
    /// Clients for Python, kcat, Kafka's own tools, Kafka Streams and Flink
    Clients(clients::ClientsArgs),
}

/// What `cargo xtask compat` does.
pub(crate) fn main(args: &CompatArgs) -> Result<()> {
    match &args.suite {
        Suite::Librdkafka(args) => librdkafka::main(args),
        Suite::Clients(args) => clients::main(args),
    }
}
