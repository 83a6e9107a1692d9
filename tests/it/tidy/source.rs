//! A source file, its code without comments, literals and tests, and the paths that it names.

use std::path::{Path, PathBuf};

pub(crate) struct Source {
    /// From the package's root, with `/`.
    pub(crate) path: String,
    /// The file's place in the module tree: `["engine", "index", "gate"]`.
    pub(crate) module: Vec<String>,
    pub(crate) text: String,
    /// The text with comments and literals blanked, up to the tests; lines keep their numbers.
    pub(crate) code: String,
}

/// A path below a root (`crate`, `std`), with the line that names it.
pub(crate) struct Import {
    pub(crate) line: usize,
    pub(crate) path: Vec<String>,
}

impl Import {
    pub(crate) fn text(&self) -> String {
        self.path.join("::")
    }
}

impl Source {
    pub(crate) fn new(path: &str, text: &str) -> Self {
        let inner = path.trim_start_matches("src/").trim_end_matches(".rs");
        let module = inner.split('/').map(str::to_string).collect();
        let code = blank(text);
        let is_block = |at: &usize| code[*at..].lines().nth(1).is_some_and(|l| l.ends_with('{'));
        let tests = code.match_indices("#[cfg(test)]\nmod ").map(|(at, _)| at).find(is_block);
        let code = code[..tests.unwrap_or(code.len())].to_string();
        Self { path: path.into(), module, text: text.into(), code }
    }

    /// Every source below `folder`, which is the package's `src`.
    pub(crate) fn all(folder: &Path) -> Vec<Self> {
        let root = folder.parent().expect("src has a parent");
        let read = |path: PathBuf| {
            let name = path.strip_prefix(root).expect("below the root").display().to_string();
            Self::new(&name.replace('\\', "/"), &std::fs::read_to_string(&path).expect("readable"))
        };
        let sources: Vec<Self> = files(folder).into_iter().map(read).collect();
        assert!(sources.len() > 5, "found no sources below {}", folder.display());
        sources
    }

    /// Whether the whole file is tests: `tests.rs`, or a file of a folder `tests/`.
    pub(crate) fn is_test(&self) -> bool {
        self.module.iter().any(|m| m == "tests")
    }

    pub(crate) fn complaint(&self, line: usize, rule: &str) -> String {
        format!("{}:{line}: {rule}", self.path)
    }

    /// The lines whose code holds `word` as a whole word.
    pub(crate) fn lines_with(&self, word: &str) -> Vec<usize> {
        let mut lines: Vec<_> = self.words(word).into_iter().map(|at| self.line(at)).collect();
        lines.dedup();
        lines
    }

    /// Every path below `root` that the code names; for `crate`, by way of `super` too.
    pub(crate) fn imports(&self, root: &str) -> Vec<Import> {
        let mut found = Vec::new();
        for at in self.words(root) {
            self.tree(at + root.len(), Vec::new(), &mut found);
        }
        if root == "crate" {
            for at in self.words("super").into_iter().filter(|&at| !self.code[..at].ends_with("::"))
            {
                self.tree(at + "super".len(), self.parent(&self.module), &mut found);
            }
        }
        found
    }

    /// `lib` and `main` are the crate's root.
    fn parent(&self, module: &[String]) -> Vec<String> {
        module.split_last().map_or_else(Vec::new, |(_, rest)| rest.to_vec())
    }

    /// Reads what follows a path's segment: `::name`, `::{a, b::c}`, `::*` or nothing.
    /// Returns where it ends.
    fn tree(&self, at: usize, path: Vec<String>, found: &mut Vec<Import>) -> usize {
        let line = self.line(at);
        let Some(rest) = self.code[at..].strip_prefix("::") else {
            found.push(Import { line, path });
            return at;
        };
        let at = at + 2;
        match rest.bytes().next() {
            Some(b'{') => self.group(at + 1, &path, found),
            Some(b) if is_word(b) => self.segment(at, path, found),
            _ => {
                found.push(Import { line, path });
                at + 1
            }
        }
    }

