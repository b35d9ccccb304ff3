//! How many groups are in memory while windows close that are put together from slices.

use std::sync::Arc;

use arrow_array::cast::AsArray;
use arrow_array::types::Int64Type;
use arrow_array::{ArrayRef, Int64Array};
use mainstem_log::MemoryDisk;
use mainstem_state::row_files::RowSpace;

use super::*;
use crate::aggregate::builtin;
use crate::operator::{OperatorMetrics, StateMemory};

const SLIDE_MS: i64 = 10;

/// Counts rows (ts, key) by key in windows of so many slides.
fn counts(slides: i64) -> WindowAggregate {
    let time_type = timestamps(Vec::new()).data_type().clone();
    let (function, _) = builtin("COUNT", &[]).unwrap();
    let call = AggregateCall { function, args: Vec::new(), filter: None, distinct: false };
    let kind = WindowKind::Hop { size_ms: slides * SLIDE_MS, slide_ms: SLIDE_MS };
    let plan = WindowAggregatePlan {
        window: WindowInput::Assign {
            window: WindowSpec { kind, offset_ms: 0, zone: None },
            time: TimeSource::EventTime { column: 0 },
        },
        keys: vec![1],
        aggregates: vec![call],
        input: vec![time_type.clone(), ArrowType::Int64],
        changelog: false,
        time_type,
    };
    WindowAggregate::new(&plan).unwrap()
}

/// A row for each slide and key: its key and count of rows in the windows that come out.
fn step(
    operator: &mut WindowAggregate,
    rows: &[(i64, i64)],
    watermark: (Watermark, i64),
) -> Vec<(i64, i64)> {
    let times = timestamps(rows.iter().map(|(slide, _)| slide * SLIDE_MS).collect());
    let keys: ArrayRef = Arc::new(rows.iter().map(|(_, key)| *key).collect::<Int64Array>());
    let batches = vec![Batch::new(vec![times, keys], rows.len())];
    let mut cx = StepContext {
        now_ms: 0,
        watermark_before: watermark.0,
        watermark: Some(watermark.1),
        end_of_input: false,
        metrics: OperatorMetrics::default(),
    };
    let arrivals = Arrivals { batches, ..Arrivals::default() };
    let output = operator.step(vec![arrivals], &mut cx).unwrap();
    let column = |batch: &Batch, at: usize| {
        batch.column(at).as_primitive::<Int64Type>().values().iter().copied().collect::<Vec<_>>()
    };
    output.iter().flat_map(|batch| column(batch, 0).into_iter().zip(column(batch, 1))).collect()
}

#[test]
fn of_windows_that_close_some_keys_are_in_memory() {
    let mut operator = counts(4);
    let rows: Vec<(i64, i64)> =
        (0..4).flat_map(|slide| (0..2000).map(move |key| (slide, key))).collect();
    assert_eq!(step(&mut operator, &rows, (None, 0)), []);
    let disk = Arc::new(MemoryDisk::default());
    let space = Arc::new(RowSpace::new(disk, "rows"));
    let memory = StateMemory { bytes: 0, space, everything: true, shortage: None };
    operator.put_aside(&mut PutAside { memory: &memory, bytes: usize::MAX }).unwrap();
    assert_eq!(operator.groups.bound(), 0);

    // The window that ends behind the first slice, and the one with all of them.
    let expected = |count| (0..2000).map(|key| (key, count)).collect::<Vec<_>>();
    for (slide, count) in [(1, 1), (4, 4)] {
        let before = Some(if slide == 1 { 0 } else { 3 * SLIDE_MS });
        if slide == 4 {
            step(&mut operator, &[], (Some(SLIDE_MS), 3 * SLIDE_MS));
        }
        let mut found = step(&mut operator, &[], (before, slide * SLIDE_MS));
        found.sort_unstable();
        assert_eq!(found, expected(count));
        assert!(operator.groups.bound() < 500, "{}", operator.groups.bound());
        assert_eq!(operator.state_rows(), if slide == 1 { 8000 } else { 6000 });
    }
}

#[test]
fn panes_have_no_more_groups_than_slices() {
    let mut operator = counts(50);
    // Each slice has keys of its own.
    let rows: Vec<(i64, i64)> =
        (0..50).flat_map(|slide| (0..100).map(move |key| (slide, slide * 100 + key))).collect();
    step(&mut operator, &rows, (None, 0));
    let found = step(&mut operator, &[], (Some(49 * SLIDE_MS), 50 * SLIDE_MS));
    assert_eq!(found.len(), 5000);
    assert!(operator.groups.bound() <= 10_000, "{}", operator.groups.bound());
}
