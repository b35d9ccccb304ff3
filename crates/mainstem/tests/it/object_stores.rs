//! `run --state s3://`, `az://` and `gs://` against real servers: kill -9, a store that goes away and comes back, a damaged object.
//! MAINSTEM_TEST_KILLS says how many kills.
//! Invariant: each store is a server of its own test, and its files are read and damaged through a client that is not ours.

use std::process::Command;
use std::sync::Arc;
use std::time::Duration;

use object_store::aws::AmazonS3Builder;
use object_store::azure::MicrosoftAzureBuilder;
use object_store::gcp::{GcpCredential, GoogleCloudStorageBuilder};
use object_store::path::Path;
use object_store::{ClientOptions, ObjectStore, ObjectStoreExt as _, StaticCredentialProvider};
use tokio::runtime::Runtime;

use crate::checkpoints::{JOB, check, count_of_numbers, kills};
use crate::program::{Place, Ran, Started};
use crate::servers::{Deadline, OwnServer, Watched};

/// What `cargo xtask services` sets up.
const BUCKET: &str = "mainstem";
const LOGIN: &str = "mainstem";
const REGION: &str = "eu-central-1";
/// Of every Azurite.
const ACCOUNT: &str = "devstoreaccount1";
const KEY: &str =
    "Eby8vdM02xNOcqFlqUwJPLlmEtlCDXJ1OUzFT50uSRZ6IFsuFq2UVErCz4I6tq/K1SZFPTOtr/KBHBeksoGMGw==";

const LOOK_EVERY: Duration = Duration::from_millis(20);

/// A store, and how the program finds it.
struct Store {
    server: OwnServer,
    scheme: &'static str,
    variables: Vec<(&'static str, String)>,
    client: Arc<dyn ObjectStore>,
    runtime: Runtime,
}

impl Store {
    fn s3() -> Option<Self> {
        let (server, address) = OwnServer::start("stores", "s3", "MAINSTEM_TEST_S3")?;
        let client = AmazonS3Builder::new()
            .with_endpoint(&address)
            .with_allow_http(true)
            .with_region(REGION)
            .with_access_key_id(LOGIN)
            .with_secret_access_key(LOGIN)
            .with_bucket_name(BUCKET);
        let variables = vec![
            ("AWS_ENDPOINT_URL", address),
            ("AWS_ACCESS_KEY_ID", LOGIN.to_owned()),
            ("AWS_SECRET_ACCESS_KEY", LOGIN.to_owned()),
            ("AWS_REGION", REGION.to_owned()),
        ];
        Some(Self::new(server, "s3", variables, Arc::new(client.build().unwrap())))
    }

    fn azure() -> Option<Self> {
        let (server, address) = OwnServer::start("stores", "azure", "MAINSTEM_TEST_AZURE")?;
        let endpoint = format!("{address}/{ACCOUNT}");
        let connection = format!(
            "DefaultEndpointsProtocol=http;AccountName={ACCOUNT};AccountKey={KEY};BlobEndpoint={endpoint};"
        );
        let client = MicrosoftAzureBuilder::new()
            .with_endpoint(endpoint)
            .with_client_options(ClientOptions::new().with_pool_max_idle_per_host(0))
            .with_allow_http(true)
            .with_account(ACCOUNT)
            .with_access_key(KEY)
            .with_container_name(BUCKET);
        let variables = vec![
            ("AZURE_STORAGE_CONNECTION_STRING", connection),
            // Azurite does not stop, and so does not store what it has, while somebody is connected.
            ("AZURE_POOL_MAX_IDLE_PER_HOST", "0".to_owned()),
        ];
        Some(Self::new(server, "az", variables, Arc::new(client.build().unwrap())))
    }

    fn google() -> Option<Self> {
        let (server, address) = OwnServer::start("stores", "gcs", "MAINSTEM_TEST_GCS")?;
        let nobody = StaticCredentialProvider::new(GcpCredential { bearer: String::new() });
        let client = GoogleCloudStorageBuilder::new()
            .with_base_url(&address)
            .with_credentials(Arc::new(nobody))
            .with_bucket_name(BUCKET);
        let variables = vec![("STORAGE_EMULATOR_HOST", address)];
        Some(Self::new(server, "gs", variables, Arc::new(client.build().unwrap())))
    }

