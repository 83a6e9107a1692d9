//! `tamis explain`: shows how one event is judged, and why.

mod json;
mod page;

use std::{
    collections::HashSet,
    ffi::OsString,
    io::{self, BufRead as _, BufReader, IsTerminal as _, Read as _},
    os::unix::ffi::OsStringExt as _,
};

use anyhow::anyhow;

use super::{
    config,
    exit::{Exit, Trouble},
    inputs, plan, print, resolve, say,
};
use crate::{
    cli::{explain::ExplainArgs, help::TERMINAL_EXPLAIN},
    descriptors,
    engine::{
        self,
        detect::Pack,
        explain::{Candidate, Decoding, Kind},
    },
    journal::stderr,
};

/// Explains an event.
pub(crate) fn run(args: ExplainArgs) -> Result<Exit, Trouble> {
    if args.event.is_none() && io::stdin().is_terminal() {
        stderr::write(&format!("{TERMINAL_EXPLAIN}\n"));
        return Ok(Exit::Usage);
    }
    let rules = resolve::rules(config::applied_rules(args.rules)?)?;
    let by_key = by_key(&rules.packs);
    let longest = rules.limits.max_event_bytes;
    let routed = plan::compile(rules, false)?;
    let (line, more) = match args.event.filter(|event| event != "-") {
        Some(event) => typed(event),
        None if descriptors::stdin_was_closed() => {
            return Err(Trouble::failed(anyhow!("standard input: {}", inputs::CLOSED)));
        }
        None => piped(longest).map_err(Trouble::failed)?,
    };
    if more {
        say(&"only the first line is explained: to join an event that spans several lines, use \
              `jq -c .`");
    }
    let way = routed.way(args.source.as_deref().unwrap_or_default());
    let explained = engine::explain_from(&routed.plan, &way, &line);
    if args.json {
        return print(&json::object(&explained));
    }
    let page = page::page(&explained, &by_key);
    if resolve::coloured(args.color, &io::stdout()) {
        print(&page)
    } else {
        print(&anstream::adapter::strip_str(&page).to_string())
    }
}

/// Returns the detectors that match by key.
fn by_key(packs: &[Pack]) -> HashSet<String> {
    let detectors = packs.iter().flat_map(|pack| &pack.detectors);
    detectors.filter(|d| !d.fields.is_empty()).map(|d| d.id.clone()).collect()
}

/// Returns the first line of the argument, and whether there is more.
fn typed(event: OsString) -> (Vec<u8>, bool) {
    let mut line = event.into_vec();
    let end = line.iter().position(|&b| b == b'\n').unwrap_or(line.len());
    let more = !line[end..].trim_ascii().is_empty();
    line.truncate(end);
    (line, more)
}

/// Returns the first line of standard input, as far as it is judged, and whether there is more.
fn piped(longest: usize) -> io::Result<(Vec<u8>, bool)> {
    let mut stdin = BufReader::new(io::stdin().lock());
    let mut line = Vec::new();
    // A carriage return and a newline do not count.
    let most = u64::try_from(longest).unwrap_or(u64::MAX).saturating_add(3);
    (&mut stdin).take(most).read_until(b'\n', &mut line)?;
    let whole = line.last() == Some(&b'\n');
    // Only what arrived together with the line: reading on could block.
    let more = whole && !stdin.buffer().trim_ascii().is_empty();
    if let Some(rest) = line.strip_prefix(b"\xef\xbb\xbf") {
        line = rest.to_vec();
    }
    for end in [b'\n', b'\r'] {
        line.pop_if(|last| *last == end);
    }
    Ok((line, more))
}

/// Returns the kind of JSON value in which a candidate was found.
fn kind(c: &Candidate) -> &'static str {
    match c.kind {
        Kind::String => "string",
        Kind::Key => "key",
        Kind::Number => "number",
        Kind::Text => "text",
    }
}

/// Returns the name of the encoding that was decoded.
fn decoding(decoding: Decoding) -> &'static str {
    match decoding {
        Decoding::Escapes => "escapes",
        Decoding::Json => "json",
        Decoding::Percent => "percent",
        Decoding::Number => "number",
    }
}
