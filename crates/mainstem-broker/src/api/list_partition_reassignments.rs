//! ListPartitionReassignments (46): with one broker there is nowhere to move a partition to, so there are never any.

use crate::wire::{ListPartitionReassignmentsResponse, make};

pub(super) fn handle() -> ListPartitionReassignmentsResponse {
    make(|_| ())
}
