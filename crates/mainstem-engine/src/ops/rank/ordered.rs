//! Ordered lists of entries, one a partition, in shared memory: counted B+trees whose small cases are one block.
//! Invariant: a list is sorted by the order its owner gives with each call, always the same; a child's `first` and
//! `count` are those of its entries. Finding, inserting, removing and the entry at a position cost O(log n). Blocks
//! have room for a power of two of entries and are reused, so a list of one costs 24 bytes and nothing is allocated
//! a row or a list.

use std::cmp::Ordering;
use std::ops::Range;

use super::order::Entry;

/// Entries in a full leaf; its logarithm is the greatest class of blocks.
const LEAF_MAX: usize = 64;
const CLASSES: usize = 7;
/// Children of a full inner node.
const CHILDREN_MAX: usize = 64;
const NONE: u32 = u32::MAX;

/// Up to 64 entries: block `index` of its class, which has room for `1 << class`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Block {
    index: u32,
    class: u8,
    length: u8,
}

const EMPTY: Block = Block { index: NONE, class: 0, length: 0 };

#[derive(Debug, Clone, Copy)]
enum Node {
    Leaf(Block),
    Inner(u32),
}

#[derive(Debug, Clone, Copy)]
struct Child {
    first: Entry,
    node: Node,
    count: u32,
}

/// One list.
#[derive(Debug, Clone, Copy)]
pub(super) struct List {
    node: Node,
    length: u32,
}

impl Default for List {
    fn default() -> Self {
        Self { node: Node::Leaf(EMPTY), length: 0 }
    }
}

impl List {
    pub(super) fn len(&self) -> usize {
        self.length as usize
    }
}

/// The memory of all lists.
#[derive(Debug, Default)]
pub(super) struct Lists {
    pools: [Pool; CLASSES],
    inner: Vec<Vec<Child>>,
    free_inner: Vec<u32>,
}

#[derive(Debug, Default)]
struct Pool {
    entries: Vec<Entry>,
    free: Vec<u32>,
}

impl Lists {
    fn block(&self, block: Block) -> &[Entry] {
        if block.index == NONE {
            return &[];
        }
        let from = (block.index as usize) << block.class;
        &self.pools[block.class as usize].entries[from..from + block.length as usize]
    }

    /// The whole room of a block.
    fn room(&mut self, block: Block) -> &mut [Entry] {
        let from = (block.index as usize) << block.class;
        &mut self.pools[block.class as usize].entries[from..from + (1 << block.class)]
    }

    fn allocate(&mut self, class: u8) -> Block {
        let pool = &mut self.pools[class as usize];
        let index = pool.free.pop().unwrap_or_else(|| {
            let index = pool.entries.len() >> class;
            pool.entries.resize(pool.entries.len() + (1 << class), Entry::FILLER);
            index as u32
        });
        Block { index, class, length: 0 }
    }

    fn release(&mut self, block: Block) {
        if block.index != NONE {
            self.pools[block.class as usize].free.push(block.index);
        }
    }

    /// A block of the given class with the same entries.
    fn moved(&mut self, block: Block, class: u8) -> Block {
        let mut to = self.allocate(class);
        to.length = block.length;
        let from = (block.index as usize) << block.class;
        for at in 0..block.length as usize {
            let entry = self.pools[block.class as usize].entries[from + at];
            self.room(to)[at] = entry;
        }
        self.release(block);
        to
    }

    fn insert_in_block(&mut self, block: &mut Block, at: usize, entry: Entry) {
        if block.index == NONE {
            *block = self.allocate(0);
        } else if usize::from(block.length) == 1 << block.class {
            *block = self.moved(*block, block.class + 1);
        }
        let length = usize::from(block.length);
        let room = self.room(*block);
        room.copy_within(at..length, at + 1);
        room[at] = entry;
        block.length += 1;
    }

    fn remove_from_block(&mut self, block: &mut Block, at: usize) -> Entry {
        let length = usize::from(block.length);
        let room = self.room(*block);
        let entry = room[at];
        room.copy_within(at + 1..length, at);
        block.length -= 1;
        if block.length == 0 {
            self.release(*block);
            *block = EMPTY;
        } else if block.class >= 2 && usize::from(block.length) * 4 <= 1 << block.class {
            *block = self.moved(*block, block.class - 1);
        }
        entry
    }

    fn new_inner(&mut self, children: Vec<Child>) -> Node {
        match self.free_inner.pop() {
            Some(index) => {
                self.inner[index as usize] = children;
                Node::Inner(index)
            }
            None => {
                self.inner.push(children);
                Node::Inner(self.inner.len() as u32 - 1)
            }
        }
    }

    fn free_inner(&mut self, index: u32) {
        self.inner[index as usize] = Vec::new();
        self.free_inner.push(index);
    }

