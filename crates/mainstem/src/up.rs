//! `mainstem up`: the embedded broker as a server, and the pipelines of the files beside it, one a file.
//! Invariant: a file that is refused starts nothing. The first Ctrl-C lets pipelines write what they have read, then the
//! broker answer what it was asked, then closes the data cleanly; a second one stops at once. A pipeline that fails does to the
//! others what Ctrl-C does.

use std::collections::BTreeMap;
use std::num::NonZeroUsize;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use clap::Args;
use futures::StreamExt;
use futures::stream::FuturesUnordered;
use mainstem_connectors::registry;
use mainstem_core::Error;
use mainstem_core::options::Delivery;
use mainstem_core::table::TableSpec;
use mainstem_engine::executor::Cuts;
use mainstem_sql::job::{SinkTarget, Step};

use crate::broker::{
    Address, Data, Embedded, ListenerName, ListenerSettings, Protocol, Server, ServerSettings, Tls,
    User,
};
use crate::cli::{OutputKind, ScriptArgs, parse_variable};
use crate::clock::SystemClock;
use crate::command::{Ready, prepare_each, run_steps};
use crate::failure::{Failure, Outcome, say};
use crate::pipeline::{ChangedSql, Runner, Settings, StateSettings};
use crate::script;
use crate::state::StatePlace;

const HELP: &str = "\
Examples:
  mainstem up                                      a Kafka broker on 127.0.0.1:9092, topics in ./mainstem-data
  mainstem up pipeline.sql                         the same, and the pipeline beside it
  mainstem up orders.sql rides.sql --state state   two pipelines that go on after a crash, from state/orders and state/rides
  mainstem up --data memory                        topics that end with the process
  mainstem up --kafka-listen 127.0.0.1:19092       on another port
  mainstem up --kafka-listen PLAINTEXT://127.0.0.1:9092 --kafka-listen SASL_SSL://0.0.0.0:9093 \\
      --kafka-tls-cert cert.pem --kafka-tls-key key.pem --kafka-users users.txt
                                                   open on this machine; from others by TLS and a password
  mainstem up --kafka-listen 0.0.0.0:9092 --kafka-advertise broker.local:9092 --insecure
                                                   for everybody on the network, without a password

Any Kafka client connects to it: kcat -b 127.0.0.1:9092 -L. What is acknowledged is on the disk. Topics are made when
somebody writes to them.

The first Ctrl-C finishes what has been read and asked, and closes the data; a second one stops at once.";

