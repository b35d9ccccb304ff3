//! A single Apache Kafka node (KRaft, broker and controller in one process) and Kafka's own command line tools.
//! Invariant: listens on loopback only; topics that Kafka keeps for itself have one replica, because there is one node.
//! Beside the plain listener stands one with TLS and a login (`tls`): same topics, nobody is kept out by the plain one.
//! Ready means that Kafka said so in its log and answers on its port. A killed
//! broker can come back after the session timeout, which is shorter than Kafka's. Records stay, however old their times are: tests
//! write events of 1970, which Kafka's retention would take away while they are read. Everything else is Kafka's default,
//! automatic topic creation included.

use std::fs;
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use super::{State, not_running, spawn_daemon, tls};
use crate::error::{Error, Result};
use crate::jars::{JarSet, class_path};
use crate::{layout, packages, process};

const JARS: JarSet = JarSet { name: "kafka", pom: include_str!("../../services/pom.xml") };

/// "MainstemServices" in the base64 that Kafka wants: the id of the cluster.
const CLUSTER_ID: &str = "TWFpbnN0ZW1TZXJ2aWNlcw";

const READY: &str = "Kafka Server started";
const READY_WITHIN: Duration = Duration::from_secs(90);
const STOP_WITHIN: Duration = Duration::from_secs(30);

/// Kafka's jars, fetched when they are missing.
pub(crate) fn jars() -> Result<PathBuf> {
    JARS.fetch()
}

pub(super) fn start(state: &mut State) -> Result<()> {
    packages::require(&["java"])?;
    let jars = JARS.fetch()?;
    layout::create_folder(&state.folder)?;
    let [port] = process::free_ports(state.port)?;
    // The plain one is free too until Kafka takes it, so it may come up again.
    let others: [u16; 3] = process::free_ports(state.secure_port)?;
    let mut others = others.into_iter().filter(|other| *other != port);
    let mut other = || others.next().expect("three different ports, at most one of them is taken");
    state.port = port;
    state.secure_port = other();
    let controller_port = other();
    state.version = JARS.version().to_owned();
    let config = state.folder.join("server.properties");
    let stores = tls::stores(&state.folder)?;
    let properties = server_properties(controller_port, &state.data);
    let secure = tls::listeners([state.port, state.secure_port, controller_port], &stores);
    layout::write(&config, &format!("{properties}{secure}"))?;
    layout::write(&state.folder.join("log4j2.xml"), LOG4J)?;
    if !state.data.join("meta.properties").exists() {
        let mut format = java(&jars, &state.folder, "kafka.tools.StorageTool")?;
        format.args(["format", "--cluster-id", CLUSTER_ID, "--config"]).arg(&config);
        process::capture(&mut format)?;
    }
    let mut server = java(&jars, &state.folder, "kafka.Kafka")?;
    let mut child = spawn_daemon(server.arg(&config), &state.log())?;
    state.pid = child.id();
    let mut ended = None;
    let ready = process::wait_until(READY_WITHIN, || {
        ended = child.try_wait().ok().flatten();
        ended.is_some() || is_ready(state)
    });
    match (ready, ended) {
        (true, None) => add_scram_user(&jars, state).or_else(|error| {
            process::kill(state.pid, &state.marker())?;
            Err(error)
        }),
        (_, Some(status)) => Err(Error::new(format!(
            "Kafka ended at once with {status}; {}",
            process::tail(&state.log())
        ))),
        (false, None) => {
            process::kill(state.pid, &state.marker())?;
            Err(Error::new(format!(
                "Kafka was not ready within {} seconds; {}",
                READY_WITHIN.as_secs(),
                process::tail(&state.log())
            )))
        }
    }
}

fn is_ready(state: &State) -> bool {
    let log = fs::read_to_string(state.log()).unwrap_or_default();
    log.contains(READY) && TcpStream::connect(("127.0.0.1", state.port)).is_ok()
}

