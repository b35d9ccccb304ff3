//! What the crate says about itself, seen from outside.

mod docs;
