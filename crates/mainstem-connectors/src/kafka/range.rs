//! Where the splits of a table start and end, as offsets.
//! Invariant: the same for every broker: a cluster and the embedded one only say which offsets there are ([`Offsets`]), what
//! the options mean is decided here. A time that is later than every record means the end of the log, as in Flink.

use async_trait::async_trait;
use mainstem_core::options::OptionReader;
use mainstem_core::{Error, Result};

use super::Flavor;
use super::source::TopicPartition;
use super::startup::{Bounded, Startup};

/// What a broker knows of a partition.
#[async_trait]
pub(super) trait Offsets: Send {
    /// The first offset in the log.
    async fn earliest(&mut self, at: &TopicPartition) -> Result<i64>;
    /// The one after the last.
    async fn latest(&mut self, at: &TopicPartition) -> Result<i64>;
    /// That of the first record whose timestamp is not earlier; `None` if no record is that late.
    async fn at_time(&mut self, at: &TopicPartition, ms: i64) -> Result<Option<i64>>;
    /// What a group has committed.
    async fn committed(&mut self, group: &str, at: &TopicPartition) -> Result<Option<i64>>;
}

/// `auto.offset.reset`.
#[derive(Debug, Clone, Copy)]
enum Reset {
    Earliest,
    Latest,
    Refuse,
}

/// What a table's options say of start and end.
#[derive(Debug, Clone)]
pub(super) struct ScanRange {
    pub(super) startup: Startup,
    pub(super) bounded: Bounded,
    pub(super) group_id: Option<String>,
    reset: Reset,
}

impl ScanRange {
    /// Reads the options; what does not fit together is an error.
    pub(super) fn parse(options: OptionReader<'_>, flavor: Flavor) -> Result<Self> {
        let startup = match flavor {
            Flavor::Upsert => Startup::Earliest,
            Flavor::Append => Startup::parse(options)?,
        };
        let bounded = Bounded::parse(options)?;
        let group_id = options.text("properties.group.id").map(str::to_owned);
        if group_id.is_none()
            && (startup == Startup::GroupOffsets || bounded == Bounded::GroupOffsets)
        {
            return Err(Error::user("reading from group offsets needs 'properties.group.id'")
                .with_hint(
                    "add it, or choose where to start: 'scan.startup.mode' = 'earliest-offset'",
                ));
        }
        let reset = match options.text("properties.auto.offset.reset") {
            Some("earliest" | "smallest" | "beginning") => Reset::Earliest,
            Some("latest" | "largest" | "end") => Reset::Latest,
            _ => Reset::Refuse,
        };
        Ok(Self { startup, bounded, group_id, reset })
    }

    pub(super) fn is_bounded(&self) -> bool {
        self.bounded != Bounded::Unbounded
    }

    /// The first offset to read of a split without a position. A partition that turned up late is read whole.
    pub(super) async fn start(
        &self,
        offsets: &mut impl Offsets,
        at: &TopicPartition,
        late: bool,
    ) -> Result<i64> {
        match &self.startup {
            _ if late => offsets.earliest(at).await,
            Startup::Earliest => offsets.earliest(at).await,
            Startup::Latest => offsets.latest(at).await,
            Startup::Timestamp(ms) => at_time_or_end(offsets, at, *ms).await,
            Startup::GroupOffsets => self.group_offset(offsets, at).await,
            // As in Flink: partitions that are not listed follow the group.
            Startup::Specific(listed) => match listed.get(&at.partition) {
                Some(offset) => Ok(*offset),
                None if self.group_id.is_some() => self.group_offset(offsets, at).await,
                None => Err(Error::user(format!(
                    "'scan.startup.specific-offsets' says nothing of partition {} of topic '{}'",
                    at.partition, at.topic
                ))),
            },
        }
    }

    /// The first offset that is not read any more; `None` if there is no end.
    pub(super) async fn end(
        &self,
        offsets: &mut impl Offsets,
        at: &TopicPartition,
    ) -> Result<Option<i64>> {
        Ok(match &self.bounded {
            Bounded::Unbounded => None,
            Bounded::Latest => Some(offsets.latest(at).await?),
            Bounded::Timestamp(ms) => Some(at_time_or_end(offsets, at, *ms).await?),
            Bounded::GroupOffsets => match self.committed(offsets, at).await? {
                Some(offset) => Some(offset),
                None => return Err(self.nothing_committed(at)),
            },
            Bounded::Specific(listed) => listed.get(&at.partition).copied(),
        })
    }

    async fn committed(
        &self,
        offsets: &mut impl Offsets,
        at: &TopicPartition,
    ) -> Result<Option<i64>> {
        match &self.group_id {
            Some(group) => offsets.committed(group, at).await,
            None => Ok(None),
        }
    }