/// The arguments of `mainstem up`.
#[derive(Debug, Args)]
#[command(after_help = HELP)]
pub(crate) struct UpArgs {
    /// SQL files; each is a pipeline beside the broker, and sees the tables of the files before it; - is stdin
    #[arg(value_name = "FILE")]
    files: Vec<PathBuf>,
    /// Fills ${NAME} in the files; beats a variable of the environment. May be given more than once
    #[arg(long = "var", value_name = "NAME=VALUE", value_parser = parse_variable)]
    variables: Vec<(String, String)>,
    /// The folder of the topics; memory keeps them only as long as the process runs
    #[arg(long, value_name = "DIR", default_value = "mainstem-data")]
    data: Data,
    /// Keep checkpoints here, and go on from the newest ones: each pipeline in a folder with the name of its file, without its
    /// ending. A folder, or s3://BUCKET/PREFIX, az://CONTAINER/PREFIX, gs://BUCKET/PREFIX
    #[arg(long, value_name = "PLACE", requires = "files")]
    state: Option<StatePlace>,
    /// Go on from this checkpoint of --state instead of the newest; with several pipelines with the name of one, which is that of its
    /// folder. May be given more than once
    #[arg(long, value_name = "[PIPELINE=]NUMBER", requires = "state", value_parser = parse_checkpoint)]
    from_checkpoint: Vec<(Option<String>, u64)>,
    /// When the SQL means something else than that of the checkpoint
    #[arg(long, value_name = "HOW", default_value = "refuse", requires = "state")]
    changed_sql: ChangedSql,
    /// Where Kafka clients connect, and how: PLAINTEXT, SSL, SASL_PLAINTEXT or SASL_SSL. Without a protocol, TLS is
    /// spoken if there is a certificate, and clients log in if there are users. May be given more than once
    #[arg(long, value_name = "[PROTOCOL://]HOST:PORT", default_value = "127.0.0.1:9092")]
    kafka_listen: Vec<ListenerName>,
    /// Where clients are told to connect, if it is not where they did: the address behind a proxy or a container's port.
    /// The first belongs to the first --kafka-listen, and so on
    #[arg(long, value_name = "HOST:PORT")]
    kafka_advertise: Vec<Address>,
    /// The certificate of TLS listeners, PEM: the server's own first, then those that signed it
    #[arg(long, value_name = "FILE", requires = "kafka_tls_key")]
    kafka_tls_cert: Option<PathBuf>,
    /// The key of the certificate, PEM, without a password
    #[arg(long, value_name = "FILE", requires = "kafka_tls_cert")]
    kafka_tls_key: Option<PathBuf>,
    /// A user who may log in at SASL listeners, by PLAIN or SCRAM-SHA-256/512. May be given more than once
    #[arg(long, value_name = "NAME:PASSWORD")]
    kafka_user: Vec<User>,
    /// A file of users, NAME:PASSWORD on each line, so that no password stands on the command line
    #[arg(long, value_name = "FILE")]
    kafka_users: Option<PathBuf>,
    /// Let other machines in at listeners without TLS
    #[arg(long)]
    insecure: bool,
    /// A configuration of the broker, by Kafka's name: num.partitions=4. May be given more than once
    #[arg(long, value_name = "NAME=VALUE", value_parser = parse_config)]
    kafka_set: Vec<(String, String)>,
    /// How many workers share the rows of a pipeline; beats SET 'parallelism.default'
    #[arg(long, short = 'p', value_name = "N")]
    parallelism: Option<NonZeroUsize>,
    /// No progress and no summary on stderr
    #[arg(long, short)]
    quiet: bool,
}

impl UpArgs {
    fn server(&self) -> Outcome<ServerSettings> {
        if self.kafka_advertise.len() > self.kafka_listen.len() {
            let error = Error::user("there are more --kafka-advertise than --kafka-listen");
            return Err(Failure::Usage(error.with_hint("give both, in the same order")));
        }
        let (users, tls) = (self.users()?, self.tls()?);
        let mut listeners = Vec::with_capacity(self.kafka_listen.len());
        for (index, listener) in self.kafka_listen.iter().enumerate() {
            let given = Protocol { tls: tls.is_some(), login: !users.is_empty() };
            let protocol = listener.protocol.unwrap_or(given);
            check_protocol(protocol, given)?;
            listeners.push(ListenerSettings {
                address: listener.address.clone(),
                login: protocol.login,
                tls: tls.clone().filter(|_| protocol.tls),
                advertised: self.kafka_advertise.get(index).cloned(),
                insecure: self.insecure,
            });
        }
        if tls.is_some() && listeners.iter().all(|listener| listener.tls.is_none()) {
            let error = Error::user("there is a certificate, and no listener speaks TLS");
            let hint = "add --kafka-listen SSL://HOST:PORT, or leave --kafka-tls-cert out";
            return Err(Failure::Usage(error.with_hint(hint)));
        }
        if !users.is_empty() && listeners.iter().all(|listener| !listener.login) {
            let error = Error::user("there are users, and at no listener anybody logs in");
            let hint = "add --kafka-listen SASL_SSL://HOST:PORT, or leave --kafka-user out";
            return Err(Failure::Usage(error.with_hint(hint)));
        }
        let mut broker = mainstem_broker::Settings::default();
        for (name, value) in &self.kafka_set {
            broker.set(name, value).map_err(Failure::Usage)?;
        }
        Ok(ServerSettings { data: self.data.clone(), listeners, broker, users })
    }

