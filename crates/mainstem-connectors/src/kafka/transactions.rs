//! Transactions of a sink that takes part in checkpoints: one a checkpoint, prepared with it and committed after it.
//!
//! Transactional ids are `PREFIX-0`, `PREFIX-1`, ...: rows behind a cut go into the transaction of one id while that of another
//! waits for its checkpoint. Token: who the producer of the transaction is; committing by it is the same whoever does it, and how
//! often. Invariant: as long as a checkpoint may be gone on from, the ids of its tokens are not used again, so a token never
//! commits what was written later: an id rests until a token of a later checkpoint was committed. Two or three ids are in use;
//! each checkpoint in a row that could not be completed takes one more. A free id with the lowest number is always taken first, so
//! there is no gap in those that a broker knows.
//! What it does not do: keep a transaction open for longer than `transaction.timeout.ms`, after which the broker aborts it.

use std::collections::BTreeSet;
use std::sync::{Mutex, PoisonError};

use async_trait::async_trait;
use futures::future::try_join_all;
use mainstem_core::options::OptionReader;
use mainstem_core::{Error, ErrorKind, Result};
use serde::{Deserialize, Serialize};

use super::sink::Acks;
use crate::api::Environment;

pub(super) const GUARANTEE: &str = "sink.delivery-guarantee";
pub(super) const PREFIX: &str = "sink.transactional-id-prefix";
pub(super) const TIMEOUT: &str = "properties.transaction.timeout.ms";

/// Brokers forget a transactional id that nobody used for so long (`transactional.id.expiration.ms`).
const FORGOTTEN_AFTER_MS: i64 = 7 * 24 * 3_600_000;

/// What a table says of its delivery.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Guarantee {
    pub(super) acks: Acks,
    /// How transactional ids begin; `None` if the table does not want transactions.
    prefix: Option<String>,
    /// It is not content with less.
    demanded: bool,
}

impl Guarantee {
    /// Reads the options. Without any a sink is as good as it can be: exactly once with checkpoints.
    pub(super) fn parse(options: OptionReader<'_>, table: &str, topic: &str) -> Result<Self> {
        let prefix = options.text(PREFIX).map(str::to_owned);
        let word = options.text(GUARANTEE).map(|word| word.trim().to_ascii_lowercase());
        let (acks, demanded) = match word.as_deref() {
            None => {
                let prefix = prefix.unwrap_or_else(|| format!("mainstem-{table}-{topic}"));
                return Ok(Self { acks: Acks::All, prefix: Some(prefix), demanded: false });
            }
            Some("exactly-once") => (Acks::All, true),
            Some("at-least-once") => (Acks::All, false),
            Some("none") => (Acks::Leader, false),
            Some(other) => {
                return Err(Error::user(format!(
                    "option '{GUARANTEE}' has the value '{other}', which is not one of \
                     at-least-once, none, exactly-once"
                )));
            }
        };
        if demanded && prefix.is_none() {
            let text = format!("'{GUARANTEE}' = 'exactly-once' needs '{PREFIX}'");
            return Err(Error::user(text).with_hint(format!(
                "add a name that no other pipeline on this Kafka has, as in '{PREFIX}' = '{table}'"
            )));
        }
        if !demanded && prefix.is_some() {
            let text = format!("'{PREFIX}' has no effect without '{GUARANTEE}' = 'exactly-once'");
            return Err(Error::user(text).with_hint("leave it out"));
        }
        Ok(Self { acks, prefix, demanded })
    }

    /// How transactional ids begin; `None` if the table does not want transactions.
    pub(super) fn prefix(&self) -> Option<&str> {
        self.prefix.as_deref()
    }

    /// Whether the table is content with nothing less than transactions.
    pub(super) fn is_demanded(&self) -> bool {
        self.demanded
    }

    /// Fails if transactions are demanded and there are none, because nobody takes checkpoints.
    pub(super) fn check(&self, staged: bool) -> Result<()> {
        if staged || !self.demanded {
            return Ok(());
        }
        let text = format!("'{GUARANTEE}' = 'exactly-once' needs checkpoints");
        Err(Error::user(text)
            .with_hint("give a folder for them (--state DIR), or use 'at-least-once'"))
    }
}

/// Who writes: what a transactional id was given by its broker.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Producer {
    /// Its id.
    #[serde(rename = "producer_id")]
    pub id: i64,
    /// Its epoch: one with an older epoch changes nothing any more.
    pub epoch: i16,
}

