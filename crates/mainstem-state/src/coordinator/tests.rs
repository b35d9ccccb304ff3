//! What the coordinator decides when workers, sinks and stores answer in any order, late, or not at all.

use super::*;
use crate::manifest::TableRecord;
use crate::run::BlockRef;

fn coordinator(workers: usize, sinks: usize) -> Coordinator {
    let sink = |i| SinkRecord {
        table: format!("out{i}"),
        fingerprint: format!("f{i}"),
        ..SinkRecord::default()
    };
    let sinks = (0..sinks).map(sink).collect();
    let settings =
        Settings { interval_ms: 100, mainstem: "0.1.0".into(), workers, sinks, last_id: 6 };
    Coordinator::new(settings, 1_000)
}

fn cut() -> Cut {
    Cut { sources: Vec::new(), now_ms: 5, ended: false }
}

fn rows(file: &str) -> Vec<OperatorRecord> {
    let block = BlockRef { file: file.into(), offset: 8, bytes: 1, rows: 1 };
    let tables =
        vec![TableRecord { name: "groups".into(), blocks: vec![block], changes: Vec::new() }];
    vec![OperatorRecord { fingerprint: "f".into(), name: "Aggregate".into(), tables }]
}

fn token(text: &str) -> Option<Opaque> {
    Some(Opaque(text.as_bytes().to_vec()))
}

fn failed() -> Error {
    Error::unavailable("the disk is gone")
}

fn published(actions: &[Action]) -> &Manifest {
    let [Action::Publish(manifest)] = actions else { panic!("{actions:?}") };
    manifest
}

#[test]
fn a_checkpoint_waits_for_all_and_commits_after_its_manifest() {
    let mut c = coordinator(2, 1);
    assert_eq!(c.tick(1_099), []);
    assert_eq!(c.tick(1_100), [Action::Begin(7)]);
    assert_eq!(c.tick(9_000), [], "one at a time");
    assert_eq!(c.saved(7, 1, Ok(rows("7-1-0.run"))), []);
    assert_eq!(c.cut(7, cut()), []);
    assert_eq!(c.prepared(7, 0, token("a")), []);
    let actions = c.saved(7, 0, Ok(rows("7-0-0.run")));
    let manifest = published(&actions);
    let files: Vec<_> = manifest.blocks().map(|block| &*block.file).collect();
    assert_eq!((manifest.id, files), (7, vec!["7-0-0.run", "7-1-0.run"]));
    assert_eq!(
        c.published(7, Ok(())),
        [
            Action::Acknowledge(Vec::new()),
            Action::Commit { sink: 0, tokens: vec![Opaque(b"a".to_vec())] }
        ]
    );
    assert_eq!((c.due_ms(), c.tick(9_000)), (None, Vec::new()), "commits are under way");
    assert_eq!(c.committed(0), [Action::Collect]);
    assert_eq!((c.due_ms(), c.tick(9_000)), (None, Vec::new()), "files are being removed");
    assert_eq!(c.collected(Ok(())), []);
    assert_eq!(c.due_ms(), Some(1_200));
    c.postpone(1_400);
    assert_eq!(c.due_ms(), Some(1_500));
    assert_eq!(c.tick(1_500), [Action::Begin(8)]);
}

#[test]
fn tokens_of_a_checkpoint_that_was_given_up_are_in_the_next() {
    let mut c = coordinator(1, 2);
    c.begin(1_000);
    c.cut(7, cut());
    c.prepared(7, 0, token("a"));
    c.prepared(7, 1, None);
    let said = c.saved(7, 0, Err(failed()));
    let [Action::Notice(text), Action::Discard(7)] = &said[..] else { panic!("{said:?}") };
    assert!(text.contains("checkpoint 7 cannot be stored: the disk is gone"), "{text}");
    assert_eq!((c.due_ms(), c.begin(1_500)), (None, Vec::new()), "files are being removed");
    c.discarded();
    assert_eq!(c.due_ms(), Some(1_100));

    c.begin(2_000);
    c.cut(8, cut());
    c.prepared(8, 0, token("b"));
    c.prepared(8, 1, token("x"));
    let actions = c.saved(8, 0, Ok(rows("8-0-0.run")));
    let tokens: Vec<usize> = published(&actions).sinks.iter().map(|s| s.tokens.len()).collect();
    assert_eq!(tokens, [2, 1]);
    assert_eq!(c.published(8, Err(failed())), [Action::Discard(8)], "said once");
    c.discarded();

    c.begin(3_000);
    c.cut(9, cut());
    c.prepared(9, 0, None);
    c.prepared(9, 1, None);
    let actions = c.saved(9, 0, Ok(rows("9-0-0.run")));
    assert_eq!(published(&actions).sinks[0].tokens.len(), 2);
    let actions = c.published(9, Ok(()));
    assert!(matches!(&actions[0], Action::Notice(text) if text.contains("all is well")));
    let first = vec![Opaque(b"a".to_vec()), Opaque(b"b".to_vec())];
    assert_eq!(actions[2], Action::Commit { sink: 0, tokens: first });
    assert_eq!(c.committed(1), []);
    assert_eq!(c.committed(0), [Action::Collect]);
    let said = c.collected(Err(failed()));
    assert!(matches!(&said[..], [Action::Notice(text)] if text.contains("cannot be removed")));

    c.begin(4_000);
    c.cut(10, cut());
    c.prepared(10, 0, None);
    c.prepared(10, 1, None);
    let actions = c.saved(10, 0, Ok(Vec::new()));
    assert!(published(&actions).sinks.iter().all(|sink| sink.tokens.is_empty()));
}

#[test]
fn what_comes_late_changes_nothing() {
    let mut c = coordinator(1, 1);
    c.begin(1_000);
    assert_eq!(c.saved(6, 0, Ok(rows("6-0-0.run"))), []);
    assert_eq!(c.published(7, Ok(())), [], "nothing was to be published");
    assert_eq!(c.cut(7, cut()), []);
    assert_eq!(c.prepared(7, 0, None), []);
    let actions = c.saved(7, 0, Ok(rows("7-0-0.run")));
    assert_eq!(published(&actions).rows(), 1);
    assert_eq!(c.prepared(7, 0, token("late")), []);
    let actions = c.published(7, Ok(()));
    assert_eq!(actions, [Action::Acknowledge(Vec::new()), Action::Collect]);
}

#[test]
fn a_stopped_pipeline_leaves_no_tokens_that_are_done_with() {
    let mut c = coordinator(1, 2);
    assert_eq!(c.close(), [], "there is no checkpoint");
    c.begin(1_000);
    c.cut(7, cut());
    c.prepared(7, 0, token("a"));
    c.prepared(7, 1, None);
    c.saved(7, 0, Ok(rows("7-0-0.run")));
    c.published(7, Ok(()));
    c.committed(0);
    c.collected(Ok(()));
    let actions = c.close();
    let manifest = published(&actions);
    let tokens: Vec<usize> = manifest.sinks.iter().map(|s| s.tokens.len()).collect();
    assert_eq!((manifest.id, manifest.rows(), tokens), (8, 1, vec![0, 0]));
    assert_eq!(c.close(), [], "once");

    let mut c = coordinator(1, 1);
    c.begin(1_000);
    c.cut(7, Cut { ended: true, ..cut() });
    c.prepared(7, 0, token("a"));
    c.saved(7, 0, Ok(rows("7-0-0.run")));
    c.published(7, Ok(()));
    c.committed(0);
    c.collected(Ok(()));
    assert_eq!(c.close(), [], "nobody goes on with it");
}
