//! `mainstem group`: lists, describes, resets and deletes consumer groups.
//! Invariant: looking at a group changes nothing in it; none of these commands joins one.
//! Groups of Kafka's new protocol (KIP-848) are listed, and their offsets are shown; their members are not: librdkafka's
//! wrapper asks by the old request.

use std::collections::{BTreeMap, BTreeSet};

use clap::{Args, Subcommand};
use mainstem_core::Error;
use rdkafka::consumer::Consumer;
use rdkafka::groups::{GroupInfo, GroupMemberInfo};
use rdkafka::{Offset, TopicPartitionList};
use serde_json::{Value, json};

use super::columns::{Align, Columns, count, or_dash};
use super::connection::{Cluster, ConnectionArgs, REQUEST_TIMEOUT, Topic, similar};
use super::offsets::{Moment, Place, offsets};
use super::reset::{self, ResetArgs};
use super::{assignment, print_out};
use crate::failure::{Failure, Outcome, say};

pub(crate) const HELP: &str = "\
Examples:
  mainstem group list --state Stable
  mainstem group describe audit
  mainstem group reset audit --topic orders --to-earliest              shows what would change
  mainstem group reset audit --topic orders --to-earliest --execute    does it
  mainstem group reset audit --topic orders:0,2 --shift-by -100 --execute
  mainstem group reset audit --all-topics --to-datetime 2026-01-31T09:00:00Z
  mainstem group delete audit";

/// A group that is listed, but not among those of the classic protocol.
const UNKNOWN_STATE: &str = "Unknown";
const STATES: [&str; 5] =
    ["Stable", "Empty", "PreparingRebalance", "CompletingRebalance", UNKNOWN_STATE];

#[derive(Debug, Subcommand)]
pub(crate) enum GroupCommand {
    /// List the consumer groups
    List(ListArgs),
    /// Show members, what each reads, committed offsets and how far behind they are
    Describe(DescribeArgs),
    /// Set the committed offsets of a group without members; shows the plan unless --execute is given
    Reset(ResetArgs),
    /// Delete groups with their committed offsets
    Delete(DeleteArgs),
}

#[derive(Debug, Args)]
pub(crate) struct ListArgs {
    /// Only groups in this state
    #[arg(long, value_name = "STATE", value_parser = STATES, ignore_case = true)]
    state: Option<String>,
    /// A JSON array
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    connection: ConnectionArgs,
}

#[derive(Debug, Args)]
pub(crate) struct DescribeArgs {
    /// The group's name
    #[arg(value_name = "GROUP")]
    group: String,
    /// A JSON object
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    connection: ConnectionArgs,
}

#[derive(Debug, Args)]
pub(crate) struct DeleteArgs {
    /// The groups' names
    #[arg(value_name = "GROUP", required = true)]
    groups: Vec<String>,
    #[command(flatten)]
    connection: ConnectionArgs,
}

/// Does what `mainstem group ...` says.
pub(crate) fn execute(command: &GroupCommand) -> Outcome {
    match command {
        GroupCommand::List(args) => list(args),
        GroupCommand::Describe(args) => describe(args),
        GroupCommand::Reset(args) => reset::execute(args),
        GroupCommand::Delete(args) => delete(args),
    }
}

/// A member of a group.
struct Member {
    id: String,
    client: String,
    host: String,
    /// `None`: its bytes are not those of a consumer.
    assigned: Option<Vec<(String, Vec<i32>)>>,
}

/// A group as the cluster tells it.
pub(super) struct Group {
    name: String,
    pub(super) state: String,
    /// The assignor that its members agreed on.
    protocol: String,
    members: Vec<Member>,
}

impl Group {
    fn of(info: &GroupInfo) -> Self {
        let member = |member: &GroupMemberInfo| Member {
            id: member.id().to_owned(),
            client: member.client_id().to_owned(),
            host: member.client_host().trim_start_matches('/').to_owned(),
            assigned: assignment::parse(member.assignment().unwrap_or_default()),
        };
        // The broker listed it; that it is dead is said about groups of another protocol.
        let state = match info.state() {
            "Dead" | "" => UNKNOWN_STATE,
            state => state,
        };
        Self {
            name: info.name().to_owned(),
            state: state.to_owned(),
            protocol: info.protocol().to_owned(),
            members: info.members().iter().map(member).collect(),
        }
    }

    /// False if somebody reads as this group now; if that is not known, the broker will say so.
    pub(super) fn is_idle(&self) -> bool {
        self.members.is_empty() && matches!(self.state.as_str(), "Empty" | UNKNOWN_STATE)
    }

    /// Who reads a partition.
    fn owner(&self, place: &Place) -> Option<&Member> {
        self.members.iter().find(|member| member.owned().contains(place))
    }
}

