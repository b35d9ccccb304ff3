//! Repeat and Expand: the nodes that INTERSECT ALL, EXCEPT ALL and GROUPING SETS need.

use mainstem_engine::plan::{Expanded, NodeKind};

use super::Lowering;
use crate::error::SqlResult;
use crate::rel::{Rel, RelKind};

impl Lowering<'_> {
    pub(super) fn sets(&mut self, rel: &Rel) -> SqlResult<usize> {
        let types = rel.types();
        match &rel.kind {
            RelKind::Repeat { input, column } => {
                let node = self.rel(input)?;
                let name = format!("Repeat({})", input.fields[*column].name);
                let kind = NodeKind::Repeat { column: *column };
                Ok(self.push(kind, vec![node], name, &types, true))
            }
            RelKind::Expand { input, layouts } => {
                let node = self.rel(input)?;
                let sets: Vec<String> = layouts.iter().map(|l| kept(l, layouts, rel)).collect();
                let name = format!("Expand({})", sets.join(", "));
                let changelog = self.changelog(node);
                let kind = NodeKind::Expand { layouts: layouts.clone() };
                Ok(self.push(kind, vec![node], name, &types, changelog))
            }
            _ => unreachable!("called for Repeat and Expand only"),
        }
    }
}

/// `(a, b)`: the columns of a layout that are NULL in another one and not in this one.
fn kept(layout: &[Expanded], layouts: &[Vec<Expanded>], rel: &Rel) -> String {
    let varies = |&at: &usize| layouts.iter().any(|other| other[at] == Expanded::Null);
    let names: Vec<&str> = (0..layout.len())
        .filter(varies)
        .filter(|&at| layout[at] != Expanded::Null)
        .map(|at| rel.fields[at].name.as_str())
        .collect();
    format!("({})", names.join(", "))
}
