//! Where checkpoints are kept: a folder, or objects of a bucket in S3, Azure Blob Storage or Google Cloud Storage.
//! Invariant: what a place's text means is decided here and nowhere else; opening a place has asked it once, so what cannot be
//! used is refused before a pipeline starts. A folder belongs to one process; objects do not, but whoever comes second is refused
//! when it writes (`objects`).

mod answers;
mod clouds;
mod objects;

use std::fmt;
use std::path::PathBuf;
use std::str::FromStr;
use std::sync::Arc;

use mainstem_core::disk::Disk;
use mainstem_core::{Error, ErrorKind, Result};
use mainstem_state::store::{FolderStore, Store};

use crate::disk::FileDisk;
use clouds::Variables;
use objects::Objects;

/// What `--state` names.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum StatePlace {
    Folder(PathBuf),
    Objects(ObjectPlace),
}

/// Objects of a bucket whose names begin alike.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct ObjectPlace {
    cloud: Cloud,
    /// Of Azure: the container.
    bucket: String,
    /// Where a URL of Azure names its account: `account.blob.core.windows.net`.
    host: Option<String>,
    /// Without slashes at its ends; may be empty.
    prefix: String,
    /// As it was given, without a slash at its end.
    text: String,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Cloud {
    S3,
    Azure,
    Google,
}

impl fmt::Display for StatePlace {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Folder(folder) => write!(f, "{}", folder.display()),
            Self::Objects(place) => write!(f, "{place}"),
        }
    }
}

impl fmt::Display for ObjectPlace {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl FromStr for StatePlace {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let Some((scheme, rest)) = text.split_once("://") else {
            return Ok(Self::Folder(text.into()));
        };
        let cloud = match scheme {
            "file" => return Ok(Self::Folder(rest.into())),
            "s3" | "s3a" => Cloud::S3,
            "az" | "abfs" | "abfss" => Cloud::Azure,
            "gs" => Cloud::Google,
            _ => return Err(format!("'{scheme}://' is none of s3://, az://, abfss://, gs://")),
        };
        let (bucket, prefix) = rest.split_once('/').unwrap_or((rest, ""));
        let (bucket, host) = match bucket.split_once('@') {
            Some((container, host)) if scheme.starts_with("abfs") => {
                (container, Some(host.replace(".dfs.", ".blob.")))
            }
            Some(_) => return Err("credentials come from the environment, not from here".into()),
            None => (bucket, None),
        };
        if bucket.is_empty() || text.contains(['?', '#']) {
            return Err(format!("write {scheme}://BUCKET/PREFIX"));
        }
        let prefix = prefix.trim_matches('/');
        if prefix.split('/').any(|part| !prefix.is_empty() && matches!(part, "" | "." | "..")) {
            return Err("no part of the prefix may be empty, '.' or '..'".into());
        }
        Ok(Self::Objects(ObjectPlace {
            cloud,
            bucket: bucket.to_owned(),
            host,
            prefix: prefix.to_owned(),
            text: text.trim_end_matches('/').to_owned(),
        }))
    }
}

impl StatePlace {
    /// A place in this one.
    pub(crate) fn below(&self, name: &str) -> Self {
        match self {
            Self::Folder(folder) => Self::Folder(folder.join(name)),
            Self::Objects(place) => {
                let mut below = place.clone();
                let slash = if below.prefix.is_empty() { "" } else { "/" };
                below.prefix.push_str(&format!("{slash}{name}"));
                below.text.push_str(&format!("/{name}"));
                Self::Objects(below)
            }
        }
    }

    /// Its files. A store that does not answer is asked for a while, with a notice. What it returns blocks, and must be called
    /// from outside of the runtime's own threads (`spawn_blocking`, `block_in_place`). Must be called on a runtime.
    pub(crate) async fn open(&self, notice: &(dyn Fn(&str) + Sync)) -> Result<Arc<dyn Store>> {
        match self {
            Self::Folder(folder) => {
                let store = tokio::task::block_in_place(|| {
                    let disk: Arc<dyn Disk> = Arc::new(FileDisk::open(folder, "--state")?);
                    FolderStore::open(disk, "")
                });
                Ok(Arc::new(store?))
            }
            Self::Objects(place) => {
                let client = clouds::client(place, &Variables::of_process())?;
                let objects = Objects::new(client, place.clone());
                objects.reach(notice).await?;
                Ok(Arc::new(objects))
            }
        }
    }
}

impl ObjectPlace {
    /// Its files, for a command that only looks at them and has no runtime: the store brings one.
    pub(crate) fn look(&self) -> Result<Arc<dyn Store>> {
        let client = clouds::client(self, &Variables::of_process())?;
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(1)
            .thread_name("objects")
            .enable_all()
            .build();
        let runtime = runtime
            .map_err(|e| Error::new(ErrorKind::Exhausted, "cannot start threads").with_source(e))?;
        Ok(Arc::new(Objects::alone(runtime, client, self.clone())))
    }
}

#[cfg(test)]
mod tests;
