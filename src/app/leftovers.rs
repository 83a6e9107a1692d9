//! Temporary files that killed runs left.

use std::{
    collections::{HashMap, HashSet},
    fs,
    path::{Path, PathBuf},
};

use super::{
    resolved::{Output, Run},
    telemetry::PROBE,
};
use crate::temporary::{is_for, sweep};

/// Removes the temporary files that killed runs (SIGKILL, SIGHUP) left for the same outputs.
pub(crate) fn remove(run: &Run) {
    let mut places: HashMap<PathBuf, HashSet<String>> = HashMap::new();
    for path in written_whole(run) {
        // A link is kept; the file that it leads to is written.
        let path = fs::canonicalize(path).unwrap_or_else(|_| path.to_path_buf());
        let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty());
        let folder = folder.unwrap_or(Path::new(".")).to_path_buf();
        let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        places.entry(folder).or_default().insert(name);
    }
    for (folder, names) in places {
        sweep(&folder, |target| {
            is_for(target, PROBE)
                || names.contains(target)
                || names.iter().any(|name| is_for(target, name))
        });
    }
}

/// Returns the files that are written under a temporary name first.
fn written_whole(run: &Run) -> impl Iterator<Item = &Path> {
    let outputs: Vec<&Path> = match &run.output {
        Output::File(path) => vec![path],
        Output::Each(paths) => paths.iter().flatten().map(PathBuf::as_path).collect(),
        Output::Standard | Output::Log(_) => Vec::new(),
    };
    let reports = [run.stats.as_deref(), run.watchers.textfile.as_deref()];
    outputs.into_iter().chain(reports.into_iter().flatten())
}
