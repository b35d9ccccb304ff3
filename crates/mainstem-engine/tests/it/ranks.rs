//! Top-N, deduplication and ORDER BY time against naive recomputation, with random changes, ties, NULLs and cuts.

use std::collections::{BTreeMap, BTreeSet};

use mainstem_core::Batch;
use mainstem_core::egress::ChangelogMode;
use mainstem_engine::plan::{NodeKind, Plan, TimeSource};
use mainstem_engine::rank::{RankEmit, RankEnd, RankFunction};
use proptest::prelude::*;

use crate::support::*;

/// Partition, sort key, text sort key, payload.
type Row = (Option<i64>, Option<i64>, i64, i64);

/// Longer than what an entry holds of a sort key.
fn text(number: i64) -> String {
    format!("a sort key of many bytes, {number}")
}

fn show(row: &Row) -> String {
    let cell = |v: Option<i64>| v.map_or("NULL".to_owned(), |v| v.to_string());
    format!("{} {} {} {}", cell(row.0), cell(row.1), text(row.2), row.3)
}

fn rows_batch(rows: &[(Row, i64)], changelog: bool) -> Batch {
    let texts_of: Vec<String> = rows.iter().map(|(row, _)| text(row.2)).collect();
    batch(
        vec![
            ints(rows.iter().map(|(row, _)| row.0)),
            ints(rows.iter().map(|(row, _)| row.1)),
            texts(&texts_of.iter().map(String::as_str).collect::<Vec<_>>()),
            ints(rows.iter().map(|(row, _)| Some(row.3))),
        ],
        changelog.then(|| rows.iter().map(|(_, weight)| *weight).collect()),
    )
}

#[derive(Debug, Clone)]
struct Case {
    order: Vec<(usize, bool, bool)>,
    partitioned: bool,
    latest_first: bool,
    function: RankFunction,
    from: u64,
    /// `None`: the partition's own value.
    to: Option<u64>,
    with_rank: bool,
    changelog: bool,
}

impl Case {
    fn plan(&self) -> Plan {
        let mut plan = PlanBuilder::default();
        let mut types = vec![INT, INT, arrow_schema::DataType::Utf8, INT];
        let source = plan.source(types.clone(), self.changelog);
        let partition = if self.partitioned { vec![0] } else { vec![] };
        let source = plan.exchange(source, &partition);
        if self.with_rank {
            types.push(INT);
        }
        let kind = NodeKind::Rank {
            partition,
            order: self.order.clone(),
            latest_first: self.latest_first,
            function: self.function,
            from: self.from,
            to: self.to.map_or(RankEnd::Column(0), RankEnd::Constant),
            with_rank: self.with_rank,
            emit: RankEmit::Changes,
        };
        let rank = plan.node(kind, &[source], types, true);
        plan.sink(rank, ChangelogMode::Retract);
        plan.build()
    }

    /// `held` in order of arrival.
    fn naive(&self, held: &[Row]) -> Folded {
        let partition = |row: &Row| if self.partitioned { row.0 } else { None };
        let key = |row: &Row| -> Vec<(i8, i64)> {
            let part = |&(column, descending, nulls_first): &(usize, bool, bool)| {
                let value = if column == 1 { row.1 } else { Some(row.2) };
                match value {
                    None => (if nulls_first { -1 } else { 1 }, 0),
                    Some(value) => (0, if descending { -value } else { value }),
                }
            };
            self.order.iter().map(part).collect()
        };
        let mut folded = Folded::default();
        let partitions: BTreeSet<Option<i64>> = held.iter().map(partition).collect();
        for of in partitions {
            let mut rows: Vec<&Row> = held.iter().filter(|row| partition(row) == of).collect();
            if self.latest_first {
                rows.reverse();
            }
            rows.sort_by_key(|row| key(row));
            let to = self.to.unwrap_or_else(|| of.unwrap_or(0) as u64);
            for (at, row) in rows.iter().enumerate() {
                let less = rows.iter().filter(|other| key(other) < key(row));
                let rank = match self.function {
                    RankFunction::RowNumber => at + 1,
                    RankFunction::Rank => less.count() + 1,
                    RankFunction::DenseRank => {
                        less.map(|other| key(other)).collect::<BTreeSet<_>>().len() + 1
                    }
                };
                if (self.from..=to).contains(&(rank as u64)) {
                    let rank = if self.with_rank { format!(" {rank}") } else { String::new() };
                    folded.add(format!("{}{rank}", show(row)), 1);
                }
            }
        }
        folded
    }
}

