//! Sinks that do not ask for old rows of updates get the same tables as those that do, whether nodes leave old rows out or not.

use std::collections::BTreeMap;

use mainstem_core::Batch;
use mainstem_core::egress::ChangelogMode;
use mainstem_engine::aggregate::{AggregateCall, builtin};
use mainstem_engine::dataflow::{Dataflow, SourceInput, StepInput};
use mainstem_engine::plan::{NodeKind, Plan};
use mainstem_engine::rank::{RankEmit, RankEnd, RankFunction};
use proptest::prelude::*;

use crate::support::*;
use crate::windows::call;

/// A group, a number in it, and what it is about.
type Row = (i64, i64, i64);

/// What makes the changes, over rows of three integers.
#[derive(Debug, Clone)]
enum Maker {
    Aggregate,
    /// ROW_NUMBER up to `to`, the greatest number first.
    Rank {
        to: u64,
        with_rank: bool,
    },
}

impl Maker {
    fn node(&self, plan: &mut PlanBuilder, input: usize, changelog: bool) -> usize {
        match *self {
            Maker::Aggregate => {
                let aggregates = vec![call("COUNT", &[], &[]), call("MAX", &[1], &[BIG])];
                let kind = NodeKind::Aggregate { keys: vec![0], aggregates, final_only: false };
                plan.node(kind, &[input], vec![INT; 3], true)
            }
            Maker::Rank { to, with_rank } => {
                let kind = NodeKind::Rank {
                    partition: vec![0],
                    order: vec![(1, true, false), (2, false, false)],
                    latest_first: !changelog,
                    function: RankFunction::RowNumber,
                    from: 1,
                    to: RankEnd::Constant(to),
                    with_rank,
                    emit: RankEmit::Changes,
                };
                plan.node(kind, &[input], vec![INT; self.columns()], true)
            }
        }
    }

    fn columns(&self) -> usize {
        if matches!(self, Maker::Rank { with_rank: true, .. }) { 4 } else { 3 }
    }

    /// It knows rows that come and go, not what stands for what.
    fn compares_rows(&self, changelog: bool) -> bool {
        changelog && matches!(self, Maker::Rank { with_rank: false, .. })
    }

    /// What tells its rows apart.
    fn key(&self) -> Vec<usize> {
        match self {
            Maker::Rank { to: 2.., with_rank: true } => vec![0, 3],
            _ => vec![0],
        }
    }

    /// The maker's rows with their columns the other way round, through an exchange by the key.
    fn plan(&self, changelog: bool, mode: &dyn Fn(Vec<usize>) -> ChangelogMode) -> Plan {
        let mut plan = PlanBuilder::default();
        let source = plan.source(vec![INT; 3], changelog);
        let exchange = plan.exchange(source, &[0]);
        let maker = self.node(&mut plan, exchange, changelog);
        let types = plan.types(maker);
        let exprs = (0..types.len()).rev().map(column).collect();
        let key: Vec<usize> = self.key().into_iter().map(|c| types.len() - 1 - c).collect();
        let project = plan.node(NodeKind::Project { exprs }, &[maker], types, true);
        let exchange = plan.exchange(project, &key);
        plan.sink(exchange, mode(key));
        plan.build()
    }
}

const BIG: mainstem_core::TypeKind = mainstem_core::TypeKind::BigInt;

fn any_maker() -> impl Strategy<Value = Maker> {
    let rank = (1u64..4, any::<bool>())
        .prop_map(|(to, with_rank)| Maker::Rank { to, with_rank: with_rank || to > 1 });
    prop_oneof![Just(Maker::Aggregate), rank]
}

fn rows_batch(changes: &[(Row, i64)], changelog: bool) -> Batch {
    let columns = vec![
        ints(changes.iter().map(|(row, _)| Some(row.0))),
        ints(changes.iter().map(|(row, _)| Some(row.1))),
        ints(changes.iter().map(|(row, _)| Some(row.2))),
    ];
    batch(columns, changelog.then(|| changes.iter().map(|(_, weight)| *weight).collect()))
}

/// A table that is kept by its key, with what came in the last step by the key and its weight.
#[derive(Debug, Default)]
struct ByKey {
    table: BTreeMap<String, String>,
    last: BTreeMap<String, i64>,
}

