//! Runs in the order of their first rows: a binary heap whose order among equals is that of `java.util.PriorityQueue`.
//! Invariant: which of several runs with the same first row comes first depends on nothing but the calls made so far,
//! and is what it is in Flink, where it decides which of several matches is told.

/// A run: where it started, and which it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Entry {
    /// The position of its first row; [`NOT_STARTED`] for the state from which every row may start a run.
    pub(super) start: u32,
    /// Its node.
    pub(super) node: u32,
}

/// Later than every position.
pub(super) const NOT_STARTED: u32 = u32::MAX;

#[derive(Debug, Default, Clone)]
pub(super) struct Queue(Vec<Entry>);

impl Queue {
    /// In the order of the heap's array.
    pub(super) fn entries(&self) -> &[Entry] {
        &self.0
    }

    pub(super) fn peek(&self) -> Option<Entry> {
        self.0.first().copied()
    }

    pub(super) fn clear(&mut self) {
        self.0.clear();
    }

    pub(super) fn push(&mut self, entry: Entry) {
        let mut at = self.0.len();
        self.0.push(entry);
        while at > 0 {
            let parent = (at - 1) / 2;
            if entry.start >= self.0[parent].start {
                break;
            }
            self.0[at] = self.0[parent];
            at = parent;
        }
        self.0[at] = entry;
    }

    pub(super) fn poll(&mut self) -> Option<Entry> {
        let last = self.0.pop()?;
        let Some(&first) = self.0.first() else { return Some(last) };
        self.0[0] = last;
        self.sift_down(0);
        Some(first)
    }

    /// Takes out all runs that started before `position`.
    pub(super) fn remove_before(&mut self, position: u32) {
        let before = self.0.len();
        self.0.retain(|entry| entry.start >= position);
        if self.0.len() < before {
            for at in (0..self.0.len() / 2).rev() {
                self.sift_down(at);
            }
        }
    }

    fn sift_down(&mut self, at: usize) {
        let (mut at, entry, len) = (at, self.0[at], self.0.len());
        while at < len / 2 {
            let mut child = 2 * at + 1;
            if child + 1 < len && self.0[child].start > self.0[child + 1].start {
                child += 1;
            }
            if entry.start <= self.0[child].start {
                break;
            }
            self.0[at] = self.0[child];
            at = child;
        }
        self.0[at] = entry;
    }
}
