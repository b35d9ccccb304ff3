//! The explicit list of connectors. Adding one is one line here and one folder.

use crate::api::Connector;

/// Every connector, in the order of the docs.
pub fn connectors() -> Vec<&'static dyn Connector> {
    vec![
        &crate::datagen::DATAGEN,
        &crate::faker::FAKER,
        &crate::nexmark::NEXMARK,
        &crate::kafka::KAFKA,
        &crate::upsert_kafka::UPSERT_KAFKA,
        &crate::filesystem::FILESYSTEM,
        &crate::print::PRINT,
        &crate::blackhole::BLACKHOLE,
        &crate::jdbc::JDBC,
    ]
}

/// The connector of that name.
pub fn connector(name: &str) -> Option<&'static dyn Connector> {
    connectors().into_iter().find(|c| c.spec().name == name)
}
