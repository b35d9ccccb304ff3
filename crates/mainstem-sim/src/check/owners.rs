//! Who owns which partition in which generation of a group.
//! A group without offsets ends with its last member, and then counts from one again: it is looked at from its first commit on.
//! Checks that in one generation every member hears the assignment of one leader, and that a partition has one owner.

use std::collections::BTreeMap;

use super::Model;
use crate::frame::When;

/// A generation of a group: life of the broker, group, number.
type Generation = (u32, String, i32);

/// What members were assigned.
#[derive(Debug, Default)]
pub(crate) struct Owners {
    /// The mark that the leader gave its assignment.
    marks: BTreeMap<Generation, u64>,
    owners: BTreeMap<(Generation, i32), String>,
}

impl Model {
    /// A member was told what it owns.
    pub(crate) fn assigned(
        &mut self,
        group: &str,
        generation: i32,
        member: &str,
        mark: u64,
        partitions: &[i32],
        when: When,
    ) {
        if !self.is_kept(group, generation, when.life) {
            return;
        }
        let generation = (when.life, group.to_owned(), generation);
        let first = *self.owners.marks.entry(generation.clone()).or_insert(mark);
        if first != mark {
            self.fail(format!("{generation:?} has the assignments {first} and {mark}"));
        }
        for partition in partitions {
            let place = (generation.clone(), *partition);
            let owner = self.owners.owners.entry(place).or_insert_with(|| member.to_owned());
            if owner != member {
                let owner = owner.clone();
                self.fail(format!("{generation:?}: {partition} belongs to {owner} and {member}"));
            }
        }
    }
}
