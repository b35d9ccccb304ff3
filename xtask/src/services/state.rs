//! What is known about one service between two commands: a small text file of `name=value` lines.
//! Invariant: the file is written after each start, also one that failed; whether the recorded process is a running server,
//! `/proc` decides. The port stays recorded when the service stops, so that a restart comes back on it.

use std::fs;
use std::path::PathBuf;

use super::Service;
use crate::error::Result;
use crate::{layout, process};

#[derive(Debug)]
pub(crate) struct State {
    pub(crate) service: Service,
    /// Logs, configuration and the state file.
    pub(crate) folder: PathBuf,
    /// The server's own data; not below `folder` where another user has to own it.
    pub(crate) data: PathBuf,
    pub(crate) pid: u32,
    pub(crate) port: u16,
    /// Of Kafka's listener with TLS and a login; 0 where there is none.
    pub(crate) secure_port: u16,
    pub(crate) version: String,
}

impl State {
    /// Reads the state; a service that never ran has process id 0 and its usual port.
    pub(crate) fn load(instance: &str, service: Service) -> Self {
        let folder = layout::instance(instance).join(service.name());
        let text = fs::read_to_string(folder.join("state")).unwrap_or_default();
        let field = |name: &str| {
            let lines = text.lines().filter_map(|line| line.split_once('='));
            lines.filter(|(key, _)| *key == name).map(|(_, value)| value.to_owned()).next()
        };
        let usual_port = match service {
            Service::Kafka => 19092,
            Service::Postgres => 15432,
            Service::S3 => 17070,
            Service::Azure => 21000,
            Service::Gcs => 24443,
        };
        Self {
            service,
            data: field("data").map_or_else(|| folder.join("data"), PathBuf::from),
            pid: field("pid").and_then(|pid| pid.parse().ok()).unwrap_or(0),
            port: field("port").and_then(|port| port.parse().ok()).unwrap_or(usual_port),
            secure_port: field("secure_port").and_then(|port| port.parse().ok()).unwrap_or(0),
            version: field("version").unwrap_or_default(),
            folder,
        }
    }

    pub(crate) fn save(&self) -> Result<()> {
        let Self { data, pid, port, secure_port, version, .. } = self;
        let text = format!(
            "pid={pid}\nport={port}\nsecure_port={secure_port}\nversion={version}\ndata={}\n",
            data.display()
        );
        layout::write(&self.folder.join("state"), &text)
    }

    pub(crate) fn is_running(&self) -> bool {
        process::is_alive(self.pid, &self.marker())
    }

    pub(crate) fn running(self) -> Option<Self> {
        self.is_running().then_some(self)
    }

    /// Words of the server's command line that no other process has.
    pub(crate) fn marker(&self) -> String {
        let place = match self.service {
            Service::Kafka => &self.folder,
            _ => &self.data,
        };
        place.display().to_string()
    }

    pub(crate) fn log(&self) -> PathBuf {
        self.folder.join("server.log")
    }
}
