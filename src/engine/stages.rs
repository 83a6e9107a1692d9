//! The hot path's stages one by one, for `benches/engine.rs`: a regression shows its place.

use std::sync::Arc;

use super::chunk::HEAD;
use super::decode;
use super::line::LineJudge;
use super::redact::{Edit, Edits};
use super::walk::Line;
use super::{Chunk, Engine, Plan};

/// A worker whose stages run one by one.
pub struct Stages {
    engine: Engine,
    decoded: Vec<u8>,
    spliced: Vec<u8>,
    map: decode::OffsetMap,
}

impl Stages {
    /// A worker for `plan`.
    pub fn new(plan: Arc<Plan>) -> Self {
        Self {
            engine: Engine::new(plan),
            decoded: Vec::new(),
            spliced: Vec::new(),
            map: decode::OffsetMap::default(),
        }
    }

    /// Indexes `chunk`; how many candidates there are.
    pub fn index(&mut self, chunk: &Chunk) -> usize {
        let (buf, end) = chunk.padded();
        let plan = &self.engine.plan;
        self.engine.index.scan(plan.simd, buf, HEAD, end, &plan.catalog.gates, false);
        self.engine.index.marks.len()
    }

    /// Walks the events of a `chunk` that was indexed, and judges their candidates if `verdict`;
    /// how many sites, or edits, there are.
    pub fn walk(&mut self, chunk: &Chunk, verdict: bool) -> usize {
        let (buf, _) = chunk.padded();
        let e = &mut self.engine;
        let (mut start, mut quote, mut mark, mut count) = (HEAD, 0, 0, 0);
        for l in e.index.lines() {
            let end = l.at as usize;
            let behind = mark + e.index.marks[mark..].iter().take_while(|m| m.at() < end).count();
            let quotes = &e.index.quotes()[quote..l.quotes as usize];
            let line = Line { buf, start, end, quotes, marks: &e.index.marks[mark..behind] };
            (start, quote, mark) = (end + 1, l.quotes as usize, behind);
            let LineJudge { walk, learning, judge, .. } = &mut e.lines;
            let paths = &mut learning.now.paths;
            if walk.event(&line, paths).is_err() {
                continue;
            }
            count += walk.sites.len();
            if verdict && judge.event(&e.plan.rulesets[0], &line, walk).is_ok() {
                count += judge.edits().list.len();
            }
        }
        count
    }

    /// Decodes the content of a JSON string; the decoded length.
    pub fn decode(&mut self, content: &[u8]) -> usize {
        self.decoded.clear();
        // A broken escape leaves nothing decoded.
        let _ = decode::unescape(content, &mut self.decoded, &mut self.map);
        self.decoded.len()
    }

    /// Copies `bytes` with an edit of 16 bytes in every `every`; the length of what comes out.
    pub fn splice(&mut self, bytes: &[u8], every: usize) -> usize {
        let list = (0..bytes.len() / every)
            .map(|i| Edit { start: i * every, end: i * every + 16.min(every), with: (0, 16) })
            .collect();
        let edits = Edits { list, replacements: b"[REDACTED:email]".to_vec() };
        self.spliced.clear();
        edits.splice(bytes, 0, bytes.len(), &mut self.spliced);
        self.spliced.len()
    }
}
