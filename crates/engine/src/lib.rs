//! The one commit path, background maintenance and statistics.
