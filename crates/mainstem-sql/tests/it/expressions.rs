//! Expressions against a real Flink: `testdata/expressions/*.flink` holds `expression => TYPE => value` lines that
//! `cargo xtask oracle --expressions` wrote. Types and values must be equal to the letter; where Flink refuses an
//! expression, so must we. `differences.txt` lists the exceptions, each with its reason.

use std::collections::BTreeMap;
use std::path::Path;

use arrow_array::cast::AsArray;
use arrow_array::{Array, ArrayRef};
use mainstem_core::{DataType, TypeKind};
use mainstem_engine::expr::{EvalContext, Value};
use mainstem_sql::cast::{self, CastMode};
use mainstem_sql::constant::evaluate;
use mainstem_sql::session::Session;

/// The value as the golden files write it.
fn text(data_type: &DataType, value: &ArrayRef, session: &Session) -> String {
    if value.is_null(0) {
        return "NULL".to_owned();
    }
    if data_type.kind.is_binary() {
        let hex: String =
            value.as_binary::<i32>().value(0).iter().map(|b| format!("{b:02x}")).collect();
        return format!("x'{hex}'");
    }
    let shown = match data_type.kind.is_string() {
        true => ArrayRef::clone(value),
        false => {
            let to = TypeKind::STRING.nullable();
            let (_, kernel) =
                cast::bind(data_type, &to, CastMode::Cast, session).expect("casts to STRING");
            let cx = EvalContext { now_ms: 0, watermark_ms: None };
            let shown = kernel(&[Value::Scalar(ArrayRef::clone(value))], 1, &cx);
            shown.expect("casts to STRING").into_array(1).expect("one value")
        }
    };
    let shown = shown.as_string::<i32>().value(0);
    match data_type.kind {
        // The golden files write all digits of a time; Flink's CAST leaves zeros out.
        TypeKind::Time { precision: digits @ 1.. } => {
            let (time, fraction) = shown.split_once('.').unwrap_or((shown, ""));
            format!("{time}.{fraction:0<width$}", width = usize::from(digits))
        }
        _ => escape(shown),
    }
}

fn escape(text: &str) -> String {
    text.chars()
        .map(|c| match c {
            '\n' => "\\n".to_owned(),
            '\t' => "\\t".to_owned(),
            '\\' => "\\\\".to_owned(),
            c if c.is_control() => format!("\\u{:04x}", c as u32),
            c => c.to_string(),
        })
        .collect()
}

/// 2027-01-15 08:00 UTC: clocks show some time that is past.
const NOW_MS: i64 = 1_800_000_000_000;

fn ours(expression: &str, session: &Session) -> String {
    match evaluate(expression, session, NOW_MS) {
        Ok((data_type, value)) => {
            let shown = text(&data_type, &value, session);
            format!("{expression} => {data_type} => {shown}")
        }
        Err(error) => format!("{expression} => error: {error}"),
    }
}

/// Flink's serialised type names, as its users write them.
fn usual_names(line: &str) -> String {
    let Some((expression, answer)) = line.split_once(" => ") else { return line.to_owned() };
    let (data_type, value) = answer.split_once(" => ").unwrap_or((answer, ""));
    let data_type = data_type
        .replace("VARCHAR(2147483647)", "STRING")
        .replace("VARBINARY(2147483647)", "BYTES")
        .replace(" WITH LOCAL TIME ZONE", "_LTZ");
    let data_type = match data_type.find(")_LTZ") {
        Some(_) => data_type.replace("TIMESTAMP(", "TIMESTAMP_LTZ(").replace(")_LTZ", ")"),
        None => data_type,
    };
    if answer.contains(" => ") {
        format!("{expression} => {data_type} => {value}")
    } else {
        line.to_owned()
    }
}

#[test]
fn expressions_have_flinks_types_and_values() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("testdata/expressions");
    let read = |path: &Path| std::fs::read_to_string(path).expect("readable");
    let differences = read(&folder.join("differences.txt"));
    let excused: BTreeMap<&str, &str> = differences
        .lines()
        .filter(|l| !l.starts_with('#'))
        .filter_map(|l| l.split_once(" :: "))
        .collect();
    let session = Session::default();
    let mut files: Vec<_> = std::fs::read_dir(&folder)
        .expect("the folder is part of the repository")
        .map(|e| e.expect("readable").path())
        .filter(|p| p.extension().is_some_and(|e| e == "flink"))
        .collect();
    files.sort();
    let (mut checked, mut wrong, mut needless) = (0, Vec::new(), Vec::new());
    for file in files {
        for line in read(&file).lines() {
            let line = &usual_names(line);
            let Some((expression, expected)) = line.split_once(" => ") else { continue };
            let actual = ours(expression, &session);
            let refused = actual.contains(" => error: ");
            let same =
                if expected.starts_with("error: ") { refused } else { actual == *line && !refused };
            checked += 1;
            match (same, excused.contains_key(expression)) {
                (false, false) => wrong.push(format!("flink {line}\nours  {actual}")),
                (true, true) => needless.push(expression.to_owned()),
                _ => {}
            }
        }
    }
    assert!(checked > 0, "there are expressions to check");
    assert!(needless.is_empty(), "no longer different: {needless:#?}");
    assert!(wrong.is_empty(), "{} of {checked} differ\n{}", wrong.len(), wrong.join("\n"));
}
