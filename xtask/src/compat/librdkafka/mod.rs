//! librdkafka's own tests against our broker: sixty thousand lines by people who never heard of us.
//! Invariant: what is expected stands in `tests/compat/librdkafka.txt`. A test that should pass and fails is an error, and
//! so is one that is excluded and passes, so that the list stays true.
//!
//! | file | what |
//! |---|---|
//! | `source` | the source, out of the package that we depend on anyway, and the built runner |
//! | `register` | which tests there are |
//! | `list` | what is expected of them |
//! | `run` | processes, several at once, and how they ended |

mod list;
mod register;
mod run;
mod source;

use std::fs;
use std::path::Path;
use std::time::Duration;

use self::list::{Expected, List};
use self::register::{Kind, Test};
use self::run::{Ended, Outcome, Place, Unit, Wants};
use super::brokers::{self, Broker};
use crate::error::{Context, Error, Result};
use crate::{layout, process, services};

const LIST: &str = include_str!("../../../../tests/compat/librdkafka.txt");

/// The version that tests are told the broker has; those of what Kafka 4 has dropped skip themselves.
const BROKER_VERSION: &str = "4.0.0";

/// What librdkafka's authors give the broker that they test with: four partitions, and three replicas, of which we make one.
/// A new group waits for its members as long as with Kafka: tests count on it that two which join together are assigned
/// together.
const SETTINGS: &[&str] =
    &["num.partitions=4", "replication.factor.max=3", "group.initial.rebalance.delay.ms=3000"];

#[derive(Debug, Clone, clap::Args)]
pub(crate) struct LibrdkafkaArgs {
    /// Tests by number or name; all that need a broker when none is named
    tests: Vec<String>,
    /// Only those that CI runs, expected to pass and not slow, and as on its authors' CI: most durations are told, not judged
    #[arg(long)]
    fast: bool,
    /// Another broker instead of ours; it should make topics by itself, with four partitions
    #[arg(long, value_name = "HOST:PORT")]
    against: Option<String>,
    /// With --against: the broker for tests that want one that makes no topics; without it they are left out
    #[arg(long, value_name = "HOST:PORT", requires = "against")]
    against_no_auto_create: Option<String>,
    /// How many at once
    #[arg(long, default_value_t = 8)]
    jobs: usize,
    /// Seconds after which a test is killed
    #[arg(long, default_value_t = 1200)]
    limit: u64,
    /// How many times longer than usual tests wait for an answer: more on a machine that is busy
    #[arg(long, default_value_t = 2)]
    patience: u32,
    /// Name the tests and what is expected of them, and run none
    #[arg(long)]
    list: bool,
}

/// What `cargo xtask compat librdkafka` does.
pub(crate) fn main(args: &LibrdkafkaArgs) -> Result<()> {
    let list = List::read(LIST)?;
    let tests = source::tests()?;
    let table = tests.join("test.c");
    let table =
        fs::read_to_string(&table).context(format_args!("cannot read {}", table.display()))?;
    let registered = register::read(&table)?;
    let differences = list.differences(&registered);
    if !differences.is_empty() {
        return Err(Error::new(format!("tests/compat/librdkafka.txt: {}", differences.join("\n"))));
    }
    let units = units(&registered, &list, args);
    if args.list {
        units.iter().flat_map(|unit| &unit.names).for_each(|name| match list.get(name) {
            Some(Expected::Excluded(reason)) => println!("{name} excluded: {reason}"),
            Some(Expected::Ok { slow: true, .. }) => println!("{name} ok slow"),
            _ => println!("{name} ok"),
        });
        let (ok, excluded) = list.counts();
        eprintln!("of {} tests that need a broker {ok} are expected to pass", ok + excluded);
        return Ok(());
    }
    if units.is_empty() {
        return Err(Error::new("no test is named like that; --list names them all".to_owned()));
    }
    let outcomes = run(&tests, units, args)?;
    judge(&list, &outcomes)
}

/// The fast ones, for CI.
pub(crate) fn fast() -> Result<()> {
    let args = LibrdkafkaArgs {
        tests: Vec::new(),
        fast: true,
        against: None,
        against_no_auto_create: None,
        jobs: 8,
        limit: 240,
        patience: 2,
        list: false,
    };
    main(&args)
}

/// Tests that skip themselves where nobody has to log in.
const WITH_LOGIN: &[&str] = &["0135_sasl_credentials"];

fn wants(test: &Test) -> Wants {
    match test {
        Test { no_auto_create: true, .. } => Wants::NoAutoCreate,
        Test { name, .. } if WITH_LOGIN.contains(&&**name) => Wants::Login,
        _ => Wants::Usual,
    }
}

