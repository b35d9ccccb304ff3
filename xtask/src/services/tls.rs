//! Kafka's listener with TLS and a login: its certificates, made by the JDK's keytool at the first start, and its settings.
//! Invariant: everything is made on this machine for this instance and good for loopback only; the secrets here guard
//! nothing. `ca.pem` is what a client trusts; `stranger.pem` is an authority that has signed nothing; `ca.jks` and `ca.p12`
//! hold the same certificate as `ca.pem` in the forms that only Java reads.

use std::path::{Path, PathBuf};
use std::process::Command;

use crate::error::Result;
use crate::{layout, process};

/// Who may log in, by PLAIN and by SCRAM; tests know it too.
pub(super) const USER: &str = "mainstem";
pub(super) const PASSWORD: &str = "open sesame";

/// Of all stores and keys.
const STORE_PASSWORD: &str = "loopback";

/// The folder of the certificates below that of the service, complete.
pub(super) fn stores(service: &Path) -> Result<PathBuf> {
    let folder = service.join("tls");
    // Made last.
    if folder.join("stranger.pem").exists() {
        return Ok(folder);
    }
    layout::remove_folder(&folder)?;
    layout::create_folder(&folder)?;
    let tool = Keytool { folder: &folder };
    let authority = ["-ext", "bc:c", "-ext", "ku=keyCertSign,cRLSign"];
    tool.pair("authority", "CN=Mainstem services", &authority)?;
    tool.run("authority", &["-exportcert", "-rfc", "-file", "ca.pem"])?;
    let names = "san=dns:localhost,ip:127.0.0.1";
    tool.pair("broker", "CN=localhost", &["-ext", names])?;
    tool.run("broker", &["-certreq", "-file", "broker.csr"])?;
    let sign = ["-gencert", "-rfc", "-validity", "3650", "-infile", "broker.csr"];
    tool.run("authority", &[&sign[..], &["-outfile", "broker.pem", "-ext", names]].concat())?;
    for (store, kind) in [("broker.p12", "PKCS12"), ("ca.p12", "PKCS12"), ("ca.jks", "JKS")] {
        let import = ["-importcert", "-noprompt", "-alias", "ca", "-file", "ca.pem"];
        tool.store(store, &[&import[..], &["-storetype", kind]].concat())?;
    }
    tool.run("broker", &["-importcert", "-noprompt", "-file", "broker.pem"])?;
    tool.pair("stranger", "CN=A stranger", &authority)?;
    tool.run("stranger", &["-exportcert", "-rfc", "-file", "stranger.pem"])?;
    Ok(folder)
}

struct Keytool<'a> {
    folder: &'a Path,
}

impl Keytool<'_> {
    /// A key with a certificate of its own, in a store of the same name.
    fn pair(&self, name: &str, subject: &str, more: &[&str]) -> Result<()> {
        let key = ["-genkeypair", "-keyalg", "EC", "-groupname", "secp256r1", "-validity", "3650"];
        self.run(name, &[&key[..], &["-dname", subject, "-storetype", "PKCS12"], more].concat())
    }

    /// Works on the one key of a store.
    fn run(&self, name: &str, args: &[&str]) -> Result<()> {
        self.store(&format!("{name}.p12"), &[args, &["-alias", name]].concat())
    }

    fn store(&self, store: &str, args: &[&str]) -> Result<()> {
        let mut keytool = Command::new("keytool");
        keytool.args(args).args(["-keystore", store, "-storepass", STORE_PASSWORD]);
        process::capture(keytool.current_dir(self.folder)).map(drop)
    }
}

/// What the server is told of its listeners.
pub(super) fn listeners(ports: [u16; 3], stores: &Path) -> String {
    let [plain, secure, controller] = ports;
    let store = stores.join("broker.p12");
    let open = format!("PLAINTEXT://127.0.0.1:{plain},SASL_SSL://127.0.0.1:{secure}");
    let jaas = "org.apache.kafka.common.security";
    format!(
        "\
listener.security.protocol.map=PLAINTEXT:PLAINTEXT,SASL_SSL:SASL_SSL,CONTROLLER:PLAINTEXT
listeners={open},CONTROLLER://127.0.0.1:{controller}
advertised.listeners={open}
listener.name.sasl_ssl.ssl.keystore.location={}
listener.name.sasl_ssl.ssl.keystore.type=PKCS12
listener.name.sasl_ssl.ssl.keystore.password={STORE_PASSWORD}
listener.name.sasl_ssl.ssl.key.password={STORE_PASSWORD}
listener.name.sasl_ssl.sasl.enabled.mechanisms=PLAIN,SCRAM-SHA-512
listener.name.sasl_ssl.plain.sasl.jaas.config={jaas}.plain.PlainLoginModule required user_{USER}=\"{PASSWORD}\";
listener.name.sasl_ssl.scram-sha-512.sasl.jaas.config={jaas}.scram.ScramLoginModule required;
",
        store.display()
    )
}
