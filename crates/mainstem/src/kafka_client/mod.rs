//! The commands that take the place of Kafka's scripts: `topic`, `produce`, `consume` and `group`.
//! Invariant: they speak to any broker over the network, ours or another, and only through librdkafka; none of them
//! knows anything about our broker's inside. Data goes to stdout, words to stderr.
//!
//! | file | what |
//! |---|---|
//! | `connection` | where the brokers are, how to reach them, and what is said when they cannot be reached |
//! | `link` | what librdkafka reports, told to the user once a change |
//! | `offsets` | earliest and latest offsets, and offsets of a point in time |
//! | `columns` | aligned columns |
//! | `topic`, `group`, `reset` | the administration |
//! | `assignment` | which partitions a member of a group says it owns |
//! | `produce`, `lines` | lines to records |
//! | `consume`, `print` | records to lines |
//! | `avro` | Avro keys and values to JSON |
//! | `stopping` | Ctrl-C in the two commands that run on |

mod assignment;
mod avro;
pub(crate) mod columns;
mod connection;
pub(crate) mod consume;
pub(crate) mod group;
mod lines;
mod link;
mod offsets;
mod print;
pub(crate) mod produce;
mod reset;
mod stopping;
pub(crate) mod topic;

use rdkafka::error::RDKafkaErrorCode;

use crate::failure::print_out;

/// `NAME=VALUE`, for clap.
fn parse_pair(text: &str) -> Result<(String, String), String> {
    match text.split_once('=') {
        Some((name, value)) if !name.trim().is_empty() => {
            Ok((name.trim().to_owned(), value.to_owned()))
        }
        _ => Err("write it as NAME=VALUE".to_owned()),
    }
}

/// What a broker's error code says, without the prefix that librdkafka gives it.
fn words(code: RDKafkaErrorCode) -> String {
    // `UnknownTopicOrPartition (Broker: Unknown topic or partition)`
    let text = code.to_string();
    let inner = text.split_once('(').and_then(|(_, rest)| rest.rsplit_once(')'));
    let inner = inner.map_or(text.as_str(), |(inner, _)| inner);
    let plain = inner.strip_prefix("Broker: ").or_else(|| inner.strip_prefix("Local: "));
    plain.unwrap_or(inner).to_lowercase()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_read_as_words() {
        for (code, expected) in [
            (RDKafkaErrorCode::UnknownTopicOrPartition, "unknown topic or partition"),
            (RDKafkaErrorCode::MessageTimedOut, "message timed out"),
            (RDKafkaErrorCode::TopicAlreadyExists, "topic already exists"),
        ] {
            assert_eq!(words(code), expected);
        }
    }

    #[test]
    fn pairs_have_a_name() {
        let pair = |name: &str, value: &str| Some((name.to_owned(), value.to_owned()));
        for (text, expected) in [
            ("a=b", pair("a", "b")),
            (" a =b=c", pair("a", "b=c")),
            ("a=", pair("a", "")),
            ("=b", None),
            ("a", None),
        ] {
            assert_eq!(parse_pair(text).ok(), expected, "{text}");
        }
    }
}
