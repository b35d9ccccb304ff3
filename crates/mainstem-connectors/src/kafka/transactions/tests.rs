//! Transactional ids on a coordinator in memory, which knows who may commit.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use mainstem_core::clock::ManualClock;

use super::*;
use crate::kafka::SPEC;
use crate::notices::{self, Notices};

/// By id: its producer, and whether a transaction is open.
#[derive(Default)]
struct Memory(Mutex<BTreeMap<String, (Producer, bool)>>);

#[async_trait]
impl Coordinator for Memory {
    async fn producer(&self, id: &str) -> Result<Option<Producer>> {
        Ok(self.0.lock().unwrap().get(id).map(|(producer, _)| *producer))
    }

    async fn init(&self, id: &str, _: i32) -> Result<Producer> {
        let mut ids = self.0.lock().unwrap();
        let next = ids.len() as i64;
        let (producer, open) =
            ids.entry(id.to_owned()).or_insert((Producer { id: next, epoch: -1 }, false));
        (producer.epoch, *open) = (producer.epoch + 1, false);
        Ok(*producer)
    }

    async fn commit(&self, id: &str, producer: Producer) -> Result<Ended> {
        Ok(match self.0.lock().unwrap().get_mut(id) {
            None => Ended::Unknown,
            Some((known, _)) if *known != producer => Ended::Aborted,
            Some((_, open)) => {
                *open = false;
                Ended::Done
            }
        })
    }
}

struct Setting {
    memory: Memory,
    notices: Arc<Notices>,
    environment: Environment,
}

impl Setting {
    fn at(now_ms: i64) -> Self {
        let clock = Arc::new(ManualClock::new(now_ms));
        let (environment, notices) = notices::environment(Path::new(""), clock);
        Self { memory: Memory::default(), notices, environment }
    }

    async fn recover(&self, prefix: &str, tokens: &[Vec<u8>]) -> Result<(Ids, Vec<bool>)> {
        let tokens = Token::read_all(tokens)?;
        let (environment, memory) = ((&self.environment, "t"), &self.memory);
        let (ids, producers) = Ids::recover(prefix, &tokens, memory, environment, 1).await?;
        Ok((ids, producers.iter().map(Option::is_some).collect()))
    }

    /// Writes with the next id, and prepares; its number and its token.
    async fn prepared(&self, ids: &mut Ids) -> (usize, Vec<u8>) {
        let number = ids.begin();
        let id = ids.id(number);
        let known = self.memory.0.lock().unwrap().get(&id).map(|(producer, _)| *producer);
        let producer = match known {
            Some(producer) => producer,
            None => self.memory.init(&id, 1).await.unwrap(),
        };
        self.memory.0.lock().unwrap().get_mut(&id).unwrap().1 = true;
        (number, ids.prepare(producer, self.environment.clock.now_ms()).unwrap())
    }

    async fn commit(&self, ids: &mut Ids, tokens: &[Vec<u8>]) {
        let waiting = ids.waiting(tokens).unwrap();
        let mut ended = Vec::new();
        for (_, token) in &waiting {
            ended.push(self.memory.commit(&token.transactional_id, token.producer).await.unwrap());
        }
        ids.committed(&waiting, &ended, 0).unwrap();
    }

    /// The numbers of the ids whose transactions are open.
    fn open(&self) -> Vec<String> {
        let ids = self.memory.0.lock().unwrap();
        ids.iter().filter(|(_, (_, open))| *open).map(|(id, _)| id.clone()).collect()
    }
}

#[tokio::test]
async fn ids_rest_until_a_later_checkpoint_is_committed() {
    let setting = Setting::at(0);
    let (mut ids, _) = setting.recover("rest", &[]).await.unwrap();
    let mut numbers = Vec::new();
    let mut last: Option<Vec<u8>> = None;
    for _ in 0..6 {
        let (number, token) = setting.prepared(&mut ids).await;
        numbers.push(number);
        if let Some(last) = last.replace(token) {
            // Rows behind the cut are written while the checkpoint before is committed, which is said twice.
            setting.commit(&mut ids, std::slice::from_ref(&last)).await;
            setting.commit(&mut ids, &[last]).await;
            assert_eq!(setting.open().len(), 1, "what was prepared last waits");
        }
    }
    assert_eq!(numbers, [0, 1, 2, 0, 1, 2]);
    // Checkpoints that could not be stored: their tokens come with the next one.
    let mut tokens = vec![last.unwrap()];
    for expected in [0, 3, 4] {
        let (number, token) = setting.prepared(&mut ids).await;
        assert_eq!(number, expected);
        tokens.push(token);
    }
    setting.commit(&mut ids, &tokens).await;
    assert_eq!(setting.open(), Vec::<String>::new());
    assert_eq!(setting.prepared(&mut ids).await.0, 1, "the others rest");
}

