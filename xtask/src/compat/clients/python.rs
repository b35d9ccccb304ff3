//! Clients for Python, each in a virtual environment of its own.
//! Invariant: an environment is complete or absent (it is renamed into place), and has exactly the versions that stand here.

use std::fs;
use std::process::Command;

use super::folder;
use crate::error::{Context, Result};
use crate::{layout, packages, process};

/// What compresses for kafka-python and aiokafka.
const CODECS: [&str; 3] = ["lz4==4.4.5", "python-snappy==0.7.3", "zstandard==0.25.0"];

/// A client: its package, what it needs beside it, and the program of `tests/compat/python` that uses it.
#[derive(Debug)]
pub(super) struct Python {
    package: &'static str,
    codecs: &'static [&'static str],
    program: &'static str,
}

pub(super) const CONFLUENT_KAFKA: Python =
    Python { package: "confluent-kafka==2.16.1", codecs: &[], program: "confluent_client.py" };
pub(super) const KAFKA_PYTHON_2: Python =
    Python { package: "kafka-python==2.3.3", codecs: &CODECS, program: "kafka_python_client.py" };
pub(super) const KAFKA_PYTHON_3: Python =
    Python { package: "kafka-python==3.0.12", codecs: &CODECS, program: "kafka_python_client.py" };
pub(super) const AIOKAFKA: Python = Python {
    package: "aiokafka==0.14.0",
    codecs: &["lz4==4.4.5", "cramjam==2.14.0", "zstandard==0.25.0"],
    program: "aiokafka_client.py",
};

impl Python {
    pub(super) fn run(&self, address: &str) -> Result<()> {
        let place = folder().join(self.package);
        if !place.exists() {
            packages::require(&["python3"])?;
            eprintln!("fetching {} from PyPI", self.package);
            // Moving an environment breaks its scripts, not its interpreter, which finds its packages beside itself.
            let partial = folder().join(format!("{}.partial-{}", self.package, std::process::id()));
            layout::remove_folder(&partial)?;
            process::capture(Command::new("python3").args(["-m", "venv"]).arg(&partial))?;
            let mut pip = Command::new(partial.join("bin/python"));
            pip.args(["-m", "pip", "install", "--quiet", self.package]).args(self.codecs);
            process::capture(&mut pip)?;
            fs::rename(&partial, &place)
                .context(format_args!("cannot name {}", place.display()))?;
        }
        let program = layout::root().join("tests/compat/python").join(self.program);
        let mut python = Command::new(place.join("bin/python"));
        process::capture(python.arg("-B").arg(program).arg(address)).map(drop)
    }
}
