//! How brokers are reached by sockets of our own where a table asks for TLS or a login: librdkafka's settings, as rustls and
//! SASL understand them.
//! Invariant: a setting that is not understood here is named and refused, never passed over: what librdkafka does for records, a
//! question does too.
//! Not here: OAUTHBEARER and Kerberos, keys with passwords, stores of PKCS#12.

use std::fmt::{self, Debug};
use std::io;
use std::path::Path;
use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use rdkafka::ClientConfig;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::rustls::crypto::ring;
use tokio_rustls::rustls::pki_types::{CertificateDer, ServerName};

use super::scram::{Hash, Password};
use crate::tls::{self, Checks, Identity};

/// A connection, whatever it runs through.
pub(super) trait Stream: AsyncRead + AsyncWrite + Unpin + Send {}

impl<S: AsyncRead + AsyncWrite + Unpin + Send> Stream for S {}

/// A way to log in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Mechanism {
    Plain,
    Scram(Hash),
}

/// Who we are.
#[derive(Clone)]
pub(super) struct Login {
    pub(super) name: &'static str,
    pub(super) mechanism: Mechanism,
    pub(super) user: String,
    pub(super) password: Arc<Password>,
}

/// What a table says of the way to its brokers.
#[derive(Clone, Default)]
pub(super) struct Security {
    tls: Option<TlsConnector>,
    login: Option<Login>,
}

impl Debug for Security {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Security")
            .field("tls", &self.tls.is_some())
            .field("login", &self.login.as_ref().map(|login| login.name))
            .finish()
    }
}

impl Security {
    /// Reads librdkafka's settings; an error names what is not understood here. Reads the files of certificates.
    pub(super) fn of(config: &ClientConfig) -> Result<Self, String> {
        let protocol = config.get("security.protocol").unwrap_or("plaintext").to_ascii_lowercase();
        let (tls, sasl) = match protocol.as_str() {
            "plaintext" => (false, false),
            "ssl" => (true, false),
            "sasl_plaintext" => (false, true),
            "sasl_ssl" => (true, true),
            other => return Err(format!("the protocol '{other}'")),
        };
        Ok(Self {
            tls: tls.then(|| connector(config)).transpose()?,
            login: sasl.then(|| login(config)).transpose()?,
        })
    }

    pub(super) fn login(&self) -> Option<&Login> {
        self.login.as_ref()
    }

    /// Opens a connection; the login is still to come.
    pub(super) async fn connect(&self, host: &str, port: u16) -> io::Result<Box<dyn Stream>> {
        let stream = TcpStream::connect((host, port)).await?;
        let Some(tls) = &self.tls else { return Ok(Box::new(stream)) };
        let name = ServerName::try_from(host.to_owned()).map_err(io::Error::other)?;
        Ok(Box::new(tls.connect(name, stream).await?))
    }
}

/// A text that nobody can guess.
pub(super) fn nonce() -> io::Result<String> {
    let mut bytes = [0; 24];
    let filled = ring::default_provider().secure_random.fill(&mut bytes);
    filled.map_err(|_| io::Error::other("the system gives no random numbers"))?;
    Ok(BASE64.encode(bytes))
}

fn login(config: &ClientConfig) -> Result<Login, String> {
    let named = config.get("sasl.mechanism").or(config.get("sasl.mechanisms"));
    let named = named.unwrap_or("GSSAPI");
    let (name, mechanism) = match named.to_ascii_uppercase().as_str() {
        "PLAIN" => ("PLAIN", Mechanism::Plain),
        "SCRAM-SHA-256" => ("SCRAM-SHA-256", Mechanism::Scram(Hash::Sha256)),
        "SCRAM-SHA-512" => ("SCRAM-SHA-512", Mechanism::Scram(Hash::Sha512)),
        _ => return Err(format!("SASL {named}")),
    };
    let text = |key: &str| config.get(key).unwrap_or_default().to_owned();
    let password = Arc::new(Password::new(text("sasl.password")));
    Ok(Login { name, mechanism, user: text("sasl.username"), password })
}

