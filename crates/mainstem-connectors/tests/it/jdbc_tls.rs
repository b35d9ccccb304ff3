//! `jdbc` over TLS, against a real PostgreSQL; `MAINSTEM_TEST_POSTGRES_CERTIFICATES` is the folder of its certificates.
//! pgjdbc 42.7.8 connects and refuses likewise, but for the last of those refused (it keeps a certificate to itself whose
//! signer the server does not name) and for keys in PEM, which it does not read.

use std::sync::Arc;

use mainstem_connectors::jdbc::JDBC;
use mainstem_core::ErrorKind;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpListener;

use crate::jdbc::{Database, said};
use crate::support::{service, sink, unique};

/// A host by which the server is asked, and parameters of the URL.
type Asked<'a> = (&'a str, &'a str);

impl Database {
    /// What the server says of a connection: whether there is TLS, and whom the client's certificate names.
    async fn connected(&self, (host, parameters): Asked<'_>) -> mainstem_core::Result<Vec<String>> {
        let name = unique("tls");
        let mut table = self.people(false, &[("sink.create", "true")]);
        let url = self.url.replace("127.0.0.1", host);
        let url = format!("{url}&ApplicationName={name}{parameters}");
        table.options.insert("url".to_owned(), url);
        let mut sink = sink(&JDBC, &table, &Arc::default())?;
        sink.open().await?;
        let ask = format!(
            "SELECT ssl, client_dn FROM pg_stat_ssl JOIN pg_stat_activity USING (pid) WHERE application_name = '{name}'"
        );
        let found = self.rows(&ask).await;
        sink.close().await?;
        Ok(found)
    }
}

#[tokio::test]
async fn certificates_are_checked_as_the_mode_says() {
    let Some(db) = Database::open().await else { return };
    let Some(folder) = service("MAINSTEM_TEST_POSTGRES_CERTIFICATES") else { return };
    let in_folder = |parameters: &str| parameters.replace("=/", &format!("={folder}/"));
    let welcome: [(Asked<'_>, &str); 9] = [
        (("127.0.0.1", ""), "t|NULL"),
        (("127.0.0.1", "&sslmode=disable"), "f|NULL"),
        (("127.0.0.1", "&sslmode=require"), "t|NULL"),
        (("127.0.0.1", "&sslmode=require&sslrootcert=/stranger.pem"), "t|NULL"),
        (("127.0.0.1", "&sslmode=verify-ca&sslrootcert=/ca.pem"), "t|NULL"),
        (("localhost", "&ssl=true&sslrootcert=/ca.pem"), "t|NULL"),
        (("localhost", "&ssl&sslrootcert=/server.pem"), "t|NULL"),
        (("localhost", "&ssl&sslfactory=org.postgresql.ssl.NonValidatingFactory"), "t|NULL"),
        (("127.0.0.1", "&sslcert=/client.pem&sslkey=/client.key"), "t|/CN=mainstem"),
    ];
    for ((host, parameters), expected) in welcome {
        let parameters = in_folder(parameters);
        let found = db.connected((host, &parameters)).await.unwrap();
        assert_eq!(found, [expected], "{host} {parameters}");
    }
    let refused: [(Asked<'_>, &str); 6] = [
        (
            ("127.0.0.1", "&ssl&sslfactory=org.postgresql.ssl.NonValidatingFactory"),
            "not valid for name",
        ),
        (("127.0.0.1", "&sslmode=verify-full&sslrootcert=/ca.pem"), "not valid for name"),
        (("127.0.0.1", "&sslmode=verify-full&sslrootcert=/server.pem"), "not valid for name"),
        (("localhost", "&sslmode=verify-ca&sslrootcert=/stranger.pem"), "invalid peer certificate"),
        (("localhost", "&sslmode=verify-ca"), "invalid peer certificate"),
        (("127.0.0.1", "&sslcert=/stranger.pem&sslkey=/stranger.key"), "alert"),
    ];
    for ((host, parameters), part) in refused {
        let parameters = in_folder(parameters);
        let error = db.connected((host, &parameters)).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::User, "{host} {parameters}: {}", said(&error));
        assert!(error.to_string().contains(part), "{host} {parameters}: {}", said(&error));
    }
    db.close().await;
}

/// Answers `answer` to each client that asks for TLS, and goes.
async fn answering(answer: u8) -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    tokio::spawn(async move {
        while let Ok((mut client, _)) = listener.accept().await {
            let mut request = [0; 8];
            let _ = client.read_exact(&mut request).await;
            let _ = client.write_all(&[answer]).await;
        }
    });
    port
}

#[tokio::test]
async fn a_server_without_tls_is_refused_and_one_that_goes_is_waited_for() {
    let cases =
        [(b'N', ErrorKind::User, "does not support TLS"), (b'S', ErrorKind::Unavailable, "")];
    for (answer, kind, part) in cases {
        let port = answering(answer).await;
        let url = format!("jdbc:postgresql://127.0.0.1:{port}/x?user=y&sslmode=require");
        let options =
            [("connector", "jdbc"), ("url", &*url), ("table-name", "t"), ("sink.max-retries", "1")];
        let columns = vec![crate::support::column("id", mainstem_core::DataType::string())];
        let table = crate::support::table("t", columns, &options);
        let error = sink(&JDBC, &table, &Arc::default()).unwrap().open().await.unwrap_err();
        assert_eq!(error.kind(), kind, "{}", said(&error));
        assert!(error.to_string().contains(part), "{}", said(&error));
    }
}
