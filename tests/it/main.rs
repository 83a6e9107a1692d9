//! The integration tests: one binary, a module for each theme.

// The lint's own exception covers #[test] functions, not what they share.
#![allow(clippy::unwrap_used)]

mod cli;
mod docs;
mod false_alarms;
mod offsets;
mod packs;
mod pipeline;
mod schema;
mod signals;
mod stand_ins;
mod tidy;
