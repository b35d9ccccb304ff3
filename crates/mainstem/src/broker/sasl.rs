//! Who a client is: SASL PLAIN and SCRAM (RFC 5802, SHA-256 and SHA-512), the server's side.
//! Invariant: a connection that has to log in gets nothing else done before it has; one failure ends it. Passwords and what is
//! derived from them are compared in constant time and never shown. Which user there is and which not is not told apart.
//! Channel binding is not offered: Kafka has none. After a handshake of version 0 the messages of a mechanism come without
//! Kafka's headers, each behind its length; a refusal has no words then.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::{Arc, OnceLock};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use mainstem_broker::ErrorCode;
use mainstem_broker::wire::{
    SaslAuthenticateRequest, SaslAuthenticateResponse, SaslHandshakeRequest, SaslHandshakeResponse,
    StrBytes, make,
};
use mainstem_connectors::kafka::scram::{Hash, ITERATIONS};

/// A way to log in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Mechanism {
    Plain,
    ScramSha256,
    ScramSha512,
}

const MECHANISMS: [(&str, Mechanism); 3] = [
    ("PLAIN", Mechanism::Plain),
    ("SCRAM-SHA-256", Mechanism::ScramSha256),
    ("SCRAM-SHA-512", Mechanism::ScramSha512),
];

/// A user as the command line names one: `NAME:PASSWORD`.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct User {
    name: String,
    password: String,
}

impl fmt::Debug for User {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("User").field("name", &self.name).finish_non_exhaustive()
    }
}

impl std::str::FromStr for User {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text.split_once(':') {
            Some((name, password)) if !name.is_empty() && !password.is_empty() => {
                Ok(Self { name: name.to_owned(), password: password.to_owned() })
            }
            _ => Err("write it as NAME:PASSWORD".to_owned()),
        }
    }
}

/// Everybody who may come in.
#[derive(Debug)]
pub(crate) struct Users(BTreeMap<String, Credentials>);

struct Credentials {
    password: String,
    salt: [u8; 16],
    sha256: OnceLock<ScramKeys>,
    sha512: OnceLock<ScramKeys>,
}

impl fmt::Debug for Credentials {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Credentials")
    }
}

/// What a server knows of a password.
struct ScramKeys {
    stored: Vec<u8>,
    server: Vec<u8>,
}

impl Users {
    /// `random` gives bytes that nobody can guess.
    pub(crate) fn new(users: &[User], mut random: impl FnMut() -> [u8; 16]) -> Arc<Self> {
        let credentials = users.iter().map(|user| {
            let password = user.password.clone();
            let (sha256, sha512) = (OnceLock::new(), OnceLock::new());
            (user.name.clone(), Credentials { password, salt: random(), sha256, sha512 })
        });
        Arc::new(Self(credentials.collect()))
    }
}

impl Credentials {
    fn keys(&self, hash: Hash) -> &ScramKeys {
        let cell = match hash {
            Hash::Sha256 => &self.sha256,
            Hash::Sha512 => &self.sha512,
        };
        cell.get_or_init(|| {
            let salted = hash.salted(self.password.as_bytes(), &self.salt, ITERATIONS);
            ScramKeys {
                stored: hash.digest(&hash.hmac(&salted, b"Client Key")),
                server: hash.hmac(&salted, b"Server Key"),
            }
        })
    }
}

/// How far a client is with its login.
pub(super) struct Login {
    users: Arc<Users>,
    phase: Phase,
    nonce: [u8; 16],
    /// The handshake was one of version 0.
    bare: bool,
}

enum Phase {
    Begun,
    Chosen(Mechanism),
    /// The server's first message was sent.
    Challenged {
        hash: Hash,
        user: String,
        binding: String,
        nonce: String,
        messages: String,
    },
    Done,
    Failed,
}

impl Login {
    /// `nonce` is a number that nobody can guess.
    pub(super) fn new(users: Arc<Users>, nonce: [u8; 16]) -> Self {
        Self { users, phase: Phase::Begun, nonce, bare: false }
    }