/// Once for each place of data: Kafka keeps the user there. (PLAIN's user stands in the listener's configuration.)
fn add_scram_user(jars: &Path, state: &State) -> Result<()> {
    let done = state.data.join("scram-user");
    if done.exists() {
        return Ok(());
    }
    let mut configs = java(jars, &state.folder, "kafka.admin.ConfigCommand")?;
    configs.arg("--bootstrap-server").arg(format!("127.0.0.1:{}", state.port));
    configs.args(["--alter", "--entity-type", "users", "--entity-name", tls::USER]);
    let login = format!("SCRAM-SHA-512=[password={}]", tls::PASSWORD);
    process::capture(configs.arg("--add-config").arg(login))?;
    layout::write(&done, "")
}

pub(super) fn stop(state: &State) -> Result<()> {
    process::terminate(state.pid, &state.marker(), STOP_WITHIN)
}

/// As Kafka comes, but for what a single node needs, and for files that go soon after they are deleted: else what a test or a
/// benchmark has left is at work a minute later.
fn server_properties(controller_port: u16, data: &Path) -> String {
    format!(
        "\
process.roles=broker,controller
node.id=1
controller.quorum.voters=1@127.0.0.1:{controller_port}
controller.listener.names=CONTROLLER
log.dirs={}
offsets.topic.replication.factor=1
offsets.topic.num.partitions=4
transaction.state.log.replication.factor=1
transaction.state.log.min.isr=1
transaction.state.log.num.partitions=4
share.coordinator.state.topic.replication.factor=1
share.coordinator.state.topic.min.isr=1
share.coordinator.state.topic.num.partitions=4
group.initial.rebalance.delay.ms=0
broker.session.timeout.ms=5000
broker.heartbeat.interval.ms=500
log.retention.ms=-1
log.segment.delete.delay.ms=1000
",
        data.display()
    )
}

/// Words of the server go to its output, which is the log file; tools stay silent but for trouble.
const LOG4J: &str = r#"<?xml version="1.0" encoding="UTF-8"?>
<Configuration status="WARN">
  <Appenders>
    <Console name="out" target="SYSTEM_OUT"><PatternLayout pattern="[%d] %p %m (%c)%n"/></Console>
  </Appenders>
  <Loggers><Root level="INFO"><AppenderRef ref="out"/></Root></Loggers>
</Configuration>
"#;

const LOG4J_TOOLS: &str = r#"<?xml version="1.0" encoding="UTF-8"?>
<Configuration status="WARN">
  <Appenders>
    <Console name="err" target="SYSTEM_ERR"><PatternLayout pattern="[%d] %p %m (%c)%n"/></Console>
  </Appenders>
  <Loggers><Root level="WARN"><AppenderRef ref="err"/></Root></Loggers>
</Configuration>
"#;

/// A Java program of Kafka; `folder` holds its logging configuration.
fn java(jars: &Path, folder: &Path, class: &str) -> Result<Command> {
    let mut java = Command::new("java");
    java.args(["-Xms128m", "-Xmx512m", "-XX:+UseG1GC", "-Djava.awt.headless=true"]);
    java.arg(format!("-Dlog4j2.configurationFile={}", folder.join("log4j2.xml").display()));
    java.arg("-cp").arg(class_path(jars)?).arg(class);
    Ok(java)
}

/// How a tool is told where Kafka is, when its caller did not.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Address {
    Flag,
    Unneeded,
}

use Address::{Flag, Unneeded};

