//! kcat as Debian 12 has it, with librdkafka 2.0.2: the oldest client that many people have.

use std::process::Command;

use super::java_tools::{Step, fill, unique};
use crate::error::Result;
use crate::packages;

/// `$TOPIC` and `$GROUP` stand for names of this run.
const STEPS: &[Step] = &[
    Step { words: "-P -t $TOPIC -K : -H kind=letter", input: "k1:a\nk2:b\nk3:c\n", says: &[] },
    Step { words: "-P -t $TOPIC -z snappy -K : -Z", input: "k1:\n", says: &[] },
    Step {
        words: "-L -t $TOPIC",
        input: "",
        says: &["1 brokers:", "topic \"$TOPIC\" with 1 partitions:"],
    },
    Step {
        words: "-C -t $TOPIC -e -o beginning -f %o-%k-%s-%S-%h\\n",
        input: "",
        says: &["0-k1-a-1-kind=letter\n1-k2-b-1-kind=letter\n2-k3-c-1-kind=letter\n3-k1--", "-1-"],
    },
    Step { words: "-C -t $TOPIC -e -o -2 -f %o\\n", input: "", says: &["2\n3\n"] },
    // From a time, up to a time: all of it was written after 2001.
    Step {
        words: "-C -t $TOPIC -e -o s@1000000000000 -c 2 -f %s\\n",
        input: "",
        says: &["a\nb\n"],
    },
    Step { words: "-Q -t $TOPIC:0:1000000000000", input: "", says: &["$TOPIC [0] offset 0"] },
    Step { words: "-Q -t $TOPIC:0:-1", input: "", says: &["$TOPIC [0] offset 4"] },
    Step {
        words: "-G $GROUP -X auto.offset.reset=earliest -e -f %s, $TOPIC",
        input: "",
        says: &["a,b,c,"],
    },
    // The group has read it all.
    Step { words: "-P -t $TOPIC", input: "more\n", says: &[] },
    Step {
        words: "-G $GROUP -X auto.offset.reset=earliest -e -f <%s> $TOPIC",
        input: "",
        says: &["<more>"],
    },
];

pub(super) fn run(address: &str) -> Result<()> {
    packages::require(&["kcat"])?;
    let names = [("$TOPIC", unique("kcat")), ("$GROUP", unique("kcat-group"))];
    STEPS.iter().try_for_each(|step| {
        let mut kcat = Command::new("kcat");
        kcat.args(["-b", address]).args(step.words.split(' ').map(|word| fill(word, &names)));
        step.run(kcat, &names)
    })
}
