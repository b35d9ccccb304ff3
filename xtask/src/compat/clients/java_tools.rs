//! Kafka's own command line tools, of the version that the services use: Java's clients and admin client as people use them.
//! Invariant: each step is one call of a tool, in order; it must end well and print what the table says.

use std::io::Write as _;
use std::process::{Command, Stdio};
use std::time::{SystemTime, UNIX_EPOCH};

use super::folder;
use crate::error::{Context, Error, Result};
use crate::{layout, process, services};

/// One call: words with the tool first where there are several, what it reads, what it has to print.
#[derive(Debug)]
pub(super) struct Step {
    pub(super) words: &'static str,
    pub(super) input: &'static str,
    pub(super) says: &'static [&'static str],
}

/// What stands for something in the words of a step, and what it stands for.
pub(super) type Name = (&'static str, String);

/// Puts in what names stand for.
pub(super) fn fill(text: &str, names: &[Name]) -> String {
    names.iter().fold(text.to_owned(), |text, (name, value)| text.replace(name, value))
}

/// A name that no earlier run used.
pub(super) fn unique(name: &str) -> String {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    format!("{name}-{}", now.as_millis())
}

impl Step {
    /// Runs the call, whose command is complete.
    pub(super) fn run(&self, mut command: Command, names: &[Name]) -> Result<()> {
        let fill = |text: &str| fill(text, names);
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let program = command.get_program().to_owned();
        let mut child =
            command.spawn().context(format_args!("cannot start {}", program.display()))?;
        let mut input = child.stdin.take().expect("it is a pipe");
        // A tool that ends without reading has said why.
        let _ = input.write_all(self.input.as_bytes());
        drop(input);
        let output = child.wait_with_output().context("cannot wait for a tool")?;
        let said = String::from_utf8_lossy(&output.stdout).into_owned()
            + &String::from_utf8_lossy(&output.stderr);
        let missing = self.says.iter().map(|part| fill(part)).find(|part| !said.contains(part));
        let wrong = match (output.status.success(), missing) {
            (true, None) => return Ok(()),
            (true, Some(part)) => format!("did not print {part:?}"),
            (false, _) => format!("ended with {}", output.status),
        };
        let said = process::last_lines(&said, 30);
        Err(Error::new(format!("`{}` {wrong}; it printed:\n{said}", fill(self.words))))
    }
}

const fn step(words: &'static str, says: &'static [&'static str]) -> Step {
    Step { words, input: "", says }
}

/// `$TOPIC`, `$OTHER`, `$GROUP`, `$TX` stand for names of this run, `$FOLDER` for a place for files.
#[rustfmt::skip]
const STEPS: &[Step] = &[
    step("kafka-broker-api-versions", &["Produce(0): 0 to ", "EndTxn(26)", "[usable: "]),
    step("kafka-topics --create --topic $TOPIC --partitions 2 --config retention.ms=1000000", &["Created topic $TOPIC."]),
    step("kafka-topics --alter --topic $TOPIC --partitions 3", &[]),
    step("kafka-topics --describe --topic $TOPIC", &["PartitionCount: 3", "retention.ms=1000000", "Leader: 1"]),
    step("kafka-topics --list", &["$TOPIC\n"]),
    step("kafka-configs --alter --entity-type topics --entity-name $TOPIC --add-config max.message.bytes=2000000 --delete-config retention.ms",
        &["Completed updating config for topic $TOPIC."]),
    step("kafka-configs --describe --entity-type topics --entity-name $TOPIC",
        &["max.message.bytes=2000000 sensitive=false synonyms={DYNAMIC_TOPIC_CONFIG:max.message.bytes=2000000, DEFAULT_CONFIG:message.max.bytes="]),
    step("kafka-configs --describe --entity-type brokers --entity-name 1 --all", &["num.partitions=1 "]),
    Step {
        words: "kafka-console-producer --topic $TOPIC --reader-property parse.key=true --reader-property key.separator=:",
        input: "k1:v1\nk2:v2\nk3:v3\nk1:v4\n",
        says: &[],
    },
    step("kafka-console-consumer --topic $TOPIC --group $GROUP --from-beginning --max-messages 4 --formatter-property print.key=true",
        &["k1\tv1\n", "k2\tv2\n", "k3\tv3\n", "k1\tv4\n", "Processed a total of 4 messages"]),
    step("kafka-get-offsets --topic $TOPIC", &["$TOPIC:0:", "$TOPIC:1:", "$TOPIC:2:"]),
    step("kafka-consumer-groups --list", &["$GROUP\n"]),
    step("kafka-groups --list", &["$GROUP ", "Classic", "consumer"]),
    step("kafka-consumer-groups --describe --group $GROUP", &["CURRENT-OFFSET", "$TOPIC"]),
    step("kafka-consumer-groups --describe --group $GROUP --state", &["Empty"]),
    step("kafka-consumer-groups --reset-offsets --group $GROUP --topic $TOPIC --to-earliest --execute", &["NEW-OFFSET", "$TOPIC"]),
    step("kafka-console-consumer --topic $TOPIC --group $GROUP --max-messages 4", &["v1\n", "v4\n"]),
    step("kafka-consumer-groups --delete --group $GROUP", &["Deletion of requested consumer groups ('$GROUP') was successful."]),
    step("kafka-verifiable-producer --topic $OTHER --max-messages 1000 --acks -1", &["\"sent\":1000,\"acked\":1000"]),
    step("kafka-verifiable-consumer --topic $OTHER --group-id $GROUP-v --max-messages 1000 --reset-policy earliest",
        &["\"count\":", "shutdown_complete"]),
    step("kafka-get-offsets --topic $OTHER --time latest", &["$OTHER:0:1000\n"]),
    step("kafka-delete-records --offset-json-file $FOLDER/delete.json", &["partition: $OTHER-0\tlow_watermark: 400"]),
    step("kafka-get-offsets --topic $OTHER --time earliest", &["$OTHER:0:400\n"]),
    step("kafka-log-dirs --describe --topic-list $OTHER", &["{\"partition\":\"$OTHER-0\",\"size\":", "\"error\":null"]),
    step("kafka-producer-perf-test --topic $TOPIC-p --num-records 20000 --record-size 100 --throughput -1", &["20000 records sent"]),
    step("kafka-consumer-perf-test --topic $TOPIC-p --num-records 20000", &["data.consumed.in.nMsg", ", 20000, "]),
    step("kafka-e2e-latency --topic $TOPIC-e --num-records 100 --producer-acks all --record-size 100", &["Percentiles: 50th"]),
    step("kafka-producer-perf-test --topic $TOPIC-x --num-records 5000 --record-size 100 --throughput -1 --transactional-id $TX --transaction-duration-ms 50",
        &["5000 records sent"]),
    step("kafka-console-consumer --topic $TOPIC-x --from-beginning --max-messages 5000 --isolation-level read_committed",
        &["Processed a total of 5000 messages"]),
    step("kafka-transactions list", &["$TX", "CompleteCommit"]),
    step("kafka-transactions describe --transactional-id $TX", &["CompleteCommit", "60000"]),
    step("kafka-transactions describe-producers --topic $TOPIC-x --partition 0", &["ProducerId", "None"]),
    step("kafka-transactions find-hanging --broker-id 1", &[]),
    step("kafka-cluster cluster-id", &["Cluster ID: "]),
    step("kafka-leader-election --election-type preferred --all-topic-partitions", &[]),
    step("kafka-topics --delete --topic $TOPIC", &[]),
];

pub(super) fn run(address: &str) -> Result<()> {
    let (folder, other) = (folder().join("kafka-tools"), unique("other"));
    let delete = format!(
        r#"{{"partitions":[{{"topic":"{other}","partition":0,"offset":400}}],"version":1}}"#
    );
    layout::write(&folder.join("delete.json"), &delete)?;
    let names = [
        ("$TOPIC", unique("tools")),
        ("$OTHER", other),
        ("$GROUP", unique("group")),
        ("$TX", unique("tx")),
        ("$FOLDER", folder.display().to_string()),
    ];
    let fill = |text: &str| fill(text, &names);
    STEPS.iter().try_for_each(|step| {
        let (tool, words) = step.words.split_once(' ').unwrap_or((step.words, ""));
        let mut java = services::kafka_tool(tool)?;
        // Kafka's tools do not agree on where it belongs.
        if tool == "kafka-cluster" {
            java.args([words, "--bootstrap-server", address]);
        } else {
            java.args(["--bootstrap-server", address]).args(words.split_whitespace().map(fill));
        }
        step.run(java, &names)
    })
}