    fn segment(&self, at: usize, mut path: Vec<String>, found: &mut Vec<Import>) -> usize {
        let end = at + self.code[at..].bytes().take_while(|&b| is_word(b)).count();
        match &self.code[at..end] {
            "self" => {}
            "super" => path = self.parent(&path),
            name => path.push(name.to_string()),
        }
        self.tree(end, path, found)
    }

    fn group(&self, mut at: usize, path: &[String], found: &mut Vec<Import>) -> usize {
        while let Some(b) = self.code.as_bytes().get(at) {
            match *b {
                b'}' => return at + 1,
                b if is_word(b) => {
                    at = self.segment(at, path.to_vec(), found);
                    // `as name` renames; it imports nothing more.
                    let rest = &self.code[at..];
                    at += rest.find([',', '}']).filter(|_| rest.starts_with(" as ")).unwrap_or(0);
                }
                _ => at += 1,
            }
        }
        at
    }

    /// Where the code holds `word` as a whole word.
    pub(crate) fn words(&self, word: &str) -> Vec<usize> {
        let code = self.code.as_bytes();
        let whole = move |&(at, found): &(usize, &str)| {
            let ends_in_word = found.bytes().last().is_some_and(is_word);
            let after = code.get(at + found.len()).copied().is_some_and(is_word);
            (at == 0 || !is_word(code[at - 1])) && !(ends_in_word && after)
        };
        self.code.match_indices(word).filter(whole).map(|(at, _)| at).collect()
    }

    fn line(&self, at: usize) -> usize {
        self.code[..at].matches('\n').count() + 1
    }
}

fn is_word(b: u8) -> bool {
    b.is_ascii_alphanumeric() || b == b'_'
}

fn files(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(folder).expect("a folder").map(|e| e.expect("an entry").path()) {
        if entry.is_dir() {
            found.extend(files(&entry));
        } else if entry.extension().is_some_and(|e| e == "rs") {
            found.push(entry);
        }
    }
    found.sort();
    found
}

/// The text with comments, strings and characters blanked; line ends stay.
fn blank(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while !rest.is_empty() {
        let skip = literal(rest, out.bytes().last());
        if skip > 0 {
            out.extend(rest[..skip].chars().map(|c| if c == '\n' { '\n' } else { ' ' }));
            rest = &rest[skip..];
        } else {
            let mut chars = rest.chars();
            out.extend(chars.next());
            rest = chars.as_str();
        }
    }
    out
}

/// The length of the comment or literal that `rest` begins with, or 0.
fn literal(rest: &str, before: Option<u8>) -> usize {
    let until = |end: &str, from: usize| rest[from..].find(end).map_or(rest.len(), |i| from + i);
    if rest.starts_with("//") {
        return until("\n", 0);
    }
    if rest.starts_with("/*") {
        return (until("*/", 2) + 2).min(rest.len());
    }
    if rest.starts_with('"') {
        return quoted(rest, '"');
    }
    // `br"…"` begins with a word's letter, and gets here at its `r`.
    let starts_word = before.is_none_or(|b| !is_word(b) || b == b'b');
    if let Some(raw) = rest.strip_prefix('r').filter(|_| starts_word) {
        let hashes = raw.bytes().take_while(|&b| b == b'#').count();
        if raw[hashes..].starts_with('"') {
            let end = format!("\"{}", "#".repeat(hashes));
            return (until(&end, hashes + 2) + end.len()).min(rest.len());
        }
    }
    let mut chars = rest.chars();
    match (chars.next(), chars.next(), chars.next()) {
        (Some('\''), Some('\\'), _) => quoted(rest, '\''),
        (Some('\''), Some(c), Some('\'')) => 2 + c.len_utf8(),
        _ => 0,
    }
}

fn quoted(rest: &str, quote: char) -> usize {
    let mut escaped = false;
    for (i, c) in rest.char_indices().skip(1) {
        if escaped {
            escaped = false;
        } else if c == '\\' {
            escaped = true;
        } else if c == quote {
            return i + c.len_utf8();
        }
    }
    rest.len()
}
