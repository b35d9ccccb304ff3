//! The oracle: what a real Apache Flink answers to a SQL file, kept beside the file as its golden (`foo.sql` -> `foo.flink`).
//! Invariant: a golden is only ever written by Flink. One JVM handles all the files of a call, because a start costs seconds.
//! Does not judge our own answers yet; `golden` reads and compares the texts for whoever does.

mod golden;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use golden::Golden;

use crate::error::{Context, Error, Result};
use crate::jars::{JarSet, class_path};
use crate::{layout, packages, process};

const JARS: JarSet = JarSet { name: "flink", pom: include_str!("../../oracle/pom.xml") };
const PROGRAM: &str = include_str!("../../oracle/Oracle.java");

/// What Flink reads of the Java runtime by reflection, which newer runtimes close by default.
const OPENS: &[&str] = &[
    "java.base/java.io",
    "java.base/java.lang",
    "java.base/java.lang.invoke",
    "java.base/java.lang.reflect",
    "java.base/java.net",
    "java.base/java.nio",
    "java.base/java.text",
    "java.base/java.time",
    "java.base/java.util",
    "java.base/java.util.concurrent",
    "java.base/java.util.concurrent.atomic",
    "java.base/java.util.concurrent.locks",
    "java.base/sun.nio.ch",
];
const EXPORTS: &[&str] = &[
    "java.base/sun.net.util",
    "java.rmi/sun.rmi.registry",
    "java.security.jgss/sun.security.krb5",
];

#[derive(Debug, clap::Args)]
pub(crate) struct OracleArgs {
    /// SQL files, `${DIR}` in them being the folder of the file; or lists of expressions, one a line, `#` for comments
    #[arg(required = true)]
    files: Vec<PathBuf>,
    /// The files are lists of expressions
    #[arg(long)]
    expressions: bool,
    /// Print Flink's plan with the changelog mode of each query
    #[arg(long, conflicts_with = "expressions")]
    explain: bool,
    /// Fail when a golden says something else than Flink says now
    #[arg(long)]
    check: bool,
    /// Give up on a statement after so many seconds
    #[arg(long, default_value_t = 120)]
    seconds: u32,
}

/// What `cargo xtask oracle` does.
pub(crate) fn main(args: &OracleArgs) -> Result<()> {
    let mut before = Vec::new();
    for file in &args.files {
        if !file.is_file() {
            return Err(Error::new(format!("there is no file {}", file.display())));
        }
        let golden = file.with_extension("flink");
        if golden == *file {
            return Err(Error::new(format!("{} is itself a golden file", file.display())));
        }
        if args.check {
            before.push((read(&golden)?, golden));
        }
    }
    ask_flink(args)?;
    let mut stale = 0;
    for (text, path) in before {
        let (old, new) = (Golden::parse(&text), Golden::parse(&read(&path)?));
        let differences = old.differences(&new);
        for difference in &differences {
            println!("{}: {difference}", path.display());
        }
        stale += usize::from(!differences.is_empty());
    }
    match stale {
        0 => Ok(()),
        _ => Err(Error::new(format!("{stale} golden files said something else than Flink says"))),
    }
}

fn read(path: &Path) -> Result<String> {
    fs::read_to_string(path).context(format_args!("cannot read {}", path.display()))
}

fn ask_flink(args: &OracleArgs) -> Result<()> {
    packages::require(&["java"])?;
    let jars = JARS.fetch()?;
    let folder = layout::jars().join("oracle");
    let program = folder.join("Oracle.java");
    layout::write(&program, PROGRAM)?;
    let log = folder.join("flink.log");
    layout::write(&folder.join("log4j2.xml"), &log4j(&log))?;
    let mut java = Command::new("java");
    for package in OPENS {
        java.arg(format!("--add-opens={package}=ALL-UNNAMED"));
    }
    for package in EXPORTS {
        java.arg(format!("--add-exports={package}=ALL-UNNAMED"));
    }
    java.args(["-Xmx1g", "-Duser.timezone=UTC", "-Dfile.encoding=UTF-8", "-Duser.language=en"]);
    java.arg(format!("-Dlog4j2.configurationFile={}", folder.join("log4j2.xml").display()));
    java.arg("-cp").arg(class_path(&jars)?).arg(&program);
    java.arg(format!("--seconds={}", args.seconds));
    java.args(args.expressions.then_some("--expressions"));
    java.args(args.explain.then_some("--explain"));
    process::run(java.args(&args.files))
        .map_err(|error| Error::new(format!("{error}; {}", process::tail(&log))))
}

fn log4j(log: &Path) -> String {
    format!(
        r#"<?xml version="1.0" encoding="UTF-8"?>
<Configuration status="ERROR">
  <Appenders>
    <File name="log" fileName="{}" append="false"><PatternLayout pattern="[%d] %p %m (%c)%n"/></File>
  </Appenders>
  <Loggers><Root level="WARN"><AppenderRef ref="log"/></Root></Loggers>
</Configuration>
"#,
        log.display()
    )
}