    /// Whether the client is in.
    pub(super) fn is_done(&self) -> bool {
        matches!(self.phase, Phase::Done)
    }

    /// Whether the connection is to be closed.
    pub(super) fn has_failed(&self) -> bool {
        matches!(self.phase, Phase::Failed)
    }

    /// Whether the next frame is a message of the mechanism, and no request.
    pub(super) fn awaits_bare_message(&self) -> bool {
        self.bare && matches!(self.phase, Phase::Chosen(_) | Phase::Challenged { .. })
    }

    pub(super) fn handshake(
        &mut self,
        request: &SaslHandshakeRequest,
        version: i16,
    ) -> SaslHandshakeResponse {
        let found = MECHANISMS.iter().find(|(name, _)| *name == &*request.mechanism);
        let code = match (&self.phase, found) {
            (Phase::Begun, Some((_, mechanism))) => {
                self.phase = Phase::Chosen(*mechanism);
                self.bare = version == 0;
                ErrorCode::None
            }
            (Phase::Begun, None) => ErrorCode::UnsupportedSaslMechanism,
            _ => ErrorCode::IllegalSaslState,
        };
        make(|response: &mut SaslHandshakeResponse| {
            response.error_code = code.code();
            response.mechanisms =
                MECHANISMS.iter().map(|(name, _)| StrBytes::from(*name)).collect();
        })
    }

    pub(super) fn authenticate(
        &mut self,
        request: &SaslAuthenticateRequest,
    ) -> SaslAuthenticateResponse {
        let (bytes, code) = match self.answer(&request.auth_bytes) {
            Ok(bytes) => (bytes, ErrorCode::None),
            Err(code) => (Vec::new(), code),
        };
        make(|response: &mut SaslAuthenticateResponse| {
            response.error_code = code.code();
            response.error_message =
                (code != ErrorCode::None).then(|| StrBytes::from("the login is refused"));
            response.auth_bytes = bytes.into();
        })
    }

    /// The answer to a message of the mechanism. An error ends the login.
    pub(super) fn answer(&mut self, message: &[u8]) -> Result<Vec<u8>, ErrorCode> {
        let phase = std::mem::replace(&mut self.phase, Phase::Failed);
        let (next, bytes) = self.step(phase, message)?;
        self.phase = next;
        Ok(bytes)
    }

    fn step(&self, phase: Phase, message: &[u8]) -> Result<(Phase, Vec<u8>), ErrorCode> {
        let refused = ErrorCode::SaslAuthenticationFailed;
        match phase {
            Phase::Chosen(Mechanism::Plain) => {
                self.plain(message).ok_or(refused)?;
                Ok((Phase::Done, Vec::new()))
            }
            Phase::Chosen(Mechanism::ScramSha256) => {
                self.challenge(Hash::Sha256, message).ok_or(refused)
            }
            Phase::Chosen(Mechanism::ScramSha512) => {
                self.challenge(Hash::Sha512, message).ok_or(refused)
            }
            Phase::Challenged { hash, user, binding, nonce, messages } => {
                // What the client said about channel binding must not have been changed on the way.
                let bound = message.starts_with(format!("c={binding},").as_bytes());
                let message = if bound { message } else { &[] };
                let proof = self.proof(hash, &user, &nonce, &messages, message).ok_or(refused)?;
                Ok((Phase::Done, proof))
            }
            Phase::Begun | Phase::Done | Phase::Failed => Err(ErrorCode::IllegalSaslState),
        }
    }

    /// `authorization NUL name NUL password`
    fn plain(&self, message: &[u8]) -> Option<()> {
        let mut parts = std::str::from_utf8(message).ok()?.split('\0');
        let (authorization, name, password) = (parts.next()?, parts.next()?, parts.next()?);
        let credentials = self.users.0.get(name)?;
        let own = authorization.is_empty() || authorization == name;
        (own && parts.next().is_none()
            && same(password.as_bytes(), credentials.password.as_bytes()))
        .then_some(())
    }

