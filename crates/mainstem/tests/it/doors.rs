//! The doors of the embedded broker: TLS, logins, and what the command line says of them. librdkafka is the client.
//! Invariant: every certificate is made by its test and signed by an authority of its own.

use std::io::{Read, Write};
use std::process::Command;
use std::time::Duration;

use rcgen::{
    BasicConstraints, CertificateParams, DistinguishedName, DnType, IsCa, Issuer, KeyPair,
};
use rdkafka::ClientConfig;
use rdkafka::consumer::{BaseConsumer, Consumer};

use crate::broker::{Broker, answer, frame, numbers, read, write};
use crate::program::{Place, Started};

const TLS: [&str; 4] = ["--kafka-tls-cert", "chain.pem", "--kafka-tls-key", "key.pem"];
const USER: [&str; 2] = ["--kafka-user", "ada:pencil"];

/// A place with `chain.pem` and `key.pem` of localhost, `ca.pem` that has signed them, and `stranger.pem` that has not.
fn place() -> Place {
    let place = Place::new();
    let params = |subject: &str, names: Vec<String>| {
        let mut params = CertificateParams::new(names).unwrap();
        params.distinguished_name = DistinguishedName::new();
        params.distinguished_name.push(DnType::CommonName, subject);
        params
    };
    let authority = || {
        let mut params = params("An authority", Vec::new());
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let key = KeyPair::generate().unwrap();
        let pem = params.self_signed(&key).unwrap().pem();
        (Issuer::new(params, key), pem)
    };
    let ((ca, ca_pem), (_, stranger)) = (authority(), authority());
    let names = vec!["localhost".to_owned(), "127.0.0.1".to_owned()];
    let key = KeyPair::generate().unwrap();
    let own = params("localhost", names).signed_by(&key, &ca).unwrap();
    place.write("chain.pem", format!("{}{ca_pem}", own.pem()));
    place.write("key.pem", key.serialize_pem());
    place.write("ca.pem", ca_pem);
    place.write("stranger.pem", stranger);
    place
}

/// A client of the listener number `listener`.
fn client(broker: &Broker, listener: usize, more: &[(&str, &str)]) -> ClientConfig {
    let mut config = ClientConfig::new();
    config.set("bootstrap.servers", broker.addresses[listener].to_string());
    config.set_log_level(rdkafka::config::RDKafkaLogLevel::Emerg);
    for (name, value) in more {
        config.set(*name, *value);
    }
    config
}

/// Whether the client gets an answer.
fn is_welcome(config: &ClientConfig, patience: Duration) -> bool {
    let client: BaseConsumer = config.create().unwrap();
    client.fetch_metadata(None, patience).is_ok_and(|metadata| metadata.brokers().len() == 1)
}

const LONG: Duration = Duration::from_secs(60);
/// Who is refused tries again until then.
const SHORT: Duration = Duration::from_millis(800);

#[test]
fn every_listener_has_its_own_protocol() {
    let place = place();
    let listeners = [
        "PLAINTEXT://127.0.0.1:0",
        "SSL://127.0.0.1:0",
        "SASL_PLAINTEXT://127.0.0.1:0",
        "SASL_SSL://127.0.0.1:0",
    ];
    let broker = Broker::start_at(&place, "memory", &listeners, &[TLS.as_slice(), &USER].concat());
    let ca = place.path("ca.pem").display().to_string();
    let tls = ("ssl.ca.location", ca.as_str());
    let login = |mechanism| {
        [("sasl.mechanism", mechanism), ("sasl.username", "ada"), ("sasl.password", "pencil")]
    };
    let protocol = |name| ("security.protocol", name);
    let large = "x".repeat(900_000);
    let values: Vec<String> = numbers(100).into_iter().chain([large]).collect();
    let plain = client(&broker, 0, &[]);
    write(&plain, "plain", values.clone());
    assert!(read(plain, "plain", 101) == values);
    let ssl = client(&broker, 1, &[protocol("SSL"), tls]);
    write(&ssl, "ssl", values.clone());
    assert!(read(ssl, "ssl", 101) == values);
    for mechanism in ["PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512"] {
        let open = [&[protocol("SASL_PLAINTEXT")][..], &login(mechanism)].concat();
        assert!(is_welcome(&client(&broker, 2, &open), LONG), "{mechanism}");
        let both = [&[protocol("SASL_SSL"), tls][..], &login(mechanism)].concat();
        let both = client(&broker, 3, &both);
        write(&both, mechanism, values.clone());
        assert!(read(both, mechanism, 101) == values, "{mechanism}");
    }
    // A listener of logins lets nobody in without, TLS or not.
    assert!(!is_welcome(&client(&broker, 2, &[]), SHORT));
    assert!(!is_welcome(&client(&broker, 3, &[protocol("SSL"), tls]), SHORT));
    let said = broker.stop().stderr;
    assert!(said.contains("the client has not logged in"), "{said}");
}

