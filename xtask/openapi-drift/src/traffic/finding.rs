//! What traffic does against the contract: one finding for one cause, with the first exchanges that
//! show it. Only this module has the names and the words of the rules.

use std::collections::HashMap;
use std::fmt;

use super::exchange::Exchange;
use super::redact::Sent;
use crate::finding::Side;

/// How many exchanges a finding names.
const MAX_NAMED: usize = 3;
/// How many places of operations a finding names.
const MAX_PLACES: usize = 12;

/// What is wrong with an exchange, the most severe first. It is displayed as its code.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum TrafficRule {
    /// An operation that is not documented answered.
    Operation,
    /// A documented operation answered with a status that is not documented.
    Status,
    /// A response has a body or a media type that is not documented.
    ResponseMediaType,
    /// A response lacks something that is documented as required.
    ResponseMissing,
    /// A response has a value that the contract does not allow.
    ResponseValue,
    /// A response has a member that its schema does not name.
    ResponseMember,
    /// A request was accepted with a body or a media type that is not documented.
    RequestMediaType,
    /// A request was accepted without something that is documented as required.
    RequestMissing,
    /// A request was accepted with a value that the contract does not allow.
    RequestValue,
    /// A request was accepted with a member that its schema does not name.
    RequestMember,
    /// A request was accepted with a query parameter that is not documented.
    Parameter,
    /// The contract says something that this checker cannot decide.
    Undecided,
    /// Something documented was not seen, and there is no reason for it.
    Uncovered,
    /// There is a reason for something that was seen, or that is not documented.
    UnneededReason,
}

impl TrafficRule {
    /// Every rule, the most severe first.
    pub const ALL: [Self; Self::UnneededReason as usize + 1] = [
        Self::Operation,
        Self::Status,
        Self::ResponseMediaType,
        Self::ResponseMissing,
        Self::ResponseValue,
        Self::ResponseMember,
        Self::RequestMediaType,
        Self::RequestMissing,
        Self::RequestValue,
        Self::RequestMember,
        Self::Parameter,
        Self::Undecided,
        Self::Uncovered,
        Self::UnneededReason,
    ];

