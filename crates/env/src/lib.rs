//! Clock and randomness, real and simulated.
