//! System packages: which programs and libraries the tests need, and Debian's names for them.
//! As root they are installed with apt-get; anyone else is told the one command that does it.

use std::path::Path;
use std::process::{Command, Stdio};

use crate::error::{Error, Result};
use crate::process;

/// A need of the build or of the tests: present when one of its marks is, installed by its package.
#[derive(Debug)]
struct Need {
    name: &'static str,
    package: &'static str,
    marks: &'static [Mark],
}

#[derive(Debug)]
enum Mark {
    Program(&'static str),
    /// A file below one of the folders, or with `*` as one unknown folder of that path.
    File(&'static str),
}

use Mark::{File, Program};

const NEEDS: &[Need] = &[
    Need { name: "cc", package: "build-essential", marks: &[Program("cc")] },
    Need { name: "c++", package: "build-essential", marks: &[Program("c++")] },
    Need { name: "make", package: "build-essential", marks: &[Program("make")] },
    Need { name: "pkg-config", package: "pkg-config", marks: &[Program("pkg-config")] },
    Need { name: "openssl", package: "libssl-dev", marks: &[File("/usr/include/openssl/ssl.h")] },
    Need { name: "zlib", package: "zlib1g-dev", marks: &[File("/usr/include/zlib.h")] },
    // librdkafka's tests read statistics with it, and leave out the tests that do where it is missing.
    Need {
        name: "rapidjson",
        package: "rapidjson-dev",
        marks: &[File("/usr/include/rapidjson/schema.h")],
    },
    Need { name: "kcat", package: "kcat", marks: &[Program("kcat")] },
    Need {
        name: "python3",
        package: "python3-venv",
        marks: &[Program("pip3"), File("/usr/lib/*/ensurepip/__init__.py")],
    },
    Need { name: "java", package: "default-jdk-headless", marks: &[Program("javac")] },
    Need { name: "mvn", package: "maven", marks: &[Program("mvn")] },
    // Object stores to test against. Their go.mod may ask for a newer Go, which Go fetches by itself since 1.21.
    Need { name: "go", package: "golang-go", marks: &[Program("go")] },
    Need { name: "npm", package: "npm", marks: &[Program("npm")] },
    Need {
        name: "postgres",
        package: "postgresql",
        marks: &[File("/usr/lib/postgresql/*/bin/postgres")],
    },
];

/// What only the benchmark needs.
const BENCH_NEEDS: &[Need] = &[Need { name: "time", package: "time", marks: &[Program("time")] }];

/// Everything that building and testing the workspace needs.
pub(crate) fn require_all() -> Result<()> {
    let names: Vec<&str> = NEEDS.iter().map(|need| need.name).collect();
    require(&names)
}

/// Sees to it that the named needs are there.
pub(crate) fn require(names: &[&str]) -> Result<()> {
    let missing = missing(names);
    if missing.is_empty() {
        return Ok(());
    }
    let advice = format!("apt-get install --no-install-recommends {}", missing.join(" "));
    if !process::is_root() || process::find("apt-get").is_none() {
        return Err(Error::new(format!("system packages are missing; as root: {advice}")));
    }
    eprintln!("installing system packages: {}", missing.join(" "));
    apt_get(&["update", "-qq"])?;
    let mut install = vec!["install", "-y", "-qq", "--no-install-recommends"];
    install.extend(&missing);
    apt_get(&install)?;
    match self::missing(names).as_slice() {
        [] => Ok(()),
        still => Err(Error::new(format!("still missing after `{advice}`: {}", still.join(" ")))),
    }
}

fn apt_get(args: &[&str]) -> Result<()> {
    let mut apt = Command::new("apt-get");
    apt.args(args).env("DEBIAN_FRONTEND", "noninteractive").stdin(Stdio::null());
    process::capture(&mut apt).map(drop)
}

fn missing(names: &[&str]) -> Vec<&'static str> {
    let wanted = NEEDS.iter().chain(BENCH_NEEDS).filter(|need| names.contains(&need.name));
    let absent = wanted.filter(|need| !need.marks.iter().any(is_present));
    let mut packages: Vec<&str> = absent.map(|need| need.package).collect();
    packages.dedup();
    packages
}

fn is_present(mark: &Mark) -> bool {
    match mark {
        Program(name) => process::find(name).is_some(),
        File(path) => match path.split_once('*') {
            None => Path::new(path).exists(),
            Some((folder, rest)) => std::fs::read_dir(folder).is_ok_and(|entries| {
                entries
                    .flatten()
                    .any(|entry| entry.path().join(rest.trim_start_matches('/')).exists())
            }),
        },
    }
}
