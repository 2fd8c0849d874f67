//! Hash and ordered indexes: one writer, readers without locks.