    async fn group_offset(&self, offsets: &mut impl Offsets, at: &TopicPartition) -> Result<i64> {
        if let Some(offset) = self.committed(offsets, at).await? {
            return Ok(offset);
        }
        match self.reset {
            Reset::Earliest => offsets.earliest(at).await,
            Reset::Latest => offsets.latest(at).await,
            Reset::Refuse => Err(self.nothing_committed(at)),
        }
    }

    fn nothing_committed(&self, at: &TopicPartition) -> Error {
        let group = self.group_id.as_deref().unwrap_or_default();
        Error::user(format!(
            "group '{group}' has no committed offset for topic '{}', partition {}",
            at.topic, at.partition
        ))
        .with_hint(
            "set 'properties.auto.offset.reset' to 'earliest' or 'latest', or 'scan.startup.mode' to \
             'earliest-offset'",
        )
    }
}

async fn at_time_or_end(offsets: &mut impl Offsets, at: &TopicPartition, ms: i64) -> Result<i64> {
    match offsets.at_time(at, ms).await? {
        Some(offset) => Ok(offset),
        None => offsets.latest(at).await,
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;
    use crate::kafka::SPEC;

    /// A log from 10 to 50, a record each ms from time 1000 on, in a group that is at 30.
    struct Log;

    #[async_trait]
    impl Offsets for Log {
        async fn earliest(&mut self, _: &TopicPartition) -> Result<i64> {
            Ok(10)
        }

        async fn latest(&mut self, _: &TopicPartition) -> Result<i64> {
            Ok(50)
        }

        async fn at_time(&mut self, _: &TopicPartition, ms: i64) -> Result<Option<i64>> {
            Ok((ms < 1040).then(|| 10 + (ms - 1000).max(0)))
        }

        async fn committed(&mut self, group: &str, _: &TopicPartition) -> Result<Option<i64>> {
            Ok((group == "known").then_some(30))
        }
    }

    /// Start and end of partition 1, as text.
    async fn range(options: &str, late: bool) -> String {
        let pairs = options.split_whitespace().map(|pair| pair.split_once('=').unwrap());
        let long = |name: &str| match name {
            "start" => "scan.startup.mode".to_owned(),
            "start-ms" => "scan.startup.timestamp-millis".to_owned(),
            "start-at" => "scan.startup.specific-offsets".to_owned(),
            "end" => "scan.bounded.mode".to_owned(),
            "end-ms" => "scan.bounded.timestamp-millis".to_owned(),
            "end-at" => "scan.bounded.specific-offsets".to_owned(),
            name => format!("properties.{name}"),
        };
        let options: BTreeMap<String, String> =
            pairs.map(|(name, value)| (long(name), value.to_owned())).collect();
        let range = ScanRange::parse(OptionReader::new(&options, SPEC.options), Flavor::Append);
        let at = TopicPartition { topic: "t".to_owned(), partition: 1 };
        let resolved = async {
            let range = range?;
            let start = range.start(&mut Log, &at, late).await?;
            Ok::<_, Error>(match range.end(&mut Log, &at).await? {
                Some(end) => format!("{start}..{end}"),
                None => format!("{start}.."),
            })
        };
        resolved.await.unwrap_or_else(|e| e.to_string())
    }

    #[tokio::test]
    async fn start_and_end() {
        let nothing = "group 'new' has no committed offset for topic 't', partition 1";
        let silent = "'scan.startup.specific-offsets' says nothing of partition 1 of topic 't'";
        for (options, expected) in [
            ("start=earliest-offset", "10.."),
            ("start=latest-offset", "50.."),
            ("start=earliest-offset end=latest-offset", "10..50"),
            ("start=timestamp start-ms=1005 end=timestamp end-ms=1020", "15..30"),
            ("start=timestamp start-ms=2000 end=timestamp end-ms=2000", "50..50"),
            ("group.id=known", "30.."),
            ("start=earliest-offset end=group-offsets group.id=known", "10..30"),
            ("group.id=new", nothing),
            ("group.id=new auto.offset.reset=earliest", "10.."),
            ("group.id=new auto.offset.reset=latest", "50.."),
            ("start=earliest-offset end=group-offsets group.id=new", nothing),
            ("", "reading from group offsets needs 'properties.group.id'"),
            ("start=specific-offsets start-at=partition:1,offset:12", "12.."),
            ("start=specific-offsets start-at=partition:0,offset:12", silent),
            ("start=specific-offsets start-at=partition:0,offset:12 group.id=known", "30.."),
            ("start=earliest-offset end=specific-offsets end-at=partition:1,offset:20", "10..20"),
            ("start=earliest-offset end=specific-offsets end-at=partition:0,offset:20", "10.."),
        ] {
            assert_eq!(range(options, false).await, expected, "{options}");
        }
        assert_eq!(range("start=latest-offset", true).await, "10..", "a late partition");
    }
}
