//! The format, beside another implementation of it.

use super::*;
use bytes::Bytes;
use kafka_wire_core::DecodeLimits;
use kafka_wire_records as other;
use proptest::prelude::*;

const CODECS: [(Compression, other::Compression); 5] = [
    (Compression::None, other::Compression::None),
    (Compression::Gzip, other::Compression::Gzip),
    (Compression::Snappy, other::Compression::Snappy),
    (Compression::Lz4, other::Compression::Lz4),
    (Compression::Zstd, other::Compression::Zstd),
];

fn other_limits() -> other::RecordDecodeLimits {
    other::RecordDecodeLimits::new(1 << 20, 1 << 20, DecodeLimits::default())
}

#[test]
fn ours_reads_what_the_other_writes_and_the_other_reads_ours() {
    for (ours, theirs) in CODECS {
        let mut builder = BatchBuilder::new(ours).with_producer(7, 1, 5).transactional();
        let long = "long ".repeat(20_000);
        builder.push(100, Some(b"k"), Some(long.as_bytes()), &[("h", Some(b"x")), ("h", None)]);
        builder.push(90, None, None, &[]);
        builder.push(300, Some(b""), Some(b""), &[]);
        let batch = builder.finish().unwrap();
        let mut bytes = batch.bytes().clone();
        let decoded = other::RecordBatch::decode(&mut bytes, other_limits()).unwrap();
        assert_eq!((decoded.compression, decoded.records.len()), (theirs, 3));
        assert_eq!((decoded.base_sequence, decoded.max_timestamp), (5, 300));
        assert_eq!(decoded.records[0].headers.len(), 2);
        let limits = other::RecordEncodeLimits::new(1 << 20, 1 << 20);
        let again = RecordBatch::parse(decoded.encode_to_bytes(limits).unwrap()).unwrap();
        let (a, b) =
            (batch.records(RecordLimits::default()), again.records(RecordLimits::default()));
        let (a, b) = (a.unwrap(), b.unwrap());
        let rows = |records: &Records| -> Vec<_> {
            records.iter().map(|r| r.unwrap()).map(|r| format!("{r:?}")).collect()
        };
        assert_eq!(rows(&a), rows(&b));
        let small = RecordLimits { decompressed_bytes_max: 1_000 };
        if ours != Compression::None {
            assert_eq!(
                batch.records(small).unwrap_err(),
                BatchError::TooLarge { bytes_max: 1_000 }
            );
        }
    }
}

#[test]
fn damaged_batches_are_refused() {
    let good = batch(&["value"]);
    let patched = |at: usize, bytes: &[u8]| {
        let mut batch = good.bytes().to_vec();
        batch[at..at + bytes.len()].copy_from_slice(bytes);
        let (head, records) = batch.split_first_chunk_mut().unwrap();
        record_batch::patch_crc(head, records);
        RecordBatch::parse(batch.into())
    };
    let size = good.bytes().len();
    assert!(matches!(patched(8, &[0xff; 4]), Err(BatchError::BadLength(-1))));
    assert!(matches!(patched(8, &[0x7f, 0xff, 0xff, 0]), Err(BatchError::Truncated { .. })));
    assert!(matches!(patched(16, &[1]), Err(BatchError::UnsupportedMagic(1))));
    assert!(matches!(patched(22, &[5]), Err(BatchError::UnknownCompression(5))));
    for count in [[0x7f, 0xff, 0xff, 0xff], [0xff; 4], [0, 0, 0, 2]] {
        assert!(matches!(patched(57, &count), Err(BatchError::BadCounts { .. })));
    }
    for cut in 0..size {
        assert!(RecordBatch::parse(good.bytes().slice(..cut)).is_err());
        assert!(RecordBatch::parse_next(&mut good.bytes().slice(..cut)).is_none());
    }
    for bit in 21 * 8..size * 8 {
        let mut bytes = good.bytes().to_vec();
        bytes[bit / 8] ^= 1 << (bit % 8);
        assert!(RecordBatch::parse(bytes.into()).is_err());
    }
}

proptest! {
    #[test]
    fn no_bytes_make_the_cursor_panic(
        records in prop::collection::vec(any::<u8>(), 0..200),
        count in 0_i32..30,
        codec in 0_usize..5,
    ) {
        let mut bytes = batch(&["x"]).bytes()[..HEADER_BYTES].to_vec();
        bytes.extend_from_slice(&records);
        let length = (bytes.len() - 12) as i32;
        bytes[8..12].copy_from_slice(&length.to_be_bytes());
        bytes[22] = codec as u8;
        bytes[23..27].copy_from_slice(&count.to_be_bytes());
        bytes[57..61].copy_from_slice(&count.to_be_bytes());
        let (head, records) = bytes.split_first_chunk_mut().unwrap();
        record_batch::patch_crc(head, records);
        if let Ok(batch) = RecordBatch::parse(Bytes::from(bytes))
            && let Ok(records) = batch.records(RecordLimits { decompressed_bytes_max: 1 << 16 })
        {
            let read: Vec<_> = records.iter().collect();
            prop_assert!(read.len() <= count as usize + 1);
            for record in read.into_iter().flatten() {
                prop_assert!(record.headers.count() <= 200);
            }
        }
    }
}
