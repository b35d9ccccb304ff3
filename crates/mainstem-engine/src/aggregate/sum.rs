//! SUM, SUM0 and AVG with Flink's types: SUM(INT) is INT and wraps around, AVG(INT) is INT and truncates.
//! Invariant: a group's total is the sum of its non-NULL values and their number; no values means NULL (SUM0: 0).
//! A DECIMAL sum that ever had more than 38 digits is NULL until its group is gone.

use std::sync::Arc;

use arrow_array::cast::AsArray;
use arrow_array::types::{
    Decimal128Type, Float32Type, Float64Type, Int8Type, Int16Type, Int32Type, Int64Type,
};
use arrow_array::{ArrayRef, ArrowPrimitiveType, BooleanArray, Int64Array, PrimitiveArray};
use arrow_buffer::ScalarBuffer;
use arrow_schema::DataType as ArrowType;
use mainstem_core::Result;

use super::rows::{Step, each_row, grow, play, selection, validity};
use super::{Accumulator, AggregateFunction, Changes};

/// The greatest DECIMAL(38) without its scale.
const DECIMAL_MAX: i128 = 10i128.pow(38) - 1;

/// A running total that takes values of type `V`.
trait Total<V>: Copy + Default + Send + Sync + 'static {
    /// Adds `value`, `weight` times.
    fn add(&mut self, value: V, weight: i64);
    /// Adds another total.
    fn merge(&mut self, other: Self);
}

macro_rules! total {
    ($sum:ty, $value:ty, |$s:ident, $v:ident, $w:ident| $weighted:expr, $plus:ident) => {
        impl Total<$value> for $sum {
            #[inline(always)]
            fn add(&mut self, value: $value, weight: i64) {
                let ($s, $v, $w) = (*self, value as $sum, weight);
                *self = $weighted;
            }
            #[inline(always)]
            fn merge(&mut self, other: Self) {
                *self = $plus(*self, other);
            }
        }
    };
}

macro_rules! integer_total {
    ($sum:ty, $value:ty, $plus:ident) => {
        fn $plus(a: $sum, b: $sum) -> $sum {
            a.wrapping_add(b)
        }
        total!($sum, $value, |s, v, w| s.wrapping_add(v.wrapping_mul(w as $sum)), $plus);
    };
}

integer_total!(i8, i8, plus_i8);
integer_total!(i16, i16, plus_i16);
integer_total!(i32, i32, plus_i32);
integer_total!(i64, i64, plus_i64);

/// A DECIMAL total that has more than 38 digits, and stays so: what comes after cannot mend it.
const OVERFLOWN: i128 = i128::MAX;

impl Total<i128> for i128 {
    #[inline(always)]
    fn add(&mut self, value: i128, weight: i64) {
        let weighted = if weight == 1 { Some(value) } else { value.checked_mul(weight.into()) };
        self.merge(weighted.unwrap_or(OVERFLOWN));
    }
    #[inline(always)]
    fn merge(&mut self, other: i128) {
        let fits = |sum: &i128| (-DECIMAL_MAX..=DECIMAL_MAX).contains(sum);
        let known = *self != OVERFLOWN && other != OVERFLOWN;
        *self = self.checked_add(other).filter(|sum| known && fits(sum)).unwrap_or(OVERFLOWN);
    }
}

total!(i64, i8, |s, v, w| s.wrapping_add(v.wrapping_mul(w)), plus_i64);
total!(i64, i16, |s, v, w| s.wrapping_add(v.wrapping_mul(w)), plus_i64);
total!(i64, i32, |s, v, w| s.wrapping_add(v.wrapping_mul(w)), plus_i64);

fn plus_f32(a: f32, b: f32) -> f32 {
    a + b
}
fn plus_f64(a: f64, b: f64) -> f64 {
    a + b
}
total!(f32, f32, |s, v, w| s + v * w as f32, plus_f32);
total!(f64, f64, |s, v, w| s + v * w as f64, plus_f64);
total!(f64, f32, |s, v, w| s + v * w as f64, plus_f64);

