//! An API-token service for organizations that keeps to `openapi.yaml`.
//!
//! A request passes the modules in one direction: [`front`] (dispatch, limits, access log),
//! `handlers` (authenticate, call, wrap), [`service`] (domain functions, with the policy of
//! [`access`]), [`store`] (persistence). The first two share the types of [`http`] and [`api`];
//! `service` and `store` use none of the layers before them.

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
