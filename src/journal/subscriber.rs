//! The subscriber that writes log lines, with a limit to their rate.

use std::{
    sync::{Mutex, MutexGuard, PoisonError},
    time::Instant,
};

use tracing::{
    Level, Metadata, Subscriber,
    field::{Field, Visit},
    span,
};

use super::{Event, Form, TARGET, form, line::Trace, plain, rate::Rates, stderr};

/// Writes log lines to [standard error](super::stderr).
pub(super) struct Journal {
    started: Instant,
    rates: Mutex<Rates>,
}

impl Journal {
    pub(super) fn new() -> Self {
        Self { started: Instant::now(), rates: Mutex::default() }
    }

    fn rates(&self) -> MutexGuard<'_, Rates> {
        self.rates.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Subscriber for Journal {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        metadata.target() == TARGET && *metadata.level() <= Level::INFO
    }

    fn event(&self, event: &tracing::Event<'_>) {
        let mut recorded = Recorded::default();
        event.record(&mut recorded);
        let Some(event) = Event::ALL.iter().find(|event| event.name() == recorded.event) else {
            return;
        };
        let Some(passed_over) = self.rates().pass(*event, self.started.elapsed()) else { return };
        let line = match form() {
            Form::Plain => plain(&recorded.message),
            Form::Json => {
                let trace = Trace::of_this_run();
                trace.line(*event, &recorded.message, passed_over, &recorded.fields)
            }
        };
        stderr::write(&line);
    }

    // There are no spans here.
    fn new_span(&self, _: &span::Attributes<'_>) -> span::Id {
        span::Id::from_u64(1)
    }
    fn record(&self, _: &span::Id, _: &span::Record<'_>) {}
    fn record_follows_from(&self, _: &span::Id, _: &span::Id) {}
    fn enter(&self, _: &span::Id) {}
    fn exit(&self, _: &span::Id) {}
}

#[derive(Default)]
struct Recorded {
    event: String,
    message: String,
    /// One JSON object.
    fields: String,
}

impl Visit for Recorded {
    fn record_str(&mut self, field: &Field, value: &str) {
        match field.name() {
            "event" => value.clone_into(&mut self.event),
            "fields" => value.clone_into(&mut self.fields),
            _ => {}
        }
    }

    fn record_debug(&mut self, field: &Field, value: &dyn std::fmt::Debug) {
        if field.name() == "message" {
            self.message = format!("{value:?}");
        }
    }
}
