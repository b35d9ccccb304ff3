//! DDL and what shows it, against a real Flink: `testdata/statements/*.sql` beside the `.flink` that
//! `cargo xtask oracle --flink-only` wrote. Each statement ends with a semicolon at the end of a line. Where Flink
//! refuses a statement, so must we; what DESCRIBE and SHOW answer must be the same, but for the spelling of expressions
//! and of types. `differences.txt` lists the exceptions, each with its reason. Queries and INSERTs are planned, not run.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use mainstem_sql::job::Step;
use mainstem_sql::script::ScriptSession;
use mainstem_sql::source::SourceText;

use crate::plans::connectors;

/// By number of the statement: the rows it answered, or the error.
type Answers = BTreeMap<usize, Result<Vec<String>, String>>;

fn statements(text: &str) -> Vec<&str> {
    text.trim_end()
        .trim_end_matches(';')
        .split(";\n")
        .map(str::trim)
        .filter(|s| !s.is_empty())
        .collect()
}

fn is_query(statement: &str) -> bool {
    let word = statement.split(|c: char| !c.is_alphabetic()).find(|w| !w.is_empty());
    matches!(word, Some("SELECT" | "WITH" | "VALUES"))
}

/// What Flink said; its queries are counted apart from its statements.
fn golden(text: &str, statements: &[&str]) -> Answers {
    let queries: Vec<usize> =
        (0..statements.len()).filter(|&i| is_query(statements[i])).map(|i| i + 1).collect();
    let mut answers = Answers::new();
    let mut current = 0;
    for line in text.lines().filter(|l| !l.is_empty() && !l.starts_with("-- columns:")) {
        if let Some(number) = line.strip_prefix("-- statement ") {
            current = number.parse().expect("a number");
            answers.insert(current, Ok(Vec::new()));
        } else if let Some(number) = line.strip_prefix("-- query ") {
            current = queries[number.parse::<usize>().expect("a number") - 1];
            answers.insert(current, Ok(Vec::new()));
        } else if let Some(error) = line.strip_prefix("error: ") {
            answers.insert(current, Err(error.to_owned()));
        } else if let (Some(row), Some(Ok(rows))) =
            (line.strip_prefix("+I "), answers.get_mut(&current))
        {
            rows.push(row.to_owned());
        }
    }
    answers
}

/// The same text for what is the same: names without catalog and database, types by their usual names, expressions
/// without quotes and spaces.
fn normal(row: &str) -> String {
    row.replace("`default_catalog`.`default_database`.", "")
        .replace("VARCHAR(2147483647)", "STRING")
        .replace("VARBINARY(2147483647)", "BYTES")
        .replace("TIMESTAMP(6) WITH LOCAL TIME ZONE", "TIMESTAMP_LTZ(6)")
        .replace("TIMESTAMP(3) WITH LOCAL TIME ZONE", "TIMESTAMP_LTZ(3)")
        .replace(" | NULL", " | ")
        .replace("\\n", " ")
        .replace(['`', ' '], "")
}

fn ours(done: &[&str], statement: &str) -> Result<Vec<String>, String> {
    let mut session = ScriptSession::new(connectors());
    for text in done {
        session.run(&source(text)).expect("ran before");
    }
    session.run(&source(statement)).map_err(|errors| errors[0].render())?;
    let steps = session.finish().map_err(|errors| errors[0].render())?;
    Ok(match steps.into_iter().next() {
        Some(Step::Text(lines)) => lines,
        _ => Vec::new(),
    })
}

fn source(text: &str) -> SourceText {
    SourceText::new("statement", text, &BTreeMap::new()).expect("no variables")
}

/// The rows of DESCRIBE without their header, or SHOW CREATE in one line.
fn shown(statement: &str, lines: Vec<String>) -> Vec<String> {
    let upper = statement.to_uppercase();
    if upper.starts_with("SHOW CREATE") {
        return vec![lines.join(" ")];
    }
    let table = upper.starts_with("DESC") || upper.starts_with("SHOW COLUMNS");
    lines.into_iter().skip(usize::from(table)).map(|l| l.replace('\t', " | ")).collect()
}

fn difference(
    statement: &str,
    flink: Option<&Result<Vec<String>, String>>,
    done: &[&str],
) -> Option<String> {
    let ours = ours(done, statement);
    match (flink, ours) {
        (Some(Err(error)), Ok(_)) => Some(format!("Flink refuses: {error}")),
        (None | Some(Ok(_)), Err(error)) => Some(format!("we refuse: {error}")),
        (Some(Ok(flink)), Ok(ours)) if !is_query(statement) => {
            let flink: Vec<String> = flink.iter().map(|r| normal(r)).collect();
            let ours: Vec<String> = shown(statement, ours).iter().map(|r| normal(r)).collect();
            (flink != ours).then(|| format!("flink {flink:#?}\nours  {ours:#?}"))
        }
        _ => None,
    }
}

#[test]
fn statements_are_answered_as_flink_does() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("testdata/statements");
    let read = |path: &Path| std::fs::read_to_string(path).expect("readable");
    let excuses = read(&folder.join("differences.txt"));
    let excused: BTreeSet<&str> = excuses
        .lines()
        .filter(|l| !l.starts_with('#'))
        .filter_map(|l| l.split_once(" :: ").map(|(statement, _)| statement))
        .collect();
    let mut files: Vec<_> = std::fs::read_dir(&folder)
        .expect("the folder is part of the repository")
        .map(|e| e.expect("readable").path())
        .filter(|p| p.extension().is_some_and(|e| e == "sql"))
        .collect();
    files.sort();
    assert!(!files.is_empty(), "there are statements");
    let (mut wrong, mut needless) = (Vec::new(), Vec::new());
    for file in &files {
        let text = read(file);
        let statements = statements(&text);
        let flink = golden(&read(&file.with_extension("flink")), &statements);
        let mut done = Vec::new();
        for (i, statement) in statements.iter().enumerate() {
            let found = difference(statement, flink.get(&(i + 1)), &done);
            match (found, excused.contains(statement)) {
                (Some(text), false) => wrong.push(format!("{statement}\n{text}")),
                (None, true) => needless.push((*statement).to_owned()),
                _ => {}
            }
            let declares = ["CREATE", "REPLACE", "DROP", "ALTER", "USE"]
                .iter()
                .any(|w| statement.starts_with(w));
            if declares && ours(&done, statement).is_ok() {
                done.push(statement);
            }
        }
    }
    assert!(needless.is_empty(), "no longer different: {needless:#?}");
    assert!(wrong.is_empty(), "{} differ\n{}", wrong.len(), wrong.join("\n\n"));
}
