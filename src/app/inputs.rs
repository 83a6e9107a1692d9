//! Determines which files are read: named files, files in directories, and files that match globs.

use std::{
    collections::HashSet,
    fs, io,
    path::{Path, PathBuf},
};

use rustix::fs::FileType;
use walkdir::WalkDir;

use super::{
    cause::cause_of_input,
    globs::{Pattern, is_hidden},
    identity::{self, Identity},
    visible,
};
use crate::descriptors;

/// The error for a standard descriptor that was closed at the start, so that the runtime replaced
/// it.
pub(super) const CLOSED: &str =
    "it was closed before Tamis started: pipe data into it, or name a file";

/// One input.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum InputChoice {
    Stdin,
    File {
        path: PathBuf,
        /// The path of its output below `--out-dir`.
        relative: PathBuf,
    },
    /// An input that cannot be read, and why. It is reported in its turn, so that the other inputs
    /// are read.
    Refused {
        name: String,
        why: String,
    },
    /// A glob that matches no file yet.
    Unmatched {
        name: String,
        why: String,
    },
}

/// All inputs that the arguments name.
#[derive(Default)]
pub(crate) struct Inputs {
    /// In the order of reading, without duplicates.
    pub(crate) choices: Vec<InputChoice>,
    /// Folders that were listed, or that contain a named file.
    pub(crate) folders: Vec<PathBuf>,
    /// Folders that could not be listed.
    pub(crate) unknown: Vec<PathBuf>,
    scopes: Vec<Scope>,
    met: HashSet<Identity>,
}

/// An argument that can match many files, including files that do not exist yet.
struct Scope {
    /// The argument as typed.
    name: String,
    /// The canonical path of the folder where it starts.
    root: PathBuf,
    /// `None` if everything below the folder matches.
    pattern: Option<Pattern>,
}

impl Inputs {
    /// Finds the inputs that `args` name. Without arguments, it is standard input.
    pub(crate) fn find(args: &[PathBuf], recursive: bool) -> Self {
        let mut inputs = Self::default();
        if args.is_empty() {
            inputs.stdin();
        }
        for path in args {
            match path.to_str() {
                Some("-") => inputs.stdin(),
                Some(text) if fs::symlink_metadata(path).is_err() => inputs.glob(text, recursive),
                _ => inputs.named(path, recursive),
            }
        }
        inputs
    }

    /// Returns the argument that would include a new file at `path`.
    pub(crate) fn would_read(&self, path: &Path) -> Option<&str> {
        let path = identity::resolved(path)?;
        self.scopes.iter().find(|scope| scope.holds(&path)).map(|scope| scope.name.as_str())
    }

    fn stdin(&mut self) {
        if descriptors::stdin_was_closed() {
            return self.refuse(Path::new("stdin"), CLOSED.into());
        }
        self.choices.push(InputChoice::Stdin);
    }

    fn named(&mut self, path: &Path, recursive: bool) {
        if recursive && path.is_dir() {
            self.scope(path, path, None);
            self.directory(path, path);
        } else {
            let relative = path.file_name().map(PathBuf::from).unwrap_or_default();
            self.file(path.to_path_buf(), relative);
        }
    }

    fn glob(&mut self, text: &str, recursive: bool) {
        let pattern = match Pattern::parse(text) {
            Ok(Some(pattern)) => pattern,
            Ok(None) => return self.named(Path::new(text), recursive),
            Err(error) => {
                let why = format!("no such file, and not a valid glob: {}", error.kind());
                return self.refuse(Path::new(text), why);
            }
        };
        let met = pattern.meet();
        let nothing = met.paths.is_empty() && met.failed.is_empty();
        for path in met.paths {
            if !path.is_dir() {
                let relative = path.strip_prefix(&pattern.fixed).unwrap_or(&path).to_path_buf();
                self.file(path, relative);
            } else if recursive {
                self.scope(Path::new(text), &path, None);
                self.directory(&path, &pattern.fixed);
            }
        }
        for (folder, error) in met.failed {
            self.refuse(&folder, cause_of_input(&error));
            self.unknown.push(folder);
        }
        if nothing {
            let fix = "no file matches (`*` does not match `/` or hidden files; `**/` matches \
                        any folders)";
            let name = shown(Path::new(text));
            self.choices.push(InputChoice::Unmatched { name, why: fix.into() });
        }
        let fixed = pattern.fixed.clone();
        self.folders.push(fixed.clone());
        self.scope(Path::new(text), &fixed, Some(pattern));
    }

