//! A job of which some sinks read their tables by themselves: statements that came later, over tables that others have read for long.
//! Invariant: sinks of one number share what they read, others share nothing; the sinks keep their order.

use std::collections::{BTreeMap, BTreeSet};

use mainstem_engine::plan::{NodeKind, Plan};

use crate::catalog::ConnectorCatalog;
use crate::error::SqlResult;
use crate::job::{Job, SinkPlan};
use crate::lower::{Output, lower};

/// What a job was made of.
#[derive(Debug)]
pub(crate) struct Relations {
    outputs: Vec<Output>,
    connectors: ConnectorCatalog,
    settings: BTreeMap<String, String>,
}

impl Relations {
    pub(crate) fn new(
        outputs: &[Output],
        connectors: &ConnectorCatalog,
        settings: &BTreeMap<String, String>,
    ) -> Box<Self> {
        Box::new(Self {
            outputs: outputs.to_vec(),
            connectors: connectors.clone(),
            settings: settings.clone(),
        })
    }
}

impl Job {
    /// The same job, planned so that sinks with different numbers read their tables apart; by sink of the plan.
    pub fn with_readings(&self, readings: &[u32]) -> SqlResult<Job> {
        let Relations { outputs, connectors, settings } = &*self.relations;
        let (mut plan, mut sources, mut lookups) = (Plan::default(), Vec::new(), Vec::new());
        let mut sinks: BTreeMap<usize, SinkPlan> = BTreeMap::new();
        let numbers: BTreeSet<u32> = readings.iter().copied().collect();
        for number in numbers {
            let places: Vec<usize> =
                (0..outputs.len()).filter(|&at| readings[at] == number).collect();
            let own = places.iter().map(|&at| outputs[at].clone()).collect();
            let part = lower(own, connectors, settings)?;
            let first = plan.nodes.len();
            for mut node in part.plan.nodes {
                node.inputs.iter_mut().for_each(|input| *input += first);
                match &mut node.kind {
                    NodeKind::Source { source, scan } => {
                        *source += sources.len();
                        scan.reading = number;
                    }
                    NodeKind::Sink { sink, .. } => *sink = places[*sink],
                    NodeKind::RemoteLookup { lookup, .. } => *lookup += lookups.len(),
                    _ => {}
                }
                plan.nodes.push(node);
            }
            sources.extend(part.sources);
            lookups.extend(part.lookups);
            sinks.extend(places.into_iter().zip(part.sinks));
        }
        (plan.sources, plan.sinks, plan.lookups) = (sources.len(), sinks.len(), lookups.len());
        Ok(Job {
            plan,
            sources,
            sinks: sinks.into_values().collect(),
            lookups,
            explain: self.explain.clone(),
            settings: settings.clone(),
            relations: Relations::new(outputs, connectors, settings),
        })
    }
}
