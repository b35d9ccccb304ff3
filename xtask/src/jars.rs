//! Jars by coordinates: a small pom names them, Maven fetches them from Maven Central, a folder keeps them.
//! Invariant: a folder of jars is complete or absent (it is renamed into place), and belongs to the pom that stands beside
//! them. Nothing is fetched when it is already there.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::error::{Context, Error, Result};
use crate::{layout, packages, process};

const PLUGIN: &str = "org.apache.maven.plugins:maven-dependency-plugin:3.8.1:copy-dependencies";

/// A set of jars and the pom that names them.
#[derive(Debug)]
pub(crate) struct JarSet {
    pub(crate) name: &'static str,
    pub(crate) pom: &'static str,
}

impl JarSet {
    /// The pinned version, as the pom says it.
    pub(crate) fn version(&self) -> &'static str {
        self.pom
            .split_once("<jars.version>")
            .and_then(|(_, rest)| rest.split_once("</jars.version>"))
            .map(|(version, _)| version)
            .expect("the pom names its version in jars.version")
    }

    /// The folder of the jars, fetched when it is missing or when the pom has changed since.
    pub(crate) fn fetch(&self) -> Result<PathBuf> {
        let folder = layout::jars().join(self.name);
        let _one_at_a_time = layout::lock(&layout::jars().join(format!("{}.lock", self.name)))?;
        if fs::read_to_string(folder.join("pom.xml")).is_ok_and(|pom| pom == self.pom) {
            return Ok(folder);
        }
        packages::require(&["java", "mvn"])?;
        eprintln!("fetching the jars of {} {} from Maven Central", self.name, self.version());
        let partial = layout::jars().join(format!("{}.partial-{}", self.name, std::process::id()));
        layout::remove_folder(&partial)?;
        layout::write(&partial.join("pom.xml"), self.pom)?;
        let mut maven = Command::new("mvn");
        maven.args(["-B", "-q", "-ntp", "-f"]).arg(partial.join("pom.xml"));
        maven.args([PLUGIN, "-DincludeScope=runtime"]);
        maven.arg(format!("-DoutputDirectory={}", partial.display()));
        process::capture(&mut maven)?;
        layout::remove_folder(&folder)?;
        fs::rename(&partial, &folder)
            .context(format_args!("cannot put the jars in place at {}", folder.display()))?;
        Ok(folder)
    }
}

/// The class path that names every jar of a folder.
pub(crate) fn class_path(folder: &Path) -> Result<String> {
    let text = folder.join("*").into_os_string().into_string();
    text.map_err(|path| Error::new(format!("the path {path:?} is not UTF-8, which Java needs")))
}
