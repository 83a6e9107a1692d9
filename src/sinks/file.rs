//! A file that is whole or not there: written beside its place, and renamed at the end.

use std::{
    fs::{self, File, OpenOptions, Permissions},
    io::{self, Write as _},
    os::unix::fs::PermissionsExt as _,
    path::{Path, PathBuf},
};

use tempfile::{Builder, NamedTempFile};

use crate::pipeline::Sink;

/// A file that takes its place when it is finished; until then what stood there stays.
///
/// A device or a named pipe (`/dev/null`) cannot be replaced: it is written to as it comes.
pub struct FileSink {
    target: Target,
}

enum Target {
    Replace { temporary: Option<NamedTempFile>, path: PathBuf },
    Direct(File),
}

impl FileSink {
    /// Opens what will become `path`. A symbolic link is followed, and stays.
    pub fn create(path: &Path) -> io::Result<Self> {
        let target = match fs::canonicalize(path) {
            Ok(existing) => open_existing(existing)?,
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                // The umask takes its bits away, as from any new file.
                replace(path.to_path_buf(), Permissions::from_mode(0o666))?
            }
            Err(error) => return Err(error),
        };
        Ok(Self { target })
    }
}

fn open_existing(path: PathBuf) -> io::Result<Target> {
    let metadata = fs::metadata(&path)?;
    if metadata.is_file() {
        let permissions = metadata.permissions();
        let target = replace(path, permissions.clone())?;
        if let Target::Replace { temporary: Some(temporary), .. } = &target {
            temporary.as_file().set_permissions(permissions)?;
        }
        Ok(target)
    } else {
        Ok(Target::Direct(OpenOptions::new().write(true).open(path)?))
    }
}

fn replace(path: PathBuf, permissions: Permissions) -> io::Result<Target> {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    let temporary = Builder::new()
        .prefix(&format!(".{name}."))
        .suffix(".tmp")
        .permissions(permissions)
        .tempfile_in(directory(&path))?;
    Ok(Target::Replace { temporary: Some(temporary), path })
}

fn directory(path: &Path) -> &Path {
    match path.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent,
        _ => Path::new("."),
    }
}

impl Sink for FileSink {
    fn write(&mut self, bytes: &[u8]) -> io::Result<()> {
        match &mut self.target {
            Target::Direct(file) => file.write_all(bytes),
            Target::Replace { temporary: Some(temporary), .. } => temporary.write_all(bytes),
            Target::Replace { temporary: None, .. } => Err(io::ErrorKind::BrokenPipe.into()),
        }
    }

    fn finish(&mut self) -> io::Result<()> {
        let Target::Replace { temporary, path } = &mut self.target else { return Ok(()) };
        let Some(finished) = temporary.take() else { return Ok(()) };
        // The data before the name: after a power cut FILE is the old one or the whole new one.
        finished.as_file().sync_all()?;
        finished.persist(&path).map_err(|failed| failed.error)?;
        // Not every file system can sync a directory, and the file itself is safe.
        let _ = File::open(directory(path)).and_then(|directory| directory.sync_all());
        Ok(())
    }

    fn abort(&mut self) {
        if let Target::Replace { temporary, .. } = &mut self.target {
            *temporary = None;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn finished_replaces_aborted_does_not() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("out");
        fs::write(&path, "old").unwrap();
        fs::set_permissions(&path, Permissions::from_mode(0o640)).unwrap();

        let mut sink = FileSink::create(&path).unwrap();
        sink.write(b"new").unwrap();
        sink.abort();
        assert_eq!(fs::read(&path).unwrap(), b"old");

        let mut sink = FileSink::create(&path).unwrap();
        sink.write(b"new").unwrap();
        assert_eq!(fs::read(&path).unwrap(), b"old");
        sink.finish().unwrap();
        assert_eq!(fs::read(&path).unwrap(), b"new");
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o640);
        assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 1, "no temporary file is left");
    }

    #[test]
    fn a_link_stays_a_link() {
        let dir = tempfile::tempdir().unwrap();
        let (file, link) = (dir.path().join("file"), dir.path().join("link"));
        fs::write(&file, "old").unwrap();
        std::os::unix::fs::symlink(&file, &link).unwrap();
        let mut sink = FileSink::create(&link).unwrap();
        sink.write(b"new").unwrap();
        sink.finish().unwrap();
        assert!(fs::symlink_metadata(&link).unwrap().is_symlink());
        assert_eq!(fs::read(&file).unwrap(), b"new");
    }

    #[test]
    fn a_device_is_not_replaced() {
        let mut sink = FileSink::create(Path::new("/dev/null")).unwrap();
        sink.write(b"gone").unwrap();
        sink.finish().unwrap();
        assert!(!fs::metadata("/dev/null").unwrap().is_file());
    }
}