/// What came of the wish to end a transaction.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ended {
    /// It has ended this way, now or before.
    Done,
    /// It was aborted: the id has a newer producer, or it took too long.
    Aborted,
    /// The broker knows nothing of the transactional id.
    Unknown,
}

/// Where transactional ids are looked after.
#[async_trait]
pub(super) trait Coordinator: Send + Sync {
    /// The producer of a transactional id; `None` if the id was never used.
    async fn producer(&self, id: &str) -> Result<Option<Producer>>;

    /// A new producer for an id; what an older one left open is aborted.
    async fn init(&self, id: &str, timeout_ms: i32) -> Result<Producer>;

    /// Commits.
    async fn commit(&self, id: &str, producer: Producer) -> Result<Ended>;
}

/// What a checkpoint keeps of a sink.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Token {
    pub(super) transactional_id: String,
    #[serde(flatten)]
    pub(super) producer: Producer,
    /// When it was prepared.
    pub(super) at_ms: i64,
}

impl Token {
    pub(super) fn read(token: &[u8]) -> Result<Self> {
        serde_json::from_slice(token).map_err(|e| {
            let text = "a checkpoint says of a transaction what this version does not understand";
            Error::new(ErrorKind::Corrupt, text).with_source(e)
        })
    }

    pub(super) fn read_all(tokens: &[Vec<u8>]) -> Result<Vec<Self>> {
        tokens.iter().map(|token| Self::read(token)).collect()
    }

    fn write(&self) -> Result<Vec<u8>> {
        let written = serde_json::to_vec(self);
        written.map_err(|e| Error::internal("a token cannot be written").with_source(e))
    }

    /// What it means for the pipeline how its transaction has ended; a line for the user, if there is something to say.
    fn outcome(&self, ended: Ended, now_ms: i64) -> Result<Option<String>> {
        let id = &self.transactional_id;
        let forgotten = now_ms.saturating_sub(self.at_ms) >= FORGOTTEN_AFTER_MS;
        match ended {
            Ended::Done => Ok(None),
            Ended::Unknown if forgotten => Ok(Some(format!(
                "transaction '{id}' is too old for the broker to know how it ended; it should have been committed"
            ))),
            Ended::Unknown => Err(lost(id, "the broker knows nothing of it").with_hint(
                "was the broker's data deleted? topics of this process stay with --data DIR; a new --state directory starts anew",
            )),
            Ended::Aborted => Err(lost(id, "the broker has aborted it").with_hint(format!(
                "it waited for longer than transaction.timeout.ms: raise '{TIMEOUT}' (and transaction.max.timeout.ms of the \
                 broker) above the longest outage; or another pipeline has the same '{PREFIX}'; a new --state directory starts \
                 anew"
            ))),
        }
    }
}

fn lost(id: &str, why: &str) -> Error {
    let text = format!("rows of a checkpoint are lost: transaction '{id}' was prepared, and {why}");
    Error::new(ErrorKind::Conflict, text)
}

/// Where the use of a transactional id stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Use {
    Free,
    /// Rows are written.
    Open,
    /// Waits for its checkpoint.
    Prepared,
    /// Committed, but that checkpoint may still be gone on from.
    Resting,
}

/// The transactional ids of one sink.
#[derive(Debug)]
pub(super) struct Ids {
    prefix: Claimed,
    uses: Vec<Use>,
    open: Option<usize>,
    /// Tokens of this run that were not committed yet.
    prepared: Vec<Token>,
}

impl Ids {
    /// Commits what belongs to `tokens`, and aborts what else was left open under this prefix. Also the new producers of ids that
    /// were known, by number.
    pub(super) async fn recover(
        prefix: &str,
        tokens: &[Token],
        coordinator: &dyn Coordinator,
        (environment, table): (&Environment, &str),
        timeout_ms: i32,
    ) -> Result<(Self, Vec<Option<Producer>>)> {
        for token in tokens {
            let ended = coordinator.commit(&token.transactional_id, token.producer).await?;
            if let Some(text) = token.outcome(ended, environment.clock.now_ms())? {
                environment.observer.notice(table, &text);
            }
        }
        let mut ids = Self {
            prefix: Claimed::new(prefix),
            uses: Vec::new(),
            open: None,
            prepared: Vec::new(),
        };
        loop {
            let id = ids.id(ids.uses.len());
            let rests = tokens.iter().any(|token| token.transactional_id == id);
            if !rests && coordinator.producer(&id).await?.is_none() {
                break;
            }
            ids.uses.push(if rests { Use::Resting } else { Use::Free });
        }
        let init = ids.uses.iter().enumerate().map(|(number, used)| {
            let id = ids.id(number);
            async move {
                match used {
                    Use::Free => coordinator.init(&id, timeout_ms).await.map(Some),
                    _ => Ok(None),
                }
            }
        });
        let producers = try_join_all(init).await?;
        Ok((ids, producers))
    }

