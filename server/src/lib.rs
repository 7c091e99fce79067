//! An API-token service for organizations, which keeps the contract of
//! `openapi.yaml`.
//!
//! A request travels one way: [`front`] (dispatch, limits, envelope), `handlers`
//! (authenticate, call, wrap), [`service`] (the domain's verbs, with the policy of
//! [`access`]), [`store`] (what is kept). None reaches back.

pub mod access;
pub mod api;
mod auth;
pub mod document;
pub mod error;
pub mod front;
mod handlers;
pub mod name;
pub mod scope;
pub mod server;
pub mod service;
pub mod store;
pub mod token;
