//! Connector `blackhole`: takes every change and forgets it, to measure what comes before it. As in Flink, it does not ask for the
//! old rows of updates.
//! Invariant: rows are not looked at, so its cost is that of handing a batch over.

use async_trait::async_trait;
use mainstem_core::egress::{Encode, Encoded};
use mainstem_core::options::{ConnectorSpec, Delivery, FormatUse, Pushdown, SinkChangelog};
use mainstem_core::{Batch, Result};

use crate::api::{Connector, Sink, SinkRequest};

/// The connector.
pub const BLACKHOLE: Blackhole = Blackhole;

/// See the module.
#[derive(Debug, Clone, Copy)]
pub struct Blackhole;

const SPEC: ConnectorSpec = ConnectorSpec {
    name: "blackhole",
    doc: "Forgets every row; for measuring.",
    source: None,
    sink: Some(Delivery::ExactlyOnce),
    sink_weaker: &[],
    formats: FormatUse::None,
    options: &[],
    metadata: &[],
    upsert_source: false,
    sink_changelog: SinkChangelog::NoUpdateBefore,
    pushdown: Pushdown::NONE,
};

impl Connector for Blackhole {
    fn spec(&self) -> &'static ConnectorSpec {
        &SPEC
    }

    fn sink(&self, _request: SinkRequest) -> Result<Box<dyn Sink>> {
        Ok(Box::new(Hole))
    }
}

#[derive(Debug)]
struct Hole;

/// Counts, and makes no bytes.
impl Encode for Hole {
    fn encode(&mut self, batch: &Batch) -> Result<Encoded> {
        Ok(Encoded::Bytes { data: bytes::Bytes::new(), rows: batch.rows() })
    }
}

#[async_trait]
impl Sink for Hole {
    async fn open(&mut self) -> Result<()> {
        Ok(())
    }

    fn encoder(&self) -> Result<Box<dyn Encode>> {
        Ok(Box::new(Hole))
    }

    async fn write(&mut self, _data: Encoded) -> Result<()> {
        Ok(())
    }

    async fn flush(&mut self) -> Result<()> {
        Ok(())
    }

    async fn close(&mut self) -> Result<()> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_are_counted() {
        let batch = Batch::new(vec![], 3);
        assert_eq!(Hole.encode(&batch).unwrap().rows(), 3);
    }
}
