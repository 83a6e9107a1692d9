//! The memory of a run: the pipeline's, and what a decoder may have of it.

use anyhow::{Result, anyhow};

use super::{
    plan,
    resolved::{Output, Rules, Run},
};
use crate::dead_letter::longest;
use crate::pipeline::{
    Budget, Sizes,
    budget::{Demand, TooSmall},
};
use crate::sinks::kafka::KAFKA_SINK_BYTES;
use crate::sources::{
    follow::{FILE_BYTES, MOST_FILES},
    kafka::{BLOCKS, KAFKA_SOURCE_BYTES},
};

/// The program itself, stacks, the compiled plan, and the buffers of sources and sinks.
const FIXED_BYTES: u64 = 32 << 20;
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

/// What a worker needs to compress a record's value again: gzip's and zstd's encoders are as large as this.
const PACKER_BYTES: u64 = 8 << 20;

/// What is known of records on their way: where each came from, and its report.
const FLIGHTS_BYTES: u64 = 16 << 20;

/// What fits.
#[derive(Debug, Clone)]
pub(crate) struct Room {
    pub(crate) budget: Budget,
    pub(crate) window_log: u32,
    shape: Shape,
}

/// What of a run decides about its memory, beside its rules.
#[derive(Debug, Clone, Copy)]
struct Shape {
    workers: usize,
    dead_letter: bool,
    /// Lines may be inside wrappers.
    wrapped: bool,
    /// Records are judged, with their keys and headers; a block may end with the longest.
    records: bool,
    fixed_bytes: u64,
}

impl Shape {
    fn demand(&self, rules: &Rules) -> (Sizes, Demand) {
        let mut sizes = Sizes::new(rules.limits.max_event_bytes);
        sizes.growth = plan::growth(rules);
        if self.records {
            sizes.chunk_bytes += sizes.max_event_bytes;
        }
        let wrapped = if self.wrapped { sizes.wrapped_bytes() } else { 0 };
        let demand = Demand {
            workers: self.workers,
            dead_letter: self.dead_letter,
            engine_bytes: plan::engine_bytes(sizes.most(), rules) + wrapped,
            fixed_bytes: self.fixed_bytes + listed(rules),
        };
        (sizes, demand)
    }
}

/// The same where records are read from topics.
pub(crate) fn fit_records(run: &Run, rules: &Rules) -> Result<Room> {
    let sizes = Sizes::new(rules.limits.max_event_bytes);
    let block = (sizes.chunk_bytes + sizes.most()) as u64;
    // Keys and headers stand beside a block's values.
    let blocks = (BLOCKS + 2 * run.threads) as u64 * 2 * block;
    // An event's text while it is decompressed, or put together with what stood before it or of its log
    // records; and what comes out of the encoders.
    let texts = (2 + 8 * run.threads) * 2 * sizes.max_event_bytes;
    let packers = run.threads as u64 * PACKER_BYTES + texts as u64;
    // A letter's original as it was sealed, its parts, and what is replayed of them.
    let replays = run.topics.as_ref().is_some_and(|topics| topics.replays());
    let letter = if replays { 4 * longest(rules.limits.max_event_bytes) as u64 } else { 0 };
    let kafka = KAFKA_SOURCE_BYTES + KAFKA_SINK_BYTES + packers + letter;
    let shape = Shape {
        workers: run.threads,
        dead_letter: true,
        wrapped: true,
        records: true,
        fixed_bytes: FIXED_BYTES + kafka + FLIGHTS_BYTES + blocks,
    };
    let (sizes, demand) = shape.demand(rules);
    match Budget::fit(sizes, demand, run.memory) {
        Ok(budget) => Ok(Room { budget, window_log: 0, shape }),
        Err(TooSmall { minimum }) => Err(too_small(run, minimum.div_ceil(1 << 20))),
    }
}

fn too_small(run: &Run, least: u64) -> anyhow::Error {
    let beside = |flag| run.names.beside("--memory", flag);
    let threads = beside("--threads");
    anyhow!(
        "{} is too small: {threads} {} needs at least {least}MiB; fewer {threads} or a smaller {} \
         need less",
        run.names.at("--memory"),
        run.threads,
        beside("--max-event-bytes")
    )
}

impl Room {
    /// What the formula comes to with these rules, and as many batches as there are.
    pub(crate) fn with_rules(&self, rules: &Rules) -> u64 {
        let (sizes, demand) = self.shape.demand(rules);
        Budget::of(sizes, demand, self.budget.batches).ceiling_bytes
    }
}

/// The largest window that a `--memory` leaves room for, and the budget with it. Inputs are decoded
/// one after another, so there is one decoder at a time; `sources` hold so much beside it.
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
    let beside = encoder + log + sources + followed + DECODER_BYTES;
    let mut least = 0;
    for window_log in WINDOWS {
        let shape = Shape {
            workers: run.threads,
            dead_letter: run.dead_letter.is_some(),
            wrapped: run.format.is_some(),
            records: false,
            fixed_bytes: FIXED_BYTES + beside + (1 << window_log),
        };
        let (sizes, demand) = shape.demand(rules);
        match Budget::fit(sizes, demand, run.memory) {
            Ok(budget) => return Ok(Room { budget, window_log, shape }),
            Err(TooSmall { minimum }) => least = minimum.div_ceil(1 << 20),
        }
    }
    Err(too_small(run, least))
}

/// What the allow-list holds.
fn listed(rules: &Rules) -> u64 {
    let lists =
        rules.policy.allow.iter().flat_map(|allow| {
            [&allow.exact, &allow.prefix, &allow.suffix, &allow.cidr, &allow.domain]
        });
    lists.flatten().map(|text| LISTED_BYTES + 4 * text.len() as u64).sum()
}
