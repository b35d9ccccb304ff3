//! The real servers that tests run against: an Apache Kafka, a PostgreSQL and three object stores on loopback.
//! Invariant: an instance belongs to this checkout (its files are under `.services/<instance>`), `up` on a running service
//! changes nothing, and a service that does not become ready is an error with the end of its log, never a wait for ever.
//! Data outlives `down` unless `--wipe` is given.

mod kafka;
mod objects;
mod postgres;
mod state;
mod tls;

use std::fs::File;
use std::process::Command;

use clap::{Subcommand, ValueEnum};

use crate::error::{Context, Error, Result};
use crate::{layout, process};

pub(crate) use kafka::{jars as kafka_jars, tool_command as kafka_tool};
pub(crate) use state::State;

/// Kafka's listener with TLS and a login, and the folder of its certificates.
const SECURE_KAFKA: &str = "MAINSTEM_TEST_KAFKA_SASL_SSL";
const SECURE_KAFKA_STORES: &str = "MAINSTEM_TEST_KAFKA_STORES";
/// The folder of PostgreSQL's certificates.
const POSTGRES_CERTIFICATES: &str = "MAINSTEM_TEST_POSTGRES_CERTIFICATES";

/// A server that can be started here.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, ValueEnum)]
pub(crate) enum Service {
    Kafka,
    Postgres,
    S3,
    Azure,
    Gcs,
}

#[derive(Debug, clap::Args)]
pub(crate) struct ServicesArgs {
    /// A set of services of its own, with its own ports and data: for tests that kill what they use
    #[arg(long, default_value = "main", global = true, value_parser = instance_name)]
    instance: String,
    #[command(subcommand)]
    command: ServicesCommand,
}

#[derive(Debug, Subcommand)]
enum ServicesCommand {
    /// Start services (all of them when none is named) and wait until they are ready
    Up { services: Vec<Service> },
    /// Stop services (all of them when none is named)
    Down {
        services: Vec<Service>,
        /// Delete their data too
        #[arg(long)]
        wipe: bool,
    },
    /// Tell process, port and version of each service
    Status,
    /// Print the addresses of the running services as the variables that tests read
    Env {
        /// In the form that a shell can `eval`
        #[arg(long)]
        export: bool,
    },
    /// Stop a service and start it again on the same port
    Restart { service: Service },
    /// Kill a service as a power cut would (SIGKILL; PostgreSQL: immediate shutdown)
    StopHard { service: Service },
    /// Run one of Kafka's own command line tools; the address of our Kafka is filled in when none is given
    #[command(disable_help_flag = true)]
    KafkaTool {
        /// For example kafka-topics; `list` names them all
        name: String,
        #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
        args: Vec<String>,
    },
    /// Run psql on our PostgreSQL
    #[command(disable_help_flag = true)]
    Psql {
        #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
        args: Vec<String>,
    },
}

fn instance_name(text: &str) -> std::result::Result<String, String> {
    let plain = text.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-');
    if text.is_empty() || !plain || matches!(text, "jars" | "programs") {
        return Err("letters, digits and dashes make the name of an instance".to_owned());
    }
    Ok(text.to_owned())
}

/// What `cargo xtask services` does.
pub(crate) fn main(args: ServicesArgs) -> Result<()> {
    let instance = Instance { name: args.instance };
    match args.command {
        ServicesCommand::Up { services } => instance.up(&all_if_none(services)).map(drop),
        ServicesCommand::Down { services, wipe } => instance.down(&all_if_none(services), wipe),
        ServicesCommand::Status => instance.status(),
        ServicesCommand::Env { export } => {
            instance.print_variables(export);
            Ok(())
        }
        ServicesCommand::Restart { service } => instance.restart(service),
        ServicesCommand::StopHard { service } => instance.stop_hard(service),
        ServicesCommand::KafkaTool { name, args } => {
            let running = State::load(&instance.name, Service::Kafka).running();
            kafka::tool(&name, &args, running.map(|state| state.port))
        }
        ServicesCommand::Psql { args } => {
            let state = State::load(&instance.name, Service::Postgres).running();
            let state = state.ok_or_else(|| not_running(Service::Postgres))?;
            process::run(&mut postgres::psql(&state, &args)?)
        }
    }
}

fn all_if_none(services: Vec<Service>) -> Vec<Service> {
    if services.is_empty() { Service::value_variants().to_vec() } else { services }
}

fn not_running(service: Service) -> Error {
    let name = service.name();
    Error::new(format!("{name} is not running; `cargo xtask services up {name}` starts it"))
}

