//! A PostgreSQL of Debian's packages on loopback: user, password and database are all `mainstem`, over TCP with SCRAM, with
//! TLS for who asks for it.
//! Invariant: never reachable from another machine, and never through a Unix socket. PostgreSQL refuses to run as root, so
//! for root it runs as the system user `postgres`, with its data in /var/tmp where that user can reach it.

mod certificates;

use std::ffi::OsStr;
use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::Command;

use super::State;
use crate::error::{Context, Error, Result};
use crate::{layout, packages, process};

const NAME: &str = "mainstem";

pub(super) fn url(port: u16) -> String {
    format!("jdbc:postgresql://127.0.0.1:{port}/{NAME}?user={NAME}&password={NAME}")
}

pub(super) fn start(state: &mut State) -> Result<()> {
    let server = Server::find()?;
    layout::create_folder(&state.folder)?;
    [state.port] = process::free_ports(state.port)?;
    state.version = server.version()?;
    state.data = server.place_data(state)?;
    if !cluster(state).join("PG_VERSION").exists() {
        server.init(state)?;
    }
    let certificates = certificates::make(&server, &state.data)?;
    let log = state.data.join("server.log");
    let options = format!(
        "-p {} -c listen_addresses=127.0.0.1 -c unix_socket_directories= {}",
        state.port,
        certificates::options(&certificates),
    );
    let mut start = server.command("pg_ctl");
    start.arg("start").arg("--wait").args(["--timeout", "60", "--pgdata"]).arg(cluster(state));
    start.arg("--log").arg(&log).arg("--options").arg(options);
    // pg_ctl hands its output on to the server, which would keep a pipe of ours open for ever.
    start.stdin(std::process::Stdio::null()).stdout(std::process::Stdio::null());
    start.stderr(std::process::Stdio::null());
    link(&log, &state.log())?;
    if process::run(&mut start).is_err() {
        return Err(Error::new(format!("PostgreSQL did not start; {}", process::tail(&log))));
    }
    state.pid = postmaster_pid(&cluster(state))?;
    create_database(&server, state)
}

/// Stops the server in one of the modes of pg_ctl.
pub(super) fn stop(state: &State, mode: &str) -> Result<()> {
    if !state.is_running() {
        return Ok(());
    }
    let mut stop = Server::find()?.command("pg_ctl");
    stop.args(["stop", "--wait", "--timeout", "30", "--mode", mode, "--pgdata"])
        .arg(cluster(state));
    process::capture(&mut stop).map(drop)
}

/// psql on our database, with the given arguments.
pub(super) fn psql(state: &State, args: &[String]) -> Result<Command> {
    let mut psql = Server::find()?.client("psql", state);
    psql.args(["--dbname", NAME]).args(args);
    Ok(psql)
}

fn create_database(server: &Server, state: &State) -> Result<()> {
    let exists = format!("SELECT count(*) FROM pg_database WHERE datname = '{NAME}'");
    let mut ask = server.client("psql", state);
    ask.args(["--dbname", "postgres", "--tuples-only", "--no-align", "--command", &exists]);
    if process::capture(&mut ask)?.trim() == "1" {
        return Ok(());
    }
    process::capture(server.client("createdb", state).arg(NAME)).map(drop)
}

/// PostgreSQL's own folder; the log and the first password stand beside it.
fn cluster(state: &State) -> PathBuf {
    state.data.join("cluster")
}

fn postmaster_pid(data: &Path) -> Result<u32> {
    let path = data.join("postmaster.pid");
    let text = fs::read_to_string(&path).context(format_args!("cannot read {}", path.display()))?;
    let first = text.lines().next().unwrap_or_default();
    first.trim().parse().context(format_args!("no process id in {}", path.display()))
}

/// Makes the log visible beside the other logs; PostgreSQL must own the real one.
fn link(target: &Path, link: &Path) -> Result<()> {
    if link.symlink_metadata().is_ok() {
        fs::remove_file(link).context(format_args!("cannot remove {}", link.display()))?;
    }
    std::os::unix::fs::symlink(target, link).context(format_args!("cannot link {}", link.display()))
}

/// The programs of one PostgreSQL version, and whether to change the user for them.
#[derive(Debug)]
struct Server {
    programs: PathBuf,
    as_postgres: bool,
}

impl Server {
    /// The newest PostgreSQL of Debian's packages.
    fn find() -> Result<Self> {
        packages::require(&["postgres"])?;
        let versions = fs::read_dir("/usr/lib/postgresql").context("no PostgreSQL is installed")?;
        let folders = versions.flatten().map(|entry| entry.path().join("bin"));
        let with_server = folders.filter(|folder| folder.join("postgres").exists());
        let newest = with_server.max_by_key(|folder| major_version(folder));
        let programs = newest.ok_or_else(|| Error::new("no PostgreSQL server is installed"))?;
        Ok(Self { programs, as_postgres: process::is_root() })
    }

    /// A program of the server, run by the user that owns the data.
    fn command(&self, program: &str) -> Command {
        self.as_owner(self.programs.join(program))
    }

    /// Any program, run by that user.
    fn as_owner(&self, program: impl AsRef<OsStr>) -> Command {
        if !self.as_postgres {
            return Command::new(program);
        }
        let mut command = Command::new("runuser");
        command.args(["-u", "postgres", "--"]).arg(program);
        // The caller's folder may be one that the other user cannot enter.
        command.current_dir("/");
        command
    }

    /// A client program, connected as our user.
    fn client(&self, program: &str, state: &State) -> Command {
        let mut client = Command::new(self.programs.join(program));
        client.args(["--host", "127.0.0.1", "--username", NAME, "--port", &state.port.to_string()]);
        client.env("PGPASSWORD", NAME);
        client
    }

    fn version(&self) -> Result<String> {
        let text = process::capture(self.command("postgres").arg("--version"))?;
        let version = text.split_whitespace().nth(2);
        version.map(str::to_owned).ok_or_else(|| Error::new("`postgres --version` says nothing"))
    }

    fn place_data(&self, state: &State) -> Result<PathBuf> {
        if !self.as_postgres {
            return Ok(state.folder.join("data"));
        }
        if state.data.starts_with("/var/tmp") && state.data.is_dir() {
            return Ok(state.data.clone());
        }
        // mktemp gives every checkout a folder of its own that nobody else can have prepared.
        let mut mktemp = Command::new("runuser");
        mktemp.args(["-u", "postgres", "--", "mktemp", "-d", "/var/tmp/mainstem-postgres-XXXXXX"]);
        let folder = process::capture(mktemp.current_dir("/"))?;
        Ok(PathBuf::from(folder.trim()))
    }

    fn init(&self, state: &State) -> Result<()> {
        let password = state.data.join("password");
        // No secret: it is the name of the project, on loopback. Whoever we run the server as has to read it.
        layout::write(&password, NAME)?;
        fs::set_permissions(&password, Permissions::from_mode(0o644))
            .context("cannot open the password file to the server")?;
        let mut init = self.command("initdb");
        init.args(["--auth", "scram-sha-256", "--username", NAME, "--encoding", "UTF8"]);
        init.args(["--locale", "C.UTF-8", "--no-instructions", "--pwfile"]).arg(&password);
        init.arg("--pgdata").arg(cluster(state));
        process::capture(&mut init).map(drop)
    }
}

fn major_version(programs: &Path) -> u32 {
    let version = programs.parent().and_then(Path::file_name).and_then(OsStr::to_str);
    version.and_then(|version| version.parse().ok()).unwrap_or(0)
}
