//! File names with placeholders: `logs/{service}/{level}-{%Y-%m-%d}.ndjson`.
//!
//! A value can be anything that was logged, so only letters, digits, `.`, `_` and `-` are kept;
//! every other byte becomes `%2F` and the like. No part of a name can be empty, begin with a dot,
//! or be longer than file systems allow, whatever the values are.

use std::path::{Path, PathBuf};

use jiff::Timestamp;

use super::fields::look_up;

/// Stands for a value that is missing or not a scalar.
const NOTHING: &str = "_";
/// Stands for all values if there are too many.
const OTHER: &str = "_other";
/// The maximum length of a part of a name: file systems allow 255 bytes, and rotation needs some.
const LONGEST: usize = 200;
/// How much of a value is kept at least.
const SHORTEST: usize = 8;

/// A file name with placeholders.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Template {
    /// The fixed folder.
    folder: PathBuf,
    /// The parts below the folder.
    parts: Vec<Vec<Piece>>,
    /// The paths of the fields.
    fields: Vec<String>,
    times: Vec<String>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Piece {
    Text(String),
    Field(usize),
    Time(usize),
}

/// The parts of a name; the last is the file's.
pub(super) type Name = Vec<String>;

impl Template {
    /// Parses `text`; literal braces are doubled. The error contains the problem and the fix.
    pub fn parse(text: &str) -> Result<Self, String> {
        let mut template =
            Self { folder: PathBuf::new(), parts: Vec::new(), fields: Vec::new(), times: vec![] };
        let mut parts = vec![vec![]];
        let mut rest = text;
        while !rest.is_empty() {
            let piece = if let Some(more) = rest.strip_prefix("{{") {
                rest = more;
                Piece::Text("{".into())
            } else if let Some(more) = rest.strip_prefix("}}") {
                rest = more;
                Piece::Text("}".into())
            } else if let Some(more) = rest.strip_prefix('{') {
                let (name, more) =
                    more.split_once('}').ok_or("`{` without `}`: write {{ for a literal {")?;
                rest = more;
                template.filled_in(name)?
            } else if let Some(more) = rest.strip_prefix('/') {
                rest = more;
                parts.push(vec![]);
                continue;
            } else {
                let end = rest.find(['{', '}', '/']).unwrap_or(rest.len()).max(1);
                let (plain, more) = rest.split_at(end);
                rest = more;
                Piece::Text(plain.into())
            };
            if let Some(last) = parts.last_mut() {
                last.push(piece);
            }
        }
        let is_text = |part: &Vec<Piece>| part.iter().all(|piece| matches!(piece, Piece::Text(_)));
        let last = parts.len() - 1;
        let fixed = parts.iter().position(|part| !is_text(part)).unwrap_or(last).min(last);
        let folder: Vec<_> = parts[..fixed].iter().map(|part| text_of(part)).collect();
        template.folder = match folder.join("/") {
            root if root.is_empty() && fixed > 0 => "/".into(),
            folder => folder.into(),
        };
        template.parts = parts.split_off(fixed);
        template.judge()?;
        Ok(template)
    }

    /// A name without placeholders.
    pub fn fixed(path: &Path) -> Result<Self, String> {
        let name = path.file_name().and_then(|name| name.to_str());
        let name = name.ok_or("the name of a log must be a file name in UTF-8")?;
        let folder = path.parent().map(Path::to_path_buf).unwrap_or_default();
        let parts = vec![vec![Piece::Text(name.to_owned())]];
        let template = Self { folder, parts, fields: Vec::new(), times: Vec::new() };
        template.judge().map(|()| template)
    }

    fn filled_in(&mut self, name: &str) -> Result<Piece, String> {
        if !name.starts_with('%') {
            if name.is_empty() || name.split('.').any(str::is_empty) {
                return Err(format!(
                    "{{{name}}} is not a field name: write {{service}} or {{http.host}}"
                ));
            }
            self.fields.push(name.to_owned());
            return Ok(Piece::Field(self.fields.len() - 1));
        }
        if time(name, Timestamp::UNIX_EPOCH).is_none() {
            return Err(format!("{{{name}}} is not a time format: write one like {{%Y-%m-%d}}"));
        }
        self.times.push(name.to_owned());
        Ok(Piece::Time(self.times.len() - 1))
    }