/// Kafka's scripts and the classes that they run.
const TOOLS: &[(&str, &str, Address)] = &[
    ("kafka-acls", "org.apache.kafka.tools.AclCommand", Flag),
    ("kafka-broker-api-versions", "org.apache.kafka.tools.BrokerApiVersionsCommand", Flag),
    ("kafka-client-metrics", "org.apache.kafka.tools.ClientMetricsCommand", Flag),
    ("kafka-cluster", "org.apache.kafka.tools.ClusterTool", Unneeded),
    ("kafka-configs", "kafka.admin.ConfigCommand", Flag),
    ("kafka-console-consumer", "org.apache.kafka.tools.consumer.ConsoleConsumer", Flag),
    ("kafka-console-producer", "org.apache.kafka.tools.ConsoleProducer", Flag),
    ("kafka-console-share-consumer", "org.apache.kafka.tools.consumer.ConsoleShareConsumer", Flag),
    ("kafka-consumer-groups", "org.apache.kafka.tools.consumer.group.ConsumerGroupCommand", Flag),
    ("kafka-consumer-perf-test", "org.apache.kafka.tools.ConsumerPerformance", Flag),
    ("kafka-delegation-tokens", "org.apache.kafka.tools.DelegationTokenCommand", Flag),
    ("kafka-delete-records", "org.apache.kafka.tools.DeleteRecordsCommand", Flag),
    ("kafka-dump-log", "org.apache.kafka.tools.DumpLogSegments", Unneeded),
    ("kafka-e2e-latency", "org.apache.kafka.tools.EndToEndLatency", Flag),
    ("kafka-features", "org.apache.kafka.tools.FeatureCommand", Flag),
    ("kafka-get-offsets", "org.apache.kafka.tools.GetOffsetShell", Flag),
    ("kafka-groups", "org.apache.kafka.tools.GroupsCommand", Flag),
    ("kafka-leader-election", "org.apache.kafka.tools.LeaderElectionCommand", Flag),
    ("kafka-log-dirs", "org.apache.kafka.tools.LogDirsCommand", Flag),
    ("kafka-metadata-quorum", "org.apache.kafka.tools.MetadataQuorumCommand", Flag),
    ("kafka-producer-perf-test", "org.apache.kafka.tools.ProducerPerformance", Flag),
    (
        "kafka-reassign-partitions",
        "org.apache.kafka.tools.reassign.ReassignPartitionsCommand",
        Flag,
    ),
    ("kafka-replica-verification", "org.apache.kafka.tools.ReplicaVerificationTool", Unneeded),
    ("kafka-share-consumer-perf-test", "org.apache.kafka.tools.ShareConsumerPerformance", Flag),
    ("kafka-share-groups", "org.apache.kafka.tools.consumer.group.ShareGroupCommand", Flag),
    ("kafka-storage", "kafka.tools.StorageTool", Unneeded),
    ("kafka-streams-application-reset", "org.apache.kafka.tools.StreamsResetter", Flag),
    ("kafka-streams-groups", "org.apache.kafka.tools.streams.StreamsGroupCommand", Flag),
    ("kafka-topics", "org.apache.kafka.tools.TopicCommand", Flag),
    ("kafka-transactions", "org.apache.kafka.tools.TransactionsCommand", Unneeded),
    ("kafka-verifiable-consumer", "org.apache.kafka.tools.VerifiableConsumer", Flag),
    ("kafka-verifiable-producer", "org.apache.kafka.tools.VerifiableProducer", Flag),
];

/// Runs one of Kafka's tools with our input and output.
pub(super) fn tool(name: &str, args: &[String], port: Option<u16>) -> Result<()> {
    if name == "list" {
        TOOLS.iter().for_each(|(name, ..)| println!("{name}"));
        return Ok(());
    }
    let (mut java, address) = named_tool(name)?;
    java.args(args);
    let given = args.iter().any(|arg| is_address(arg));
    if address == Flag && !given {
        let port = port.ok_or_else(|| not_running(super::Service::Kafka))?;
        java.arg("--bootstrap-server").arg(format!("127.0.0.1:{port}"));
    }
    process::run(&mut java)
}

/// One of Kafka's tools, its arguments yet to be added.
pub(crate) fn tool_command(name: &str) -> Result<Command> {
    named_tool(name).map(|(java, _)| java)
}

fn named_tool(name: &str) -> Result<(Command, Address)> {
    let plain = name.trim_end_matches(".sh");
    let Some((_, class, address)) = TOOLS.iter().find(|(tool, ..)| *tool == plain) else {
        let message = format!("no tool of Kafka is named {name}; `kafka-tool list` names them");
        return Err(Error::new(message));
    };
    packages::require(&["java"])?;
    let jars = JARS.fetch()?;
    let folder = layout::jars().join("kafka-tools");
    layout::write(&folder.join("log4j2.xml"), LOG4J_TOOLS)?;
    Ok((java(&jars, &folder, class)?, *address))
}

fn is_address(arg: &str) -> bool {
    arg.starts_with("--bootstrap-")
        || arg.starts_with("--broker-list")
        || arg.contains("bootstrap.servers=")
        || arg == "--help"
        || arg == "--version"
}
