//! Text of others, as it may be shown.

use std::path::Path;

pub(crate) use crate::journal::{visible, visible_lines};

/// A file's name, on one line and harmless to a terminal.
pub(crate) fn name(path: &Path) -> String {
    visible(&path.display().to_string())
}
