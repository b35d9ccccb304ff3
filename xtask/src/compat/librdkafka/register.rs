//! The tests that librdkafka has, read from the table in its `tests/test.c`.
//! Invariant: every entry of the table is told, with what decides how it is run. Does not understand C: the table has had
//! one shape for years, and a name that is missing here is missing in the list too, which a run complains about.

use crate::error::{Error, Result};

/// One registered test.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Test {
    pub(super) name: String,
    pub(super) kind: Kind,
    /// Whether it wants a broker that makes no topics by itself.
    pub(super) no_auto_create: bool,
}

/// What a test needs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Broker,
    /// A broker, and to be asked for: its authors know that it fails.
    KnownIssue,
    /// No broker.
    Local,
    /// A person.
    Manual,
}

/// Reads the table.
pub(super) fn read(source: &str) -> Result<Vec<Test>> {
    let table = source
        .split_once("struct test tests[] = {")
        .and_then(|(_, rest)| rest.split_once("{NULL}"));
    let Some((table, _)) = table else {
        return Err(Error::new("tests/test.c has no table of tests".to_owned()));
    };
    Ok(table.split("_TEST(").skip(1).map(entry).collect())
}

fn entry(text: &str) -> Test {
    let (name, rest) = text.split_once(',').unwrap_or((text, ""));
    // The flags end at the next comma, or with the entry.
    let flags = rest.split([',', ')']).next().unwrap_or_default();
    let has = |flag: &str| flags.split('|').any(|one| one.trim() == flag);
    let kind = match () {
        () if has("TEST_F_LOCAL") => Kind::Local,
        () if has("TEST_F_MANUAL") => Kind::Manual,
        () if has("TEST_F_KNOWN_ISSUE") => Kind::KnownIssue,
        () => Kind::Broker,
    };
    let no_auto_create = rest.contains(".scenario = \"noautocreate\"");
    Test { name: name.trim().to_owned(), kind, no_auto_create }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_is_read() {
        let source = r#"
struct test tests[] = {
    /* Special MAIN test to hold over-all timings, etc. */
    {.name = "<MAIN>", .flags = TEST_F_LOCAL},
    _TEST(0000_unittests,
          TEST_F_LOCAL,
          /* heavy */
          _THRES(.ucpu = 100.0, .scpu = 20.0, .rss = 900.0)),
    _TEST(0001_multiobj, 0),
    _TEST(0047_partial_buf_tmout, TEST_F_KNOWN_ISSUE),
#if WITH_SOCKEM
    _TEST(0049_consume_conn_close, TEST_F_SOCKEM, TEST_BRKVER(0, 9, 0, 0)),
#endif
    _TEST(0055_producer_latency, TEST_F_KNOWN_ISSUE_WIN32),
    _TEST(0066_plugins,
          TEST_F_LOCAL | TEST_F_KNOWN_ISSUE_WIN32 | TEST_F_KNOWN_ISSUE_OSX),
    _TEST(0103_transactions,
          0,
          .scenario = "default,ak23"),
    _TEST(0107_topic_recreate,
          0,
          TEST_BRKVER_TOPIC_ADMINAPI,
          .scenario = "noautocreate"),
    _TEST(8000_idle, TEST_F_MANUAL),

    {NULL}};
"#;
        let tests = read(source).unwrap();
        let told: Vec<_> =
            tests.iter().map(|test| (&*test.name, test.kind, test.no_auto_create)).collect();
        let expected = [
            ("0000_unittests", Kind::Local, false),
            ("0001_multiobj", Kind::Broker, false),
            ("0047_partial_buf_tmout", Kind::KnownIssue, false),
            ("0049_consume_conn_close", Kind::Broker, false),
            ("0055_producer_latency", Kind::Broker, false),
            ("0066_plugins", Kind::Local, false),
            ("0103_transactions", Kind::Broker, false),
            ("0107_topic_recreate", Kind::Broker, true),
            ("8000_idle", Kind::Manual, false),
        ];
        assert_eq!(told, expected);
        assert!(read("int main() {}").is_err());
    }
}
