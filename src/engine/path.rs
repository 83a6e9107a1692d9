//! Where in the object the walk is: one home for fields, duplicates, rules by key, and pairs.
//!
//! A **node** stands for a path (`user.address.city`): its schema node and what its key says. A
//! **state** stands for the keys of an object so far (a hidden class): the next key of an event
//! that looks like the last one is predicted by one compare, and the state knows which required
//! fields are still missing and which keys stand twice. States and nodes are capped; streams
//! whose keys come in random order are walked by nodes alone.

pub(crate) mod contract;
pub(crate) mod flag;
pub(crate) mod globs;
pub(crate) mod locate;
mod pace;
mod roots;
mod state;
mod table;
pub(crate) mod words;

use std::sync::Arc;

use super::decode;
use contract::{Contract, NodeId};
use globs::Globs;
use pace::Pace;
use roots::Roots;
pub(crate) use state::State;
use table::{Hashes, Key, Keys};
use words::Fields;

/// The most states, and the most nodes, that are kept.
pub(crate) const LIMIT: usize = 2048;
/// No state, no node.
pub(crate) const NONE: u32 = u32::MAX;

/// What decides about keys.
#[derive(Clone, Default)]
pub(crate) struct Rules {
    pub(crate) contract: Option<Arc<dyn Contract>>,
    /// Names of fields whose value is a secret, of each rule by key.
    pub(crate) secrets: Arc<[Arc<Fields>]>,
    pub(crate) globs: Arc<Globs>,
    /// [`flag::SEARCH`], or 0.
    pub(crate) search: u16,
    /// The names of the event's own fields that routes ask for, 255 at most.
    pub(crate) asked: Arc<[Box<[u8]>]>,
}

/// A path.
#[derive(Clone, Copy)]
pub(crate) struct Node {
    pub(crate) schema: NodeId,
    pub(crate) flags: u16,
    pub(crate) required_bit: u64,
    elem: u32,
    /// Which of [`Rules::asked`] it is, from 1; 0: none.
    pub(crate) asked: u8,
}

const PLAIN: Node = Node { schema: NodeId::ANY, flags: 0, required_bit: 0, elem: NONE, asked: 0 };

/// Nodes and states of one worker.
pub(crate) struct Paths {
    rules: Rules,
    pub(crate) states: Vec<State>,
    state_table: Hashes,
    pub(crate) nodes: Vec<Node>,
    node_table: Keys,
    keys: Vec<u8>,
    scratch: Vec<u8>,
    /// The row of globs of each node.
    rows: Vec<u64>,
    /// The row of the node under judgement, and room for a step.
    row: Vec<u64>,
    row_scratch: Vec<u64>,
    pub(crate) roots: Roots,
    pub(crate) pace: Pace,
    max_depth: usize,
}

/// The state before the first key of an event.
pub(crate) const ROOT: u32 = 0;

impl Paths {
    pub(crate) fn new(rules: Rules, max_depth: usize) -> Self {
        let mut p = Self {
            rules,
            states: Vec::new(),
            state_table: Hashes::default(),
            nodes: Vec::new(),
            node_table: Keys::default(),
            keys: Vec::new(),
            scratch: Vec::new(),
            rows: Vec::new(),
            row: Vec::new(),
            row_scratch: Vec::new(),
            roots: Roots::default(),
            pace: Pace::default(),
            max_depth,
        };
        p.nodes.reserve(LIMIT + max_depth + 2);
        p.row = vec![0; p.rules.globs.words()];
        p.roots.row = p.rules.globs.start().to_vec();
        p.reset();
        p
    }

