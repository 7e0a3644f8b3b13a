//! When a series moves from one contract to the next.