/// What is run, the longest first.
fn units(registered: &[Test], list: &List, args: &LibrdkafkaArgs) -> Vec<Unit> {
    let mut units: Vec<Unit> = Vec::new();
    for test in
        registered.iter().filter(|test| matches!(test.kind, Kind::Broker | Kind::KnownIssue))
    {
        let number = test.name.split('_').next().unwrap_or_default();
        let asked = |name: &str| {
            args.tests.is_empty()
                || args.tests.iter().any(|asked| asked == number || name.starts_with(&**asked))
        };
        let unit = |part: Option<&str>, name: &str| Unit {
            number: number.to_owned(),
            wants: wants(test),
            known_issue: test.kind == Kind::KnownIssue,
            version: match list.get(name) {
                Some(Expected::Ok { version: Some(version), .. }) => version.clone(),
                _ => BROKER_VERSION.to_owned(),
            },
            part: part.map(str::to_owned),
            names: vec![name.to_owned()],
        };
        let wanted = |name: &str, expected| {
            asked(name)
                && (!args.fast || matches!(expected, Some(&Expected::Ok { slow: false, .. })))
        };
        if wanted(&test.name, list.get(&test.name)) {
            let unit = unit(None, &test.name);
            let same =
                |other: &&mut Unit| Unit { names: unit.names.clone(), ..(**other).clone() } == unit;
            match units.iter_mut().find(same) {
                Some(other) => other.names.extend(unit.names),
                None => units.push(unit),
            }
        }
        let parts =
            list.parts(&test.name).filter(|(name, _, expected)| wanted(name, Some(expected)));
        units.extend(parts.map(|(name, part, _)| unit(Some(part), name)));
    }
    if args.against.is_some() {
        let without = args.against_no_auto_create.is_none();
        units.retain(|unit| match unit.wants {
            Wants::Usual => true,
            Wants::NoAutoCreate => !without,
            Wants::Login => false,
        });
    }
    let slow = |name: &String| !matches!(list.get(name), Some(Expected::Ok { slow: false, .. }));
    // Higher numbers are about groups and transactions, and take longer.
    units.reverse();
    units.sort_by_key(|unit| !unit.names.iter().any(slow));
    units
}

/// Runs them against the broker that was named, or against ours.
fn run(tests: &Path, units: Vec<Unit>, args: &LibrdkafkaArgs) -> Result<Vec<Outcome>> {
    let folder = layout::root().join(".services/librdkafka-run");
    let _one_at_a_time = layout::lock(&folder.with_extension("lock"))?;
    layout::remove_folder(&folder)?;
    layout::create_folder(&folder)?;
    let kafka_path = folder.join("kafka");
    let kafka_jars = services::kafka_jars()?;
    source::kafka(&kafka_path, &kafka_jars)?;
    let binary = brokers::build()?;
    let mut ours = match args.against {
        Some(_) => Vec::new(),
        None => start(&binary, &folder)?,
    };
    let brokers = match &args.against {
        Some(address) => {
            let other = args.against_no_auto_create.iter();
            let other = other.map(|address| (Wants::NoAutoCreate, address.clone()));
            other.chain([(Wants::Usual, address.clone())]).collect()
        }
        None => ours.iter().map(|(wants, broker)| (*wants, broker.address.clone())).collect(),
    };
    let place = Place {
        tests: tests.to_path_buf(),
        folder,
        kafka_path,
        kafka_jars,
        binary,
        brokers,
        limit: Duration::from_secs(args.limit),
        patience: args.patience,
        busy: args.fast,
    };
    let outcomes = run::run_all(&place, units, args.jobs.max(1))?;
    ours.iter_mut().try_for_each(|(_, broker)| broker.check())?;
    Ok(outcomes)
}

/// Our brokers, one for each want.
fn start(binary: &Path, folder: &Path) -> Result<Vec<(Wants, Broker)>> {
    let set = SETTINGS.iter().flat_map(|setting| ["--kafka-set", setting]).collect::<Vec<_>>();
    let one = |wants, log: &str, more: &[&str]| -> Result<_> {
        Ok((wants, Broker::start(binary, folder.join(log), &[&set, more].concat())?))
    };
    Ok(vec![
        one(Wants::Usual, "broker.log", &[])?,
        one(
            Wants::NoAutoCreate,
            "broker-no-auto-create.log",
            &["--kafka-set", "auto.create.topics.enable=false"],
        )?,
        one(Wants::Login, "broker-login.log", &["--kafka-user", run::USER])?,
    ])
}

/// Compares with the list and says what differs.
fn judge(list: &List, outcomes: &[Outcome]) -> Result<()> {
    let mut wrong = Vec::new();
    for outcome in outcomes {
        let name = &outcome.name;
        match (list.get(name), &outcome.ended) {
            (Some(Expected::Ok { .. }), Ended::Passed)
            | (Some(Expected::Excluded(_)), Ended::Failed(_) | Ended::Skipped(_)) => {}
            (Some(Expected::Excluded(reason)), Ended::Passed) => {
                wrong.push(format!("{name} passes, but it is excluded: {reason}"));
            }
            (_, Ended::Passed) => {
                wrong.push(format!("{name} passes, but it is not expected to be run"))
            }
            (_, Ended::Skipped(why)) => wrong.push(format!("{name} skips itself: {why}")),
            (_, Ended::Failed(why)) => {
                let said = process::tail(&outcome.log);
                wrong.push(format!("{name} {why}; {said}\n"));
            }
        }
    }
    let passed = outcomes.iter().filter(|outcome| outcome.ended == Ended::Passed).count();
    let summary = format!("librdkafka's tests: {} run, {passed} passed", outcomes.len());
    match wrong.len() {
        0 => {
            eprintln!("{summary}, all as tests/compat/librdkafka.txt says");
            Ok(())
        }
        count => Err(Error::new(format!(
            "{}\n{summary}, {count} not as tests/compat/librdkafka.txt says",
            wrong.join("\n")
        ))),
    }
}
