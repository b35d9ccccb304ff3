//! An embedded broker without a shell: in memory, every sync done at once.

use std::sync::{Arc, Mutex};

use futures::future::{BoxFuture, FutureExt as _};
use mainstem_broker::{Action, Broker, Request, Response, Settings};
use mainstem_connectors::kafka::embedded::{Answers, Caller, Door, EmbeddedTopics};
use mainstem_core::Result;
use mainstem_core::clock::Rng;
use mainstem_log::MemoryDisk;

#[derive(Debug)]
struct Core {
    broker: Broker,
    answers: Answers,
}

impl Core {
    fn perform(&mut self, mut actions: Vec<Action>) {
        while let Some(action) = actions.pop() {
            match action {
                Action::Respond { to, response } => self.answers.respond(to, response),
                Action::Disconnect { to } => self.answers.disconnect(to),
                Action::Sync(mut task) => {
                    self.broker.prepare_sync(&mut task);
                    let result = task.run();
                    actions.extend(self.broker.synced(0, task, result));
                }
                Action::Compact(task) => {
                    let done = task.run();
                    actions.extend(self.broker.compacted(0, done));
                }
                Action::Notice(_) => {}
            }
        }
    }
}

#[derive(Debug, Clone)]
struct InMemory(Arc<Mutex<Core>>);

/// The topics of a new broker.
pub(crate) fn topics() -> Arc<dyn EmbeddedTopics> {
    let disk = Arc::new(MemoryDisk::default());
    let broker = Broker::open(Settings::default(), disk, Rng::new(1), 0).unwrap().broker;
    let core = Core { broker, answers: Answers::default() };
    let door = Door::default();
    door.open(InMemory(Arc::new(Mutex::new(core))));
    Arc::new(door)
}

impl Caller for InMemory {
    fn begin(
        &self,
        version: i16,
        request: Request,
    ) -> Result<BoxFuture<'static, Result<Response>>> {
        let mut core = self.0.lock().unwrap();
        let (call, answer) = core.answers.call(version);
        let actions = core.broker.handle(0, &call, request);
        core.perform(actions);
        Ok(answer)
    }

    fn pause(&self) -> BoxFuture<'_, ()> {
        let mut core = self.0.lock().unwrap();
        let actions = core.broker.tick(0);
        core.perform(actions);
        std::future::ready(()).boxed()
    }
}
