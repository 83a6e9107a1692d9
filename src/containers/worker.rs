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
    engine::{Chunk, Engine, Output, Plan, TextPolicy},
    pipeline::Worker,
};

/// Judges plain chunks as the engine does, and wrapped ones by what is in them.
///
/// Text and events inside a wrapper stay what they are: only findings change. Beside them the rest
/// of a wrapper is judged as an event of its own, where it is more than the runtime's own words.
pub struct Unwrapper {
    format: Format,
    plans: Arc<Plans>,
    /// For one of the two plans at a time: an engine's scratch space is most of a worker's memory.
    engine: Engine,
    opened: bool,
    inner: Chunk,
    output: Output,
}

/// What lines are judged by, and what is in wrappers, which is compiled when the first one comes.
struct Plans {
    plain: Arc<Plan>,
    inside: OnceLock<Arc<Plan>>,
}

impl Plans {
    /// Text is kept as text, and every reject is told.
    fn inside(&self) -> Arc<Plan> {
        let compile = || {
            let mut settings = self.plain.settings().clone();
            if settings.text == TextPolicy::Wrap {
                settings.text = TextPolicy::Keep;
            }
            settings.bodies = true;
            Arc::new(Plan::compile(settings).expect("the same settings compiled before"))
        };
        self.inside.get_or_init(compile).clone()
    }
}

impl Unwrapper {
    /// So many workers for `plan`.
    pub fn crew(format: Format, plan: &Arc<Plan>, workers: usize) -> Vec<Self> {
        let plans = Arc::new(Plans { plain: plan.clone(), inside: OnceLock::new() });
        let one = || Self {
            format,
            plans: plans.clone(),
            engine: Engine::new(plan.clone()),
            opened: false,
            inner: Chunk::default(),
            output: Output::default(),
        };
        (0..workers).map(|_| one()).collect()
    }

    fn engine(&mut self, opened: bool) -> &mut Engine {
        if self.opened != opened {
            let plan = if opened { self.plans.inside() } else { self.plans.plain.clone() };
            self.engine = Engine::new(plan);
            self.opened = opened;
        }
        &mut self.engine
    }
}

impl Worker for Unwrapper {
    fn process(&mut self, chunk: &Chunk, out: &mut Output) {
        let (begun, ended) = chunk.note();
        let (begun, ended) = (State::of(begun), State::of(ended));
        let Some(wrapper) = begun.wrapper().or(ended.wrapper()) else {
            return self.engine(false).process(chunk, out);
        };
        let settings = self.plans.plain.settings();
        let (bodies, most) = (settings.bodies, settings.limits.max_event_bytes);
        let (mut inner, mut judged) = (mem::take(&mut self.inner), mem::take(&mut self.output));
        inner.clear();
        judged.clear();
        let bare = self.format == Format::Auto;
        let mut opened = Opened::new(wrapper, bare, most, begun, &mut inner);
        opened.open(chunk, ended);
        let Opened { lines, records, blank, .. } = opened;
        inner.seal();
        self.engine(true).process(&inner, &mut judged);
        let already_out = out.clean.len();
        let fates = fates(&inner, &judged);
        let (inner_chunk, judged_output) = (&inner, &judged);
        Closing { chunk, wrapper, inner: inner_chunk, judged: judged_output, fates, lines, bodies }
            .close(&records, out);
        out.tally.read += blank;
        out.tally.blank += blank;
        let (tally, redactions) = (&mut out.tally, &judged.tally.redactions);
        tally.redactions.resize(redactions.len().max(tally.redactions.len()), 0);
        for (sum, n) in tally.redactions.iter_mut().zip(redactions) {
            *sum += n;
        }
        tally.bytes_in += chunk.data().len() as u64;
        tally.bytes_out += (out.clean.len() - already_out) as u64;
        (self.inner, self.output) = (inner, judged);
    }
}
