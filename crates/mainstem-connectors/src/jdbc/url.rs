//! `jdbc:postgresql://host:port/database?parameters`, as pgjdbc reads it, into the client's configuration.
//! Invariant: a parameter is applied, known to steer Java code only, or refused. No password gets into an error.

use std::time::Duration;

use mainstem_core::{Error, Result};
use tokio_postgres::Config;

use super::tls::{Parameters, Tls};

const DEFAULT_PORT: u16 = 5432;
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);

/// Parameters of the Java driver that change nothing here.
const IGNORED: &[&str] = &[
    "rewritebatchedinserts",
    "preparethreshold",
    "preparedstatementcachequeries",
    "preparedstatementcachesizemib",
    "binarytransfer",
    "defaultrowfetchsize",
    "loglevel",
    "loggerlevel",
    "loginTimeout",
    "logintimeout",
    "sockettimeout",
    "canceltimeout",
    "autosave",
    "stringtype",
    "unknownlength",
    "disablecolumnsanitiser",
    "assumeminserverversion",
    "gssencmode",
    "escapesyntaxcallmode",
    "readonly",
    "charset",
    "characterencoding",
    "useunicode",
    "tcpnodelay",
];

/// Where the database is, without secrets, for messages.
#[derive(Debug, Clone)]
pub(crate) struct Address {
    pub(crate) config: Config,
    /// `None`: TLS is not spoken.
    pub(super) tls: Option<Tls>,
    /// `host:port/database`.
    pub(crate) text: String,
}

/// Reads the URL; `username` and `password` are the table's options and win over the URL's.
pub(crate) fn parse(url: &str, username: Option<&str>, password: Option<&str>) -> Result<Address> {
    let rest = url.trim().strip_prefix("jdbc:postgresql:").ok_or_else(|| not_postgres(url))?;
    let (rest, query) = rest.split_once('?').unwrap_or((rest, ""));
    let (hosts, database) = match rest.strip_prefix("//") {
        Some(rest) => rest.split_once('/').unwrap_or((rest, "")),
        None => ("", rest.trim_start_matches('/')),
    };
    let mut config = Config::new();
    config.connect_timeout(CONNECT_TIMEOUT).application_name("mainstem");
    let hosts = if hosts.is_empty() { "localhost" } else { hosts };
    for host in hosts.split(',') {
        let (name, port) = host_and_port(host)?;
        config.host(name).port(port);
    }
    let (mut user, mut tls) = (None, Parameters::default());
    for pair in query.split('&').filter(|p| !p.is_empty()) {
        let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
        let value = percent_decoded(value)?;
        match name {
            "user" => user = Some(value),
            "password" => {
                config.password(value);
            }
            _ if tls.take(name, &value)? => {}
            _ => parameter(&mut config, name, &value)?,
        }
    }
    let user = username.map(str::to_owned).or(user).ok_or_else(|| {
        Error::user("option 'username' is missing").with_hint("name the user to connect as")
    })?;
    if let Some(password) = password {
        config.password(password);
    }
    let database = percent_decoded(database)?;
    let database = if database.is_empty() { user.clone() } else { database };
    config.user(&user).dbname(&database);
    let (mode, tls) = tls.settle()?;
    config.ssl_mode(mode);
    Ok(Address { config, tls, text: format!("{hosts}/{database}") })
}

fn not_postgres(url: &str) -> Error {
    let kind = url.trim().strip_prefix("jdbc:").and_then(|r| r.split(':').next()).unwrap_or("");
    match kind {
        "" | "postgresql" => Error::user("option 'url' is no JDBC URL")
            .with_hint("write 'jdbc:postgresql://host:5432/database'"),
        other => Error::user(format!("connector 'jdbc' does not know '{other}' databases"))
            .with_hint("PostgreSQL is supported; `mainstem deploy` runs others on Flink"),
    }
}

fn host_and_port(text: &str) -> Result<(&str, u16)> {
    let wrong = || Error::user(format!("'{text}' in option 'url' is no host and port"));
    if let Some(rest) = text.strip_prefix('[') {
        let (host, rest) = rest.split_once(']').ok_or_else(wrong)?;
        return match rest.strip_prefix(':') {
            Some(port) => Ok((host, port.parse().map_err(|_| wrong())?)),
            None => Ok((host, DEFAULT_PORT)),
        };
    }
    match text.split_once(':') {
        Some((host, port)) => Ok((host, port.parse().map_err(|_| wrong())?)),
        None => Ok((text, DEFAULT_PORT)),
    }
}

fn parameter(config: &mut Config, name: &str, value: &str) -> Result<()> {
    let seconds = || {
        let number: u64 = value.trim().parse().map_err(|_| {
            Error::user(format!("parameter '{name}' in option 'url' is no number of seconds"))
        })?;
        Ok::<_, Error>(Duration::from_secs(number))
    };
    match name {
        "ApplicationName" => {
            config.application_name(value);
        }
        "currentSchema" => {
            let path = value.replace('\\', "\\\\").replace(' ', "\\ ");
            config.options(format!("-c search_path={path}"));
        }
        "options" => {
            config.options(value);
        }
        "connectTimeout" => {
            let timeout = seconds()?;
            if !timeout.is_zero() {
                config.connect_timeout(timeout);
            }
        }
        "tcpKeepAlive" => {
            config.keepalives(value.eq_ignore_ascii_case("true"));
        }
        "targetServerType" => {
            if matches!(value, "primary" | "master" | "preferPrimary") {
                config.target_session_attrs(tokio_postgres::config::TargetSessionAttrs::ReadWrite);
            }
        }
        _ if IGNORED.contains(&name.to_ascii_lowercase().as_str()) => {}
        _ => {
            return Err(Error::user(format!("unknown parameter '{name}' in option 'url'"))
                .with_hint(
                    "known are user, password, ssl, sslmode, sslrootcert, sslcert, sslkey, currentSchema, ApplicationName, options, \
                 connectTimeout, tcpKeepAlive and targetServerType",
                ));
        }
    }
    Ok(())
}

fn percent_decoded(text: &str) -> Result<String> {
    let wrong = || Error::user("option 'url' has a percent sign without two hexadecimal digits");
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((&first, tail)) = rest.split_first() {
        if first != b'%' {
            bytes.push(first);
            rest = tail;
            continue;
        }
        let digits = tail.get(..2).and_then(|d| std::str::from_utf8(d).ok()).ok_or_else(wrong)?;
        bytes.push(u8::from_str_radix(digits, 16).map_err(|_| wrong())?);
        rest = &tail[2..];
    }
    String::from_utf8(bytes).map_err(|_| Error::user("option 'url' is not UTF-8"))
}
