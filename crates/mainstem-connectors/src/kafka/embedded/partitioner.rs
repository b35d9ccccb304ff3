//! Which partition a record belongs to: by the hash of its key, as Java's clients and our librdkafka settings choose it
//! (murmur2), so that all producers of a topic agree. Records without a key go to one partition a call, and to another one
//! the next time.

/// Chooses partitions; one a sink.
#[derive(Debug, Default)]
pub(super) struct Partitioner {
    next: usize,
}

impl Partitioner {
    /// The partition for keyless records of this call.
    pub(super) fn turn(&mut self, count: usize) -> usize {
        let turn = self.next % count;
        self.next = turn + 1;
        turn
    }
}

/// The partition of a key among `count`.
pub(super) fn of_key(key: &[u8], count: usize) -> usize {
    (murmur2(key) & 0x7fff_ffff) as usize % count
}

/// MurmurHash2 (Austin Appleby, public domain) with the seed that Kafka uses.
fn murmur2(key: &[u8]) -> u32 {
    const SEED: u32 = 0x9747_b28c;
    const M: u32 = 0x5bd1_e995;
    const R: u32 = 24;
    let mut hash = SEED ^ key.len() as u32;
    let mut chunks = key.chunks_exact(4);
    for chunk in &mut chunks {
        let mut k = u32::from_le_bytes(chunk.try_into().expect("a chunk has 4 bytes"));
        k = k.wrapping_mul(M);
        k ^= k >> R;
        k = k.wrapping_mul(M);
        hash = hash.wrapping_mul(M) ^ k;
    }
    let rest = chunks.remainder();
    if !rest.is_empty() {
        for (index, byte) in rest.iter().enumerate() {
            hash ^= u32::from(*byte) << (8 * index);
        }
        hash = hash.wrapping_mul(M);
    }
    hash ^= hash >> 13;
    hash = hash.wrapping_mul(M);
    hash ^ (hash >> 15)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The values that Apache Kafka's own test of its hash expects.
    #[test]
    fn hashes_are_those_of_java() {
        for (key, expected) in [
            ("21", -973_932_308),
            ("foobar", -790_332_482),
            ("a-little-bit-long-string", -985_981_536),
            ("a-little-bit-longer-string", -1_486_304_829),
            ("lkjh234lh9fiuh90y23oiuhsafujhadof229phr9h19h89h8", -58_897_971),
            ("abc", 479_470_107),
        ] {
            assert_eq!(murmur2(key.as_bytes()) as i32, expected, "{key}");
        }
    }

    #[test]
    fn keyless_records_take_turns() {
        let mut partitioner = Partitioner::default();
        let turns: Vec<usize> = (0..5).map(|_| partitioner.turn(3)).collect();
        assert_eq!(turns, [0, 1, 2, 0, 1]);
        assert_eq!(partitioner.turn(1), 0, "fewer partitions than before");
    }
}