fn any_case() -> impl Strategy<Value = Case> {
    let key = |column| (Just(column), any::<bool>(), any::<bool>());
    let order = prop_oneof![
        Just(Vec::new()),
        prop::collection::vec(key(1), 1..=1),
        prop::collection::vec(key(2), 1..=1),
        (key(1), key(2)).prop_map(|(a, b)| vec![a, b]),
    ];
    let function = prop::sample::select(vec![
        RankFunction::RowNumber,
        RankFunction::RowNumber,
        RankFunction::Rank,
        RankFunction::DenseRank,
    ]);
    let range = (prop_oneof![3 => Just(1u64), 1 => 2u64..4], prop::option::weighted(0.9, 0u64..5));
    (order, any::<[bool; 4]>(), function, range).prop_map(
        |(order, [partitioned, latest, with_rank, changelog], function, (from, to))| Case {
            order,
            partitioned,
            latest_first: latest && !changelog && function == RankFunction::RowNumber,
            function,
            from,
            to: if partitioned { to } else { to.or(Some(1)) },
            with_rank,
            changelog,
        },
    )
}

fn any_row() -> impl Strategy<Value = Row> {
    let key = prop::option::weighted(0.9, 0i64..4);
    (prop::option::weighted(0.9, 0i64..4), key, 0i64..3, 0i64..3)
}

/// Per step: rows that come, and picks of rows that go.
fn any_steps() -> impl Strategy<Value = Vec<(Vec<Row>, Vec<prop::sample::Index>)>> {
    let goes = prop::collection::vec(any::<prop::sample::Index>(), 0..6);
    prop::collection::vec((prop::collection::vec(any_row(), 0..10), goes), 1..10)
}