    fn tls(&self) -> Outcome<Option<Tls>> {
        match (&self.kafka_tls_cert, &self.kafka_tls_key) {
            (Some(certificate), Some(key)) => {
                Tls::load(certificate, key).map(Some).map_err(Failure::Usage)
            }
            // One alone is refused when the command line is read.
            _ => Ok(None),
        }
    }

    fn users(&self) -> Outcome<Vec<User>> {
        let mut users = self.kafka_user.clone();
        let Some(file) = &self.kafka_users else { return Ok(users) };
        let (name, text) = script::read_file(file)?;
        for (index, line) in text.lines().enumerate() {
            if line.is_empty() || line.starts_with('#') {
                continue;
            }
            let user = line.parse().map_err(|why: String| {
                let error = Error::user(format!("line {} of '{name}' is no user", index + 1));
                Failure::Usage(error.with_hint(why))
            });
            users.push(user?);
        }
        if users.is_empty() {
            return Err(Failure::Usage(Error::user(format!("there is no user in '{name}'"))));
        }
        Ok(users)
    }

    fn pipelines(&self) -> Settings {
        Settings {
            parallelism: self.parallelism.map(usize::from),
            close_windows: false,
            output: OutputKind::Changelog,
            quiet: self.quiet,
            embedded: Embedded::default(),
            live_line: self.files.len() == 1,
            cuts: Cuts::AsItComes,
            restarts: false,
            state: self.state.clone().map(|place| StateSettings {
                place,
                from: None,
                changed: self.changed_sql,
            }),
        }
    }
}

/// What runs of a file.
struct Pipeline {
    /// The file's name without its folder and its ending.
    name: String,
    steps: Vec<Ready>,
    settings: Settings,
}

impl Pipeline {
    /// Where it keeps state; a file of nothing but declarations keeps nothing.
    fn state(&mut self) -> Option<&mut StateSettings> {
        let has_job = self.steps.iter().any(|step| matches!(step, Ready::Job(_)));
        self.settings.state.as_mut().filter(|_| has_job)
    }
}

/// Reads, binds and plans the files, one pipeline each.
fn pipelines(arguments: &UpArgs, settings: &Settings) -> Outcome<Vec<Pipeline>> {
    if arguments.files.is_empty() {
        return Ok(Vec::new());
    }
    let (files, variables) = (arguments.files.clone(), arguments.variables.clone());
    let (steps, declarations) = script::plan_each(script::read(&ScriptArgs { files, variables })?)?;
    if settings.state.is_some() {
        check_transactions(&arguments.files, &steps)?;
    }
    let mut names = BTreeMap::new();
    let mut all = Vec::new();
    for (file, steps) in arguments.files.iter().zip(prepare_each(steps, &declarations, settings)?) {
        let name = stem(file);
        let settings = settings.clone();
        let mut pipeline = Pipeline { name: name.clone(), steps, settings };
        if let Some(state) = pipeline.state() {
            state.place = state.place.below(&name);
            if let Some(other) = names.insert(name, file) {
                let (file, other) = (file.display(), other.display());
                let text = format!(
                    "'{other}' and '{file}' would both keep their state in '{}'",
                    state.place
                );
                return Err(Failure::Usage(Error::user(text).with_hint(
                    "the folder has the name of the file without its ending: rename one of the files",
                )));
            }
        }
        all.push(pipeline);
    }
    set_checkpoints(&mut all, &arguments.from_checkpoint)?;
    Ok(all)
}

