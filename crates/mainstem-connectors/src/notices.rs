//! For tests: what connectors tell the user is kept, so that it can be looked at.
//! Invariant: every notice is kept, in order, with its table. Never shipped.

use std::path::Path;
use std::sync::{Arc, Mutex};

use mainstem_core::clock::Clock;

use crate::api::{Environment, Observer};

/// What was said, as `table: text`.
#[derive(Debug, Default)]
pub(crate) struct Notices(Mutex<Vec<String>>);

impl Observer for Notices {
    fn notice(&self, table: &str, text: &str) {
        self.0.lock().unwrap().push(format!("{table}: {text}"));
    }
}

impl Notices {
    /// All so far.
    pub(crate) fn all(&self) -> Vec<String> {
        self.0.lock().unwrap().clone()
    }
}

/// An environment without a broker, in which notices are kept.
pub(crate) fn environment(base_dir: &Path, clock: Arc<dyn Clock>) -> (Environment, Arc<Notices>) {
    let notices = Arc::<Notices>::default();
    let environment = Environment {
        clock,
        observer: Arc::clone(&notices) as Arc<dyn Observer>,
        base_dir: base_dir.to_owned(),
        time_zone: "UTC".to_owned(),
        files: Arc::new(crate::filesystem::files::LocalFiles),
        embedded: None,
    };
    (environment, notices)
}
