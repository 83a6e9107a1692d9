//! The words that the engine must not know, not even in a comment or in the text of an error: those of
//! Kafka, of the command line and of the configuration. The layer that knows them adds the advice.

use clap::{Command, CommandFactory as _};
use tamis::cli::Cli;

use super::source::Source;

/// Sections of the configuration. (A section that any structure could have as a field is not listed.)
const SECTIONS: &[&str] = &["sink.", "source.", "kafka."];

/// What a user types, or writes into the configuration.
pub(crate) struct Words {
    flags: Vec<String>,
    commands: Vec<String>,
}

impl Words {
    /// Those of the program as it is.
    pub(crate) fn of_program() -> Self {
        let mut words = Self { flags: Vec::new(), commands: Vec::new() };
        words.add(&Cli::command(), "tamis");
        words
    }

    fn add(&mut self, command: &Command, name: &str) {
        let flags = command.get_arguments().filter_map(|argument| argument.get_long());
        self.flags.extend(flags.map(|flag| format!("--{flag}")));
        for inner in command.get_subcommands() {
            let name = format!("{name} {}", inner.get_name());
            self.add(inner, &name);
            self.commands.push(name);
        }
    }

    /// Every line of a file of the engine that has one of them.
    pub(crate) fn complaints(&self, source: &Source) -> Vec<String> {
        let mut found = Vec::new();
        if source.module[0] != "engine" {
            return found;
        }
        for (number, line) in (1..).zip(source.text.lines()) {
            let words = self.flags.iter().chain(&self.commands).map(String::as_str);
            let word = words.filter(|word| holds(line, word)).max_by_key(|word| word.len());
            let section = SECTIONS.iter().find(|section| begins(line, section));
            let kafka = line.to_ascii_lowercase().contains("kafka").then_some("Kafka");
            if let Some(word) = word.or(section.copied()).or(kafka) {
                let rule = format!("the engine knows nothing of `{word}`: the layer above says it");
                found.push(source.complaint(number, &rule));
            }
        }
        found
    }
}

/// Whether `line` has `word`, and not as a part of a longer one.
fn holds(line: &str, word: &str) -> bool {
    let part = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_';
    line.match_indices(word).any(|(at, _)| {
        let after = line.as_bytes().get(at + word.len());
        let before = at.checked_sub(1).map(|at| line.as_bytes()[at]);
        !after.copied().is_some_and(part) && !before.is_some_and(part)
    })
}

/// Whether a key with `section` stands in `line`.
fn begins(line: &str, section: &str) -> bool {
    line.match_indices(section).any(|(at, _)| {
        let after = line.as_bytes().get(at + section.len());
        let before = at.checked_sub(1).map(|at| line.as_bytes()[at]);
        after.is_some_and(u8::is_ascii_lowercase)
            && !before.is_some_and(|byte| byte.is_ascii_alphanumeric() || b"_.".contains(&byte))
    })
}

#[test]
fn the_engine_does_not_know_the_words_of_the_program() {
    let words = Words::of_program();
    let judge = |path: &str, text: &str| words.complaints(&Source::new(path, text)).len();
    for text in [
        "// As --max-depth says.",
        "const S: &str = \"see `--text drop`\";",
        "/// Set `sink.topic`.",
        "// `tamis patterns list` shows them.",
        "/// A record of Kafka's.",
    ] {
        assert_eq!(judge("src/engine/walk.rs", text), 1, "{text}");
        assert_eq!(judge("src/engine/tests.rs", text), 1, "{text}");
        assert_eq!(judge("src/app/advice.rs", text), 0, "{text}");
    }
    for text in [
        "// `--password x` in a text line is another program's, and so is `--textual`.",
        "let source = sources.next(); // A source. And a sink.",
        "// Tamis patterns",
        "let n = self.source.len();",
    ] {
        assert_eq!(judge("src/engine/walk.rs", text), 0, "{text}");
    }
}
