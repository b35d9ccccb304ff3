//! An operator: makes the topics of the world, changes their configurations, deletes old records.
//! Invariant: it asks one thing at a time, and asks again until it was answered.

use mainstem_broker::ErrorCode;
use mainstem_broker::wire::create_topics_request::{CreatableTopic, CreatableTopicConfig};
use mainstem_broker::wire::delete_records_request::{DeleteRecordsPartition, DeleteRecordsTopic};
use mainstem_broker::wire::incremental_alter_configs_request::{
    AlterConfigsResource, AlterableConfig,
};
use mainstem_broker::wire::metadata_request::MetadataRequestTopic;
use mainstem_broker::wire::{
    CreateTopicsRequest, DeleteRecordsRequest, IncrementalAlterConfigsRequest, MetadataRequest,
    make,
};

use super::{Client, Cx};
use crate::check::{Place, Topic};
use crate::frame::Answer;

const TOPIC_RESOURCE: i8 = 2;
const SET: i8 = 0;

/// The operator and what it waits for.
#[derive(Debug, Default)]
pub(crate) struct Admin {
    made: usize,
    asked: Option<(u64, Asked)>,
    next: u64,
}

#[derive(Debug, Clone, Copy)]
enum Asked {
    Topic,
    Cut(Place),
    Config,
    Ids,
}

impl Admin {
    fn make_topic(&mut self, cx: &mut Cx<'_>) {
        let request = create(&cx.model.topics[self.made]);
        self.ask(Asked::Topic);
        cx.send(self.next, &request);
    }

    /// Asks which ids topics have.
    fn find_ids(&mut self, cx: &mut Cx<'_>) {
        let request = ids_request(cx.model.topics.iter().map(|topic| topic.name.as_str()));
        self.ask(Asked::Ids);
        cx.send_within(self.next, 10..=13, None, &request);
    }

    fn ask(&mut self, asked: Asked) {
        self.next += 1;
        self.asked = Some((self.next, asked));
    }

    fn delete_records(&mut self, cx: &mut Cx<'_>) {
        let place = cx.model.some_place(cx.rng, |topic| topic.cut);
        let state = cx.model.state(place);
        let (start, end) = (state.start, state.high_watermark);
        let before = match cx.rng.below(3) {
            0 => -1,
            _ => start + cx.rng.below((end - start + 1).max(1) as u64) as i64,
        };
        let below = if before == -1 { i64::MAX } else { before };
        let state = cx.model.state(place);
        state.cut_below = state.cut_below.max(below);
        let request = make(|request: &mut DeleteRecordsRequest| {
            request.topics = vec![make(|topic: &mut DeleteRecordsTopic| {
                topic.name = cx.model.topic_name(place).into();
                topic.partitions = vec![make(|partition: &mut DeleteRecordsPartition| {
                    partition.partition_index = place.partition;
                    partition.offset = before;
                })];
            })];
        });
        self.ask(Asked::Cut(place));
        cx.send(self.next, &request);
    }

    fn change_config(&mut self, cx: &mut Cx<'_>) {
        let place = cx.model.some_place(cx.rng, |_| true);
        let bytes = 512 << cx.rng.below(6);
        let request = make(|request: &mut IncrementalAlterConfigsRequest| {
            request.resources = vec![make(|resource: &mut AlterConfigsResource| {
                resource.resource_type = TOPIC_RESOURCE;
                resource.resource_name = cx.model.topic_name(place).into();
                resource.configs = vec![make(|config: &mut AlterableConfig| {
                    config.name = "segment.bytes".into();
                    config.config_operation = SET;
                    config.value = Some(bytes.to_string().into());
                })];
            })];
        });
        self.ask(Asked::Config);
        cx.send(self.next, &request);
    }
}

/// Asks which ids topics have; versions 10 and later tell.
pub(crate) fn ids_request<'a>(names: impl Iterator<Item = &'a str>) -> MetadataRequest {
    let topics =
        names.map(|name| make(|topic: &mut MetadataRequestTopic| topic.name = Some(name.into())));
    make(|request: &mut MetadataRequest| request.topics = Some(topics.collect()))
}

/// The request that makes a topic.
pub(crate) fn create(topic: &Topic) -> CreateTopicsRequest {
    let configs = topic.configs.iter().map(|(name, value)| {
        make(|config: &mut CreatableTopicConfig| {
            config.name = (*name).into();
            config.value = Some(value.as_str().into());
        })
    });
    let topic = make(|asked: &mut CreatableTopic| {
        asked.name = topic.name.as_str().into();
        asked.num_partitions = topic.partitions;
        asked.replication_factor = 1;
        asked.configs = configs.collect();
    });
    make(|request: &mut CreateTopicsRequest| request.topics = vec![topic])
}

impl Client for Admin {
    fn wake(&mut self, cx: &mut Cx<'_>) {
        cx.wake_within(1_500_000);
        if self.asked.is_some() {
            return;
        }
        while cx.model.topics.get(self.made).is_some_and(|topic| topic.mortal) {
            self.made += 1;
        }
        if self.made < cx.model.topics.len() {
            self.make_topic(cx);
        } else if cx.model.topics.iter().any(|topic| topic.id.is_none()) {
            self.find_ids(cx);
        } else if cx.calm {
        } else if cx.once_in(3) {
            self.change_config(cx);
        } else {
            self.delete_records(cx);
        }
    }

    fn answered(&mut self, tag: u64, answer: &Answer, cx: &mut Cx<'_>) {
        let Some((_, asked)) = self.asked.take_if(|(asked, _)| *asked == tag) else { return };
        match asked {
            Asked::Topic => {
                let code = answer.read::<CreateTopicsRequest>().topics[0].error_code;
                if code == 0 || code == ErrorCode::TopicAlreadyExists.code() {
                    self.made += 1;
                    cx.wake_within(1_000);
                }
            }
            Asked::Cut(place) => {
                let response = answer.read::<DeleteRecordsRequest>();
                let result = &response.topics[0].partitions[0];
                if result.error_code == 0 {
                    cx.model.cut_to(place, result.low_watermark);
                }
            }
            Asked::Ids => {
                for found in answer.read::<MetadataRequest>().topics {
                    let mut topics = cx.model.topics.iter_mut();
                    let topic = topics
                        .find(|topic| !topic.mortal && found.name.as_deref() == Some(&*topic.name));
                    if let Some(topic) = topic.filter(|_| found.error_code == 0) {
                        topic.id = Some(found.topic_id);
                    }
                }
            }
            Asked::Config => drop(answer.read::<IncrementalAlterConfigsRequest>()),
        }
    }

    fn cut(&mut self, cx: &mut Cx<'_>) {
        self.asked = None;
        cx.wake_within(100_000);
    }

    fn is_done(&self) -> bool {
        true
    }
}
