//! Interning, looking up, emitting and releasing keys of every layout.

use std::sync::Arc;

use arrow_array::{ArrayRef, Float64Array, Int32Array, Int64Array, StringArray};

use super::*;

fn ints(values: &[Option<i64>]) -> ArrayRef {
    Arc::new(values.iter().copied().collect::<Int64Array>())
}

fn small(values: &[Option<i32>]) -> ArrayRef {
    Arc::new(values.iter().copied().collect::<Int32Array>())
}

fn text(values: &[Option<&str>]) -> ArrayRef {
    Arc::new(values.iter().copied().collect::<StringArray>())
}

fn check(columns: &[ArrayRef], expect: &[u32]) {
    let types: Vec<_> = columns.iter().map(|c| c.data_type().clone()).collect();
    let mut table = KeyTable::new(&types).unwrap();
    let rows = expect.len();
    let mut ids = Vec::new();
    table.lookup(columns, rows, &mut ids).unwrap();
    assert!(ids.iter().all(|&id| id == ABSENT), "nothing is there before it is interned");
    table.intern(columns, rows, &mut ids).unwrap();
    assert_eq!(ids, expect);
    let mut again = Vec::new();
    table.lookup(columns, rows, &mut again).unwrap();
    assert_eq!(again, expect);
    let emitted = table.emit(&ids).unwrap();
    assert_eq!(&emitted[..], columns, "the keys come back as they went in");

    let distinct = *expect.iter().max().unwrap() + 1;
    assert_eq!(table.len(), distinct as usize);
    table.release(&(0..distinct).collect::<Vec<_>>());
    assert_eq!((table.len(), table.bound()), (0, 0));
    table.lookup(columns, rows, &mut again).unwrap();
    assert!(again.iter().all(|&id| id == ABSENT), "a released key is gone");
    table.intern(columns, rows, &mut again).unwrap();
    assert_eq!(again, expect);
}

#[test]
fn equal_keys_have_equal_ids() {
    check(&[ints(&[Some(5), Some(-1), Some(5), None, None, Some(0)])], &[0, 1, 0, 2, 2, 3]);
    check(&[small(&[Some(1), Some(2), Some(1)])], &[0, 1, 0]);
    check(
        &[ints(&[Some(1), Some(1), None, Some(1)]), small(&[Some(2), None, Some(2), Some(2)])],
        &[0, 1, 2, 0],
    );
    check(&[text(&[Some("a"), Some(""), None, Some("a"), Some("")])], &[0, 1, 2, 0, 1]);
    let doubles: ArrayRef = Arc::new(Float64Array::from(vec![1.5, 2.5, 1.5]));
    check(&[text(&[Some("x"), Some("x"), Some("x")]), doubles], &[0, 1, 0]);
}

/// Two columns are one word until a value comes that has no room in it: ids stay, and so does what they stand for.
#[test]
fn keys_that_outgrow_a_word_keep_their_ids() {
    for wide in [Some(-1), None, Some(1 << 32), Some(i64::MIN)] {
        for second in [false, true] {
            let mut table = KeyTable::new(&[ArrowType::Int64, ArrowType::Int64]).unwrap();
            let first: Vec<_> = (0..1000).map(|i| Some(i * 7)).collect();
            let other: Vec<_> = (0..1000).map(|i| Some(i64::from(u32::MAX) - i % 3)).collect();
            let (mut before, mut after) = (Vec::new(), Vec::new());
            table.intern(&[ints(&first), ints(&other)], 1000, &mut before).unwrap();
            table.release(&before[..10]);
            let mut column = vec![Some(5); 2];
            column[1] = wide;
            let columns =
                if second { [vec![Some(0); 2], column] } else { [column, vec![Some(0); 2]] };
            let columns = columns.map(|values| ints(&values));
            table.lookup(&columns, 2, &mut after).unwrap();
            assert_eq!(after, [ABSENT; 2]);
            table.intern(&columns, 2, &mut after).unwrap();
            assert_eq!(after, [before[9], before[8]]);
            assert_eq!(&table.emit(&after).unwrap()[..], &columns);
            table.lookup(&[ints(&first), ints(&other)], 1000, &mut after).unwrap();
            assert_eq!((&after[..10], &after[10..]), (&[ABSENT; 10][..], &before[10..]));
            let emitted = table.emit(&before[10..]).unwrap();
            assert_eq!(emitted, [ints(&first[10..]), ints(&other[10..])]);
        }
    }
}

#[test]
fn the_arena_is_rewritten_when_half_of_it_is_dead() {
    let mut table = KeyTable::new(&[ArrowType::Utf8]).unwrap();
    let mut ids = Vec::new();
    for round in 0..20 {
        let keys: Vec<String> = (0..1000).map(|i| format!("{round}-{i}-{:0>100}", i)).collect();
        let column: ArrayRef = Arc::new(StringArray::from(keys));
        table.intern(&[Arc::clone(&column)], 1000, &mut ids).unwrap();
        assert_eq!(&table.emit(&ids).unwrap()[0], &column);
        table.release(&ids[10..]);
        assert_eq!(&table.emit(&ids[..10]).unwrap()[0], &column.slice(0, 10));
    }
    assert!(table.size_bytes() < 2_000_000, "dead keys do not pile up: {}", table.size_bytes());
}

#[test]
fn owners_do_not_depend_on_the_batch() {
    let mut whole = Vec::new();
    let mut part = Vec::new();
    let with_null = ints(&[Some(7), None, Some(9)]);
    crate::hash::hash_columns(&[Arc::clone(&with_null)], 3, &mut whole).unwrap();
    crate::hash::hash_columns(&[with_null.slice(2, 1)], 1, &mut part).unwrap();
    assert_eq!(whole[2], part[0]);
    assert!((0..1000).all(|i| crate::hash::owner(crate::hash::mix(1, i), 3) < 3));
}
