//! LISTAGG, ARRAY_AGG and JSON_ARRAYAGG: the values of a group in order of arrival.
//! Invariant: a list holds the number of each value and its place in the order of arrival, so lists of two groups
//! become the list that one group would have. Under retraction the oldest equal value goes; one that has not come
//! yet is owed.

use std::sync::Arc;

use arrow_array::cast::AsArray;
use arrow_array::types::UInt64Type;
use arrow_array::{ArrayRef, BooleanArray, ListArray, StringArray, UInt64Array};
use arrow_buffer::{NullBuffer, OffsetBuffer};
use arrow_schema::DataType as ArrowType;
use mainstem_core::{Error, Result};

use super::rows::{each_row, grow, selection};
use super::values::Values;
use super::{Accumulator, AggregateFunction, SavedGroups};

/// LISTAGG; its arguments are the text and, if there are two, the separator (otherwise a comma).
pub fn listagg() -> Arc<dyn AggregateFunction> {
    let form = Form::Text;
    Arc::new(Listing { name: "LISTAGG", input: ArrowType::Utf8, form, takes_nulls: false })
}

/// ARRAY_AGG over `input` with a result of the list type `output`; `None` for a type that cannot be kept.
pub fn array_agg(
    input: &ArrowType,
    output: &ArrowType,
    takes_nulls: bool,
) -> Option<Arc<dyn AggregateFunction>> {
    let form = Form::Array(output.clone());
    let input = input.clone();
    Values::takes(&input).then(|| {
        Arc::new(Listing { name: "ARRAY_AGG", input, form, takes_nulls })
            as Arc<dyn AggregateFunction>
    })
}

/// JSON_ARRAYAGG; its argument is each element as a JSON array of its own, `[]` for one that is left out.
pub fn json_arrayagg() -> Arc<dyn AggregateFunction> {
    let form = Form::Json;
    Arc::new(Listing { name: "JSON_ARRAYAGG", input: ArrowType::Utf8, form, takes_nulls: false })
}

/// How a list is shown.
#[derive(Debug, Clone)]
enum Form {
    /// Joined texts; NULL without any.
    Text,
    /// An array of the given type; NULL without any value.
    Array(ArrowType),
    /// A JSON array.
    Json,
}

#[derive(Debug)]
struct Listing {
    name: &'static str,
    input: ArrowType,
    form: Form,
    takes_nulls: bool,
}

impl AggregateFunction for Listing {
    fn name(&self) -> &str {
        self.name
    }

    fn accumulator(&self, _retractable: bool) -> Box<dyn Accumulator> {
        Box::new(Lists {
            form: self.form.clone(),
            takes_nulls: self.takes_nulls,
            values: Values::new(std::slice::from_ref(&self.input))
                .expect("the constructor has checked the type"),
            groups: Vec::new(),
            arrivals: 0,
            separator: None,
        })
    }

    fn state_types(&self) -> Option<Vec<ArrowType>> {
        None
    }

    fn takes_nulls(&self) -> bool {
        self.takes_nulls
    }
}

/// A value and its place in the order of arrival.
#[derive(Debug, Clone, Copy)]
struct Item {
    arrival: u64,
    value: u32,
}

#[derive(Debug, Clone, Default)]
struct List {
    items: Vec<Item>,
    /// Values that were taken back before they came.
    owed: Vec<u32>,
}

impl List {
    fn add(&mut self, item: Item, values: &mut Values) {
        match self.owed.iter().position(|&value| value == item.value) {
            Some(at) => {
                self.owed.swap_remove(at);
                values.let_go(item.value);
            }
            None => {
                self.items.push(item);
                values.hold(item.value);
            }
        }
    }

    fn take_back(&mut self, value: u32, values: &mut Values) {
        match self.items.iter().position(|item| item.value == value) {
            Some(at) => {
                self.items.remove(at);
                values.let_go(value);
            }
            None => {
                self.owed.push(value);
                values.hold(value);
            }
        }
    }
}

struct Lists {
    form: Form,
    takes_nulls: bool,
    values: Values,
    groups: Vec<List>,
    /// How many values have come.
    arrivals: u64,
    /// Of LISTAGG; a constant of the query.
    separator: Option<Box<str>>,
}

impl Lists {
    fn items(&self, group: u32) -> &[Item] {
        self.groups.get(group as usize).map_or(&[], |list| &list.items)
    }

    fn texts(
        &self,
        groups: &[u32],
        join: impl Fn(&[Option<&str>]) -> Option<String>,
    ) -> Result<ArrayRef> {
        let numbers: Vec<u32> =
            groups.iter().flat_map(|&g| self.items(g)).map(|item| item.value).collect();
        let column = self.values.columns(&numbers)?.remove(0);
        let texts: Vec<Option<&str>> = column.as_string::<i32>().iter().collect();
        let mut from = 0;
        let join_group = |&group: &u32| {
            let rows = self.items(group).len();
            from += rows;
            join(&texts[from - rows..from])
        };
        Ok(Arc::new(groups.iter().map(join_group).collect::<StringArray>()))
    }

    fn arrays(&self, groups: &[u32], output: &ArrowType) -> Result<ArrayRef> {
        let ArrowType::List(field) = output else {
            return Err(Error::internal("the result of ARRAY_AGG is no list"));
        };
        let numbers: Vec<u32> =
            groups.iter().flat_map(|&g| self.items(g)).map(|item| item.value).collect();
        let items = self.values.columns(&numbers)?.remove(0);
        let offsets = OffsetBuffer::from_lengths(groups.iter().map(|&g| self.items(g).len()));
        let nulls: NullBuffer = groups.iter().map(|&g| !self.items(g).is_empty()).collect();
        Ok(Arc::new(ListArray::try_new(Arc::clone(field), offsets, items, Some(nulls))?))
    }
}