    /// Forgets everything learnt: streams change.
    pub(crate) fn reset(&mut self) {
        self.states.clear();
        self.state_table.clear();
        self.node_table.clear();
        self.keys.clear();
        self.nodes.clear();
        // The places behind LIMIT are for paths that no longer fit, one for each depth.
        self.nodes.resize(LIMIT + self.max_depth + 2, PLAIN);
        self.rows.clear();
        self.rows.resize(self.nodes.len() * self.rules.globs.words(), 0);
        let root = self.contract().map_or(NodeId::ANY, |s| s.root());
        self.nodes[0] = Node { schema: root, flags: self.schema_flags(root), ..PLAIN };
        self.row.copy_from_slice(self.rules.globs.start());
        self.keep_row(0);
        let state = self.fresh(0);
        self.states.push(state);
        self.forget_roots();
    }

    /// Whether there are any: without them a row has no words.
    #[inline(always)]
    pub(crate) fn has_globs(&self) -> bool {
        !self.row.is_empty()
    }

    /// The row of globs of a node.
    #[inline]
    pub(crate) fn row(&self, node: u32) -> &[u64] {
        let words = self.rules.globs.words();
        &self.rows[node as usize * words..][..words]
    }

    /// Takes the row under judgement for that of `node`.
    #[inline]
    fn keep_row(&mut self, node: u32) {
        let words = self.rules.globs.words();
        if words != 0 {
            self.rows[node as usize * words..][..words].copy_from_slice(&self.row);
        }
    }

    fn contract(&self) -> Option<&dyn Contract> {
        self.rules.contract.as_deref()
    }

    fn schema_flags(&self, n: NodeId) -> u16 {
        let Some(s) = self.contract() else { return 0 };
        (u16::from(s.checks(n)) * flag::CHECK)
            | (u16::from(s.checks_strings(n)) * flag::EXACT)
            | (u16::from(s.compares_containers(n)) * flag::COMPARE)
    }

    /// The mask of required fields of the object at `node`.
    pub(crate) fn required(&self, node: u32) -> u64 {
        self.contract().map_or(0, |s| s.required(self.nodes[node as usize].schema))
    }

    /// The node of the key `buf[from..to]` in the object at `object`. When no more are kept: the
    /// spare place `spare`, or `None` if that is [`NONE`].
    #[inline(always)]
    pub(crate) fn node_within(
        &mut self,
        object: u32,
        buf: &[u8],
        from: usize,
        to: usize,
        spare: u32,
    ) -> Option<u32> {
        let key = Key::within(object, buf, from, to);
        // A path that lost its place must not be remembered by its place.
        if (object as usize) < LIMIT
            && let Some(id) = self.node_table.find(&key, &self.keys)
        {
            return Some(id);
        }
        self.add_node(object, &buf[from..to], spare)
    }

    /// The same of a key by itself.
    fn node(&mut self, object: u32, key: &[u8], spare: u32) -> Option<u32> {
        self.node_within(object, key, 0, key.len(), spare)
    }

    #[inline(never)]
    fn add_node(&mut self, object: u32, key: &[u8], spare: u32) -> Option<u32> {
        let n = self.judge_key(object, key);
        let room = self.node_table.len() + 1 < LIMIT && self.keys.len() < LIMIT * 256;
        if (object as usize) < LIMIT && room {
            let at = self.keys.len() as u32;
            self.keys.extend_from_slice(key);
            let id = self.node_table.len() as u32 + 1;
            self.node_table.insert(&Key::new(object, key), id, at);
            self.nodes[id as usize] = n;
            self.keep_row(id);
            return Some(id);
        }
        self.put_aside(n, spare)
    }

