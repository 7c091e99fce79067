//! What every test needs: a world with actors, and the contract that every answer is
//! checked against. This file only names the modules.

mod contract;
#[path = "../../../server/tests/support/database.rs"]
mod database;
mod recorder;
mod stand_in;
mod traffic;
mod world;

pub use contract::{Operation, contract};
pub use stand_in::{Reply, StandIn};
pub use world::{Actor, Answer, Binding, World, name};
