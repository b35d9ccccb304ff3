//! What a sink wants of the changes that are made below it, so that the node that makes them leaves out the rest and there is
//! nothing to consolidate.
//! Invariant: old rows of updates are left out only for a sink that takes upserts by the very columns that tell the rows of the node
//! apart, or that asks for none; a row that goes and has no successor always comes out.

use std::collections::BTreeSet;

use mainstem_core::Result;
use mainstem_core::egress::ChangelogMode;

use crate::consolidate::Consolidate;
use crate::graph::Graph;
use crate::plan::{Node, NodeKind, Plan};
use crate::rank::{RankEmit, RankEnd, RankFunction};

impl Plan {
    /// For each node: true if old rows of updates do not come out of it, because nobody above wants them. A row that goes and has no
    /// successor comes out.
    pub fn without_update_before(&self) -> Vec<bool> {
        let mut without = vec![false; self.nodes.len()];
        for index in 0..self.nodes.len() {
            for above in self.unwanted_above(index).unwrap_or_default() {
                without[above] = true;
            }
        }
        without
    }

    /// A node that can leave out old rows, and those above it up to the sink that does not want them.
    fn unwanted_above(&self, maker: usize) -> Option<Vec<usize>> {
        let mut key = Some(self.key_of_updates(maker)?);
        let mut way = vec![maker];
        let mut below = maker;
        loop {
            let mut readers = self.readers(below);
            let ((reader, node), None) = (readers.next()?, readers.next()) else { return None };
            match &node.kind {
                NodeKind::Exchange { .. } => {}
                NodeKind::Project { exprs } => {
                    let moved = |c: usize| {
                        exprs.iter().position(|expr| expr.as_checked_column() == Some(c))
                    };
                    key = key.and_then(|key| key.into_iter().map(moved).collect());
                }
                NodeKind::Sink { changelog: ChangelogMode::NoUpdateBefore, .. } => {
                    return Some(way);
                }
                NodeKind::Sink { changelog: ChangelogMode::Upsert { key: wanted }, .. } => {
                    let same = key == Some(wanted.iter().copied().collect());
                    return same.then_some(way);
                }
                _ => return None,
            }
            way.push(reader);
            below = reader;
        }
    }

    /// The columns by which a node knows which new row is in place of which old one, if it can leave out old ones.
    fn key_of_updates(&self, index: usize) -> Option<BTreeSet<usize>> {
        let node = &self.nodes[index];
        match &node.kind {
            NodeKind::Aggregate { keys, .. } if compares_results(node) => {
                Some((0..keys.len()).collect())
            }
            NodeKind::Rank {
                partition,
                function: RankFunction::RowNumber,
                emit: RankEmit::Changes,
                from,
                to,
                with_rank,
                ..
            } => {
                let input = &self.nodes[node.inputs[0]];
                let one = *to == RankEnd::Constant(1) && *from <= 1;
                let partition = partition.iter().copied();
                match (one, with_rank) {
                    (true, false) if input.changelog => None,
                    (true, _) => Some(partition.collect()),
                    (false, true) => Some(partition.chain([input.output.len()]).collect()),
                    (false, false) => None,
                }
            }
            _ => None,
        }
    }
}

/// What a sink above node `index` does with its rows.
pub(crate) fn consolidate(
    graph: &Graph,
    index: usize,
    changelog: &ChangelogMode,
) -> Result<Consolidate> {
    let mut consolidate = Consolidate::new(changelog, &graph.node(index).output)?;
    let trusted = match changelog {
        ChangelogMode::AppendOnly => false,
        ChangelogMode::Upsert { .. } => graph.without_update_before[index],
        ChangelogMode::Retract => is_net(graph, index),
        ChangelogMode::NoUpdateBefore => graph.without_update_before[index] || is_net(graph, index),
    };
    if trusted {
        consolidate.trust();
    }
    Ok(consolidate)
}

/// True for an aggregation that puts out only results that have changed: it does not compare lists and maps, so that the sink has to.
fn compares_results(node: &Node) -> bool {
    !node.output.iter().any(arrow_schema::DataType::is_nested)
}

/// True for an aggregation, for a rank of append-only input, and for a projection that keeps all their columns: in a step each row
/// goes and comes at most once, rows that go before rows that come.
fn is_net(graph: &Graph, index: usize) -> bool {
    let node = graph.node(index);
    match &node.kind {
        NodeKind::Aggregate { .. } => compares_results(node),
        NodeKind::Rank { .. } => !graph.node(node.inputs[0]).changelog,
        NodeKind::Project { exprs } => {
            let below = node.inputs[0];
            let kept: BTreeSet<Option<usize>> =
                exprs.iter().map(|e| e.as_checked_column()).collect();
            let all = (0..graph.node(below).output.len()).all(|c| kept.contains(&Some(c)));
            all && is_net(graph, below)
        }
        _ => false,
    }
}