impl Service {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Service::Kafka => "kafka",
            Service::Postgres => "postgres",
            Service::S3 => "s3",
            Service::Azure => "azure",
            Service::Gcs => "gcs",
        }
    }

    /// The variable by which tests find the service; a test that needs one and does not find it says so.
    pub(crate) fn variable(self) -> &'static str {
        match self {
            Service::Kafka => "MAINSTEM_TEST_KAFKA",
            Service::Postgres => "MAINSTEM_TEST_POSTGRES",
            Service::S3 => "MAINSTEM_TEST_S3",
            Service::Azure => "MAINSTEM_TEST_AZURE",
            Service::Gcs => "MAINSTEM_TEST_GCS",
        }
    }

    fn address(self, port: u16) -> String {
        match self {
            Service::Kafka => format!("127.0.0.1:{port}"),
            Service::Postgres => postgres::url(port),
            Service::S3 | Service::Azure | Service::Gcs => format!("http://127.0.0.1:{port}"),
        }
    }

    fn start(self, state: &mut State) -> Result<()> {
        match self {
            Service::Kafka => kafka::start(state),
            Service::Postgres => postgres::start(state),
            Service::S3 | Service::Azure | Service::Gcs => objects::start(state),
        }
    }

    fn stop(self, state: &State) -> Result<()> {
        match self {
            Service::Kafka => kafka::stop(state),
            Service::Postgres => postgres::stop(state, "fast"),
            Service::S3 | Service::Azure | Service::Gcs => objects::stop(state),
        }
    }
}

/// One set of services of this checkout.
#[derive(Debug)]
pub(crate) struct Instance {
    pub(crate) name: String,
}

impl Instance {
    /// Starts what does not run yet; returns what this call started.
    pub(crate) fn up(&self, services: &[Service]) -> Result<Vec<Service>> {
        let _lock = self.lock()?;
        let mut started = Vec::new();
        for &service in services {
            let state = State::load(&self.name, service);
            if state.is_running() {
                eprintln!("{} runs already on port {}", service.name(), state.port);
                continue;
            }
            self.start(service, state)?;
            started.push(service);
        }
        Ok(started)
    }

    fn start(&self, service: Service, mut state: State) -> Result<()> {
        let started = service.start(&mut state);
        // Saved after a failure too: the data's place must not be lost.
        state.save()?;
        started?;
        eprintln!("{} {} is ready on port {}", service.name(), state.version, state.port);
        Ok(())
    }

    pub(crate) fn down(&self, services: &[Service], wipe: bool) -> Result<()> {
        let _lock = self.lock()?;
        for &service in services {
            let state = State::load(&self.name, service);
            if state.is_running() {
                service.stop(&state)?;
                eprintln!("{} is stopped", service.name());
            }
            if wipe {
                layout::remove_folder(&state.data)?;
                layout::remove_folder(&state.folder)?;
            }
        }
        Ok(())
    }

    fn restart(&self, service: Service) -> Result<()> {
        let _lock = self.lock()?;
        let state = State::load(&self.name, service);
        service.stop(&state)?;
        self.start(service, state)
    }

    fn stop_hard(&self, service: Service) -> Result<()> {
        let _lock = self.lock()?;
        let state = State::load(&self.name, service);
        match service {
            Service::Postgres => postgres::stop(&state, "immediate"),
            _ => process::kill(state.pid, &state.marker()),
        }
    }

    fn status(&self) -> Result<()> {
        for &service in Service::value_variants() {
            let state = State::load(&self.name, service);
            match state.is_running() {
                false => println!("{:9} stopped", service.name()),
                true => println!(
                    "{:9} running  pid {}  port {}  version {}  log {}",
                    service.name(),
                    state.pid,
                    state.port,
                    state.version,
                    state.log().display()
                ),
            }
        }
        Ok(())
    }

    fn print_variables(&self, export: bool) {
        for (name, value) in self.variables() {
            match export {
                true => println!("export {name}='{value}'"),
                false => println!("{name}={value}"),
            }
        }
        let stopped = |service: &&Service| !State::load(&self.name, **service).is_running();
        for service in Service::value_variants().iter().filter(stopped) {
            eprintln!("{}", not_running(*service));
        }
    }

    /// The variables that name the running services.
    pub(crate) fn variables(&self) -> Vec<(&'static str, String)> {
        let mut variables = Vec::new();
        for &service in Service::value_variants() {
            let Some(state) = State::load(&self.name, service).running() else { continue };
            variables.push((service.variable(), service.address(state.port)));
            if service == Service::Postgres {
                let certificates = state.data.join("tls").display().to_string();
                variables.push((POSTGRES_CERTIFICATES, certificates));
            }
            if state.secure_port != 0 {
                variables.push((SECURE_KAFKA, service.address(state.secure_port)));
                let stores = state.folder.join("tls").display().to_string();
                variables.push((SECURE_KAFKA_STORES, stores));
            }
        }
        variables
    }

    /// One command at a time works on the services of a checkout.
    fn lock(&self) -> Result<File> {
        layout::lock(&layout::instance(&self.name).join("lock"))
    }
}

/// Starts a program that outlives us: its own process group, its words in the log.
fn spawn_daemon(command: &mut Command, log: &std::path::Path) -> Result<std::process::Child> {
    use std::os::unix::process::CommandExt as _;
    let out = File::create(log).context(format_args!("cannot create {}", log.display()))?;
    let err = out.try_clone().context("cannot share the log file")?;
    command.stdin(std::process::Stdio::null()).stdout(out).stderr(err).process_group(0);
    command.spawn().context("cannot start the server")
}
