//! Plain descriptions of operating system errors.

use std::io::{Error, ErrorKind};

/// Describes an error, and the fix if there is one.
pub(crate) fn cause(error: &Error) -> String {
    match error.kind() {
        ErrorKind::NotFound => "no such file or directory".into(),
        ErrorKind::PermissionDenied => "permission denied".into(),
        ErrorKind::IsADirectory => "it is a directory, not a file".into(),
        ErrorKind::AlreadyExists => "already exists; left unchanged".into(),
        ErrorKind::NotADirectory => "part of the path is a file, not a directory".into(),
        ErrorKind::StorageFull => "no space left on the device".into(),
        ErrorKind::ReadOnlyFilesystem => "the file system is read-only".into(),
        ErrorKind::InvalidData => "not valid UTF-8".into(),
        _ => plain(&error.to_string()),
    }
}

/// Like [`cause`], for an input.
pub(crate) fn cause_of_input(error: &Error) -> String {
    match error.kind() {
        ErrorKind::IsADirectory => "it is a directory: use -r to read the files in it".into(),
        _ => cause(error),
    }
}

/// Removes the suffix `(os error 5)`.
fn plain(text: &str) -> String {
    let text = text.split(" (os error").next().unwrap_or(text);
    let mut letters = text.chars();
    match letters.next() {
        Some(first) => first.to_lowercase().chain(letters).collect(),
        None => "unknown error".into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lower_case_and_without_numbers() {
        assert_eq!(cause(&Error::from_raw_os_error(2)), "no such file or directory");
        assert_eq!(cause(&Error::from_raw_os_error(5)), "input/output error");
    }
}
