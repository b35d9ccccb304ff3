//! `kafka` against a real Kafka's listener with TLS and a login, with the properties that a user of Flink writes.
//! The listener's user and certificates are those of `cargo xtask services up kafka`.

use std::path::PathBuf;
use std::sync::Arc;

use mainstem_connectors::kafka::KAFKA;
use mainstem_core::table::TableSpec;
use mainstem_core::{Error, ErrorKind};

use crate::kafka::{Cluster, id_and_name, numbers_batch, rows_of};
use crate::support::{service, sink, write};

const PASSWORD: &str = "open sesame";

/// A topic, and the ways to it.
pub(crate) struct Secure {
    pub(crate) cluster: Cluster,
    servers: String,
    stores: PathBuf,
}

impl Secure {
    pub(crate) async fn open() -> Option<Self> {
        Some(Self {
            servers: service("MAINSTEM_TEST_KAFKA_SASL_SSL")?,
            stores: service("MAINSTEM_TEST_KAFKA_STORES")?.into(),
            cluster: Cluster::open(1).await?,
        })
    }

    fn store(&self, name: &str) -> String {
        self.stores.join(name).display().to_string()
    }

    /// A table with the right password.
    pub(crate) fn known(&self, mechanism: &str) -> TableSpec {
        let ca = self.store("ca.pem");
        self.table(mechanism, PASSWORD, &[("properties.ssl.ca.location", &ca)])
    }

    /// A table that believes every broker.
    pub(crate) fn unchecked(&self) -> TableSpec {
        let unchecked = ("properties.enable.ssl.certificate.verification", "false");
        self.table("PLAIN", PASSWORD, &[unchecked])
    }

    /// The table's own options, then a login; what is given wins.
    fn table(&self, mechanism: &str, password: &str, options: &[(&str, &str)]) -> TableSpec {
        let module = if mechanism == "PLAIN" { "plain.Plain" } else { "scram.Scram" };
        let jaas = format!(
            "org.apache.kafka.common.security.{module}LoginModule required \
             username=\"mainstem\" password=\"{password}\";"
        );
        let mut all = vec![
            ("format", "csv"),
            ("properties.bootstrap.servers", self.servers.as_str()),
            ("properties.security.protocol", "SASL_SSL"),
            ("properties.sasl.mechanism", mechanism),
            ("properties.sasl.jaas.config", jaas.as_str()),
        ];
        all.extend_from_slice(options);
        self.cluster.table(id_and_name(), &all)
    }

    /// The same for reading it all.
    fn reading(&self, mechanism: &str, password: &str, options: &[(&str, &str)]) -> TableSpec {
        let bounds =
            [("scan.startup.mode", "earliest-offset"), ("scan.bounded.mode", "latest-offset")];
        self.table(mechanism, password, &[options, &bounds].concat())
    }
}

#[tokio::test]
async fn reads_and_writes_through_tls_and_a_login() {
    let ways: [fn(&str) -> Vec<(&str, &str)>; 3] = [
        |ca| {
            vec![
                ("properties.ssl.truststore.location", ca),
                ("properties.ssl.truststore.type", "PEM"),
            ]
        },
        |ca| vec![("properties.ssl.ca.location", ca)],
        |ca| vec![("properties.ssl.truststore.location", ca)],
    ];
    for (mechanism, way) in ["SCRAM-SHA-512", "PLAIN", "PLAIN"].into_iter().zip(ways) {
        let Some(secure) = Secure::open().await else { return };
        let ca = secure.store("ca.pem");
        let table = secure.table(mechanism, PASSWORD, &way(&ca));
        let mut writing = sink(&KAFKA, &table, &Arc::default()).unwrap();
        writing.open().await.unwrap();
        write(&mut writing, &numbers_batch(&[(1, Some("a"), 1), (2, None, 1)])).await.unwrap();
        writing.close().await.unwrap();
        let table = secure.reading(mechanism, PASSWORD, &way(&ca));
        assert_eq!(rows_of(&KAFKA, &table).await.unwrap(), ["1|a", "2|"], "{mechanism}");
        // The open listener has them too: they went to the right broker.
        let plain = rows_of(&KAFKA, &secure.cluster.numbers(&[])).await.unwrap();
        assert_eq!(plain, ["1|a", "2|"], "{mechanism}");
    }
}

#[tokio::test]
async fn takes_certificates_in_the_statement() {
    let Some(secure) = Secure::open().await else { return };
    let ca = std::fs::read_to_string(secure.store("ca.pem")).unwrap();
    let options = [
        ("properties.ssl.truststore.certificates", ca.as_str()),
        ("properties.ssl.truststore.type", "PEM"),
    ];
    let table = secure.reading("SCRAM-SHA-512", PASSWORD, &options);
    assert!(rows_of(&KAFKA, &table).await.unwrap().is_empty());
}

fn is_refusal(error: &Error, part: &str) {
    let said = error.to_string();
    assert_eq!(error.kind(), ErrorKind::User, "{said}");
    assert!(said.contains("refused the connection") && said.contains(part), "{said}");
    assert!(error.hint().is_some_and(|hint| hint.contains("properties.ss")), "{error:?}");
    assert!(!format!("{error:?}").contains("hidden"), "{error:?}");
}

#[tokio::test]
async fn a_wrong_password_is_refused() {
    let Some(secure) = Secure::open().await else { return };
    let ca = secure.store("ca.pem");
    let options = [("properties.ssl.truststore.location", ca.as_str())];
    for mechanism in ["SCRAM-SHA-512", "PLAIN"] {
        let table = secure.reading(mechanism, "hidden", &options);
        let error = rows_of(&KAFKA, &table).await.unwrap_err();
        is_refusal(&error, "uthentication failed");
        let table = secure.table(mechanism, "hidden", &options);
        let error = sink(&KAFKA, &table, &Arc::default()).unwrap().open().await.unwrap_err();
        is_refusal(&error, "uthentication failed");
    }
}

#[tokio::test]
async fn an_unknown_authority_is_refused() {
    let Some(secure) = Secure::open().await else { return };
    let stranger = secure.store("stranger.pem");
    let cases: [&[(&str, &str)]; 2] =
        [&[("properties.ssl.truststore.location", stranger.as_str())], &[]];
    for options in cases {
        let table = secure.reading("PLAIN", PASSWORD, options);
        let error = rows_of(&KAFKA, &table).await.unwrap_err();
        is_refusal(&error, "certificate verify failed");
        let table = secure.table("PLAIN", PASSWORD, options);
        let error = sink(&KAFKA, &table, &Arc::default()).unwrap().open().await.unwrap_err();
        is_refusal(&error, "certificate verify failed");
    }
}

#[tokio::test]
async fn stores_of_java_are_refused_with_the_way_out() {
    let Some(secure) = Secure::open().await else { return };
    for name in ["ca.jks", "ca.p12"] {
        let store = secure.store(name);
        let options = [("properties.ssl.truststore.location", store.as_str())];
        let error =
            rows_of(&KAFKA, &secure.reading("PLAIN", PASSWORD, &options)).await.unwrap_err();
        assert!(error.to_string().contains("only Java can read"), "{error}");
        let hint = error.hint().unwrap();
        assert!(hint.contains("keytool") && hint.contains(&store), "{hint}");
    }
}