/// From the total and the number of values, which is not 0, to the result.
type Finish<S, R> = Arc<dyn Fn(S, i64) -> Option<R> + Send + Sync>;

/// In: the argument's type. Sum: the type of the running total. Out: the result's type.
struct Totals<In, Sum: ArrowPrimitiveType, Out: ArrowPrimitiveType> {
    name: &'static str,
    state_type: ArrowType,
    output: ArrowType,
    /// What a group without values gives.
    empty: Option<Out::Native>,
    finish: Finish<Sum::Native, Out::Native>,
    input: std::marker::PhantomData<fn() -> In>,
}

impl<In, Sum: ArrowPrimitiveType, Out: ArrowPrimitiveType> Clone for Totals<In, Sum, Out> {
    fn clone(&self) -> Self {
        Self {
            name: self.name,
            state_type: self.state_type.clone(),
            output: self.output.clone(),
            empty: self.empty,
            finish: Arc::clone(&self.finish),
            input: self.input,
        }
    }
}

impl<In, Sum: ArrowPrimitiveType, Out: ArrowPrimitiveType> std::fmt::Debug
    for Totals<In, Sum, Out>
{
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} -> {}", self.name, self.output)
    }
}

impl<In, Sum, Out> AggregateFunction for Totals<In, Sum, Out>
where
    In: ArrowPrimitiveType,
    Sum: ArrowPrimitiveType<Native: Total<In::Native>>,
    Out: ArrowPrimitiveType,
{
    fn name(&self) -> &str {
        self.name
    }

    fn accumulator(&self, _retractable: bool) -> Box<dyn Accumulator> {
        Box::new(TotalsState { function: self.clone(), groups: Vec::new() })
    }

    fn state_types(&self) -> Option<Vec<ArrowType>> {
        Some(vec![self.state_type.clone(), ArrowType::Int64])
    }
}

struct TotalsState<In, Sum: ArrowPrimitiveType, Out: ArrowPrimitiveType> {
    function: Totals<In, Sum, Out>,
    /// Total and number of values.
    groups: Vec<(Sum::Native, i64)>,
}

impl<In, Sum: ArrowPrimitiveType, Out: ArrowPrimitiveType> TotalsState<In, Sum, Out> {
    fn result(&self, group: usize) -> Option<Out::Native> {
        match self.get(group as u32) {
            (_, 0) => self.function.empty,
            (sum, count) => (self.function.finish)(sum, count),
        }
    }

    fn results(&self, results: Vec<Option<Out::Native>>) -> ArrayRef {
        let nulls = validity(results.iter().map(Option::is_some));
        let values = results.into_iter().map(Option::unwrap_or_default).collect();
        let array = PrimitiveArray::<Out>::new(values, nulls);
        Arc::new(array.with_data_type(self.function.output.clone()))
    }

    fn get(&self, group: u32) -> (Sum::Native, i64) {
        self.groups.get(group as usize).copied().unwrap_or_default()
    }
}

