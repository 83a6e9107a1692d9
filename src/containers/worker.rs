//! A chunk of wrappers: opened, judged, closed again.

use std::{
    mem,
    sync::{Arc, OnceLock},
};

use super::{
    Format,
    close::{Closing, fates},
    frame::State,
    open::Opened,
};
use crate::{
    engine::{Chunk, Engine, Output, Plan},
    pipeline::Worker,
};

/// Judges plain chunks as the engine does, and wrapped ones by what is in them.
///
/// Text and events inside a wrapper stay what they are: only findings change. Beside them the rest
/// of a wrapper is judged as an event of its own, where it is more than the runtime's own words.
pub struct Unwrapper {
    format: Format,
    plans: Arc<Plans>,
    engine: Engine,
    inner: Chunk,
    output: Output,
}

/// What lines are judged by, and what is in wrappers, which is made when the first one comes.
struct Plans {
    plain: Arc<Plan>,
    inside: OnceLock<Arc<Plan>>,
}

impl Unwrapper {
    /// So many workers for `plan`.
    pub fn crew(format: Format, plan: &Arc<Plan>, workers: usize) -> Vec<Self> {
        let plans = Arc::new(Plans { plain: plan.clone(), inside: OnceLock::new() });
        let one = || Self {
            format,
            plans: plans.clone(),
            engine: Engine::new(plan.clone()),
            inner: Chunk::default(),
            output: Output::default(),
        };
        (0..workers).map(|_| one()).collect()
    }
}

impl Worker for Unwrapper {
    fn process(&mut self, chunk: &Chunk, out: &mut Output) {
        let (begun, ended) = chunk.note();
        let (begun, ended) = (State::of(begun), State::of(ended));
        let plain = &self.plans.plain;
        let Some(wrapper) = begun.wrapper().or(ended.wrapper()) else {
            self.engine.judge_by(plain);
            return self.engine.process(chunk, out);
        };
        let inside = self.plans.inside.get_or_init(|| Arc::new(plain.for_inner_lines()));
        self.engine.judge_by(inside);
        let (bodies, most) = (plain.settings().bodies, plain.settings().limits.max_event_bytes);
        let bare = self.format == Format::Auto;
        out.schema = plain.settings().schema.clone();
        let already_out = out.clean.len();
        let mut opened = Opened::new(wrapper, bare, most, begun, mem::take(&mut self.inner));
        let mut judged = mem::take(&mut self.output);
        while opened.open(chunk, ended) {
            judged.clear();
            self.engine.process(&opened.inner, &mut judged);
            let fates = fates(&opened.inner, &judged);
            Closing { chunk, wrapper, opened: &opened, judged: &judged, fates, bodies }.close(out);
            out.tally.add_findings(&judged.tally);
        }
        out.tally.read += opened.blank;
        out.tally.blank += opened.blank;
        out.tally.bytes_in += chunk.data().len() as u64;
        out.tally.bytes_out += (out.clean.len() - already_out) as u64;
        (self.inner, self.output) = (opened.inner, judged);
    }
}
