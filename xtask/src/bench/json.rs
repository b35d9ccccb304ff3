//! Ours beside other readers of JSON: the Rust ones inside one process (`benches/json` of mainstem-connectors), DuckDB in its
//! own, over the same bytes.
//! Invariant: all give the same number of rows, or it is an error; the Rust readers' columns are compared there. Here alone
//! times are taken inside of programs: CPU time of one thread, because starting would drown what is measured.

use std::path::Path;
use std::process::{Command, Stdio};

use super::engines::{Engines, Peer};
use super::measure::Program;
use super::report::Section;
use super::table::{Table, per_second, percent, times};
use crate::error::{Error, Result};
use crate::{layout, process};

/// A case of the Rust readers as DuckDB is told of it: kind of records, columns, condition.
const CASES: &[(&str, &str, &[&str])] = &[
    ("payments, all 5 columns", "payments", &["*"]),
    (
        "payments, 3 of 5 columns, paid only",
        "payments",
        &["total_paid,event_timestamp,user_id", "Paid"],
    ),
    ("events, all 20 columns", "events", &["*"]),
    ("events, 3 of 20 columns", "events", &["name_2,price_6,at_14"]),
];

/// One reader in one case.
#[derive(Debug, PartialEq)]
struct Measured {
    case: String,
    reader: String,
    bytes: f64,
    rows_in: f64,
    rows_out: f64,
    seconds: f64,
    spread: f64,
}

impl Measured {
    /// A line of numbers between tabs, as the programs print it.
    fn parse(line: &str) -> Option<Self> {
        let fields: Vec<&str> = line.split('\t').collect();
        let &[case, reader, ref numbers @ ..] = fields.as_slice() else { return None };
        let numbers: Vec<f64> = numbers.iter().map(|n| n.parse().ok()).collect::<Option<_>>()?;
        let [bytes, rows_in, rows_out, seconds, spread] = numbers[..] else { return None };
        let (case, reader) = (case.to_owned(), reader.to_owned());
        Some(Self { case, reader, bytes, rows_in, rows_out, seconds, spread })
    }
}

pub(crate) fn run(engines: &Engines, folder: &Path) -> Result<Section> {
    let folder = folder.join("json");
    layout::create_folder(&folder)?;
    let mut cargo = Command::new("cargo");
    cargo.args(["bench", "--quiet", "-p", "mainstem-connectors", "--bench", "json"]);
    cargo.args(["--", "rivals"]).arg(&folder);
    let text = process::capture(cargo.current_dir(layout::root()).stdin(Stdio::null()))?;
    let all = parse(&text)?;
    let mut commands = vec!["cargo bench -p mainstem-connectors --bench json -- rivals".to_owned()];
    let mut table = Table::new(2, &["case", "reader", "GB/s", "rows/s", "spread", "ours is x"]);
    for (case, kind, query) in CASES {
        let mut measured: Vec<&Measured> = all.iter().filter(|one| one.case == *case).collect();
        let duckdb = match engines.peers.contains(&Peer::Duckdb) {
            false => Vec::new(),
            true => {
                let input = folder.join(format!("{kind}.jsonl"));
                let mut args = vec![Path::new(case), Path::new(kind), &input];
                args.extend(query.iter().map(Path::new));
                let program = engines.duckdb("json.py", &args, None);
                commands.push(program.line());
                parse(&output_of(&program)?)?
            }
        };
        measured.extend(&duckdb);
        rows(&mut table, &measured)?;
    }
    let intro = "Lines of JSON that are in memory become Arrow columns, on one thread: the payments of above, and events of 20 \
fields. CPU time of that thread, median of 21 passes. Rust readers take turns in one process and their columns are compared with ours; all are compiled for any \
x86-64 (simd-json chooses its instructions at the start, sonic-rs is at its best only when compiled for one processor). simd-json, sonic-rs and serde_json are \
libraries without columns: the shortest loop from them to Arrow's builders stands around them. DuckDB makes its own vectors and throws them away; \
it reads its file from the kernel's cache and cuts it into lines itself, which the others are given as bytes too but have in memory.";
    let mut section = Section::new("Readers of JSON", intro.to_owned());
    section.table(&table);
    section.commands(&commands);
    Ok(section)
}

fn output_of(program: &Program) -> Result<String> {
    process::capture(Command::new(&program.words[0]).args(&program.words[1..]))
}

fn parse(text: &str) -> Result<Vec<Measured>> {
    let line = |line| {
        Measured::parse(line).ok_or_else(|| Error::new(format!("this is no result: {line}")))
    };
    text.lines().map(line).collect()
}

fn rows(table: &mut Table, measured: &[&Measured]) -> Result<()> {
    let Some(ours) = measured.first() else {
        return Err(Error::new("a case of the JSON readers was not measured"));
    };
    for one in measured {
        if (one.rows_in, one.rows_out) != (ours.rows_in, ours.rows_out) {
            return Err(Error::new(format!("{one:?} has other rows than {ours:?}")));
        }
        let ratio =
            (!one.reader.starts_with(Peer::Ours.name())).then(|| one.seconds / ours.seconds);
        table.push(vec![
            one.case.clone(),
            one.reader.clone(),
            format!("{:.2}", one.bytes / one.seconds / 1e9),
            per_second(Some(one.rows_in / one.seconds)),
            percent(one.spread),
            times(ratio),
        ]);
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn results_are_lines_of_seven_fields() {
        let [one] = &parse("a, b\tours\t10\t4\t2\t0.5\t0.1\n").unwrap()[..] else {
            panic!("one line")
        };
        assert_eq!((one.case.as_str(), one.reader.as_str()), ("a, b", "ours"));
        assert_eq!((one.bytes, one.rows_in, one.rows_out), (10.0, 4.0, 2.0));
        assert_eq!((one.seconds, one.spread), (0.5, 0.1));
        assert!(parse("a\tours\t10\t4\t2\t0.5\n").is_err());
        assert!(parse("a\tours\t10\t4\t2\t0.5\tmuch\n").is_err());
    }
}