    /// Inserts an entry and returns its position.
    pub(super) fn insert(
        &mut self,
        list: &mut List,
        entry: Entry,
        compare: &impl Fn(&Entry, &Entry) -> Ordering,
    ) -> usize {
        let (at, split) = self.insert_below(&mut list.node, entry, compare);
        list.length += 1;
        if let Some(right) = split {
            let first = self.first(list.node);
            let left = Child { first, node: list.node, count: list.length - right.count };
            list.node = self.new_inner(vec![left, right]);
        }
        at
    }

    /// The position of the new entry, and the right part of the node if it had to be split.
    fn insert_below(
        &mut self,
        node: &mut Node,
        entry: Entry,
        compare: &impl Fn(&Entry, &Entry) -> Ordering,
    ) -> (usize, Option<Child>) {
        match node {
            Node::Leaf(block) => {
                let at = self.block(*block).partition_point(|e| compare(e, &entry).is_lt());
                if usize::from(block.length) < LEAF_MAX {
                    self.insert_in_block(block, at, entry);
                    return (at, None);
                }
                let mut right = self.split_block(block);
                let left_length = usize::from(block.length);
                if at <= left_length {
                    self.insert_in_block(block, at, entry);
                } else {
                    self.insert_in_block(&mut right, at - left_length, entry);
                }
                let first = self.block(right)[0];
                let count = u32::from(right.length);
                (at, Some(Child { first, node: Node::Leaf(right), count }))
            }
            Node::Inner(index) => {
                let index = *index;
                let mut children = std::mem::take(&mut self.inner[index as usize]);
                let after = children.partition_point(|child| compare(&child.first, &entry).is_lt());
                let place = after.saturating_sub(1);
                let before: usize = children[..place].iter().map(|c| c.count as usize).sum();
                let child = &mut children[place];
                let (at, split) = self.insert_below(&mut child.node, entry, compare);
                child.count += 1;
                if at == 0 {
                    child.first = entry;
                }
                if let Some(right) = split {
                    child.count -= right.count;
                    children.insert(place + 1, right);
                }
                let over = children.len() > CHILDREN_MAX;
                let right = over.then(|| children.split_off(CHILDREN_MAX / 2));
                self.inner[index as usize] = children;
                let split = right.map(|right| Child {
                    first: right[0].first,
                    count: right.iter().map(|child| child.count).sum(),
                    node: self.new_inner(right),
                });
                (before + at, split)
            }
        }
    }

    /// Moves the upper half of a full leaf into a new one.
    fn split_block(&mut self, block: &mut Block) -> Block {
        let half = LEAF_MAX / 2;
        let upper: [Entry; LEAF_MAX / 2] =
            self.block(*block)[half..].try_into().expect("a full leaf has two halves");
        let mut right = self.allocate(block.class - 1);
        self.room(right).copy_from_slice(&upper);
        right.length = half as u8;
        block.length = half as u8;
        *block = self.moved(*block, block.class - 1);
        right
    }

    /// The position of `entry`, or where it would stand.
    pub(super) fn find(
        &self,
        list: &List,
        entry: &Entry,
        compare: &impl Fn(&Entry, &Entry) -> Ordering,
    ) -> usize {
        let (mut node, mut before) = (list.node, 0);
        loop {
            match node {
                Node::Leaf(block) => {
                    let less = |e: &Entry| compare(e, entry).is_lt();
                    return before + self.block(block).partition_point(less);
                }
                Node::Inner(index) => {
                    let children = &self.inner[index as usize];
                    let after = children.partition_point(|c| compare(&c.first, entry).is_lt());
                    let place = after.saturating_sub(1);
                    before += children[..place].iter().map(|c| c.count as usize).sum::<usize>();
                    node = children[place].node;
                }
            }
        }
    }

    /// The entry at a position.
    pub(super) fn get(&self, list: &List, position: usize) -> Option<Entry> {
        if position >= list.len() {
            return None;
        }
        let (mut node, mut at) = (list.node, position);
        loop {
            match node {
                Node::Leaf(block) => return self.block(block).get(at).copied(),
                Node::Inner(index) => {
                    let children = &self.inner[index as usize];
                    let place = place_of(children, &mut at);
                    node = children[place].node;
                }
            }
        }
    }

    /// Removes the entry at a position that exists.
    pub(super) fn remove(&mut self, list: &mut List, position: usize) -> Entry {
        let entry = self.remove_below(&mut list.node, position);
        list.length -= 1;
        while let Node::Inner(index) = list.node
            && let [only] = self.inner[index as usize][..]
        {
            list.node = only.node;
            self.free_inner(index);
        }
        entry
    }