    /// Adds all files below `path`, without hidden files and links, as `ripgrep` does.
    fn directory(&mut self, path: &Path, base: &Path) {
        let entries = WalkDir::new(path).sort_by_file_name().into_iter();
        let shown = |entry: &walkdir::DirEntry| entry.depth() == 0 || !is_hidden(entry.file_name());
        for entry in entries.filter_entry(shown) {
            match entry {
                Ok(entry) if entry.file_type().is_dir() => self.folders.push(entry.into_path()),
                Ok(entry) if entry.file_type().is_file() => {
                    let relative = entry.path().strip_prefix(base).unwrap_or(entry.path());
                    let relative = relative.to_path_buf();
                    self.file(entry.into_path(), relative);
                }
                Ok(_) => {}
                Err(error) => {
                    let folder = error.path().unwrap_or(path).to_path_buf();
                    let why = error
                        .into_io_error()
                        .unwrap_or_else(|| io::Error::other("a loop of symbolic links"));
                    // A folder that was removed meanwhile contains nothing.
                    if why.kind() != io::ErrorKind::NotFound || folder == path {
                        self.refuse(&folder, cause_of_input(&why));
                        self.unknown.push(folder);
                    }
                }
            }
        }
    }

    fn file(&mut self, path: PathBuf, relative: PathBuf) {
        if descriptors::was_closed_at(&path) {
            return self.refuse(&path, CLOSED.into());
        }
        let folder = path.parent().unwrap_or(Path::new(""));
        if self.folders.last().is_none_or(|last| last != folder) {
            self.folders.push(folder.to_path_buf());
        }
        let identity = Identity::of_path(&path).filter(|id| matches!(id, Identity::Inode(..)));
        if identity.is_none_or(|identity| self.met.insert(identity)) {
            self.choices.push(InputChoice::File { path, relative });
        }
    }

    fn refuse(&mut self, path: &Path, why: String) {
        self.choices.push(InputChoice::Refused { name: shown(path), why });
    }

    fn scope(&mut self, typed: &Path, root: &Path, pattern: Option<Pattern>) {
        let here = if root.as_os_str().is_empty() { Path::new(".") } else { root };
        if let Ok(root) = fs::canonicalize(here) {
            self.scopes.push(Scope { name: shown(typed), root, pattern });
        }
    }
}

impl Scope {
    fn holds(&self, path: &Path) -> bool {
        let Ok(below) = path.strip_prefix(&self.root) else { return false };
        match &self.pattern {
            Some(pattern) => pattern.matches(below),
            None => !below.components().any(|name| is_hidden(name.as_os_str())),
        }
    }
}

impl InputChoice {
    /// Returns the name for messages and dead letters, on one line.
    pub(crate) fn name(&self) -> String {
        match self {
            Self::Stdin => "stdin".into(),
            Self::File { path, .. } => shown(path),
            Self::Refused { name, .. } | Self::Unmatched { name, .. } => name.clone(),
        }
    }

    /// Returns whether the input ends by itself, as files do, but not pipes, terminals and other
    /// devices.
    pub(crate) fn is_finite(&self) -> bool {
        match self {
            Self::Stdin => {
                let stdin = rustix::fs::fstat(rustix::stdio::stdin());
                stdin.is_ok_and(|stat| FileType::from_raw_mode(stat.st_mode).is_file())
            }
            Self::File { path, .. } => fs::metadata(path).map_or(true, |there| there.is_file()),
            Self::Refused { .. } | Self::Unmatched { .. } => true,
        }
    }

    pub(crate) fn identity(&self) -> Option<Identity> {
        match self {
            Self::Stdin => Identity::of_descriptor(rustix::stdio::stdin()),
            Self::File { path, .. } => Identity::of_path(path),
            Self::Refused { .. } | Self::Unmatched { .. } => None,
        }
    }
}

fn shown(path: &Path) -> String {
    visible::name(path)
}
