//! The engines that are compared, each as a command that runs SQL: ours, DuckDB through its Python package, Apache Flink.
//! Invariant: versions are pinned, everything is fetched and compiled before the first measurement, and Flink and we read
//! the same SQL files.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use clap::ValueEnum;

use super::measure::Program;
use crate::error::{Context, Error, Result};
use crate::jars::class_path;
use crate::{flink, layout, packages, process};

const DUCKDB: &str = "2.0.0";

/// Flink's settings that the published Nexmark runs use too.
const MINI_BATCH: &[&str] = &[
    "table.exec.mini-batch.enabled=true",
    "table.exec.mini-batch.allow-latency=2s",
    "table.exec.mini-batch.size=50000",
];

/// One that is measured.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, ValueEnum)]
pub(crate) enum Peer {
    Ours,
    Duckdb,
    Flink,
}

impl Peer {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Peer::Ours => "Mainstem",
            Peer::Duckdb => "DuckDB",
            Peer::Flink => "Flink SQL",
        }
    }
}

/// The variables of a script: `${NAME}` and what stands for it.
pub(crate) type Variables<'a> = &'a [(&'a str, String)];

/// The engines of this run, ready to be started.
#[derive(Debug)]
pub(crate) struct Engines {
    pub(crate) peers: Vec<Peer>,
    pub(crate) versions: Vec<String>,
    binary: PathBuf,
    python: PathBuf,
    flink: Vec<String>,
}

impl Engines {
    /// Builds, fetches and compiles what the peers need; `binary` is measured as it is where one is named.
    pub(crate) fn prepare(folder: &Path, peers: &[Peer], binary: Option<&Path>) -> Result<Self> {
        packages::require(&["time"])?;
        let mut engines = Self {
            peers: peers.to_vec(),
            versions: Vec::new(),
            binary: match binary {
                Some(path) => std::path::absolute(path).context("no path of the binary")?,
                None => layout::built("release/mainstem"),
            },
            python: folder.join(format!("duckdb-{DUCKDB}/bin/python")),
            flink: Vec::new(),
        };
        if binary.is_none() {
            let mut cargo = Command::new("cargo");
            cargo.args(["build", "--release", "--package", "mainstem"]);
            process::run(cargo.current_dir(layout::root()).stdin(Stdio::null()))?;
        }
        let version = process::capture(Command::new(&engines.binary).arg("--version"))?;
        engines.versions.push(version.trim().to_owned());
        if peers.contains(&Peer::Duckdb) {
            let version = engines.install_duckdb(folder)?;
            engines.versions.push(version);
        }
        if peers.contains(&Peer::Flink) {
            let version = engines.compile_for_flink(folder)?;
            engines.versions.push(version);
        }
        Ok(engines)
    }

    fn install_duckdb(&self, folder: &Path) -> Result<String> {
        if !self.python.exists() {
            packages::require(&["python3"])?;
            let place = folder.join(format!("duckdb-{DUCKDB}"));
            eprintln!("installing DuckDB {DUCKDB} from PyPI");
            process::capture(Command::new("python3").args(["-m", "venv"]).arg(&place))?;
            let mut pip = Command::new(place.join("bin/pip"));
            let installed = process::capture(pip.args(["install", &format!("duckdb=={DUCKDB}")]));
            if installed.is_err() {
                layout::remove_folder(&place)?;
            }
            installed?;
        }
        let ask = "import duckdb, platform; print(duckdb.__version__, 'in Python', platform.python_version())";
        let version = process::capture(Command::new(&self.python).args(["-c", ask]))?;
        Ok(format!("DuckDB {}", version.trim()))
    }

    fn compile_for_flink(&mut self, folder: &Path) -> Result<String> {
        let jars = class_path(&flink::JARS.fetch()?)?;
        let place = folder.join("flink");
        let classes = place.join("classes");
        let mut java = flink::java(&place, None)?;
        layout::remove_folder(&classes)?;
        let services = "META-INF/services/org.apache.flink.table.factories.Factory";
        layout::write(&classes.join(services), "NexmarkTables\n")?;
        let mut javac = Command::new("javac");
        javac.arg("-d").arg(&classes).arg("-cp").arg(&jars);
        for file in [
            "flink/RunFiles.java",
            "flink-nexmark/NexmarkTables.java",
            "flink-nexmark/NexmarkRows.java",
        ] {
            javac.arg(layout::root().join("bench").join(file));
        }
        process::capture(&mut javac)?;
        java.arg("-cp").arg(format!("{}:{jars}", classes.display())).arg("RunFiles");
        let words = std::iter::once(java.get_program()).chain(java.get_args());
        self.flink = words.map(|word| word.to_string_lossy().into_owned()).collect();
        let runtime = process::capture(Command::new("java").arg("--version"))?;
        let runtime = runtime.lines().next().unwrap_or_default();
        Ok(format!("Apache Flink {} on {runtime}", flink::JARS.version()))
    }

    pub(crate) fn binary(&self) -> &Path {
        &self.binary
    }

    /// Our program over SQL files of `bench/`.
    pub(crate) fn ours(&self, workers: usize, files: &[&str], variables: Variables<'_>) -> Program {
        let mut words = vec![text(&self.binary), "run".to_owned()];
        words.extend(files.iter().map(|file| text(&sql(file))));
        words.extend(as_flags(variables));
        words.extend(["--var".to_owned(), format!("WORKERS={workers}"), "--quiet".to_owned()]);
        Program { label: labelled(Peer::Ours, workers), words, output: output(variables) }
    }

    /// Flink over the same files, a task slot for each worker, and so much heap.
    pub(crate) fn flink(
        &self,
        workers: usize,
        heap: &str,
        files: &[&str],
        variables: Variables<'_>,
    ) -> Program {
        let mut words = self.flink.clone();
        words.insert(1, format!("-Xmx{heap}"));
        for setting in MINI_BATCH {
            words.extend(["--set".to_owned(), (*setting).to_owned()]);
        }
        words.extend(as_flags(variables));
        words.extend(["--var".to_owned(), format!("WORKERS={workers}")]);
        words.extend(files.iter().map(|file| text(&sql(file))));
        Program { label: labelled(Peer::Flink, workers), words, output: output(variables) }
    }

    /// A Python script of `bench/duckdb`.
    pub(crate) fn duckdb(&self, script: &str, args: &[&Path], folder: Option<&Path>) -> Program {
        let script = layout::root().join("bench/duckdb").join(script);
        let mut words = vec![text(&self.python), text(&script)];
        words.extend(args.iter().map(|arg| text(arg)));
        Program {
            label: Peer::Duckdb.name().to_owned(),
            words,
            output: folder.map(Path::to_path_buf),
        }
    }
}

fn labelled(peer: Peer, workers: usize) -> String {
    match workers {
        1 => peer.name().to_owned(),
        _ => format!("{}, {workers} workers", peer.name()),
    }
}

fn as_flags(variables: Variables<'_>) -> impl Iterator<Item = String> {
    variables.iter().flat_map(|(name, value)| ["--var".to_owned(), format!("{name}={value}")])
}

fn output(variables: Variables<'_>) -> Option<PathBuf> {
    variables.iter().find(|(name, _)| *name == "OUTPUT").map(|(_, path)| PathBuf::from(path))
}

/// A file of `bench/`; an absolute path stays as it is.
fn sql(file: &str) -> PathBuf {
    layout::root().join("bench").join(file)
}

fn text(path: &Path) -> String {
    path.display().to_string()
}

/// All files below a folder of results, but not the hidden ones, as one text.
pub(crate) fn read_output(folder: &Path) -> Result<String> {
    let entries = std::fs::read_dir(folder)
        .context(format_args!("cannot read the results in {}", folder.display()))?;
    let mut all = String::new();
    for entry in entries {
        let entry = entry.context("cannot read the folder of results")?;
        if !entry.file_name().to_string_lossy().starts_with('.') {
            let path = entry.path();
            let part = std::fs::read_to_string(&path)
                .context(format_args!("cannot read {}", path.display()))?;
            all.push_str(&part);
        }
    }
    if all.is_empty() {
        return Err(Error::new(format!("there are no results in {}", folder.display())));
    }
    Ok(all)
}
