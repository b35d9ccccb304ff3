//! Flink's `properties.*` (names of the Java client) as librdkafka's configuration.
//! Invariant: a property is passed on under librdkafka's name, known to mean nothing here, or refused; none is lost
//! in silence. Values are never put into errors: they may be secrets.

use mainstem_core::{Error, Result};
use rdkafka::ClientConfig;
use rdkafka::error::KafkaError;

/// The prefix in the WITH clause.
pub(crate) const PREFIX: &str = "properties.";

/// Settings of Java clients that steer Java code only.
const IGNORED: &[&str] = &[
    "key.deserializer",
    "value.deserializer",
    "key.serializer",
    "value.serializer",
    "partition.assignment.strategy",
    "max.poll.records",
    "max.block.ms",
    "default.api.timeout.ms",
    "interceptor.classes",
    "metric.reporters",
    "metrics.num.samples",
    "metrics.recording.level",
    "metrics.sample.window.ms",
    "exclude.internal.topics",
    "auto.include.jmx.reporter",
    "enable.metrics.push",
    "security.providers",
    "ssl.protocol",
    "ssl.provider",
    "ssl.enabled.protocols",
    "ssl.trustmanager.algorithm",
    "ssl.keymanager.algorithm",
    "ssl.secure.random.implementation",
    "partition.discovery.interval.ms",
    "commit.offsets.on.checkpoint",
    "register.consumer.metrics",
    "enable.auto.commit",
    "auto.commit.interval.ms",
];

/// Settings that name Java classes which do something that is not done here.
const REFUSED: &[(&str, &str)] = &[
    ("partitioner.class", "use 'sink.partitioner'"),
    ("transactional.id", "use 'sink.transactional-id-prefix'"),
    ("sasl.login.callback.handler.class", "use SASL PLAIN, SCRAM or OAUTHBEARER"),
    ("sasl.client.callback.handler.class", "use SASL PLAIN, SCRAM or OAUTHBEARER"),
    ("sasl.login.class", "use SASL PLAIN, SCRAM or OAUTHBEARER"),
    ("ssl.engine.factory.class", "give PEM files in 'properties.ssl.*'"),
];

/// Java's name, librdkafka's name; values are the same. Of names that librdkafka takes for the same setting one is
/// left here too: given by two names, the order in which they are applied would decide.
const RENAMED: &[(&str, &str)] = &[
    ("delivery.timeout.ms", "message.timeout.ms"),
    ("queue.buffering.max.ms", "linger.ms"),
    ("request.required.acks", "acks"),
    ("message.send.max.retries", "retries"),
    ("compression.codec", "compression.type"),
    ("metadata.broker.list", "bootstrap.servers"),
    ("max.in.flight", "max.in.flight.requests.per.connection"),
    ("max.partition.fetch.bytes", "fetch.message.max.bytes"),
    ("receive.buffer.bytes", "socket.receive.buffer.bytes"),
    ("send.buffer.bytes", "socket.send.buffer.bytes"),
    ("max.request.size", "message.max.bytes"),
    ("fetch.max.wait.ms", "fetch.wait.max.ms"),
    ("ssl.truststore.certificates", "ssl.ca.pem"),
    ("ssl.keystore.certificate.chain", "ssl.certificate.pem"),
    ("ssl.keystore.key", "ssl.key.pem"),
    ("client.id.prefix", "client.id"),
];

/// Builds the configuration: `defaults` first, then the table's properties (without their prefix).
pub(crate) fn client_config<'a>(
    defaults: &[(&str, &str)],
    properties: impl IntoIterator<Item = (&'a str, &'a str)>,
) -> Result<ClientConfig> {
    let properties: Vec<(&str, &str)> = properties.into_iter().collect();
    let mut config = ClientConfig::new();
    for (name, value) in defaults {
        config.set(*name, *value);
    }
    for &(name, value) in &properties {
        if let Some((_, instead)) = REFUSED.iter().find(|(refused, _)| *refused == name) {
            return Err(Error::user(format!("'{PREFIX}{name}' is not supported"))
                .with_hint((*instead).to_owned()));
        }
        if IGNORED.contains(&name) {
            continue;
        }
        if let Some((_, native)) = RENAMED.iter().find(|(java, _)| *java == name) {
            config.set(*native, value);
            continue;
        }
        translate(&mut config, &properties, name, value)?;
    }
    Ok(config)
}

