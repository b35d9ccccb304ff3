//! Real servers, and programs that keep running beside a test.
//! Invariant: every wait has a deadline and ends as soon as its condition holds. A server that is not there is said
//! loudly, and is a failure in CI.

use std::io::{BufRead, BufReader, Read, Write};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::time::{Duration, Instant, SystemTime};

use serde_json::Value;

use crate::program::Place;

/// How long a condition may take on a machine that is busy with other things.
const PATIENCE: Duration = Duration::from_secs(120);

/// The value of a variable that tells where a server is; `None` (said loudly) when there is none.
pub(crate) fn variable(name: &str) -> Option<String> {
    match std::env::var(name) {
        Ok(value) if !value.is_empty() => Some(value),
        _ if std::env::var("CI").is_ok_and(|ci| ci == "true") => {
            panic!("{name} is not set, and this is CI: the test must run")
        }
        _ => {
            // Not eprintln: the harness would keep it to itself.
            let said = writeln!(
                std::io::stderr(),
                "SKIPPED: {name} is not set; `cargo xtask test` sets it and runs everything."
            );
            said.unwrap();
            None
        }
    }
}

/// A name that no other test and no earlier run has used.
#[allow(clippy::disallowed_methods, reason = "real servers keep what earlier runs left")]
pub(crate) fn unique(name: &str) -> String {
    static NEXT: AtomicU64 = AtomicU64::new(0);
    let number = NEXT.fetch_add(1, Ordering::SeqCst);
    let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap();
    format!("{name}_{}_{}_{number}", since.as_millis(), std::process::id())
}

/// The end of a test's patience.
pub(crate) struct Deadline(Instant);

impl Deadline {
    #[allow(clippy::disallowed_methods, reason = "real servers run on real time")]
    pub(crate) fn new() -> Self {
        Self(Instant::now() + PATIENCE)
    }

    /// What is left of it.
    #[allow(clippy::disallowed_methods, reason = "real servers run on real time")]
    pub(crate) fn left(&self) -> Option<Duration> {
        self.0.checked_duration_since(Instant::now())
    }
}

/// `cargo xtask`, already built.
pub(crate) struct Xtask {
    program: String,
    instance: String,
}

impl Xtask {
    pub(crate) fn new(instance: &str) -> Option<Self> {
        Some(Self { program: variable("MAINSTEM_XTASK")?, instance: instance.to_owned() })
    }

    /// `cargo xtask services ...`; what it printed.
    pub(crate) fn services(&self, arguments: &[&str]) -> String {
        let mut command = Command::new(&self.program);
        command.args(["services", "--instance", &self.instance]).args(arguments);
        let output = command.stdin(Stdio::null()).output().unwrap();
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "services {arguments:?}: {said}");
        String::from_utf8(output.stdout).unwrap()
    }
}

/// A server of the test's own, gone with its data at the end.
pub(crate) struct OwnServer {
    xtask: Xtask,
    service: &'static str,
}

impl OwnServer {
    /// The server of a test, and its address, which `variable` would hold.
    pub(crate) fn start(
        test: &str,
        service: &'static str,
        variable: &str,
    ) -> Option<(Self, String)> {
        let own = Self { xtask: Xtask::new(&format!("{test}-{service}"))?, service };
        own.xtask.services(&["down", "--wipe"]);
        own.up();
        let variables = own.xtask.services(&["env"]);
        let mut pairs = variables.lines().filter_map(|line| line.split_once('='));
        let (_, address) = pairs.find(|(name, _)| *name == variable).unwrap();
        Some((own, address.to_owned()))
    }

    pub(crate) fn up(&self) {
        self.xtask.services(&["up", self.service]);
    }

    /// In order, with its data kept.
    pub(crate) fn stop(&self) {
        self.xtask.services(&["down", self.service]);
    }

    /// SIGKILL.
    pub(crate) fn kill(&self) {
        self.xtask.services(&["stop-hard", self.service]);
    }
}

impl Drop for OwnServer {
    fn drop(&mut self) {
        self.xtask.services(&["down", "--wipe"]);
    }
}

/// A Kafka.
pub(crate) struct Kafka {
    pub(crate) servers: String,
}

impl Kafka {
    pub(crate) fn open() -> Option<Self> {
        Some(Self { servers: variable("MAINSTEM_TEST_KAFKA")? })
    }

    /// A topic of its own, as large as asked for. `None` without Kafka's own tools.
    pub(crate) fn topic(&self, name: &str, partitions: u32) -> Option<String> {
        let topic = unique(name);
        let partitions = partitions.to_string();
        let arguments = ["--create", "--topic", &topic, "--partitions", &partitions];
        self.tool("kafka-topics", &arguments)?;
        Some(topic)
    }