    fn judge(&self) -> Result<(), String> {
        for part in &self.parts {
            let text = text_of(part);
            if part.is_empty() || text == "." || text == ".." && part.len() == 1 {
                return Err("a part of the name is empty, `.` or `..`".into());
            }
            let filled = part.iter().filter(|piece| !matches!(piece, Piece::Text(_))).count();
            if text.len() + filled * SHORTEST > LONGEST {
                return Err(format!("a part of the name is longer than {LONGEST} bytes"));
            }
        }
        Ok(())
    }

    /// Returns whether there are no placeholders.
    pub fn is_plain(&self) -> bool {
        self.fields.is_empty() && self.times.is_empty()
    }

    /// Returns whether there are placeholders for fields.
    pub(super) fn has_fields(&self) -> bool {
        !self.fields.is_empty()
    }

    /// Returns the fixed folder, or an empty path for the working directory.
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// Returns an example of a name.
    pub fn example(&self) -> PathBuf {
        self.folder.join(self.name(&[], &self.times(Timestamp::UNIX_EPOCH)).join("/"))
    }

    /// Returns whether a file can never get the name of another one's rotated file.
    pub fn rotates(&self) -> bool {
        let last = self.parts.last().and_then(|part| part.last());
        match last {
            _ if self.is_plain() => true,
            Some(Piece::Text(text)) => text.rsplit_once('.').is_some_and(|(_, ending)| {
                let letters = ending.bytes().all(|b| b.is_ascii_lowercase());
                letters && !ending.is_empty() && !["gz", "zst"].contains(&ending)
            }),
            _ => false,
        }
    }

    /// Returns the formatted times at `now`.
    pub(super) fn times(&self, now: Timestamp) -> Vec<String> {
        self.times.iter().map(|format| time(format, now).unwrap_or_default()).collect()
    }

    /// Looks up the values of `line`.
    pub(super) fn values(&self, line: &[u8], found: &mut Vec<Option<String>>) {
        look_up(line, &self.fields, found);
    }

    /// Returns the name for values and times.
    pub(super) fn name(&self, values: &[Option<String>], times: &[String]) -> Name {
        let value = |i: usize| values.get(i).and_then(Option::as_deref).unwrap_or(NOTHING);
        self.filled(&value, times)
    }

    /// Returns the name that is used if there are too many values.
    pub(super) fn other(&self, times: &[String]) -> Name {
        self.filled(&|_| OTHER, times)
    }

    fn filled<'v>(&self, value: &dyn Fn(usize) -> &'v str, times: &[String]) -> Name {
        let part = |part: &Vec<Piece>| {
            let texts: usize =
                part.iter().map(|p| if let Piece::Text(t) = p { t.len() } else { 0 }).sum();
            let filled = part.iter().filter(|p| !matches!(p, Piece::Text(_))).count();
            let room = (LONGEST - texts.min(LONGEST)) / filled.max(1);
            let mut name = String::new();
            for piece in part {
                match piece {
                    Piece::Text(text) => name.push_str(text),
                    Piece::Field(i) => fill_in(value(*i), room, &mut name),
                    Piece::Time(i) => fill_in(&times[*i], room, &mut name),
                }
            }
            name
        };
        self.parts.iter().map(part).collect()
    }
}

fn text_of(part: &[Piece]) -> String {
    let text =
        |piece: &Piece| if let Piece::Text(text) = piece { text.clone() } else { String::new() };
    part.iter().map(text).collect()
}