/// Tells pipelines that keep state from which checkpoint they are to go on.
fn set_checkpoints(pipelines: &mut [Pipeline], asked: &[(Option<String>, u64)]) -> Outcome {
    let keep = pipelines.iter_mut().filter_map(|pipeline| {
        let name = pipeline.name.clone();
        Some((name, pipeline.state()?))
    });
    let mut keep: Vec<(String, &mut StateSettings)> = keep.collect();
    let names: Vec<String> = keep.iter().map(|(name, _)| format!("'{name}'")).collect();
    for (name, id) in asked {
        let at = match name {
            Some(name) => keep.iter().position(|(own, _)| own == name),
            None => (keep.len() == 1).then_some(0),
        };
        let Some((_, state)) = at.map(|at| &mut keep[at]) else {
            let text = match name {
                Some(name) => {
                    format!("--from-checkpoint {name}={id}: no pipeline with this name keeps state")
                }
                None => format!("--from-checkpoint {id} does not say of which pipeline"),
            };
            let hint = match &names[..] {
                [] => "none of the files writes anything".to_owned(),
                names => format!("write it as PIPELINE=NUMBER; there is {}", names.join(", ")),
            };
            return Err(Failure::Usage(Error::user(text).with_hint(hint)));
        };
        state.from = Some(*id);
    }
    Ok(())
}

/// Two pipelines must not give the same names to their transactions: each would end those of the other when it starts again.
fn check_transactions(files: &[PathBuf], pipelines: &[Vec<Step>]) -> Outcome {
    const PREFIX: &str = "sink.transactional-id-prefix";
    let is_named = |table: &TableSpec| {
        let connector = table.options.get("connector").and_then(|name| registry::connector(name));
        connector.is_some_and(|connector| {
            let spec = connector.spec();
            spec.options.iter().any(|option| option.name == PREFIX)
                && spec.sink_delivery(&table.options) == Some(Delivery::ExactlyOnce)
        })
    };
    let mut writers: BTreeMap<_, &PathBuf> = BTreeMap::new();
    for (file, steps) in files.iter().zip(pipelines) {
        let jobs = steps.iter().filter_map(|step| match step {
            Step::Job(job) => Some(job),
            Step::Text(_) => None,
        });
        for sink in jobs.flat_map(|job| &job.sinks) {
            let SinkTarget::Table(table) = &sink.target else { continue };
            // What names are made of where nothing else is said.
            let usual = (table.name.as_str(), table.options.get("topic").map(String::as_str));
            let names = table.options.get(PREFIX).map_or(usual, |prefix| (prefix, None));
            if !is_named(table) {
                continue;
            }
            if let Some(other) = writers.insert(names, file).filter(|other| *other != file) {
                let (name, file, other) = (&table.name, file.display(), other.display());
                let error =
                    format!("'{other}' and '{file}' both write table '{name}' in transactions");
                return Err(Failure::Usage(Error::user(error).with_hint(format!(
                    "write to it in one file, or declare another table for the second file, with a '{PREFIX}' of its own"
                ))));
            }
        }
    }
    Ok(())
}

/// `rides` of `jobs/rides.sql`.
fn stem(file: &Path) -> String {
    match file.file_stem() {
        Some(stem) if file != Path::new("-") => stem.to_string_lossy().into_owned(),
        _ => "stdin".to_owned(),
    }
}

/// Runs pipelines beside each other until all have ended; false if Ctrl-C ended one. The first that fails ends the others.
async fn run_all(pipelines: Vec<Pipeline>, runner: &Runner) -> Outcome<bool> {
    let several = pipelines.len() > 1;
    let run = |Pipeline { name, steps, settings }: Pipeline| async move {
        run_steps(steps, runner, &settings).await.map_err(|failure| match failure {
            Failure::Runtime(error) if several => {
                Failure::Runtime(error.context(format!("pipeline '{name}'")))
            }
            failure => failure,
        })
    };
    let mut running: FuturesUnordered<_> = pipelines.into_iter().map(run).collect();
    let mut all = Ok(true);
    while let Some(ended) = running.next().await {
        if ended.is_err() {
            runner.finish();
        }
        all = match (all, ended) {
            (Ok(all), Ok(one)) => Ok(all && one),
            (Err(first), _) => Err(first),
            (Ok(_), Err(failure)) => Err(failure),
        };
    }
    all
}

