//! The broker's meaning, without sockets, threads or clocks: requests, time and finished syncs go in, actions come out.