proptest! {
    #[test]
    fn ranks_are_counted(
        case in any_case(),
        steps in any_steps(),
        workers in RESTARTED..4,
    ) {
        let mut driver = Driver::new(&case.plan(), workers);
        let mut held: Vec<Row> = Vec::new();
        for (comes, goes) in steps {
            let mut changes: Vec<(Row, i64)> = comes.iter().map(|row| (*row, 1)).collect();
            held.extend(&comes);
            for pick in goes {
                if case.changelog && !held.is_empty() {
                    let row = held[pick.index(held.len())];
                    // The oldest of equal rows goes.
                    let oldest = held.iter().position(|other| *other == row).unwrap();
                    held.remove(oldest);
                    changes.push((row, -1));
                }
            }
            let batches = changes.chunks(3).map(|part| rows_batch(part, case.changelog)).collect();
            driver.step(0, vec![batches], false);
            prop_assert_eq!(&driver.folded[0], &case.naive(&held), "after every step");
        }
        if case.changelog {
            let rest: Vec<(Row, i64)> = held.iter().map(|row| (*row, -1)).collect();
            driver.step(0, vec![vec![rows_batch(&rest, true)]], false);
            prop_assert_eq!(driver.state_rows(), 0, "what was taken back is not kept");
        }
    }

    #[test]
    fn the_latest_of_changing_rows_are_the_same_after_restarts(
        case in any_case(),
        steps in any_steps(),
    ) {
        let function = RankFunction::RowNumber;
        let case =
            Case { order: Vec::new(), latest_first: true, changelog: true, function, ..case };
        let mut drivers = [1, RESTARTED].map(|workers| Driver::new(&case.plan(), workers));
        let mut held: Vec<Row> = Vec::new();
        for (comes, goes) in steps {
            // Payloads that differ less: more copies of a row.
            let comes = comes.iter().map(|row| (row.0, None, 0, row.3 % 2));
            let mut changes: Vec<(Row, i64)> = comes.map(|row| (row, 1)).collect();
            held.extend(changes.iter().map(|(row, _)| *row));
            for pick in goes.iter().take(held.len()) {
                changes.push((held.remove(pick.index(held.len())), -1));
            }
            for driver in &mut drivers {
                driver.step(0, vec![vec![rows_batch(&changes, true)]], false);
            }
            prop_assert_eq!(&drivers[0].folded, &drivers[1].folded);
        }
    }

    #[test]
    fn long_partitions_are_ranked_like_short_ones(
        keys in prop::collection::vec(0i64..500, 1..700),
        goes in prop::collection::vec(any::<prop::sample::Index>(), 0..600),
        step_rows in 1usize..200,
        case in any_case(),
        from in 1u64..300,
        count in 1u64..200,
        workers in RESTARTED..2,
    ) {
        let case = Case { partitioned: false, from, to: Some(from + count), ..case };
        let mut driver = Driver::new(&case.plan(), workers);
        let mut held: Vec<Row> = Vec::new();
        for part in keys.chunks(step_rows) {
            let rows: Vec<(Row, i64)> =
                part.iter().map(|&key| ((None, Some(key), key % 7, key % 2), 1)).collect();
            held.extend(rows.iter().map(|(row, _)| *row));
            driver.step(0, vec![vec![rows_batch(&rows, case.changelog)]], false);
        }
        prop_assert_eq!(&driver.folded[0], &case.naive(&held));
        if case.changelog {
            for part in goes.chunks(step_rows) {
                let mut changes = Vec::new();
                for pick in part.iter().take(held.len()) {
                    let row = held[pick.index(held.len())];
                    held.remove(held.iter().position(|other| *other == row).unwrap());
                    changes.push((row, -1));
                }
                driver.step(0, vec![vec![rows_batch(&changes, true)]], false);
            }
            prop_assert_eq!(&driver.folded[0], &case.naive(&held));
        }
    }

    #[test]
    fn windows_are_ranked_once(
        rows in prop::collection::vec((0i64..3, 0i64..4, 0i64..40), 0..60),
        step_rows in 1usize..20,
        function in prop::sample::select(vec![
            RankFunction::RowNumber, RankFunction::Rank, RankFunction::DenseRank,
        ]),
        latest: bool,
        to in 1u64..4,
        workers in RESTARTED..4,
    ) {
        // Key, value and time: windows of 10 ms, no row late.
        let latest_first = latest && function == RankFunction::RowNumber;
        let mut plan = PlanBuilder::default();
        let types = vec![INT, INT, TIME, TIME, TIME];
        let source = plan.source(types.clone(), false);
        let source = plan.watermark(source, 2, 45);
        let source = plan.exchange(source, &[0, 3, 4]);
        let kind = NodeKind::Rank {
            partition: vec![0, 3, 4],
            order: vec![(1, true, false)],
            latest_first,
            function,
            from: 1,
            to: RankEnd::Constant(to),
            with_rank: true,
            emit: RankEmit::Windows { end: 4, processing_time: false, zone: None },
        };
        let output = [types, vec![INT]].concat();
        let rank = plan.node(kind, &[source], output, false);
        plan.sink(rank, ChangelogMode::AppendOnly);
        let mut driver = Driver::new(&plan.build(), workers);
        let rows: Vec<_> = rows.into_iter().enumerate().map(|(at, (key, value, jitter))| {
            (key, value, at as i64 * 3 + jitter)
        }).collect();
        for part in rows.chunks(step_rows) {
            let start = |time: i64| time.div_euclid(10) * 10;
            let batch = batch(vec![
                ints(part.iter().map(|row| Some(row.0))),
                ints(part.iter().map(|row| Some(row.1))),
                times(part.iter().map(|row| row.2)),
                times(part.iter().map(|row| start(row.2))),
                times(part.iter().map(|row| start(row.2) + 10)),
            ], None);
            driver.step(0, vec![vec![batch]], false);
        }
        driver.end();
        prop_assert_eq!(driver.state_rows(), 0, "closed windows keep nothing");
        let mut expect = Folded::default();
        let mut partitions: BTreeMap<(i64, i64), Vec<(i64, i64)>> = BTreeMap::new();
        for &(key, value, time) in &rows {
            partitions.entry((time.div_euclid(10) * 10, key)).or_default().push((value, time));
        }
        for ((start, key), mut rows) in partitions {
            if latest_first {
                rows.reverse();
            }
            rows.sort_by_key(|row| -row.0);
            for (at, &(value, time)) in rows.iter().enumerate() {
                let less = rows.iter().filter(|row| row.0 > value);
                let rank = match function {
                    RankFunction::RowNumber => at + 1,
                    RankFunction::Rank => less.count() + 1,
                    RankFunction::DenseRank => {
                        less.map(|row| row.0).collect::<BTreeSet<_>>().len() + 1
                    }
                };
                if rank as u64 <= to {
                    let row = format!("{key} {value} {time} {start} {} {rank}", start + 10);
                    expect.add(row, 1);
                }
            }
        }
        prop_assert_eq!(&driver.folded[0], &expect);
    }

    #[test]
    fn the_first_by_time_comes_out_once(
        rows in prop::collection::vec((0i64..5, 0i64..40), 0..60),
        step_rows in 1usize..20,
        workers in RESTARTED..4,
    ) {
        let mut plan = PlanBuilder::default();
        let source = plan.source(vec![INT, TIME, INT], false);
        let source = plan.watermark(source, 1, 45);
        let source = plan.exchange(source, &[0]);
        let kind = NodeKind::Rank {
            partition: vec![0],
            order: vec![(1, false, false)],
            latest_first: false,
            function: RankFunction::RowNumber,
            from: 1,
            to: RankEnd::Constant(1),
            with_rank: false,
            emit: RankEmit::FirstByTime { time: 1 },
        };
        let rank = plan.node(kind, &[source], vec![INT, TIME, INT], false);
        plan.sink(rank, ChangelogMode::AppendOnly);
        let mut driver = Driver::new(&plan.build(), workers);
        let rows: Vec<_> = rows.into_iter().enumerate().map(|(at, (key, jitter))| {
            (key, at as i64 * 3 + jitter, at as i64)
        }).collect();
        for part in rows.chunks(step_rows) {
            let batch = batch(vec![
                ints(part.iter().map(|row| Some(row.0))),
                times(part.iter().map(|row| row.1)),
                ints(part.iter().map(|row| Some(row.2))),
            ], None);
            driver.step(0, vec![vec![batch]], false);
        }
        driver.end();
        let mut expect = Folded::default();
        let keys: BTreeSet<i64> = rows.iter().map(|row| row.0).collect();
        for key in keys {
            let of_key = rows.iter().filter(|row| row.0 == key);
            let (_, time, at) = of_key.min_by_key(|row| (row.1, row.2)).unwrap();
            expect.add(format!("{key} {time} {at}"), 1);
        }
        prop_assert_eq!(&driver.folded[0], &expect);
    }

    #[test]
    fn a_stream_is_sorted_by_time(
        rows in prop::collection::vec((0i64..40, 0i64..3), 0..60),
        step_rows in 1usize..20,
        workers in RESTARTED..4,
    ) {
        let mut plan = PlanBuilder::default();
        let source = plan.source(vec![TIME, INT, INT], false);
        let source = plan.watermark(source, 0, 45);
        let source = plan.exchange(source, &[]);
        let kind = NodeKind::TemporalSort {
            time: TimeSource::EventTime { column: 0 },
            keys: vec![(0, false, true), (1, true, false)],
        };
        let sort = plan.node(kind, &[source], vec![TIME, INT, INT], false);
        plan.sink(sort, ChangelogMode::AppendOnly);
        let mut driver = Driver::new(&plan.build(), workers);
        let mut rows: Vec<_> = rows.into_iter().enumerate().map(|(at, (jitter, key))| {
            (at as i64 * 3 + jitter, key, at as i64)
        }).collect();
        let mut seen: Vec<String> = Vec::new();
        let add = |seen: &mut Vec<String>, batches: &[Batch]| {
            seen.extend(batches.iter().flat_map(lines).map(|(line, _)| line));
        };
        for part in rows.chunks(step_rows) {
            let batch = batch(vec![
                times(part.iter().map(|row| row.0)),
                ints(part.iter().map(|row| Some(row.1))),
                ints(part.iter().map(|row| Some(row.2))),
            ], None);
            driver.step(0, vec![vec![batch]], false);
            add(&mut seen, &driver.last[0]);
        }
        driver.end();
        add(&mut seen, &driver.last[0]);
        rows.sort_by_key(|row| (row.0, -row.1));
        let expect: Vec<String> =
            rows.iter().map(|(time, key, at)| format!("{time} {key} {at}")).collect();
        prop_assert_eq!(seen, expect);
    }
}