#[tokio::test]
async fn what_was_prepared_is_committed_and_the_rest_is_aborted() {
    let setting = Setting::at(0);
    let (mut ids, _) = setting.recover("crash", &[]).await.unwrap();
    let (_, first) = setting.prepared(&mut ids).await;
    let (_, second) = setting.prepared(&mut ids).await;
    let _ = setting.prepared(&mut ids).await;
    assert_eq!(setting.open(), ["crash-0", "crash-1", "crash-2"]);
    drop(ids);
    // The first belongs to the checkpoint, the second to one that was never completed.
    let (ids, fresh) = setting.recover("crash", std::slice::from_ref(&first)).await.unwrap();
    assert_eq!(setting.open(), Vec::<String>::new());
    assert_eq!(fresh, [false, true, true]);
    drop(ids);
    let (ids, _) = setting.recover("crash", &[first]).await.unwrap();
    assert_eq!(setting.notices.all().len(), 0, "twice is once");
    drop(ids);
    let lost = setting.recover("crash", &[second]).await.unwrap_err();
    assert!(lost.to_string().starts_with("rows of a checkpoint are lost"), "{lost}");
    assert!(format!("{lost:?}").contains("transaction.timeout.ms"), "{lost:?}");
}

#[tokio::test]
async fn an_id_that_is_not_known_is_an_error_unless_it_may_be_forgotten() {
    for (now_ms, expected) in [(1_000, false), (FORGOTTEN_AFTER_MS, true)] {
        let setting = Setting::at(now_ms);
        let producer = Producer { id: 7, epoch: 0 };
        let token = Token { transactional_id: "old-0".to_owned(), producer, at_ms: 0 };
        let recovered = setting.recover("old", &[token.write().unwrap()]).await;
        assert_eq!(recovered.is_ok(), expected, "{now_ms}");
        assert_eq!(setting.notices.all().len(), usize::from(expected));
    }
}

#[tokio::test]
async fn two_sinks_of_a_table_have_names_of_their_own() {
    let setting = Setting::at(0);
    let (first, _) = setting.recover("two", &[]).await.unwrap();
    let (second, _) = setting.recover("two", &[]).await.unwrap();
    assert_eq!((first.id(0), second.id(0)), ("two-0".to_owned(), "two+2-0".to_owned()));
    drop(first);
    let (third, _) = setting.recover("two", &[]).await.unwrap();
    assert_eq!(third.id(1), "two-1");
}

#[test]
fn guarantees() {
    let rows: [(&[(&str, &str)], &str); 9] = [
        (&[], "Some(\"mainstem-rides-topic\") All false"),
        (&[(PREFIX, "p")], "Some(\"p\") All false"),
        (&[(GUARANTEE, "Exactly-Once"), (PREFIX, "p")], "Some(\"p\") All true"),
        (&[(GUARANTEE, "at-least-once")], "None All false"),
        (&[(GUARANTEE, "none")], "None Leader false"),
        (&[(GUARANTEE, "exactly-once")], "'exactly-once' needs 'sink.transactional-id-prefix'"),
        (&[(GUARANTEE, "none"), (PREFIX, "p")], "has no effect without"),
        (&[(GUARANTEE, "at-least-once"), (PREFIX, "p")], "has no effect without"),
        (&[(GUARANTEE, "twice")], "which is not one of"),
    ];
    for (options, expected) in rows {
        let options = options.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect();
        let read = Guarantee::parse(OptionReader::new(&options, SPEC.options), "rides", "topic");
        let read = match read {
            Ok(it) => format!("{:?} {:?} {}", it.prefix(), it.acks, it.demanded),
            Err(e) => e.to_string(),
        };
        assert!(read.contains(expected), "{options:?}: {read}");
    }
}
