//! LISTAGG(text [, separator]): the texts of a group in order of arrival, joined.
//! Invariant: NULL texts are left out; no texts means NULL. Under retraction the oldest equal text goes.

use std::sync::Arc;

use arrow_array::cast::AsArray;
use arrow_array::{Array, ArrayRef, BooleanArray, StringArray};
use arrow_schema::DataType as ArrowType;
use mainstem_core::Result;

use super::rows::{each_row, grow, not_mergeable, selection};
use super::{Accumulator, AggregateFunction};

/// LISTAGG; its arguments are the text and, if there are two, the separator (otherwise a comma).
pub fn listagg() -> Arc<dyn AggregateFunction> {
    Arc::new(ListAgg)
}

#[derive(Debug)]
struct ListAgg;

impl AggregateFunction for ListAgg {
    fn name(&self) -> &str {
        "LISTAGG"
    }

    fn accumulator(&self, _retractable: bool) -> Box<dyn Accumulator> {
        Box::new(Texts { groups: Vec::new() })
    }

    fn state_types(&self) -> Option<Vec<ArrowType>> {
        None
    }
}

#[derive(Debug, Clone, Default)]
struct List {
    texts: Vec<Box<str>>,
    separator: Option<Box<str>>,
}

struct Texts {
    groups: Vec<List>,
}

impl Accumulator for Texts {
    fn update(
        &mut self,
        args: &[ArrayRef],
        groups: &[u32],
        group_count: usize,
        filter: Option<&BooleanArray>,
        weights: Option<&[i64]>,
    ) -> Result<()> {
        grow(&mut self.groups, group_count);
        let mask = selection(&args[..1], filter);
        let texts = args[0].as_string::<i32>();
        let separators = args.get(1).map(|arg| arg.as_string::<i32>());
        each_row(groups, mask.as_ref(), weights, |row, group, weight| {
            let list = &mut self.groups[group];
            if let Some(separators) = separators.filter(|s| s.is_valid(row))
                && list.separator.as_deref() != Some(separators.value(row))
            {
                list.separator = Some(separators.value(row).into());
            }
            let text = texts.value(row);
            for _ in 0..weight {
                list.texts.push(text.into());
            }
            for _ in weight..0 {
                if let Some(at) = list.texts.iter().position(|t| **t == *text) {
                    list.texts.remove(at);
                }
            }
        });
        Ok(())
    }

    fn merge(&mut self, _: &[ArrayRef], _: &[u32], _: usize) -> Result<()> {
        not_mergeable("LISTAGG")
    }

    fn state(&self, _groups: &[u32]) -> Result<Vec<ArrayRef>> {
        not_mergeable("LISTAGG")
    }

    fn finish(&self, groups: &[u32]) -> Result<ArrayRef> {
        let join = |&group: &u32| {
            let list = self.groups.get(group as usize)?;
            let separator = list.separator.as_deref().unwrap_or(",");
            (!list.texts.is_empty()).then(|| list.texts.join(separator))
        };
        Ok(Arc::new(groups.iter().map(join).collect::<StringArray>()))
    }

    fn clear(&mut self, groups: &[u32]) {
        for &group in groups {
            if let Some(state) = self.groups.get_mut(group as usize) {
                *state = List::default();
            }
        }
    }

    fn size_bytes(&self) -> usize {
        let texts = self.groups.iter().flat_map(|list| &list.texts);
        self.groups.capacity() * size_of::<List>() + texts.map(|t| t.len() + 16).sum::<usize>()
    }
}
