//! Certificates of PostgreSQL and of a client, made by openssl, which Debian's PostgreSQL brings, at the first start.
//! Invariant: everything is made on this machine for this server and good for loopback only; the keys here guard nothing.
//! `ca.pem` has signed `server.pem`, which is for `localhost` and not for an address, and `client.pem`; `stranger.pem` is an
//! authority that has signed nothing.

use std::ffi::OsStr;
use std::path::{Path, PathBuf};

use super::{NAME, Server};
use crate::error::Result;
use crate::{layout, process};

const CONFIG: &str = "\
[req]
distinguished_name = name
[name]
[authority]
basicConstraints = critical, CA:true
keyUsage = keyCertSign, cRLSign
[server]
basicConstraints = CA:false
subjectAltName = DNS:localhost
[client]
basicConstraints = CA:false
";

/// The folder of the certificates, complete.
pub(super) fn make(server: &Server, data: &Path) -> Result<PathBuf> {
    let folder = data.join("tls");
    // Made last.
    if folder.join("stranger.pem").exists() {
        return Ok(folder);
    }
    layout::remove_folder(&folder)?;
    process::capture(server.as_owner("mkdir").arg(&folder))?;
    let config = data.join("openssl.cnf");
    layout::write(&config, CONFIG)?;
    let openssl = Openssl { server, folder: &folder, config: &config };
    openssl.make("ca", "Mainstem services", "authority", &[])?;
    let ca = folder.join("ca.pem");
    let ca_key = folder.join("ca.key");
    let signed = ["-CA".as_ref(), ca.as_os_str(), "-CAkey".as_ref(), ca_key.as_os_str()];
    openssl.make("server", "localhost", "server", &signed)?;
    openssl.make("client", NAME, "client", &signed)?;
    openssl.make("stranger", "A stranger", "authority", &[])?;
    Ok(folder)
}

/// What the server is told of them.
pub(super) fn options(folder: &Path) -> String {
    let path = |name: &str| folder.join(name).display().to_string();
    format!(
        "-c ssl=on -c ssl_cert_file={} -c ssl_key_file={} -c ssl_ca_file={}",
        path("server.pem"),
        path("server.key"),
        path("ca.pem"),
    )
}

struct Openssl<'a> {
    server: &'a Server,
    folder: &'a Path,
    config: &'a Path,
}

impl Openssl<'_> {
    /// A key without a password, and a certificate for it.
    fn make(&self, name: &str, subject: &str, kind: &str, signed: &[&OsStr]) -> Result<()> {
        let mut openssl = self.server.as_owner("openssl");
        openssl.args(["req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256"]);
        openssl.args(["-noenc", "-days", "3650", "-extensions", kind, "-config"]).arg(self.config);
        openssl.args(["-subj", &format!("/CN={subject}")]).args(signed);
        openssl.arg("-keyout").arg(self.folder.join(format!("{name}.key")));
        openssl.arg("-out").arg(self.folder.join(format!("{name}.pem")));
        process::capture(&mut openssl).map(drop)
    }
}
