//! The memory of a run: what its parts need, and how many batches fit next to them.

use std::fmt;

use anyhow::{Result, anyhow};

use super::{
    plan,
    resolved::{Output, Rules, Run},
};
use crate::compression::Window;
use crate::dead_letter::longest;
use crate::pipeline::{
    Budget, Sizes,
    budget::{Demand, TooSmall},
    records::{ValueFraming, block_bytes, judged_bytes, most_block, usual_block},
};
use crate::sinks::kafka::sink_bytes;
use crate::sources::{
    follow::{FILE_BYTES, MOST_FILES},
    kafka::{BLOCKS, WINDOW_LOG, source_bytes},
};

/// The program itself, its stacks, the compiled plan, and the buffers of sources and sinks.
const PROGRAM_BYTES: u64 = 20 << 20;
/// What the clients of a cluster need beside their queues: threads, connections, metadata.
const CLIENTS_BYTES: u64 = 8 << 20;
/// A decoder's window as a power of two: zstd's own limit, and what must do where memory is short.
/// The second is what every zstd decoder is asked to have, and more than gzip, lz4 and bzip2 need.
const WINDOWS: [u32; 5] = [27, 26, 25, 24, 23];
/// What a decoder needs beside its window: tables, a block or two, its feed.
const DECODER_BYTES: u64 = 2 << 20;

/// What an encoder needs, where the output is compressed: xz's the most.
const ENCODER_BYTES: u64 = 20 << 20;

/// What a text of the allow-list needs beside its letters, which four hold while it is compiled:
/// the configuration, the policy, the plan's settings and the table.
const LISTED_BYTES: u64 = 256;

/// What a worker needs to compress a record's value again.
const PACKER_BYTES: u64 = 4 << 20;

/// What fits.
#[derive(Debug, Clone)]
pub(crate) struct Room {
    pub(crate) budget: Budget,
    /// What a decoder of an input may have. It is part of the ceiling as soon as there was one.
    pub(crate) window: Window,
    /// What is read ahead from topics, and what waits to be sent.
    pub(crate) queues: Queues,
    shape: Shape,
}

/// The queues of a source and a sink of topics, in bytes.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Queues {
    pub(crate) ahead: usize,
    pub(crate) sent: usize,
}

impl Queues {
    /// A tenth of the memory that is allowed, or of what so many workers have by default.
    fn of(run: &Run, max_event_bytes: usize) -> Self {
        let default = (64 + 32 * run.threads as u64) << 20;
        let share = usize::try_from(run.memory.unwrap_or(default) / 10).unwrap_or(usize::MAX);
        let share = share.clamp(LEAST_QUEUE, MOST_QUEUE);
        // A record is longer than the event that it comes from.
        Self { ahead: share.max(max_event_bytes), sent: (share / 2).max(2 * max_event_bytes) }
    }
}

/// The least and the most that is read ahead.
const LEAST_QUEUE: usize = 8 << 20;
const MOST_QUEUE: usize = 64 << 20;

/// What of a run decides about its memory, beside its rules.
#[derive(Debug, Clone, Copy)]
struct Shape {
    workers: usize,
    dead_letter: bool,
    /// Lines may be inside wrappers.
    wrapped: bool,
    /// Records are judged, with their keys and headers: what their values are.
    records: Option<ValueFraming>,
    fixed_bytes: u64,
}

impl Shape {
    /// A decoder. Inputs are decoded one after another, and records by the source, so there is one at a
    /// time. What is decoded of a record is encoded again.
    fn decoder_bytes(&self, window: &Window) -> u64 {
        let workers = if self.records.is_some() { self.workers as u64 } else { 0 };
        DECODER_BYTES + window.bytes() + workers * PACKER_BYTES
    }