impl Member {
    fn owned(&self) -> BTreeSet<Place> {
        let topics = self.assigned.iter().flatten();
        topics.flat_map(|(topic, ids)| ids.iter().map(|id| (topic.clone(), *id))).collect()
    }

    /// `orders[0,1] users[3]`.
    fn partitions_text(&self) -> String {
        let Some(assigned) = &self.assigned else { return "(not a consumer)".to_owned() };
        let one = |(topic, ids): &(String, Vec<i32>)| {
            let ids: Vec<String> = ids.iter().map(i32::to_string).collect();
            format!("{topic}[{}]", ids.join(","))
        };
        let texts: Vec<String> = assigned.iter().map(one).collect();
        if texts.is_empty() { "-".to_owned() } else { texts.join(" ") }
    }
}

/// All groups or the one of this name, sorted by name.
fn groups(cluster: &Cluster, name: Option<&str>) -> Outcome<Vec<Group>> {
    let found = cluster.client().fetch_group_list(name, REQUEST_TIMEOUT);
    let found = found.map_err(|error| cluster.failed("list the groups", &error))?;
    let mut groups: Vec<Group> = found.groups().iter().map(Group::of).collect();
    groups.sort_by(|a, b| a.name.cmp(&b.name));
    Ok(groups)
}

/// The group of this name.
pub(super) fn find(cluster: &Cluster, name: &str) -> Outcome<Option<Group>> {
    Ok(groups(cluster, Some(name))?.into_iter().find(|group| group.name == name))
}

fn unknown(cluster: &Cluster, name: &str) -> Outcome<Failure> {
    let groups = groups(cluster, None)?;
    let names: Vec<&str> = groups.iter().map(|group| group.name.as_str()).collect();
    let hint = match similar(name, &names) {
        near if near.is_empty() => "`mainstem group list` lists all".to_owned(),
        near => format!("did you mean {}?", near.join(", ")),
    };
    let text = format!("there is no group '{name}' at {}", cluster.servers());
    Ok(Failure::Runtime(Error::user(text).with_hint(hint)))
}

fn list(args: &ListArgs) -> Outcome {
    let cluster = Cluster::open(&args.connection)?;
    let mut groups = groups(&cluster, None)?;
    if let Some(state) = &args.state {
        groups.retain(|group| group.state.eq_ignore_ascii_case(state));
    }
    if args.json {
        let object = |group: &Group| {
            json!({
                "group": group.name, "state": group.state, "protocol": group.protocol,
                "members": group.members.len(),
            })
        };
        let array: Vec<Value> = groups.iter().map(object).collect();
        return print_out(&format!("{}\n", Value::Array(array)));
    }
    let mut columns = Columns::new(&[
        ("GROUP", Align::Left),
        ("STATE", Align::Left),
        ("PROTOCOL", Align::Left),
        ("MEMBERS", Align::Right),
    ]);
    for group in &groups {
        let protocol = Some(group.protocol.clone()).filter(|p| !p.is_empty());
        columns.push([
            group.name.clone(),
            group.state.clone(),
            protocol.unwrap_or_else(|| "-".to_owned()),
            group.members.len().to_string(),
        ]);
    }
    print_out(&columns.text(""))
}

/// The committed offsets of the group that `cluster` was opened as, of these partitions; those without are left out.
pub(super) fn committed(cluster: &Cluster, places: &[Place]) -> Outcome<BTreeMap<Place, i64>> {
    let doing = "ask for committed offsets";
    let mut list = TopicPartitionList::with_capacity(places.len());
    for (topic, partition) in places {
        list.add_partition(topic, *partition);
    }
    if list.count() == 0 {
        return Ok(BTreeMap::new());
    }
    let answer = cluster.client().committed_offsets(list, REQUEST_TIMEOUT);
    let answer = answer.map_err(|error| cluster.failed(doing, &error))?;
    let mut found = BTreeMap::new();
    for element in answer.elements() {
        element.error().map_err(|error| cluster.failed(doing, &error))?;
        if let Offset::Offset(offset) = element.offset() {
            found.insert((element.topic().to_owned(), element.partition()), offset);
        }
    }
    Ok(found)
}

/// All partitions of the cluster.
pub(super) fn all_places(cluster: &Cluster) -> Outcome<Vec<Place>> {
    Ok(cluster.topics()?.iter().flat_map(Topic::places).collect())
}

/// How far a group is in a partition.
struct Progress {
    place: Place,
    committed: Option<i64>,
    end: Option<i64>,
}

impl Progress {
    fn lag(&self) -> Option<i64> {
        Some((self.end? - self.committed?).max(0))
    }
}