/// Refuses a listener that asks for what was not given.
fn check_protocol(asked: Protocol, given: Protocol) -> Outcome {
    let refused = |what: &str, hint: &str| {
        let error = Error::user(format!("a listener of {} needs {what}", asked.name()));
        Err(Failure::Usage(error.with_hint(hint)))
    };
    if asked.tls && !given.tls {
        return refused("a certificate", "give it with --kafka-tls-cert FILE --kafka-tls-key FILE");
    }
    if asked.login && !given.login {
        return refused("users", "name them with --kafka-user NAME:PASSWORD or --kafka-users FILE");
    }
    Ok(())
}

fn parse_checkpoint(text: &str) -> Result<(Option<String>, u64), String> {
    let (name, number) = match text.rsplit_once('=') {
        Some((name, number)) => (Some(name.to_owned()), number),
        None => (None, text),
    };
    let number = number.parse().map_err(|_| "write it as NUMBER or PIPELINE=NUMBER".to_owned());
    Ok((name, number?))
}

fn parse_config(text: &str) -> Result<(String, String), String> {
    let (name, value) = text.split_once('=').ok_or("write it as NAME=VALUE")?;
    Ok((name.to_owned(), value.to_owned()))
}

/// Runs until Ctrl-C, or until a pipeline or the broker fails.
pub(crate) fn up(arguments: &UpArgs) -> Outcome {
    let server = arguments.server()?;
    let settings = arguments.pipelines();
    let pipelines = pipelines(arguments, &settings)?;
    raise_open_files();
    let runner = Runner::new()?;
    let server = start(&runner, server, &settings)?;
    if !arguments.quiet {
        say(&ready(&server, &arguments.data));
    }
    let ran = runner.block_on(run_all(pipelines, &runner)).and_then(|ended| match ended {
        // Ctrl-C has come already.
        false => Ok(()),
        true => runner.block_on(runner.until_interrupted(async {
            server.host().failed().await;
            let error = Error::internal("the broker stopped unexpectedly");
            Err(Failure::Runtime(error.with_hint("this is a bug in Mainstem; please report it")))
        })),
    });
    let stopped = runner.block_on(async { server.stop().await.map_err(Failure::Runtime) });
    ran.and(stopped)
}

/// Starts a broker, and opens the pipelines' door to it.
pub(crate) fn start(
    runner: &Runner,
    server: ServerSettings,
    settings: &Settings,
) -> Outcome<Server> {
    let started = Server::start(server, Arc::new(SystemClock));
    let server = runner.block_on(async { started.await.map_err(refused) })?;
    settings.embedded.open(server.client());
    Ok(server)
}

/// Connections and segments of logs are open files, and the usual limit is that of old programs with `select`.
#[cfg(unix)]
fn raise_open_files() {
    use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
    let limit = getrlimit(Resource::Nofile);
    // Where it is not allowed, the limit stays what it is: connections beyond it wait.
    let _ = setrlimit(Resource::Nofile, Rlimit { current: limit.maximum, maximum: limit.maximum });
}

#[cfg(not(unix))]
fn raise_open_files() {}

/// What is wrong with an address or a folder is the user's to mend before anything runs.
fn refused(error: Error) -> Failure {
    use mainstem_core::ErrorKind;
    match error.kind() {
        ErrorKind::User | ErrorKind::Conflict => Failure::Usage(error),
        _ => Failure::Runtime(error),
    }
}

fn ready(server: &Server, data: &Data) -> String {
    let place = match data {
        Data::Memory => "topics in memory".to_owned(),
        Data::Folder(folder) => format!("topics in {}", folder.display()),
    };
    format!("broker: ready for Kafka clients on {}, {place}\n", server.addresses().join(" and "))
}
