//! TLS of the connections that connectors make by themselves: what is asked of a server's certificate, and what the client shows.
//! Invariant: TLS 1.2 and 1.3. A certificate that is checked has to be X.509 version 3, and its names stand in subjectAltName; one
//! that is itself among the authorities is believed, whoever has signed it, as OpenSSL and Java do.
//! Not here: keys with passwords, stores of PKCS#12, and what options are called.

use std::sync::Arc;

use tokio_rustls::rustls::client::danger::{
    HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier,
};
use tokio_rustls::rustls::client::{verify_server_cert_signed_by_trust_anchor, verify_server_name};
use tokio_rustls::rustls::crypto::{
    WebPkiSupportedAlgorithms, ring, verify_tls12_signature, verify_tls13_signature,
};
use tokio_rustls::rustls::pki_types::pem::PemObject as _;
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName, UnixTime};
use tokio_rustls::rustls::server::ParsedCertificate;
use tokio_rustls::rustls::{
    ClientConfig, DigitallySignedStruct, Error as TlsError, RootCertStore, SignatureScheme,
};

/// What is asked of the server's certificate.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Checks {
    /// Somebody who is believed has signed it.
    pub(crate) signers: bool,
    /// It names the host.
    pub(crate) name: bool,
}

/// A chain of certificates, one's own first, and the key of that.
pub(crate) type Identity = (Vec<CertificateDer<'static>>, PrivateKeyDer<'static>);

/// A client that believes `authorities`, or without them whom the system believes, and shows `identity`.
pub(crate) fn client(
    checks: Checks,
    authorities: Option<Vec<CertificateDer<'static>>>,
    identity: Option<Identity>,
) -> Result<ClientConfig, TlsError> {
    let provider = Arc::new(ring::default_provider());
    let algorithms = provider.signature_verification_algorithms;
    let mut roots = RootCertStore::empty();
    match &authorities {
        _ if !checks.signers => {}
        Some(named) => drop(roots.add_parsable_certificates(named.iter().cloned())),
        None => {
            let of_system = rustls_native_certs::load_native_certs().certs;
            roots.add_parsable_certificates(of_system);
        }
    }
    let named = authorities.unwrap_or_default();
    let verifier = Arc::new(Verifier { checks, roots, named, algorithms });
    let builder =
        ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions()?;
    let builder = builder.dangerous().with_custom_certificate_verifier(verifier);
    match identity {
        None => Ok(builder.with_no_client_auth()),
        Some((chain, key)) => builder.with_client_auth_cert(chain, key),
    }
}

/// The certificates in a PEM; `None` if it is none, or has none.
pub(crate) fn certificates(pem: &[u8]) -> Option<Vec<CertificateDer<'static>>> {
    let found: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(pem).collect();
    found.ok().filter(|found| !found.is_empty())
}

/// A key in PEM or DER; `None` if it is neither, or has a password.
pub(crate) fn private_key(bytes: Vec<u8>) -> Option<PrivateKeyDer<'static>> {
    PrivateKeyDer::from_pem_slice(&bytes).ok().or_else(|| PrivateKeyDer::try_from(bytes).ok())
}

/// Checks the certificate of the server.
#[derive(Debug)]
struct Verifier {
    checks: Checks,
    roots: RootCertStore,
    /// The authorities that were named.
    named: Vec<CertificateDer<'static>>,
    algorithms: WebPkiSupportedAlgorithms,
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
