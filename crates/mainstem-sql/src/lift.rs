//! Kernels made of plain functions: what a scalar operation does to one array or two, lifted to `Value`s.
//! Invariant: scalars in, scalar out; a null in any operand is a null out unless the function says otherwise.

use std::sync::Arc;

use arrow_array::cast::AsArray;
use arrow_array::{
    Array, ArrayRef, ArrowPrimitiveType, Datum, PrimitiveArray, Scalar, StringArray,
};
use arrow_buffer::{Buffer, NullBuffer, OffsetBuffer};
use mainstem_core::Result;
use mainstem_engine::expr::{EvalContext, Value};

use crate::functions::Kernel;

/// From one array to another of the same length.
pub(crate) type Convert = Arc<dyn Fn(&ArrayRef) -> Result<ArrayRef> + Send + Sync>;

/// A kernel of one argument.
pub(crate) fn unary<F>(convert: F) -> Kernel
where
    F: Fn(&ArrayRef) -> Result<ArrayRef> + Send + Sync + 'static,
{
    Arc::new(move |arguments: &[Value], _rows: usize, _cx: &EvalContext| {
        Ok(match &arguments[0] {
            Value::Array(array) => Value::Array(convert(array)?),
            Value::Scalar(one) => Value::Scalar(convert(one)?),
        })
    })
}

/// A kernel of any number of arguments that are made equally long: of the batch's length, or of length 1 when all
/// are scalars (and then the result is one).
pub(crate) fn zipped<F>(combine: F) -> Kernel
where
    F: Fn(&[ArrayRef]) -> Result<ArrayRef> + Send + Sync + 'static,
{
    Arc::new(move |arguments: &[Value], rows: usize, _cx: &EvalContext| {
        if arguments.iter().all(Value::is_scalar) {
            let ones: Vec<ArrayRef> =
                arguments.iter().map(|a| ArrayRef::clone(a.array())).collect();
            return Ok(Value::Scalar(combine(&ones)?));
        }
        let arrays: Vec<ArrayRef> =
            arguments.iter().map(|a| a.clone().into_array(rows)).collect::<Result<_>>()?;
        Ok(Value::Array(combine(&arrays)?))
    })
}

/// One primitive at a time; nulls stay nulls.
pub(crate) fn map<I, O, F>(array: &ArrayRef, f: F) -> ArrayRef
where
    I: ArrowPrimitiveType,
    O: ArrowPrimitiveType,
    F: Fn(I::Native) -> O::Native,
{
    Arc::new(array.as_primitive::<I>().unary::<_, O>(f))
}

/// One primitive at a time; the first error ends it.
pub(crate) fn try_map<I, O, F>(array: &ArrayRef, f: F) -> Result<ArrayRef>
where
    I: ArrowPrimitiveType,
    O: ArrowPrimitiveType,
    F: Fn(I::Native) -> Result<O::Native>,
{
    Ok(Arc::new(array.as_primitive::<I>().try_unary::<_, O, mainstem_core::Error>(f)?))
}

/// Two primitives at a time, each array as long as the result or of length 1; the first error ends it.
pub(crate) fn try_zip<L, R, O, F>(left: &ArrayRef, right: &ArrayRef, f: F) -> Result<ArrayRef>
where
    L: ArrowPrimitiveType,
    R: ArrowPrimitiveType,
    O: ArrowPrimitiveType,
    F: Fn(L::Native, R::Native) -> Result<Option<O::Native>>,
{
    let (left, right) = (left.as_primitive::<L>(), right.as_primitive::<R>());
    let out: PrimitiveArray<O> = left
        .iter()
        .zip(right.iter())
        .map(|pair| match pair {
            (Some(l), Some(r)) => f(l, r),
            _ => Ok(None),
        })
        .collect::<Result<_>>()?;
    Ok(Arc::new(out))
}

/// One string at a time into a primitive.
pub(crate) fn parse<O, F>(array: &ArrayRef, f: F) -> Result<ArrayRef>
where
    O: ArrowPrimitiveType,
    F: Fn(&str) -> Result<Option<O::Native>>,
{
    let out: PrimitiveArray<O> = array
        .as_string::<i32>()
        .iter()
        .map(|text| text.map_or(Ok(None), &f))
        .collect::<Result<_>>()?;
    Ok(Arc::new(out))
}

/// Builds a string column by appending bytes of UTF-8, row by row.
#[derive(Debug)]
pub(crate) struct TextBuilder {
    pub(crate) bytes: Vec<u8>,
    offsets: Vec<i32>,
}

impl TextBuilder {
    pub(crate) fn new(rows: usize) -> Self {
        let mut offsets = Vec::with_capacity(rows + 1);
        offsets.push(0);
        Self { bytes: Vec::with_capacity(rows * 16), offsets }
    }

    /// Ends the row that was being appended to `bytes`.
    pub(crate) fn end_row(&mut self) {
        self.offsets.push(self.bytes.len() as i32);
    }

    /// The column; `nulls` says which rows are NULL.
    pub(crate) fn finish(self, nulls: Option<NullBuffer>) -> Result<ArrayRef> {
        let offsets = OffsetBuffer::new(self.offsets.into());
        Ok(Arc::new(StringArray::try_new(offsets, Buffer::from_vec(self.bytes), nulls)?))
    }
}

/// A string column from a printer of rows; NULL where `array` is.
pub(crate) fn print<F>(array: &dyn Array, mut push: F) -> Result<ArrayRef>
where
    F: FnMut(usize, &mut Vec<u8>),
{
    let mut text = TextBuilder::new(array.len());
    for row in 0..array.len() {
        if array.is_valid(row) {
            push(row, &mut text.bytes);
        }
        text.end_row();
    }
    text.finish(array.nulls().cloned())
}

/// A kernel over Arrow's own binary kernels, which take an array or one value on either side.
pub(crate) fn datums<F>(combine: F) -> Kernel
where
    F: Fn(&dyn Datum, &dyn Datum) -> Result<ArrayRef> + Send + Sync + 'static,
{
    Arc::new(move |arguments: &[Value], _rows: usize, _cx: &EvalContext| {
        let one = |value: &Value| Scalar::new(ArrayRef::clone(value.array()));
        let (left, right) = (&arguments[0], &arguments[1]);
        Ok(match (left.is_scalar(), right.is_scalar()) {
            (true, true) => Value::Scalar(combine(&one(left), &one(right))?),
            (true, false) => Value::Array(combine(&one(left), right.array())?),
            (false, true) => Value::Array(combine(left.array(), &one(right))?),
            (false, false) => Value::Array(combine(left.array(), right.array())?),
        })
    })
}
