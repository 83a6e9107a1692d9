//! Detectors: the pack format, and what it compiles into.

pub mod pack;

pub use pack::{Pack, PackError};
