//! Topics that are deleted and made again under the same name.
//! Checks that ids differ, that a record which was acknowledged in one never appears in the next, and, because each counts as a
//! topic of its own that nothing is known of yet, that offsets begin anew.
//! Readers name these topics by id. Writers cannot, so what they are told counts only while it is certain which topic was there:
//! from the moment when its maker had found it until it begins to delete it.

use mainstem_broker::wire::Uuid;

use super::{Model, Place, Sent, Topic};
use crate::check::records::PlaceState;
use crate::frame::When;

impl Model {
    /// A topic was found, durably made. Returns its number; the second is true if it is new.
    pub(crate) fn topic_found(&mut self, topic: Topic, id: Uuid, when: When) -> (usize, bool) {
        let known = self.topics.iter().position(|other| other.id == Some(id));
        let number = known.unwrap_or(self.topics.len());
        if known.is_none() {
            for before in self.topics.iter_mut().filter(|before| before.name == topic.name) {
                before.ended = true;
            }
            for partition in 0..topic.partitions {
                let place = Place { topic: number, partition };
                self.records.places.insert(place, PlaceState::default());
            }
            self.topics.push(Topic { id: Some(id), ..topic });
        }
        let found = &mut self.topics[number];
        if found.ended {
            let name = found.name.clone();
            self.fail(format!("{name}: a topic with the id {id:?} was there before"));
        } else {
            found.certain_since = Some(when.answered);
        }
        (number, known.is_none())
    }

    /// A topic is about to be deleted.
    pub(crate) fn topic_doubted(&mut self, number: usize) {
        self.topics[number].certain_since = None;
    }

    /// A topic was deleted durably.
    pub(crate) fn topic_gone(&mut self, number: usize) {
        self.topics[number].ended = true;
    }

    /// Whether it is this topic that answered a request which named it by name.
    pub(crate) fn is_certain(&self, place: Place, when: When) -> bool {
        let topic = &self.topics[place.topic];
        !topic.mortal || topic.certain_since.is_some_and(|since| since <= when.arrived)
    }

    /// Whether a record may stand here: sent to this name, and not known to be in an earlier topic.
    pub(super) fn may_hold(&self, place: Place, sent: &Sent) -> bool {
        let topic = &self.topics[place.topic];
        sent.place == place
            || (topic.mortal
                && topic.name == self.topics[sent.place.topic].name
                && place.partition == sent.place.partition
                && !sent.acked)
    }
}
