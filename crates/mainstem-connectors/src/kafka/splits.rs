//! The partitions of a table that have been seen, as splits; the same for a cluster and for the embedded broker.
//! Invariant: a split that was found once stays: of a topic that was deleted the reader reports, not the discovery. What is not
//! among the first ones found is late: it is read from its beginning, whatever the startup mode says.

use crate::api::Split;

/// What discovery has found so far.
#[derive(Debug, Default)]
pub(super) struct FoundSplits {
    known: Vec<Split>,
    first: Option<Vec<Split>>,
}

impl FoundSplits {
    /// All splits, after topics were found with as many partitions as they have now.
    pub(super) fn found(&mut self, topics: Vec<(String, usize)>) -> Vec<Split> {
        let mut splits = Vec::new();
        for (topic, count) in topics {
            splits.extend((0..count).map(|p| Split { id: format!("{topic}-{p}") }));
        }
        for split in std::mem::take(&mut self.known) {
            if !splits.contains(&split) {
                splits.push(split);
            }
        }
        self.known.clone_from(&splits);
        self.first.get_or_insert_with(|| splits.clone());
        splits
    }

    /// Whether a split came up after the first discovery.
    pub(super) fn is_late(&self, split: &Split) -> bool {
        self.first.as_ref().is_some_and(|first| !first.contains(split))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn splits_stay_and_later_ones_are_late() {
        let topics = |topics: &[(&str, usize)]| {
            topics.iter().map(|(topic, count)| ((*topic).to_owned(), *count)).collect()
        };
        let ids = |splits: &[Split]| splits.iter().map(|s| s.id.clone()).collect::<Vec<_>>();
        let split = |id: &str| Split { id: id.to_owned() };
        let mut found = FoundSplits::default();
        assert!(!found.is_late(&split("a-0")), "nothing is, before the first discovery");
        assert_eq!(ids(&found.found(topics(&[("a", 1), ("b", 1)]))), ["a-0", "b-0"]);
        assert_eq!(ids(&found.found(topics(&[("a", 2)]))), ["a-0", "a-1", "b-0"]);
        assert!(found.is_late(&split("a-1")) && !found.is_late(&split("b-0")));
    }
}