/// Appends at least one and at most `room` bytes for `value`; an escape such as `%2F` is not split.
fn fill_in(value: &str, room: usize, name: &mut String) {
    let (begins, from) = (name.is_empty(), name.len());
    for (i, byte) in value.bytes().enumerate() {
        let stays = byte.is_ascii_alphanumeric()
            || matches!(byte, b'_' | b'-')
            // A dot at the start would hide the file, or be a step up.
            || byte == b'.' && !(begins && i == 0);
        let most = room - if stays { 1 } else { 3 };
        if name.len() - from > most {
            break;
        }
        match stays {
            true => name.push(char::from(byte)),
            false => name.push_str(&format!("%{byte:02X}")),
        }
    }
    if name.len() == from {
        name.push_str(NOTHING);
    }
}

fn time(format: &str, now: Timestamp) -> Option<String> {
    let text = jiff::fmt::strtime::format(format, now).ok()?;
    (!text.is_empty()).then_some(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn name(template: &str, line: &str) -> String {
        let template = Template::parse(template).unwrap();
        let mut found = Vec::new();
        template.values(line.as_bytes(), &mut found);
        let times = template.times(Timestamp::from_second(1_795_000_000).unwrap());
        template.folder().join(template.name(&found, &times).join("/")).display().to_string()
    }

    #[test]
    fn values_and_times_are_filled_in() {
        for (template, line, wanted) in [
            ("clean.ndjson", "{}", "clean.ndjson"),
            ("a/b/clean.ndjson", "{}", "a/b/clean.ndjson"),
            ("/clean.ndjson", "{}", "/clean.ndjson"),
            ("/{s}.x", r#"{"s":"v"}"#, "/v.x"),
            ("../l/{s}/{k.host}.x", r#"{"s":"a","k":{"host":7}}"#, "../l/a/7.x"),
            ("{s}-{%Y-%m-%d}.x", r#"{"s":"a"}"#, "a-2026-11-18.x"),
            ("{{{s}}}.x", r#"{"s":"a"}"#, "{a}.x"),
            ("{s}.x", "{}", "_.x"),
            ("{s}.x", r#"{"s":{"a":1}}"#, "_.x"),
            ("{s}.x", "plain text", "_.x"),
        ] {
            assert_eq!(name(template, line), wanted, "{template} {line}");
        }
    }

    #[test]
    fn no_value_leads_elsewhere() {
        for (value, wanted) in [
            ("../../etc/passwd", "%2E.%2F..%2Fetc%2Fpasswd"),
            ("..", "%2E."),
            (".", "%2E"),
            (".hidden", "%2Ehidden"),
            ("", "_"),
            ("a/b", "a%2Fb"),
            ("a\\u0000b", "a%00b"),
            ("a%2Fb", "a%252Fb"),
            ("\u{fc}", "%C3%BC"),
            ("a b\\n", "a%20b%0A"),
        ] {
            let line = format!(r#"{{"s":"{value}"}}"#);
            assert_eq!(name("l/{s}/{s}.x", &line), format!("l/{wanted}/{wanted}.x"));
        }
        let long = format!(r#"{{"s":"{}"}}"#, "\u{fc}x".repeat(500));
        for template in ["{s}", "{s}{s}{s}.ndjson", "aaa{s}.x"] {
            let name = name(template, &long);
            assert!(name.len() <= LONGEST && name.len() > LONGEST / 2, "{template} {name}");
            assert!(!name.ends_with('%'), "{name}");
        }
    }

    #[test]
    fn invalid_templates_are_refused_with_the_fix() {
        for text in
            ["", "a/", "{", "{}", "{a..b}", "{%}", "{%!}", "a/{s}/..", "{s}//x", "l/{s}/../x"]
        {
            assert!(Template::parse(text).is_err(), "{text}");
        }
        for (text, rotates) in [
            ("clean", true),
            ("{s}.ndjson", true),
            ("{s}", false),
            ("{s}.gz", false),
            ("{s}.2026-11-28T02-00-00Z", false),
            ("{s}/x.log", true),
        ] {
            assert_eq!(Template::parse(text).unwrap().rotates(), rotates, "{text}");
        }
    }
}
