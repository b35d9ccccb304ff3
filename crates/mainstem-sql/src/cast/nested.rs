//! Casts of ARRAY, MAP, MULTISET and ROW, element by element.
//! Invariant: lengths and order are those of the input; only leaves change. Under TRY_CAST one element that cannot be
//! cast makes its whole container NULL, as in Flink.

use std::sync::Arc;

use arrow_array::cast::AsArray;
use arrow_array::{Array, ArrayRef, ListArray, MapArray, StructArray};
use arrow_buffer::{BooleanBuffer, NullBuffer, OffsetBuffer};
use arrow_schema::{DataType as ArrowType, FieldRef, Fields};
use mainstem_core::{Error, Field, Result, TypeKind};

use super::{CastMode, convert as convert_any, unsupported};
use crate::lift::Convert;
use crate::session::Session;

pub(super) fn convert(
    from: &TypeKind,
    to: &TypeKind,
    mode: CastMode,
    session: &Session,
) -> Result<Convert> {
    use TypeKind as K;
    match (from, to) {
        (K::Array(f), K::Array(t)) => {
            let items = convert_any(&f.kind, &t.kind, mode, session)?;
            list(items, mode, &to.clone().nullable().to_arrow())
        }
        (K::Map(fk, fv), K::Map(tk, tv)) => map(
            convert_any(&fk.kind, &tk.kind, mode, session)?,
            convert_any(&fv.kind, &tv.kind, mode, session)?,
            mode,
            &to.clone().nullable().to_arrow(),
        ),
        (K::Multiset(f), K::Multiset(t)) => map(
            convert_any(&f.kind, &t.kind, mode, session)?,
            Arc::new(|counts| Ok(ArrayRef::clone(counts))),
            mode,
            &to.clone().nullable().to_arrow(),
        ),
        (K::Row(f), K::Row(t)) if f.len() == t.len() => row(f, t, mode, session),
        _ => Err(unsupported(from, to)),
    }
}

/// Which values were lost in a cast; `None` where none can be.
fn lost(mode: CastMode, before: &ArrayRef, after: &ArrayRef) -> Option<BooleanBuffer> {
    let gone = after.logical_nulls().filter(|_| mode == CastMode::Try)?;
    let lost = match before.logical_nulls() {
        Some(absent) => absent.inner() & &!gone.inner(),
        None => !gone.inner(),
    };
    (lost.count_set_bits() > 0).then_some(lost)
}

/// The nulls of containers, with those added that hold a lost element.
fn without_lost(
    nulls: Option<&NullBuffer>,
    offsets: &OffsetBuffer<i32>,
    lost: &[Option<BooleanBuffer>],
) -> Option<NullBuffer> {
    if lost.iter().all(Option::is_none) {
        return nulls.cloned();
    }
    let whole = |range: &[i32]| {
        let range = range[0] as usize..range[1] as usize;
        !lost.iter().flatten().any(|lost| range.clone().any(|at| lost.value(at)))
    };
    let kept: BooleanBuffer = offsets.windows(2).map(whole).collect();
    NullBuffer::union(nulls, Some(&NullBuffer::new(kept)))
}

fn list(items: Convert, mode: CastMode, to: &ArrowType) -> Result<Convert> {
    let ArrowType::List(field) = to else {
        return Err(Error::internal("an ARRAY is not carried by a list"));
    };
    let field = FieldRef::clone(field);
    Ok(Arc::new(move |array| {
        let lists = array.as_list::<i32>();
        let values = items(lists.values())?;
        let lost = lost(mode, lists.values(), &values);
        let nulls = without_lost(lists.nulls(), lists.offsets(), &[lost]);
        let offsets = lists.offsets().clone();
        Ok(Arc::new(ListArray::try_new(FieldRef::clone(&field), offsets, values, nulls)?))
    }))
}

fn map(keys: Convert, values: Convert, mode: CastMode, to: &ArrowType) -> Result<Convert> {
    let ArrowType::Map(field, sorted) = to else {
        return Err(Error::internal("a MAP is not carried by a map"));
    };
    let ArrowType::Struct(entries) = field.data_type() else {
        return Err(Error::internal("a map's entries are not a struct"));
    };
    let (field, sorted, entry_fields) = (FieldRef::clone(field), *sorted, entries.clone());
    Ok(Arc::new(move |array| {
        let maps = array.as_map();
        let columns = vec![keys(maps.keys())?, values(maps.values())?];
        let lost = [lost(mode, maps.keys(), &columns[0]), lost(mode, maps.values(), &columns[1])];
        let nulls = without_lost(maps.nulls(), maps.offsets(), &lost);
        let entries = StructArray::try_new(entry_fields.clone(), columns, None)?;
        let offsets = maps.offsets().clone();
        let field = FieldRef::clone(&field);
        Ok(Arc::new(MapArray::try_new(field, offsets, entries, nulls, sorted)?))
    }))
}

fn row(from: &[Field], to: &[Field], mode: CastMode, session: &Session) -> Result<Convert> {
    let converts: Vec<Convert> = from
        .iter()
        .zip(to)
        .map(|(f, t)| convert_any(&f.data_type.kind, &t.data_type.kind, mode, session))
        .collect::<Result<_>>()?;
    let fields: Fields = mainstem_core::types::arrow_fields(to);
    Ok(Arc::new(move |array| {
        let rows = array.as_struct();
        let columns: Vec<ArrayRef> = converts
            .iter()
            .zip(rows.columns())
            .map(|(convert, column)| convert(column))
            .collect::<Result<_>>()?;
        let mut nulls = rows.nulls().cloned();
        for (before, after) in rows.columns().iter().zip(&columns) {
            if let Some(lost) = lost(mode, before, after) {
                nulls = NullBuffer::union(nulls.as_ref(), Some(&NullBuffer::new(!&lost)));
            }
        }
        Ok(Arc::new(StructArray::try_new_with_length(fields.clone(), columns, nulls, rows.len())?))
    }))
}
