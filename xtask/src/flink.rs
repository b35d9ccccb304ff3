//! A real Apache Flink in one JVM: its jars, and the flags that it needs.
//! Invariant: whoever starts Flink here, the oracle or the benchmark, starts the same one. Does not run anything itself.

use std::path::Path;
use std::process::Command;

use crate::error::Result;
use crate::jars::JarSet;
use crate::{layout, packages};

pub(crate) const JARS: JarSet = JarSet { name: "flink", pom: include_str!("../oracle/pom.xml") };

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

/// A JVM with so much heap in UTC, its warnings in `flink.log` of the folder; class path and program are yet to be added.
pub(crate) fn java(folder: &Path, heap: Option<&str>) -> Result<Command> {
    packages::require(&["java"])?;
    let config = folder.join("log4j2.xml");
    layout::write(&config, &log4j(&folder.join("flink.log")))?;
    let mut java = Command::new("java");
    for package in OPENS {
        java.arg(format!("--add-opens={package}=ALL-UNNAMED"));
    }
    for package in EXPORTS {
        java.arg(format!("--add-exports={package}=ALL-UNNAMED"));
    }
    java.args(heap.map(|heap| format!("-Xmx{heap}")));
    java.args(["-Duser.timezone=UTC", "-Dfile.encoding=UTF-8", "-Duser.language=en"]);
    java.arg(format!("-Dlog4j2.configurationFile={}", config.display()));
    Ok(java)
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