    fn demand(&self, rules: &Rules) -> (Sizes, Demand) {
        let mut sizes = Sizes::new(rules.limits.max_event_bytes);
        sizes.growth = sizes.growth.max(plan::growth(rules));
        let engine = |data: usize| {
            let beside = match (self.wrapped, self.records) {
                // Keys and headers stand beside values in a chunk of their own, which comes to as much.
                (_, Some(ValueFraming::Event)) => 2 * Sizes::memory(sizes.usual()) as u64,
                (false, None) => 0,
                _ => sizes.wrapped_bytes(data),
            };
            plan::engine_bytes(data, rules) + beside
        };
        let fixed_bytes = self.fixed_bytes + listed(rules);
        let demand = match self.records {
            Some(framing) => of_records(&sizes, self.workers, framing, fixed_bytes, engine),
            None => Demand::of_lines(&sizes, self.workers, self.dead_letter, fixed_bytes, engine),
        };
        (sizes, demand)
    }
}

/// What records need.
fn of_records(
    sizes: &Sizes,
    workers: usize,
    framing: ValueFraming,
    fixed_bytes: u64,
    engine: impl Fn(usize) -> u64,
) -> Demand {
    let (usual, most) = (usual_block(sizes), most_block(sizes));
    // A block, and what becomes of it.
    let batch = |data| block_bytes(sizes, data) + judged_bytes(sizes, data, framing);
    let (batch_bytes, engine_bytes) = (batch(usual), engine(usual));
    // The text of an event while it is put together of its log records, or with what stood before it.
    let texts = if framing == ValueFraming::Whole { 8 } else { 1 } * sizes.max_event_bytes as u64;
    let judged = (engine(most) + texts).saturating_sub(engine_bytes);
    let long_bytes = batch(most).saturating_sub(batch_bytes) + judged;
    Demand { workers, batch_bytes, engine_bytes, long_bytes, fixed_bytes }
}

/// What the parts of a budget come to, for a message.
struct Parts<'a>(&'a Demand, &'a Sizes);

impl fmt::Display for Parts<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self(demand, sizes) = self;
        let mib = |bytes: u64| bytes.div_ceil(1 << 20);
        let Demand { workers, batch_bytes, engine_bytes, long_bytes, fixed_bytes } = demand;
        let (fixed, engine, batch) = (mib(*fixed_bytes), mib(*engine_bytes), mib(*batch_bytes));
        write!(f, "{fixed}MiB for the program, {workers} × {engine}MiB to judge, ")?;
        write!(f, "{workers} × {batch}MiB for batches")?;
        match mib(*long_bytes) {
            0 => Ok(()),
            long => write!(f, ", {long}MiB for an event of {} bytes", sizes.max_event_bytes),
        }
    }
}

/// The same where records are read from topics.
pub(crate) fn fit_records(run: &Run, rules: &Rules) -> Result<Room> {
    let sizes = Sizes::new(rules.limits.max_event_bytes);
    let queues = Queues::of(run, rules.limits.max_event_bytes);
    // Blocks wait in the source, and one for its turn.
    let waiting = (BLOCKS + 1) as u64 * block_bytes(&sizes, most_block(&sizes));
    // A letter's original as it was sealed, its parts, and what is replayed of them.
    let replays = run.topics.as_ref().is_some_and(|topics| topics.replays());
    let letter = if replays { 4 * longest(rules.limits.max_event_bytes) as u64 } else { 0 };
    let kafka = CLIENTS_BYTES + source_bytes(queues.ahead) + sink_bytes(queues.sent);
    let shape = Shape {
        workers: run.threads,
        dead_letter: true,
        wrapped: true,
        records: run.topics.as_ref().map(|topics| topics.framing),
        fixed_bytes: PROGRAM_BYTES + kafka + waiting + letter,
    };
    let (sizes, demand) = shape.demand(rules);
    let window = Window::new(WINDOW_LOG);
    let decoder = shape.decoder_bytes(&window);
    let rest = run.memory.map(|memory| memory.saturating_sub(decoder));
    match Budget::fit(sizes, demand, rest) {
        Ok(budget) => Ok(Room { budget, window, queues, shape }),
        Err(TooSmall { minimum }) => {
            let least = TooSmall { minimum: minimum + decoder };
            Err(too_small(run, least, &Parts(&demand, &sizes)))
        }
    }
}