fn translate(
    config: &mut ClientConfig,
    all: &[(&str, &str)],
    name: &str,
    value: &str,
) -> Result<()> {
    let store_type = |key: &str| {
        all.iter().find(|(name, _)| *name == key).map_or("", |(_, v)| *v).to_ascii_uppercase()
    };
    match name {
        "auto.offset.reset" => {
            let native = match value {
                "none" => "error",
                other => other,
            };
            config.set(name, native);
        }
        "buffer.memory" => {
            let bytes: u64 = value.trim().parse().map_err(|_| {
                Error::user(format!("option '{PREFIX}{name}' is not a number of bytes"))
            })?;
            config.set("queue.buffering.max.kbytes", (bytes / 1024).max(1).to_string());
        }
        "sasl.jaas.config" => set_jaas(config, value)?,
        "sasl.mechanism" | "sasl.mechanisms" => {
            if value.eq_ignore_ascii_case("GSSAPI") {
                return Err(Error::user("Kerberos (SASL GSSAPI) is not supported")
                    .with_hint("use PLAIN, SCRAM-SHA-256, SCRAM-SHA-512 or OAUTHBEARER"));
            }
            config.set("sasl.mechanism", value);
        }
        "ssl.truststore.type" | "ssl.keystore.type" | "ssl.truststore.password" => {}
        "ssl.truststore.location" => {
            refuse_java_store(name, value, &store_type("ssl.truststore.type"), &["PEM"])?;
            config.set("ssl.ca.location", value);
        }
        "ssl.keystore.location" => {
            let kind = store_type("ssl.keystore.type");
            refuse_java_store(name, value, &kind, &["PEM", "PKCS12"])?;
            if kind == "PKCS12" || value.ends_with(".p12") || value.ends_with(".pfx") {
                config.set("ssl.keystore.location", value);
            } else {
                config.set("ssl.certificate.location", value).set("ssl.key.location", value);
            }
        }
        "ssl.endpoint.identification.algorithm" if value.trim().is_empty() => {
            config.set(name, "none");
        }
        _ => {
            config.set(name, value);
        }
    }
    Ok(())
}

fn refuse_java_store(name: &str, path: &str, kind: &str, readable: &[&str]) -> Result<()> {
    let pkcs12 = path.ends_with(".p12") || path.ends_with(".pfx");
    let java = path.ends_with(".jks")
        || kind == "JKS"
        || kind == "BCFKS"
        || (pkcs12 && !readable.contains(&"PKCS12"));
    if !java && (kind.is_empty() || readable.contains(&kind)) {
        return Ok(());
    }
    Err(Error::user(format!("'{PREFIX}{name}' names a store that only Java can read")).with_hint(format!(
        "export what it holds to PEM (keytool -exportcert -rfc -alias ALIAS -keystore {path} -file ca.pem), give that file, \
         and set the store's type to PEM"
    )))
}

/// Takes `username` and `password` out of a JAAS line of PlainLoginModule or ScramLoginModule.
fn set_jaas(config: &mut ClientConfig, line: &str) -> Result<()> {
    let field = |key: &str| {
        let start = line.find(&format!("{key}="))? + key.len() + 1;
        let rest = &line[start..];
        match rest.chars().next()? {
            quote @ ('"' | '\'') => unquote(&rest[1..], quote),
            _ => Some(rest.split([' ', ';', '\t', '\n']).next().unwrap_or(rest).to_owned()),
        }
    };
    if line.contains("OAuthBearerLoginModule") {
        return Ok(());
    }
    match (field("username"), field("password")) {
        (Some(user), Some(password)) => {
            config.set("sasl.username", user).set("sasl.password", password);
            Ok(())
        }
        _ => Err(Error::user("'properties.sasl.jaas.config' has no username and password")
            .with_hint(
                "write: org.apache.kafka.common.security.plain.PlainLoginModule required \
                 username=\"...\" password=\"...\";",
            )),
    }
}

/// The text up to an unescaped `quote`, without backslashes.
fn unquote(text: &str, quote: char) -> Option<String> {
    let mut plain = String::new();
    let mut chars = text.chars();
    while let Some(c) = chars.next() {
        match c {
            '\\' => plain.push(chars.next()?),
            c if c == quote => return Some(plain),
            c => plain.push(c),
        }
    }
    None
}

/// librdkafka's refusal of a configuration, as an error about the option.
pub(crate) fn config_error(error: KafkaError) -> Error {
    match error {
        KafkaError::ClientConfig(_, description, key, _) => {
            Error::user(format!("option '{PREFIX}{key}' is not accepted: {description}"))
                .with_hint("names and values are those of the Kafka client or of librdkafka")
        }
        KafkaError::ClientCreation(reason) => {
            Error::user(format!("the Kafka client cannot be configured: {reason}"))
        }
        other => Error::internal(format!("the Kafka client cannot be created: {other}")),
    }
}
