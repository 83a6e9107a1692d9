//! The engine: bytes in, outcomes and bytes out. No I/O, no clock, no lock.
//!
//! [`Plan`] is what was compiled once (detectors, schema, limits) and is shared by every
//! worker; an [`Engine`] is one worker's scratch space; [`Engine::process`] is the hot path.

pub mod chunk;
pub(crate) mod decode;
pub mod detect;
pub(crate) mod index;
pub mod outcome;
pub(crate) mod path;
pub mod plan;
pub mod schema;

use std::sync::Arc;

pub use chunk::Chunk;
pub use outcome::{Output, Payload, Reason, Reject, Tally};
pub use plan::{IpPolicy, Limits, Plan, Settings, TextPolicy};

/// One worker: the scratch space that the hot path reuses from chunk to chunk.
pub struct Engine {
    plan: Arc<Plan>,
}

impl Engine {
    /// A worker for `plan`.
    pub fn new(plan: Arc<Plan>) -> Self {
        Self { plan }
    }

    /// Judges every line of `chunk` and appends what may be forwarded to `out.clean`.
    ///
    /// Every line ends in exactly one count of `out.tally`. The chunk must be sealed.
    pub fn process(&mut self, chunk: &Chunk, out: &mut Output) {
        let _ = (&self.plan, chunk, out);
    }
}