fn too_small(run: &Run, TooSmall { minimum }: TooSmall, parts: &Parts<'_>) -> anyhow::Error {
    let beside = |flag| run.names.beside("--memory", flag);
    let threads = beside("--threads");
    anyhow!(
        "{} is too small: {threads} {} needs at least {}MiB ({parts}); fewer {threads} or a smaller {} \
         need less",
        run.names.at("--memory"),
        run.threads,
        minimum.div_ceil(1 << 20),
        beside("--max-event-bytes")
    )
}

impl Room {
    /// What the formula comes to with these rules, and as many batches as there are.
    pub(crate) fn with_rules(&self, rules: &Rules) -> u64 {
        let (sizes, demand) = self.shape.demand(rules);
        let Budget { batches, long, .. } = self.budget;
        Budget::of(sizes, demand, (batches, long)).ceiling_bytes
    }

    /// What the formula comes to, or came to with `other` rules, with the window of a decoder if
    /// anything is compressed.
    pub(crate) fn ceiling_bytes(&self, other: u64) -> u64 {
        let decoder =
            if self.window.is_used() { self.shape.decoder_bytes(&self.window) } else { 0 };
        self.budget.ceiling_bytes.max(other) + decoder
    }
}

/// The largest window that a `--memory` leaves room for, and the budget with it; `sources` hold so much
/// beside it.
pub(crate) fn fit(run: &Run, rules: &Rules, sources: u64) -> Result<Room> {
    let (encodes, log) = match &run.output {
        Output::Each(_) => (true, 0),
        Output::Log(log) => (log.settings.compress.is_some(), log.settings.memory()),
        _ => (run.compress.is_some(), 0),
    };
    let encoder = if encodes { ENCODER_BYTES } else { 0 };
    let sizes = Sizes::new(rules.limits.max_event_bytes);
    let followed = match run.follow {
        // A compressed file is decoded a chunk ahead.
        Some(_) => MOST_FILES as u64 * FILE_BYTES + 2 * sizes.most() as u64,
        None => 0,
    };
    // The beginning of a line that goes on in the next batch, or of lines that wait for another; and a long
    // batch that waits for its turn.
    let begun = if run.format.is_some() { sizes.most() } else { 0 }.max(2 * sizes.usual()) as u64;
    let waits = if run.threads > 1 { Sizes::memory(sizes.most()) as u64 } else { 0 };
    let shape = Shape {
        workers: run.threads,
        dead_letter: run.dead_letter.is_some(),
        wrapped: run.format.is_some(),
        records: None,
        fixed_bytes: PROGRAM_BYTES + encoder + log + sources + followed + begun + waits,
    };
    let (sizes, demand) = shape.demand(rules);
    let mut least = TooSmall { minimum: 0 };
    for log in WINDOWS {
        let window = Window::new(log);
        let decoder = shape.decoder_bytes(&window);
        let rest = run.memory.map(|memory| memory.saturating_sub(decoder));
        match Budget::fit(sizes, demand, rest) {
            Ok(budget) => return Ok(Room { budget, window, queues: Queues::default(), shape }),
            Err(TooSmall { minimum }) => least.minimum = minimum + decoder,
        }
    }
    Err(too_small(run, least, &Parts(&demand, &sizes)))
}

/// What the allow-list holds.
fn listed(rules: &Rules) -> u64 {
    let lists =
        rules.policy.allow.iter().flat_map(|allow| {
            [&allow.exact, &allow.prefix, &allow.suffix, &allow.cidr, &allow.domain]
        });
    lists.flatten().map(|text| LISTED_BYTES + 4 * text.len() as u64).sum()
}
