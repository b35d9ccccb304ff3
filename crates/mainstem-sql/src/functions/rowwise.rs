//! Kernels made of a function of one row: the loop, NULLs, scalars and the builder are here, once.
//! Invariant: a row in which any argument is NULL is NULL and the function does not see it; all-scalar input gives a
//! scalar. Does not serve functions that see NULLs (CONCAT_WS, JSON_OBJECT): they write their own loop over [`Reader`]s.

use std::sync::Arc;

use arrow_array::builder::{
    BinaryBuilder, BooleanBuilder, Float64Builder, Int32Builder, Int64Builder, ListBuilder,
    StringBuilder,
};
use arrow_array::{
    Array, ArrayRef, BinaryArray, BooleanArray, Float64Array, Int64Array, ListArray, StringArray,
};
use mainstem_core::{Error, Result};
use mainstem_engine::expr::Value;

use super::Kernel;

/// How values of an argument's type are read from its array.
pub(crate) trait Column: 'static {
    type Array: Array + 'static;
    type Item<'a>;
    fn item(array: &Self::Array, row: usize) -> Self::Item<'_>;
}

macro_rules! column {
    ($doc:literal, $name:ident, $array:ty, $item:ty) => {
        #[doc = $doc]
        pub(crate) struct $name;
        impl Column for $name {
            type Array = $array;
            type Item<'a> = $item;
            #[inline]
            fn item(array: &Self::Array, row: usize) -> Self::Item<'_> {
                array.value(row)
            }
        }
    };
}

column!("CHAR and VARCHAR.", Text, StringArray, &'a str);
column!("BINARY and VARBINARY.", Bytes, BinaryArray, &'a [u8]);
column!("BIGINT.", Long, Int64Array, i64);
column!("DOUBLE.", Double, Float64Array, f64);
column!("BOOLEAN.", Flag, BooleanArray, bool);
column!("ARRAY.", List, ListArray, ArrayRef);

/// Reads one argument, be it an array or one value for all rows.
pub(crate) struct Reader<'a, C: Column> {
    array: &'a C::Array,
    stride: usize,
}

impl<'a, C: Column> Reader<'a, C> {
    pub(crate) fn new(value: &'a Value) -> Result<Self> {
        let array = value.array().as_any().downcast_ref::<C::Array>().ok_or_else(|| {
            Error::internal(format!("a kernel got {}", value.array().data_type()))
        })?;
        Ok(Self { array, stride: usize::from(!value.is_scalar()) })
    }

    #[inline]
    pub(crate) fn is_null(&self, row: usize) -> bool {
        self.array.is_null(row * self.stride)
    }

    #[inline]
    pub(crate) fn at(&self, row: usize) -> C::Item<'a> {
        C::item(self.array, row * self.stride)
    }

    /// The value, or `None` for NULL.
    #[inline]
    pub(crate) fn get(&self, row: usize) -> Option<C::Item<'a>> {
        (!self.is_null(row)).then(|| self.at(row))
    }
}

/// Builds the result of a kernel.
pub(crate) trait Sink: 'static {
    fn with_rows(rows: usize) -> Self;
    fn null(&mut self);
    fn finish(self) -> ArrayRef;
}

macro_rules! sink {
    ($builder:ty, $rows:ident => $new:expr) => {
        impl Sink for $builder {
            fn with_rows($rows: usize) -> Self {
                $new
            }
            fn null(&mut self) {
                self.append_null();
            }
            fn finish(mut self) -> ArrayRef {
                Arc::new(<$builder>::finish(&mut self))
            }
        }
    };
}

sink!(StringBuilder, rows => StringBuilder::with_capacity(rows, rows * 16));
sink!(BinaryBuilder, rows => BinaryBuilder::with_capacity(rows, rows * 16));
sink!(BooleanBuilder, rows => BooleanBuilder::with_capacity(rows));
sink!(Int32Builder, rows => Int32Builder::with_capacity(rows));
sink!(Int64Builder, rows => Int64Builder::with_capacity(rows));
sink!(Float64Builder, rows => Float64Builder::with_capacity(rows));
sink!(ListBuilder<Int32Builder>, rows => ListBuilder::with_capacity(Int32Builder::new(), rows));
sink!(ListBuilder<StringBuilder>, rows => ListBuilder::with_capacity(StringBuilder::new(), rows));

/// How many rows to compute: one if everything is a scalar.
pub(crate) fn extent(values: &[Value], rows: usize) -> (usize, bool) {
    let scalar = values.iter().all(Value::is_scalar);
    (if scalar { 1 } else { rows }, scalar)
}

/// The result in the form its inputs had.
pub(crate) fn wrap(array: ArrayRef, scalar: bool) -> Value {
    if scalar { Value::Scalar(array) } else { Value::Array(array) }
}

macro_rules! kernels {
    ($name:ident, $with:ident, $($column:ident $value:ident $index:tt),+) => {
        /// A kernel that calls `row` with the values of each row; it must append exactly one value.
        pub(crate) fn $name<$($column: Column,)+ S: Sink>(
            row: impl for<'a> Fn($($column::Item<'a>,)+ &mut S) -> Result<()> + Send + Sync + 'static,
        ) -> Kernel {
            $with::<$($column,)+ S, ()>(|| (), move |(), $($value,)+ sink| row($($value,)+ sink))
        }

        /// The same with a value made once a batch: a buffer, or the last pattern compiled.
        pub(crate) fn $with<$($column: Column,)+ S: Sink, T>(
            batch: impl Fn() -> T + Send + Sync + 'static,
            row: impl for<'a> Fn(&mut T, $($column::Item<'a>,)+ &mut S) -> Result<()>
                + Send + Sync + 'static,
        ) -> Kernel {
            Arc::new(move |values, rows, _| {
                let (extent, scalar) = extent(values, rows);
                $(let $value = Reader::<$column>::new(&values[$index])?;)+
                let mut sink = S::with_rows(extent);
                let mut kept = batch();
                for i in 0..extent {
                    if $($value.is_null(i))||+ {
                        sink.null();
                    } else {
                        row(&mut kept, $($value.at(i),)+ &mut sink)?;
                    }
                }
                Ok(wrap(sink.finish(), scalar))
            })
        }
    };
}

kernels!(map1, map1_with, A a 0);
kernels!(map2, map2_with, A a 0, B b 1);
kernels!(map3, map3_with, A a 0, B b 1, C c 2);
kernels!(map4, map4_with, A a 0, B b 1, C c 2, D d 3);

/// Appends the text or NULL.
#[inline]
pub(crate) fn put(sink: &mut StringBuilder, text: Option<&str>) -> Result<()> {
    sink.append_option(text);
    Ok(())
}