    /// Runs one of Kafka's own tools.
    pub(crate) fn tool(&self, name: &str, arguments: &[&str]) -> Option<String> {
        let xtask = Xtask::new("none")?;
        let mut all = vec!["kafka-tool", name, "--bootstrap-server", &self.servers];
        all.extend_from_slice(arguments);
        Some(xtask.services(&all))
    }

    /// The definition of table `name (columns)`, read from the first record to the last one there is.
    pub(crate) fn table(&self, name: &str, columns: &str, topic: &str, format: &str) -> String {
        format!(
            "CREATE TABLE {name} ({columns}) WITH ('connector' = 'kafka', 'topic' = '{topic}',
               'properties.bootstrap.servers' = '{}', 'scan.startup.mode' = 'earliest-offset',
               'scan.bounded.mode' = 'latest-offset', {format});\n",
            self.servers
        )
    }

    /// Keys and values of a topic as they stand there, partition after partition.
    pub(crate) fn records(&self, topic: &str) -> Vec<(Option<String>, Option<String>)> {
        let format = "'key.format' = 'raw', 'key.fields' = 'k', 'value.format' = 'raw',
                      'value.fields-include' = 'EXCEPT_KEY'";
        let table = self.table("t", "k STRING, v STRING", topic, format);
        let place = Place::with(&[("read.sql", &format!("{table} SELECT k, v FROM t;"))]);
        let ran = place.ok(&["run", "--quiet", "--output", "json", "read.sql"]);
        let text = |row: &Value, field: &str| row[field].as_str().map(str::to_owned);
        let rows = ran.stdout.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
        rows.map(|row| (text(&row, "k"), text(&row, "v"))).collect()
    }

    /// The values of a topic of JSON objects.
    pub(crate) fn values(&self, topic: &str) -> Vec<Value> {
        let values = self.records(topic).into_iter().map(|(_, value)| value.unwrap());
        values.map(|value| serde_json::from_str(&value).unwrap()).collect()
    }

    /// Sends texts as they are.
    pub(crate) fn send(&self, topic: &str, values: &[&str]) {
        let table = self.table("t", "v STRING", topic, "'format' = 'raw'");
        let rows: Vec<String> =
            values.iter().map(|v| format!("('{}')", v.replace('\'', "''"))).collect();
        let script = format!("{table} INSERT INTO t VALUES {};", rows.join(", "));
        Place::with(&[("send.sql", &script)]).ok(&["run", "--quiet", "send.sql"]);
    }
}

/// A PostgreSQL database of its own; it goes when the test has passed.
pub(crate) struct Database {
    name: String,
    /// `//host:port`.
    server: String,
    pub(crate) user: String,
    pub(crate) password: String,
    shared: String,
}

impl Database {
    pub(crate) fn open(name: &str) -> Option<Self> {
        Some(Self::create(&variable("MAINSTEM_TEST_POSTGRES")?, name))
    }

    /// On the server of `url`.
    pub(crate) fn create(url: &str, name: &str) -> Self {
        let plain = url.strip_prefix("jdbc:postgresql:").unwrap();
        let (address, parameters) = plain.split_once('?').unwrap_or((plain, ""));
        let (server, shared) = address.rsplit_once('/').unwrap();
        let value = |name: &str| {
            let mut pairs = parameters.split('&').filter_map(|pair| pair.split_once('='));
            pairs.find(|(key, _)| *key == name).map_or(String::new(), |(_, v)| v.to_owned())
        };
        let database = Self {
            name: unique(name),
            server: server.to_owned(),
            user: value("user"),
            password: value("password"),
            shared: shared.to_owned(),
        };
        database.psql(&database.shared, &format!("CREATE DATABASE {}", database.name));
        database
    }

    /// For the option `url`.
    pub(crate) fn url(&self) -> String {
        format!("jdbc:postgresql:{}/{}", self.server, self.name)
    }

    /// What psql prints: rows as lines, columns joined by bars.
    pub(crate) fn rows(&self, sql: &str) -> Vec<String> {
        self.psql(&self.name, sql).lines().map(str::to_owned).collect()
    }

    fn psql(&self, database: &str, sql: &str) -> String {
        let mut command = Command::new("psql");
        command.arg(format!("postgresql:{}/{database}", self.server));
        command.args(["--username", &self.user, "--no-psqlrc", "-v", "ON_ERROR_STOP=1"]);
        command.args(["--quiet", "--tuples-only", "--no-align", "--command", sql]);
        let output = command.env("PGPASSWORD", &self.password).stdin(Stdio::null()).output();
        let output = output.unwrap_or_else(|error| panic!("psql does not start: {error}"));
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{sql}: {said}");
        String::from_utf8(output.stdout).unwrap()
    }
}

