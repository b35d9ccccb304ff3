//! The live line and the summary of a job, from the engine's counters.
//! Invariant: pure text from numbers; no clock and no terminal here.

use std::fmt::Write as _;

use mainstem_engine::progress::Progress;

/// A shorter time says nothing about a rate.
const TELLING_SECONDS: f64 = 0.1;

/// A look at the counters, to tell rates from.
#[derive(Debug, Clone)]
pub(super) struct Look {
    pub(super) seconds: f64,
    pub(super) progress: Progress,
}

/// `rides 120k/s (1.2M) | rides_brl 110k/s (1.1M) | watermark 12:00:03, 1.2 s behind`.
pub(super) fn live_line(before: &Look, now: &Look, now_ms: i64) -> String {
    let seconds = (now.seconds - before.seconds).max(0.001);
    let rate = |name: &str, before: u64, now: u64| {
        let per_second = now.saturating_sub(before) as f64 / seconds;
        format!("{name} {}/s ({})", short(per_second), short(now as f64))
    };
    let ins = now.progress.sources.iter().zip(&before.progress.sources);
    let ins: Vec<String> = ins.map(|(n, b)| rate(&n.name, b.records, n.records)).collect();
    let outs = now.progress.sinks.iter().zip(&before.progress.sinks);
    let outs: Vec<String> = outs.map(|(n, b)| rate(&n.name, b.rows, n.rows)).collect();
    let mut line = format!("in {} | out {}", ins.join(", "), outs.join(", "));
    let watermark = now.progress.sources.iter().filter_map(|s| s.watermark).min();
    if let Some(watermark) = watermark.filter(|&w| w != i64::MAX) {
        let behind = now_ms.saturating_sub(watermark) as f64 / 1000.0;
        let text = format!(" | watermark {}, {} behind", time_text(watermark), duration(behind));
        line.push_str(&text);
    }
    if now.progress.state_rows > 0 {
        let state = short(now.progress.state_rows as f64);
        write!(line, " | state {state} rows").expect("a String takes all");
    }
    line
}

/// What a job did, a line a table.
pub(super) fn summary(end: &Look, drained: bool, dead_letters: u64) -> String {
    let seconds = end.seconds;
    let how = if drained { "stopped after" } else { "done in" };
    let mut text = format!("{how} {}\n", duration(end.seconds));
    let (sources, sinks) = (&end.progress.sources, &end.progress.sinks);
    let names = sources.iter().map(|s| &s.name).chain(sinks.iter().map(|s| &s.name));
    let width = names.map(|name| name.chars().count()).max().unwrap_or(0);
    let mut line = |way: &str, name: &str, count: u64, what: &str| {
        write!(text, "  {way:3}  {name:width$}  {count} {what}").expect("a String takes all");
        if seconds >= TELLING_SECONDS {
            let rate = short(count as f64 / seconds);
            write!(text, ", {rate}/s").expect("a String takes all");
        }
        text.push('\n');
    };
    for source in sources {
        line("in", &source.name, source.records, "records");
    }
    for sink in sinks {
        line("out", &sink.name, sink.rows, "rows");
    }
    let skipped: u64 = sources.iter().map(|s| s.skipped).sum();
    let losses = [
        (end.progress.late_rows, "late rows left out"),
        (skipped.saturating_sub(dead_letters), "bad records skipped"),
        (dead_letters, "bad records kept as dead letters"),
    ];
    for (count, what) in losses.into_iter().filter(|(count, _)| *count > 0) {
        writeln!(text, "  {count} {what}").expect("a String takes all");
    }
    text
}

/// `950`, `12.3k`, `4.56M`.
pub(crate) fn short(number: f64) -> String {
    match number {
        n if n < 9_999.5 => format!("{n:.0}"),
        n if n < 999_500.0 => format!("{:.1}k", n / 1e3),
        n if n < 999_500_000.0 => format!("{:.2}M", n / 1e6),
        n => format!("{:.2}G", n / 1e9),
    }
}

/// `950 B`, `12.3 KiB`, `4.56 GiB`.
pub(crate) fn size(bytes: u64) -> String {
    match bytes as f64 {
        b if b < 1023.5 => format!("{b:.0} B"),
        b if b < 1023.95 * 1024.0 => format!("{:.1} KiB", b / 1024.0),
        b if b < 1023.95 * 1_048_576.0 => format!("{:.1} MiB", b / 1_048_576.0),
        b => format!("{:.2} GiB", b / 1_073_741_824.0),
    }
}

/// `12 ms`, `3.2 s`, `5 min`.
pub(crate) fn duration(seconds: f64) -> String {
    match seconds {
        s if s < 1.0 => format!("{:.0} ms", s * 1000.0),
        s if s < 120.0 => format!("{s:.1} s"),
        s if s < 7200.0 => format!("{:.0} min", s / 60.0),
        s if s < 172_800.0 => format!("{:.0} h", s / 3600.0),
        s => format!("{:.0} days", s / 86_400.0),
    }
}

/// A point in time in UTC.
pub(crate) fn time_text(ms: i64) -> String {
    let mut text = Vec::new();
    mainstem_core::java_format::push_timestamp(
        &mut text,
        ms.div_euclid(1000) * 1000,
        arrow_schema::TimeUnit::Millisecond,
        b' ',
        mainstem_core::java_format::TimeStyle::Sql,
    );
    String::from_utf8_lossy(&text).into_owned()
}

#[cfg(test)]
mod tests {
    use mainstem_engine::progress::{SinkProgress, SourceProgress};

    use super::*;

    fn look(seconds: f64, records: u64, rows: u64) -> Look {
        let source = SourceProgress {
            name: "rides".into(),
            records,
            skipped: 3,
            watermark: Some(1_000_500),
            ..SourceProgress::default()
        };
        let sink = SinkProgress { name: "out".into(), rows, ..SinkProgress::default() };
        let progress = Progress {
            sources: vec![source],
            sinks: vec![sink],
            late_rows: 2,
            ..Progress::default()
        };
        Look { seconds, progress }
    }

    #[test]
    fn the_live_line_tells_rates_and_lag() {
        assert_eq!(
            live_line(&look(1.0, 1000, 10), &look(2.0, 121_000, 20), 1_002_000),
            "in rides 120.0k/s (121.0k) | out out 10/s (20) | watermark 1970-01-01 00:16:40, 1.5 s behind"
        );
    }

    #[test]
    fn the_summary_names_what_is_missing() {
        assert_eq!(
            summary(&look(2.0, 4_000_000, 20), false, 1),
            "done in 2.0 s\n  in   rides  4000000 records, 2.00M/s\n  out  out    20 rows, 10/s\n  \
             2 late rows left out\n  2 bad records skipped\n  1 bad records kept as dead letters\n"
        );
    }

    #[test]
    fn numbers_are_short() {
        for (number, expected) in
            [(0.0, "0"), (9_999.0, "9999"), (10_000.0, "10.0k"), (1.5e6, "1.50M")]
        {
            assert_eq!(short(number), expected);
        }
        for (bytes, expected) in [
            (0, "0 B"),
            (1023, "1023 B"),
            (1024, "1.0 KiB"),
            (1_048_575, "1.0 MiB"),
            (5 << 30, "5.00 GiB"),
        ] {
            assert_eq!(size(bytes), expected);
        }
        for (seconds, expected) in [(0.0123, "12 ms"), (3.21, "3.2 s"), (300.0, "5 min")] {
            assert_eq!(duration(seconds), expected);
        }
    }
}
