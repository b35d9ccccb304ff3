//! Object stores on loopback, each with one bucket: versitygw for S3, which checks signatures, Azurite for Azure Blob Storage, and
//! fake-gcs-server (with an addition of ours) for Google Cloud Storage. They come from the Go and npm registries and are kept under
//! `.services/programs`.
//! Invariant: a program's folder is complete or absent (it is renamed into place), and its name has the version, or it has the
//! sources that were built. Ready means that the server answers and the bucket is there.

use std::fs;
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use super::{Service, State, spawn_daemon};
use crate::error::{Context, Error, Result};
use crate::{layout, packages, process};

/// The bucket (of Azure: the container) that is there from the start; tests know it too.
const BUCKET: &str = "mainstem";
/// Both halves of the login at versitygw, and its region; tests know them too.
const LOGIN: &str = "mainstem";
const REGION: &str = "eu-central-1";
const CONTAINER_SCRIPT: &str = include_str!("../../services/azurite-container.js");

const READY_WITHIN: Duration = Duration::from_secs(60);
const STOP_WITHIN: Duration = Duration::from_secs(10);

/// A server as its registry has it.
#[derive(Debug)]
struct Program {
    name: &'static str,
    version: &'static str,
    from: Registry,
}

#[derive(Debug)]
enum Registry {
    /// The path of the package with its `main`.
    Go(&'static str),
    /// A program of our own over modules of the registry: names and texts of its files.
    GoSources(&'static [(&'static str, &'static str)]),
    Npm,
}

const VERSITYGW: Program = Program {
    name: "versitygw",
    version: "1.8.0",
    from: Registry::Go("github.com/versity/versitygw/cmd/versitygw"),
};
const FAKE_GCS_SERVER: Program = Program {
    name: "fake-gcs-server",
    version: "1.56.1",
    from: Registry::GoSources(&[
        ("main.go", include_str!("../../services/gcs/main.go")),
        ("go.mod", include_str!("../../services/gcs/go.mod")),
        ("go.sum", include_str!("../../services/gcs/go.sum")),
    ]),
};
const AZURITE: Program = Program { name: "azurite", version: "3.37.0", from: Registry::Npm };

impl Program {
    /// Its folder, fetched (and for Go: built) when it is missing.
    fn fetch(&self) -> Result<PathBuf> {
        let Self { name, version, from } = self;
        let programs = layout::programs();
        let folder = programs.join(format!("{name}-{version}"));
        let _one_at_a_time = layout::lock(&programs.join(format!("{name}.lock")))?;
        if folder.exists() && self.is_current(&folder) {
            return Ok(folder);
        }
        let partial = programs.join(format!("{name}.partial"));
        layout::remove_folder(&partial)?;
        layout::create_folder(&partial)?;
        match from {
            Registry::Go(package) => {
                packages::require(&["go"])?;
                eprintln!("building {name} {version} from the Go registry");
                let mut go = Command::new("go");
                go.args(["install", &format!("{package}@v{version}")]).env("GOBIN", &partial);
                process::capture(go.current_dir(&partial))?;
            }
            Registry::GoSources(files) => {
                packages::require(&["go"])?;
                eprintln!("building {name} {version} over modules of the Go registry");
                files
                    .iter()
                    .try_for_each(|(file, text)| layout::write(&partial.join(file), text))?;
                let mut go = Command::new("go");
                go.args(["build", "-o", name, "."]).current_dir(&partial);
                process::capture(&mut go)?;
            }
            Registry::Npm => {
                packages::require(&["npm"])?;
                eprintln!("fetching {name} {version} from npm");
                let mut npm = Command::new("npm");
                npm.args(["install", "--silent", "--no-audit", "--no-fund", "--ignore-scripts"]);
                npm.arg("--prefix").arg(&partial).arg(format!("{name}@{version}"));
                process::capture(npm.current_dir(&partial))?;
            }
        }
        layout::remove_folder(&folder)?;
        fs::rename(&partial, &folder).context(format_args!("cannot name {}", folder.display()))?;
        Ok(folder)
    }

    /// Built from these sources.
    fn is_current(&self, folder: &Path) -> bool {
        let Registry::GoSources(files) = &self.from else { return true };
        let is = |(file, text): &(&str, &str)| {
            fs::read_to_string(folder.join(file)).is_ok_and(|there| there == *text)
        };
        files.iter().all(is)
    }
}

pub(super) fn start(state: &mut State) -> Result<()> {
    let program = match state.service {
        Service::S3 => &VERSITYGW,
        Service::Azure => &AZURITE,
        _ => &FAKE_GCS_SERVER,
    };
    let folder = program.fetch()?;
    state.version = program.version.to_owned();
    [state.port] = process::free_ports(state.port)?;
    // Folders are buckets to the two that keep objects as files.
    layout::create_folder(&state.data.join("buckets").join(BUCKET))?;
    layout::create_folder(&state.data.join("about"))?;
    let mut child = spawn_daemon(&mut command(state, &folder), &state.log())?;
    state.pid = child.id();
    let mut ended = None;
    let ready = process::wait_until(READY_WITHIN, || {
        ended = child.try_wait().ok().flatten();
        ended.is_some() || is_ready(state)
    });
    if ready && ended.is_none() {
        return Ok(());
    }
    process::kill(state.pid, &state.marker())?;
    let (name, log) = (program.name, process::tail(&state.log()));
    Err(Error::new(match ended {
        Some(status) => format!("{name} ended at once with {status}; {log}"),
        None => format!("{name} was not ready within {} seconds; {log}", READY_WITHIN.as_secs()),
    }))
}

fn command(state: &State, folder: &Path) -> Command {
    let (port, address) = (state.port.to_string(), format!("127.0.0.1:{}", state.port));
    match state.service {
        Service::S3 => {
            let mut versitygw = Command::new(folder.join("versitygw"));
            versitygw.args(["--port", &address, "--access", LOGIN, "--secret", LOGIN]);
            versitygw.args(["--region", REGION, "--quiet", "posix", "--sidecar"]);
            versitygw.arg(state.data.join("about")).arg(state.data.join("buckets"));
            versitygw
        }
        Service::Azure => {
            let mut node = Command::new("node");
            node.arg(folder.join("node_modules/azurite/dist/src/blob/main.js"));
            node.args(["--blobHost", "127.0.0.1", "--blobPort", &port, "--location"]);
            node.arg(&state.data).args(["--skipApiVersionCheck", "--disableTelemetry", "--silent"]);
            node
        }
        _ => {
            let mut server = Command::new(folder.join("fake-gcs-server"));
            server.arg(&address).arg(state.data.join("buckets"));
            server
        }
    }
}

fn is_ready(state: &State) -> bool {
    if TcpStream::connect(("127.0.0.1", state.port)).is_err() {
        return false;
    }
    if state.service != Service::Azure {
        return true;
    }
    let mut node = Command::new("node");
    node.args(["-e", CONTAINER_SCRIPT, "--", &state.port.to_string(), BUCKET]);
    process::capture(&mut node).is_ok()
}

pub(super) fn stop(state: &State) -> Result<()> {
    process::terminate(state.pid, &state.marker(), STOP_WITHIN)
}
