//! Reads values out of TOML, and reports those that are invalid.

use std::{
    fmt::Display,
    net::{Ipv4Addr, SocketAddr},
    ops::RangeInclusive,
};

use clap::ValueEnum;
use toml::{
    Spanned,
    de::{DeString, DeTable, DeValue},
};

use super::{
    Complaint, Said, Spot,
    nearest::{meant, nearest},
    outside::Outside,
    places::Places,
    units::{address, bytes},
};

type Value<'t> = Spanned<DeValue<'t>>;

/// Reads values out of a text, and collects the errors in it.
pub(super) struct Reader<'t> {
    file: &'t str,
    text: &'t str,
    places: Places,
    pub(super) outside: &'t Outside<'t>,
    pub(super) complaints: Vec<Complaint>,
}

impl<'t> Reader<'t> {
    pub(super) fn new(file: &'t str, text: &'t str, outside: &'t Outside<'t>) -> Self {
        Self { file, text, places: Places::of(text), outside, complaints: Vec::new() }
    }

    /// Parses the file's table, as far as it is valid TOML.
    pub(super) fn table(&mut self) -> DeTable<'t> {
        let (table, errors) = DeTable::parse_recoverable(self.text);
        for error in errors {
            let spot = self.spot(error.span().map_or(0, |span| span.start));
            self.complain(spot, error.message().to_owned());
        }
        table.into_inner()
    }

    pub(super) fn text(&mut self, value: &Value<'_>) -> Option<Said<String>> {
        let spot = self.spot(value.span().start);
        match value.get_ref() {
            DeValue::String(text) => self.expanded(text, spot),
            _ => self.wrong(spot, "expected a string"),
        }
    }

    pub(super) fn texts(&mut self, value: &Value<'_>) -> Option<Vec<Said<String>>> {
        match value.get_ref() {
            DeValue::Array(all) => Some(all.iter().filter_map(|one| self.text(one)).collect()),
            _ => self.wrong(self.spot(value.span().start), "expected a list of strings"),
        }
    }

    /// Reads a text, or a list of texts. None may be empty.
    pub(super) fn one_or_more(&mut self, value: &Value<'_>) -> Option<Vec<Said<String>>> {
        let spot = self.spot(value.span().start);
        let texts = match value.get_ref() {
            DeValue::String(_) => vec![self.text(value)?],
            DeValue::Array(_) => self.texts(value)?,
            _ => return self.wrong(spot, "expected a string or a list of strings"),
        };
        for said in texts.iter().filter(|said| said.value.is_empty()) {
            self.complain(said.spot, "an empty string would match everything: remove it".into());
        }
        Some(texts)
    }

    /// Reads the tables of `[[key]]`, each with `read`.
    pub(super) fn tables<T>(
        &mut self,
        key: &str,
        value: &Value<'_>,
        read: impl Fn(&mut Self, &Value<'_>) -> Option<T>,
    ) -> Vec<T> {
        match value.get_ref() {
            DeValue::Array(all) => all.iter().filter_map(|one| read(self, one)).collect(),
            _ => {
                let spot = self.spot(value.span().start);
                self.complain(spot, format!("expected tables: [[{key}]]"));
                Vec::new()
            }
        }
    }

    /// Reads one such table, and its position.
    pub(super) fn entry<'v, 'd>(
        &mut self,
        value: &'v Spanned<DeValue<'d>>,
    ) -> Option<(Spot, &'v DeTable<'d>)> {
        let spot = self.spot(value.span().start);
        match value.get_ref() {
            DeValue::Table(table) => Some((spot, table)),
            _ => self.wrong(spot, "expected a table"),
        }
    }

    pub(super) fn choice<T: ValueEnum>(&mut self, value: &Value<'_>) -> Option<Said<T>> {
        let names = T::value_variants().iter().filter_map(ValueEnum::to_possible_value);
        let names: Vec<_> = names.map(|name| name.get_name().to_owned()).collect();
        let known = names.join(", ");
        let spot = self.spot(value.span().start);
        if !matches!(value.get_ref(), DeValue::String(_)) {
            return self.wrong(spot, format!("expected one of {known}"));
        }
        let said = self.text(value)?;
        if let Ok(chosen) = T::from_str(&said.value, false) {
            return Some(Said { value: chosen, spot, secret: said.secret });
        }
        let word = &said.value;
        let fix = match nearest(word, names.iter().map(String::as_str)) {
            Some(meant) => format!(": did you mean `{meant}`? (expected one of {known})"),
            None => format!(": expected one of {known}"),
        };
        self.wrong(spot, format!("invalid value `{word}`{fix}"))
    }

    /// Reads a size: a number of bytes, or a text with a unit.
    pub(super) fn size(&mut self, value: &Value<'_>) -> Option<Said<u64>> {
        if matches!(value.get_ref(), DeValue::Integer(_)) {
            return self.whole(value, 1..=u64::MAX);
        }
        let said = self.text(value)?;
        match bytes(&said.value) {
            Ok(size) => Some(Said { value: size, spot: said.spot, secret: said.secret }),
            Err(what) => self.wrong(said.spot, what),
        }
    }

    /// Reads an address, or a port as a text or a number.
    pub(super) fn address(&mut self, value: &Value<'_>) -> Option<Said<SocketAddr>> {
        if matches!(value.get_ref(), DeValue::Integer(_)) {
            let Said { value, spot, secret } = self.whole::<u16>(value, 0..=u16::MAX)?;
            let value = (Ipv4Addr::LOCALHOST, value).into();
            return Some(Said { value, spot, secret });
        }
        self.parsed(value, address)
    }

    /// Reads host names, without a scheme and a port.
    pub(super) fn hosts(&mut self, value: &Value<'_>) -> Option<Vec<Said<String>>> {
        let hosts = self.texts(value)?;
        let plain = |c: char| c.is_ascii_alphanumeric() || "-._".contains(c);
        for said in &hosts {
            if said.value.is_empty() || !said.value.chars().all(plain) {
                let what = "expected a host name, such as tamis.example: letters, digits, `-`, \
                            `.` and `_`, without a scheme and a port";
                self.complain(said.spot, what.into());
            }
        }
        Some(hosts)
    }

    /// Parses a text.
    pub(super) fn parsed<T>(
        &mut self,
        value: &Value<'_>,
        parse: fn(&str) -> Result<T, String>,
    ) -> Option<Said<T>> {
        let Said { value, spot, secret } = self.text(value)?;
        match parse(&value) {
            Ok(value) => Some(Said { value, spot, secret }),
            Err(what) => self.wrong(spot, what),
        }
    }

    pub(super) fn whole<T>(
        &mut self,
        value: &Value<'_>,
        range: RangeInclusive<T>,
    ) -> Option<Said<T>>
    where
        T: TryFrom<u64> + PartialOrd + Display + Copy,
    {
        let spot = self.spot(value.span().start);
        let DeValue::Integer(number) = value.get_ref() else {
            return self.wrong(spot, "expected a whole number");
        };
        let (low, high) = (*range.start(), *range.end());
        let read = u64::from_str_radix(number.as_str(), number.radix()).ok();
        match read.and_then(|n| T::try_from(n).ok()).filter(|n| range.contains(n)) {
            Some(value) => Some(Said { value, spot, secret: false }),
            None => self.wrong(spot, format!("{} is not in {low}..={high}", number.as_str())),
        }
    }

    pub(super) fn flag(&mut self, value: &Value<'_>) -> Option<Said<bool>> {
        let spot = self.spot(value.span().start);
        match value.get_ref() {
            DeValue::Boolean(value) => Some(Said { value: *value, spot, secret: false }),
            _ => self.wrong(spot, "expected true or false"),
        }
    }

    pub(super) fn unknown(&mut self, key: &Spanned<DeString<'_>>, known: &[&str]) {
        let all = || format!("expected one of {}", known.join(", "));
        let fix = meant(key.get_ref(), known.iter().copied(), all);
        let what = format!("unknown key `{}`: {fix}", key.get_ref());
        self.complain(self.spot(key.span().start), what);
    }

    pub(super) fn complain(&mut self, spot: Spot, what: String) {
        self.complaints.push(Complaint { file: self.file.to_owned(), spot, what });
    }

    /// The version is missing, or was already reported.
    pub(super) fn complain_of_version(&mut self, version: u64) {
        if self.complaints.is_empty() {
            let what = format!("`version = {version}` is missing: put it first");
            self.complain(Spot { line: 1, column: 1 }, what);
        }
    }

    /// Returns all errors, in the order of the file, followed by those in other files.
    pub(super) fn finish(mut self) -> Vec<Complaint> {
        let file = self.file;
        self.complaints.sort_by_cached_key(|c| {
            let elsewhere = (c.file != file).then(|| c.file.clone());
            (elsewhere, c.spot.line, c.spot.column)
        });
        self.complaints
    }

    fn wrong<T>(&mut self, spot: Spot, what: impl Into<String>) -> Option<T> {
        self.complain(spot, what.into());
        None
    }

    /// Returns `text` with `${NAME}` replaced by the value of the environment variable, and `$${`
    /// by `${`.
    fn expanded(&mut self, text: &str, spot: Spot) -> Option<Said<String>> {
        let (mut value, mut rest, mut secret) = (String::new(), text, false);
        while let Some(at) = rest.find("${") {
            let (before, behind) = (&rest[..at], &rest[at + 2..]);
            if let Some(before) = before.strip_suffix('$') {
                value.push_str(before);
                value.push_str("${");
                rest = behind;
                continue;
            }
            let Some((name, behind)) = behind.split_once('}') else {
                return self.wrong(spot, "`${` without `}`: write $${ for a literal ${");
            };
            let Some(found) = (self.outside.variable)(name) else {
                let what = format!(
                    "the environment variable {name} is not set: set it, or write $${{ for a \
                     literal ${{"
                );
                return self.wrong(spot, what);
            };
            value.push_str(before);
            value.push_str(&found);
            (rest, secret) = (behind, true);
        }
        value.push_str(rest);
        Some(Said { value, spot, secret })
    }

    /// Returns the position of a value, and those of its items if it is a list.
    pub(super) fn spots(&self, value: &Value<'_>) -> Vec<Spot> {
        let items = value.get_ref().as_array().map(|all| all.iter()).into_iter().flatten();
        let starts = std::iter::once(value.span().start).chain(items.map(|one| one.span().start));
        starts.map(|at| self.spot(at)).collect()
    }

    /// Returns whether no error was reported yet.
    pub(super) fn is_content(&self) -> bool {
        self.complaints.is_empty()
    }

    pub(super) fn is_table(&self, value: &Value<'_>) -> bool {
        matches!(value.get_ref(), DeValue::Table(_))
    }

    pub(super) fn spot(&self, at: usize) -> Spot {
        self.places.spot(self.text, at)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_are_counted_in_lines_and_characters() {
        let text = format!("a\né = '{}ü' # x\n\nend", "ß".repeat(400));
        let places = Places::of(&text);
        for at in (0..=text.len()).filter(|&at| text.is_char_boundary(at)) {
            let before = &text[..at];
            let line = before.matches('\n').count() + 1;
            let column = before.chars().rev().take_while(|&c| c != '\n').count() + 1;
            assert_eq!(places.spot(&text, at), Spot { line, column }, "{at}");
        }
        assert_eq!(places.spot(&text, usize::MAX), Spot { line: 4, column: 4 });
    }
}
