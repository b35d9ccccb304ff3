//! Unit tests of the Kafka connector that need no broker.