    /// Finds a rule by its code.
    pub fn find(code: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|rule| rule.code() == code)
    }

    fn code(self) -> &'static str {
        match self {
            Self::Operation => "traffic-operation",
            Self::Status => "traffic-status",
            Self::ResponseMediaType => "traffic-response-media-type",
            Self::ResponseMissing => "traffic-response-missing",
            Self::ResponseValue => "traffic-response-value",
            Self::ResponseMember => "traffic-response-member",
            Self::RequestMediaType => "traffic-request-media-type",
            Self::RequestMissing => "traffic-request-missing",
            Self::RequestValue => "traffic-request-value",
            Self::RequestMember => "traffic-request-member",
            Self::Parameter => "traffic-parameter",
            Self::Undecided => "traffic-undecided",
            Self::Uncovered => "traffic-uncovered",
            Self::UnneededReason => "traffic-unneeded-reason",
        }
    }

    /// Returns what the code means.
    pub fn summary(self) -> &'static str {
        match self {
            Self::Operation => "an operation that is not documented answered",
            Self::Status => "a response has a status that is not documented",
            Self::ResponseMediaType => "a response has a body that is not documented",
            Self::ResponseMissing => "a response lacks what is documented as required",
            Self::ResponseValue => "a response has a value that the contract does not allow",
            Self::ResponseMember => "a response has a member that its schema does not name",
            Self::RequestMediaType => "a request was accepted with a body that is not documented",
            Self::RequestMissing => "a request was accepted without what is documented as required",
            Self::RequestValue => "a request was accepted with a value that is not allowed",
            Self::RequestMember => "a request was accepted with a member that is not documented",
            Self::Parameter => "a request was accepted with a parameter that is not documented",
            Self::Undecided => "the checker cannot decide what the contract says",
            Self::Uncovered => "something documented was not seen",
            Self::UnneededReason => "a reason explains no gap",
        }
    }

    /// Returns who breaks, and how.
    pub fn why(self) -> &'static str {
        match self {
            Self::Operation => "no generated client can call it, and no review covers it",
            Self::Status => "a client that knows only the documented statuses fails",
            Self::ResponseMediaType => {
                "a client that knows only the documented body cannot read it"
            }
            Self::ResponseMissing => "a client that relies on it fails",
            Self::ResponseValue => "a client that accepts only what is documented fails",
            Self::ResponseMember => "no generated client can see it, and a strict one rejects it",
            Self::RequestMediaType
            | Self::RequestMissing
            | Self::RequestValue
            | Self::RequestMember
            | Self::Parameter => "callers come to rely on it, and no document promises it",
            Self::Undecided => "nothing is known about these values",
            Self::Uncovered => "nothing shows that the server does what is documented",
            Self::UnneededReason => "the list of gaps says less than the traffic shows",
        }
    }

    /// Returns the likely fix.
    pub fn help(self) -> &'static str {
        match self {
            Self::Operation => "document it, or check traffic of this API only: --prefix",
            Self::Status | Self::ResponseMediaType => "document it, or do not send it",
            Self::ResponseMissing => "send it always, or document it as optional",
            Self::ResponseValue => "send what is documented, or document more",
            Self::ResponseMember => {
                "document it or do not send it; if any member is meant, write \
                 `additionalProperties: true`"
            }
            Self::RequestMediaType | Self::RequestMember | Self::Parameter => {
                "let the server refuse it, or document it"
            }
            Self::RequestMissing => "let the server refuse it, or document it as optional",
            Self::RequestValue => "let the server refuse it, or document what it accepts",
            Self::Undecided => "write it in a way that can be decided",
            Self::Uncovered => {
                "test it, or write a line with the reason: `operation status: reason`"
            }
            Self::UnneededReason => "remove the line",
        }
    }

    /// Returns what the contract says in an example, and what is sent.
    pub fn example(self) -> [&'static str; 2] {
        match self {
            Self::Operation => ["GET /books", "GET /books/1 is answered with 200"],
            Self::Status => ["responses: {200, 404}", "409"],
            Self::ResponseMediaType => ["content: {application/json}", "Content-Type: text/html"],
            Self::ResponseMissing => ["required: [id]", r#"{"title": "Emma"}"#],
            Self::ResponseValue => ["born: {type: integer}", r#"{"born": null}"#],
            Self::ResponseMember => ["properties: {id, title}", r#"{"id": 1, "shelf": 7}"#],
            Self::RequestMediaType => {
                ["content: {application/json}", "text/plain, answered with 200"]
            }
            Self::RequestMissing => ["required: [title]", "{}, answered with 200"],
            Self::RequestValue => ["limit: {maximum: 100}", "?limit=200, answered with 200"],
            Self::RequestMember => ["properties: {title}", r#"{"titel": ""}, answered with 200"#],
            Self::Parameter => ["parameters: [limit]", "?limt=10, answered with 200"],
            Self::Undecided => ["pattern: '(?=a)b'", r#""b""#],
            Self::Uncovered => ["responses: {200, 404}", "no exchange with 404"],
            Self::UnneededReason => ["`getBook 404: no book is ever removed`", "404"],
        }
    }
}

impl fmt::Display for TrafficRule {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(self.code())
    }
}

/// A file, and the number of an exchange in it.
type Place = (String, usize);

/// One cause, in one exchange or in many.
#[derive(Clone, Debug, PartialEq)]
pub struct TrafficFinding {
    /// What is wrong.
    pub rule: TrafficRule,
    /// One line that says it.
    pub title: String,
    /// What the contract says.
    pub contract: Side,
    /// What the first of the exchanges sent, or `[redacted]` if it may be a secret.
    pub sent: String,
    /// The first operations and locations in them.
    pub places: Vec<String>,
    /// In how many exchanges it shows.
    pub count: usize,
    /// The first of them: the name of the file, and the number in it, which starts with 1.
    pub exchanges: Vec<Place>,
}

/// One thing that is wrong in one exchange.
#[derive(Clone, Debug)]
pub struct Problem {
    pub rule: TrafficRule,
    pub title: String,
    pub contract: Side,
    pub sent: Sent,
    pub place: String,
}

/// Findings while they are collected.
#[derive(Default)]
pub struct Findings {
    all: Vec<TrafficFinding>,
    /// The finding of each cause, and the last exchange that showed it.
    by_cause: HashMap<(TrafficRule, String, String), (usize, Option<Place>)>,
}

impl Findings {
    /// Adds a problem to the finding with the same cause.
    pub fn add(&mut self, problem: Problem, exchange: &Exchange) {
        let Problem { rule, title, contract, sent, place } = problem;
        let sent = sent.to_string();
        let cause = (rule, contract.defined_at.clone(), title.clone());
        let (index, last) = self.by_cause.entry(cause).or_insert((self.all.len(), None));
        if *index == self.all.len() {
            let (count, places, exchanges) = (0, Vec::new(), Vec::new());
            self.all.push(TrafficFinding { rule, title, contract, sent, places, count, exchanges });
        }
        let finding = &mut self.all[*index];
        if finding.places.len() < MAX_PLACES && !finding.places.contains(&place) {
            finding.places.push(place);
        }
        // Two elements of one list are one exchange.
        let at = (exchange.file.clone(), exchange.number);
        if last.replace(at.clone()).as_ref() == Some(&at) {
            return;
        }
        finding.count += 1;
        if finding.exchanges.len() < MAX_NAMED {
            finding.exchanges.push(at);
        }
    }

    /// Returns the findings, the most severe first.
    pub fn sorted(mut self) -> Vec<TrafficFinding> {
        self.all.sort_by_key(|finding| (finding.rule, finding.contract.position));
        self.all
    }
}
