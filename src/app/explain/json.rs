//! Formats an explanation as one line of JSON. Its keys are stable.

use serde_json::{Value, json};

use super::{decoding, kind};
use crate::{
    app::{advice::advice, wording::word},
    engine::{
        Explanation,
        explain::{Candidate, Outcome},
    },
};

/// Returns one JSON object and a line end.
pub(super) fn object(e: &Explanation) -> String {
    let rejected = match &e.outcome {
        Outcome::Rejected { reason, pointer, at, missing, detail } => json!({
            "reason": reason.word(), "pointer": pointer, "at": at,
            "mend": advice((*reason).into(), missing, *detail),
        }),
        _ => Value::Null,
    };
    let line = match &e.outcome {
        Outcome::Rejected { .. } | Outcome::Blank => Value::Null,
        _ => String::from_utf8_lossy(&e.line).into(),
    };
    let mut object = json!({
        "outcome": outcome(&e.outcome),
        "rejected": rejected,
        "candidates": e.candidates.iter().map(candidate).collect::<Vec<_>>(),
        "gate_opened": e.unshaped,
        "gate_closed": e.unopened,
        "line": line,
    });
    if let Some(route) = &e.route {
        object["route"] = Value::from(&**route);
    }
    let mut text = object.to_string();
    text.push('\n');
    text
}

/// Returns the name of the outcome, as in the summary.
fn outcome(outcome: &Outcome) -> &'static str {
    match outcome {
        Outcome::Clean => "clean",
        Outcome::Redacted => "redacted",
        Outcome::Wrapped => "wrapped",
        Outcome::Blank => "blank",
        Outcome::Rejected { .. } => "rejected",
    }
}

fn candidate(c: &Candidate) -> Value {
    json!({
        "pointer": c.pointer,
        "kind": kind(c),
        "start": c.range.start,
        "end": c.range.end,
        "decoded": c.decoded.iter().map(|d| decoding(*d)).collect::<Vec<_>>(),
        "shape": c.shape,
        "detector": c.detector,
        "decision": c.refused.map_or_else(|| "found".into(), |step| word(&step)),
        "by": c.by,
        "becomes": c.becomes,
    })
}
