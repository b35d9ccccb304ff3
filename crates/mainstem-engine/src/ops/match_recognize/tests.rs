//! Against a naive matcher.
