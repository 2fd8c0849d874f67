//! Scripts, model and stress harness for the tests.
