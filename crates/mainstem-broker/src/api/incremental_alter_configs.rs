//! IncrementalAlterConfigs (44): sets, deletes, and adds to or takes from lists.

use std::collections::BTreeSet;

use super::Reply;
use super::alter_configs::{self, Target};
use crate::config::{self, Given, Kind, Refused, elements};
use crate::wire::incremental_alter_configs_request::{AlterConfigsResource, AlterableConfig};
use crate::wire::incremental_alter_configs_response::AlterConfigsResourceResponse;
use crate::wire::{
    IncrementalAlterConfigsRequest, IncrementalAlterConfigsResponse, StrBytes, make,
};
use crate::{Broker, Call, ErrorCode};

const SET: i8 = 0;
const DELETE: i8 = 1;
const APPEND: i8 = 2;
const SUBTRACT: i8 = 3;

pub(super) fn handle(
    broker: &mut Broker,
    call: &Call,
    request: &IncrementalAlterConfigsRequest,
) -> Reply {
    let mut seen = BTreeSet::new();
    let mut changed = false;
    let responses = request.resources.iter().map(|asked| {
        let altered = alter(broker, &mut seen, asked, request.validate_only);
        changed |= altered.is_ok() && !request.validate_only;
        make(|response: &mut AlterConfigsResourceResponse| {
            response.resource_type = asked.resource_type;
            response.resource_name = asked.resource_name.clone();
            if let Err((code, why)) = altered {
                response.error_code = code.code();
                response.error_message = Some(why.into());
            }
        })
    });
    let responses = responses.collect();
    let response =
        make(|response: &mut IncrementalAlterConfigsResponse| response.responses = responses);
    match changed {
        true => broker.respond_durably(call.id, response),
        false => response.into(),
    }
}

fn alter(
    broker: &mut Broker,
    seen: &mut BTreeSet<(i8, StrBytes)>,
    asked: &AlterConfigsResource,
    validate_only: bool,
) -> Result<(), Refused> {
    alter_configs::once(seen, asked.resource_type, &asked.resource_name)?;
    let target = alter_configs::target(broker, asked.resource_type, &asked.resource_name)?;
    let mut given = alter_configs::given(broker, &target)?;
    let mut names = BTreeSet::new();
    for config in &asked.configs {
        if !names.insert(&config.name) {
            return Err(alter_configs::twice(&config.name));
        }
        apply(broker, &target, &mut given, config)?;
    }
    alter_configs::alter(broker, &target, given, validate_only)
}

fn apply(
    broker: &Broker,
    target: &Target,
    given: &mut Given,
    config: &AlterableConfig,
) -> Result<(), Refused> {
    let name = config.name.to_string();
    let operation = config.config_operation;
    if operation == DELETE {
        given.remove(&name);
        return Ok(());
    }
    let Some(value) = &config.value else { return Err(alter_configs::null_value(&name)) };
    let value = match operation {
        SET => value.to_string(),
        APPEND | SUBTRACT => {
            let now = list_in_force(broker, target, given, &name)?;
            let asked: Vec<&str> = elements(value).collect();
            let mut list: Vec<&str> = elements(&now).collect();
            match operation {
                APPEND => {
                    list.extend(asked.iter().filter(|word| !elements(&now).any(|e| e == **word)))
                }
                _ => list.retain(|word| !asked.contains(word)),
            }
            list.join(",")
        }
        other => return Err((ErrorCode::InvalidRequest, format!("unknown operation {other}"))),
    };
    given.insert(name, value);
    Ok(())
}

/// The value that a list has now, whether it was given or comes from behind.
fn list_in_force(
    broker: &Broker,
    target: &Target,
    given: &Given,
    name: &str,
) -> Result<String, Refused> {
    let (kind, found) = match target {
        Target::Topic(_) => {
            let Some(row) = config::topic_config(name) else { return Ok(String::new()) };
            (row.kind, broker.configs.of_topic(row, given))
        }
        Target::Broker { .. } => {
            let Some(row) = config::broker_config(name) else { return Ok(String::new()) };
            (row.kind, broker.configs.of_broker(&row))
        }
    };
    if !matches!(kind, Kind::List(_)) {
        let why =
            format!("configuration {name} is no list, nothing is added to it or taken from it");
        return Err((ErrorCode::InvalidConfig, why));
    }
    Ok(found.into_iter().next().map(|found| found.value).unwrap_or_default())
}
