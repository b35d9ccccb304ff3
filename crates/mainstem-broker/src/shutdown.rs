//! The end: what waits is answered, every log is closed, and the next start is told that it can trust them.
//! Invariant: the recovery points say "clean" only if every log was closed well; opening takes the word back, durably, before
//! anything else is touched. So a log is trusted unread only if nothing can have happened to it since.

use std::sync::Arc;

use mainstem_log::LogError;

use crate::api::fetch;
use crate::recovery_points::Points;
use crate::topics::LogId;
use crate::upkeep;
use crate::{Action, Broker};

impl Broker {
    /// Answers the fetches that wait, with what there is: to be called before the listeners close.
    pub fn release(&mut self, now_ms: i64) -> Vec<Action> {
        self.now_ms = self.now_ms.max(now_ms);
        for id in self.waiting.all_fetches() {
            fetch::answer_now(self, id);
        }
        self.settle()
    }

    /// A clean shutdown: closes every log and says so on the disk. No call may follow, and no sync may be under way. After an
    /// error the data is as after a crash: the next start checks what came after the recovery points.
    pub fn close(&mut self, now_ms: i64) -> Result<(), LogError> {
        self.now_ms = self.now_ms.max(now_ms);
        let mut result = Ok(());
        for topic in self.topics.iter_mut() {
            for partition in &mut topic.partitions {
                result = result.and(partition.log.close(self.now_ms));
            }
        }
        result = result.and(self.journal.log.close(self.now_ms));
        let points = upkeep::points(self, result.is_ok());
        result.and(write(&points, self))
    }
}

fn write(points: &Points, broker: &Broker) -> Result<(), LogError> {
    let path = "recovery-points".to_owned();
    points.write(&*broker.disk).map_err(|source| LogError::Disk { doing: "writing", path, source })
}

/// What the last run left, after taking back the word that it ended cleanly.
pub(crate) fn begin(
    disk: &Arc<dyn mainstem_core::disk::Disk>,
    notices: &mut Vec<String>,
) -> Result<Points, LogError> {
    let failed =
        |doing| move |source| LogError::Disk { doing, path: "recovery-points".to_owned(), source };
    let (points, damage) = Points::read(&**disk).map_err(failed("reading"))?;
    notices.extend(damage);
    if points.clean {
        let taken_back = Points { clean: false, ..points.clone() };
        taken_back.write(&**disk).map_err(failed("writing"))?;
    }
    Ok(points)
}

/// Takes back what the recovery points say of logs that ended before them: what is appended there from now on is not known to be
/// on the disk.
pub(crate) fn distrust(broker: &Broker, before: &Points) -> Result<(), LogError> {
    let points = upkeep::points(broker, false);
    let beyond = |(log, at): (&LogId, &i64)| points.offsets.get(log).is_none_or(|now| now < at);
    if before.offsets.iter().any(beyond) { write(&points, broker) } else { Ok(()) }
}

impl Points {
    /// What a log is opened with: everything below is trusted, and all of it after a clean stop.
    pub(crate) fn trusted(&self, log: LogId) -> (i64, bool) {
        (self.of(log), self.clean)
    }
}
