//! What became of each line: outcomes, reasons, and the counts that must add up.

mod route;
mod tally;

use std::{ops::Range, sync::Arc};

use super::KeyBlock;
pub use route::{RouteCounts, RouteInfo, Run};
pub use tally::Tally;

macro_rules! reasons {
    ($($(#[$doc:meta])* $name:ident = $word:literal;)*) => {
        /// Why the engine did not forward a line. The words are stable: metric labels and dead letters
        /// use them.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
        #[repr(u8)]
        pub enum Reason { $($(#[$doc])* $name,)* }

        impl Reason {
            /// Every reason, in the order of [`Reason::index`].
            pub const ALL: &'static [Reason] = &[$(Reason::$name,)*];
            /// The stable word: `unterminated`, `schema_required`, …
            pub fn word(self) -> &'static str { match self { $(Reason::$name => $word,)* } }
        }
    };
}

reasons! {
    /// Starts with `{` and breaks RFC 8259's grammar.
    Syntax = "syntax";
    /// The line ends inside its object.
    Unterminated = "unterminated";
    /// Something follows the object on its line.
    Trailing = "trailing_data";
    /// Not valid UTF-8.
    Utf8 = "invalid_utf8";
    /// Looks like UTF-16 or UTF-32.
    Utf16 = "utf16";
    /// A raw control character inside a string.
    Control = "control_character";
    /// An escape that RFC 8259 does not have.
    Escape = "invalid_escape";
    /// A surrogate escape without its other half.
    Surrogate = "lone_surrogate";
    /// Longer than [`Limits::max_event_bytes`](super::Limits::max_event_bytes).
    Oversize = "oversize";
    /// Nested deeper than [`Limits::max_depth`](super::Limits::max_depth).
    TooDeep = "too_deep";
    /// A string or a text line contains JSON that is incomplete, and rules depend on that JSON.
    BrokenJson = "broken_json";
    /// Judging it would cost more than the event's budget: not forwarded unjudged.
    TooCostly = "too_costly";
    /// A rule whose action is `drop` matches.
    Rule = "rule";
    /// A text line, and the policy refuses text lines.
    Text = "text";
    /// A text line, and a schema is in force.
    NotJson = "not_json";
    /// An object has a key twice that the schema constrains.
    DuplicateKey = "duplicate_key";
    /// Keyword `type`.
    Type = "schema_type";
    /// Keyword `required`.
    Required = "schema_required";
    /// Keyword `additionalProperties`.
    AdditionalProperties = "schema_additional_properties";
    /// Keyword `enum`.
    Enum = "schema_enum";
    /// Keyword `const`.
    Const = "schema_const";
    /// Keyword `pattern`.
    Pattern = "schema_pattern";
    /// Keyword `format`.
    Format = "schema_format";
    /// Keyword `minimum`.
    Minimum = "schema_minimum";
    /// Keyword `maximum`.
    Maximum = "schema_maximum";
    /// Keyword `minLength`.
    MinLength = "schema_min_length";
    /// Keyword `maxLength`.
    MaxLength = "schema_max_length";
}

impl Reason {
    /// Its place in [`Reason::ALL`].
    pub fn index(self) -> usize {
        self as usize
    }

    /// The JSON Schema keyword that refused the event, if a schema did.
    pub fn keyword(self) -> Option<&'static str> {
        Some(match self {
            Reason::Type => "type",
            Reason::Required => "required",
            Reason::AdditionalProperties => "additionalProperties",
            Reason::Enum => "enum",
            Reason::Const => "const",
            Reason::Pattern => "pattern",
            Reason::Format => "format",
            Reason::Minimum => "minimum",
            Reason::Maximum => "maximum",
            Reason::MinLength => "minLength",
            Reason::MaxLength => "maxLength",
            _ => return None,
        })
    }

    /// Whether the line is dropped because a rule asks for that: nothing is wrong with it.
    pub fn is_intentional(self) -> bool {
        self == Reason::Rule
    }

    /// Whether a schema refused a line that was otherwise sound (a violation, not malformed).
    pub fn is_violation(self) -> bool {
        self.keyword().is_some() || matches!(self, Reason::DuplicateKey | Reason::NotJson)
    }
}

/// What a [`Reject`] carries of its line. Never raw text that was not judged.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Payload {
    /// Nothing (payloads are off, or the line was over the size limit).
    None,
    /// The redacted event, or the redacted text line.
    Redacted,
    /// The shape of what could not be parsed: letters → `x`, digits → `0`, the rest kept.
    Shape,
}

/// What is known of a rejected line beyond the reason.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Detail {
    /// It begins with `{'`, as a Python dictionary does.
    PythonDict,
    /// The event fits the schema, and its redacted form does not.
    RedactionBreaksSchema,
}

/// A line that was not forwarded. `R` is the reason: the engine's, or that of a layer above it.
#[derive(Debug, Clone)]
pub struct Reject<R = Reason> {
    /// Why.
    pub reason: R,
    /// Which line of the chunk, from 0.
    pub line: u32,
    /// Where the line starts in the chunk's data, in bytes.
    pub offset: u32,
    /// The line's length in bytes, without its line end.
    pub len: u32,
    /// JSON pointer (RFC 6901) to the value that a schema refused, itself redacted; else empty.
    pub pointer: String,
    /// The first field that the object at `pointer` lacks and the schema requires; else empty. It
    /// is the schema's word, not the event's.
    pub missing: String,
    /// What is known beyond the reason.
    pub detail: Option<Detail>,
    /// Where in the line the parser stopped, in bytes (0 where that says nothing).
    pub at: u32,
    /// What `body` holds.
    pub payload: Payload,
    /// A range of [`Output::bodies`].
    pub body: Range<usize>,
    /// The lines of the chunk that were joined with it, as ranges of its data.
    pub joined: Vec<Range<u32>>,
    /// The route that it took, of [`Output::routes`].
    pub route: u16,
}

impl<R> Reject<R> {
    /// One of which nothing is kept.
    pub fn of(reason: impl Into<R>, line: u32) -> Self {
        Self {
            reason: reason.into(),
            line,
            offset: 0,
            len: 0,
            pointer: String::new(),
            missing: String::new(),
            detail: None,
            at: 0,
            payload: Payload::None,
            body: 0..0,
            joined: Vec::new(),
            route: 0,
        }
    }

    /// The same for the reason that `reason` makes of this one's.
    pub fn map<S>(self, reason: impl FnOnce(R) -> S) -> Reject<S> {
        Reject {
            reason: reason(self.reason),
            line: self.line,
            offset: self.offset,
            len: self.len,
            pointer: self.pointer,
            missing: self.missing,
            detail: self.detail,
            at: self.at,
            payload: self.payload,
            body: self.body,
            joined: self.joined,
            route: self.route,
        }
    }
}

/// Takes counts with their memory, all of them 0.
pub(crate) fn zeroed(counts: &mut Vec<u64>) -> Vec<u64> {
    counts.fill(0);
    std::mem::take(counts)
}

/// Adds counts that stand at the same places.
pub(crate) fn add(all: &mut Vec<u64>, more: &[u64]) {
    if all.len() < more.len() {
        all.resize(more.len(), 0);
    }
    all.iter_mut().zip(more).for_each(|(n, more)| *n += more);
}

/// What [`Engine::process`](super::Engine::process) made of a chunk. Reused from chunk to chunk.
#[derive(Debug, Default)]
pub struct Output {
    /// What may be forwarded: whole lines.
    pub clean: Vec<u8>,
    /// What was not forwarded, in the order of the input. Without bodies only the first of each
    /// reason; the tally counts all.
    pub rejects: Vec<Reject>,
    /// The bodies that `rejects` point into.
    pub bodies: Vec<u8>,
    /// The routes of the plan, the default first.
    pub routes: Arc<[RouteInfo]>,
    /// Which route lines took, in their order, if there are any.
    pub runs: Vec<Run>,
    /// The private key that is open after the last line.
    pub key_block: KeyBlock,
    /// The counts.
    pub tally: Tally,
}

impl Output {
    /// Forgets the last chunk, keeps the memory.
    pub fn clear(&mut self) {
        self.clean.clear();
        self.rejects.clear();
        self.bodies.clear();
        self.routes = Arc::default();
        self.runs.clear();
        self.key_block = KeyBlock::default();
        self.tally.clear();
    }
}
