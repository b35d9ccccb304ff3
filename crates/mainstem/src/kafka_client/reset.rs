//! `mainstem group reset`: sets committed offsets.
//! Invariant: nothing is written without --execute, and never while the group has members. A new offset lies within
//! what the partition has.

use std::collections::{BTreeMap, BTreeSet};

use clap::{ArgGroup, Args};
use mainstem_core::{Error, ErrorKind};
use rdkafka::consumer::{CommitMode, Consumer};
use rdkafka::error::RDKafkaErrorCode as Code;
use rdkafka::{Offset, TopicPartitionList};
use serde_json::{Value, json};

use super::columns::{Align, Columns, count, or_dash};
use super::connection::{Cluster, ConnectionArgs};
use super::group::{all_places, busy, committed, find};
use super::offsets::{Moment, Place, offsets, parse_time};
use super::print_out;
use crate::failure::{Failure, Outcome, say};

#[derive(Debug, Args)]
#[command(
    group(ArgGroup::new("what").required(true)),
    group(ArgGroup::new("target").required(true)),
)]
pub(crate) struct ResetArgs {
    /// The group's name
    #[arg(value_name = "GROUP")]
    group: String,
    /// A topic, or some of its partitions. May be given more than once
    #[arg(long = "topic", group = "what", value_name = "TOPIC[:P,..]", value_parser = parse_topic)]
    topics: Vec<(String, Vec<i32>)>,
    /// Every partition for which the group has an offset
    #[arg(long, group = "what")]
    all_topics: bool,
    /// To the oldest record
    #[arg(long, group = "target")]
    to_earliest: bool,
    /// Past the newest record
    #[arg(long, group = "target")]
    to_latest: bool,
    /// To this offset, or the nearest that the partition has
    #[arg(long, group = "target", value_name = "N", value_parser = clap::value_parser!(i64).range(0..))]
    to_offset: Option<i64>,
    /// To the first record of this time or later
    #[arg(long, group = "target", value_name = "ISO", value_parser = parse_time)]
    to_datetime: Option<i64>,
    /// Forward by N records, or back by -N
    #[arg(long, group = "target", value_name = "N", allow_hyphen_values = true)]
    shift_by: Option<i64>,
    /// Do it; without this the plan is shown and nothing is changed
    #[arg(long)]
    execute: bool,
    /// A JSON array of the plan
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    connection: ConnectionArgs,
}

fn parse_topic(text: &str) -> Result<(String, Vec<i32>), String> {
    let (topic, ids) = text.split_once(':').map_or((text, None), |(t, ids)| (t, Some(ids)));
    let id = |id: &str| id.trim().parse::<i32>().ok().filter(|id| *id >= 0);
    let ids: Option<Vec<i32>> =
        ids.map_or(Some(Vec::new()), |ids| ids.split(',').map(id).collect());
    match ids {
        Some(ids) if !topic.is_empty() => Ok((topic.to_owned(), ids)),
        _ => Err("write it as TOPIC or TOPIC:0,2".to_owned()),
    }
}

/// What happens to a partition.
#[derive(Debug, PartialEq, Eq)]
struct Change {
    place: Place,
    current: Option<i64>,
    new: i64,
}

/// Does what `mainstem group reset` says.
pub(super) fn execute(args: &ResetArgs) -> Outcome {
    let cluster = Cluster::open_as(&args.connection, &args.group)?;
    let group = find(&cluster, &args.group)?;
    let places = places(&cluster, args)?;
    let current = committed(&cluster, &places)?;
    let places = match args.all_topics {
        true => current.keys().cloned().collect(),
        false => places,
    };
    if places.is_empty() {
        let text = format!("group '{}' has no committed offsets", args.group);
        return Err(Failure::Runtime(
            Error::user(text).with_hint("--topic names what it shall read"),
        ));
    }
    let changes = plan(&cluster, args, places, &current)?;
    if args.execute {
        if let Some(group) = group.as_ref().filter(|group| !group.is_idle()) {
            return Err(busy(group));
        }
        commit(&cluster, &changes)?;
    }
    show(args, &changes)?;
    let partitions = count(changes.len() as u64, "partition");
    say(&match (args.execute, &group) {
        (true, _) => format!("reset {partitions} of group '{}'\n", args.group),
        (false, None) => format!(
            "nothing was changed; --execute does it. There is no group '{}' yet: it would come into being\n",
            args.group
        ),
        (false, Some(_)) => "nothing was changed; --execute does it\n".to_owned(),
    });
    Ok(())
}

