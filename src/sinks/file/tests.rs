//! Files that are either complete or unchanged.

use super::*;

#[test]
fn finished_replaces_aborted_does_not() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("out");
    fs::write(&path, "old").unwrap();
    fs::set_permissions(&path, Permissions::from_mode(0o640)).unwrap();

    let mut sink = FileSink::create(&path, Existing::Replace).unwrap();
    sink.write(b"new").unwrap();
    sink.abort();
    assert_eq!(fs::read(&path).unwrap(), b"old");

    let mut sink = FileSink::create(&path, Existing::Replace).unwrap();
    sink.write(b"new").unwrap();
    assert_eq!(fs::read(&path).unwrap(), b"old");
    sink.finish().unwrap();
    assert_eq!(fs::read(&path).unwrap(), b"new");
    assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o640);
    assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 1, "no temporary file is left");
}

#[test]
fn a_file_that_comes_to_be_meanwhile_is_kept() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("out");
    let mut sink = FileSink::create(&path, Existing::Keep).unwrap();
    sink.write(b"new").unwrap();
    fs::write(&path, "another's").unwrap();
    assert_eq!(sink.finish().unwrap_err().kind(), io::ErrorKind::AlreadyExists);
    assert_eq!(fs::read(&path).unwrap(), b"another's");
}

#[test]
fn what_is_appended_is_taken_back_and_two_do_not_append_at_once() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("out");
    fs::write(&path, "old\n").unwrap();
    let mut sink = FileSink::create(&path, Existing::Append).unwrap();
    assert!(FileSink::create(&path, Existing::Append).is_err());
    sink.write(b"new").unwrap();
    sink.abort();
    drop(sink);
    assert_eq!(fs::read(&path).unwrap(), b"old\n");
    let mut sink = FileSink::create(&path, Existing::Append).unwrap();
    sink.write(b"new\n").unwrap();
    sink.finish().unwrap();
    assert_eq!(fs::read(&path).unwrap(), b"old\nnew\n");
    drop(sink);
    fs::remove_file(&path).unwrap();
    FileSink::create(&path, Existing::Append).unwrap().abort();
    assert!(!path.exists(), "it was not there before");
}

#[test]
fn what_others_did_to_a_file_that_is_appended_to_is_not_undone_or_passed_over() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("out");
    let mut sink = FileSink::create(&path, Existing::Append).unwrap();
    sink.write(b"ours").unwrap();
    let mut other = OpenOptions::new().append(true).open(&path).unwrap();
    other.write_all(b"theirs").unwrap();
    sink.abort();
    drop(sink);
    assert_eq!(fs::read(&path).unwrap(), b"ourstheirs");
    let mut sink = FileSink::create(&path, Existing::Append).unwrap();
    sink.write(b"lost").unwrap();
    fs::remove_file(&path).unwrap();
    assert!(sink.finish().unwrap_err().to_string().contains("moved or removed"));
}

#[test]
fn a_link_stays_a_link() {
    let dir = tempfile::tempdir().unwrap();
    let (file, link) = (dir.path().join("file"), dir.path().join("link"));
    fs::write(&file, "old").unwrap();
    std::os::unix::fs::symlink(&file, &link).unwrap();
    let mut sink = FileSink::create(&link, Existing::Replace).unwrap();
    sink.write(b"new").unwrap();
    sink.finish().unwrap();
    assert!(fs::symlink_metadata(&link).unwrap().is_symlink());
    assert_eq!(fs::read(&file).unwrap(), b"new");
}

#[test]
fn a_device_is_not_replaced() {
    let mut sink = FileSink::create(Path::new("/dev/null"), Existing::Keep).unwrap();
    sink.write(b"gone").unwrap();
    sink.finish().unwrap();
    assert!(!fs::metadata("/dev/null").unwrap().is_file());
}
