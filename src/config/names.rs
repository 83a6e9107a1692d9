//! The names of options in messages, as the user wrote them: `--memory`, or `memory` in the file,
//! with its position.

use super::{Config, Spot};

/// The options that a file sets and no flag overrides.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Names {
    file: String,
    keys: Vec<(String, Vec<Spot>)>,
}

impl Names {
    /// Those of `config`, which was read from `file`, except for keys that `flags` override.
    pub fn new(file: &str, config: &Config, flags: &Config) -> Self {
        let typed: Vec<_> = flags.settings().into_iter().map(|(key, _)| key).collect();
        let mut keys = config.spots.clone();
        keys.retain(|(key, _)| !typed.contains(&key.as_str()));
        Self { file: file.to_owned(), keys }
    }

    /// The name of an option at the start of a message: `--memory`, or `tamis.toml:3:10: memory`.
    pub fn at(&self, flag: &str) -> String {
        self.at_item(flag, None)
    }

    /// The same for an item of a list.
    pub fn at_item(&self, flag: &str, item: Option<usize>) -> String {
        let Some((key, spots)) = self.said(flag) else { return flag.to_owned() };
        // The position of the value is followed by those of its items.
        let spot = item.and_then(|i| spots.get(i + 1)).or_else(|| spots.first());
        match spot {
            Some(Spot { line, column }) => format!("{}:{line}:{column}: {key}", self.file),
            None => key.clone(),
        }
    }

    /// The name of another option in a message that begins with `first`, in the same style.
    pub fn beside(&self, first: &str, flag: &str) -> String {
        match self.said(first) {
            Some(_) => key(flag),
            None => flag.to_owned(),
        }
    }

    fn said(&self, flag: &str) -> Option<&(String, Vec<Spot>)> {
        let key = key(flag);
        self.keys.iter().find(|(known, _)| *known == key)
    }
}

/// The key for a flag, which may be followed by the name of its value.
fn key(flag: &str) -> String {
    let flag = flag.split(' ').next().unwrap_or_default();
    match flag {
        "-o" => "output".into(),
        "-r" => "recursive".into(),
        _ => flag.trim_start_matches('-').replace('-', "_"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::{Said, outside::Outside};

    #[test]
    fn an_option_is_called_as_it_was_said() {
        let text = "version = 1\nonly = ['email', 'phone']\nmax_depth = 7\nthreads = 2\n";
        let config = Config::parse("t.toml", text, &Outside::NOTHING).unwrap();
        let flags = Config { threads: Some(Said::elsewhere(4)), ..Config::default() };
        let names = Names::new("t.toml", &config, &flags);
        assert_eq!(names.at("--max-depth"), "t.toml:3:13: max_depth");
        assert_eq!(names.at_item("--only", Some(1)), "t.toml:2:18: only");
        assert_eq!(names.at("--threads"), "--threads");
        assert_eq!(names.beside("--max-depth", "--dead-letter FILE"), "dead_letter");
        assert_eq!(names.beside("--threads", "--dead-letter FILE"), "--dead-letter FILE");
        assert_eq!(Names::default().at("-o"), "-o");
    }
}
