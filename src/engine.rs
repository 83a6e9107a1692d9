//! The engine: bytes in, outcomes and bytes out. No I/O, no clock, no lock.
//!
//! [`Plan`] is what was compiled once (detectors, schema, limits) and is shared by every
//! worker; an [`Engine`] is one worker's scratch space; [`Engine::process`] is the hot path:
//!
//! 1. `index`: quotes, lines, rare bytes, candidates; once for the whole chunk.
//! 2. `walk`: each event's grammar, path and schema; it reports sites where something is marked.
//! 3. `judge`: sites → findings → edits, through `decode` and [`detect`].
//! 4. `redact`: edits spliced between copies; untouched lines are copied in runs.
//! 5. `fixpoint`: the few lines whose edits may show something new are judged once more.

pub mod check;
pub mod chunk;
pub(crate) mod decode;
pub mod detect;
pub mod explain;
mod fate;
mod fixpoint;
pub(crate) mod index;
pub(crate) mod judge;
mod key_block;
mod line;
mod memory;
pub mod outcome;
pub(crate) mod path;
mod placeholder;
pub mod plan;
pub mod policy;
pub(crate) mod redact;
mod regex;
mod router;
mod routing;
pub(crate) mod ruleset;
pub mod schema;
#[doc(hidden)]
pub mod stages;
pub(crate) mod walk;

use std::sync::Arc;

pub(crate) use line::prefix::event_start;

pub use chunk::Chunk;
pub use explain::{Explanation, explain, explain_from};
pub use fate::Fate;
pub use key_block::KeyBlock;
pub use outcome::{Detail, Output, Payload, Reason, Reject, RouteCounts, RouteInfo, Run, Tally};
pub use plan::{IpPolicy, Limits, Plan, Settings, TextPolicy};
pub use router::{FieldCondition, Pattern, Route, Way};

use index::Index;
use line::{LineJudge, Lines};
use memory::Keeper;

/// One worker: the scratch space that the hot path reuses from chunk to chunk.
pub struct Engine {
    plan: Arc<Plan>,
    index: Index,
    lines: LineJudge,
    keeper: Keeper,
}

impl Engine {
    /// A worker for `plan`.
    pub fn new(plan: Arc<Plan>) -> Self {
        let (index, keeper) = (Index::default(), Keeper::default());
        Self { index, lines: LineJudge::new(&plan), keeper, plan }
    }

    /// The most memory that an engine takes for chunks with so much data, but for what rules by path
    /// and pseudonyms ask for.
    pub fn most_bytes(chunk: usize) -> u64 {
        detect::POOL_BYTES + memory::most_bytes(chunk)
    }

    /// What it learns of the paths of each further ruleset of a plan.
    pub fn ruleset_bytes() -> u64 {
        memory::PATHS
    }

    /// Judges by `plan` from now on, which is [another form](Plan::for_inner_lines) of its own. What
    /// was learnt of patterns and paths stays.
    ///
    /// # Panics
    /// If `plan` is none of its plan's forms.
    pub fn judge_by(&mut self, plan: &Arc<Plan>) {
        if !Arc::ptr_eq(&self.plan, plan) {
            assert!(Arc::ptr_eq(&self.plan.rulesets, &plan.rulesets), "a form of the same plan");
            self.plan = plan.clone();
        }
    }

    /// Whether `text` is the pseudonym of `value` by one of the active keys.
    pub fn is_pseudonym(&self, text: &[u8], value: &[u8]) -> bool {
        self.plan.rulesets[0].precedence.is_pseudonym(text, value)
    }

    /// From now on the sources of chunks go these ways, by their [numbers](Chunk::begin_source).
    pub fn set_sources<'a>(&mut self, ways: impl IntoIterator<Item = &'a Way>) {
        self.lines.routing.set_sources(ways.into_iter());
    }

    /// Judges every line of `chunk` and appends what may be forwarded to `out.clean`.
    ///
    /// Every line ends in exactly one count of `out.tally`.
    ///
    /// # Panics
    /// If the chunk is not sealed.
    pub fn process(&mut self, chunk: &Chunk, out: &mut Output) {
        let plan = Arc::clone(&self.plan);
        let (buf, end) = chunk.padded();
        if self.keeper.gives_back_before(end - chunk::HEAD, || self.scratch_bytes()) {
            self.give_back();
        }
        let Self { index, lines, .. } = self;
        index.scan(plan.simd, buf, chunk::HEAD, end, &plan.catalog.gates, false);
        let (detectors, entries) = (plan.catalog.list.len(), plan.policy_len());
        out.routes = Arc::clone(plan.routes());
        out.tally.routes.resize_with(plan.routes().len() - 1, Default::default);
        out.tally.redactions.resize(detectors, 0);
        lines.judge.counts().resize(detectors, entries);
        out.tally.bytes_in += (end - chunk::HEAD) as u64;
        lines.key_block = chunk.key_block();
        let already_out = out.clean.len();
        lines.routing.begin(&plan);
        let sources = chunk.sources();
        plan.simd.run(Lines { judge: &mut *lines, plan: &plan, buf, index, sources, out });
        out.tally.bytes_out += (out.clean.len() - already_out) as u64;
        let counts = lines.judge.counts();
        out.tally.observe(&mut counts.observations, &mut counts.hits);
        out.key_block = lines.key_block;
        let held = self.scratch_bytes();
        if self.keeper.gives_back_after(held) {
            self.give_back();
        }
    }

    /// The scratch space that it holds: memory that grows with chunks and events.
    fn scratch_bytes(&self) -> usize {
        self.index.memory() + self.lines.memory()
    }

    /// Gives scratch space back to the allocator.
    #[cold]
    fn give_back(&mut self) {
        self.index = Index::default();
        self.lines.give_back();
    }

    /// The memory of the states of all patterns.
    #[cfg(test)]
    pub(crate) fn pool_held(&self) -> usize {
        self.lines.judge.pool_held()
    }

    /// What the last line that was judged has cost, in the units of its budget.
    #[doc(hidden)]
    pub fn units(&self) -> usize {
        self.lines.judge.units()
    }

    /// What a line of `len` bytes may cost.
    #[doc(hidden)]
    pub fn units_allowed(len: usize) -> usize {
        detect::budget::limit(len)
    }
}

#[cfg(test)]
mod tests;
