//! Orders, fills, positions, and the rules in front of them.
