//! An embedded broker without a shell: in memory, every sync done at once.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use futures::channel::oneshot;
use futures::future::{BoxFuture, FutureExt as _};
use mainstem_broker::wire::StrBytes;
use mainstem_broker::{
    Action, Broker, Call, ConnectionId, Endpoint, Request, RequestId, Response, Settings,
};
use mainstem_connectors::kafka::embedded::{Caller, Door, EmbeddedTopics};
use mainstem_core::clock::Rng;
use mainstem_core::{Error, Result};
use mainstem_log::MemoryDisk;

#[derive(Debug)]
struct Core {
    broker: Broker,
    answers: BTreeMap<u64, oneshot::Sender<Response>>,
    last_request: u64,
}

impl Core {
    fn perform(&mut self, mut actions: Vec<Action>) {
        while let Some(action) = actions.pop() {
            match action {
                Action::Respond { to, response } => {
                    if let Some(waits) = self.answers.remove(&to.0) {
                        let _ = waits.send(response);
                    }
                }
                Action::Disconnect { to } => drop(self.answers.remove(&to.0)),
                Action::Sync(task) => {
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
    let core = Core { broker, answers: BTreeMap::new(), last_request: 0 };
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
        core.last_request += 1;
        let id = core.last_request;
        let address = StrBytes::from("test");
        let call = Call {
            id: RequestId(id),
            connection: ConnectionId(0),
            version,
            client_id: None,
            client_host: address.clone(),
            advertised: Arc::new(Endpoint { host: address, port: 1 }),
        };
        let (sender, answer) = oneshot::channel();
        core.answers.insert(id, sender);
        let actions = core.broker.handle(0, &call, request);
        core.perform(actions);
        let loaded = async move {
            let mut response = answer.await.map_err(|_| Error::unavailable("no answer"))?;
            if let Response::Fetch(answer) = &mut response {
                answer.load().unwrap();
            }
            Ok(response)
        };
        Ok(loaded.boxed())
    }

    fn pause(&self) -> BoxFuture<'_, ()> {
        let mut core = self.0.lock().unwrap();
        let actions = core.broker.tick(0);
        core.perform(actions);
        std::future::ready(()).boxed()
    }
}
