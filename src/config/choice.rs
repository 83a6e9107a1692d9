//! Options with a fixed set of values, for flags and for the configuration file.

use std::{fmt, time::Duration};

use clap::ValueEnum;

use super::units::{duration, shown};

/// `text`
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, ValueEnum)]
pub enum TextChoice {
    /// Forward it as {"message":"…"}
    #[default]
    Wrap,
    /// Drop it
    Drop,
    /// Keep it, redacted, in the dead letter
    DeadLetter,
}

/// `ip`
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, ValueEnum)]
pub enum IpChoice {
    /// Do not change it
    Keep,
    /// Set the host part to zero: /24 for IPv4, /48 for IPv6
    #[default]
    Truncate,
    /// Replace it with a placeholder
    Redact,
}

/// `color`
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, ValueEnum)]
pub enum ColorChoice {
    /// As the terminal and the environment allow
    #[default]
    Auto,
    /// Print the table, in colour
    Always,
    /// No colour
    Never,
}

/// `input_format`
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, ValueEnum)]
pub enum FormatChoice {
    /// The container runtime of the first line, or else JSON lines
    #[default]
    Auto,
    /// JSON lines
    Ndjson,
    /// The format of Docker's json-file driver
    Docker,
    /// The format of the Kubernetes CRI
    Cri,
    /// Text, also if a line begins with `{`
    Text,
}

/// `compress`
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum CompressChoice {
    /// gzip
    Gzip,
    /// Zstandard
    Zstd,
}

/// `numbers`
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, ValueEnum)]
pub enum NumbersChoice {
    /// null
    #[default]
    Null,
    /// 0
    Zero,
    /// The placeholder, as a string
    Placeholder,
}

/// The `action` of a rule
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum ActionChoice {
    /// Replace it with a placeholder
    Replace,
    /// Replace an IP address with its network
    Truncate,
    /// Replace its characters with stars, except some
    Mask,
    /// Replace the field with null
    Null,
    /// Remove the field
    Remove,
    /// Do not forward the event
    Drop,
    /// Count it, and change nothing
    Observe,
    /// Not a finding
    Keep,
}

/// `fsync`
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum FsyncChoice {
    /// After each write
    Always,
    /// Before input counts as delivered
    #[default]
    Acknowledged,
    /// When the operating system does it
    Never,
    /// Also at this interval
    Every(Duration),
}

impl FsyncChoice {
    /// Parses a value.
    pub fn parse(text: &str) -> Result<Self, String> {
        match text {
            "always" => Ok(Self::Always),
            "acknowledged" => Ok(Self::Acknowledged),
            "never" => Ok(Self::Never),
            _ => duration(text).map(Self::Every).map_err(|_| {
                format!(
                    "invalid value `{text}`: expected always, acknowledged, never, or a time like \
                     1s"
                )
            }),
        }
    }
}

impl fmt::Display for FsyncChoice {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Always => f.write_str("always"),
            Self::Acknowledged => f.write_str("acknowledged"),
            Self::Never => f.write_str("never"),
            Self::Every(time) => f.write_str(&shown(*time)),
        }
    }
}