#[test]
fn tls_is_with_the_right_authority_and_nothing_else() {
    let place = place();
    let broker = Broker::start_at(&place, "memory", &["SSL://localhost:0"], &TLS);
    let ca = |file| ("ssl.ca.location", place.path(file).display().to_string());
    let ssl = |(name, file): (&str, String)| {
        client(&broker, 0, &[("security.protocol", "SSL"), (name, &file)])
    };
    assert!(!is_welcome(&ssl(ca("stranger.pem")), SHORT));
    assert!(!is_welcome(&client(&broker, 0, &[]), SHORT));
    // Requests in the clear end with an alert of TLS, and cost nobody else anything.
    let mut stream = broker.connect();
    stream.write_all(&frame(18, 0, &[])).unwrap();
    let mut said = Vec::new();
    stream.read_to_end(&mut said).unwrap();
    assert_eq!((said.len(), said[0]), (7, 21), "{said:?}");
    assert!(is_welcome(&ssl(ca("ca.pem")), LONG));
    let said = broker.stop().stderr;
    assert!(said.contains("no TLS: received fatal alert"), "{said}");
    assert!(said.contains("no TLS: received corrupt message"), "{said}");
}

#[test]
fn tls_where_none_is_spoken_is_named() {
    let place = Place::new();
    let broker = Broker::start_at(&place, "memory", &["127.0.0.1:0"], &[]);
    assert!(!is_welcome(&client(&broker, 0, &[("security.protocol", "SSL")]), SHORT));
    let said = broker.stop().stderr;
    assert!(said.contains("the client speaks TLS, and this listener does not"), "{said}");
}

#[test]
fn what_a_listener_needs_is_asked_for_before_anything_starts() {
    let place = place();
    place.write("text.pem", "hello");
    let rows: &[(&[&str], &[&str])] = &[
        (
            &["--kafka-listen", "SSL://127.0.0.1:0"],
            &["SSL needs a certificate", "--kafka-tls-cert"],
        ),
        (&["--kafka-listen", "SASL_SSL://127.0.0.1:0"], &["SASL_SSL needs a certificate"]),
        (&["--kafka-listen", "SASL_PLAINTEXT://127.0.0.1:0"], &["needs users", "--kafka-user"]),
        (&["--kafka-listen", "TLS://127.0.0.1:0"], &["none of PLAINTEXT, SSL"]),
        (&["--kafka-tls-cert", "chain.pem"], &["--kafka-tls-key"]),
        (
            &["--kafka-tls-cert", "text.pem", "--kafka-tls-key", "key.pem"],
            &["no certificate in 'text.pem'", "PEM"],
        ),
        (&["--kafka-listen", "0.0.0.0:0"], &["from other machines", "--kafka-tls-cert"]),
        (
            &["--kafka-listen", "PLAINTEXT://127.0.0.1:0", "--kafka-user", "a:b"],
            &["at no listener anybody logs in", "SASL_SSL"],
        ),
        (
            &[&["--kafka-listen", "PLAINTEXT://127.0.0.1:0"], &TLS[..]].concat(),
            &["no listener speaks TLS", "SSL://"],
        ),
        (
            &[
                &["--kafka-listen", "PLAINTEXT://0.0.0.0:0", "--kafka-listen", "SSL://127.0.0.1:0"],
                &TLS[..],
            ]
            .concat(),
            &["0.0.0.0:0 can be reached from other machines"],
        ),
    ];
    for (arguments, parts) in rows {
        let ran = place.run(&[&["up"], *arguments].concat());
        assert_eq!(ran.code, 2, "{arguments:?}: {}", ran.stderr);
        for part in *parts {
            assert!(ran.stderr.contains(part), "{arguments:?}: {}", ran.stderr);
        }
    }
    assert!(!place.path("mainstem-data").exists());
    // Whoever has a certificate may listen to the world.
    Broker::start_at(&place, "memory", &["0.0.0.0:0"], &TLS).stop();
}