fn progress(cluster: &Cluster, group: &Group) -> Outcome<Vec<Progress>> {
    let all = all_places(cluster)?;
    let committed = committed(cluster, &all)?;
    let mut places: BTreeSet<Place> = committed.keys().cloned().collect();
    let there: BTreeSet<Place> = all.into_iter().collect();
    places.extend(group.members.iter().flat_map(Member::owned).filter(|p| there.contains(p)));
    let places: Vec<Place> = places.into_iter().collect();
    let ends = offsets(cluster, &places, Moment::Latest)?;
    let of = |(place, end): (Place, Option<i64>)| Progress {
        committed: committed.get(&place).copied(),
        place,
        end,
    };
    Ok(places.into_iter().zip(ends).map(of).collect())
}

fn describe(args: &DescribeArgs) -> Outcome {
    let cluster = Cluster::open_as(&args.connection, &args.group)?;
    let Some(group) = find(&cluster, &args.group)? else {
        return Err(unknown(&cluster, &args.group)?);
    };
    if group.state == UNKNOWN_STATE {
        say("this group uses the new protocol (KIP-848): its members cannot be shown\n");
    }
    let progress = progress(&cluster, &group)?;
    match args.json {
        true => print_out(&format!("{}\n", description_json(&group, &progress))),
        false => print_out(&description_text(&group, &progress)),
    }
}

fn description_json(group: &Group, progress: &[Progress]) -> Value {
    let members = group.members.iter().map(|member| {
        let topics = member.assigned.iter().flatten();
        let assigned = topics.map(|(topic, ids)| json!({ "topic": topic, "partitions": ids }));
        json!({
            "member": member.id, "client": member.client, "host": member.host,
            "assigned": assigned.collect::<Vec<Value>>(),
        })
    });
    let partitions = progress.iter().map(|p| {
        json!({
            "topic": p.place.0, "partition": p.place.1, "committed": p.committed, "end": p.end,
            "lag": p.lag(), "member": group.owner(&p.place).map(|member| &member.id),
        })
    });
    json!({
        "group": group.name, "state": group.state, "protocol": group.protocol,
        "members": members.collect::<Vec<Value>>(), "partitions": partitions.collect::<Vec<Value>>(),
    })
}

fn description_text(group: &Group, progress: &[Progress]) -> String {
    let lag: i64 = progress.iter().filter_map(Progress::lag).sum();
    let protocol = match group.protocol.as_str() {
        "" => String::new(),
        protocol => format!(", {protocol}"),
    };
    let members = count(group.members.len() as u64, "member");
    let mut text = format!("{}  {}{protocol}, {members}, lag {lag}\n", group.name, group.state);
    if !group.members.is_empty() {
        let mut columns = Columns::new(&[
            ("MEMBER", Align::Left),
            ("CLIENT", Align::Left),
            ("HOST", Align::Left),
            ("PARTITIONS", Align::Left),
        ]);
        for member in &group.members {
            let texts = [&member.id, &member.client, &member.host].map(String::clone);
            columns.push(texts.into_iter().chain([member.partitions_text()]));
        }
        text.push_str(&columns.text("  "));
        text.push('\n');
    }
    let mut columns = Columns::new(&[
        ("TOPIC", Align::Left),
        ("PARTITION", Align::Right),
        ("COMMITTED", Align::Right),
        ("END", Align::Right),
        ("LAG", Align::Right),
        ("MEMBER", Align::Left),
    ]);
    for one in progress {
        columns.push([
            one.place.0.clone(),
            one.place.1.to_string(),
            or_dash(one.committed),
            or_dash(one.end),
            or_dash(one.lag()),
            group.owner(&one.place).map_or_else(|| "-".to_owned(), |member| member.id.clone()),
        ]);
    }
    text + &columns.text("  ")
}

fn delete(args: &DeleteArgs) -> Outcome {
    let cluster = Cluster::open(&args.connection)?;
    for name in &args.groups {
        let Some(group) = find(&cluster, name)? else { return Err(unknown(&cluster, name)?) };
        if !group.is_idle() {
            return Err(busy(&group));
        }
    }
    let names: Vec<&str> = args.groups.iter().map(String::as_str).collect();
    let doing = format!("delete '{}'", names.join("', '"));
    let answers = cluster
        .administer(&doing, async |admin, options| admin.delete_groups(&names, options).await)?;
    for answer in answers {
        let name = answer
            .map_err(|(name, code)| cluster.refused(&format!("delete group '{name}'"), code))?;
        say(&format!("deleted group '{name}'\n"));
    }
    Ok(())
}

/// The error for a group that must not have members.
pub(super) fn busy(group: &Group) -> Failure {
    let members = count(group.members.len() as u64, "member");
    let text = format!("group '{}' is in use: {}, {members}", group.name, group.state);
    let error = Error::new(mainstem_core::ErrorKind::Conflict, text);
    Failure::Runtime(error.with_hint(
        "stop its members first; one that was killed counts until its session has timed out",
    ))
}
