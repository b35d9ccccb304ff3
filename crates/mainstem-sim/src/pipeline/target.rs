//! Where the rows of a simulated pipeline are to be seen: a topic of the embedded broker, files, or a model of a database outside,
//! which outlives crashes.
//! Invariant of the model: rows are staged under a token, and shown once, when their token is first committed; what was staged and is not
//! named at a start is forgotten.

use std::collections::BTreeMap;

use mainstem_state::manifest::Opaque;

use super::tables::Table;

/// Rows as text, with their weights.
pub(super) type Rows = Vec<(String, i64)>;

/// Where a sink writes.
#[derive(Debug)]
pub(super) enum Target {
    Model(Model),
    Topic(Table),
    Files(Table),
}

impl Target {
    /// Commits in the model; again if need be.
    pub(super) fn commit(&mut self, tokens: &[Opaque]) {
        if let Self::Model(model) = self {
            tokens.iter().for_each(|token| model.commit(&token.0));
        }
    }
}

/// A table of a database.
#[derive(Debug, Default)]
pub(super) struct Model {
    staged: BTreeMap<Vec<u8>, Rows>,
    shown: BTreeMap<String, i64>,
}

impl Model {
    /// A pipeline starts, from a checkpoint with these tokens.
    pub(super) fn stage(&mut self, tokens: &[Vec<u8>]) {
        tokens.iter().for_each(|token| self.commit(token));
        self.staged.clear();
    }

    pub(super) fn prepare(&mut self, token: Vec<u8>, rows: Rows) {
        self.staged.insert(token, rows);
    }

    fn commit(&mut self, token: &[u8]) {
        for (row, weight) in self.staged.remove(token).unwrap_or_default() {
            let held = self.shown.entry(row).or_insert(0);
            *held += weight;
        }
        self.shown.retain(|_, weight| *weight != 0);
    }

    /// What is seen.
    pub(super) fn shown(&self) -> &BTreeMap<String, i64> {
        &self.shown
    }
}
