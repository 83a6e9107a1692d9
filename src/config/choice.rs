//! What can be chosen, by a flag or in the file.

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
    /// Leave it alone
    Keep,
    /// Zero the host part: /24 for IPv4, /48 for IPv6
    #[default]
    Truncate,
    /// Replace it by a placeholder
    Redact,
}

/// `color`
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, ValueEnum)]
pub enum ColorChoice {
    /// As the terminal and the environment say
    #[default]
    Auto,
    /// Colour, and the layout for people
    Always,
    /// No colour
    Never,
}

/// `input_format`
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, ValueEnum)]
pub enum FormatChoice {
    /// What the first line of an input is: of a container runtime, or JSON lines
    #[default]
    Auto,
    /// JSON lines
    Ndjson,
    /// Docker's json-file
    Docker,
    /// The Kubernetes CRI's
    Cri,
    /// Text, whatever a line begins with
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
    /// A placeholder
    Replace,
    /// The network of an IP address
    Truncate,
    /// Stars, but for some characters
    Mask,
    /// null in place of the field
    Null,
    /// The field goes
    Remove,
    /// The event is not forwarded
    Drop,
    /// Counted, and nothing changes
    Observe,
    /// No finding
    Keep,
}

/// `fsync`
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum FsyncChoice {
    /// After each write
    Always,
    /// Before anything is acknowledged
    #[default]
    Acknowledged,
    /// When the system pleases
    Never,
    /// Also this often
    Every(Duration),
}

impl FsyncChoice {
    /// Reads what was written.
    pub fn parse(text: &str) -> Result<Self, String> {
        match text {
            "always" => Ok(Self::Always),
            "acknowledged" => Ok(Self::Acknowledged),
            "never" => Ok(Self::Never),
            _ => duration(text).map(Self::Every).map_err(|_| {
                format!("not `{text}`: it takes always, acknowledged, never, or a time like 1s")
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
