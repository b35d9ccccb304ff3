//! The operators, one file each.

pub(crate) mod aggregate;
mod calls;
pub(crate) mod interval_join;
pub(crate) mod join;
mod join_side;
pub(crate) mod limit;
pub(crate) mod lookup_join;
mod panes;
mod probe;
pub(crate) mod rank;
mod rows;
pub(crate) mod session_window;
mod slices;
pub(crate) mod sort;
pub(crate) mod stateless;
pub(crate) mod temporal_join;
pub(crate) mod temporal_sort;
mod time_queue;
pub(crate) mod unnest;
pub(crate) mod upsert_normalize;
pub(crate) mod watermark;
pub(crate) mod window_aggregate;
pub(crate) mod window_join;
pub(crate) mod window_table;
