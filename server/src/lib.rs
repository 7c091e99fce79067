//! An API-token service for organizations that keeps to `openapi.yaml`.
//!
//! A request travels one way: [`front`] (dispatch, limits, envelope),
//! `handlers` (authenticate, call, wrap), [`service`] (the domain's verbs, with
//! the policy of [`access`]), [`store`] (what is kept). The last two name no
//! layer before them; the others share the types of [`front`] and [`api`].

pub mod access;
pub mod api;
mod auth;
pub mod document;
pub mod error;
pub mod front;
mod handlers;
pub mod http;
pub mod name;
pub mod scope;
pub mod server;
pub mod service;
pub mod store;
pub mod token;
