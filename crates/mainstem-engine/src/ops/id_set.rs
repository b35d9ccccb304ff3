//! A set of small numbers, a bit each.

/// A set of small numbers.
#[derive(Debug, Default)]
pub(super) struct IdSet {
    words: Vec<u64>,
    len: usize,
}

impl IdSet {
    pub(super) fn insert(&mut self, id: u32) {
        let (word, bit) = (id as usize / 64, 1 << (id % 64));
        if self.words.len() <= word {
            self.words.resize((word + 1).next_power_of_two(), 0);
        }
        self.len += usize::from(self.words[word] & bit == 0);
        self.words[word] |= bit;
    }

    /// All numbers below `bound` but `free`.
    pub(super) fn all_but(bound: usize, free: &[u32]) -> Self {
        let mut words = vec![u64::MAX; bound.div_ceil(64)];
        if let (Some(last), left @ 1..) = (words.last_mut(), bound % 64) {
            *last = (1 << left) - 1;
        }
        let mut all = Self { words, len: bound };
        for &id in free {
            all.remove(id);
        }
        all
    }

    pub(super) fn contains(&self, id: u32) -> bool {
        let (word, bit) = (id as usize / 64, 1 << (id % 64));
        self.words.get(word).is_some_and(|word| word & bit != 0)
    }

    /// True if it was there.
    pub(super) fn remove(&mut self, id: u32) -> bool {
        let (word, bit) = (id as usize / 64, 1 << (id % 64));
        let there = self.words.get(word).is_some_and(|word| word & bit != 0);
        if there {
            self.words[word] &= !bit;
            self.len -= 1;
        }
        there
    }

    pub(super) fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// The 64 numbers from `64 * word` on, as far as they are there.
    pub(super) fn of_word(&self, word: usize) -> impl Iterator<Item = u32> {
        let bits = self.words.get(word).copied().unwrap_or(0);
        (0..64).filter(move |bit| bits & (1 << bit) != 0).map(move |bit| word as u32 * 64 + bit)
    }

    /// Takes the least ids out, at most `most`; none is in a word before `from`, which becomes the first that may have more.
    pub(super) fn take(&mut self, from: &mut usize, most: usize) -> Vec<u32> {
        let mut taken = Vec::with_capacity(most.min(self.len));
        while taken.len() < most && self.len > 0 {
            let Some(word) = self.words.get_mut(*from) else { break };
            if *word == 0 {
                *from += 1;
                continue;
            }
            taken.push(*from as u32 * 64 + word.trailing_zeros());
            *word &= *word - 1;
            self.len -= 1;
        }
        taken
    }

    /// Memory kept, in bytes.
    pub(super) fn size_bytes(&self) -> usize {
        self.words.capacity() * 8
    }
}
