//! What a rehearsal plays: all of it, once, in order, whatever the cuts.

use std::pin::pin;
use std::task::{Context, Poll, Waker};

use mainstem_core::Result;
use mainstem_core::ingest::RandomAccess;

use super::*;

#[derive(Debug)]
struct Text(Arc<str>, &'static [u8]);

impl RandomAccess for Text {
    fn path(&self) -> &Arc<str> {
        &self.0
    }

    fn read_at(&self, offset: u64, buffer: &mut [u8]) -> Result<usize> {
        let rest = &self.1[offset as usize..];
        // Short reads are allowed.
        let count = rest.len().min(buffer.len()).min(3);
        buffer[..count].copy_from_slice(&rest[..count]);
        Ok(count)
    }

    fn line_at(&self, _: u64) -> Result<u64> {
        Ok(1)
    }
}

fn unread(text: &'static str, from: u64, to: u64) -> Payload {
    let file = Arc::new(Text("f".into(), text.as_bytes()));
    Payload::Unread(Unread { file, range: from..to })
}

fn lines(text: &'static str) -> Payload {
    let data = text.as_bytes().into();
    Payload::Lines(Lines { data, path: "f".into(), first_line: LineNumber::Known(1) })
}

fn rows(first: u64, count: u32) -> Payload {
    Payload::Rows(RowRange { first, count, at_ms: 0 })
}

fn show(payload: &Payload) -> String {
    match payload {
        Payload::Unread(unread) => format!("{}-{}", unread.range.start, unread.range.end),
        Payload::Lines(lines) => String::from_utf8_lossy(&lines.data).into_owned(),
        Payload::Rows(range) => format!("{}+{}", range.first, range.count),
        other => format!("{other:?}"),
    }
}

#[test]
fn payloads_are_cut_into_rows() {
    for (payload, expected) in [
        (unread("ab\ncd\nef\n", 0, 9), vec!["0-3", "3-6", "6-9"]),
        (unread("ab\ncd\nef", 1, 8), vec!["1-3", "3-6", "6-8"]),
        (unread("ab\ncd\nef", 3, 4), vec!["3-4"]),
        (unread("", 0, 0), vec!["0-0"]),
        (unread("ab", 0, 2), vec!["0-2"]),
        (lines("a\n\nb"), vec!["a\n", "\n", "b"]),
        (lines(""), vec![""]),
        (rows(7, 3), vec!["7+1", "8+1", "9+1"]),
        (rows(7, 0), vec!["7+0"]),
    ] {
        assert_eq!(pieces(payload).iter().map(show).collect::<Vec<_>>(), expected);
    }
}

/// The steps of a job with two sources, each as text, until the end of both.
fn steps(cuts: Cuts) -> Vec<String> {
    let ports = [InputPort::new(1 << 20), InputPort::new(1 << 20)];
    let mut rehearsal = Rehearsal::new(cuts, 2).unwrap();
    let put = |port: usize, split: u32, first: u64, count: u32| {
        let sent = ports[port].send(split, rows(first, count), 10);
        // There is room: it is ready at once.
        let done = pin!(sent).poll(&mut Context::from_waker(Waker::noop()));
        assert!(matches!(done, Poll::Ready(Ok(()))));
    };
    ports[0].add_split(0);
    put(0, 0, 0, 2);
    let (headers, all) = rehearsal.take(&ports);
    assert!(all.is_empty() && headers.iter().all(|header| !header.finished), "more may come");
    put(0, 0, 2, 3);
    ports[0].close_split(0);
    ports[0].add_split(1);
    put(0, 1, 5, 2);
    ports[0].close_split(1);
    ports[1].add_split(0);
    put(1, 0, 100, 3);
    ports[1].close_split(0);
    ports.iter().for_each(|port| port.finish());
    let mut steps = Vec::new();
    loop {
        let (headers, all) = rehearsal.take(&ports);
        let mut step = String::new();
        for (source, header) in headers.iter().enumerate() {
            for split in &header.added {
                step.push_str(&format!("{source}.{split}( "));
            }
            for payload in all.iter().filter(|payload| payload.source == source) {
                step.push_str(&format!("{} ", show(&payload.payload)));
            }
            for split in &header.ended {
                step.push_str(&format!("{source}.{split}) "));
            }
        }
        steps.push(step.trim_end().to_owned());
        if headers.iter().all(|header| header.finished) {
            return steps;
        }
        assert!(steps.len() < 100, "it ends");
    }
}

#[test]
fn row_by_row_the_sources_take_turns() {
    let expected = [
        "0.0( 0+1",
        "1.0( 100+1",
        "1+1",
        "101+1",
        "2+1",
        "102+1 1.0)",
        "3+1",
        "",
        "4+1 0.0)",
        "0.1( 5+1",
        "6+1 0.1)",
        "",
    ];
    assert_eq!(steps(Cuts::EachRow), expected);
}

#[test]
fn random_cuts_play_all_in_order_and_can_be_repeated() {
    let mut seen = std::collections::BTreeSet::new();
    for seed in 0..50 {
        let cut = steps(Cuts::Random { seed });
        assert_eq!(cut, steps(Cuts::Random { seed }));
        let of = |keep: fn(u64) -> bool| -> Vec<u64> {
            let words = cut.iter().flat_map(|step| step.split(' '));
            let rows = words.filter_map(|word| word.strip_suffix("+1")?.parse().ok());
            rows.filter(|row| keep(*row)).collect()
        };
        assert_eq!(of(|row| row < 100), (0..7).collect::<Vec<_>>(), "seed {seed}");
        assert_eq!(of(|row| row >= 100), [100, 101, 102], "seed {seed}");
        seen.insert(cut);
    }
    assert!(seen.len() > 20, "seeds differ: {}", seen.len());
}
