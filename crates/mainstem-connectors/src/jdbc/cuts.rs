//! Which staging table rows go to, under which number, and which table may be emptied: decisions without I/O.
//! Invariant: rows of one number are in one table; a table is emptied only when none of its rows is still to be shown.

use std::collections::BTreeSet;

use super::ledger::{Recorded, Token};

/// What a sink has staged in this run.
#[derive(Debug)]
pub(super) struct Cuts {
    slot: usize,
    /// The last batch that is staged.
    batch: i64,
    /// That of the rows being written; it changes with the batches while there are none.
    number: i64,
    /// The last that was cut.
    last: i64,
    rows: u64,
    batches: u64,
    removes: bool,
    /// By table: numbers that were cut and not shown.
    unshown: [BTreeSet<i64>; 2],
    /// By table: there may be rows in it.
    used: [bool; 2],
}

impl Cuts {
    /// Both tables are empty.
    pub(super) fn new(recorded: Recorded) -> Self {
        Self {
            slot: 0,
            batch: recorded.staged,
            number: recorded.staged + 1,
            last: recorded.committed,
            rows: 0,
            batches: 0,
            removes: false,
            unshown: Default::default(),
            used: [false; 2],
        }
    }

    /// The table that is written.
    pub(super) fn slot(&self) -> usize {
        self.slot
    }

    /// The number of the rows that are written.
    pub(super) fn number(&self) -> i64 {
        self.number
    }

    /// The last batch.
    pub(super) fn batch(&self) -> i64 {
        self.batch
    }

    /// Whether rows are staged since the last cut.
    pub(super) fn has_rows(&self) -> bool {
        self.rows > 0
    }

    /// Whether something was cut and not shown.
    pub(super) fn has_unshown(&self) -> bool {
        self.unshown.iter().any(|numbers| !numbers.is_empty())
    }

    /// Another batch is staged.
    pub(super) fn staged(&mut self, rows: usize, removes: bool) {
        self.batch += 1;
        self.rows += rows as u64;
        self.batches += u64::from(rows > 0);
        self.removes |= removes;
        self.used[self.slot] |= rows > 0;
        if self.rows == 0 {
            self.number = self.batch + 1;
        }
    }

    /// Ends the number.
    pub(super) fn cut(&mut self, sink: &str) -> Token {
        if self.rows > 0 {
            self.last = self.number;
        }
        let token = Token {
            sink: sink.to_owned(),
            number: self.last,
            slot: self.slot,
            rows: self.rows,
            batches: self.batches,
            removes: self.removes,
        };
        if self.rows > 0 {
            self.unshown[self.slot].insert(self.number);
            let other = 1 - self.slot;
            if self.unshown[other].is_empty() {
                self.slot = other;
            }
            (self.rows, self.batches, self.removes) = (0, 0, false);
            self.number = self.batch + 1;
        }
        token
    }

    /// The tables that have nothing left to show when `tokens` are shown.
    pub(super) fn emptied_by(&self, tokens: &[Token]) -> Vec<usize> {
        let shown: BTreeSet<i64> = numbers(tokens).collect();
        let left = |slot: usize| {
            (slot == self.slot && self.rows > 0) || !self.unshown[slot].is_subset(&shown)
        };
        (0..2).filter(|&slot| self.used[slot] && !left(slot)).collect()
    }

    /// They are shown.
    pub(super) fn shown(&mut self, tokens: &[Token], emptied: &[usize]) {
        let shown: BTreeSet<i64> = numbers(tokens).collect();
        for unshown in &mut self.unshown {
            unshown.retain(|number| !shown.contains(number));
        }
        for &slot in emptied {
            self.used[slot] = false;
        }
    }
}

/// Those that have rows.
fn numbers(tokens: &[Token]) -> impl Iterator<Item = i64> {
    tokens.iter().filter(|token| token.rows > 0).map(|token| token.number)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Writes `rows`, cuts.
    fn cut(cuts: &mut Cuts, rows: usize) -> Token {
        if rows > 0 {
            cuts.staged(rows, false);
        }
        cuts.cut("s")
    }

    fn shown(cuts: &mut Cuts, tokens: &[Token]) -> Vec<usize> {
        let emptied = cuts.emptied_by(tokens);
        cuts.shown(tokens, &emptied);
        emptied
    }

    #[test]
    fn tables_alternate_and_are_emptied_when_all_is_shown() {
        let mut cuts = Cuts::new(Recorded { staged: 7, committed: 5 });
        let idle = cut(&mut cuts, 0);
        assert_eq!((idle.number, idle.rows), (5, 0));
        let a = cut(&mut cuts, 3);
        assert_eq!((a.number, a.slot, a.rows, cuts.slot()), (8, 0, 3, 1));
        // The checkpoint of a was given up: both tables have rows to show, the last one is gone on with.
        let b = cut(&mut cuts, 2);
        assert_eq!((b.number, b.slot, cuts.slot()), (9, 1, 1));
        cuts.staged(1, true);
        assert_eq!(shown(&mut cuts, &[a, b.clone()]), [0], "table 1 is being written");
        let c = cuts.cut("s");
        assert_eq!((c.number, c.slot, c.removes, cuts.slot()), (10, 1, true, 0));
        let idle = cut(&mut cuts, 0);
        assert_eq!((idle.number, idle.rows, cuts.has_unshown()), (10, 0, true));
        assert_eq!(shown(&mut cuts, &[idle]), Vec::<usize>::new(), "no rows, nothing shown");
        assert_eq!(shown(&mut cuts, &[c]), [1]);
        assert!(!cuts.has_unshown());
    }

    #[test]
    fn a_number_is_that_of_the_first_batch_with_rows() {
        let mut cuts = Cuts::new(Recorded { staged: 0, committed: 0 });
        cuts.staged(0, false);
        cuts.staged(4, false);
        cuts.staged(4, false);
        let token = cuts.cut("s");
        assert_eq!((token.number, token.rows, token.batches), (2, 8, 2));
        assert_eq!(cuts.number(), 4);
    }
}
