//! Unit tests of the jdbc connector that need no server.
