//! Which worker has which rows, as far as a plan says: by which columns they were sent there. Rows stay where they are until an
//! exchange sends them, so that one by columns by which they already are where they belong moves nothing.
//! Invariant: an exchange that is left out would have sent each row to the worker that has it; or only sinks read it, and rows of
//! one key are on one worker without it. That holds behind a restart, too: a node below whose state is by key has an exchange by
//! these keys, and a restart deals its state by them.

use crate::plan::{JoinKind, Node, NodeKind, Plan};

/// Lists of columns by whose hash the rows of a node are placed, each true by itself. The empty list: all are on worker 0.
type Placements = Vec<Vec<usize>>;

/// For each node of a plan: true for an exchange that moves nothing, or need not.
pub(crate) fn idle_exchanges(plan: &Plan) -> Vec<bool> {
    let mut placements: Vec<Placements> = Vec::with_capacity(plan.nodes.len());
    let mut idle = Vec::with_capacity(plan.nodes.len());
    for (index, node) in plan.nodes.iter().enumerate() {
        let is_idle = match &node.kind {
            NodeKind::Exchange { keys } => {
                let below = &placements[node.inputs[0]];
                let together =
                    |by: &Vec<usize>| !by.is_empty() && by.iter().all(|c| keys.contains(c));
                below.contains(keys) || (only_sinks_read(plan, index) && below.iter().any(together))
            }
            _ => false,
        };
        placements.push(placements_of(plan, node, is_idle, &placements));
        idle.push(is_idle);
    }
    idle
}

fn only_sinks_read(plan: &Plan, index: usize) -> bool {
    plan.readers(index).all(|(_, reader)| matches!(reader.kind, NodeKind::Sink { .. }))
}

fn placements_of(plan: &Plan, node: &Node, idle: bool, known: &[Placements]) -> Placements {
    let input = |at: usize| known[node.inputs[at]].clone();
    let width = |at: usize| plan.nodes[node.inputs[at]].output.len();
    match &node.kind {
        NodeKind::Source { .. }
        | NodeKind::UnionAll
        | NodeKind::Expand { .. }
        | NodeKind::Sink { .. } => Vec::new(),
        NodeKind::Values { .. } => vec![Vec::new()],
        NodeKind::Exchange { .. } if idle => input(0),
        NodeKind::Exchange { keys } => vec![keys.clone()],
        // Rows that wait in it go to the owners of its own keys when a restart has other workers.
        NodeKind::RemoteLookup { left_keys, .. } if !input(0).contains(left_keys) => Vec::new(),
        // All columns of the input stay where they are.
        NodeKind::Watermark { .. }
        | NodeKind::Filter { .. }
        | NodeKind::Unnest { .. }
        | NodeKind::WindowTable { .. }
        | NodeKind::SessionTable { .. }
        | NodeKind::UpsertNormalize { .. }
        | NodeKind::Over { .. }
        | NodeKind::Rank { .. }
        | NodeKind::RemoteLookup { .. }
        | NodeKind::Limit { .. }
        | NodeKind::Sort { .. }
        | NodeKind::TemporalSort { .. } => input(0),
        NodeKind::Project { exprs } => moved(input(0), &|column| {
            exprs.iter().position(|expr| expr.as_checked_column() == Some(column))
        }),
        NodeKind::Repeat { column, .. } => moved(input(0), &|c| match c.cmp(column) {
            std::cmp::Ordering::Less => Some(c),
            std::cmp::Ordering::Equal => None,
            std::cmp::Ordering::Greater => Some(c - 1),
        }),
        NodeKind::ToChangelog { .. } => moved(input(0), &|column| Some(column + 1)),
        NodeKind::WindowAggregate { keys, .. }
        | NodeKind::SessionAggregate { keys, .. }
        | NodeKind::WindowUpdates { keys, .. }
        | NodeKind::Aggregate { keys, .. } => by_keys(input(0), keys),
        NodeKind::MatchRecognize(spec) => by_keys(input(0), &spec.keys),
        NodeKind::Join { kind, .. }
        | NodeKind::IntervalJoin { kind, .. }
        | NodeKind::TemporalJoin { kind, .. }
        | NodeKind::LookupJoin { kind, .. }
        | NodeKind::WindowJoin { kind, .. } => {
            let left = || input(0);
            let right = || moved(input(1), &|column| Some(column + width(0)));
            // Of a side that may be missing, columns are NULL where its rows were not.
            match kind {
                JoinKind::Inner => left().into_iter().chain(right()).collect(),
                JoinKind::Left | JoinKind::Semi | JoinKind::Anti => left(),
                JoinKind::Right => right(),
                JoinKind::Full => Vec::new(),
            }
        }
    }
}

/// Placements by other names of the columns; those of which a column has none are lost.
fn moved(placements: Placements, to: &dyn Fn(usize) -> Option<usize>) -> Placements {
    let all = |by: Vec<usize>| by.into_iter().map(to).collect::<Option<Vec<usize>>>();
    placements.into_iter().filter_map(all).collect()
}