    /// The transactional id of a number.
    pub(super) fn id(&self, number: usize) -> String {
        format!("{}-{number}", self.prefix.0)
    }

    /// The number of the id that rows are written with.
    pub(super) fn open(&self) -> Option<usize> {
        self.open
    }

    /// Takes an id to write with; its number.
    pub(super) fn begin(&mut self) -> usize {
        let free = self.uses.iter().position(|used| *used == Use::Free);
        let number = free.unwrap_or_else(|| {
            self.uses.push(Use::Free);
            self.uses.len() - 1
        });
        self.uses[number] = Use::Open;
        self.open = Some(number);
        number
    }

    /// Nothing more is written with the open id: the token of its transaction.
    pub(super) fn prepare(&mut self, producer: Producer, at_ms: i64) -> Result<Vec<u8>> {
        let number = self.open.take().ok_or_else(|| Error::internal("no transaction is open"))?;
        self.uses[number] = Use::Prepared;
        let token = Token { transactional_id: self.id(number), producer, at_ms };
        let written = token.write();
        self.prepared.push(token);
        written
    }

    /// Those of some tokens that are still to be committed, with the numbers of their ids.
    pub(super) fn waiting(&self, tokens: &[Vec<u8>]) -> Result<Vec<(usize, Token)>> {
        let mut tokens = Token::read_all(tokens)?;
        tokens.retain(|token| self.prepared.contains(token));
        let numbered = tokens.into_iter().map(|token| {
            let number = (0..self.uses.len()).find(|n| self.id(*n) == token.transactional_id);
            let number = number.ok_or_else(|| Error::internal("a token of no transactional id"))?;
            Ok((number, token))
        });
        numbered.collect()
    }

    /// The numbers of the ids that wait for their checkpoint, without the newest `but`.
    pub(super) fn waiting_longest(&self, but: usize) -> Vec<usize> {
        let waiting = self.prepared.iter().rev().skip(but);
        let number =
            |token: &Token| (0..self.uses.len()).find(|n| self.id(*n) == token.transactional_id);
        waiting.filter_map(number).collect()
    }

    /// The tokens of a checkpoint were committed, and that is what came of it. Their ids rest, and those of the checkpoint before
    /// are free.
    pub(super) fn committed(
        &mut self,
        tokens: &[(usize, Token)],
        ended: &[Ended],
        now_ms: i64,
    ) -> Result<()> {
        for ((_, token), ended) in tokens.iter().zip(ended) {
            token.outcome(*ended, now_ms)?;
        }
        if tokens.is_empty() {
            return Ok(());
        }
        for used in self.uses.iter_mut().filter(|used| **used == Use::Resting) {
            *used = Use::Free;
        }
        for (number, token) in tokens {
            self.uses[*number] = Use::Resting;
            self.prepared.retain(|prepared| prepared != token);
        }
        Ok(())
    }

    /// Everything that was written was prepared.
    pub(super) fn close(&self) -> Result<()> {
        match self.open {
            Some(_) => Err(Error::internal("records were written behind the last checkpoint")),
            None => Ok(()),
        }
    }
}

/// Prefixes that sinks of this process use now.
static CLAIMED: Mutex<BTreeSet<String>> = Mutex::new(BTreeSet::new());

/// A prefix that one sink has for itself as long as it lives: a script may write to a table more than once. The second sink gets a
/// prefix of its own; sinks are made in the order of the script, so it is the same one after a restart.
#[derive(Debug)]
struct Claimed(String);

impl Claimed {
    fn new(prefix: &str) -> Self {
        let mut claimed = CLAIMED.lock().unwrap_or_else(PoisonError::into_inner);
        let names = (2..).map(|number| format!("{prefix}+{number}"));
        let mut names = std::iter::once(prefix.to_owned()).chain(names);
        let free = names.find(|name| !claimed.contains(name)).unwrap_or_default();
        claimed.insert(free.clone());
        Self(free)
    }
}

impl Drop for Claimed {
    fn drop(&mut self) {
        CLAIMED.lock().unwrap_or_else(PoisonError::into_inner).remove(&self.0);
    }
}

#[cfg(test)]
mod tests;
