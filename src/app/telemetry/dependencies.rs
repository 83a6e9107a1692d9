//! What a run cannot do without, and whether it can be reached.

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

/// Each by the name of its key.
#[derive(Debug, Default)]
pub(crate) struct Dependencies(Vec<(&'static str, Need)>);

/// What a file is called that is written to see whether that can be done.
pub(crate) const PROBE: &str = "probe";

#[derive(Debug)]
enum Need {
    /// A file or folder that can be read.
    Readable(PathBuf),
    /// A file that can be written to.
    Writable(PathBuf),
    /// A folder in which files can be made durable.
    Folder(PathBuf),
    /// A cluster that answers, and has the topics that are written.
    Topics(Box<Reach>),
}

impl Dependencies {
    /// Those of a run.
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

    /// Reaches each; why not, where it cannot be.
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

/// A block, on disk, and gone again.
fn write_in(folder: &Path) -> io::Result<()> {
    let folder = if folder.as_os_str().is_empty() { Path::new(".") } else { folder };
    fs::metadata(folder)?;
    let mut file = temporary::create(folder, PROBE, 0o600)?;
    file.write_all(&[b'\n'; 512])?;
    file.as_file().sync_all()
}
