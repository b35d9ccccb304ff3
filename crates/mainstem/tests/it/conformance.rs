//! Flink's documentation, chapter by chapter: `tests/conformance`, run as the scenarios are.

use crate::scenario::{judge_all, root};

#[test]
fn chapters_have_flinks_answers() {
    judge_all(&[root().join("tests/conformance")], false);
}
