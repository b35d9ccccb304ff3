//! Sequences, epochs, transactions, the last stable offset.

use super::*;

/// What an append must answer.
#[derive(Debug)]
enum Answer {
    At(i64),
    Repeated(i64),
    Gap,
    Old,
    Fenced,
}
use Answer::*;

#[test]
fn sequences() {
    const MAX: i32 = i32::MAX;
    let rows: &[&[(i16, i32, usize, Answer)]] = &[
        &[(0, 0, 2, At(0)), (0, 2, 1, At(2)), (0, 4, 1, Gap), (0, 3, 1, At(3))],
        &[(0, 0, 2, At(0)), (0, 2, 1, At(2)), (0, 0, 2, Repeated(0)), (0, 2, 1, Repeated(2))],
        &[(0, 0, 2, At(0)), (0, 1, 1, Gap), (0, 0, 1, Gap)],
        &[(0, 900, 1, At(0)), (0, 901, 1, At(1)), (0, 903, 1, Gap)],
        &[(3, 0, 1, At(0)), (2, 1, 1, Fenced), (4, 1, 1, Gap), (4, 0, 1, At(1)), (3, 1, 1, Fenced)],
        &[(0, MAX - 1, 2, At(0)), (0, 0, 1, At(2)), (0, MAX - 1, 2, Repeated(0))],
        &[(0, MAX, 3, At(0)), (0, 2, 1, At(3))],
        &[
            (0, 0, 1, At(0)),
            (0, 1, 1, At(1)),
            (0, 2, 1, At(2)),
            (0, 3, 1, At(3)),
            (0, 4, 1, At(4)),
            (0, 5, 1, At(5)),
            (0, 1, 1, Repeated(1)),
            (0, 0, 1, Old),
        ],
    ];
    for row in rows {
        let disk = memory();
        let (mut log, _) = open(&disk, &small());
        for (epoch, sequence, count, answer) in *row {
            // The same after every append: as it is, from the snapshot of a clean close, and replayed after a crash.
            sync(&mut log);
            log = open(&disk, &small()).0;
            let appended = log.append(&produced(9, *epoch, *sequence, *count, false), 1_000);
            let right = match (&appended, answer) {
                (Ok(appended), At(at)) => appended.base_offset == *at && !appended.duplicate,
                (Ok(appended), Repeated(at)) => appended.base_offset == *at && appended.duplicate,
                (Err(AppendError::OutOfOrderSequence { .. }), Gap)
                | (Err(AppendError::DuplicateSequence { .. }), Old)
                | (Err(AppendError::InvalidProducerEpoch { .. }), Fenced) => true,
                _ => false,
            };
            assert!(right, "{row:?}: {sequence}: {appended:?}");
        }
    }
}

#[test]
fn transactions_hold_the_last_stable_offset_until_their_marker_is_durable() {
    let disk = memory();
    let (mut log, _) = open(&disk, &small());
    log.append(&batch(&["a"]), 1_000).unwrap();
    log.append(&produced(1, 0, 0, 2, true), 1_000).unwrap();
    log.append(&produced(2, 0, 0, 2, true), 1_000).unwrap();
    sync(&mut log);
    assert_eq!(log.last_stable_offset(), 1);
    assert!(log.has_open_transaction(1));
    assert_eq!(log.append_marker(true, 3, 0, 0, 1_000).unwrap(), None);
    assert_eq!(log.append_marker(false, 1, 0, 0, 1_000).unwrap().unwrap().base_offset, 5);
    assert_eq!(log.append_marker(false, 1, 0, 0, 1_000).unwrap(), None, "idempotent");
    assert_eq!(log.last_stable_offset(), 1, "the marker is not durable");
    sync(&mut log);
    assert_eq!(log.last_stable_offset(), 3);
    let committed = |log: &mut Log, offset| {
        let read = log.read(offset, u32::MAX, Isolation::ReadCommitted).unwrap();
        let aborted: Vec<_> =
            read.aborted.iter().map(|a| (a.producer_id, a.first_offset)).collect();
        (batches(log, offset, u32::MAX, Isolation::ReadCommitted).len(), aborted)
    };
    assert_eq!(committed(&mut log, 0), (2, vec![(1, 1)]));
    assert_eq!(committed(&mut log, 3), (0, vec![]));
    log.append_marker(true, 2, 0, 0, 1_000).unwrap().unwrap();
    sync(&mut log);
    for mut log in [log, open(&disk, &small()).0] {
        assert_eq!(log.last_stable_offset(), 7);
        assert_eq!(committed(&mut log, 0), (5, vec![(1, 1)]));
        assert_eq!(committed(&mut log, 5), (2, vec![(1, 1)]));
        assert_eq!(committed(&mut log, 6), (1, vec![]));
    }
}

#[test]
fn a_marker_of_a_newer_epoch_fences_the_older() {
    let (mut log, _) = open(&memory(), &small());
    log.append(&produced(1, 4, 0, 1, true), 1_000).unwrap();
    assert!(matches!(
        log.append_marker(false, 1, 3, 0, 1_000),
        Err(AppendError::InvalidProducerEpoch { .. })
    ));
    log.append_marker(false, 1, 5, 0, 1_000).unwrap().unwrap();
    let e = log.append(&produced(1, 4, 1, 1, true), 1_000).unwrap_err();
    assert!(matches!(e, AppendError::InvalidProducerEpoch { .. }));
    log.append(&produced(1, 5, 0, 1, true), 1_000).unwrap();
}

#[test]
fn silent_producers_are_forgotten_unless_a_transaction_is_open() {
    let (mut log, _) = open(&memory(), &small());
    log.append(&produced(1, 0, 0, 1, false), 1_000).unwrap();
    log.append(&produced(2, 0, 0, 1, true), 1_000).unwrap();
    sync(&mut log);
    let expiry = 1_000 + log.settings().producer_expiration_ms;
    assert_eq!(log.maintain(expiry - 1).unwrap().producers_expired, 0);
    assert_eq!(log.maintain(expiry).unwrap().producers_expired, 1);
    assert_eq!(log.producers().map(|p| p.producer_id).collect::<Vec<_>>(), [2]);
}