impl ByKey {
    /// Takes a step's rows; false if a key comes twice.
    fn take(&mut self, batches: &[Batch], key: &[usize]) -> bool {
        self.last.clear();
        let mut once = true;
        for batch in batches {
            let keys = lines(&batch.project(key));
            for ((key, weight), (row, _)) in keys.into_iter().zip(lines(batch)) {
                once &= self.last.insert(key.clone(), weight).is_none();
                if weight > 0 {
                    self.table.insert(key, row);
                } else {
                    self.table.remove(&key);
                }
            }
        }
        once
    }
}

/// A list is not compared where it is made: the sink has to see that it is as it was.
#[test]
fn lists_that_did_not_change_do_not_come_again() {
    let mut plan = PlanBuilder::default();
    let source = plan.source(vec![INT; 2], false);
    let exprs = vec![column(0), column(1), where_int(1, |v| v > 0)];
    let types = vec![INT, INT, arrow_schema::DataType::Boolean];
    let project = plan.node(NodeKind::Project { exprs }, &[source], types, false);
    let exchange = plan.exchange(project, &[0]);
    let (_, list) = builtin("ARRAY_AGG", &[BIG.nullable()]).unwrap();
    let aggregates = vec![AggregateCall { filter: Some(2), ..call("ARRAY_AGG", &[1], &[BIG]) }];
    let kind = NodeKind::Aggregate { keys: vec![0], aggregates, final_only: false };
    let aggregate = plan.node(kind, &[exchange], vec![INT, list.to_arrow()], true);
    let exchange = plan.exchange(aggregate, &[0]);
    plan.sink(exchange, ChangelogMode::Upsert { key: vec![0] });
    let mut flow = Dataflow::new(&plan.build(), 2).unwrap();
    let mut rows_out = |number: i64| -> usize {
        let rows = batch(vec![ints([Some(1)]), ints([Some(number)])], None);
        let source = SourceInput { batches: vec![(0, rows)], ..SourceInput::default() };
        let output = flow.step(StepInput { now_ms: 0, sources: vec![source] }).unwrap();
        output.sinks[0].iter().map(Batch::rows).sum()
    };
    assert_eq!([5, -5, 6].map(&mut rows_out), [1, 0, 1]);
}

proptest! {
    #[test]
    fn tables_are_the_same_without_old_rows(
        maker in any_maker(),
        changelog in any::<bool>(),
        steps in prop::collection::vec(
            (
                prop::collection::vec((0i64..4, 0i64..4, 0i64..3), 0..8),
                prop::collection::vec(any::<prop::sample::Index>(), 0..6),
            ),
            1..8,
        ),
        workers in RESTARTED..4,
    ) {
        let upsert = |key| ChangelogMode::Upsert { key };
        let mut whole = Driver::new(&maker.plan(changelog, &|_| ChangelogMode::Retract), workers);
        let mut upserts = Driver::new(&maker.plan(changelog, &upsert), workers);
        let mut hole =
            Driver::new(&maker.plan(changelog, &|_| ChangelogMode::NoUpdateBefore), workers);
        let columns = maker.columns();
        let key: Vec<usize> = maker.key().into_iter().map(|c| columns - 1 - c).collect();
        let (mut by_key, mut in_hole) = (ByKey::default(), ByKey::default());
        let mut held: Vec<Row> = Vec::new();
        for (comes, goes) in steps {
            let mut changes: Vec<(Row, i64)> = comes.iter().map(|row| (*row, 1)).collect();
            held.extend(&comes);
            for pick in goes.iter().take(if changelog { held.len() } else { 0 }) {
                changes.push((held.swap_remove(pick.index(held.len())), -1));
            }
            let batches: Vec<Batch> =
                changes.chunks(3).map(|part| rows_batch(part, changelog)).collect();
            for driver in [&mut whole, &mut upserts, &mut hole] {
                driver.step(0, vec![batches.clone()], false);
            }
            let once = by_key.take(&upserts.last[0], &key);
            prop_assert!(once, "one row a key and step");
            let once = in_hole.take(&hole.last[0], &key);
            prop_assert!(once || maker.compares_rows(changelog), "old rows are not even made");
            let expected: BTreeMap<String, i64> =
                by_key.table.values().map(|row| (row.clone(), 1)).collect();
            prop_assert_eq!(&whole.folded[0].0, &expected, "after every step");
            prop_assert_eq!(&in_hole.table, &by_key.table, "after every step");
            prop_assert_eq!(&in_hole.last, &by_key.last, "old rows of updates do not come");
        }
    }
}
