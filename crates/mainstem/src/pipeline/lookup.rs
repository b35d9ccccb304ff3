//! The task that asks a table for what lookup joins want to know.
//! Invariant: no more questions are on their way than the table is good for; each that was taken is answered, or the
//! task fails and with it the job.

use std::sync::Arc;

use mainstem_connectors::api::{Found, Lookup};
use mainstem_core::{Error, Result};
use mainstem_engine::lookup::{Answer, LookupPort, Question};
use tokio::task::JoinSet;

/// Asks until the pipeline has ended.
pub(super) async fn answer(lookup: Box<dyn Lookup>, port: Arc<LookupPort>) -> Result<()> {
    let lookup: Arc<dyn Lookup> = Arc::from(lookup);
    let most = lookup.in_flight_max().max(1);
    let mut asked: JoinSet<Result<Answer>> = JoinSet::new();
    loop {
        tokio::select! {
            question = port.next(), if asked.len() < most => {
                let Some(question) = question else { return Ok(()) };
                asked.spawn(find(Arc::clone(&lookup), question));
            }
            Some(answered) = asked.join_next() => {
                let answered = answered.map_err(|panic| {
                    Error::internal("a lookup stopped unexpectedly").with_source(panic)
                });
                port.answer(answered??);
            }
        }
    }
}

async fn find(lookup: Arc<dyn Lookup>, question: Question) -> Result<Answer> {
    let Found { keys, rows } = lookup.find(&question.keys).await?;
    Ok(Answer { ticket: question.ticket, keys, rows })
}
