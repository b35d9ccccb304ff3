//! TLS to PostgreSQL, as pgjdbc's parameters ask for it.
//! Invariant: what pgjdbc would check is checked: nothing for `prefer` and `require`, who signed the certificate for
//! `verify-ca`, and the host's name too for `verify-full`; a certificate has to be X.509 version 3, and its names stand in
//! subjectAltName. A certificate that `sslrootcert` names is believed even if the server itself is its only signer.
//! `allow` is `prefer`: pgjdbc tries without TLS first.
//! Not here: keys with passwords, stores of PKCS#12, Java's own socket factories.

use std::path::Path;
use std::sync::Arc;

use mainstem_core::{Error, Result};
use tokio_postgres::config::SslMode;
use tokio_rustls::rustls::client::danger::{
    HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier,
};
use tokio_rustls::rustls::client::{verify_server_cert_signed_by_trust_anchor, verify_server_name};
use tokio_rustls::rustls::crypto::{
    CryptoProvider, WebPkiSupportedAlgorithms, ring, verify_tls12_signature, verify_tls13_signature,
};
use tokio_rustls::rustls::pki_types::pem::PemObject as _;
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName, UnixTime};
use tokio_rustls::rustls::server::ParsedCertificate;
use tokio_rustls::rustls::{
    ClientConfig, DigitallySignedStruct, Error as TlsError, RootCertStore, SignatureScheme,
};

/// The factory of pgjdbc that believes any signer; the others that we know do what the mode says.
const BELIEVES_ALL: &str = "org.postgresql.ssl.NonValidatingFactory";
const BELIEVE_BY_MODE: &[&str] = &[
    "org.postgresql.ssl.LibPQFactory",
    "org.postgresql.ssl.jdbc4.LibPQFactory",
    "org.postgresql.ssl.DefaultJavaSSLFactory",
];

/// What is asked of the server's certificate.
#[derive(Debug, Clone, Copy)]
struct Checks {
    signers: bool,
    name: bool,
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

    /// When TLS is spoken, and how; reads the files. Left out, it is spoken with servers that know it, as pgjdbc does.
    pub(super) fn settle(self) -> Result<(SslMode, Option<ClientConfig>)> {
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
        Ok((mode, Some(self.client(checks)?)))
    }

    fn client(self, checks: Checks) -> Result<ClientConfig> {
        let provider = Arc::new(ring::default_provider());
        let verifier = Verifier::new(checks, self.root.as_deref(), &provider)?;
        let builder = ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .map_err(|e| Error::internal("TLS cannot be set up").with_source(e))?;
        let builder = builder.dangerous().with_custom_certificate_verifier(Arc::new(verifier));
        match (self.certificate, self.key) {
            (None, None) => Ok(builder.with_no_client_auth()),
            (Some(certificate), Some(key)) => builder
                .with_client_auth_cert(certificates("sslcert", &certificate)?, private_key(&key)?)
                .map_err(|e| Error::user(format!("'sslcert={certificate}', 'sslkey={key}': {e}"))),
            _ => Err(Error::user("'sslcert' and 'sslkey' in option 'url' go together")),
        }
    }
}

fn read(name: &str, path: &str) -> Result<Vec<u8>> {
    std::fs::read(Path::new(path))
        .map_err(|e| Error::user(format!("'{name}={path}' in option 'url' cannot be read: {e}")))
}

fn certificates(name: &str, path: &str) -> Result<Vec<CertificateDer<'static>>> {
    let pem = read(name, path)?;
    let found: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(&pem).collect();
    match found {
        Ok(found) if !found.is_empty() => Ok(found),
        _ => Err(Error::user(format!("'{name}={path}' in option 'url' is no PEM of certificates"))),
    }
}

/// In PEM, or PKCS#8 in DER as pgjdbc takes it.
fn private_key(path: &str) -> Result<PrivateKeyDer<'static>> {
    let bytes = read("sslkey", path)?;
    let key = match bytes.starts_with(b"-----") {
        true => PrivateKeyDer::from_pem_slice(&bytes).ok(),
        false => PrivateKeyDer::try_from(bytes).ok(),
    };
    key.ok_or_else(|| {
        Error::user(format!("'sslkey={path}' in option 'url' is no private key in PEM or PKCS#8"))
    })
}

/// Checks the certificate of the server.
#[derive(Debug)]
struct Verifier {
    checks: Checks,
    /// Whom to believe.
    roots: RootCertStore,
    /// What `sslrootcert` names.
    named: Vec<CertificateDer<'static>>,
    algorithms: WebPkiSupportedAlgorithms,
}

impl Verifier {
    fn new(checks: Checks, root: Option<&str>, provider: &CryptoProvider) -> Result<Self> {
        let named = root.map(|path| certificates("sslrootcert", path)).transpose()?;
        let mut roots = RootCertStore::empty();
        match &named {
            _ if !checks.signers => {}
            Some(named) => drop(roots.add_parsable_certificates(named.iter().cloned())),
            None => {
                let of_system = rustls_native_certs::load_native_certs().certs;
                roots.add_parsable_certificates(of_system);
            }
        }
        let algorithms = provider.signature_verification_algorithms;
        Ok(Self { checks, roots, named: named.unwrap_or_default(), algorithms })
    }
}

impl ServerCertVerifier for Verifier {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        server_name: &ServerName<'_>,
        _ocsp_response: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, TlsError> {
        let Checks { signers, name } = self.checks;
        if !signers && !name {
            return Ok(ServerCertVerified::assertion());
        }
        let certificate = ParsedCertificate::try_from(end_entity)?;
        if signers && !self.named.contains(end_entity) {
            verify_server_cert_signed_by_trust_anchor(
                &certificate,
                &self.roots,
                intermediates,
                now,
                self.algorithms.all,
            )?;
        }
        if name {
            verify_server_name(&certificate, server_name)?;
        }
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, TlsError> {
        verify_tls12_signature(message, certificate, signed, &self.algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, TlsError> {
        verify_tls13_signature(message, certificate, signed, &self.algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.algorithms.supported_schemes()
    }
}
