//! Processes a chunk of wrapped lines: unwraps, judges and wraps them again.

use std::{
    mem,
    sync::{Arc, OnceLock},
};

use super::{Format, close::Closing, frame::State, open::Opened};
use crate::{
    engine::{self, Chunk, Engine, Fate, Plan, Way},
    pipeline::{Output, Worker},
};

/// Judges plain chunks as the engine does, and wrapped ones by their content.
///
/// Text and events inside a wrapper keep their form; only findings change. The rest of a wrapper is
/// judged as an event of its own, if it contains more than the runtime's own fields.
pub struct Unwrapper {
    judgement: Arc<Judgement>,
    engine: Engine,
    inner: Chunk,
    output: engine::Output,
}

/// The rules, shared by all workers: a plan, and its variant for the content of wrappers, which is
/// compiled when it is first needed.
pub struct Judgement {
    format: Format,
    plain: Arc<Plan>,
    inside: OnceLock<Arc<Plan>>,
}

impl Judgement {
    /// Judges by `plan`, for inputs of this format.
    pub fn new(format: Format, plan: Arc<Plan>) -> Arc<Self> {
        Arc::new(Self { format, plain: plan, inside: OnceLock::new() })
    }
}

impl Unwrapper {
    /// Sets the route of the lines in the next chunks.
    pub fn set_way(&mut self, way: &Way) {
        self.engine.set_sources([way]);
    }

    /// A worker.
    pub fn new(judgement: &Arc<Judgement>) -> Self {
        Self {
            judgement: judgement.clone(),
            engine: Engine::new(judgement.plain.clone()),
            inner: Chunk::default(),
            output: engine::Output::default(),
        }
    }
}

impl Worker for Unwrapper {
    fn process(&mut self, chunk: &Chunk, out: &mut Output) {
        let (begun, ended) = chunk.note();
        let (begun, ended) = (State::of(begun), State::of(ended));
        let Judgement { format, plain, inside } = &*self.judgement;
        let Some(wrapper) = begun.wrapper().or(ended.wrapper()) else {
            self.engine.judge_by(plain);
            return out.judge(|judged| self.engine.process(chunk, judged));
        };
        let inside = inside.get_or_init(|| Arc::new(plain.for_inner_lines()));
        self.engine.judge_by(inside);
        let (bodies, most) = (plain.settings().bodies, plain.settings().limits.max_event_bytes);
        let bare = *format == Format::Auto;
        let already_out = out.clean.len();
        let mut opened = Opened::new(wrapper, bare, most, begun, mem::take(&mut self.inner));
        let mut judged = mem::take(&mut self.output);
        let mut key_block = chunk.key_block();
        while opened.open(chunk, ended) {
            judged.clear();
            opened.inner.continue_key_block(key_block);
            self.engine.process(&opened.inner, &mut judged);
            key_block = judged.key_block;
            let fates = Fate::of_lines(&opened.inner, &judged);
            out.tally.add_findings(&judged.tally);
            Closing { chunk, wrapper, opened: &opened, judged: &judged, fates, bodies }.close(out);
            out.routes.clone_from(&judged.routes);
        }
        out.key_block = key_block;
        out.tally.read += opened.blank;
        out.tally.blank += opened.blank;
        out.tally.bytes_in += chunk.data().len() as u64;
        out.tally.bytes_out += (out.clean.len() - already_out) as u64;
        (self.inner, self.output) = (opened.inner, judged);
    }
}
