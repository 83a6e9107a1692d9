//! What became of each line: outcomes, reasons, and the counts that must add up.

use std::{
    ops::{AddAssign, Range},
    sync::Arc,
};

use super::KeyBlock;
use super::stays::{Stay, Stays};

macro_rules! reasons {
    ($($(#[$doc:meta])* $name:ident = $word:literal, $mend:literal;)*) => {
        /// Why a line was not forwarded. The words are stable: metric labels and dead letters use them.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
        #[repr(u8)]
        pub enum Reason { $($(#[$doc])* $name,)* }

        impl Reason {
            /// Every reason, in the order of [`Reason::index`].
            pub const ALL: &'static [Reason] = &[$(Reason::$name,)*];
            /// The stable word: `unterminated`, `schema_required`, …
            pub fn word(self) -> &'static str { match self { $(Reason::$name => $word,)* } }
            /// What the user can do about it; a short clause for standard error.
            pub fn mend(self) -> &'static str { match self { $(Reason::$name => $mend,)* } }
        }
    };
}

reasons! {
    /// Starts with `{` and breaks RFC 8259's grammar.
    Syntax = "syntax", "not one RFC 8259 object on the line";
    /// The line ends inside its object.
    Unterminated = "unterminated", "the line ends inside the object; looks pretty-printed or cut: try `jq -c .`";
    /// Something follows the object on its line.
    Trailing = "trailing_data", "something follows the object: one event a line, try `jq -c .`";
    /// Not valid UTF-8.
    Utf8 = "invalid_utf8", "not valid UTF-8: convert it first (`iconv -t UTF-8`)";
    /// Looks like UTF-16 or UTF-32.
    Utf16 = "utf16", "looks like UTF-16: convert it first (`iconv -f UTF-16 -t UTF-8`)";
    /// A raw control character inside a string.
    Control = "control_character", "a raw control character inside a string: the producer must escape it";
    /// An escape that RFC 8259 does not have.
    Escape = "invalid_escape", "an escape that JSON does not have";
    /// A surrogate escape without its other half.
    Surrogate = "lone_surrogate", "half a surrogate pair (`\\ud800`): the producer cut a string inside a character";
    /// Longer than `max_event_bytes`.
    Oversize = "oversize", "longer than --max-event-bytes";
    /// Nested deeper than `max_depth`.
    TooDeep = "too_deep", "nested deeper than --max-depth";
    /// JSON that begins in a string or a text line and is not whole, where rules depend on it.
    BrokenJson = "broken_json", "JSON begins in a string or a text line and breaks off: a rule by path, a `drop` rule or the schema cannot be held to it";
    /// Judging it would cost more than its share: not forwarded unjudged.
    TooCostly = "too_costly", "too many candidates to judge within the event's budget";
    /// A rule of the configuration, whose action is `drop`.
    Rule = "rule", "a rule of the configuration drops what holds this";
    /// A text line where text lines are not wrapped.
    Text = "text", "a text line, and --text drop is set";
    /// A text line where a schema is in force.
    NotJson = "not_json", "a text line, and the schema wants JSON events";
    /// A key that the schema constrains stands twice.
    DuplicateKey = "duplicate_key", "a key that the schema constrains stands twice";
    /// Keyword `type`.
    Type = "schema_type", "a value has another type than the schema's";
    /// Keyword `required`.
    Required = "schema_required", "a field that the schema requires is missing";
    /// Keyword `additionalProperties`.
    AdditionalProperties = "schema_additional_properties", "a field that the schema does not allow";
    /// Keyword `enum`.
    Enum = "schema_enum", "a value outside the schema's list";
    /// Keyword `const`.
    Const = "schema_const", "a value other than the schema's constant";
    /// Keyword `pattern`.
    Pattern = "schema_pattern", "a string that does not match the schema's pattern";
    /// Keyword `format`.
    Format = "schema_format", "a string that is not in the schema's format";
    /// Keyword `minimum`.
    Minimum = "schema_minimum", "a number below the schema's minimum";
    /// Keyword `maximum`.
    Maximum = "schema_maximum", "a number above the schema's maximum";
    /// Keyword `minLength`.
    MinLength = "schema_min_length", "a string shorter than the schema's minimum";
    /// Keyword `maxLength`.
    MaxLength = "schema_max_length", "a string longer than the schema's maximum";
    /// A record's key that may not be seen, where nothing makes a pseudonym of it.
    Key = "personal_key", "the key holds personal data, or cannot be judged: set `sink.pseudonym_key_file`";
    /// The sink's topic does not take a record as long as this.
    TooLarge = "too_large", "longer than the topic takes: see its `max.message.bytes`";
    /// The sink's topic does not take this record.
    Refused = "refused", "the topic refuses it: an invalid timestamp, or no key where it is compacted";
    /// A value that is no text.
    Binary = "binary", "Avro, Protobuf, or compressed in another way than gzip and zstd: convert it to JSON, or leave its topic out";
    /// A compressed value that cannot be decompressed.
    Corrupt = "corrupt", "compressed, and damaged or cut short";
    /// A compressed value that would take too much room.
    Expands = "expands", "compressed beyond what is opened: 256 times its length, or a window of 8 MiB";
    /// A record that goes in a circle.
    Loop = "loop", "forwarded as often as `sink.hops` allows: does it go in a circle?";
    /// An operator had it skipped.
    Skipped = "skipped", "an operator had it skipped: see `tamis kafka skip`";
    /// The process died whenever it judged this.
    Poison = "poison", "runs died of it: it is not judged any more";
    /// Not a line of the container runtime's.
    NoWrapper = "no_wrapper", "not a line that the container runtime writes: see --input-format";
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

    /// Whether the line goes because somebody wants lines like it to go: nothing is wrong with it.
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

/// A line that was not forwarded.
#[derive(Debug, Clone)]
pub struct Reject {
    /// Why.
    pub reason: Reason,
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
    /// What the user can do about it: [`Reason::mend`], or more where more is known.
    pub mend: &'static str,
    /// Where in the line the parser stopped, in bytes (0 where that says nothing).
    pub at: u32,
    /// What `body` holds.
    pub payload: Payload,
    /// A range of [`Output::bodies`].
    pub body: Range<usize>,
    /// The lines of the chunk that were joined with it, as ranges of its data.
    pub joined: Vec<Range<u32>>,
}

impl Reject {
    /// One of which nothing is kept.
    pub fn of(reason: Reason, line: u32) -> Self {
        Self {
            reason,
            line,
            offset: 0,
            len: 0,
            pointer: String::new(),
            missing: String::new(),
            mend: reason.mend(),
            at: 0,
            payload: Payload::None,
            body: 0..0,
            joined: Vec::new(),
        }
    }

    /// What the user can do about it, in words.
    pub fn advice(&self) -> String {
        if self.missing.is_empty() {
            self.mend.into()
        } else {
            format!("lacks `{}`, which the schema requires", self.missing)
        }
    }
}

/// Counts of one chunk, or of many added up.
///
/// `read` lines or records end in exactly one of the outcomes: `read == clean + redacted + wrapped +
/// blank + tombstones + joined + Σ stay + Σ rejected`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tally {
    /// Lines read.
    pub read: u64,
    /// Events forwarded byte for byte.
    pub clean: u64,
    /// Events forwarded with edits.
    pub redacted: u64,
    /// Text lines forwarded as `{"message":"…"}`.
    pub wrapped: u64,
    /// Empty lines, skipped.
    pub blank: u64,
    /// Records without a value, forwarded.
    pub tombstones: u64,
    /// Pieces of a line that a container runtime cut, behind the first one, which is counted for all.
    pub joined: u64,
    /// Dead letters that are read again and stay where they are, by [`Stays::index`].
    pub stay: Stay,
    /// Lines not forwarded, by [`Reason::index`].
    pub rejected: [u64; Reason::ALL.len()],
    /// Redactions by detector, in the order of [`Plan::detectors`](super::Plan::detectors).
    pub redactions: Vec<u64>,
    /// What rules only count, in the same order.
    pub observed: Vec<u64>,
    /// How often each entry of the allow-list and each rule decided, in the order of
    /// [`Plan::policy`](super::Plan::policy).
    pub hits: Vec<u64>,
    /// Lines of which bytes before their event were removed: a byte order mark, NUL or a record
    /// separator. They are counted as redacted, too, unless they are rejected.
    pub prefixes: u64,
    /// Bytes of input judged, line ends included.
    pub bytes_in: u64,
    /// Bytes forwarded.
    pub bytes_out: u64,
}

// No array as long as that of reasons has a default of its own.
impl Default for Tally {
    fn default() -> Self {
        Self {
            read: 0,
            clean: 0,
            redacted: 0,
            wrapped: 0,
            blank: 0,
            tombstones: 0,
            joined: 0,
            stay: [0; Stays::ALL.len()],
            rejected: [0; Reason::ALL.len()],
            redactions: Vec::new(),
            observed: Vec::new(),
            hits: Vec::new(),
            prefixes: 0,
            bytes_in: 0,
            bytes_out: 0,
        }
    }
}

impl Tally {
    /// All lines that were not forwarded.
    pub fn rejected_total(&self) -> u64 {
        self.rejected.iter().sum()
    }

    /// Of these, lines that the configuration drops on purpose.
    pub fn intentional(&self) -> u64 {
        let all = Reason::ALL.iter().filter(|reason| reason.is_intentional());
        all.map(|reason| self.rejected[reason.index()]).sum()
    }

    /// All letters that stay.
    pub fn stay_total(&self) -> u64 {
        self.stay.iter().sum()
    }

    /// Lines and records forwarded.
    pub fn forwarded(&self) -> u64 {
        self.clean + self.redacted + self.wrapped + self.tombstones
    }

    /// Takes over what was counted: observations and hits.
    pub(crate) fn observe(&mut self, observations: &mut [u64], hits: &mut [u64]) {
        add(&mut self.observed, observations);
        add(&mut self.hits, hits);
        observations.fill(0);
        hits.fill(0);
    }

    /// Adds what was found and decided in the lines of `other`, and not the lines.
    pub fn add_findings(&mut self, other: &Self) {
        add(&mut self.redactions, &other.redactions);
        add(&mut self.observed, &other.observed);
        add(&mut self.hits, &other.hits);
    }

    /// `read` minus every outcome; 0 unless the program has a bug.
    pub fn unaccounted(&self) -> i64 {
        self.read as i64
            - (self.forwarded()
                + self.blank
                + self.joined
                + self.stay_total()
                + self.rejected_total()) as i64
    }
}

impl AddAssign<&Tally> for Tally {
    fn add_assign(&mut self, o: &Tally) {
        self.read += o.read;
        self.clean += o.clean;
        self.redacted += o.redacted;
        self.wrapped += o.wrapped;
        self.blank += o.blank;
        self.tombstones += o.tombstones;
        self.joined += o.joined;
        self.prefixes += o.prefixes;
        self.bytes_in += o.bytes_in;
        self.bytes_out += o.bytes_out;
        let counts = self.rejected.iter_mut().zip(&o.rejected);
        counts.chain(self.stay.iter_mut().zip(&o.stay)).for_each(|(a, b)| *a += b);
        self.add_findings(o);
    }
}

fn add(all: &mut Vec<u64>, more: &[u64]) {
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
    /// The schema that lines were judged by, by name.
    pub schema: Option<Arc<str>>,
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
        self.schema = None;
        self.key_block = KeyBlock::default();
        let kept = |counts: &mut Vec<u64>| {
            counts.fill(0);
            std::mem::take(counts)
        };
        let tally = &mut self.tally;
        let redactions = kept(&mut tally.redactions);
        let (observed, hits) = (kept(&mut tally.observed), kept(&mut tally.hits));
        self.tally = Tally { redactions, observed, hits, ..Tally::default() };
    }
}
