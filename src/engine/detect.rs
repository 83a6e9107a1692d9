//! Detectors: the pack format, and what it compiles into.

pub mod pack;
#[cfg_attr(not(test), allow(dead_code))] // until the verdict calls them
pub(crate) mod validators;

pub use pack::{Pack, PackError};