impl Drop for Database {
    fn drop(&mut self) {
        let sql = format!("DROP DATABASE IF EXISTS {} WITH (FORCE)", self.name);
        if !std::thread::panicking() {
            self.psql(&self.shared, &sql);
        }
    }
}

/// A run whose both outputs are followed. It does not outlive the test.
pub(crate) struct Watched {
    child: Child,
    stdout: Lines,
    stderr: Lines,
}

/// What a run left, line by line.
pub(crate) struct Left {
    pub(crate) code: Option<i32>,
    pub(crate) stdout: Vec<String>,
    pub(crate) stderr: Vec<String>,
}

impl Left {
    /// How many lines of stderr hold `part`.
    pub(crate) fn times_said(&self, part: &str) -> usize {
        self.stderr.iter().filter(|line| line.contains(part)).count()
    }
}

struct Lines {
    seen: Vec<String>,
    coming: Receiver<String>,
}

impl Lines {
    fn of(stream: impl Read + Send + 'static) -> Self {
        let (send, coming) = channel();
        let read = move || {
            for line in BufReader::new(stream).lines() {
                if send.send(line.unwrap()).is_err() {
                    return;
                }
            }
        };
        // It ends with the stream, which ends with the program.
        std::thread::Builder::new().name("lines".to_owned()).spawn(read).unwrap();
        Self { seen: Vec::new(), coming }
    }

    /// Waits until `enough` says so.
    fn wait(&mut self, what: &str, mut enough: impl FnMut(&[String]) -> bool) {
        let deadline = Deadline::new();
        while !enough(&self.seen) {
            let left = deadline.left().unwrap_or_default();
            match self.coming.recv_timeout(left) {
                Ok(line) => self.seen.push(line),
                Err(RecvTimeoutError::Timeout) => panic!("waited too long for {what}: {self:?}"),
                Err(RecvTimeoutError::Disconnected) => panic!("it ended before {what}: {self:?}"),
            }
        }
    }

    /// Waits until the stream is closed.
    fn close(&mut self) {
        let deadline = Deadline::new();
        loop {
            match self.coming.recv_timeout(deadline.left().unwrap_or_default()) {
                Ok(line) => self.seen.push(line),
                Err(RecvTimeoutError::Disconnected) => return,
                Err(RecvTimeoutError::Timeout) => panic!("it does not end: {self:?}"),
            }
        }
    }
}

impl std::fmt::Debug for Lines {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let first = self.seen.len().saturating_sub(10);
        write!(f, "{} lines, at last {:?}", self.seen.len(), &self.seen[first..])
    }
}

impl Watched {
    pub(crate) fn start(mut command: Command) -> Self {
        let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        let stdout = Lines::of(child.stdout.take().unwrap());
        let stderr = Lines::of(child.stderr.take().unwrap());
        Self { child, stdout, stderr }
    }

    /// Waits until it has printed enough on stdout.
    pub(crate) fn printed(&mut self, what: &str, enough: impl FnMut(&[String]) -> bool) {
        self.stdout.wait(what, enough);
    }

    /// Waits until a line of stderr holds `part`; that line.
    pub(crate) fn said(&mut self, part: &str) -> String {
        let mut found = None;
        self.stderr.wait(part, |lines| {
            found = lines.iter().find(|line| line.contains(part)).cloned();
            found.is_some()
        });
        found.expect("the wait ends when it is found")
    }

    /// Waits until so many lines of stderr hold `part`.
    pub(crate) fn said_times(&mut self, part: &str, times: usize) {
        let enough =
            |lines: &[String]| lines.iter().filter(|line| line.contains(part)).count() >= times;
        self.stderr.wait(part, enough);
    }

    /// SIGKILL.
    pub(crate) fn kill(mut self) {
        assert!(self.runs(), "it has ended: {:?}", self.stderr);
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }

    /// Ctrl-C.
    pub(crate) fn interrupt(&self) {
        let id = self.child.id().to_string();
        assert!(Command::new("kill").args(["-INT", &id]).status().unwrap().success());
    }

    /// True if it runs still.
    pub(crate) fn runs(&mut self) -> bool {
        self.child.try_wait().unwrap().is_none()
    }

    /// Waits for the end.
    pub(crate) fn end(mut self) -> Left {
        let Self { child, stdout, stderr } = &mut self;
        stdout.close();
        stderr.close();
        let code = child.wait().unwrap().code();
        let take = |lines: &mut Lines| std::mem::take(&mut lines.seen);
        Left { code, stdout: take(stdout), stderr: take(stderr) }
    }
}

impl Drop for Watched {
    fn drop(&mut self) {
        // No harm if it has ended.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
