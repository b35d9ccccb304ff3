//! What a sink wants of the changes that are made below it, so that the node that makes them leaves out the rest and there is
//! nothing to consolidate.
//! Invariant: old rows of updates are left out only for a sink that takes upserts by the very columns that tell the rows of the node
//! apart, or that asks for none; a row that goes and has no successor always comes out.

use std::collections::BTreeSet;

use mainstem_core::Result;
use mainstem_core::egress::ChangelogMode;

use crate::consolidate::Consolidate;
use crate::graph::Graph;
use crate::plan::NodeKind;
use crate::rank::{RankEmit, RankEnd, RankFunction};

/// True for a node that is to put out, for each key and step, the new row or, if there is none any more, the old one.
pub(crate) fn wants_upserts(graph: &Graph, index: usize) -> bool {
    let Some(key) = key_of_updates(graph, index) else { return false };
    let mut key = Some(key);
    let mut below = index;
    while let Some(reader) = graph.only_reader(below) {
        match &graph.node(reader).kind {
            NodeKind::Exchange { .. } => {}
            NodeKind::Project { exprs } => {
                let moved =
                    |c: usize| exprs.iter().position(|expr| expr.as_checked_column() == Some(c));
                key = key.and_then(|key| key.into_iter().map(moved).collect());
            }
            NodeKind::Sink { changelog: ChangelogMode::Upsert { key: wanted }, .. } => {
                return key == Some(wanted.iter().copied().collect());
            }
            NodeKind::Sink { changelog: ChangelogMode::NoUpdateBefore, .. } => return true,
            _ => return false,
        }
        below = reader;
    }
    false
}

/// The columns by which a node knows which new row is in place of which old one, if it can leave out old ones.
fn key_of_updates(graph: &Graph, index: usize) -> Option<BTreeSet<usize>> {
    let node = graph.node(index);
    match &node.kind {
        NodeKind::Aggregate { keys, .. } => Some((0..keys.len()).collect()),
        NodeKind::Rank {
            partition,
            function: RankFunction::RowNumber,
            emit: RankEmit::Changes,
            from,
            to,
            with_rank,
            ..
        } => {
            let input = graph.node(node.inputs[0]);
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

/// What a sink above node `index` does with its rows.
pub(crate) fn consolidate(
    graph: &Graph,
    index: usize,
    changelog: &ChangelogMode,
) -> Result<Consolidate> {
    let mut consolidate = Consolidate::new(changelog, &graph.node(index).output)?;
    let trusted = match changelog {
        ChangelogMode::AppendOnly => false,
        ChangelogMode::Upsert { .. } => wants_upserts(graph, maker(graph, index)),
        ChangelogMode::NoUpdateBefore => {
            wants_upserts(graph, maker(graph, index)) || is_net(graph, index)
        }
        ChangelogMode::Retract => is_net(graph, index),
    };
    if trusted {
        consolidate.trust();
    }
    Ok(consolidate)
}

/// The node whose rows come through projections and exchanges.
fn maker(graph: &Graph, mut index: usize) -> usize {
    while let NodeKind::Project { .. } | NodeKind::Exchange { .. } = graph.node(index).kind {
        index = graph.node(index).inputs[0];
    }
    index
}

/// True for an aggregation, for a rank of append-only input, and for a projection that keeps all their columns: in a step each row
/// goes and comes at most once, rows that go before rows that come.
fn is_net(graph: &Graph, index: usize) -> bool {
    let node = graph.node(index);
    match &node.kind {
        // Results that are lists or maps are not compared.
        NodeKind::Aggregate { .. } => !node.output.iter().any(arrow_schema::DataType::is_nested),
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
