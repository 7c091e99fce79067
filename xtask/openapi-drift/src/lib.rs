//! Compares an OpenAPI contract with the document that a server emits, with its earlier version, or with
//! recorded traffic.
//!
//! The question is containment, not equality: the server must accept every request that the
//! contract allows, and the contract must allow every response that the server declares. So a
//! server may accept more and send less, and `$ref`, `allOf`, unions and `nullable` may be written
//! in any way that means the same. What cannot be decided is a finding, never a silent pass.
//!
//! ```
//! use openapi_drift::{Document, Pair, Question, compare};
//!
//! let contract = "
//! openapi: 3.0.3
//! paths:
//!   /books/{id}:
//!     get:
//!       operationId: getBook
//!       responses:
//!         '200':
//!           content:
//!             application/json:
//!               schema: {type: object, properties: {title: {type: string}}}
//! ";
//! // A server usually prints JSON. Here it may also send null.
//! let generated = contract.replace("{type: string}", "{type: string, nullable: true}");
//!
//! let documented = Document::parse("openapi.yaml", contract)?;
//! let served = Document::parse("the server", &generated)?.without_lines();
//! let outcome = compare(Question::Server, &Pair { documented, served });
//!
//! let [finding] = &outcome.findings[..] else { panic!("one difference") };
//! assert_eq!(finding.code().to_string(), "response-null");
//! assert_eq!(finding.title, "`title` may be sent as null, and is documented as string");
//! assert_eq!(finding.documented.position, Some((11, 51)));
//! assert_eq!(finding.places, ["getBook 200 `.title`"]);
//! # Ok::<(), openapi_drift::ParseError>(())
//! ```
//!
//! With [`Question::Change`] the documented side is an earlier version of the contract, and the served
//! side a later one. [`Outcome::findings`] has what breaks callers or clients of the earlier version,
//! and [`Outcome::additions`] has the rest.
//!
//! [`check_traffic`] holds exchanges that were recorded against a contract:
//!
//! ```
//! use openapi_drift::{Document, Routes, check_traffic, read_traffic};
//!
//! let contract = "
//! openapi: 3.0.3
//! paths:
//!   /books/{id}:
//!     get:
//!       operationId: getBook
//!       responses: {'204': {}}
//! ";
//! let line = r#"{"request": {"method": "GET", "url": "/books/7", "headers": []},
//!     "response": {"status": 404, "headers": []}}"#.replace('\n', "");
//! let contract = Document::parse("openapi.yaml", contract)?;
//! let outcome = check_traffic(&Routes::new(&contract, None), &read_traffic("a.jsonl", &line)?);
//!
//! let [finding] = &outcome.findings[..] else { panic!("one finding") };
//! assert_eq!(finding.title, "getBook answered with 404, which is not documented");
//! assert_eq!(finding.exchanges, [("a.jsonl".to_owned(), 1)]);
//! assert!(!outcome.coverage.operations[0].is_seen);
//! # Ok::<(), openapi_drift::ParseError>(())
//! ```
//!
//! [`write_text`], [`write_json`], [`write_github`] and [`write_sarif`] lay findings out for people
//! and for machines, and a [`Code`] explains itself. Traffic has the same four, and [`TrafficRule`]. The
//! library prints nothing and ends no process. The feature `cli` adds the program `openapi-drift`, and
//! [`cli`] for programs that contain it.

mod advice;
mod annotation;
mod case;
#[cfg(feature = "cli")]
pub mod cli;
mod code;
mod contain;
mod describe;
mod document;
mod expand;
mod files;
mod finding;
mod location;
mod number;
mod operation;
mod pair;
mod report;
mod traffic;
mod value;
mod warning;
mod yaml;

pub use code::Code;
pub use document::{Document, ParseError};
pub use finding::{Effect, Finding, Rule, Side, Unlisted};
pub use operation::{Outcome, compare};
pub use pair::{Direction, Pair, Question};
pub use report::{
    Style, write_explanation, write_github, write_json, write_sarif, write_text,
    write_traffic_explanation, write_traffic_github, write_traffic_json, write_traffic_sarif,
    write_traffic_text, write_warning_explanation,
};
pub use traffic::{
    Coverage, Exchange, Item, REDACTED, Routes, TrafficFinding, TrafficOutcome, TrafficRule,
    check_traffic, read_traffic,
};
pub use value::Position;
pub use warning::{Warning, WarningRule};
