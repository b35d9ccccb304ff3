//! SCRAM (RFC 5802; SHA-256 and SHA-512): what both sides compute, and the side of the client.
//! Invariant: the client believes a server that knows what is derived from the password, and no other. Channel binding is not
//! offered: Kafka has none.

use std::io;
use std::sync::Mutex;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use hmac::{Hmac, Mac as _};
use sha2::{Digest as _, Sha256, Sha512};

use super::link::lock;

/// RFC 7677 asks for at least as many.
pub const ITERATIONS: u32 = 4096;
/// No server asks for more that means well.
const ITERATIONS_MAX: u32 = 1_000_000;
/// The base64 of `n,,`: no channel binding, nobody else to act for.
const NO_BINDING: &str = "biws";

/// The hash of a mechanism.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[allow(missing_docs, reason = "the hashes of these names")]
pub enum Hash {
    Sha256,
    Sha512,
}

impl Hash {
    /// HMAC of `data`.
    pub fn hmac(self, key: &[u8], data: &[u8]) -> Vec<u8> {
        const ANY: &str = "an HMAC takes a key of any length";
        match self {
            Self::Sha256 => {
                let mac = Hmac::<Sha256>::new_from_slice(key).expect(ANY);
                mac.chain_update(data).finalize().into_bytes().to_vec()
            }
            Self::Sha512 => {
                let mac = Hmac::<Sha512>::new_from_slice(key).expect(ANY);
                mac.chain_update(data).finalize().into_bytes().to_vec()
            }
        }
    }

    /// The plain hash.
    pub fn digest(self, data: &[u8]) -> Vec<u8> {
        match self {
            Self::Sha256 => Sha256::digest(data).to_vec(),
            Self::Sha512 => Sha512::digest(data).to_vec(),
        }
    }

    /// RFC 5802's `Hi`, which is PBKDF2 with one block.
    pub fn salted(self, password: &[u8], salt: &[u8], iterations: u32) -> Vec<u8> {
        let mut last = self.hmac(password, &[salt, &1_u32.to_be_bytes()].concat());
        let mut all = last.clone();
        for _ in 1..iterations {
            last = self.hmac(password, &last);
            all.iter_mut().zip(&last).for_each(|(all, last)| *all ^= last);
        }
        all
    }
}

/// A password, and what it came to with the salt that was asked for last: a server asks for the same one each time.
#[derive(Default)]
pub(super) struct Password {
    text: String,
    salted: Mutex<Option<Salted>>,
}

struct Salted {
    salt: Vec<u8>,
    iterations: u32,
    bytes: Vec<u8>,
}

impl Password {
    pub(super) fn new(text: String) -> Self {
        Self { text, salted: Mutex::default() }
    }

    pub(super) fn text(&self) -> &str {
        &self.text
    }

    fn salted(&self, hash: Hash, salt: &[u8], iterations: u32) -> Vec<u8> {
        let mut known = lock(&self.salted);
        if let Some(known) = &*known
            && known.salt == salt
            && known.iterations == iterations
        {
            return known.bytes.clone();
        }
        let bytes = hash.salted(self.text.as_bytes(), salt, iterations);
        *known = Some(Salted { salt: salt.to_vec(), iterations, bytes: bytes.clone() });
        bytes
    }
}

/// A client that logs in.
#[derive(Debug)]
pub(super) struct Client {
    hash: Hash,
    first_bare: String,
    nonce: String,
}

/// What the client said last, and how the server has to answer.
pub(super) struct Proof {
    pub(super) message: String,
    signature: Vec<u8>,
}

fn refused(why: &str) -> io::Error {
    io::Error::other(format!("the login cannot go on: {why}"))
}

impl Client {
    /// `nonce` is a text without commas that nobody can guess.
    pub(super) fn new(hash: Hash, user: &str, nonce: String) -> Self {
        let user = user.replace('=', "=3D").replace(',', "=2C");
        Self { hash, first_bare: format!("n={user},r={nonce}"), nonce }
    }

    /// The first message.
    pub(super) fn first(&self) -> String {
        format!("n,,{}", self.first_bare)
    }

    /// Answers the server's first message, `r=nonce,s=salt,i=iterations`.
    pub(super) fn prove(&self, password: &Password, server_first: &[u8]) -> io::Result<Proof> {
        let text = std::str::from_utf8(server_first).map_err(io::Error::other)?;
        let field = |name: &str| {
            let found = text.split(',').find_map(|field| field.strip_prefix(name));
            found.ok_or_else(|| refused("the server's first message lacks a field"))
        };
        let (nonce, salt, iterations) = (field("r=")?, field("s=")?, field("i=")?);
        if !nonce.starts_with(&self.nonce) {
            return Err(refused("the server answers somebody else"));
        }
        let salt = BASE64.decode(salt).map_err(io::Error::other)?;
        let iterations: u32 = iterations.parse().map_err(io::Error::other)?;
        if !(ITERATIONS..=ITERATIONS_MAX).contains(&iterations) {
            return Err(refused("the server asks for too few iterations, or too many"));
        }
        let hash = self.hash;
        let salted = password.salted(hash, &salt, iterations);
        let without_proof = format!("c={NO_BINDING},r={nonce}");
        let signed = format!("{},{text},{without_proof}", self.first_bare);
        let client_key = hash.hmac(&salted, b"Client Key");
        let signature = hash.hmac(&hash.digest(&client_key), signed.as_bytes());
        let proof: Vec<u8> = client_key.iter().zip(&signature).map(|(a, b)| a ^ b).collect();
        let server_key = hash.hmac(&salted, b"Server Key");
        Ok(Proof {
            message: format!("{without_proof},p={}", BASE64.encode(proof)),
            signature: hash.hmac(&server_key, signed.as_bytes()),
        })
    }
}

impl Proof {
    /// Checks the server's last message, `v=signature`.
    pub(super) fn check(&self, server_last: &[u8]) -> io::Result<()> {
        let signature = server_last.strip_prefix(b"v=").and_then(|text| BASE64.decode(text).ok());
        match signature {
            Some(signature) if signature == self.signature => Ok(()),
            _ => Err(refused("the server does not know the password")),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The exchange in section 3 of RFC 7677.
    #[test]
    fn the_example_of_the_rfc() {
        let client = Client::new(Hash::Sha256, "user", "rOprNGfwEbeRWgbNEkqO".to_owned());
        assert_eq!(client.first(), "n,,n=user,r=rOprNGfwEbeRWgbNEkqO");
        let first = "r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096";
        let proof = client.prove(&Password::new("pencil".to_owned()), first.as_bytes()).unwrap();
        assert_eq!(
            proof.message,
            "c=biws,r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,\
             p=dHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ="
        );
        assert!(proof.check(b"v=6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4=").is_ok());
        assert!(proof.check(b"v=6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G5=").is_err());
        assert!(proof.check(b"e=invalid-proof").is_err());
    }

    #[test]
    fn servers_that_mean_no_good_are_left() {
        let client = Client::new(Hash::Sha512, "a=b,c", "abc".to_owned());
        assert_eq!(client.first(), "n,,n=a=3Db=2Cc,r=abc");
        for first in [
            "r=xyz,s=AAAA,i=4096",
            "r=abcd,s=AAAA,i=1",
            "r=abcd,s=AAAA,i=4000000000",
            "r=abcd,s=?,i=4096",
            "r=abcd,s=AAAA",
            "e=other-error",
        ] {
            assert!(client.prove(&Password::default(), first.as_bytes()).is_err(), "{first}");
        }
    }
}