    /// `n,,n=name,r=nonce` is answered with `r=nonce,s=salt,i=iterations`.
    fn challenge(&self, hash: Hash, message: &[u8]) -> Option<(Phase, Vec<u8>)> {
        let text = std::str::from_utf8(message).ok()?;
        let mut header = text.splitn(3, ',');
        // No channel binding, and no acting for others.
        if !matches!(header.next()?, "n" | "y") {
            return None;
        }
        let authorization = header.next()?;
        let bare = header.next()?;
        let mut fields = bare.split(',');
        let user = unescape(fields.next()?.strip_prefix("n=")?)?;
        let client_nonce = fields.next()?.strip_prefix("r=")?;
        let acts_for = authorization.strip_prefix("a=").map(unescape);
        if client_nonce.is_empty() || !matches!(acts_for, None | Some(Some(_))) {
            return None;
        }
        if acts_for.flatten().is_some_and(|name| name != user) {
            return None;
        }
        let salt = BASE64.encode(self.users.0.get(&user)?.salt);
        let nonce = format!("{client_nonce}{}", BASE64.encode(self.nonce));
        let first = format!("r={nonce},s={salt},i={ITERATIONS}");
        let messages = format!("{bare},{first}");
        let binding = BASE64.encode(&text[..text.len() - bare.len()]);
        Some((Phase::Challenged { hash, user, binding, nonce, messages }, first.into_bytes()))
    }

    /// `c=header,r=nonce,p=proof` is answered with `v=signature`.
    fn proof(
        &self,
        hash: Hash,
        user: &str,
        nonce: &str,
        messages: &str,
        message: &[u8],
    ) -> Option<Vec<u8>> {
        let text = std::str::from_utf8(message).ok()?;
        let (without_proof, proof) = text.rsplit_once(",p=")?;
        let mut fields = without_proof.split(',');
        fields.next()?.strip_prefix("c=")?;
        if fields.next()?.strip_prefix("r=")? != nonce {
            return None;
        }
        let keys = self.users.0.get(user)?.keys(hash);
        let signed = format!("{messages},{without_proof}");
        let signature = hash.hmac(&keys.stored, signed.as_bytes());
        let proof = BASE64.decode(proof).ok()?;
        if proof.len() != signature.len() {
            return None;
        }
        let client_key: Vec<u8> = proof.iter().zip(&signature).map(|(a, b)| a ^ b).collect();
        if !same(&hash.digest(&client_key), &keys.stored) {
            return None;
        }
        let answer = BASE64.encode(hash.hmac(&keys.server, signed.as_bytes()));
        Some(format!("v={answer}").into_bytes())
    }
}

/// `=2C` is a comma in a name, `=3D` an equals sign.
fn unescape(name: &str) -> Option<String> {
    let plain = name.replace("=2C", ",").replace("=3D", "\u{0}");
    (!plain.contains('=')).then(|| plain.replace('\u{0}', "="))
}

/// Whether two secrets are the same; takes as long whatever the answer is.
fn same(left: &[u8], right: &[u8]) -> bool {
    let different = left.iter().zip(right).fold(0, |all, (left, right)| all | (left ^ right));
    left.len() == right.len() && std::hint::black_box(different) == 0
}

#[cfg(test)]
mod tests {
    use super::*;

    fn login() -> Login {
        let user = "user:pencil".parse().unwrap();
        let salt = BASE64.decode("W22ZaJ0SNY7soEsUEjb6gQ==").unwrap();
        let users = Users::new(&[user], || salt.clone().try_into().unwrap());
        Login::new(users, *b"0123456789abcdef")
    }

    fn chosen(mechanism: &str) -> Login {
        let mut login = login();
        let request = make(|r: &mut SaslHandshakeRequest| r.mechanism = StrBytes::from(mechanism));
        assert_eq!(login.handshake(&request, 1).error_code, 0);
        login
    }

