//! Redaction: edits of raw byte ranges, spliced between copies of what stays.

mod action;
pub(crate) mod members;
pub(crate) mod pseudonym;
pub(crate) mod shape;
mod splice;
pub(crate) mod truncate;

pub use action::Action;
pub use pseudonym::{KeyError, KeyRing, PseudonymKey};
pub(crate) use splice::{Edit, Edits};
