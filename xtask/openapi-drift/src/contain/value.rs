//! One value on both sides, and the findings about it.

use std::cell::OnceCell;

use super::variant::{self, Constant, Constants};
use crate::case::{Case, Kind, Schema};
use crate::describe;
use crate::document::Node;
use crate::finding::{Finding, Rule, said};
use crate::location::Location;
use crate::pair::{Direction, Pair};

/// Longer enumerations take longer to compare than to look up.
const MANY_VALUES: usize = 20;

/// Both sides of one value.
pub struct Value<'a, 'd> {
    pub schemas: &'a Pair<Schema<'d>>,
    pub cases: &'a Pair<Vec<Case<'d>>>,
    pub location: &'a Location,
    /// The description of both sides, made for the first finding.
    says: OnceCell<Pair<String>>,
    /// The constants of every case of the larger side, made if it has variants.
    constants: OnceCell<Vec<Constants>>,
}

impl<'a, 'd> Value<'a, 'd> {
    pub fn new(
        schemas: &'a Pair<Schema<'d>>,
        cases: &'a Pair<Vec<Case<'d>>>,
        location: &'a Location,
    ) -> Self {
        Self { schemas, cases, location, says: OnceCell::new(), constants: OnceCell::new() }
    }

    /// Whether to remember the pair: its schemas can be recursive, or it takes long to compare.
    pub fn is_held(&self) -> bool {
        let mut all = self.cases.documented.iter().chain(&self.cases.served);
        all.any(|case| {
            matches!(case.kind, Kind::Array | Kind::Object)
                || !(case.not.is_empty() && case.rivals.is_empty())
                || case.values.as_ref().is_some_and(|values| values.len() > MANY_VALUES)
        })
    }

    pub fn constants(&self) -> &[Constants] {
        let direction = self.location.direction;
        let (_, large) = self.cases.ordered(direction);
        let of_all = || large.iter().map(|case| variant::constants(case, direction)).collect();
        self.constants.get_or_init(of_all)
    }

    /// A finding about what may be sent, and what is expected.
    pub fn differs(&self, rule: Rule, small: &str, large: &str) -> Finding {
        let subject = self.location.subject();
        let question = self.location.question;
        let title = match self.location.direction {
            Direction::Request => question.words(
                format!("the document allows {small} for {subject}, and the server takes {large}"),
                format!("{subject} could be {small}, and may now be only {large}"),
            ),
            Direction::Response => question.words(
                format!("{subject} may be sent as {small}, and is documented as {large}"),
                format!("{subject} may now be {small}, and was {large}"),
            ),
        };
        self.finding(rule, title)
    }

    /// A difference of two cases: at the schemas that declare them, if it is in a keyword of these.
    pub fn differs_in(&self, rule: Rule, cases: [&Case<'_>; 2], says: [&str; 2]) -> Finding {
        let finding = self.differs(rule, says[0], says[1]);
        let [one, two] = cases.map(|case| case.origin.value);
        if rule.keyword(one, two).or_else(|| rule.keyword(two, one)).is_none() {
            return finding;
        }
        let [small, large] = cases.map(|case| &case.origin);
        let nodes = Pair::from_ordered(self.location.direction, small, large);
        self.at(&nodes, rule, finding.title)
    }

    pub fn finding(&self, rule: Rule, title: String) -> Finding {
        let nodes = self.schemas.as_ref().map(|schema| &schema.shown);
        self.at(&nodes, rule, title)
    }

    fn at(&self, nodes: &Pair<&Node<'_>>, rule: Rule, title: String) -> Finding {
        let describe = || self.cases.as_ref().map(|cases| describe::cases(cases));
        let says = self.says.get_or_init(describe);
        let sides = said((nodes.documented, &*says.documented), (nodes.served, &*says.served));
        let direction = Some(self.location.direction);
        let subject = self.location.subject().to_owned();
        Finding {
            direction,
            subject,
            ..Finding::new((self.location.question, rule), title, sides, self.location)
        }
    }

    pub fn overlap(&self) -> Finding {
        let (subject, question) = (self.location.subject(), self.location.question);
        let title = match self.location.direction {
            Direction::Request => question.words(
                format!("{subject} may fit two variants of a `oneOf` on the server"),
                format!("{subject} may now fit two variants of a `oneOf`"),
            ),
            Direction::Response => question.words(
                format!("{subject} may fit two variants of a `oneOf` in the document"),
                format!("{subject} may now fit two variants of the earlier `oneOf`"),
            ),
        };
        self.finding(Rule::Overlap, title)
    }

    pub fn undecided(&self, what: &str) -> Finding {
        let title = format!("{}: {what} cannot be compared", self.location.subject());
        Finding { direction: None, ..self.finding(Rule::Undecided, title) }
    }
}

/// A case of the smaller side, and the case of the larger side that it should fit.
pub struct Fit<'a, 'd> {
    pub value: &'a Value<'a, 'd>,
    pub small: &'a Case<'d>,
    pub large: &'a Case<'d>,
    /// The constants of which other variants of the larger side allow all values but this one.
    pub covered: &'a [Constant<'a>],
}

impl<'d> Fit<'_, 'd> {
    /// Returns both sides of a part of the value, such as its elements.
    pub fn part(&self, small: &[Node<'d>], large: &[Node<'d>]) -> Pair<Schema<'d>> {
        let small = Schema::all_of(&self.small.origin, small);
        let large = Schema::all_of(&self.large.origin, large);
        Pair::from_ordered(self.value.location.direction, small, large)
    }
}
