//! What tells the nodes of a plan from each other, and the same node in a changed plan: its meaning, and the meaning of its inputs.
//! Invariant: nodes of equal fingerprints keep the same state of the same rows. Where rows and columns come from counts, how they
//! got there does not: a plan reads a table once for all its queries, so what one query reads, and in which order, changes with
//! what the others read. So a source, a projection that only picks, an exchange and a watermark leave rows what they are, and
//! conditions on them are a set.

use std::collections::BTreeSet;

use mainstem_state::fingerprint::fingerprint;

use crate::plan::{Node, NodeKind, Plan, Scan};

/// What a node puts out.
#[derive(Debug, Clone, Default)]
struct Meaning {
    /// Where its rows come from.
    rows: String,
    /// What holds for all of them, beside.
    conditions: BTreeSet<String>,
    /// What its columns are.
    columns: Vec<String>,
}

impl Meaning {
    /// Rows that are made by something of which nothing else is known than this text.
    fn made_by(text: &str, columns: usize) -> Self {
        let rows = fingerprint(text);
        let columns = (0..columns).map(|column| format!("{rows}#{column}")).collect();
        Self { rows, conditions: BTreeSet::new(), columns }
    }
}

/// What the parts of a plan are known by.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Identities {
    /// For each node what tells it from others. A source is known by its table, a sink by its name: how far one was read, and what
    /// the other has prepared, is true whatever is between them.
    pub nodes: Vec<String>,
    /// For each sink what the query is that it shows.
    pub queries: Vec<String>,
}

impl Identities {
    /// Those of a plan.
    pub fn of(plan: &Plan) -> Self {
        let mut meanings: Vec<Meaning> = Vec::with_capacity(plan.nodes.len());
        let (mut nodes, mut queries) = (Vec::new(), vec![String::new(); plan.sinks]);
        for node in &plan.nodes {
            if let NodeKind::Sink { sink, .. } = &node.kind {
                let below = node.inputs[0];
                let types = &plan.nodes[below].output;
                queries[*sink] = fingerprint(&format!("{:?} {types:?}", meanings[below]));
            }
            let (own, meaning) = meaning(plan, node, &meanings);
            nodes.push(fingerprint(&own));
            meanings.push(meaning);
        }
        Self { nodes, queries }
    }
}

/// Whether a node keeps what it will need in later steps, beside how far time is.
pub fn keeps_state(kind: &NodeKind) -> bool {
    !matches!(
        kind,
        NodeKind::Source { .. }
            | NodeKind::Watermark { .. }
            | NodeKind::Project { .. }
            | NodeKind::Filter { .. }
            | NodeKind::Exchange { .. }
            | NodeKind::UnionAll
            | NodeKind::Unnest { .. }
            | NodeKind::WindowTable { .. }
            | NodeKind::Repeat { .. }
            | NodeKind::Expand { .. }
            | NodeKind::ToChangelog { .. }
            | NodeKind::Sink { .. }
    )
}

/// The text that tells a node from others, and what it puts out.
fn meaning(plan: &Plan, node: &Node, meanings: &[Meaning]) -> (String, Meaning) {
    let input = |at: usize| meanings[node.inputs[at]].clone();
    match &node.kind {
        NodeKind::Source { scan, .. } => source(node, scan),
        NodeKind::Watermark { .. } => {
            let input = input(0);
            (format!("Watermark {}", input.rows), input)
        }
        NodeKind::Exchange { keys } => {
            let input = input(0);
            (format!("Exchange {keys:?} {input:?}"), input)
        }
        NodeKind::Filter { predicate } => {
            let mut input = input(0);
            let conditions = predicate.conditions(&input.columns);
            let own = format!("Filter {conditions:?} {input:?}");
            input.conditions.extend(conditions);
            (own, input)
        }
        NodeKind::Project { exprs } => {
            let mut input = input(0);
            let column = |expr: &crate::expr::ExprRef| match expr.as_column() {
                Some(column) => input.columns[column].clone(),
                None => expr.describe(&input.columns),
            };
            input.columns = exprs.iter().map(column).collect();
            (format!("Project {input:?}"), input)
        }
        NodeKind::Sink { changelog, .. } => {
            (format!("Sink {} {changelog:?}", node.name), Meaning::default())
        }
        kind => {
            let input = |&at: &usize| {
                let below = &plan.nodes[at];
                (&meanings[at], &below.output, below.changelog)
            };
            let below: Vec<_> = node.inputs.iter().map(input).collect();
            let own = format!("{kind:?} {below:?} {:?} {:?}", node.output, node.state_ttl_ms);
            let meaning = Meaning::made_by(&own, node.output.len());
            (own, meaning)
        }
    }
}

fn source(node: &Node, scan: &Scan) -> (String, Meaning) {
    let rows = match (scan.table.as_str(), scan.reading) {
        ("", _) => format!("Source {}", node.name),
        (table, 0) => format!("Source {table}"),
        (table, reading) => format!("Source {table}, reading {reading}"),
    };
    let columns = (0..node.output.len())
        .map(|at| scan.columns.get(at).cloned().unwrap_or_else(|| format!("{rows}#{at}")));
    let columns = columns.collect();
    let conditions = scan.conditions.iter().cloned().collect();
    (rows.clone(), Meaning { rows, conditions, columns })
}
