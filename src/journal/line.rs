//! A log line as JSON, in the form of the schema `service-log`.

use std::{
    hash::{BuildHasher as _, RandomState},
    sync::OnceLock,
};

use jiff::Timestamp;
use serde_json::{Map, Value, json};

use super::{Event, Fields, Severity, visible};

/// Identifies the lines of one run ([W3C Trace Context](https://www.w3.org/TR/trace-context/)).
pub(super) struct Trace {
    trace_id: String,
    span_id: String,
}

static TRACE: OnceLock<Trace> = OnceLock::new();

impl Trace {
    /// Returns the trace of this process.
    pub(super) fn of_this_run() -> &'static Self {
        // The hasher's keys are random. Nothing depends on these numbers being secret.
        let number = |n: u64| RandomState::new().hash_one(n) | 1;
        TRACE.get_or_init(|| Self {
            trace_id: format!("{:016x}{:016x}", number(1), number(2)),
            span_id: format!("{:016x}", number(3)),
        })
    }

    /// Formats one line.
    pub(super) fn line(
        &self,
        event: Event,
        message: &str,
        passed_over: u64,
        fields: &str,
    ) -> String {
        let mut line = self.head(event, event.severity());
        line.insert("message".into(), message.into());
        if passed_over > 0 {
            line.insert("passed_over".into(), passed_over.into());
        }
        if let Ok(Value::Object(more)) = serde_json::from_str(fields) {
            line.extend(more);
        }
        format!("{}\n", Value::Object(line))
    }

    /// Formats one line with the keys of an object.
    pub(super) fn with_keys(&self, event: Event, severity: Severity, object: &str) -> String {
        let mut line = self.head(event, severity);
        if let Ok(Value::Object(more)) = serde_json::from_str(object) {
            line.extend(more);
        }
        format!("{}\n", Value::Object(line))
    }

    fn head(&self, event: Event, severity: Severity) -> Map<String, Value> {
        // With a precision of milliseconds.
        let now = Timestamp::now();
        let now = Timestamp::from_millisecond(now.as_millisecond()).unwrap_or(now);
        let head = json!({
            "timestamp": format!("{now:.3}"),
            "level": severity.name(),
            "service": "tamis",
            "trace_id": self.trace_id,
            "span_id": self.span_id,
            "event": event.name(),
        });
        match head {
            Value::Object(head) => head,
            _ => Map::new(),
        }
    }
}

/// Returns fields as one JSON object, or nothing if there are none. Text from outside is escaped as
/// in the message.
pub(super) fn object(fields: Fields<'_>) -> String {
    if fields.is_empty() {
        return String::new();
    }
    let shown = |value: &Value| match value {
        Value::String(text) => visible(text).into(),
        value => value.clone(),
    };
    let fields = fields.iter().map(|(name, value)| ((*name).to_owned(), shown(value)));
    Value::Object(fields.collect()).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_has_the_shape_of_the_shipped_schema() {
        let trace = Trace::of_this_run();
        let fields = object(&[("reason", "gone".into()), ("offset", 7.into())]);
        let line = trace.line(Event::InputFailed, "a \"b\"\n: no such file", 3, &fields);
        let value: Value = serde_json::from_str(&line).unwrap();
        assert_eq!(value["message"], "a \"b\"\n: no such file");
        assert_eq!((&value["passed_over"], &value["level"]), (&3.into(), &"error".into()));
        assert_eq!((&value["reason"], &value["offset"]), (&"gone".into(), &7.into()));
        assert_eq!(value["trace_id"].as_str().unwrap().len(), 32);
        assert_eq!(value["span_id"].as_str().unwrap().len(), 16);
        let timestamp = value["timestamp"].as_str().unwrap();
        assert_eq!((timestamp.len(), &timestamp[19..20]), (24, "."), "{timestamp}");
        assert_eq!(line.matches('\n').count(), 1);
        let ended = trace.with_keys(Event::RunEnded, Severity::Fatal, "{\"read\":7}\n");
        let value: Value = serde_json::from_str(&ended).unwrap();
        assert_eq!((&value["read"], &value["event"]), (&7.into(), &"run_ended".into()));
        assert_eq!(value["level"], "fatal");
    }
}
