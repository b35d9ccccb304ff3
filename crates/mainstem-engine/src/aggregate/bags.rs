//! COLLECT, JSON_OBJECTAGG and SINGLE_VALUE: the values of a group with how often they are there.
//! Invariant: a value is in a bag while its weight is not 0; only values of positive weight are shown.

use std::collections::BTreeMap;
use std::sync::Arc;

use arrow_array::cast::AsArray;
use arrow_array::types::Int64Type;
use arrow_array::{
    ArrayRef, BooleanArray, Int32Array, Int64Array, MapArray, StringArray, StructArray, UInt32Array,
};
use arrow_buffer::OffsetBuffer;
use arrow_row::{RowConverter, SortField};
use arrow_schema::DataType as ArrowType;
use arrow_select::take::take;
use mainstem_core::{Error, Result};

use super::rows::{each_row, grow, selection};
use super::values::Values;
use super::{Accumulator, AggregateFunction, SavedGroups};

/// COLLECT over `input` with a result of the map type `output`, from values to how often they are there; NULLs are
/// left out. `None` for a type that cannot be kept.
pub fn collect(input: &ArrowType, output: &ArrowType) -> Option<Arc<dyn AggregateFunction>> {
    bag(vec![input.clone()], Form::Multiset(output.clone()))
}

/// SINGLE_VALUE over `input`: the value of the only row, NULL without a row, an error with several. What a sub-query
/// that stands for a value is wrapped in. `None` for a type that cannot be kept.
pub fn single_value(input: &ArrowType) -> Option<Arc<dyn AggregateFunction>> {
    bag(vec![input.clone()], Form::Single)
}

/// JSON_OBJECTAGG. Arguments: the key, and its member as a JSON object of its own (`{"key":1}`, or `{}` for one that is
/// left out). Keys are sorted as Java sorts them; two members of one key are an error.
pub fn json_objectagg() -> Option<Arc<dyn AggregateFunction>> {
    bag(vec![ArrowType::Utf8, ArrowType::Utf8], Form::JsonObject)
}

fn bag(types: Vec<ArrowType>, form: Form) -> Option<Arc<dyn AggregateFunction>> {
    Values::new(&types).ok()?;
    Some(Arc::new(Bag { types, form }))
}

#[derive(Debug, Clone)]
enum Form {
    Multiset(ArrowType),
    JsonObject,
    Single,
}

#[derive(Debug)]
struct Bag {
    types: Vec<ArrowType>,
    form: Form,
}

impl AggregateFunction for Bag {
    fn name(&self) -> &str {
        match self.form {
            Form::Multiset(_) => "COLLECT",
            Form::JsonObject => "JSON_OBJECTAGG",
            Form::Single => "SINGLE_VALUE",
        }
    }

    fn accumulator(&self, _retractable: bool) -> Box<dyn Accumulator> {
        Box::new(Bags {
            form: self.form.clone(),
            input: self.types[0].clone(),
            values: Values::new(&self.types).expect("the constructor has checked the type"),
            groups: Vec::new(),
        })
    }

    fn state_types(&self) -> Option<Vec<ArrowType>> {
        None
    }

    fn takes_nulls(&self) -> bool {
        matches!(self.form, Form::Single)
    }
}

struct Bags {
    form: Form,
    input: ArrowType,
    values: Values,
    /// The weight of each value.
    groups: Vec<BTreeMap<u32, i64>>,
}

fn add(bag: &mut BTreeMap<u32, i64>, value: u32, weight: i64, values: &mut Values) {
    let sum = bag.entry(value).or_insert_with(|| {
        values.hold(value);
        0
    });
    *sum += weight;
    if *sum == 0 {
        bag.remove(&value);
        values.let_go(value);
    }
}

impl Bags {
    /// The values of a group that are there, with how often.
    fn shown(&self, group: u32) -> impl Iterator<Item = (u32, i64)> + '_ {
        let bag = self.groups.get(group as usize).into_iter().flatten();
        bag.filter(|(_, weight)| **weight > 0).map(|(&value, &weight)| (value, weight))
    }

    fn multisets(&self, groups: &[u32], output: &ArrowType) -> Result<ArrayRef> {
        let ArrowType::Map(field, sorted) = output else {
            return Err(Error::internal("the result of COLLECT is no map"));
        };
        let ArrowType::Struct(fields) = field.data_type() else {
            return Err(Error::internal("a map without entries"));
        };
        let shown: Vec<(u32, i64)> = groups.iter().flat_map(|&group| self.shown(group)).collect();
        let numbers: Vec<u32> = shown.iter().map(|(value, _)| *value).collect();
        let keys = self.values.columns(&numbers)?.remove(0);
        let offsets = OffsetBuffer::from_lengths(groups.iter().map(|&g| self.shown(g).count()));
        // Numbers depend on the way here; the result may not.
        let converter = RowConverter::new(vec![SortField::new(self.input.clone())])?;
        let encoded = converter.convert_columns(&[Arc::clone(&keys)])?;
        let mut order: Vec<u32> = (0..numbers.len() as u32).collect();
        for ends in offsets.windows(2) {
            order[ends[0] as usize..ends[1] as usize]
                .sort_unstable_by_key(|&at| encoded.row(at as usize));
        }
        let counts: Int32Array = order.iter().map(|&at| shown[at as usize].1 as i32).collect();
        let keys = take(&keys, &UInt32Array::from(order), None)?;
        let entries = StructArray::try_new(fields.clone(), vec![keys, Arc::new(counts)], None)?;
        Ok(Arc::new(MapArray::try_new(Arc::clone(field), offsets, entries, None, *sorted)?))
    }

    fn singles(&self, groups: &[u32]) -> Result<ArrayRef> {
        let mut numbers = Vec::new();
        let mut places: Vec<Option<u32>> = Vec::with_capacity(groups.len());
        for &group in groups {
            let mut shown = self.shown(group);
            let first = shown.next();
            if first.is_some_and(|(_, weight)| weight > 1) || shown.next().is_some() {
                return Err(Error::user("a sub-query that stands for a value has several rows")
                    .with_hint("aggregate it (MAX, MIN, ...) or add a condition"));
            }
            places.push(first.map(|(value, _)| {
                numbers.push(value);
                numbers.len() as u32 - 1
            }));
        }
        if numbers.is_empty() {
            return Ok(arrow_array::new_null_array(&self.input, groups.len()));
        }
        let values = self.values.columns(&numbers)?.remove(0);
        Ok(take(&values, &UInt32Array::from(places), None)?)
    }
}

