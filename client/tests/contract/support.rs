//! What every test stands on: a world with actors, and the contract that all
//! its answers are held against. It only names them, and has no code of its
//! own.

mod contract;
#[path = "../../../server/tests/support/database.rs"]
mod database;
mod recorder;
mod world;

pub use contract::contract;
pub use world::{Actor, Answer, Binding, World, name};
