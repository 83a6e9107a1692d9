//! The integration tests: one binary, a module for each theme.

mod cli;
mod pipeline;
mod signals;
mod stand_ins;
