//! One partition on disk: record batches as they were received, in segments, over a [`mainstem_core::disk::Disk`].
//! Invariant: nothing here reads a clock, spawns or knows a network.
