//! What becomes of a finding.

use serde::Deserialize;

/// What becomes of a finding. A pack declares `replace` or `truncate` for a detector; a rule of the
/// policy can name any of them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Action {
    /// A placeholder, `[REDACTED:id]`; a number: see [`Numbers`](crate::engine::policy::Numbers).
    #[default]
    Replace,
    /// An IP address with its host part zeroed.
    Truncate,
    /// A pseudonym, `[HMAC:id:…]`: the same for the same value. A number: see
    /// [`Numbers`](crate::engine::policy::Numbers).
    #[serde(skip)]
    Hmac {
        /// The number of its keys in [`Policy::keys`](crate::engine::policy::Policy::keys).
        key: u16,
    },
    /// `*` for each character but some, which are at most half of them.
    #[serde(skip)]
    Mask {
        /// Characters that stay at the start.
        first: u16,
        /// Characters that stay at the end.
        last: u16,
    },
    /// The field that holds it becomes `null`.
    #[serde(skip)]
    Null,
    /// The field that holds it is removed; an array's element becomes `null`.
    #[serde(skip)]
    Remove,
    /// The event is not forwarded.
    #[serde(skip)]
    Drop,
    /// It is counted, and nothing changes.
    #[serde(skip)]
    Observe,
    /// It is no finding.
    #[serde(skip)]
    Keep,
}
