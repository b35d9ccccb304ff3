//! The types of aggregate calls against a real Flink: `testdata/aggregates/*.flink` holds `query => TYPE | ... => rows`
//! lines that `cargo xtask oracle --expressions` wrote. What the queries answer is compared by the binary's tests.

use std::collections::BTreeMap;
use std::path::Path;

use mainstem_sql::job::Step;
use mainstem_sql::script::ScriptSession;
use mainstem_sql::source::SourceText;

use crate::plans::connectors;

/// The types of the query's columns, as DESCRIBE writes them, or the error.
fn ours(query: &str) -> Result<Vec<String>, String> {
    let text = format!("CREATE VIEW v AS {query};\nDESCRIBE v;");
    let source = SourceText::new("aggregate", &text, &BTreeMap::new()).expect("no variables");
    let mut session = ScriptSession::new(connectors());
    session.run(&source).map_err(|errors| errors[0].to_string())?;
    let steps = session.finish().map_err(|errors| errors[0].to_string())?;
    let Some(Step::Text(lines)) = steps.into_iter().next() else {
        return Err("DESCRIBE shows nothing".to_owned());
    };
    let of_line = |line: &String| {
        let cells: Vec<&str> = line.split('\t').collect();
        let null = if cells[2] == "TRUE" { "" } else { " NOT NULL" };
        format!("{}{null}", cells[1])
    };
    Ok(lines.iter().skip(1).map(of_line).collect())
}

#[test]
fn aggregates_have_flinks_types() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("testdata/aggregates");
    let (mut checked, mut wrong) = (0, Vec::new());
    let differences = std::fs::read_to_string(folder.join("differences.txt")).expect("readable");
    let excused: Vec<&str> =
        differences.lines().filter_map(|l| l.split_once(" :: ")).map(|(query, _)| query).collect();
    for entry in std::fs::read_dir(folder).expect("part of the repository") {
        let path = entry.expect("readable").path();
        if path.extension().is_none_or(|e| e != "flink") {
            continue;
        }
        for line in std::fs::read_to_string(path).expect("readable").lines() {
            let Some((query, answer)) = line.split_once(" => ") else { continue };
            checked += 1;
            let expected = answer.split_once(" => ").map(|(types, _)| {
                let types = types.replace("VARCHAR(2147483647)", "STRING");
                types.split(" | ").map(str::to_owned).collect::<Vec<_>>()
            });
            if excused.contains(&query) {
                continue;
            }
            match (expected, ours(query)) {
                (None, Err(_)) => {}
                (Some(expected), Ok(types)) if expected == types => {}
                (expected, ours) => {
                    wrong.push(format!("{query}\n  flink {expected:?}\n  ours  {ours:?}"))
                }
            }
        }
    }
    assert!(checked > 200, "there are {checked} rows");
    assert!(wrong.is_empty(), "{} of {checked} differ\n{}", wrong.len(), wrong.join("\n"));
}