    fn remove_below(&mut self, node: &mut Node, position: usize) -> Entry {
        match node {
            Node::Leaf(block) => self.remove_from_block(block, position),
            Node::Inner(index) => {
                let index = *index;
                let mut children = std::mem::take(&mut self.inner[index as usize]);
                let mut at = position;
                let place = place_of(&children, &mut at);
                let child = &mut children[place];
                let entry = self.remove_below(&mut child.node, at);
                child.count -= 1;
                if child.count == 0 {
                    if let Node::Inner(empty) = child.node {
                        self.free_inner(empty);
                    }
                    children.remove(place);
                } else {
                    if at == 0 {
                        child.first = self.first(child.node);
                    }
                    self.merge(&mut children, place);
                }
                self.inner[index as usize] = children;
                entry
            }
        }
    }

    /// Puts a small leaf together with the one after or before it.
    fn merge(&mut self, children: &mut Vec<Child>, place: usize) {
        if children[place].count as usize > LEAF_MAX / 4 {
            return;
        }
        let left = if place + 1 < children.len() { place } else { place.saturating_sub(1) };
        let Some(&[a, b]) = children.get(left..left + 2).and_then(|pair| pair.first_chunk()) else {
            return;
        };
        let (Node::Leaf(mut into), Node::Leaf(from)) = (a.node, b.node) else { return };
        if (a.count + b.count) as usize > LEAF_MAX / 2 {
            return;
        }
        for at in 0..usize::from(from.length) {
            let entry = self.block(from)[at];
            let end = usize::from(into.length);
            self.insert_in_block(&mut into, end, entry);
        }
        self.release(from);
        children[left] = Child { first: a.first, node: Node::Leaf(into), count: a.count + b.count };
        children.remove(left + 1);
    }

    /// Frees all entries of a list.
    pub(super) fn clear(&mut self, list: &mut List) {
        self.clear_below(list.node);
        *list = List::default();
    }

    fn clear_below(&mut self, node: Node) {
        match node {
            Node::Leaf(block) => self.release(block),
            Node::Inner(index) => {
                for child in std::mem::take(&mut self.inner[index as usize]) {
                    self.clear_below(child.node);
                }
                self.free_inner(index);
            }
        }
    }

    /// Calls `see` with the entries of a range of positions, in order, until it says no.
    pub(super) fn visit(
        &self,
        list: &List,
        range: Range<usize>,
        see: &mut impl FnMut(Entry) -> bool,
    ) {
        let range = range.start..range.end.min(list.len());
        if range.start < range.end {
            self.visit_below(list.node, range, see);
        }
    }

    fn visit_below(
        &self,
        node: Node,
        range: Range<usize>,
        see: &mut impl FnMut(Entry) -> bool,
    ) -> bool {
        match node {
            Node::Leaf(block) => {
                let entries = self.block(block);
                entries[range.start..range.end.min(entries.len())].iter().all(|&e| see(e))
            }
            Node::Inner(index) => {
                let mut first = 0;
                for child in &self.inner[index as usize] {
                    let count = child.count as usize;
                    let from = range.start.saturating_sub(first).min(count);
                    let to = range.end.saturating_sub(first).min(count);
                    if from < to && !self.visit_below(child.node, from..to, see) {
                        return false;
                    }
                    first += count;
                }
                true
            }
        }
    }

    /// Calls `change` with every entry of a list; it must not change their order.
    pub(super) fn change_all(&mut self, list: &List, change: &mut impl FnMut(&mut Entry)) {
        self.change_below(list.node, change);
    }

    fn change_below(&mut self, node: Node, change: &mut impl FnMut(&mut Entry)) {
        match node {
            Node::Leaf(EMPTY) => {}
            Node::Leaf(block) => {
                self.room(block)[..usize::from(block.length)].iter_mut().for_each(change);
            }
            Node::Inner(index) => {
                let mut children = std::mem::take(&mut self.inner[index as usize]);
                for child in &mut children {
                    self.change_below(child.node, change);
                    child.first = self.first(child.node);
                }
                self.inner[index as usize] = children;
            }
        }
    }

    /// The first entry of a node that has one.
    fn first(&self, node: Node) -> Entry {
        match node {
            Node::Leaf(block) => self.block(block)[0],
            Node::Inner(index) => self.inner[index as usize][0].first,
        }
    }

    pub(super) fn size_bytes(&self) -> usize {
        let entries: usize = self.pools.iter().map(|pool| pool.entries.capacity()).sum();
        let children: usize = self.inner.iter().map(Vec::capacity).sum();
        entries * size_of::<Entry>() + children * size_of::<Child>()
    }
}

/// Which child holds position `at`, which becomes the position in that child.
fn place_of(children: &[Child], at: &mut usize) -> usize {
    for (place, child) in children.iter().enumerate() {
        if *at < child.count as usize {
            return place;
        }
        *at -= child.count as usize;
    }
    children.len() - 1
}

#[cfg(test)]
mod tests;
