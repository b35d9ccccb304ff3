//! librdkafka's source with its tests, out of the `rdkafka-sys` package that the workspace depends on, and the built runner.
//! Invariant: the folder `.services/librdkafka-<version>` is built when the mark stands in it; a build that was broken off
//! is begun anew. Nothing is fetched beyond what Cargo fetches, and the package's own copy is not written to.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::thread::available_parallelism;

use crate::error::{Context, Error, Result};
use crate::{layout, packages, process};

const PACKAGE: &str = "rdkafka-sys-";

/// The folder of the tests, with the runner built in it.
pub(super) fn tests() -> Result<PathBuf> {
    let package = package()?;
    let name = package.file_name().and_then(|name| name.to_str()).unwrap_or_default();
    let version = name.rsplit_once('+').map_or(name, |(_, version)| version);
    let folder = layout::root().join(format!(".services/librdkafka-{version}"));
    let tests = folder.join("tests");
    let _one_at_a_time = layout::lock(&folder.with_extension("lock"))?;
    let mark = folder.join("built-here");
    if mark.exists() {
        return Ok(tests);
    }
    packages::require(&["cc", "c++", "make", "zlib", "rapidjson"])?;
    eprintln!("building librdkafka {version} and its tests in {}", folder.display());
    layout::remove_folder(&folder)?;
    copy(&package.join("librdkafka"), &folder)?;
    build(&folder)?;
    layout::write(&mark, "")?;
    Ok(tests)
}

/// Where Cargo keeps the package.
fn package() -> Result<PathBuf> {
    let mut cargo = Command::new("cargo");
    cargo.args(["metadata", "--format-version", "1"]).current_dir(layout::root());
    let metadata = process::capture(&mut cargo)?;
    in_metadata(&metadata).ok_or_else(|| {
        Error::new(format!(
            "`cargo metadata` names no package {PACKAGE}*, whose source has the tests"
        ))
    })
}

fn in_metadata(metadata: &str) -> Option<PathBuf> {
    let manifests = metadata.split("\"manifest_path\":\"").skip(1);
    let folders = manifests.filter_map(|rest| Path::new(rest.split('"').next()?).parent());
    let named = |folder: &&Path| {
        folder
            .file_name()
            .and_then(|name| name.to_str())
            .is_some_and(|name| name.starts_with(PACKAGE))
    };
    folders.into_iter().find(named).map(Path::to_path_buf)
}

fn copy(from: &Path, to: &Path) -> Result<()> {
    process::capture(Command::new("cp").arg("-R").arg(from).arg(to)).map(drop)?;
    // Packages are kept without the right to execute.
    for program in ["configure", "lds-gen.py"] {
        make_executable(&to.join(program))?;
    }
    Ok(())
}

fn build(folder: &Path) -> Result<()> {
    let mut configure = Command::new("./configure");
    // What no test of a plain broker uses is left out, so that the build is the same everywhere.
    configure.args(["--disable-curl", "--disable-sasl", "--disable-ssl", "--disable-zstd"]);
    process::capture(configure.current_dir(folder))?;
    let jobs = format!("-j{}", available_parallelism().map_or(1, usize::from));
    let mut libs = Command::new("make");
    process::capture(libs.args([&jobs, "libs"]).current_dir(folder).stdin(Stdio::null()))?;
    let mut tests = Command::new("make");
    tests.args([&jobs, "-C", "tests", "build"]).current_dir(folder).stdin(Stdio::null());
    process::capture(&mut tests).map(drop)
}

/// `kafka-topics.sh` of the tests is our own `mainstem topic`: Kafka's refuses segments as small as they ask for, and takes
/// seconds to start.
const TOPICS: &str = r#"#!/bin/sh
options=
while [ $# -gt 0 ]; do
    case "$1" in
    --bootstrap-server) bootstrap=$2; shift 2 ;;
    --topic) topic=$2; shift 2 ;;
    --create | --alter | --delete) command=${1#--}; shift ;;
    *) options="$options $1 $2"; shift 2 ;;
    esac
done
# shellcheck disable=SC2086
exec "$MAINSTEM" topic "$command" "$topic" -b "$bootstrap" $options
"#;

/// Runs a class with the jars of Kafka; the tests add their own to the path.
const RUN_CLASS: &str = r#"#!/bin/sh
exec java -cp "$CLASSPATH:$KAFKA_JARS/*" "$@"
"#;

/// A Kafka to be called by the tests: its scripts, and its jars where they look for them.
pub(super) fn kafka(folder: &Path, jars: &Path) -> Result<()> {
    for (name, script) in [("kafka-topics", TOPICS), ("kafka-run-class", RUN_CLASS)] {
        let path = folder.join(format!("bin/{name}.sh"));
        layout::write(&path, script)?;
        make_executable(&path)?;
    }
    let libs = folder.join("libs");
    std::os::unix::fs::symlink(jars, &libs).context(format_args!("cannot link {}", libs.display()))
}

fn make_executable(file: &Path) -> Result<()> {
    use std::os::unix::fs::PermissionsExt as _;
    fs::set_permissions(file, fs::Permissions::from_mode(0o755))
        .context(format_args!("cannot make {} executable", file.display()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_package_is_found_in_the_metadata() {
        let one = r#"{"packages":[{"manifest_path":"/c/rdkafka-0.39.0/Cargo.toml"},"#;
        let other =
            r#"{"name":"x","manifest_path":"/c/rdkafka-sys-4.10.0+2.12.1/Cargo.toml","a":1}]}"#;
        let found = in_metadata(&format!("{one}{other}"));
        assert_eq!(found.as_deref(), Some(Path::new("/c/rdkafka-sys-4.10.0+2.12.1")));
        assert_eq!(in_metadata(one), None);
    }
}
