//! Earliest and latest offsets, and offsets of a point in time, for many partitions in one request a broker.
//! Invariant: what is returned stands in the order of what was asked.

use std::collections::BTreeMap;

use chrono::{DateTime, NaiveDate, NaiveDateTime};
use rdkafka::consumer::Consumer;
use rdkafka::{Offset, TopicPartitionList};

use super::connection::{Cluster, REQUEST_TIMEOUT};
use crate::failure::Outcome;

/// Which offset of a partition.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Moment {
    /// The first that is still there.
    Earliest,
    /// The one that the next record will have; under read_committed, the first of an open transaction.
    Latest,
    /// Of the first record whose timestamp is this or later, in milliseconds since 1970.
    Time(i64),
}

/// A partition by name and number.
pub(super) type Place = (String, i32);

/// The offsets at `moment`. `None`: no record is that late.
pub(super) fn offsets(
    cluster: &Cluster,
    places: &[Place],
    moment: Moment,
) -> Outcome<Vec<Option<i64>>> {
    if places.is_empty() {
        return Ok(Vec::new());
    }
    let doing = "ask for offsets";
    // In the request, -1 and -2 stand where a timestamp would.
    let asked = match moment {
        Moment::Earliest => Offset::Beginning,
        Moment::Latest => Offset::End,
        Moment::Time(at_ms) => Offset::Offset(at_ms.max(0)),
    };
    let mut list = TopicPartitionList::with_capacity(places.len());
    for (topic, partition) in places {
        list.add_partition_offset(topic, *partition, asked)
            .map_err(|error| cluster.failed(doing, &error))?;
    }
    let answer = cluster.client().offsets_for_times(list, REQUEST_TIMEOUT);
    let answer = answer.map_err(|error| cluster.failed(doing, &error))?;
    let mut found: BTreeMap<Place, i64> = BTreeMap::new();
    for element in answer.elements() {
        let doing = format!("ask for offsets of {} [{}]", element.topic(), element.partition());
        element.error().map_err(|error| cluster.failed(&doing, &error))?;
        if let Offset::Offset(offset) = element.offset() {
            found.insert((element.topic().to_owned(), element.partition()), offset);
        }
    }
    Ok(places.iter().map(|place| found.get(place).copied()).collect())
}

/// A point in time as ISO 8601 writes it, for clap; without a zone it is UTC. In milliseconds since 1970.
pub(super) fn parse_time(text: &str) -> Result<i64, String> {
    if let Ok(time) = DateTime::parse_from_rfc3339(text) {
        return Ok(time.timestamp_millis());
    }
    for format in
        ["%Y-%m-%dT%H:%M:%S%.f", "%Y-%m-%d %H:%M:%S%.f", "%Y-%m-%dT%H:%M", "%Y-%m-%d %H:%M"]
    {
        if let Ok(time) = NaiveDateTime::parse_from_str(text, format) {
            return Ok(time.and_utc().timestamp_millis());
        }
    }
    let date = NaiveDate::parse_from_str(text, "%Y-%m-%d").ok();
    let midnight = date.and_then(|date| date.and_hms_opt(0, 0, 0));
    midnight.map(|time| time.and_utc().timestamp_millis()).ok_or_else(|| {
        "write it as 2026-01-31T09:30:00Z, with +02:00 for another zone; without one it is UTC"
            .to_owned()
    })
}

/// A point in time as [`parse_time`] reads it.
pub(super) fn time_text(at_ms: i64) -> String {
    match DateTime::from_timestamp_millis(at_ms) {
        Some(time) => time.format("%Y-%m-%dT%H:%M:%S%.3fZ").to_string(),
        None => at_ms.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times() {
        for (text, expected) in [
            ("1970-01-01T00:00:01Z", Some(1_000)),
            ("1970-01-01T02:00:00.250+02:00", Some(250)),
            ("1970-01-01T00:00:01.5", Some(1_500)),
            ("1970-01-01 00:01", Some(60_000)),
            ("1970-01-02", Some(86_400_000)),
            ("yesterday", None),
            ("1970-13-01", None),
        ] {
            assert_eq!(parse_time(text).ok(), expected, "{text}");
        }
        assert_eq!(time_text(1_500), "1970-01-01T00:00:01.500Z");
        assert_eq!(parse_time(&time_text(1_767_225_600_123)), Ok(1_767_225_600_123));
    }
}