impl Bags {
    fn objects(&self, groups: &[u32]) -> Result<ArrayRef> {
        let object = |&group: &u32| -> Result<String> {
            let numbers: Vec<u32> = self.shown(group).map(|(value, _)| value).collect();
            let columns = self.values.columns(&numbers)?;
            let (keys, members) = (columns[0].as_string::<i32>(), columns[1].as_string::<i32>());
            let utf16 = |row: usize| keys.value(row).encode_utf16().collect::<Vec<u16>>();
            let mut rows: Vec<(Vec<u16>, usize)> =
                (0..numbers.len()).map(|r| (utf16(r), r)).collect();
            rows.sort_unstable();
            let repeated =
                rows.windows(2).find(|pair| pair[0].0 == pair[1].0).map(|pair| pair[0].1);
            let again = self.shown(group).position(|(_, weight)| weight > 1);
            if let Some(row) = repeated.or(again) {
                let key = keys.value(row);
                return Err(Error::user(format!("JSON_OBJECTAGG got the key '{key}' twice"))
                    .with_hint("group by the key as well, or keep one row of each key first"));
            }
            let inner = |(_, row): &(Vec<u16>, usize)| {
                let member = members.value(*row);
                &member[1..member.len() - 1]
            };
            let parts: Vec<&str> = rows.iter().map(inner).filter(|m| !m.is_empty()).collect();
            Ok(format!("{{{}}}", parts.join(",")))
        };
        let texts: Vec<String> = groups.iter().map(object).collect::<Result<_>>()?;
        Ok(Arc::new(StringArray::from_iter_values(texts)))
    }
}

impl Accumulator for Bags {
    fn update(
        &mut self,
        args: &[ArrayRef],
        groups: &[u32],
        group_count: usize,
        filter: Option<&BooleanArray>,
        weights: Option<&[i64]>,
    ) -> Result<()> {
        grow(&mut self.groups, group_count);
        let counted = if matches!(self.form, Form::Single) { &[] } else { args };
        let mask = selection(counted, filter);
        let mut numbers = self.values.intern(args, mask.as_ref())?.into_iter();
        let (bags, values) = (&mut self.groups, &mut self.values);
        each_row(groups, mask.as_ref(), weights, |_, group, weight| {
            let value = numbers.next().expect("one number a visited row");
            add(&mut bags[group], value, weight, values);
        });
        self.values.sweep();
        Ok(())
    }

    /// The values with their weights.
    fn save(&self, groups: &[u32]) -> Result<SavedGroups> {
        let (mut places, mut numbers, mut weights) = (Vec::new(), Vec::new(), Vec::new());
        for (place, &group) in (0..).zip(groups) {
            for (&value, &weight) in self.groups.get(group as usize).into_iter().flatten() {
                places.push(place);
                numbers.push(value);
                weights.push(weight);
            }
        }
        let mut columns = self.values.columns(&numbers)?;
        columns.push(Arc::new(Int64Array::from(weights)));
        Ok(SavedGroups { places, columns })
    }

    fn load(&mut self, columns: &[ArrayRef], groups: &[u32], group_count: usize) -> Result<()> {
        let (weights, args) = columns.split_last().expect("weights are saved");
        let weights = weights.as_primitive::<Int64Type>().values();
        self.update(args, groups, group_count, None, Some(weights))
    }

    fn absorb(&mut self, from: &[u32], to: &[u32], group_count: usize) -> Result<()> {
        grow(&mut self.groups, group_count);
        for (&from, &to) in from.iter().zip(to) {
            for (value, weight) in std::mem::take(&mut self.groups[from as usize]) {
                add(&mut self.groups[to as usize], value, weight, &mut self.values);
                self.values.let_go(value);
            }
        }
        self.values.sweep();
        Ok(())
    }

    fn finish(&self, groups: &[u32]) -> Result<ArrayRef> {
        match &self.form {
            Form::Multiset(output) => self.multisets(groups, output),
            Form::JsonObject => self.objects(groups),
            Form::Single => self.singles(groups),
        }
    }

    fn clear(&mut self, groups: &[u32]) {
        for &group in groups {
            if let Some(bag) = self.groups.get_mut(group as usize) {
                std::mem::take(bag).keys().for_each(|&value| self.values.let_go(value));
            }
        }
        self.values.sweep();
    }

    fn size_bytes(&self) -> usize {
        self.values.size_bytes()
            + self.groups.capacity() * size_of::<BTreeMap<u32, i64>>()
            + self.groups.iter().map(|bag| bag.len() * 24).sum::<usize>()
    }
}
