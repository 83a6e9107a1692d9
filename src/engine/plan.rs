//! What a worker follows: detectors, schema and limits, compiled once and shared.

/// What becomes of a text line (a line that is not a JSON object) when no schema is in force.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum TextPolicy {
    /// Scanned, redacted, and forwarded as `{"message":"…"}`.
    #[default]
    Wrap,
    /// Not forwarded, reason `text`.
    Reject,
}

/// What becomes of IP addresses.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum IpPolicy {
    /// Left alone.
    Keep,
    /// The host part zeroed: /24 for IPv4, /48 for IPv6.
    #[default]
    Truncate,
    /// Replaced by a placeholder.
    Redact,
}

/// Bounds on one event.
#[derive(Debug, Clone, Copy)]
pub struct Limits {
    /// The longest line that is judged, in bytes without its line end.
    pub max_event_bytes: usize,
    /// The deepest nesting that is judged.
    pub max_depth: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self { max_event_bytes: 1 << 20, max_depth: 128 }
    }
}

/// What to compile.
#[derive(Debug, Clone, Default)]
pub struct Settings {
    /// Text lines.
    pub text: TextPolicy,
    /// IP addresses.
    pub ip: IpPolicy,
    /// Bounds.
    pub limits: Limits,
    /// Whether rejects carry a body (a dead letter sink is set).
    pub bodies: bool,
}

/// A detector as the outside sees it.
#[derive(Debug, Clone)]
pub struct DetectorInfo {
    /// The stable id: placeholder and metric label.
    pub id: String,
    /// The category.
    pub category: String,
    /// The pack that declares it.
    pub pack: String,
}

/// Everything compiled: shared by all workers.
pub struct Plan {
    settings: Settings,
    detectors: Vec<DetectorInfo>,
}

impl Plan {
    /// Compiles `settings`.
    pub fn compile(settings: Settings) -> Self {
        Self { settings, detectors: Vec::new() }
    }

    /// The detectors in force, in the order of [`Tally::redactions`](super::Tally::redactions).
    pub fn detectors(&self) -> &[DetectorInfo] {
        &self.detectors
    }

    /// The settings it was compiled from.
    pub fn settings(&self) -> &Settings {
        &self.settings
    }
}
