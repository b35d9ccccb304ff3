//! Unnest, Repeat, ToChangelog and Expand: the nodes that UNNEST, INTERSECT ALL, EXCEPT ALL, FROM_CHANGELOG, TO_CHANGELOG and
//! GROUPING SETS need.

use mainstem_engine::plan::{Expanded, NodeKind};

use super::Lowering;
use crate::bound::Bound;
use crate::error::{SqlError, SqlResult};
use crate::rel::{Rel, RelKind};
use crate::source::Span;

impl Lowering<'_> {
    pub(super) fn unnest(&mut self, rel: &Rel) -> SqlResult<usize> {
        let RelKind::Unnest { input, column, flatten, multiset, with_ordinality, outer, condition } =
            &rel.kind
        else {
            unreachable!("called for UNNEST only")
        };
        let node = self.rel(input)?;
        let kind = NodeKind::Unnest {
            column: *column,
            flatten: *flatten,
            multiset: *multiset,
            with_ordinality: *with_ordinality,
            outer: *outer,
            condition: condition.clone().map(Bound::compile),
        };
        let mut name = format!("Unnest({})", input.fields[*column].name);
        if let Some(condition) = condition {
            name = format!("Unnest({}, {})", input.fields[*column].name, condition.fingerprint());
        }
        let changelog = self.changelog(node);
        Ok(self.push(kind, vec![node], name, &rel.types(), changelog))
    }

    pub(super) fn sets(&mut self, rel: &Rel) -> SqlResult<usize> {
        let types = rel.types();
        match &rel.kind {
            RelKind::ToChangelog { input, codes } => {
                let mut node = self.rel(input)?;
                let key = input.upsert_key();
                if self.changelog(node) {
                    node = self.exchange(node, key.clone().unwrap_or_default(), &input.types());
                }
                let name = format!("ToChangelog({})", rel.fields[0].name);
                let kind = NodeKind::ToChangelog { codes: codes.clone(), key };
                Ok(self.push(kind, vec![node], name, &types, false))
            }
            RelKind::Repeat { input, column, signed } => {
                let node = self.rel(input)?;
                if *signed && self.changelog(node) {
                    let message = "FROM_CHANGELOG takes rows that only come; its table changes";
                    return Err(SqlError::new(message, Span::default())
                        .with_hint("TO_CHANGELOG makes such rows of a table that changes"));
                }
                let verb = if *signed { "FromChangelog" } else { "Repeat" };
                let name = format!("{verb}({})", input.fields[*column].name);
                let kind = NodeKind::Repeat { column: *column, signed: *signed };
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
            _ => unreachable!("called for these only"),
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
