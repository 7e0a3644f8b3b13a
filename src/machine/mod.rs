//! The machine that the threads run on: what it is ([`Machine`]), which thread runs on which core
//! and how it waits there ([`plan()`]), and what the system is asked for ([`pin_current_thread`],
//! [`real_time`], [`lock_memory`], [`huge_pages`]).
//!
//! A *core* is named by its place in the set that this process may use, from 0: see [`Core`].

mod cpu_list;
mod facts;
mod plan;
mod quota;
mod settings;
mod wait;

pub use facts::{Core, Machine};
pub use plan::{Placed, Plan, PlanError, Request, Role, plan};
pub use settings::{
    Outcome, huge_pages, keep_current_thread_on, lock_memory, pin_current_thread, real_time,
};
pub use wait::{Wait, Waiter};
