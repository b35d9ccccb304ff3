//! `mainstem up`: the embedded broker as a server, and the pipelines of the files beside it.
//! Invariant: a file that is refused starts nothing. The first Ctrl-C lets pipelines write what they have read, then the
//! broker answer what it was asked, then closes the data cleanly; a second one stops at once.

use std::num::NonZeroUsize;
use std::path::PathBuf;
use std::sync::Arc;

use clap::Args;
use mainstem_core::Error;
use mainstem_engine::executor::Cuts;

use crate::broker::{
    Address, Data, Embedded, ListenerName, ListenerSettings, Protocol, Server, ServerSettings, Tls,
    User,
};
use crate::cli::{OutputKind, ScriptArgs, parse_variable};
use crate::clock::SystemClock;
use crate::command::{prepare, run_steps};
use crate::failure::{Failure, Outcome, say};
use crate::pipeline::{Runner, Settings};
use crate::script;

const HELP: &str = "\
Examples:
  mainstem up                                      a Kafka broker on 127.0.0.1:9092, topics in ./mainstem-data
  mainstem up pipeline.sql                         the same, and the pipeline beside it
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
    /// SQL files whose pipelines run beside the broker; - is stdin
    #[arg(value_name = "FILE")]
    files: Vec<PathBuf>,
    /// Fills ${NAME} in the files; beats a variable of the environment. May be given more than once
    #[arg(long = "var", value_name = "NAME=VALUE", value_parser = parse_variable)]
    variables: Vec<(String, String)>,
    /// The folder of the topics; memory keeps them only as long as the process runs
    #[arg(long, value_name = "DIR", default_value = "mainstem-data")]
    data: Data,
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
            cuts: Cuts::AsItComes,
            restarts: false,
            state: None,
        }
    }
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

fn parse_config(text: &str) -> Result<(String, String), String> {
    let (name, value) = text.split_once('=').ok_or("write it as NAME=VALUE")?;
    Ok((name.to_owned(), value.to_owned()))
}

/// Runs until Ctrl-C, or until a pipeline or the broker fails.
pub(crate) fn up(arguments: &UpArgs) -> Outcome {
    let server = arguments.server()?;
    let settings = arguments.pipelines();
    let steps = match arguments.files.is_empty() {
        true => Vec::new(),
        false => {
            let (files, variables) = (arguments.files.clone(), arguments.variables.clone());
            let sources = script::read(&ScriptArgs { files, variables })?;
            prepare(script::plan(sources)?, &settings)?
        }
    };
    raise_open_files();
    let runner = Runner::new()?;
    let server = start(&runner, server, &settings)?;
    if !arguments.quiet {
        say(&ready(&server, &arguments.data));
    }
    let ran = run_steps(steps, &runner, &settings).and_then(|ended| match ended {
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
