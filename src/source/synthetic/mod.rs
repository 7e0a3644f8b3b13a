//! Seeded synthetic markets with the microstructure of ES.
