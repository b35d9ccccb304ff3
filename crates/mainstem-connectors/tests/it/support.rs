//! What the tests share: servers from the environment, a shell's side of the contracts, and a record of notices.

use std::io::Write;
use std::path::PathBuf;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};

use mainstem_connectors::api::{Connector, Environment, Observer, Sink, SinkRequest};
use mainstem_connectors::format::validate_options;
use mainstem_core::clock::Clock;
use mainstem_core::egress::ChangelogMode;
use mainstem_core::table::{Column, TableSpec};
use mainstem_core::{Batch, DataType, Result};
use tokio::sync::Notify;

/// The address of a server; `None` (said loudly) when there is none.
pub(crate) fn service(variable: &str) -> Option<String> {
    match std::env::var(variable) {
        Ok(address) if !address.is_empty() => Some(address),
        _ if std::env::var("CI").is_ok_and(|ci| ci == "true") => {
            panic!("{variable} is not set, and this is CI: the test must run")
        }
        _ => {
            // Not eprintln: the harness would keep it to itself.
            let said = writeln!(
                std::io::stderr(),
                "SKIPPED: {variable} is not set. Run `cargo xtask services up kafka postgres`, then \
                 export what `cargo xtask services env` prints."
            );
            said.expect("standard error takes a line");
            None
        }
    }
}

/// A name that no other test and no earlier run has used.
pub(crate) fn unique(name: &str) -> String {
    static NEXT: AtomicU64 = AtomicU64::new(0);
    let number = NEXT.fetch_add(1, Ordering::SeqCst);
    format!("{name}_{}_{}_{number}", RealClock.now_ms(), std::process::id())
}

/// The machine's time: tests of real servers stand outside the fence.
#[derive(Debug)]
pub(crate) struct RealClock;

impl Clock for RealClock {
    #[allow(clippy::disallowed_methods, reason = "real servers run on real time")]
    fn now_ms(&self) -> i64 {
        let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
        i64::try_from(since.expect("now is after 1970").as_millis()).expect("fits for long")
    }
}

/// Keeps notices and lets a test wait for one.
#[derive(Debug, Default)]
pub(crate) struct Notices {
    said: Mutex<Vec<String>>,
    changed: Notify,
}

impl Observer for Notices {
    fn notice(&self, table: &str, text: &str) {
        self.said.lock().unwrap().push(format!("{table}: {text}"));
        self.changed.notify_waiters();
    }
}

impl Notices {
    pub(crate) fn all(&self) -> Vec<String> {
        self.said.lock().unwrap().clone()
    }

    /// Waits until a notice holds `part`.
    pub(crate) async fn wait_for(&self, part: &str) -> String {
        loop {
            let changed = self.changed.notified();
            if let Some(found) = self.all().into_iter().find(|n| n.contains(part)) {
                return found;
            }
            changed.await;
        }
    }
}

pub(crate) fn environment(notices: &Arc<Notices>) -> Environment {
    let observer: Arc<Notices> = Arc::clone(notices);
    Environment {
        clock: Arc::new(RealClock),
        observer,
        base_dir: PathBuf::from("."),
        time_zone: "UTC".to_owned(),
        files: Arc::new(mainstem_connectors::filesystem::files::LocalFiles),
        embedded: None,
    }
}

pub(crate) fn column(name: &str, data_type: DataType) -> Column {
    Column { name: name.to_owned(), data_type, metadata_key: None }
}

pub(crate) fn metadata(name: &str, key: &str, data_type: DataType) -> Column {
    Column { metadata_key: Some(key.to_owned()), ..column(name, data_type) }
}

pub(crate) fn table(name: &str, columns: Vec<Column>, options: &[(&str, &str)]) -> TableSpec {
    TableSpec {
        name: name.to_owned(),
        columns,
        options: options.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect(),
        ..TableSpec::default()
    }
}

/// A sink as the planner would ask for it: options validated first.
pub(crate) fn sink(
    connector: &dyn Connector,
    table: &TableSpec,
    notices: &Arc<Notices>,
) -> Result<Box<dyn Sink>> {
    validate_options(&table.options, connector.spec())?;
    let changelog = match table.primary_key.as_slice() {
        [] => ChangelogMode::AppendOnly,
        key => ChangelogMode::Upsert { key: key.to_vec() },
    };
    connector.sink(SinkRequest {
        table: table.clone(),
        changelog,
        environment: environment(notices),
    })
}

/// Writes one step's batch.
pub(crate) async fn write(sink: &mut Box<dyn Sink>, batch: &Batch) -> Result<()> {
    let encoded = sink.encoder()?.encode(batch)?;
    sink.write(encoded).await
}
