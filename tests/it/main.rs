//! The integration tests: one binary, a module for each theme.

// The lint's own exception covers #[test] functions, not what they share.
#![allow(clippy::unwrap_used)]

mod admin;
mod archives;
mod cli;
mod config;
mod containers;
mod docs;
mod endings;
mod exec;
mod explain;
mod false_alarms;
mod file_limits;
mod files;
mod floods;
mod follow;
#[path = "../../benches/support/generator.rs"]
mod generator;
mod invariance;
mod journal;
mod json_cases;
mod kafka;
mod key_blocks;
mod leftovers;
mod logs;
#[cfg(target_os = "linux")]
mod memory;
mod mix;
mod numbers;
mod offsets;
mod outcomes;
mod outputs;
mod packs;
mod pipeline;
mod placeholders;
mod policy;
mod properties;
mod records;
mod regex_only;
mod release;
mod reload;
mod replay;
mod reports;
mod routes;
mod schema;
mod separators;
mod shipped;
mod signals;
mod size_limits;
mod stand_ins;
mod stderr;
mod terminal;
mod tidy;
mod tokens;
mod transactions;
mod user_packs;
