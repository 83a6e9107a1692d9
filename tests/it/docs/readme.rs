//! Fenced blocks, the commands in them, and how what they print is compared.

use std::{env, path::Path, process::Command};

/// A fenced block.
pub(crate) struct Block<'a> {
    language: &'a str,
    /// The second word behind the fence: the file that the block is.
    pub(crate) file: Option<&'a str>,
    pub(crate) text: &'a str,
    /// Of its first line, from 1.
    line: usize,
}

/// A command and the output that is shown for it.
pub(crate) struct Shown {
    pub(crate) line: usize,
    pub(crate) command: String,
    pub(crate) output: String,
}

impl<'a> Block<'a> {
    pub(crate) fn all(text: &'a str) -> Vec<Self> {
        let mut blocks = Vec::new();
        let mut at = 0;
        while let Some(open) = text[at..].find("```").map(|i| at + i) {
            let start = text[open..].find('\n').map_or(text.len(), |i| open + i + 1);
            let end = text[start..].find("```").map_or(text.len(), |i| start + i);
            let mut words = text[open + 3..start].split_whitespace();
            blocks.push(Self {
                language: words.next().unwrap_or_default(),
                file: words.next(),
                text: &text[start..end],
                line: text[..start].matches('\n').count() + 1,
            });
            at = (end + 3).min(text.len());
        }
        blocks
    }

    /// What stands behind `$ `, each with the lines up to the next one.
    pub(crate) fn commands(&self) -> Vec<Shown> {
        let mut shown: Vec<Shown> = Vec::new();
        if !matches!(self.language, "console" | "sh") {
            return shown;
        }
        for (i, line) in self.text.lines().enumerate() {
            match (line.strip_prefix("$ "), shown.last_mut()) {
                (Some(command), _) => shown.push(Shown {
                    line: self.line + i,
                    command: command.to_owned(),
                    output: String::new(),
                }),
                (None, Some(last)) => last.output.extend([line, "\n"]),
                (None, None) => {}
            }
        }
        shown
    }
}

/// What a command prints on a terminal, colours aside.
pub(crate) fn runs(command: &str, dir: &Path) -> String {
    let path = format!("{}:{}", dir.join("bin").display(), env::var("PATH").unwrap());
    let output = Command::new("bash")
        .args(["-c", &format!("exec 2>&1; {command}")])
        .current_dir(dir)
        .env("PATH", path)
        .env("CLICOLOR_FORCE", "1")
        .env_remove("NO_COLOR")
        .output()
        .unwrap();
    anstream::adapter::strip_str(&String::from_utf8(output.stdout).unwrap()).to_string()
}

/// Whether `printed` is what is `shown`, where `…` stands for any text of a line, or, alone, for any
/// lines. How long a run took does not count.
pub(crate) fn matches(shown: &str, printed: &str) -> bool {
    let printed: Vec<_> = printed.lines().map(without_time).collect();
    let shown: Vec<_> = shown.lines().map(without_time).collect();
    lines_match(&shown, &printed)
}

fn lines_match(shown: &[String], printed: &[String]) -> bool {
    match shown.split_first() {
        None => printed.is_empty(),
        Some((line, rest)) if line == "…" => {
            (0..=printed.len()).any(|skip| lines_match(rest, &printed[skip..]))
        }
        Some((line, rest)) => printed
            .split_first()
            .is_some_and(|(first, others)| line_matches(line, first) && lines_match(rest, others)),
    }
}

fn line_matches(shown: &str, printed: &str) -> bool {
    let mut parts = shown.split('…');
    let Some(mut rest) = printed.strip_prefix(parts.next().unwrap_or_default()) else {
        return false;
    };
    let mut parts: Vec<_> = parts.collect();
    let Some(last) = parts.pop() else { return rest.is_empty() };
    for part in parts {
        let Some(at) = rest.find(part) else { return false };
        rest = &rest[at + part.len()..];
    }
    rest.ends_with(last)
}

/// The headline without what the machine decides.
fn without_time(line: &str) -> String {
    match line.split_once(" out, ") {
        Some((before, _)) if before.starts_with("tamis: ") => format!("{before} out"),
        _ => line.to_owned(),
    }
}

#[test]
fn what_matches() {
    for (shown, printed, wanted) in [
        ("a\n", "a\n", true),
        ("a\n", "a\nb\n", false),
        ("…\nc\n", "a\nb\nc\n", true),
        ("a\n…\n", "a\n", true),
        ("a…c…e\n", "abcde\n", true),
        ("a…c\n", "abcd\n", false),
        (
            "tamis: 1 line read, 1 B out, 3 ms\n",
            "tamis: 1 line read, 1 B out, 0.2 s, 1.0 MB/s\n",
            true,
        ),
    ] {
        assert_eq!(matches(shown, printed), wanted, "{shown}");
    }
}
