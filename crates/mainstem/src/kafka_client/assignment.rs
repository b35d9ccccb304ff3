//! Which partitions a member of a consumer group was given, from the bytes that its leader wrote.
//! Layout (Kafka's ConsumerProtocolAssignment): version i16, count i32, then per topic its name (i16 length, bytes)
//! and its partitions (i32 count, i32 each); what follows belongs to the assignor. All big endian.
//! Invariant: the bytes come from strangers; every count is checked against what is left before anything is held.

/// Topics with partitions; `None` for bytes that do not read like this.
pub(super) fn parse(bytes: &[u8]) -> Option<Vec<(String, Vec<i32>)>> {
    // A member that has been given nothing yet.
    if bytes.is_empty() {
        return Some(Vec::new());
    }
    let mut rest = bytes;
    let version = i16::from_be_bytes(take(&mut rest)?);
    if version < 0 {
        return None;
    }
    // A topic takes six bytes at least, a partition four.
    let topics = length(i32::from_be_bytes(take(&mut rest)?), rest, 6)?;
    let mut assigned = Vec::with_capacity(topics);
    for _ in 0..topics {
        let name_bytes = length(i16::from_be_bytes(take(&mut rest)?).into(), rest, 1)?;
        let (name, after) = rest.split_at(name_bytes);
        rest = after;
        let partitions = length(i32::from_be_bytes(take(&mut rest)?), rest, 4)?;
        let mut ids = Vec::with_capacity(partitions);
        for _ in 0..partitions {
            ids.push(i32::from_be_bytes(take(&mut rest)?));
        }
        assigned.push((std::str::from_utf8(name).ok()?.to_owned(), ids));
    }
    Some(assigned)
}

fn take<const N: usize>(rest: &mut &[u8]) -> Option<[u8; N]> {
    let (first, after) = rest.split_first_chunk::<N>()?;
    *rest = after;
    Some(*first)
}

/// A count of things that take at least `each` bytes, if so many can follow.
fn length(count: i32, rest: &[u8], each: usize) -> Option<usize> {
    usize::try_from(count).ok().filter(|count| *count <= rest.len() / each)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn assignments() {
        let good = b"\0\x01\0\0\0\x01\0\x01t\0\0\0\x02\0\0\0\0\0\0\0\x05\xff\xff\xff\xff";
        assert_eq!(parse(good), Some(vec![("t".to_owned(), vec![0, 5])]));
        assert_eq!(parse(b""), Some(vec![]));
        assert_eq!(parse(b"\0\x03\0\0\0\0"), Some(vec![]));
        for bad in [
            &b"\0"[..],
            b"\xff\xff\0\0\0\0",
            b"\0\0\x7f\xff\xff\xff",
            b"\0\0\xff\xff\xff\xff",
            b"\0\0\0\0\0\x01\0\x09t\0\0\0\0",
            b"\0\0\0\0\0\x01\0\x01\xff\0\0\0\0",
            b"\0\0\0\0\0\x01\0\x01t\x7f\0\0\0\0\0\0\0",
        ] {
            assert_eq!(parse(bad), None, "{bad:?}");
        }
        for end in 1..good.len() - 4 {
            assert_eq!(parse(&good[..end]), None, "{end} bytes");
        }
    }
}
