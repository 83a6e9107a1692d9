//! What the user can do about a line or a record that was not forwarded.
//!
//! Lower layers report what is wrong. Only this layer names flags, configuration keys and commands.

use crate::{
    engine::Detail,
    pipeline::{EngineReason, Reason},
};

/// Returns a short clause for a message. `missing` is the field that the schema requires and the
/// event lacks.
pub(crate) fn advice(reason: Reason, missing: &str, detail: Option<Detail>) -> String {
    if !missing.is_empty() {
        return format!("lacks `{missing}`, which the schema requires");
    }
    let advice = match (detail, reason) {
        (Some(Detail::PythonDict), _) => "looks like a Python dict: write JSON (`json.dumps`)",
        (Some(Detail::RedactionBreaksSchema), _) => {
            "after redaction, the event no longer conforms to the schema: let the schema allow \
             the placeholder, or choose another action or another value of `numbers`"
        }
        (None, Reason::Judged(reason)) => of_engine(reason),
        (None, reason) => of_pipeline(reason),
    };
    advice.into()
}

fn of_engine(reason: EngineReason) -> &'static str {
    match reason {
        EngineReason::Syntax => "the line is not one JSON object (RFC 8259)",
        EngineReason::Unterminated => {
            "the line ends inside the object; it looks pretty-printed or truncated: try `jq -c .`"
        }
        EngineReason::Trailing => {
            "other data follows the object, but Tamis reads one event per line: try `jq -c .`"
        }
        EngineReason::Utf8 => "not valid UTF-8: convert it first (`iconv -t UTF-8`)",
        EngineReason::Utf16 => "looks like UTF-16: convert it first (`iconv -f UTF-16 -t UTF-8`)",
        EngineReason::Control => {
            "a raw control character inside a string: the producer must escape it"
        }
        EngineReason::Escape => "an escape sequence that JSON does not have",
        EngineReason::Surrogate => {
            "half of a surrogate pair (`\\ud800`): the producer cut a string inside a character"
        }
        EngineReason::Oversize => "longer than --max-event-bytes",
        EngineReason::TooDeep => "nested deeper than --max-depth",
        EngineReason::BrokenJson => {
            "a string or a text line contains incomplete JSON, so a rule by path, a `drop` rule or \
             the schema cannot be applied to it"
        }
        EngineReason::TooCostly => "too many candidates to check within the event's budget",
        EngineReason::Rule => "matches a `drop` rule of the configuration",
        EngineReason::Text => "a text line, and --text drop is set",
        EngineReason::NotJson => "a text line, and the schema requires JSON events",
        EngineReason::DuplicateKey => "an object has a key twice that the schema constrains",
        EngineReason::Type => "a value has a type that the schema does not allow",
        EngineReason::Required => "a field that the schema requires is missing",
        EngineReason::AdditionalProperties => "a field that the schema does not allow",
        EngineReason::Enum => "a value that is not in the schema's list",
        EngineReason::Const => "a value other than the schema's constant",
        EngineReason::Pattern => "a string that does not match the schema's pattern",
        EngineReason::Format => "a string that is not in the schema's format",
        EngineReason::Minimum => "a number below the schema's minimum",
        EngineReason::Maximum => "a number above the schema's maximum",
        EngineReason::MinLength => "a string shorter than the schema's minimum length",
        EngineReason::MaxLength => "a string longer than the schema's maximum length",
    }
}

fn of_pipeline(reason: Reason) -> &'static str {
    match reason {
        Reason::Judged(reason) => of_engine(reason),
        Reason::Key => {
            "the record's key contains personal data or cannot be checked: set \
             `sink.pseudonym_key_file`"
        }
        Reason::TooLarge => "larger than the topic accepts: see its `max.message.bytes`",
        Reason::Refused => {
            "the topic rejects the record: an invalid timestamp, or no key where the topic is \
             compacted"
        }
        Reason::Binary => {
            "binary data (Avro, Protobuf, or a compression other than gzip and zstd): convert it \
             to JSON, or remove its topic from [source]"
        }
        Reason::Corrupt => "the compressed data is damaged or truncated",
        Reason::Expands => {
            "decompressing it needs too much memory: the limit is 256 times its length, and a \
             window of 8 MiB"
        }
        Reason::Loop => "forwarded as often as `sink.hops` allows: check for a loop between topics",
        Reason::Skipped => "skipped by an operator: see `tamis kafka skip`",
        Reason::Poison => "quarantined: the process crashed repeatedly on it",
        Reason::NoWrapper => "not in the format of the container runtime: see --input-format",
    }
}
