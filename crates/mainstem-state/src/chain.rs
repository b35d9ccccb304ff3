//! What the cuts of one worker have told of its tables: the rows of the last whole cut, and what changed since.
//! Invariant: a record says what its table was at the last cut, however many parts its changes came in; what a table tells
//! anew voids all that was told before.

use mainstem_core::Batch;

use crate::manifest::{ChangeRecord, TableRecord};
use crate::table::Change;

/// Tables of the nodes of a plan; `B` is a block of rows: where it is, or the rows themselves.
#[derive(Debug, Clone)]
pub struct Chain<B> {
    nodes: Vec<Vec<Link<B>>>,
}

#[derive(Debug, Clone)]
struct Link<B> {
    record: TableRecord<B>,
    /// What the cut that is being told has said of it.
    told: Told,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Told {
    Nothing,
    Anew,
    Changes,
}

impl<B> Chain<B> {
    /// Of a plan with so many nodes, before the first cut.
    pub fn new(nodes: usize) -> Self {
        Self { nodes: std::iter::repeat_with(Vec::new).take(nodes).collect() }
    }

    /// What follows is told by another cut.
    pub fn begin(&mut self) {
        self.nodes.iter_mut().flatten().for_each(|link| link.told = Told::Nothing);
    }

    /// A part of what the cut tells of a table; `anew`: earlier rows do not count.
    pub fn tell(&mut self, node: usize, name: &str, anew: bool, change: ChangeRecord<B>) {
        let links = &mut self.nodes[node];
        let at = links.iter().position(|link| link.record.name == name).unwrap_or_else(|| {
            let name = name.to_owned();
            let record = TableRecord { name, blocks: Vec::new(), changes: Vec::new() };
            links.push(Link { record, told: Told::Nothing });
            links.len() - 1
        });
        let Link { record, told } = &mut links[at];
        if anew {
            (record.blocks, record.changes, *told) = (Vec::new(), Vec::new(), Told::Anew);
        }
        match (*told, record.changes.last_mut()) {
            // The rows of a key come together, so there is nothing to replace.
            (Told::Anew, _) => record.blocks.extend(change.rows),
            (Told::Changes, Some(last)) if last.key == change.key => {
                last.rows.extend(change.rows);
                last.removed.extend(change.removed);
            }
            _ => {
                *told = Told::Changes;
                record.changes.push(change);
            }
        }
    }

    /// The records of each node.
    pub fn into_records(self) -> impl Iterator<Item = Vec<TableRecord<B>>> {
        self.nodes.into_iter().map(|links| links.into_iter().map(|link| link.record).collect())
    }

    /// How much all blocks of whole cuts are, and how much all changes, by `size` of a block.
    pub fn sizes(&self, size: impl Fn(&B) -> u64) -> (u64, u64) {
        let records = || self.nodes.iter().flatten().map(|link| &link.record);
        let whole = records().flat_map(|record| &record.blocks).map(&size).sum();
        (whole, records().flat_map(TableRecord::all_blocks).map(&size).sum::<u64>() - whole)
    }

    /// The greatest number of changes that a table has.
    pub fn changes_max(&self) -> usize {
        self.nodes.iter().flatten().map(|link| link.record.changes.len()).max().unwrap_or(0)
    }
}

impl Change {
    /// Whether the rows are told anew, and the record of the change.
    pub fn into_record(self) -> (bool, ChangeRecord<Batch>) {
        let (anew, key, rows, removed) = match self {
            Change::Anew(rows) => (true, None, rows, Vec::new()),
            Change::Added(rows) => (false, None, rows, Vec::new()),
            Change::Replaced { key, rows, removed } => (false, Some(key), rows, removed),
        };
        (anew, ChangeRecord { key, rows, removed })
    }
}

/// Puts a table of another worker to those of an operator. A key has one worker: whose changes come first does not matter.
pub fn unite<B>(tables: &mut Vec<TableRecord<B>>, table: TableRecord<B>) {
    match tables.iter_mut().find(|known| known.name == table.name) {
        Some(known) => {
            known.blocks.extend(table.blocks);
            known.changes.extend(table.changes);
        }
        None => tables.push(table),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn change(key: Option<usize>, rows: &[u64], removed: &[u64]) -> ChangeRecord<u64> {
        let key = key.map(|key| vec![key]);
        ChangeRecord { key, rows: rows.to_vec(), removed: removed.to_vec() }
    }

    #[test]
    fn parts_of_a_cut_are_one_change() {
        let mut chain = Chain::new(2);
        chain.tell(1, "groups", true, change(None, &[1], &[]));
        chain.tell(1, "groups", false, change(Some(0), &[2], &[]));
        chain.begin();
        chain.tell(1, "groups", false, change(Some(0), &[], &[3]));
        chain.tell(1, "groups", false, change(Some(0), &[4], &[]));
        chain.begin();
        chain.tell(1, "groups", false, change(Some(0), &[5], &[]));
        chain.tell(0, "rows", false, change(None, &[6], &[]));
        assert_eq!((chain.sizes(|&block| block), chain.changes_max()), ((3, 18), 2));
        let records: Vec<_> = chain.clone().into_records().collect();
        let changes = vec![change(Some(0), &[4], &[3]), change(Some(0), &[5], &[])];
        let groups = TableRecord { name: "groups".into(), blocks: vec![1, 2], changes };
        assert_eq!(records[1], [groups]);
        assert_eq!(records[0][0].blocks, [0; 0]);
        chain.begin();
        chain.tell(1, "groups", true, change(None, &[], &[]));
        let anew = chain.into_records().nth(1).unwrap();
        assert_eq!((&anew[0].blocks[..], &anew[0].changes[..]), (&[][..], &[][..]));
    }
}
