//! The SQL front as its users see it: scripts in, plans, values and refusals out.

mod aggregates;
mod docs;
mod expressions;
mod identity;
mod plans;
mod statements;
