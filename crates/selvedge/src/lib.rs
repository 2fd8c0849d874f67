//! An embedded graph and document database with snapshot isolation.
