//! `$WELFORD_M2`: the sum of squared deviations from the mean, from which the binder makes variances and deviations.
//! Invariant: number, mean and sum are kept as Welford does, in DOUBLE, so the sum does not lose its digits where the
//! mean is far from 0. Without values it is NULL. A sum that rounding has made negative, where rows were taken back, is
//! 0 (Flink makes it NULL).

use std::sync::Arc;

use arrow_array::cast::AsArray;
use arrow_array::types::{Float64Type, Int64Type};
use arrow_array::{ArrayRef, BooleanArray, Float64Array, Int64Array};
use arrow_schema::DataType as ArrowType;
use mainstem_core::Result;

use super::rows::{each_row, grow, selection};
use super::{Accumulator, AggregateFunction};

/// The sum of squared deviations of DOUBLEs from their mean.
pub fn squared_deviations() -> Arc<dyn AggregateFunction> {
    Arc::new(SquaredDeviations)
}

#[derive(Debug)]
struct SquaredDeviations;

impl AggregateFunction for SquaredDeviations {
    fn name(&self) -> &str {
        "$WELFORD_M2"
    }

    fn accumulator(&self, _retractable: bool) -> Box<dyn Accumulator> {
        Box::new(Moments(Vec::new()))
    }

    fn state_types(&self) -> Option<Vec<ArrowType>> {
        Some(vec![ArrowType::Int64, ArrowType::Float64, ArrowType::Float64])
    }
}

#[derive(Debug, Clone, Copy, Default)]
struct Moment {
    count: i64,
    mean: f64,
    squares: f64,
}

impl Moment {
    fn add(&mut self, value: f64) {
        self.count += 1;
        if self.count <= 0 {
            return;
        }
        let delta = value - self.mean;
        self.mean += delta / self.count as f64;
        self.squares += delta * (value - self.mean);
    }

    fn take_back(&mut self, value: f64) {
        self.count -= 1;
        if self.count <= 0 {
            (self.mean, self.squares) = (0.0, 0.0);
            return;
        }
        let delta = value - self.mean;
        self.mean -= delta / self.count as f64;
        self.squares -= (value - self.mean) * delta;
    }

    fn merge(&mut self, other: Self) {
        if other.count <= 0 {
            self.count += other.count;
        } else if self.count <= 0 {
            *self = Self { count: self.count + other.count, ..other };
        } else {
            let delta = other.mean - self.mean;
            let count = self.count + other.count;
            let share = other.count as f64 / count as f64;
            self.mean += delta * share;
            self.squares += other.squares + delta * delta * self.count as f64 * share;
            self.count = count;
        }
    }
}

struct Moments(Vec<Moment>);

impl Moments {
    fn get(&self, group: u32) -> Moment {
        self.0.get(group as usize).copied().unwrap_or_default()
    }
}

impl Accumulator for Moments {
    fn update(
        &mut self,
        args: &[ArrayRef],
        groups: &[u32],
        group_count: usize,
        filter: Option<&BooleanArray>,
        weights: Option<&[i64]>,
    ) -> Result<()> {
        grow(&mut self.0, group_count);
        let mask = selection(args, filter);
        let values = args[0].as_primitive::<Float64Type>().values();
        each_row(groups, mask.as_ref(), weights, |row, group, weight| {
            (0..weight).for_each(|_| self.0[group].add(values[row]));
            (weight..0).for_each(|_| self.0[group].take_back(values[row]));
        });
        Ok(())
    }

    fn merge(&mut self, states: &[ArrayRef], groups: &[u32], group_count: usize) -> Result<()> {
        grow(&mut self.0, group_count);
        let counts = states[0].as_primitive::<Int64Type>().values();
        let means = states[1].as_primitive::<Float64Type>().values();
        let squares = states[2].as_primitive::<Float64Type>().values();
        for (row, &group) in groups.iter().enumerate() {
            let other = Moment { count: counts[row], mean: means[row], squares: squares[row] };
            self.0[group as usize].merge(other);
        }
        Ok(())
    }

    fn state(&self, groups: &[u32]) -> Result<Vec<ArrayRef>> {
        let counts: Int64Array = groups.iter().map(|&g| self.get(g).count).collect();
        let means = Float64Array::from_iter_values(groups.iter().map(|&g| self.get(g).mean));
        let squares = Float64Array::from_iter_values(groups.iter().map(|&g| self.get(g).squares));
        Ok(vec![Arc::new(counts), Arc::new(means), Arc::new(squares)])
    }

    fn finish(&self, groups: &[u32]) -> Result<ArrayRef> {
        let result = |&group: &u32| {
            let Moment { count, squares, .. } = self.get(group);
            // NaN stays NaN.
            (count > 0).then_some(if squares < 0.0 { 0.0 } else { squares })
        };
        Ok(Arc::new(groups.iter().map(result).collect::<Float64Array>()))
    }

    fn clear(&mut self, groups: &[u32]) {
        for &group in groups {
            if let Some(moment) = self.0.get_mut(group as usize) {
                *moment = Moment::default();
            }
        }
    }

    fn size_bytes(&self) -> usize {
        self.0.capacity() * size_of::<Moment>()
    }
}
