//! Makes text from outside safe to show.

use std::path::Path;

pub(crate) use crate::journal::{visible, visible_lines};

/// Returns a file name on one line, without control characters.
pub(crate) fn name(path: &Path) -> String {
    visible(&path.display().to_string())
}
