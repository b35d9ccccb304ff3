//! Checkpoints for people.
//! Invariant: pure text from values; positions read as the connectors say them, and what only its owner understands is counted.

use std::fmt::Write as _;

use mainstem_connectors::api::Position;
use mainstem_state::manifest::{Manifest, Opaque, SourceRecord, SplitRecord, TableRecord};

use super::folder::{Found, Standing};
use super::verify::Verdict;
use crate::kafka_client::columns::{Align, Columns, count};
use crate::pipeline::report::{duration, size, time_text};

/// More splits of a source are counted and not listed.
const SPLITS_LISTED: usize = 3;
/// The table of every operator's watermark: it is always there, and small.
const PROGRESS: &str = "progress";
/// More damaged blocks are counted and not listed.
const DAMAGE_LISTED: usize = 10;

fn line(text: &mut String, content: std::fmt::Arguments<'_>) {
    writeln!(text, "{content}").expect("a String takes all");
}

fn age(manifest: &Manifest, now_ms: i64) -> String {
    duration(now_ms.saturating_sub(manifest.at_ms).max(0) as f64 / 1000.0)
}

/// All checkpoints of a directory.
pub(super) fn list(found: &[Found], now_ms: i64) -> String {
    let mut columns = Columns::new(&[
        ("CHECKPOINT", Align::Right),
        ("MADE (UTC)", Align::Left),
        ("AGE", Align::Right),
        ("STATE", Align::Right),
        ("STANDING", Align::Left),
        ("SOURCES", Align::Left),
    ]);
    for Found { id, manifest, standing } in found {
        let dash = || "-".to_owned();
        let standing = match standing {
            Standing::Complete if manifest.as_ref().is_some_and(|m| m.ended) => {
                "complete, all input had ended".to_owned()
            }
            Standing::Complete => "complete".to_owned(),
            Standing::Begun => "not complete: it has no manifest".to_owned(),
            Standing::Damaged(error) => format!("damaged: {error}"),
        };
        let row = match manifest {
            Some(m) => [time_text(m.at_ms), age(m, now_ms), size(m.bytes()), standing, sources(m)],
            None => [dash(), dash(), dash(), standing, dash()],
        };
        columns.push(std::iter::once(id.to_string()).chain(row));
    }
    columns.text("")
}

/// `bids: bids-0 at 1200, bids-1 at 900; users: users.csv ended`.
fn sources(manifest: &Manifest) -> String {
    let source = |source: &SourceRecord| {
        let splits = source.splits.iter().take(SPLITS_LISTED);
        let mut splits: Vec<String> =
            splits.map(|split| format!("{} {}", split.id, place(split))).collect();
        if let Some(more) = source.splits.len().checked_sub(SPLITS_LISTED).filter(|&n| n > 0) {
            splits.push(format!("{more} more"));
        }
        let splits = if splits.is_empty() { "no splits".to_owned() } else { splits.join(", ") };
        format!("{}: {splits}", source.table)
    };
    manifest.sources.iter().map(source).collect::<Vec<_>>().join("; ")
}

/// How far a split was read.
fn place(split: &SplitRecord) -> String {
    match &split.position {
        _ if split.ended => "ended".to_owned(),
        None => "not read".to_owned(),
        Some(Opaque(bytes)) => format!("at {}", Position(bytes.clone())),
    }
}

/// One checkpoint.
pub(super) fn show(found: &Found, folder: &str, now_ms: i64) -> String {
    let Some(manifest) = &found.manifest else { return String::new() };
    let Manifest { id, at_ms, mainstem, workers, .. } = manifest;
    let mut text = String::new();
    line(&mut text, format_args!("checkpoint {id} of '{folder}'"));
    let (made, age) = (time_text(*at_ms), age(manifest, now_ms));
    line(&mut text, format_args!("  made      {made} UTC, {age} ago"));
    let workers = count(*workers as u64, "worker");
    line(&mut text, format_args!("  by        Mainstem {mainstem}, {workers}"));
    line(&mut text, format_args!("  state     {}", size(manifest.bytes())));
    if manifest.ended {
        text.push_str("  input     all of it had ended\n");
    }
    if let Standing::Damaged(error) = &found.standing {
        line(&mut text, format_args!("  damaged   {error}"));
    }
    text.push_str("\nsources\n");
    for source in &manifest.sources {
        let splits = count(source.splits.len() as u64, "split");
        let finished = if source.finished { ", no more will come" } else { "" };
        line(&mut text, format_args!("  {}  {splits}{finished}", source.table));
        let width = source.splits.iter().map(|split| split.id.chars().count()).max().unwrap_or(0);
        for split in &source.splits {
            line(&mut text, format_args!("    {:width$}  {}", split.id, place(split)));
        }
    }
    text.push_str("\nsinks\n");
    for sink in &manifest.sinks {
        let bytes = sink.tokens.iter().map(|token| token.0.len() as u64).sum();
        let tokens = match sink.tokens.len() {
            0 => "nothing to show".to_owned(),
            number => {
                format!("{} to commit, {}", count(number as u64, "token"), size(bytes))
            }
        };
        line(&mut text, format_args!("  {}  {tokens}", sink.table));
    }
    text.push_str("\noperators with state\n");
    for operator in &manifest.operators {
        let mut tables = operator.tables.iter().filter(|table| table.name != PROGRESS).peekable();
        if tables.peek().is_none() {
            continue;
        }
        line(&mut text, format_args!("  {}", operator.name));
        for table in tables {
            let bytes: u64 = table.all_blocks().map(|block| block.bytes).sum();
            let (name, rows) = (&table.name, rows_text(table));
            line(&mut text, format_args!("    {name}: {rows}, {}", size(bytes)));
        }
    }
    text
}

/// How many rows a table has at most; known exactly if nothing was replaced or removed.
pub(super) fn rows(table: &TableRecord) -> (u64, bool) {
    let sum = |blocks: &[mainstem_state::run::BlockRef]| blocks.iter().map(|b| b.rows).sum::<u64>();
    let changes = table.changes.iter();
    let exact = changes.clone().all(|change| change.key.is_none() && change.removed.is_empty());
    (sum(&table.blocks) + changes.map(|change| sum(&change.rows)).sum::<u64>(), exact)
}

fn rows_text(table: &TableRecord) -> String {
    let (number, exact) = rows(table);
    let rows = count(number, "row");
    match exact {
        true => rows,
        false => format!("at most {rows} ({})", count(table.changes.len() as u64, "change")),
    }
}

/// What verifying a checkpoint gave.
pub(super) fn verdict(verdict: &Verdict) -> String {
    let Verdict { id, blocks, bytes, damage } = verdict;
    let mut text = String::new();
    if damage.is_empty() {
        let blocks = count(*blocks, "block");
        line(&mut text, format_args!("checkpoint {id}: whole, {blocks}, {}", size(*bytes)));
        return text;
    }
    line(&mut text, format_args!("checkpoint {id}: damaged"));
    for what in damage.iter().take(DAMAGE_LISTED) {
        line(&mut text, format_args!("  {what}"));
    }
    if let Some(more) = damage.len().checked_sub(DAMAGE_LISTED).filter(|&n| n > 0) {
        line(&mut text, format_args!("  and {} more", count(more as u64, "damaged block")));
    }
    text
}