/// One column of times and keys through a node; what came out in each step.
fn play(
    kind: &NodeKind,
    keys: &[usize],
    steps: &[&[(i64, i64)]],
    workers: usize,
) -> (Vec<Vec<String>>, u64) {
    let mut plan = PlanBuilder::default();
    let source = plan.source(vec![TIME, INT], false);
    let source = plan.watermark(source, 0, 0);
    let source = plan.exchange(source, keys);
    let node = plan.node(kind.clone(), &[source], vec![TIME, INT], false);
    plan.sink(node, ChangelogMode::AppendOnly);
    let mut driver = Driver::new(&plan.build(), workers);
    let mut seen = Vec::new();
    for rows in steps {
        let columns =
            vec![times(rows.iter().map(|row| row.0)), ints(rows.iter().map(|row| Some(row.1)))];
        driver.step(0, vec![vec![batch(columns, None)]], false);
        seen.push(driver.last[0].iter().flat_map(lines).map(|(line, _)| line).collect());
    }
    (seen, driver.late_rows())
}

#[test]
fn late_rows_are_dropped_and_counted() {
    let keys = vec![(0, false, true)];
    let sort = NodeKind::TemporalSort { time: TimeSource::EventTime { column: 0 }, keys };
    for workers in [1, RESTARTED] {
        let steps: [&[_]; 2] = [&[(5, 0), (3, 1)], &[(4, 2), (5, 3), (6, 4)]];
        let (seen, late) = play(&sort, &[], &steps, workers);
        assert_eq!(seen, [vec!["3 1", "5 0"], vec!["6 4"]]);
        assert_eq!(late, 2, "4 and 5 are not after what came out");
    }

    let first = NodeKind::Rank {
        partition: vec![1],
        order: vec![(0, false, true)],
        latest_first: false,
        function: RankFunction::RowNumber,
        from: 1,
        to: RankEnd::Constant(1),
        with_rank: false,
        emit: RankEmit::FirstByTime { time: 0 },
    };
    for workers in [1, RESTARTED] {
        let steps: [&[_]; 2] = [&[(5, 0), (3, 0)], &[(4, 1), (5, 2), (6, 0)]];
        let (seen, late) = play(&first, &[1], &steps, workers);
        assert_eq!(seen, [vec!["3 0"], vec!["5 2"]]);
        assert_eq!(late, 1, "only what is behind the watermark is late");
    }
}

