//! The broker as its clients see it: requests in, answers out, on a disk in memory or one that fails.

mod configs;
mod damage;
mod disks;
mod frames;
mod groups;
mod records;
mod reference;
mod stand;
mod topics;
mod transactions;
mod upkeep;
mod wal;
