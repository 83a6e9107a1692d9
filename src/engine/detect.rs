//! Detectors: the pack format, the catalog that it compiles into, and the verdict on a candidate.
//!
//! A candidate passes, in this order: gate, shape (the index), regex, validator, context, veto,
//! allow-list; findings that overlap are settled last. [`pack::Step`] names the steps.

mod advice;
mod assignment;
pub(crate) mod budget;
mod catalog;
mod derive;
mod detector;
mod finding;
mod finding_set;
mod keys;
pub mod pack;
mod pattern;
mod pool;
mod prose;
mod scratch;
mod search;
mod selection;
pub(crate) mod shape;
mod spelling;
mod steps;
pub(crate) mod validators;
mod value;
mod verdict;

pub(crate) use assignment::is_directory;
pub(crate) use catalog::Catalog;
pub use derive::{is_derived, is_searched};
pub(crate) use finding::{Finding, Refusal, With};
pub(crate) use finding_set::FindingSet;
pub(crate) use keys::{Keys, is_secret};
pub use pack::{Pack, PackError, Step};
pub(crate) use pool::POOL_BYTES;
pub(crate) use scratch::Scratch;
pub(crate) use search::next;
pub use selection::{PlanError, Selection};
pub(crate) use verdict::{Place, Verdict};