impl<In, Sum, Out> Accumulator for TotalsState<In, Sum, Out>
where
    In: ArrowPrimitiveType,
    Sum: ArrowPrimitiveType<Native: Total<In::Native>>,
    Out: ArrowPrimitiveType,
{
    fn update(
        &mut self,
        args: &[ArrayRef],
        groups: &[u32],
        group_count: usize,
        filter: Option<&BooleanArray>,
        weights: Option<&[i64]>,
    ) -> Result<()> {
        grow(&mut self.groups, group_count);
        let mask = selection(args, filter);
        let values = &args[0].as_primitive::<In>().values()[..groups.len()];
        let totals = self.groups.as_mut_slice();
        each_row(groups, mask.as_ref(), weights, |row, group, weight| {
            let total = &mut totals[group];
            total.0.add(values[row], weight);
            total.1 += weight;
        });
        Ok(())
    }

    fn scan(&mut self, changes: &Changes<'_>) -> Result<Option<ArrayRef>> {
        grow(&mut self.groups, changes.group_count);
        let values = &changes.args[0].as_primitive::<In>().values()[..changes.groups.len()];
        let mut results = Vec::with_capacity(changes.reads.len());
        play(changes, |step| match step {
            Step::Change(row, group, weight) => {
                let total = &mut self.groups[group];
                total.0.add(values[row], weight);
                total.1 += weight;
            }
            Step::Read(group) => results.push(self.result(group)),
        });
        Ok(Some(self.results(results)))
    }

    fn merge(&mut self, states: &[ArrayRef], groups: &[u32], group_count: usize) -> Result<()> {
        grow(&mut self.groups, group_count);
        let sums = states[0].as_primitive::<Sum>().values();
        let counts = states[1].as_primitive::<Int64Type>().values();
        for ((&group, &sum), count) in groups.iter().zip(sums).zip(counts) {
            let total = &mut self.groups[group as usize];
            total.0.merge(sum);
            total.1 += count;
        }
        Ok(())
    }

    fn state(&self, groups: &[u32]) -> Result<Vec<ArrayRef>> {
        let sums: ScalarBuffer<Sum::Native> = groups.iter().map(|&g| self.get(g).0).collect();
        let counts: Int64Array = groups.iter().map(|&g| self.get(g).1).collect();
        let sums = PrimitiveArray::<Sum>::new(sums, None);
        Ok(vec![Arc::new(sums.with_data_type(self.function.state_type.clone())), Arc::new(counts)])
    }

    fn finish(&self, groups: &[u32]) -> Result<ArrayRef> {
        Ok(self.results(groups.iter().map(|&group| self.result(group as usize)).collect()))
    }

    fn clear(&mut self, groups: &[u32]) {
        for &group in groups {
            if let Some(total) = self.groups.get_mut(group as usize) {
                *total = Default::default();
            }
        }
    }

    fn size_bytes(&self) -> usize {
        self.groups.capacity() * size_of::<(Sum::Native, i64)>()
    }
}

fn totals<In, Sum, Out>(
    name: &'static str,
    state_type: ArrowType,
    output: ArrowType,
    empty: Option<Out::Native>,
    finish: impl Fn(Sum::Native, i64) -> Option<Out::Native> + Send + Sync + 'static,
) -> Arc<dyn AggregateFunction>
where
    In: ArrowPrimitiveType,
    Sum: ArrowPrimitiveType<Native: Total<In::Native>>,
    Out: ArrowPrimitiveType,
{
    let input = std::marker::PhantomData;
    Arc::new(Totals::<In, Sum, Out> {
        name,
        state_type,
        output,
        empty,
        finish: Arc::new(finish),
        input,
    })
}

