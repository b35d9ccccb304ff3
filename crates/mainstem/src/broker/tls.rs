//! TLS of a listener: the files of its certificate, and the handshake.
//! Invariant: TLS 1.2 and 1.3 with the cipher suites that rustls calls safe, and nothing older; a key that does not belong to
//! its certificate is found out before anything is bound. A peer that does not finish its handshake in
//! [`HANDSHAKE_TIMEOUT`] is gone. Clients show no certificate: who they are is the business of `sasl`.

use std::fs;
use std::io;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use mainstem_core::{Error, Result};
use tokio::io::{AsyncRead, AsyncWrite, AsyncWriteExt as _};
use tokio::time::timeout;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::crypto::ring;
use tokio_rustls::rustls::pki_types::pem::{self, PemObject};
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer};
use tokio_rustls::rustls::{self, ServerConfig};
use tokio_rustls::server::TlsStream;

const HANDSHAKE_TIMEOUT: Duration = Duration::from_secs(10);
/// The last words of a connection have so long to leave.
const CLOSE_TIMEOUT: Duration = Duration::from_secs(1);

/// A certificate and its key, ready for handshakes; cheap to clone.
#[derive(Clone)]
pub(crate) struct Tls(TlsAcceptor);

impl std::fmt::Debug for Tls {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Tls")
    }
}

impl Tls {
    /// Reads a chain of certificates, the server's own first, and its key; both in PEM.
    pub(crate) fn load(chain: &Path, key: &Path) -> Result<Self> {
        let certificates = certificates(chain)?;
        let (chain, key, private) = (chain.display(), key.display(), private_key(key)?);
        let builder = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()));
        let builder = builder.with_safe_default_protocol_versions().map_err(|e| {
            Error::internal("there is no version of TLS to be spoken").with_source(e)
        })?;
        let built = builder.with_no_client_auth().with_single_cert(certificates, private);
        let config = built.map_err(|e| match e {
            rustls::Error::InconsistentKeys(_) => {
                let text = format!("the key in '{key}' is not that of the certificate in '{chain}'");
                Error::user(text)
                    .with_hint("the server's own certificate comes first in its file, before those that signed it")
            }
            e => Error::user(format!("the certificate in '{chain}' cannot be used: {e}"))
                .with_hint("give an X.509 certificate with an RSA, ECDSA or Ed25519 key"),
        })?;
        Ok(Self(TlsAcceptor::from(Arc::new(config))))
    }

    /// The handshake with a client.
    pub(super) async fn accept<S>(&self, stream: S) -> io::Result<TlsStream<S>>
    where
        S: AsyncRead + AsyncWrite + Unpin,
    {
        match timeout(HANDSHAKE_TIMEOUT, self.0.accept(stream)).await {
            Ok(accepted) => accepted,
            Err(_) => Err(io::ErrorKind::TimedOut.into()),
        }
    }
}

/// Tells the client that this is the end and no accident.
pub(super) async fn close(mut stream: TlsStream<impl AsyncRead + AsyncWrite + Unpin>) {
    // A client that is gone, or does not listen, needs no good-bye.
    let _ = timeout(CLOSE_TIMEOUT, stream.shutdown()).await;
}

fn read(path: &Path) -> Result<Vec<u8>> {
    fs::read(path).map_err(|e| {
        let reason = match e.kind() {
            io::ErrorKind::NotFound => "there is no such file".to_owned(),
            io::ErrorKind::IsADirectory => "it is a directory".to_owned(),
            _ => e.to_string(),
        };
        Error::user(format!("cannot read '{}': {reason}", path.display()))
            .with_hint("give PEM files: --kafka-tls-cert FILE --kafka-tls-key FILE")
    })
}

fn certificates(path: &Path) -> Result<Vec<CertificateDer<'static>>> {
    let (bytes, name) = (read(path)?, path.display());
    let found: std::result::Result<Vec<_>, _> = CertificateDer::pem_slice_iter(&bytes).collect();
    let found = found.map_err(|e| {
        Error::user(format!("the certificates in '{name}' cannot be read: {e}")).with_hint(PEM_HINT)
    })?;
    if found.is_empty() {
        return Err(Error::user(format!("there is no certificate in '{name}'")).with_hint(PEM_HINT));
    }
    Ok(found)
}

const PEM_HINT: &str = "it must be PEM, blocks that begin with -----BEGIN CERTIFICATE-----; of a PKCS#12 file: openssl pkcs12 \
     -in FILE -nokeys -out cert.pem";

fn private_key(path: &Path) -> Result<PrivateKeyDer<'static>> {
    let (bytes, name) = (read(path)?, path.display());
    PrivateKeyDer::from_pem_slice(&bytes).map_err(|e| match e {
        pem::Error::NoItemsFound if is_locked(&bytes) => {
            Error::user(format!("the key in '{name}' is locked by a password")).with_hint(
                "unlock it, and let nobody else read it: openssl pkey -in FILE -out key.pem; chmod 600 key.pem",
            )
        }
        pem::Error::NoItemsFound => Error::user(format!("there is no private key in '{name}'"))
            .with_hint("it must be PEM, a block that begins with -----BEGIN PRIVATE KEY-----"),
        e => Error::user(format!("the key in '{name}' cannot be read: {e}"))
            .with_hint("it must be PEM, a block that begins with -----BEGIN PRIVATE KEY-----"),
    })
}

fn is_locked(pem: &[u8]) -> bool {
    String::from_utf8_lossy(pem).contains("ENCRYPTED")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_wrong_with_a_file_is_said() {
        let folder = tempfile::tempdir().unwrap();
        let file = |name: &str, text: &str| {
            let path = folder.path().join(name);
            fs::write(&path, text).unwrap();
            path
        };
        let made = || rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
        let (own, other) = (made(), made());
        let chain = file("chain.pem", &own.cert.pem());
        let key = file("key.pem", &own.signing_key.serialize_pem());
        let stranger = file("stranger.pem", &other.signing_key.serialize_pem());
        let text = file("text.pem", "hello");
        let locked =
            "-----BEGIN ENCRYPTED PRIVATE KEY-----\nAAAA\n-----END ENCRYPTED PRIVATE KEY-----\n";
        let locked = file("locked.pem", locked);
        let broken = "-----BEGIN CERTIFICATE-----\n????\n-----END CERTIFICATE-----\n";
        let broken = file("broken.pem", broken);
        let empty = "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n";
        let empty = file("empty.pem", empty);
        let absent = folder.path().join("absent.pem");
        assert!(Tls::load(&chain, &key).is_ok());
        for (chain, key, error, hint) in [
            (&absent, &key, "absent.pem': there is no such file", "--kafka-tls-cert"),
            (&chain, &absent, "absent.pem': there is no such file", "--kafka-tls-key"),
            (&text, &key, "no certificate in", "BEGIN CERTIFICATE"),
            (&key, &key, "no certificate in", "BEGIN CERTIFICATE"),
            (&broken, &key, "broken.pem' cannot be read", "BEGIN CERTIFICATE"),
            (&empty, &key, "empty.pem' cannot be used", "X.509"),
            (&chain, &chain, "no private key in", "BEGIN PRIVATE KEY"),
            (&chain, &locked, "locked by a password", "openssl pkey"),
            (&chain, &stranger, "is not that of the certificate", "comes first"),
        ] {
            let refused = Tls::load(chain, key).unwrap_err();
            assert!(refused.to_string().contains(error), "{error}: {refused}");
            assert!(refused.hint().is_some_and(|said| said.contains(hint)), "{hint}: {refused:?}");
        }
    }
}
