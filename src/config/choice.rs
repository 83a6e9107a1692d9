//! What can be chosen, by a flag or in the file.

use clap::ValueEnum;

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
