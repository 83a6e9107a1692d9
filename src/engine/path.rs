//! Where in the object the walk is: one home for fields, duplicates, rules by key, and pairs.
//!
//! A **node** stands for a path (`user.address.city`): its schema node and what its key says. A
//! **state** stands for the keys of an object so far (a hidden class): the next key of an event
//! that looks like the last one is predicted by one compare, and the state knows which required
//! fields are still missing and which keys stand twice. States and nodes are capped; streams
//! whose keys come in random order are walked by nodes alone.

pub(crate) mod locate;
mod table;
pub(crate) mod words;

use std::sync::Arc;

use super::decode;
use super::schema::{NodeId, Schema};
use table::Table;
use words::Fields;

/// Bits that say what is to be done with a value. 0 for nearly all.
pub(crate) mod flag {
    /// The schema looks at the value.
    pub(crate) const CHECK: u16 = 1;
    /// The schema does not allow the field.
    pub(crate) const FORBIDDEN: u16 = 2;
    /// The schema names the field.
    pub(crate) const CONSTRAINED: u16 = 4;
    /// The field stands twice, and the schema names it.
    pub(crate) const TWICE: u16 = 8;
    /// A rule by key: the value is a secret, whatever it looks like.
    pub(crate) const SECRET: u16 = 16;
    /// `"name": …` of a name/value pair.
    pub(crate) const NAME: u16 = 32;
    /// `"value": …` of a name/value pair.
    pub(crate) const VALUE: u16 = 64;
    /// An array of headers, in which a name stands before its value.
    pub(crate) const HEADERS: u16 = 128;
    /// The walk reports the value whatever it holds.
    pub(crate) const REPORT: u16 = SECRET | NAME | VALUE | HEADERS;
    /// The walk compares a container with the schema's `enum` or `const` when it closes.
    pub(crate) const COMPARE: u16 = 256;
}

/// The most states, and the most nodes, that are kept.
pub(crate) const LIMIT: usize = 2048;
/// No state, no node.
pub(crate) const NONE: u32 = u32::MAX;

/// What decides about keys.
#[derive(Clone, Default)]
pub(crate) struct Rules {
    pub(crate) schema: Option<Arc<Schema>>,
    pub(crate) secrets: Fields,
}

/// A path.
#[derive(Clone, Copy)]
pub(crate) struct Node {
    pub(crate) schema: NodeId,
    pub(crate) flags: u16,
    pub(crate) required_bit: u64,
    elem: u32,
}

const PLAIN: Node = Node { schema: NodeId::ANY, flags: 0, required_bit: 0, elem: NONE };

/// The keys of an object so far.
pub(crate) struct State {
    /// `"key":`, the first 32 bytes.
    key: [u64; 4],
    mask: [u64; 4],
    /// Length of `"key":`; 0 for the state before an object's first key.
    pub(crate) len: u32,
    /// The state that followed last time.
    pub(crate) next: u32,
    /// Before the first key of the object that is this key's value.
    pub(crate) child: u32,
    /// Of the elements of the array that is this key's value.
    pub(crate) elem: u32,
    before: u32,
    object: u32,
    pub(crate) node: u32,
    pub(crate) flags: u16,
    /// Whether the schema's required fields are not all there yet.
    pub(crate) incomplete: bool,
    seen: u64,
    /// Where the whole `"key":` stands in `Paths::keys`, if it is longer than 32 bytes.
    long: u32,
}

/// Nodes and states of one worker.
pub(crate) struct Paths {
    rules: Rules,
    pub(crate) states: Vec<State>,
    state_table: Table,
    pub(crate) nodes: Vec<Node>,
    node_table: Table,
    keys: Vec<u8>,
    scratch: Vec<u8>,
}

/// The state before the first key of an event.
pub(crate) const ROOT: u32 = 0;

impl Paths {
    pub(crate) fn new(rules: Rules, max_depth: usize) -> Self {
        let mut p = Self {
            rules,
            states: Vec::new(),
            state_table: Table::default(),
            nodes: Vec::new(),
            node_table: Table::default(),
            keys: Vec::new(),
            scratch: Vec::new(),
        };
        p.nodes.reserve(LIMIT + max_depth + 2);
        p.reset(max_depth);
        p
    }

    /// Forgets everything learnt: streams change.
    pub(crate) fn reset(&mut self, max_depth: usize) {
        self.states.clear();
        self.state_table.clear();
        self.node_table.clear();
        self.keys.clear();
        self.nodes.clear();
        // The places behind LIMIT are for paths that no longer fit, one for each depth.
        self.nodes.resize(LIMIT + max_depth + 2, PLAIN);
        let root = self.rules.schema.as_ref().map_or(NodeId::ANY, |s| s.root());
        self.nodes[0] = Node { schema: root, flags: self.schema_flags(root), ..PLAIN };
        let state = self.fresh(0);
        self.states.push(state);
    }