fn plain_sum<T>(name: &'static str, empty: Option<T::Native>) -> Arc<dyn AggregateFunction>
where
    T: ArrowPrimitiveType<Native: Total<T::Native>>,
{
    totals::<T, T, T>(name, T::DATA_TYPE, T::DATA_TYPE, empty, |sum, _| Some(sum))
}

fn sum_of(name: &'static str, zero: bool, input: &ArrowType) -> Option<Arc<dyn AggregateFunction>> {
    Some(match input {
        ArrowType::Int8 => plain_sum::<Int8Type>(name, zero.then_some(0)),
        ArrowType::Int16 => plain_sum::<Int16Type>(name, zero.then_some(0)),
        ArrowType::Int32 => plain_sum::<Int32Type>(name, zero.then_some(0)),
        ArrowType::Int64 => plain_sum::<Int64Type>(name, zero.then_some(0)),
        ArrowType::Float32 => plain_sum::<Float32Type>(name, zero.then_some(0.0)),
        ArrowType::Float64 => plain_sum::<Float64Type>(name, zero.then_some(0.0)),
        ArrowType::Decimal128(_, scale) => {
            let wide = ArrowType::Decimal128(38, *scale);
            let fits = |sum: i128, _| (sum != OVERFLOWN).then_some(sum);
            totals::<Decimal128Type, Decimal128Type, Decimal128Type>(
                name,
                wide.clone(),
                wide,
                zero.then_some(0),
                fits,
            )
        }
        _ => return None,
    })
}

/// SUM over `input`; `None` for a type that has no sum. The result has the type of `input`, for DECIMAL(p, s)
/// DECIMAL(38, s).
pub fn sum(input: &ArrowType) -> Option<Arc<dyn AggregateFunction>> {
    sum_of("SUM", false, input)
}

/// `$SUM0`: SUM that is 0 without values.
pub fn sum0(input: &ArrowType) -> Option<Arc<dyn AggregateFunction>> {
    sum_of("$SUM0", true, input)
}

/// AVG over `input`; `None` for a type that has no average. The result has the type of `input`, for
/// DECIMAL(p, s) `output`, a DECIMAL of at least scale s.
pub fn avg(input: &ArrowType, output: &ArrowType) -> Option<Arc<dyn AggregateFunction>> {
    const NAME: &str = "AVG";
    let long = ArrowType::Int64;
    let double = ArrowType::Float64;
    Some(match input {
        ArrowType::Int8 => {
            totals::<Int8Type, Int64Type, Int8Type>(NAME, long, input.clone(), None, |sum, n| {
                Some(sum.wrapping_div(n) as i8)
            })
        }
        ArrowType::Int16 => {
            totals::<Int16Type, Int64Type, Int16Type>(NAME, long, input.clone(), None, |sum, n| {
                Some(sum.wrapping_div(n) as i16)
            })
        }
        ArrowType::Int32 => {
            totals::<Int32Type, Int64Type, Int32Type>(NAME, long, input.clone(), None, |sum, n| {
                Some(sum.wrapping_div(n) as i32)
            })
        }
        ArrowType::Int64 => {
            totals::<Int64Type, Int64Type, Int64Type>(NAME, long, input.clone(), None, |sum, n| {
                Some(sum.wrapping_div(n))
            })
        }
        ArrowType::Float32 => totals::<Float32Type, Float64Type, Float32Type>(
            NAME,
            double,
            input.clone(),
            None,
            |sum, n| Some((sum / n as f64) as f32),
        ),
        ArrowType::Float64 => totals::<Float64Type, Float64Type, Float64Type>(
            NAME,
            double,
            input.clone(),
            None,
            |sum, n| Some(sum / n as f64),
        ),
        ArrowType::Decimal128(_, scale) => {
            let ArrowType::Decimal128(_, out_scale) = output else { return None };
            let digits = u32::try_from(out_scale - scale).ok()?;
            totals::<Decimal128Type, Decimal128Type, Decimal128Type>(
                NAME,
                ArrowType::Decimal128(38, *scale),
                output.clone(),
                None,
                move |sum, n| divide_half_up(sum, n, digits),
            )
        }
        _ => return None,
    })
}

/// `sum / count` with `digits` more decimal digits, rounded half away from zero; `None` beyond 38 digits.
fn divide_half_up(sum: i128, count: i64, digits: u32) -> Option<i128> {
    if sum == OVERFLOWN {
        return None;
    }
    let shift = 10i128.checked_pow(digits)?;
    let count = i128::from(count);
    let whole = (sum / count).checked_mul(shift)?;
    let scaled = (sum % count).checked_mul(shift)?;
    let (part, rest) = (scaled / count, scaled % count);
    let round = if rest.abs() * 2 >= count.abs() { rest.signum() * count.signum() } else { 0 };
    whole.checked_add(part)?.checked_add(round).filter(|v| v.abs() <= DECIMAL_MAX)
}
