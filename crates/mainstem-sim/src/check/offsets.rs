//! Committed offsets of groups.
//! Checks that a fetch of offsets shows a commit at least as new as the last that was answered, and never one that is not known
//! to have been sent; that a member of an older generation commits nothing once a newer one has begun.

use std::collections::BTreeMap;

use super::{Model, Place};
use crate::frame::When;

type Key = (String, Place);

/// What is known of the offsets of all groups.
#[derive(Debug, Default)]
pub(crate) struct Offsets {
    /// Members commit ever larger numbers.
    pub(crate) next_commit: i64,
    /// Arrived at the broker in this order: step and offset.
    arrived: BTreeMap<Key, Vec<(u64, i64)>>,
    /// The step of the newest commit that was answered.
    answered: BTreeMap<Key, u64>,
    /// When fetches were answered, and the step in which what they showed had arrived.
    shown_at: BTreeMap<Key, Vec<(u64, u64)>>,
    /// What the last fetch showed.
    shown: BTreeMap<Key, i64>,
    /// When each generation was first heard of: life, group, generation.
    generations: BTreeMap<(u32, String, i32), u64>,
    /// When a group was first known to have offsets.
    kept: BTreeMap<String, u64>,
}

/// The group of those who transform a place.
pub(crate) fn transform_group(place: Place) -> String {
    format!("transform-{}", place.partition)
}

impl Offsets {
    pub(crate) fn final_offset(&self, group: &str, place: Place) -> Option<i64> {
        self.shown.get(&(group.to_owned(), place)).copied().filter(|offset| *offset >= 0)
    }

    pub(crate) fn keys(&self) -> impl Iterator<Item = &Key> {
        self.arrived.keys()
    }

    pub(crate) fn commit_arrived(&mut self, group: &str, place: Place, offset: i64, at: u64) {
        self.arrived.entry((group.to_owned(), place)).or_default().push((at, offset));
    }
}

impl Model {
    /// A commit was answered well.
    pub(crate) fn offset_committed(
        &mut self,
        group: &str,
        place: Place,
        generation: i32,
        when: When,
    ) {
        let key = (group.to_owned(), place);
        let answered = self.offsets.answered.entry(key).or_default();
        *answered = (*answered).max(when.arrived);
        let kept = self.offsets.kept.entry(group.to_owned()).or_insert(when.answered);
        let kept = *kept;
        let newer = (when.life, group.to_owned(), generation + 1);
        let end = (when.life, group.to_owned(), i32::MAX);
        let begun = self.offsets.generations.range(newer..end);
        let begun = begun.filter(|(_, at)| **at > kept);
        if let Some(((_, _, other), at)) = begun.min_by_key(|(_, at)| **at)
            && *at < when.arrived
            && generation >= 0
        {
            let other = *other;
            self.fail(format!("{group}: generation {generation} commits after {other} has begun"));
        }
    }

    /// Whether a generation is of a group that had offsets when it began, and so is the only one of its number.
    pub(super) fn is_kept(&self, group: &str, generation: i32, life: u32) -> bool {
        let begun = self.offsets.generations.get(&(life, group.to_owned(), generation));
        let kept = self.offsets.kept.get(group);
        begun.is_some_and(|begun| kept.is_some_and(|kept| kept < begun))
    }

    /// Somebody was told that a generation has begun.
    pub(crate) fn generation_begun(&mut self, group: &str, generation: i32, when: When) {
        let key = (when.life, group.to_owned(), generation);
        let at = self.offsets.generations.entry(key).or_insert(when.answered);
        *at = (*at).min(when.answered);
    }

    /// A fetch of offsets was answered; -1 is nothing.
    pub(crate) fn offset_shown(&mut self, group: &str, place: Place, offset: i64, when: When) {
        let key = (group.to_owned(), place);
        let floor = self.offsets.answered.get(&key).copied().filter(|at| *at < when.arrived);
        let shown = self.offsets.shown_at.get(&key).map(Vec::as_slice).unwrap_or_default();
        let shown = shown.iter().filter(|(answered, _)| *answered < when.arrived);
        let floor = floor.max(shown.map(|(_, at)| *at).max());
        self.offsets.shown.insert(key.clone(), offset);
        let arrived = self.offsets.arrived.get(&key).map(Vec::as_slice).unwrap_or_default();
        // What was shown once is not taken back either.
        let seen = arrived.iter().filter(|(at, _)| Some(*at) >= floor);
        let first = seen.filter(|(_, known)| *known == offset).map(|(at, _)| *at).min();
        let known = match floor {
            None => offset == -1 || arrived.iter().any(|(_, at)| *at == offset),
            Some(floor) => arrived.iter().any(|(at, known)| *at >= floor && *known == offset),
        };
        if !known {
            let last = arrived.iter().filter(|(at, _)| Some(*at) == floor).map(|(_, o)| *o).next();
            let name = self.name(place);
            self.fail(format!("{group}: {name} shows offset {offset}, answered was {last:?}"));
        }
        if let Some(first) = first {
            // Only for fetches that arrive after this answer: those who came before may know less.
            self.offsets.shown_at.entry(key).or_default().push((when.answered, first));
        }
    }
}