    pub(crate) fn schema(&self) -> Option<&Schema> {
        self.rules.schema.as_deref()
    }

    fn schema_flags(&self, n: NodeId) -> u16 {
        let Some(s) = self.schema() else { return 0 };
        u16::from(s.checks(n)) * flag::CHECK | u16::from(s.compares_containers(n)) * flag::COMPARE
    }

    /// The mask of required fields of the object at `node`.
    pub(crate) fn required(&self, node: u32) -> u64 {
        self.schema().map_or(0, |s| s.required(self.nodes[node as usize].schema))
    }

    /// A state before the first key of the object at `node`, or of the elements at `node`.
    fn fresh(&self, node: u32) -> State {
        State {
            key: [0; 4],
            mask: [0; 4],
            len: 0,
            next: NONE,
            child: NONE,
            elem: NONE,
            before: NONE,
            object: node,
            node,
            flags: self.nodes[node as usize].flags,
            incomplete: self.required(node) != 0,
            seen: 0,
            long: NONE,
        }
    }

    /// The length of `"key":` at `at` if it is the key that followed `state` last time.
    #[inline(always)]
    pub(crate) fn predicted(&self, state: u32, buf: &[u8], at: usize) -> Option<(u32, usize)> {
        let next = self.states[state as usize].next;
        let s = self.states.get(next as usize)?;
        let w = buf[at..at + 32].as_chunks::<8>().0;
        let differ = (0..4).fold(0, |d, i| {
            d | (u64::from_le_bytes(w[i]) ^ s.key[i]) & s.mask[i]
        });
        if differ != 0 {
            return None;
        }
        let len = s.len as usize;
        if s.long != NONE {
            let whole = &self.keys[s.long as usize..s.long as usize + len];
            if buf.get(at..at + len) != Some(whole) {
                return None;
            }
        }
        Some((next, len))
    }

    /// The state after `key` (raw, without quotes) behind `from`; `None` when no more are kept.
    #[inline(never)]
    pub(crate) fn next(&mut self, from: u32, key: &[u8]) -> Option<u32> {
        let hash = table::hash(from, key);
        let (states, keys) = (&self.states, &self.keys);
        let found = self.state_table.find(hash, |id| {
            let s = &states[id as usize];
            s.before == from && s.len as usize == key.len() + 3 && s.raw_key(keys) == key
        });
        let id = match found {
            Some(id) => id,
            None => self.add_state(from, key, hash)?,
        };
        self.states[from as usize].next = id;
        Some(id)
    }

    fn add_state(&mut self, from: u32, key: &[u8], hash: u64) -> Option<u32> {
        if self.states.len() >= LIMIT || self.keys.len() > LIMIT * 256 {
            return None;
        }
        let (object, seen) = {
            let s = &self.states[from as usize];
            (s.object, s.seen)
        };
        let node = self.node(object, key, NONE)?;
        let mut s = self.fresh(node);
        s.object = object;
        s.before = from;
        s.len = key.len() as u32 + 3;
        s.seen = seen | self.nodes[node as usize].required_bit;
        s.incomplete = self.required(object) & !s.seen != 0;
        if s.flags & flag::CONSTRAINED != 0 && self.stands_before(from, node) {
            s.flags |= flag::TWICE;
        }
        s.long = self.keys.len() as u32;
        self.keys.push(b'"');
        self.keys.extend_from_slice(key);
        self.keys.extend_from_slice(b"\":");
        let whole = &self.keys[s.long as usize..];
        let mut head = [0u8; 32];
        let mut mask = [0u8; 32];
        let n = whole.len().min(32);
        head[..n].copy_from_slice(&whole[..n]);
        mask[..n].fill(0xff);
        let words = |a: &[u8; 32]| std::array::from_fn(|i| {
            u64::from_le_bytes(a.as_chunks::<8>().0[i])
        });
        s.key = words(&head);
        s.mask = words(&mask);
        if whole.len() <= 32 {
            self.keys.truncate(s.long as usize);
            s.long = NONE;
        }
        let id = self.states.len() as u32;
        self.states.push(s);
        self.state_table.insert(hash, id);
        Some(id)
    }

    fn stands_before(&self, mut state: u32, node: u32) -> bool {
        while state != NONE {
            let s = &self.states[state as usize];
            if s.len != 0 && s.node == node {
                return true;
            }
            state = s.before;
        }
        false
    }

    /// The state before the first key of the object that is `of`'s value.
    #[inline]
    pub(crate) fn child(&mut self, of: u32) -> Option<u32> {
        let c = self.states[of as usize].child;
        if c != NONE { Some(c) } else { self.add_inner(of, false) }
    }

