//! The decision seat.