fn by_keys(placements: Placements, keys: &[usize]) -> Placements {
    moved(placements, &|column| keys.iter().position(|key| *key == column))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plan::{Residual, Scan};
    use arrow_schema::DataType as ArrowType;
    use mainstem_core::egress::ChangelogMode;

    struct Builder(Plan);

    impl Builder {
        fn add(&mut self, kind: NodeKind, inputs: &[usize], columns: usize) -> usize {
            self.0.nodes.push(Node {
                kind,
                inputs: inputs.to_vec(),
                name: String::new(),
                output: vec![ArrowType::Int64; columns],
                changelog: false,
                state_ttl_ms: None,
            });
            self.0.nodes.len() - 1
        }

        fn source(&mut self) -> usize {
            self.add(NodeKind::Source { source: 0, scan: Scan::default() }, &[], 3)
        }

        fn exchange(&mut self, input: usize, keys: &[usize]) -> usize {
            let columns = self.0.nodes[input].output.len();
            self.add(NodeKind::Exchange { keys: keys.to_vec() }, &[input], columns)
        }

        fn aggregate(&mut self, input: usize, keys: &[usize]) -> usize {
            let kind = NodeKind::Aggregate {
                keys: keys.to_vec(),
                aggregates: Vec::new(),
                final_only: false,
            };
            self.add(kind, &[input], keys.len())
        }

        fn join(&mut self, kind: JoinKind, left: usize, right: usize) -> usize {
            let kind = NodeKind::Join {
                kind,
                left_keys: vec![0],
                right_keys: vec![2],
                residual: None::<Residual>,
                expiry: [None; 2],
                ttl_ms: [None; 2],
            };
            self.add(kind, &[left, right], 6)
        }

        fn sink(&mut self, input: usize) {
            let kind = NodeKind::Sink { sink: 0, changelog: ChangelogMode::AppendOnly };
            self.add(kind, &[input], 0);
        }

        #[track_caller]
        fn idle(&self, exchange: usize, expected: bool) {
            assert_eq!(idle_exchanges(&self.0)[exchange], expected);
        }
    }

    #[test]
    fn an_exchange_by_the_same_columns_moves_nothing() {
        let mut plan = Builder(Plan::default());
        let source = plan.source();
        let first = plan.exchange(source, &[2, 1]);
        let groups = plan.aggregate(first, &[1, 2]);
        // Column 2 is the second key now, column 1 the first.
        let same = plan.exchange(groups, &[1, 0]);
        let other_order = plan.exchange(groups, &[0, 1]);
        let fewer = plan.exchange(groups, &[0]);
        for exchange in [same, other_order, fewer] {
            plan.aggregate(exchange, &[0]);
        }
        plan.idle(first, false);
        plan.idle(same, true);
        plan.idle(other_order, false);
        plan.idle(fewer, false);
    }

    #[test]
    fn a_sink_needs_only_rows_of_one_key_on_one_worker() {
        let mut plan = Builder(Plan::default());
        let source = plan.source();
        let first = plan.exchange(source, &[1]);
        let more = plan.exchange(first, &[2, 1]);
        let others = plan.exchange(first, &[2]);
        plan.sink(more);
        plan.sink(others);
        plan.idle(more, true);
        plan.idle(others, false);
        // State is found again by all its key's columns.
        plan.aggregate(more, &[2, 1]);
        plan.idle(more, false);
    }

    /// What waits for answers is dealt anew by a restart.
    #[test]
    fn rows_that_wait_in_a_lookup_without_keys_may_be_anywhere() {
        let mut plan = Builder(Plan::default());
        let source = plan.source();
        let placed = plan.exchange(source, &[1]);
        let mut lookup = |left_keys: Vec<usize>| {
            let kind = NodeKind::RemoteLookup {
                lookup: 0,
                kind: JoinKind::Inner,
                left_keys,
                filter: None,
                columns: Vec::new(),
                residual: None,
                cache: None,
            };
            let found = plan.add(kind, &[placed], 3);
            plan.exchange(found, &[1])
        };
        let (by_key, by_nothing) = (lookup(vec![1]), lookup(Vec::new()));
        plan.aggregate(by_key, &[1]);
        plan.aggregate(by_nothing, &[1]);
        plan.idle(by_key, true);
        plan.idle(by_nothing, false);
    }

    #[test]
    fn one_worker_stays_one_but_does_not_write_for_all() {
        let mut plan = Builder(Plan::default());
        let source = plan.source();
        let single = plan.exchange(source, &[]);
        let again = plan.exchange(single, &[]);
        let dealt = plan.exchange(single, &[0]);
        plan.sink(dealt);
        plan.idle(again, true);
        plan.idle(dealt, false);
    }

    #[test]
    fn pairs_are_where_both_rows_were_and_rows_without_a_partner_are_not() {
        let mut plan = Builder(Plan::default());
        let (left, right) = (plan.source(), plan.source());
        let (left, right) = (plan.exchange(left, &[0]), plan.exchange(right, &[2]));
        for (kind, by_left, by_right) in [
            (JoinKind::Inner, true, true),
            (JoinKind::Left, true, false),
            (JoinKind::Right, false, true),
            (JoinKind::Full, false, false),
        ] {
            let pairs = plan.join(kind, left, right);
            let (of_left, of_right) = (plan.exchange(pairs, &[0]), plan.exchange(pairs, &[5]));
            plan.idle(of_left, by_left);
            plan.idle(of_right, by_right);
        }
    }
}
