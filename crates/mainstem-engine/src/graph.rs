//! The plan as workers run it: checked, with phases between which workers meet.
//! Invariant: within a phase a worker needs nothing from the others; a node whose rows or watermark depend on all
//! workers sends in its phase and receives in the next one. With one worker there is one phase.

use mainstem_core::{Error, Result};

use crate::checkpoint::Identities;
use crate::placement::idle_exchanges;
use crate::plan::{Node, NodeKind, Plan};

/// What the workers of one dataflow share.
#[derive(Debug)]
pub(crate) struct Graph {
    pub(crate) plan: Plan,
    pub(crate) workers: usize,
    /// For each phase, its nodes in topological order.
    pub(crate) phases: Vec<Vec<usize>>,
    /// For each phase, the nodes that sent in the phase before and receive now.
    pub(crate) receivers: Vec<Vec<usize>>,
    /// For each node and input: true if nobody reads that input after it.
    pub(crate) last_reader: Vec<Vec<bool>>,
    /// For each node what tells it from others.
    pub(crate) fingerprints: Vec<String>,
    /// How many nodes read each node.
    pub(crate) readers: Vec<usize>,
    /// For each node: true for an exchange that moves nothing.
    pub(crate) idle_exchanges: Vec<bool>,
    /// For each node: true if old rows of updates do not come out of it.
    pub(crate) without_update_before: Vec<bool>,
}

impl Graph {
    pub(crate) fn new(plan: &Plan, workers: usize) -> Result<Self> {
        let workers = workers.max(1);
        check(plan)?;
        let nodes = &plan.nodes;
        let idle_exchanges = idle_exchanges(plan);
        let meets = |index: usize| !idle_exchanges[index] && meets(&nodes[index], workers);
        let mut phase = vec![0; nodes.len()];
        for (index, node) in nodes.iter().enumerate() {
            let after = |&input: &usize| phase[input] + usize::from(meets(input));
            phase[index] = node.inputs.iter().map(after).max().unwrap_or(0);
        }
        let deepest = (0..nodes.len()).map(|i| phase[i] + usize::from(meets(i)));
        let count = deepest.max().unwrap_or(0) + 1;
        let mut phases = vec![Vec::new(); count];
        let mut receivers = vec![Vec::new(); count];
        for index in 0..nodes.len() {
            phases[phase[index]].push(index);
            if meets(index) {
                receivers[phase[index] + 1].push(index);
            }
        }
        let mut last_reader: Vec<Vec<bool>> =
            nodes.iter().map(|node| vec![false; node.inputs.len()]).collect();
        let mut readers = vec![0; nodes.len()];
        for (index, count) in readers.iter_mut().enumerate() {
            let reads = nodes.iter().enumerate().flat_map(|(reader, node)| {
                let inputs = node.inputs.iter().enumerate();
                inputs.filter(|&(_, &input)| input == index).map(move |(at, _)| (reader, at))
            });
            let reads: Vec<(usize, usize)> = reads.collect();
            *count = reads.len();
            if let Some(&(reader, at)) = reads.iter().max_by_key(|&&(r, at)| (phase[r], r, at)) {
                last_reader[reader][at] = true;
            }
        }
        Ok(Self {
            plan: plan.clone(),
            workers,
            phases,
            receivers,
            last_reader,
            fingerprints: Identities::of(plan).nodes,
            readers,
            idle_exchanges,
            without_update_before: plan.without_update_before(),
        })
    }

    pub(crate) fn node(&self, index: usize) -> &Node {
        &self.plan.nodes[index]
    }

    /// The only reader of a node, if there is just one.
    pub(crate) fn only_reader(&self, index: usize) -> Option<usize> {
        if self.readers[index] != 1 {
            return None;
        }
        self.plan.nodes.iter().position(|node| node.inputs.contains(&index))
    }
}

fn meets(node: &Node, workers: usize) -> bool {
    let meets = matches!(
        node.kind,
        NodeKind::Exchange { .. } | NodeKind::Watermark { .. } | NodeKind::RemoteLookup { .. }
    );
    workers > 1 && meets
}

fn check(plan: &Plan) -> Result<()> {
    let broken =
        |node: &Node, why: &str| Err(Error::internal(format!("plan node '{}' {why}", node.name)));
    for (index, node) in plan.nodes.iter().enumerate() {
        if node.inputs.iter().any(|&input| input >= index) {
            return broken(node, "reads a node that comes after it");
        }
        let wanted = match node.kind {
            NodeKind::Source { .. } | NodeKind::Values { .. } => 0,
            NodeKind::Join { .. }
            | NodeKind::IntervalJoin { .. }
            | NodeKind::TemporalJoin { .. }
            | NodeKind::LookupJoin { .. }
            | NodeKind::WindowJoin { .. } => 2,
            NodeKind::UnionAll => node.inputs.len(),
            _ => 1,
        };
        if node.inputs.len() != wanted {
            return broken(node, "has the wrong number of inputs");
        }
        match node.kind {
            NodeKind::Source { source, .. } if source >= plan.sources => {
                return broken(node, "names a source that does not exist");
            }
            NodeKind::Sink { sink, .. } if sink >= plan.sinks => {
                return broken(node, "names a sink that does not exist");
            }
            NodeKind::RemoteLookup { lookup, .. } if lookup >= plan.lookups => {
                return broken(node, "asks a table that does not exist");
            }
            NodeKind::Watermark { .. } if source_below(plan, index).is_none() => {
                return broken(node, "is not above exactly one source");
            }
            _ => {}
        }
    }
    Ok(())
}

/// The source whose rows reach a watermark node through stateless nodes.
pub(crate) fn source_below(plan: &Plan, index: usize) -> Option<usize> {
    let mut node = &plan.nodes[index];
    loop {
        match node.kind {
            NodeKind::Source { source, .. } => return Some(source),
            NodeKind::Watermark { .. }
            | NodeKind::Project { .. }
            | NodeKind::Filter { .. }
            | NodeKind::Unnest { .. }
            | NodeKind::WindowTable { .. } => node = &plan.nodes[node.inputs[0]],
            _ => return None,
        }
    }
}
