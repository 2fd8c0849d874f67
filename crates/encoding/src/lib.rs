//! Values and documents as bytes.