/// The partitions that were named; all there are for --all-topics.
fn places(cluster: &Cluster, args: &ResetArgs) -> Outcome<Vec<Place>> {
    if args.all_topics {
        return all_places(cluster);
    }
    let mut places = BTreeSet::new();
    for (name, ids) in &args.topics {
        let topic = cluster.topic(name)?;
        let there: BTreeSet<i32> = topic.partitions.iter().map(|p| p.id).collect();
        if let Some(missing) = ids.iter().find(|id| !there.contains(id)) {
            let text = format!("topic '{name}' has no partition {missing}");
            let hint = format!("it has 0 to {}", there.len().saturating_sub(1));
            return Err(Failure::Runtime(Error::user(text).with_hint(hint)));
        }
        let wanted = there.into_iter().filter(|id| ids.is_empty() || ids.contains(id));
        places.extend(wanted.map(|id| (name.clone(), id)));
    }
    Ok(places.into_iter().collect())
}

fn plan(
    cluster: &Cluster,
    args: &ResetArgs,
    places: Vec<Place>,
    current: &BTreeMap<Place, i64>,
) -> Outcome<Vec<Change>> {
    let earliest = offsets(cluster, &places, Moment::Earliest)?;
    let latest = offsets(cluster, &places, Moment::Latest)?;
    let timed = match args.to_datetime {
        Some(at_ms) => Some(offsets(cluster, &places, Moment::Time(at_ms))?),
        None => None,
    };
    let mut changes = Vec::with_capacity(places.len());
    for (nth, place) in places.into_iter().enumerate() {
        let (first, end) = (earliest[nth].unwrap_or(0), latest[nth].unwrap_or(0));
        let current = current.get(&place).copied();
        let wanted = if args.to_earliest {
            first
        } else if let Some(timed) = &timed {
            timed[nth].unwrap_or(end)
        } else if let Some(offset) = args.to_offset {
            offset
        } else if let Some(by) = args.shift_by {
            let Some(current) = current else {
                let (topic, id) = &place;
                let text =
                    format!("the group has no offset in partition {id} of '{topic}' to shift");
                let hint = "--to-earliest or --to-latest gives it one";
                return Err(Failure::Runtime(Error::user(text).with_hint(hint)));
            };
            current.saturating_add(by)
        } else {
            end
        };
        changes.push(Change { place, current, new: wanted.min(end).max(first) });
    }
    Ok(changes)
}

fn commit(cluster: &Cluster, changes: &[Change]) -> Outcome {
    let doing = "commit the new offsets";
    let mut list = TopicPartitionList::with_capacity(changes.len());
    for Change { place: (topic, partition), new, .. } in changes {
        list.add_partition_offset(topic, *partition, Offset::Offset(*new))
            .map_err(|error| cluster.failed(doing, &error))?;
    }
    cluster.client().commit(&list, CommitMode::Sync).map_err(|error| {
        match error.rdkafka_error_code() {
            // A group whose members cannot be asked for has some.
            Some(Code::UnknownMemberId) => Failure::Runtime(
                Error::new(ErrorKind::Conflict, format!("cannot {doing}: the group is in use"))
                    .with_hint("stop its members first"),
            ),
            _ => cluster.failed(doing, &error),
        }
    })
}

fn show(args: &ResetArgs, changes: &[Change]) -> Outcome {
    if args.json {
        let object = |change: &Change| {
            let (topic, partition) = &change.place;
            json!({
                "topic": topic, "partition": partition, "committed": change.current,
                "new": change.new, "executed": args.execute,
            })
        };
        let array: Vec<Value> = changes.iter().map(object).collect();
        return print_out(&format!("{}\n", Value::Array(array)));
    }
    let mut columns = Columns::new(&[
        ("TOPIC", Align::Left),
        ("PARTITION", Align::Right),
        ("COMMITTED", Align::Right),
        ("NEW", Align::Right),
    ]);
    for Change { place: (topic, partition), current, new } in changes {
        columns.push([topic.clone(), partition.to_string(), or_dash(*current), new.to_string()]);
    }
    print_out(&columns.text(""))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn topics_with_partitions() {
        for (text, expected) in [
            ("t", Some(("t", vec![]))),
            ("t:0", Some(("t", vec![0]))),
            ("t:0,2", Some(("t", vec![0, 2]))),
            ("t:", None),
            (":0", None),
            ("t:x", None),
            ("t:-1", None),
        ] {
            let expected = expected.map(|(topic, ids)| (topic.to_owned(), ids));
            assert_eq!(parse_topic(text).ok(), expected, "{text}");
        }
    }
}