    /// The state of the elements of the array that is `of`'s value.
    #[inline]
    pub(crate) fn elem(&mut self, of: u32) -> Option<u32> {
        let c = self.states[of as usize].elem;
        if c != NONE { Some(c) } else { self.add_inner(of, true) }
    }

    #[inline(never)]
    fn add_inner(&mut self, of: u32, array: bool) -> Option<u32> {
        if self.states.len() >= LIMIT {
            return None;
        }
        let mut node = self.states[of as usize].node;
        if array {
            node = self.elem_node(node, NONE)?;
        }
        let id = self.states.len() as u32;
        let s = self.fresh(node);
        self.states.push(s);
        let owner = &mut self.states[of as usize];
        *(if array { &mut owner.elem } else { &mut owner.child }) = id;
        Some(id)
    }

    /// The node of `key` in the object at `object`. When no more are kept: the spare place
    /// `spare`, or `None` if that is [`NONE`].
    pub(crate) fn node(&mut self, object: u32, key: &[u8], spare: u32) -> Option<u32> {
        // A path that lost its place must not be remembered by its place.
        let kept = (object as usize) < LIMIT;
        let hash = table::hash(object, key);
        if kept {
            let keys = &self.keys;
            if let Some(id) = self.node_table.find_key(hash, object, key, keys) {
                return Some(id);
            }
        }
        let n = self.judge_key(object, key);
        let room = self.node_table.len() + 1 < LIMIT && self.keys.len() < LIMIT * 256;
        if kept && room {
            let at = self.keys.len() as u32;
            self.keys.extend_from_slice(key);
            let id = self.node_table.len() as u32 + 1;
            self.node_table.insert_key(hash, id, object, at, key.len() as u32);
            self.nodes[id as usize] = n;
            return Some(id);
        }
        if spare == NONE {
            return None;
        }
        let id = (LIMIT as u32) + spare;
        self.nodes[id as usize] = n;
        Some(id)
    }

    /// The node of the elements of the array at `array`; `spare` as in [`node`](Self::node).
    pub(crate) fn elem_node(&mut self, array: u32, spare: u32) -> Option<u32> {
        let a = self.nodes[array as usize];
        if a.elem != NONE {
            return Some(a.elem);
        }
        let schema = self.schema().map_or(NodeId::ANY, |s| s.items(a.schema));
        let inherited = a.flags & (flag::SECRET | flag::HEADERS | flag::VALUE);
        let n = Node { schema, flags: self.schema_flags(schema) | inherited, ..PLAIN };
        // Elements have no key: an empty hash domain of their own keeps them apart.
        if (array as usize) < LIMIT && self.node_table.len() + 1 < LIMIT {
            let id = self.node_table.len() as u32 + 1;
            self.node_table.insert_key(table::hash(array, b"\0elements"), id, NONE, 0, 0);
            self.nodes[id as usize] = n;
            self.nodes[array as usize].elem = id;
            return Some(id);
        }
        if spare == NONE {
            return None;
        }
        let id = (LIMIT as u32) + spare;
        self.nodes[id as usize] = n;
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
        if let Some(schema) = self.schema() {
            let p = schema.property(above.schema, plain);
            n.schema = p.node;
            n.required_bit = p.required_bit.map_or(0, |b| 1 << b);
            n.flags |= u16::from(p.constrained) * flag::CONSTRAINED
                | u16::from(p.forbidden) * flag::FORBIDDEN
                | self.schema_flags(p.node);
        }
        n.flags |= above.flags & flag::SECRET;
        if self.rules.secrets.has(plain) {
            n.flags |= flag::SECRET;
        }
        n.flags |= pair_flags(plain);
        self.scratch = scratch;
        n
    }
}

impl State {
    /// The key without quotes and colon, if it is short; long ones are in `keys`.
    fn raw_key<'a>(&'a self, keys: &'a [u8]) -> ShortOrLong<'a> {
        if self.long != NONE {
            let at = self.long as usize;
            return ShortOrLong::Long(&keys[at + 1..at + self.len as usize - 2]);
        }
        let mut b = [0u8; 32];
        for (chunk, w) in b.as_chunks_mut::<8>().0.iter_mut().zip(self.key) {
            *chunk = w.to_le_bytes();
        }
        ShortOrLong::Short(b, self.len as usize - 2)
    }
}

enum ShortOrLong<'a> {
    Short([u8; 32], usize),
    Long(&'a [u8]),
}

impl PartialEq<[u8]> for ShortOrLong<'_> {
    fn eq(&self, o: &[u8]) -> bool {
        match self {
            Self::Short(b, end) => &b[1..*end] == o,
            Self::Long(l) => *l == o,
        }
    }
}

impl PartialEq<&[u8]> for ShortOrLong<'_> {
    fn eq(&self, o: &&[u8]) -> bool {
        self == *o
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