    fn new(
        server: OwnServer,
        scheme: &'static str,
        variables: Vec<(&'static str, String)>,
        client: Arc<dyn ObjectStore>,
    ) -> Self {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
        Self { server, scheme, variables, client, runtime: runtime.unwrap() }
    }

    /// `run job.sql` with its state below `prefix`.
    fn command(&self, place: &Place, prefix: &str, more: &[&str]) -> Command {
        let state = format!("{}://{BUCKET}/{prefix}", self.scheme);
        let mut command =
            place.command(&[&["run", "job.sql", "--state", &state][..], more].concat());
        command.envs(self.variables.iter().map(|(name, value)| (name, value)));
        command
    }

    /// The number of the newest checkpoint.
    fn newest(&self, prefix: &str) -> u64 {
        let prefix = Path::from(prefix);
        let listed = self.client.list_with_delimiter(Some(&prefix));
        let listed = self.runtime.block_on(listed).unwrap();
        let names = listed.objects.iter().filter_map(|object| object.location.filename());
        let ids = names.filter_map(|name| {
            name.strip_prefix("checkpoint-")?.strip_suffix(".json")?.parse().ok()
        });
        ids.max().unwrap_or(0)
    }

    /// Kills it when that checkpoint is there; it may have ended before.
    fn kill_at(&self, mut started: Started, prefix: &str, id: u64) -> Ran {
        let deadline = Deadline::new();
        while self.newest(prefix) < id && !started.has_ended() {
            assert!(deadline.left().is_some(), "checkpoint {id} does not come");
            std::thread::park_timeout(LOOK_EVERY);
        }
        if !started.has_ended() {
            started.signal("KILL");
        }
        started.end()
    }

    /// Waits for one more checkpoint.
    fn newer_than(&self, prefix: &str, id: u64, running: &mut Watched) {
        let deadline = Deadline::new();
        while self.newest(prefix) <= id {
            assert!(deadline.left().is_some() && running.runs(), "checkpoint {id} is the last");
            std::thread::park_timeout(LOOK_EVERY);
        }
    }

    /// Cuts an object short.
    fn damage(&self, name: &str) {
        let path = Path::from(name);
        self.runtime.block_on(async {
            let bytes = self.client.get(&path).await.unwrap().bytes().await.unwrap();
            self.client.put(&path, bytes.slice(..bytes.len() / 2).into()).await.unwrap();
        });
    }

    fn all(&self) {
        self.kills_change_nothing();
        self.it_may_go_away();
        self.a_prefix_has_one_pipeline();
    }

    /// One of two pipelines on a prefix finds the other's checkpoint where its own would be, and ends.
    fn a_prefix_has_one_pipeline(&self) {
        let places = [(); 2].map(|()| Place::with(&[("job.sql", NUMBERS)]));
        let start = |place| Watched::start(self.command(place, "shared", &["--quiet"]));
        let mut first = start(&places[0]);
        self.newer_than("shared", 0, &mut first);
        let mut second = start(&places[1]);
        let deadline = Deadline::new();
        while first.runs() && second.runs() {
            assert!(deadline.left().is_some(), "both go on");
            std::thread::park_timeout(LOOK_EVERY);
        }
        let (ended, mut other) = if first.runs() { (second, first) } else { (first, second) };
        let ended = ended.end();
        assert_eq!(ended.code, Some(1), "{:?}", ended.stderr);
        assert_eq!(ended.times_said("another process keeps checkpoints"), 1, "{:?}", ended.stderr);
        self.newer_than("shared", self.newest("shared"), &mut other);
        other.interrupt();
        assert_eq!(other.end().code, Some(0));
    }

    /// Killed again and again, then run to the end; then its newest checkpoint is damaged.
    fn kills_change_nothing(&self) {
        let place = Place::with(&[("job.sql", JOB)]);
        let kills = kills(3);
        let events = &format!("EVENTS={}", 800_000 + 400_000 * kills);
        place.ok(&["run", "job.sql", "--quiet", "--var", events, "--var", "OUT=undisturbed"]);
        let arguments = |workers| ["--var", events, "--var", "OUT=out", "-p", workers];
        let mut resumed = 0;
        for kill in 0..kills {
            let workers = ["1", "2", "3"][kill as usize % 3];
            let started = Started::new(self.command(&place, "kills/1", &arguments(workers)));
            let killed = self.kill_at(started, "kills/1", self.newest("kills/1") + 1);
            resumed += u64::from(killed.stderr.contains("going on from checkpoint"));
        }
        let last = Started::new(self.command(&place, "kills/1", &arguments("2"))).end();
        assert_eq!(last.code, 0, "{}", last.stderr);
        // On a slow machine the pipeline may have ended before the last start.
        resumed += u64::from(last.stderr.contains("going on from checkpoint"));
        assert!(resumed >= kills / 2, "{resumed} of {kills} starts went on: {}", last.stderr);
        check(&place);

        let id = self.newest("kills/1");
        self.damage(&format!("kills/1/checkpoint-{id}.json"));
        let again = Started::new(self.command(&place, "kills/1", &arguments("1"))).end();
        let said = format!("checkpoint {id} cannot be used: the manifest is cut short");
        assert!(again.stderr.contains(&said), "{}", again.stderr);
        let said = format!("going on from checkpoint {} of '{}://", id - 1, self.scheme);
        assert!(again.stderr.contains(&said), "{}", again.stderr);
    }

    /// The server is away while the pipeline runs, and while it starts again.
    fn it_may_go_away(&self) {
        let place = Place::with(&[("job.sql", NUMBERS)]);
        let start = || Watched::start(self.command(&place, "away", &["--quiet"]));
        let mut running = start();
        self.newer_than("away", 0, &mut running);
        self.server.stop();
        let said = running.said("cannot be stored");
        assert!(said.contains("the pipeline goes on and tries again"), "{said}");
        self.server.up();
        running.said("all is well again");
        running.interrupt();
        let left = running.end();
        assert_eq!(left.code, Some(0), "{:?}", left.stderr);
        assert_eq!(left.times_said("cannot be stored"), 1, "once: {:?}", left.stderr);

        self.server.stop();
        let mut running = start();
        running.said("trying again for 60 s");
        self.server.up();
        running.said("going on from checkpoint");
        self.newer_than("away", self.newest("away"), &mut running);
        running.interrupt();
        let left = running.end();
        assert_eq!(left.code, Some(0), "{:?}", left.stderr);
        count_of_numbers(&place.path("out"));
    }
}

/// One after the other, slowly enough to be interrupted.
const NUMBERS: &str = "
SET 'execution.checkpointing.interval' = '100 ms';
CREATE TABLE numbers (n BIGINT) WITH ('connector' = 'datagen', 'rows-per-second' = '500',
  'fields.n.kind' = 'sequence', 'fields.n.start' = '1', 'fields.n.end' = '1000000');
CREATE TABLE files (n BIGINT) WITH ('connector' = 'filesystem', 'path' = 'out/', 'format' = 'csv');
INSERT INTO files SELECT n FROM numbers;
";

#[test]
fn checkpoints_in_s3() {
    let Some(store) = Store::s3() else { return };
    store.all();
    store.what_s3_refuses();
}

#[test]
fn checkpoints_in_azure() {
    let Some(store) = Store::azure() else { return };
    store.all();
}

#[test]
fn checkpoints_in_google_cloud_storage() {
    let Some(store) = Store::google() else { return };
    store.all();
}

impl Store {
    /// The server checks all of it, as S3 does.
    fn what_s3_refuses(&self) {
        let place = Place::with(&[("job.sql", NUMBERS)]);
        for (name, value, primary, hint) in [
            ("AWS_SECRET_ACCESS_KEY", "wrong", "SignatureDoesNotMatch", "check AWS_ACCESS_KEY_ID"),
            ("AWS_ACCESS_KEY_ID", "nobody", "No user exists", "check AWS_ACCESS_KEY_ID"),
            ("AWS_REGION", "us-east-1", "AuthorizationHeaderMalformed", "set AWS_REGION"),
            ("AWS_ENDPOINT_URL", "http://192.0.2.1", "is not encrypted", "AWS_ALLOW_HTTP=true"),
        ] {
            let mut command = self.command(&place, "refused", &[]);
            command.env(name, value);
            let ran = Started::new(command).end();
            assert_eq!(ran.code, 1, "{}", ran.stderr);
            assert!(ran.stderr.contains(primary), "{name}: {}", ran.stderr);
            assert!(ran.stderr.contains(hint), "{name}: {}", ran.stderr);
        }
        let mut command = place.command(&["run", "job.sql", "--state", "s3://no-such-bucket/a"]);
        command.envs(self.variables.iter().map(|(name, value)| (name, value)));
        let ran = Started::new(command).end();
        assert!(ran.stderr.contains("there is no bucket 'no-such-bucket'"), "{}", ran.stderr);
    }
}
