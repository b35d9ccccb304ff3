//! Programs on the JVM that promise exactly once, killed in the middle: Kafka Streams and Flink.
//! Invariant: a program of `tests/compat/java` is compiled against the pinned jars and run four times, with the same name for
//! what it makes: it writes its input, works until it halts itself, works on from there to the end, and checks the result.

use std::path::{Path, PathBuf};
use std::process::Command;

use super::folder;
use super::java_tools::unique;
use crate::error::{Error, Result};
use crate::jars::{JarSet, class_path};
use crate::{flink, layout, packages, process};

const STREAMS_JARS: JarSet =
    JarSet { name: "kafka-streams", pom: include_str!("../../../compat/kafka-streams.xml") };
const FLINK_KAFKA_JARS: JarSet =
    JarSet { name: "flink-kafka", pom: include_str!("../../../compat/flink-kafka.xml") };

/// How `Runtime.halt` in the programs ends the process.
const HALTED: i32 = 9;

/// A program and what it is made of.
#[derive(Debug)]
pub(super) struct Program {
    class: &'static str,
    jars: &'static [&'static JarSet],
    /// After how many records it halts.
    halt_after: &'static str,
}

pub(super) const STREAMS: Program =
    Program { class: "WordCount", jars: &[&STREAMS_JARS], halt_after: "900" };
pub(super) const FLINK: Program =
    Program { class: "Copy", jars: &[&flink::JARS, &FLINK_KAFKA_JARS], halt_after: "1000" };

impl Program {
    pub(super) fn run(&self, address: &str) -> Result<()> {
        packages::require(&["java"])?;
        let place = folder().join(self.class);
        let classes = self.compile(&place)?;
        let name = unique(&self.class.to_lowercase());
        let temporary = place.join("state");
        layout::remove_folder(&temporary)?;
        layout::create_folder(&temporary)?;
        let java = |words: &[&str]| -> Result<Command> {
            let mut java = flink::java(&place, Some("700m"))?;
            java.arg(format!("-Djava.io.tmpdir={}", temporary.display()));
            java.arg("-cp").arg(&classes).args([self.class, words[0], address, &name]);
            java.args(&words[1..]);
            Ok(java)
        };
        process::capture(&mut java(&["feed"])?)?;
        let halted = java(&["count", self.halt_after])?.output().map(|output| output.status);
        if !halted.as_ref().is_ok_and(|status| status.code() == Some(HALTED)) {
            return Err(Error::new(format!("{} was not killed: {halted:?}", self.class)));
        }
        process::capture(&mut java(&["count", "0"])?)?;
        process::capture(&mut java(&["check"])?).map(drop)
    }

    /// Compiles the program; its class path.
    fn compile(&self, place: &Path) -> Result<String> {
        let source = layout::root().join(format!("tests/compat/java/{}.java", self.class));
        let classes: PathBuf = place.join("classes");
        layout::remove_folder(&classes)?;
        layout::create_folder(&classes)?;
        let mut path = vec![classes.display().to_string()];
        for jars in self.jars {
            path.push(class_path(&jars.fetch()?)?);
        }
        let path = path.join(":");
        let mut javac = Command::new("javac");
        javac.arg("-d").arg(&classes).args(["-cp", &path]).arg(source);
        process::capture(&mut javac)?;
        Ok(path)
    }
}
