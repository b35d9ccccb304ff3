//! The list in the repository: what is expected of each test (`tests/compat/librdkafka.txt`).
//! Invariant: every registered test has exactly one line, and a line without a reason leaves no test out. A test of many
//! parts of which we have not all is excluded as a whole and named part by part: `0081_admin/do_test_DeleteTopics ok`; one
//! that leaves parts out by itself for an older broker can be told that ours is one: `0109_auto_create_topics ok as 2.0.0`.

use std::collections::BTreeMap;

use super::register::{Kind, Test};
use crate::error::{Error, Result};

/// What is expected of a test.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Expected {
    /// Passes; a slow one is not among those that CI runs. `version` is what the test is told that the broker is.
    Ok { slow: bool, version: Option<String> },
    /// Does not pass, for this reason.
    Excluded(String),
    /// Has nothing to do with a broker, or needs a person: never run here.
    NotRun,
}

/// What is expected, by test or by `test/part`.
#[derive(Debug)]
pub(super) struct List(BTreeMap<String, Expected>);

impl List {
    /// Reads the lines; empty ones and those after a `#` say nothing.
    pub(super) fn read(text: &str) -> Result<Self> {
        let mut expected = BTreeMap::new();
        for (index, line) in text.lines().enumerate() {
            if line.trim().is_empty() || line.starts_with('#') {
                continue;
            }
            let (name, what) = line.split_once(' ').unwrap_or((line, ""));
            let what = what.trim();
            let what = match what {
                "ok" => Expected::Ok { slow: false, version: None },
                "ok slow" => Expected::Ok { slow: true, version: None },
                "local" | "manual" => Expected::NotRun,
                _ => match what.strip_prefix("excluded: ") {
                    Some(reason) => Expected::Excluded(reason.to_owned()),
                    None if what.starts_with("ok as ") => Expected::Ok {
                        slow: false,
                        version: what.strip_prefix("ok as ").map(str::to_owned),
                    },
                    None => {
                        return Err(wrong(
                            index,
                            "what is expected is one of: ok, ok slow, ok as VERSION, excluded: REASON, local, manual",
                        ));
                    }
                },
            };
            if expected.insert(name.to_owned(), what).is_some() {
                return Err(wrong(index, "the test is named a second time"));
            }
        }
        Ok(Self(expected))
    }

    pub(super) fn get(&self, name: &str) -> Option<&Expected> {
        self.0.get(name)
    }

    /// The named parts of a test.
    pub(super) fn parts(&self, test: &str) -> impl Iterator<Item = (&str, &str, &Expected)> {
        self.0.iter().filter_map(move |(name, expected)| {
            let (of, part) = name.split_once('/')?;
            (of == test).then_some((&**name, part, expected))
        })
    }

    /// Where the list and the registered tests differ.
    pub(super) fn differences(&self, tests: &[Test]) -> Vec<String> {
        let mut differences = Vec::new();
        for test in tests {
            let runs = matches!(test.kind, Kind::Broker | Kind::KnownIssue);
            match self.get(&test.name) {
                None => differences.push(format!("{} is not in the list", test.name)),
                Some(Expected::NotRun) if runs => {
                    differences.push(format!(
                        "{} needs a broker, and is listed as one that is not run",
                        test.name
                    ));
                }
                Some(Expected::Ok { .. } | Expected::Excluded(_)) if !runs => {
                    differences
                        .push(format!("{} is not run here; list it as local or manual", test.name));
                }
                Some(_) => {}
            }
        }
        let registered = |name: &str| tests.iter().any(|test| test.name == name);
        for name in self.0.keys() {
            if !registered(name.split('/').next().unwrap_or(name)) {
                differences.push(format!("{name} is listed, but there is no such test"));
            }
        }
        differences
    }

    /// How many whole tests are expected to pass, and how many are excluded.
    pub(super) fn counts(&self) -> (usize, usize) {
        let whole = || self.0.iter().filter(|(name, _)| !name.contains('/'));
        let ok = whole().filter(|(_, what)| matches!(what, Expected::Ok { .. })).count();
        let excluded = whole().filter(|(_, what)| matches!(what, Expected::Excluded(_))).count();
        (ok, excluded)
    }
}

fn wrong(index: usize, why: &str) -> Error {
    Error::new(format!("line {} of the list of tests: {why}", index + 1))
}

#[cfg(test)]
mod tests {
    use super::*;

    const ROWS: &str = "\
# what is expected
0000_unittests local
0001_multiobj ok

0005_order ok slow
0081_admin excluded: ACLs
0081_admin/do_test_CreateTopics ok
8000_idle manual
";

    fn test(name: &str, kind: Kind) -> Test {
        Test { name: name.to_owned(), kind, no_auto_create: false }
    }

    #[test]
    fn lines_are_read() {
        let list = List::read(ROWS).unwrap();
        assert_eq!(list.get("0001_multiobj"), Some(&Expected::Ok { slow: false, version: None }));
        assert_eq!(list.get("0005_order"), Some(&Expected::Ok { slow: true, version: None }));
        assert_eq!(list.get("0081_admin"), Some(&Expected::Excluded("ACLs".to_owned())));
        assert_eq!(list.get("0002_unkpart"), None);
        let parts: Vec<_> = list.parts("0081_admin").collect();
        assert_eq!(
            parts,
            [(
                "0081_admin/do_test_CreateTopics",
                "do_test_CreateTopics",
                &Expected::Ok { slow: false, version: None }
            )]
        );
        assert_eq!(list.counts(), (2, 1));
        for wrong in
            ["0001_multiobj", "0001_multiobj fails", "0001_multiobj excluded:", "a ok\na ok"]
        {
            assert!(List::read(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn the_list_names_every_test_once() {
        let list = List::read(ROWS).unwrap();
        let all = [
            test("0000_unittests", Kind::Local),
            test("0001_multiobj", Kind::Broker),
            test("0005_order", Kind::Broker),
            test("0081_admin", Kind::Broker),
            test("8000_idle", Kind::Manual),
        ];
        assert_eq!(list.differences(&all), Vec::<String>::new());
        let other = [
            test("0000_unittests", Kind::Broker),
            test("0001_multiobj", Kind::Local),
            test("0002_unkpart", Kind::Broker),
            test("0005_order", Kind::Broker),
            test("0081_admin", Kind::Broker),
        ];
        assert_eq!(
            list.differences(&other),
            [
                "0000_unittests needs a broker, and is listed as one that is not run",
                "0001_multiobj is not run here; list it as local or manual",
                "0002_unkpart is not in the list",
                "8000_idle is listed, but there is no such test",
            ]
        );
    }

    #[test]
    fn ours_passes_ninety_five_and_the_page_says_so() {
        let list = List::read(super::super::LIST).unwrap();
        let (ok, excluded) = list.counts();
        assert!(ok >= 95, "{ok} tests are expected to pass, {excluded} are excluded");
        let page = include_str!("../../../../docs/user/kafka-support.md");
        let counts = format!("{ok} of its {} tests that need a broker pass", ok + excluded);
        assert!(page.contains(&counts), "docs/user/kafka-support.md does not say: {counts}");
    }
}
