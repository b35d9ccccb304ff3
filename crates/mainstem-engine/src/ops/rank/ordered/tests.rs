//! Lists against sorted vectors, from one entry to trees of several levels and back.

use mainstem_core::clock::Rng;

use super::*;
use crate::ops::rank::order::Prefix;

fn entry(key: u64, arrival: u64) -> Entry {
    Entry::new(Prefix::of_number(key), arrival, arrival as u32)
}

fn check(lists: &Lists, list: &List, model: &[Entry]) {
    assert_eq!(list.len(), model.len());
    let mut seen = Vec::new();
    lists.visit(list, 0..usize::MAX, &mut |entry| {
        seen.push(entry);
        true
    });
    assert_eq!(seen, model);
    for at in [0, 1, model.len() / 3, model.len().wrapping_sub(1), model.len()] {
        assert_eq!(lists.get(list, at), model.get(at).copied());
    }
    let range = model.len() / 4..model.len() / 2;
    let mut seen = Vec::new();
    lists.visit(list, range.clone(), &mut |entry| {
        seen.push(entry);
        true
    });
    assert_eq!(seen, &model[range]);
}

/// Grows a list to `most` entries and takes them away again, keys below `keys`.
fn grow_and_shrink(most: usize, keys: u64, seed: u64) {
    let mut rng = Rng::new(seed);
    let compare = |a: &Entry, b: &Entry| a.cmp(b);
    let (mut lists, mut list) = (Lists::default(), List::default());
    let mut other = List::default();
    let mut model: Vec<Entry> = Vec::new();
    for arrival in 0..most as u64 {
        let entry = entry(rng.next_u64() % keys, arrival);
        let at = model.partition_point(|e| e < &entry);
        assert_eq!(lists.find(&list, &entry, &compare), at);
        assert_eq!(lists.insert(&mut list, entry, &compare), at);
        model.insert(at, entry);
        // Another list in the same memory.
        lists.insert(&mut other, entry, &compare);
    }
    check(&lists, &list, &model);
    lists.change_all(&list, &mut |entry| entry.set_row(entry.row() + 1));
    model.iter_mut().for_each(|entry| entry.set_row(entry.row() + 1));
    check(&lists, &list, &model);
    while !model.is_empty() {
        let at = rng.next_u64() as usize % model.len();
        assert_eq!(lists.find(&list, &model[at], &compare), at);
        assert_eq!(lists.remove(&mut list, at), model.remove(at));
        if model.len().is_multiple_of(97) {
            check(&lists, &list, &model);
        }
    }
    assert_eq!(other.len(), most, "lists do not touch each other");
    lists.clear(&mut other);
    assert_eq!((other.len(), lists.get(&other, 0)), (0, None));
    let live: usize = lists
        .pools
        .iter()
        .enumerate()
        .fold(0, |live, (class, pool)| live + (pool.entries.len() >> class) - pool.free.len());
    assert_eq!(live, 0, "every block is free again");
    assert_eq!(lists.inner.len(), lists.free_inner.len(), "every inner node is free again");
}

#[test]
fn lists_are_sorted_vectors() {
    for (most, keys) in [(1, 1), (3, 2), (64, 1 << 40), (65, 5), (700, 3), (9_000, 1 << 40)] {
        grow_and_shrink(most, keys, most as u64);
    }
}