impl Accumulator for Lists {
    fn update(
        &mut self,
        args: &[ArrayRef],
        groups: &[u32],
        group_count: usize,
        filter: Option<&BooleanArray>,
        weights: Option<&[i64]>,
    ) -> Result<()> {
        grow(&mut self.groups, group_count);
        let counted = if self.takes_nulls { &[] } else { &args[..1] };
        let mask = selection(counted, filter);
        if let Some(separators) = args.get(1).map(|arg| arg.as_string::<i32>())
            && self.separator.is_none()
            && let Some(separator) = separators.iter().flatten().next()
        {
            self.separator = Some(separator.into());
        }
        let numbers = self.values.intern(&args[..1], mask.as_ref())?;
        let mut numbers = numbers.into_iter();
        let (lists, values, arrivals) = (&mut self.groups, &mut self.values, &mut self.arrivals);
        each_row(groups, mask.as_ref(), weights, |_, group, weight| {
            let value = numbers.next().expect("one number a visited row");
            for _ in 0..weight {
                lists[group].add(Item { arrival: *arrivals, value }, values);
            }
            for _ in weight..0 {
                lists[group].take_back(value, values);
            }
            *arrivals += 1;
        });
        self.values.sweep();
        Ok(())
    }

    /// The items with their arrivals; those that are owed have none. The separator stands in each row.
    fn save(&self, groups: &[u32]) -> Result<SavedGroups> {
        let (mut places, mut numbers, mut arrivals) = (Vec::new(), Vec::new(), Vec::new());
        for (place, &group) in (0..).zip(groups) {
            let Some(list) = self.groups.get(group as usize) else { continue };
            let items = list.items.iter().map(|item| (item.value, Some(item.arrival)));
            for (value, arrival) in items.chain(list.owed.iter().map(|&value| (value, None))) {
                places.push(place);
                numbers.push(value);
                arrivals.push(arrival);
            }
        }
        let mut columns = self.values.columns(&numbers)?;
        columns.push(Arc::new(UInt64Array::from(arrivals)));
        let separators = std::iter::repeat_n(self.separator.as_deref(), numbers.len());
        columns.push(Arc::new(StringArray::from_iter(separators)));
        Ok(SavedGroups { places, columns })
    }

    fn load(&mut self, columns: &[ArrayRef], groups: &[u32], group_count: usize) -> Result<()> {
        grow(&mut self.groups, group_count);
        let arrivals = columns[1].as_primitive::<UInt64Type>();
        let separators = columns[2].as_string::<i32>();
        if self.separator.is_none() {
            self.separator = separators.iter().flatten().next().map(Into::into);
        }
        let numbers = self.values.intern(&columns[..1], None)?;
        for ((&group, value), arrival) in groups.iter().zip(numbers).zip(arrivals) {
            let list = &mut self.groups[group as usize];
            match arrival {
                Some(arrival) => {
                    list.items.push(Item { arrival, value });
                    self.arrivals = self.arrivals.max(arrival + 1);
                }
                None => list.owed.push(value),
            }
            self.values.hold(value);
        }
        self.values.sweep();
        Ok(())
    }

    fn absorb(&mut self, from: &[u32], to: &[u32], group_count: usize) -> Result<()> {
        grow(&mut self.groups, group_count);
        for (&from, &to) in from.iter().zip(to) {
            let List { items, owed } = std::mem::take(&mut self.groups[from as usize]);
            let list = &mut self.groups[to as usize];
            list.items.extend(items);
            list.items.sort_by_key(|item| item.arrival);
            for value in owed {
                list.take_back(value, &mut self.values);
                self.values.let_go(value);
            }
        }
        self.values.sweep();
        Ok(())
    }

    fn finish(&self, groups: &[u32]) -> Result<ArrayRef> {
        match &self.form {
            Form::Text => {
                let separator = self.separator.as_deref().unwrap_or(",");
                self.texts(groups, |texts| {
                    let texts: Vec<&str> = texts.iter().flatten().copied().collect();
                    (!texts.is_empty()).then(|| texts.join(separator))
                })
            }
            Form::Json => self.texts(groups, |texts| {
                let items = texts.iter().flatten().map(|text| &text[1..text.len() - 1]);
                let items: Vec<&str> = items.filter(|item| !item.is_empty()).collect();
                Some(format!("[{}]", items.join(",")))
            }),
            Form::Array(output) => self.arrays(groups, output),
        }
    }

    fn clear(&mut self, groups: &[u32]) {
        for &group in groups {
            if let Some(list) = self.groups.get_mut(group as usize) {
                let List { items, owed } = std::mem::take(list);
                items.iter().for_each(|item| self.values.let_go(item.value));
                owed.iter().for_each(|&value| self.values.let_go(value));
            }
        }
        self.values.sweep();
    }

    fn size_bytes(&self) -> usize {
        let held =
            |list: &List| list.items.capacity() * size_of::<Item>() + list.owed.capacity() * 4;
        self.values.size_bytes()
            + self.groups.capacity() * size_of::<List>()
            + self.groups.iter().map(held).sum::<usize>()
    }
}