    /// The node of the elements of the array at `array`; `spare` as in [`node`](Self::node).
    pub(crate) fn elem_node(&mut self, array: u32, spare: u32) -> Option<u32> {
        let a = self.nodes[array as usize];
        if a.elem != NONE {
            return Some(a.elem);
        }
        let schema = self.contract().map_or(NodeId::ANY, |s| s.items(a.schema));
        let inherited = a.flags & (flag::SECRET | flag::HEADERS | flag::VALUE);
        let flags = self.schema_flags(schema) | inherited | self.rules.search;
        let mut n = Node { schema, flags, ..PLAIN };
        let globs = Arc::clone(&self.rules.globs);
        if globs.words() != 0 {
            let mut row = std::mem::take(&mut self.row);
            globs.element(self.row(array), &mut row);
            n.flags |= globs.flags(&row, &mut self.row_scratch);
            self.row = row;
        }
        // Elements have no key: they take a place in the table, of an owner that no key has.
        if (array as usize) < LIMIT && self.node_table.len() + 1 < LIMIT {
            let id = self.node_table.len() as u32 + 1;
            self.node_table.insert(&Key::new(!array, b""), id, 0);
            self.nodes[id as usize] = n;
            self.keep_row(id);
            self.nodes[array as usize].elem = id;
            return Some(id);
        }
        self.put_aside(n, spare)
    }

    /// Puts a node that is not kept into the spare place `spare`, unless that is [`NONE`].
    fn put_aside(&mut self, n: Node, spare: u32) -> Option<u32> {
        if spare == NONE {
            return None;
        }
        let id = (LIMIT as u32) + spare;
        self.nodes[id as usize] = n;
        self.keep_row(id);
        Some(id)
    }

    /// What `key` says about its value in the object at `object`.
    fn judge_key(&mut self, object: u32, key: &[u8]) -> Node {
        let mut n = PLAIN;
        let mut scratch = std::mem::take(&mut self.scratch);
        scratch.clear();
        let plain = if key.contains(&b'\\') {
            // A key with a broken escape is malformed; the walk's report of it says so later.
            let _ = decode::unescape(key, &mut scratch, &mut decode::OffsetMap::default());
            &scratch[..]
        } else {
            key
        };
        let above = self.nodes[object as usize];
        if let Some(schema) = self.contract() {
            let p = schema.property(above.schema, plain);
            n.schema = p.node;
            n.required_bit = p.required_bit.map_or(0, |b| 1 << b);
            n.flags |= (u16::from(p.constrained) * flag::CONSTRAINED)
                | (u16::from(p.forbidden) * flag::FORBIDDEN)
                | self.schema_flags(p.node);
        }
        n.flags |= above.flags & flag::SECRET | self.rules.search;
        if self.rules.secrets.iter().any(|fields| fields.has(plain)) {
            n.flags |= flag::SECRET;
        }
        n.flags |= pair_flags(plain);
        if object == 0
            && let Some(field) = self.rules.asked.iter().position(|name| **name == *plain)
        {
            n.flags |= flag::ASKED;
            n.asked = field as u8 + 1;
        }
        n.flags |= self.step(object, plain);
        self.scratch = scratch;
        n
    }

    /// The row of the member `key` (decoded) becomes the one under judgement; what it says.
    fn step(&mut self, object: u32, key: &[u8]) -> u16 {
        let globs = Arc::clone(&self.rules.globs);
        if globs.words() == 0 {
            return 0;
        }
        let (mut row, mut scratch) =
            (std::mem::take(&mut self.row), std::mem::take(&mut self.row_scratch));
        globs.member(self.row(object), key, &mut row, &mut scratch);
        let flags = globs.flags(&row, &mut scratch);
        (self.row, self.row_scratch) = (row, scratch);
        flags
    }
}

/// Keys of name/value pairs and of header lists, as loggers of HTTP requests write them.
fn pair_flags(key: &[u8]) -> u16 {
    let is = |l: &[&str]| l.iter().any(|w| key.eq_ignore_ascii_case(w.as_bytes()));
    if is(&["name", "key", "header", "headerName", "header_name", "field"]) {
        flag::NAME
    } else if is(&["value", "val"]) {
        flag::VALUE
    } else if key.len() >= 7 && key[key.len() - 7..].eq_ignore_ascii_case(b"headers") {
        flag::HEADERS
    } else {
        0
    }
}
