//! BITMAP values: sets of 32-bit integers, carried as bytes in the portable format of RoaringBitmap.
//! Invariant: equal sets have equal bytes, as what is written is always in its smallest form; so a key, a join or an
//! equality compares bytes. Integers are unsigned, as in Flink: -1 is the greatest.

pub use roaring::RoaringBitmap as Bitmap;

use crate::java_format::push_integer;
use crate::{Error, Result};

/// The set of these bytes, which may come from elsewhere.
pub fn read(bytes: &[u8]) -> Result<Bitmap> {
    Bitmap::deserialize_from(bytes).map_err(|e| {
        Error::user(format!("these {} bytes are no bitmap", bytes.len()))
            .with_detail(e.to_string())
            .with_hint("BITMAP_FROM_BYTES takes the portable format of RoaringBitmap")
    })
}

/// The bytes of a set.
pub fn write(mut set: Bitmap) -> Vec<u8> {
    set.remove_run_compression();
    set.optimize();
    let mut bytes = Vec::with_capacity(set.serialized_size());
    set.serialize_into(&mut bytes).expect("a Vec takes all bytes");
    bytes
}

/// Appends `{1,2,3}`.
pub fn print(set: &Bitmap, out: &mut Vec<u8>) {
    out.push(b'{');
    for (i, value) in set.iter().enumerate() {
        if i > 0 {
            out.push(b',');
        }
        push_integer(out, i64::from(value));
    }
    out.push(b'}');
}
