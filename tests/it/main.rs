//! Integration tests: one binary, themed modules.

mod schema;
mod tidy;
