//! The arithmetic of the engine's networks on the CPU: products of matrices, an LSTM, the passes of
//! the decision core, their dropout masks, and the count of their votes.
//!
//! Each kernel gives the bits of rten, or of the plain formula, which the engine's tests compare.
//! It is a crate of its own so that the profile of tests can compile it with all optimisations and
//! without the checks inside its loops; the engine's own code is compiled for a short build there.

pub mod functions;
pub mod lstm;
pub mod masks;
pub mod passes;
pub mod philox;
pub mod product;
pub mod vote;