#[test]
fn windows_of_processing_time_stay_closed() {
    for workers in [1, RESTARTED] {
        let mut plan = PlanBuilder::default();
        let source = plan.source(vec![INT, TIME], false);
        let source = plan.exchange(source, &[1]);
        let kind = NodeKind::Rank {
            partition: vec![1],
            order: vec![(0, true, false)],
            latest_first: false,
            function: RankFunction::RowNumber,
            from: 1,
            to: RankEnd::Constant(1),
            with_rank: false,
            emit: RankEmit::Windows { end: 1, processing_time: true, zone: None },
        };
        let rank = plan.node(kind, &[source], vec![INT, TIME], false);
        plan.sink(rank, ChangelogMode::AppendOnly);
        let mut driver = Driver::new(&plan.build(), workers);
        let mut check = |now_ms, rows: &[(i64, i64)], expect: &[&str]| {
            let values = ints(rows.iter().map(|row| Some(row.0)));
            let rows = batch(vec![values, times(rows.iter().map(|row| row.1))], None);
            driver.step(now_ms, vec![vec![rows]], false);
            let seen: Vec<String> =
                driver.last[0].iter().flat_map(lines).map(|(line, _)| line).collect();
            assert_eq!(seen, expect, "at {now_ms}");
        };
        check(5, &[(1, 10), (3, 10), (7, 20)], &[]);
        check(12, &[(2, 20)], &["3 10"]);
        check(13, &[(9, 10), (8, 20)], &[]);
        check(20, &[], &["8 20"]);
        assert_eq!(driver.late_rows(), 1, "the window of the 9 was closed");
    }
}