/// What librdkafka does with a broker that it takes for one of 2017.
#[test]
fn messages_without_a_header_follow_the_oldest_handshake() {
    let place = Place::new();
    let broker = Broker::start_at(&place, "memory", &["127.0.0.1:0"], &USER);
    for (mechanism, password, welcome) in [
        ("PLAIN", "pencil", true),
        ("SCRAM-SHA-256", "pencil", true),
        ("SCRAM-SHA-512", "pencil", true),
        ("PLAIN", "eraser", false),
        ("SCRAM-SHA-256", "eraser", false),
    ] {
        let old = [
            ("security.protocol", "SASL_PLAINTEXT"),
            ("api.version.request", "false"),
            ("broker.version.fallback", "0.10.2"),
            ("sasl.mechanism", mechanism),
            ("sasl.username", "ada"),
            ("sasl.password", password),
        ];
        let patience = if welcome { LONG } else { SHORT };
        assert_eq!(is_welcome(&client(&broker, 0, &old), patience), welcome, "{mechanism}");
    }
    // The same by hand: a handshake of version 0, the message behind its length, an empty answer, and requests.
    let mut stream = broker.connect();
    stream.write_all(&frame(17, 0, b"\0\x05PLAIN")).unwrap();
    assert_eq!(&answer(&mut stream).unwrap()[..6], &[0, 0, 0, 7, 0, 0]);
    stream.write_all(b"\0\0\0\x0b\0ada\0pencil").unwrap();
    assert_eq!(answer(&mut stream).unwrap(), [0_u8; 0]);
    stream.write_all(&frame(3, 1, &[0, 0, 0, 0])).unwrap();
    assert_eq!(&answer(&mut stream).unwrap()[..4], &[0, 0, 0, 7]);
    // A request in place of the message is no login.
    let mut stream = broker.connect();
    stream.write_all(&frame(17, 0, b"\0\x05PLAIN")).unwrap();
    answer(&mut stream).unwrap();
    stream.write_all(&frame(3, 1, &[0, 0, 0, 0])).unwrap();
    assert_eq!(answer(&mut stream), None);
    broker.stop();
}

#[test]
fn up_takes_as_many_open_files_as_it_may() {
    let place = Place::new();
    let program = place.command(&[]).get_program().to_owned();
    let mut command = Command::new("sh");
    let script = "ulimit -S -n 256 && exec \"$0\" up --data memory --kafka-listen 127.0.0.1:0";
    command.arg("-c").arg(script).arg(program).current_dir(place.path("."));
    let broker = Broker::ready(Started::new(command));
    let limits = std::fs::read_to_string(format!("/proc/{}/limits", broker.started.id())).unwrap();
    let line = limits.lines().find(|line| line.starts_with("Max open files")).unwrap();
    let limits: Vec<&str> = line.split_whitespace().skip(3).take(2).collect();
    assert_eq!(limits[0], limits[1], "{line}");
    broker.stop();
}