    fn say(login: &mut Login, bytes: &[u8]) -> (i16, String) {
        let bytes = bytes.to_vec();
        let request = make(|r: &mut SaslAuthenticateRequest| r.auth_bytes = bytes.into());
        let response = login.authenticate(&request);
        (response.error_code, String::from_utf8(response.auth_bytes.to_vec()).unwrap())
    }

    #[test]
    fn plain() {
        for (message, welcome) in [
            ("\0user\0pencil", true),
            ("user\0user\0pencil", true),
            ("root\0user\0pencil", false),
            ("\0user\0pencil\0", false),
            ("\0user\0pen", false),
            ("\0nobody\0pencil", false),
            ("", false),
        ] {
            let mut login = chosen("PLAIN");
            let (code, _) = say(&mut login, message.as_bytes());
            assert_eq!((code == 0, login.is_done()), (welcome, welcome), "{message:?}");
        }
    }

    /// The salted password of the example in RFC 7677.
    #[test]
    fn scram_with_the_example_of_the_rfc() {
        let login = login();
        let keys = login.users.0["user"].keys(Hash::Sha256);
        let messages = "n=user,r=rOprNGfwEbeRWgbNEkqO,\
            r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096";
        let last = "c=biws,r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,\
            p=dHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ=";
        let nonce = "rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0";
        let answer = login.proof(Hash::Sha256, "user", nonce, messages, last.as_bytes());
        assert_eq!(answer.unwrap(), b"v=6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4=");
        assert_eq!(keys.stored.len(), 32);
    }

    #[test]
    fn scram_begins_with_a_challenge_and_ends_with_a_failure() {
        let mut login = chosen("SCRAM-SHA-512");
        let (code, first) = say(&mut login, b"n,,n=user,r=abc");
        assert_eq!(code, 0);
        assert!(first.starts_with("r=abcMDEyMzQ1"), "{first}");
        assert!(!login.is_done());
        let (code, _) = say(&mut login, b"c=biws,r=other,p=AAAA");
        assert_eq!(code, ErrorCode::SaslAuthenticationFailed.code());
        assert!(login.has_failed());
        assert_eq!(say(&mut login, b"x").0, ErrorCode::IllegalSaslState.code());
        for wrong in [
            "p=tls-unique,,n=user,r=abc",
            "n,,n=nobody,r=abc",
            "n,a=root,n=user,r=abc",
            "n,,r=abc",
            "n,,n=user,r=",
        ] {
            assert_ne!(say(&mut chosen("SCRAM-SHA-256"), wrong.as_bytes()).0, 0, "{wrong}");
        }
    }

    #[test]
    fn after_the_oldest_handshake_messages_are_bare() {
        let request = make(|r: &mut SaslHandshakeRequest| r.mechanism = StrBytes::from("PLAIN"));
        let mut newer = login();
        newer.handshake(&request, 1);
        assert!(!newer.awaits_bare_message());
        for (message, welcome) in [("\0user\0pencil", true), ("\0user\0eraser", false)] {
            let mut login = login();
            assert!(!login.awaits_bare_message());
            assert_eq!(login.handshake(&request, 0).error_code, 0);
            assert!(login.awaits_bare_message());
            assert_eq!(login.answer(message.as_bytes()).is_ok(), welcome);
            assert_eq!((login.is_done(), login.has_failed()), (welcome, !welcome));
            assert!(!login.awaits_bare_message());
        }
    }

    #[test]
    fn order_is_kept() {
        let mut begun = login();
        assert_eq!(say(&mut begun, b"\0user\0pencil").0, ErrorCode::IllegalSaslState.code());
        let request = make(|r: &mut SaslHandshakeRequest| r.mechanism = StrBytes::from("GSSAPI"));
        let response = login().handshake(&request, 1);
        assert_eq!(response.error_code, ErrorCode::UnsupportedSaslMechanism.code());
        assert_eq!(response.mechanisms.len(), 3);
    }
}
