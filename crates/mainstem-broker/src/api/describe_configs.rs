//! DescribeConfigs (32): what is in force for topics and for the broker, where it comes from, and what it is good for.

use super::alter_configs::{self, Target};
use crate::config::{self, Found, Kind};
use crate::wire::describe_configs_request::DescribeConfigsResource;
use crate::wire::describe_configs_response::{
    DescribeConfigsResourceResult, DescribeConfigsResult, DescribeConfigsSynonym,
};
use crate::wire::{DescribeConfigsRequest, DescribeConfigsResponse, StrBytes, make};
use crate::{Broker, Call, ErrorCode};

/// One configuration, with all that could be said of it.
struct Described {
    name: &'static str,
    kind: Kind,
    doc: &'static str,
    read_only: bool,
    /// The one in force first.
    found: Vec<Found>,
}

pub(super) fn handle(
    broker: &Broker,
    call: &Call,
    request: &DescribeConfigsRequest,
) -> DescribeConfigsResponse {
    let results = request.resources.iter().map(|asked| {
        let described = describe(broker, asked);
        make(|result: &mut DescribeConfigsResult| {
            result.resource_type = asked.resource_type;
            result.resource_name = asked.resource_name.clone();
            match described {
                Ok(all) => {
                    let all = all.into_iter().filter(|config| wanted(asked, config));
                    let configs = all.map(|config| row(config, call, request));
                    result.configs = configs.collect();
                }
                Err((code, why)) => {
                    result.error_code = code.code();
                    result.error_message = Some(why.into());
                }
            }
        })
    });
    let results = results.collect();
    make(|response: &mut DescribeConfigsResponse| response.results = results)
}

fn describe(
    broker: &Broker,
    asked: &DescribeConfigsResource,
) -> Result<Vec<Described>, config::Refused> {
    match alter_configs::target(broker, asked.resource_type, &asked.resource_name)? {
        Target::Topic(name) => {
            let unknown = || {
                let why = format!("there is no topic '{name}'");
                (ErrorCode::UnknownTopicOrPartition, why)
            };
            let topic = broker.topics.by_name(&name).ok_or_else(unknown)?;
            let rows = config::TOPIC_CONFIGS.iter().map(|row| Described {
                name: row.name,
                kind: row.kind,
                doc: row.doc,
                read_only: false,
                found: broker.configs.of_topic(row, &topic.overrides),
            });
            Ok(rows.collect())
        }
        Target::Broker { own } => {
            let rows = config::broker_configs().map(|row| Described {
                name: row.name,
                kind: row.kind,
                doc: row.doc,
                read_only: row.read_only,
                found: broker.configs.of_broker(&row),
            });
            // Of all brokers at once only what was altered for them is shown.
            let altered = broker.configs.given(false);
            let shown = |row: &Described| own || altered.contains_key(row.name);
            Ok(rows.filter(shown).map(|row| row.of_level(own)).collect())
        }
    }
}

impl Described {
    fn of_level(mut self, own: bool) -> Self {
        if !own {
            self.found.retain(|found| found.source != config::Source::Broker);
        }
        self
    }
}

fn wanted(asked: &DescribeConfigsResource, config: &Described) -> bool {
    let Some(keys) = &asked.configuration_keys else { return true };
    // As in Kafka, an empty list asks for all.
    keys.is_empty() || keys.iter().any(|key| **key == *config.name)
}

fn row(
    config: Described,
    call: &Call,
    request: &DescribeConfigsRequest,
) -> DescribeConfigsResourceResult {
    let synonyms = config.found.iter().map(|found| {
        make(|synonym: &mut DescribeConfigsSynonym| {
            synonym.name = found.name.into();
            synonym.value = Some(found.value.as_str().into());
            synonym.source = found.source as i8;
        })
    });
    let synonyms = if request.include_synonyms { synonyms.collect() } else { Vec::new() };
    make(|row: &mut DescribeConfigsResourceResult| {
        row.name = config.name.into();
        row.value = config.found.first().map(|found| found.value.as_str().into());
        row.config_source = config.found.first().map_or(0, |found| found.source as i8);
        row.read_only = config.read_only;
        row.synonyms = synonyms;
        if call.version >= 3 {
            row.config_type = config.kind.wire_type();
            row.documentation = request.include_documentation.then(|| StrBytes::from(config.doc));
        }
    })
}
