//! TLS to PostgreSQL, as pgjdbc's parameters ask for it.
//! Invariant: what pgjdbc would check is checked: nothing for `prefer` and `require`, who signed the certificate for
//! `verify-ca`, and the host's name too for `verify-full`. `allow` is `prefer`: pgjdbc tries without TLS first.
//! Files are read when a connection is made, so that certificates may be renewed.
//! Not here: keys with passwords, stores of PKCS#12, Java's own socket factories.

use mainstem_core::{Error, Result};
use tokio_postgres::config::SslMode;
use tokio_rustls::rustls::ClientConfig;
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer};

use crate::tls::{self, Checks};

/// The factory of pgjdbc that believes any signer; the others that we know do what the mode says.
const BELIEVES_ALL: &str = "org.postgresql.ssl.NonValidatingFactory";
const BELIEVE_BY_MODE: &[&str] = &[
    "org.postgresql.ssl.LibPQFactory",
    "org.postgresql.ssl.jdbc4.LibPQFactory",
    "org.postgresql.ssl.DefaultJavaSSLFactory",
];

/// How TLS is spoken with a server.
#[derive(Debug, Clone)]
pub(super) struct Tls {
    checks: Checks,
    /// Files: whose certificates are believed, and the client's own certificate and key.
    root: Option<String>,
    identity: Option<(String, String)>,
}

impl Tls {
    /// Reads the files.
    pub(super) fn client(&self) -> Result<ClientConfig> {
        let authorities = self.root.as_deref().map(|path| certificates("sslrootcert", path));
        let identity = self.identity.as_ref().map(|(chain, key)| -> Result<_> {
            Ok((certificates("sslcert", chain)?, private_key(key)?))
        });
        let failed = |e| Error::user(format!("'sslcert' and 'sslkey' in option 'url': {e}"));
        tls::client(self.checks, authorities.transpose()?, identity.transpose()?).map_err(failed)
    }
}

/// The parameters of a URL that are about TLS.
#[derive(Debug, Default)]
pub(super) struct Parameters {
    sslmode: Option<String>,
    ssl: bool,
    believes_all: bool,
    root: Option<String>,
    certificate: Option<String>,
    key: Option<String>,
}

impl Parameters {
    /// Takes a parameter; false if it is about something else.
    pub(super) fn take(&mut self, name: &str, value: &str) -> Result<bool> {
        match name {
            "sslmode" => self.sslmode = Some(value.to_owned()),
            // Without a value it is meant.
            "ssl" => self.ssl = value.is_empty() || value.eq_ignore_ascii_case("true"),
            "sslrootcert" => self.root = Some(value.to_owned()),
            "sslcert" => self.certificate = Some(value.to_owned()),
            "sslkey" => self.key = Some(value.to_owned()),
            "sslfactory" if value == BELIEVES_ALL => self.believes_all = true,
            "sslfactory" if BELIEVE_BY_MODE.contains(&value) => {}
            "sslfactory" => {
                return Err(Error::user(format!(
                    "'sslfactory={value}' in option 'url' is Java code"
                ))
                .with_hint(format!("known are LibPQFactory and {BELIEVES_ALL}")));
            }
            "sslpassword" => {
                return Err(Error::user("keys with a password cannot be read ('sslpassword')")
                    .with_hint(
                        "`openssl pkcs8 -topk8 -nocrypt -in KEY -out NEW` writes one without",
                    ));
            }
            _ => return Ok(false),
        }
        Ok(true)
    }

    /// When TLS is spoken, and how. Left out, it is spoken with servers that know it, as pgjdbc does.
    pub(super) fn settle(self) -> Result<(SslMode, Option<Tls>)> {
        let default = if self.ssl { "verify-full" } else { "prefer" };
        let named = self.sslmode.as_deref().unwrap_or(default).to_ascii_lowercase();
        let (mode, signers, name) = match named.as_str() {
            "disable" => return Ok((SslMode::Disable, None)),
            "allow" | "prefer" => (SslMode::Prefer, false, false),
            "require" => (SslMode::Require, false, false),
            "verify-ca" => (SslMode::Require, true, false),
            "verify-full" => (SslMode::Require, true, true),
            _ => {
                return Err(Error::user(format!("unknown 'sslmode={named}' in option 'url'"))
                    .with_hint(
                        "known are disable, allow, prefer, require, verify-ca, verify-full",
                    ));
            }
        };
        let checks = Checks { signers: signers && !self.believes_all, name };
        let identity = match (self.certificate, self.key) {
            (None, None) => None,
            (Some(certificate), Some(key)) => Some((certificate, key)),
            _ => return Err(Error::user("'sslcert' and 'sslkey' in option 'url' go together")),
        };
        Ok((mode, Some(Tls { checks, root: self.root, identity })))
    }
}

fn read(name: &str, path: &str) -> Result<Vec<u8>> {
    std::fs::read(path)
        .map_err(|e| Error::user(format!("'{name}={path}' in option 'url' cannot be read: {e}")))
}

fn certificates(name: &str, path: &str) -> Result<Vec<CertificateDer<'static>>> {
    tls::certificates(&read(name, path)?).ok_or_else(|| {
        Error::user(format!("'{name}={path}' in option 'url' is no PEM of certificates"))
    })
}

/// In PEM, or in DER as pgjdbc takes it.
fn private_key(path: &str) -> Result<PrivateKeyDer<'static>> {
    tls::private_key(read("sslkey", path)?).ok_or_else(|| {
        Error::user(format!("'sslkey={path}' in option 'url' is no private key in PEM or PKCS#8"))
    })
}
