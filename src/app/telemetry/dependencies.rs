//! The dependencies of a run, and whether they are available.

use std::{
    fs::{self, File},
    io::{self, Write as _},
    path::{Path, PathBuf},
};

use crate::{
    app::{
        cause::cause,
        inputs::InputChoice,
        resolved::{Output, Run},
        topics::Reach,
        visible,
    },
    temporary,
};

/// Each dependency with the configuration key that names it.
#[derive(Debug, Default)]
pub(crate) struct Dependencies(Vec<(&'static str, Need)>);

/// The name of the file that is written to check a folder.
pub(crate) const PROBE: &str = "probe";

#[derive(Debug)]
enum Need {
    /// A file or folder that must be readable.
    Readable(PathBuf),
    /// A file that must be writable.
    Writable(PathBuf),
    /// A folder in which files must be writable and durable.
    Folder(PathBuf),
    /// A cluster that must respond and have the topics that are written.
    Topics(Box<Reach>),
}

impl Dependencies {
    /// Returns the dependencies of a run.
    pub(crate) fn of(run: &Run) -> Self {
        let mut all = Vec::new();
        for input in &run.inputs.choices {
            if let InputChoice::File { path, .. } = input {
                all.push(("inputs", Need::Readable(path.clone())));
            }
        }
        match &run.output {
            Output::Standard => {}
            Output::File(path) => all.push(("output", Need::Folder(folder(path)))),
            Output::Log(log) => {
                let there = log.paths.first().filter(|path| path.exists());
                all.push(match there {
                    Some(path) => ("output", Need::Writable(path.clone())),
                    None => ("output", Need::Folder(log.settings.name.folder().to_path_buf())),
                });
            }
            Output::Each(paths) => {
                all.extend(
                    paths
                        .iter()
                        .flatten()
                        .take(1)
                        .map(|path| ("out_dir", Need::Folder(folder(path)))),
                );
            }
        }
        if let Some(path) = &run.dead_letter {
            all.push(("dead_letter", Need::Writable(path.clone())));
        }
        if let Some(path) = run.follow.as_ref().and_then(|follow| follow.data_dir.clone()) {
            all.push(("data_dir", Need::Folder(path)));
        }
        all.extend(
            run.topics.iter().map(|topics| ("kafka", Need::Topics(Box::new(topics.reach())))),
        );
        Self(all)
    }

    /// Checks each dependency; the error says why it is not available.
    pub(crate) fn reach(&self) -> Vec<(String, Result<(), String>)> {
        self.0.iter().flat_map(|(name, need)| need.reach(name)).collect()
    }
}

impl Need {
    fn reach(&self, name: &str) -> Vec<(String, Result<(), String>)> {
        let (path, reached) = match self {
            Self::Readable(path) => (path, File::open(path).map(drop)),
            Self::Writable(path) => (path, File::options().append(true).open(path).map(drop)),
            Self::Folder(path) => (path, write_in(path)),
            Self::Topics(reach) => return reach.reach(),
        };
        vec![(format!("{name} {}", visible::name(path)), reached.map_err(|error| cause(&error)))]
    }
}

fn folder(path: &Path) -> PathBuf {
    match path.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder.to_path_buf(),
        _ => PathBuf::from("."),
    }
}

/// Writes and syncs a block in a temporary file.
fn write_in(folder: &Path) -> io::Result<()> {
    let folder = if folder.as_os_str().is_empty() { Path::new(".") } else { folder };
    fs::metadata(folder)?;
    let mut file = temporary::create(folder, PROBE, 0o600)?;
    file.write_all(&[b'\n'; 512])?;
    file.as_file().sync_all()
}