fn connector(config: &ClientConfig) -> Result<TlsConnector, String> {
    let refused = ["ssl.keystore.location", "ssl.key.password", "ssl.crl.location"];
    if let Some(name) = refused.iter().find(|name| config.get(name).is_some()) {
        return Err(format!("'properties.{name}'"));
    }
    let off = |word: &str| ["false", "f", "0"].iter().any(|off| word.eq_ignore_ascii_case(off));
    let is_checked = !config.get("enable.ssl.certificate.verification").is_some_and(off);
    let has_name = config.get("ssl.endpoint.identification.algorithm") != Some("none");
    let checks = Checks { signers: is_checked, name: is_checked && has_name };
    let authorities = pem(config, "ssl.ca.pem", "ssl.ca.location")?;
    let authorities = authorities.map(|pem| certificates(&pem)).transpose()?;
    let tls = tls::client(checks, authorities, identity(config)?);
    let tls = tls.map_err(|e| format!("the certificate of the client: {e}"))?;
    Ok(TlsConnector::from(Arc::new(tls)))
}

/// The text of a setting, or of the file that another one names.
fn pem(config: &ClientConfig, text: &str, file: &str) -> Result<Option<Vec<u8>>, String> {
    if let Some(text) = config.get(text) {
        return Ok(Some(text.as_bytes().to_vec()));
    }
    let Some(path) = config.get(file).filter(|path| *path != "probe") else { return Ok(None) };
    if Path::new(path).is_dir() {
        return Err(format!("a folder as 'properties.{file}'"));
    }
    std::fs::read(path).map(Some).map_err(|e| format!("'{path}', which cannot be read: {e}"))
}

fn certificates(pem: &[u8]) -> Result<Vec<CertificateDer<'static>>, String> {
    tls::certificates(pem).ok_or_else(|| "certificates that are not PEM".to_owned())
}

fn identity(config: &ClientConfig) -> Result<Option<Identity>, String> {
    let chain = pem(config, "ssl.certificate.pem", "ssl.certificate.location")?;
    let key = pem(config, "ssl.key.pem", "ssl.key.location")?;
    let (Some(chain), Some(key)) = (chain, key) else { return Ok(None) };
    let key = tls::private_key(key).ok_or("a key that cannot be read")?;
    Ok(Some((certificates(&chain)?, key)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn config(settings: &[(&str, &str)]) -> ClientConfig {
        let mut config = ClientConfig::new();
        for (name, value) in settings {
            config.set(*name, *value);
        }
        config
    }

    #[test]
    fn what_is_not_understood_is_named() {
        for (settings, named) in [
            (
                &[("security.protocol", "sasl_ssl"), ("sasl.mechanism", "OAUTHBEARER")][..],
                "SASL OAUTHBEARER",
            ),
            (&[("security.protocol", "SASL_PLAINTEXT")], "SASL GSSAPI"),
            (
                &[("security.protocol", "ssl"), ("ssl.keystore.location", "k.p12")],
                "'properties.ssl.keystore.location'",
            ),
            (
                &[("security.protocol", "ssl"), ("ssl.ca.location", "/")],
                "a folder as 'properties.ssl.ca.location'",
            ),
            (
                &[("security.protocol", "ssl"), ("ssl.ca.location", "/absent.pem")],
                "'/absent.pem', which cannot be read",
            ),
            (
                &[("security.protocol", "ssl"), ("ssl.ca.pem", "no certificate")],
                "certificates that are not PEM",
            ),
        ] {
            let refused = Security::of(&config(settings)).unwrap_err();
            assert!(refused.contains(named), "{named}: {refused}");
        }
        let plain = Security::of(&config(&[("sasl.mechanism", "OAUTHBEARER")])).unwrap();
        assert!(plain.login().is_none(), "nobody asks for a login");
    }
}
