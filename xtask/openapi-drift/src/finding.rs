//! The result of a comparison: one finding for one cause, with every place where it shows.
//! Facts only: `report` lays them out, and `code` says what they mean for people.

mod merge;
mod rule;

use std::fmt::Display;
use std::sync::Arc;

use crate::code::Code;
use crate::document::Node;
use crate::files;
use crate::location::Location;
use crate::operation::shape;
use crate::pair::{Direction, Pair, Question};
use crate::value::Position;
pub use merge::{Merged, Unlisted};
pub use rule::Rule;

/// One side of a finding.
#[derive(Clone, Debug, PartialEq)]
pub struct Side {
    /// The file of the position, if it is not the document itself but one that it refers to.
    pub file: Option<String>,
    /// JSON pointer of the use.
    pub used_at: String,
    /// JSON pointer of the definition, if the use is a reference. In another file than the document
    /// its path and `#` come first.
    pub defined_at: String,
    /// Line and column of what differs, if the document was read from text: of the keyword or the new
    /// value. Without one, those of the definition if both sides have the same, else of the use.
    pub position: Option<Position>,
    /// What this side says there.
    pub says: String,
}

/// A place in a document, with its line and column.
type Place = (Arc<str>, Option<Position>);

/// Returns the place of what differs between a node and that of the other side, and its position.
fn place(node: &Node<'_>, other: &Node<'_>, (question, rule): (Question, Rule)) -> Place {
    let is_same = node.defined_at == other.defined_at;
    // What requires a property is the object, not the definition of the property.
    if (!is_same && question == Question::Change) || rule == Rule::Required {
        return (Arc::clone(&node.used_at), node.position());
    }
    if let Some(keyword) = rule.keyword(node.value, other.value) {
        let place = [&node.defined_at, "/", &keyword].concat();
        let position = node.document.position(&place);
        return (place.into(), position);
    }
    if is_same {
        (Arc::clone(&node.defined_at), node.definition())
    } else {
        (Arc::clone(&node.used_at), node.position())
    }
}

impl Side {
    /// Describes a node, at its use.
    pub(crate) fn new(node: &Node<'_>, says: impl Into<String>) -> Self {
        Self::at((Arc::clone(&node.used_at), node.position()), node, says.into())
    }

    fn at((place, position): Place, node: &Node<'_>, says: String) -> Self {
        let [file, used, defined] = [&*place, &node.used_at, &node.defined_at].map(files::split);
        // The use counts only in the file that is shown.
        let used = if used.0 == file.0 { used } else { defined };
        let is_in_file = used.0 == defined.0;
        Self {
            file: node.document.file(&place),
            used_at: used.1.to_owned(),
            defined_at: if is_in_file { defined.1.to_owned() } else { node.defined_at.to_string() },
            position,
            says,
        }
    }
}

/// A node, and what it says.
pub(crate) type Said<'a, 'd> = (&'a Node<'d>, String);

/// Pairs what a node of each side says.
pub(crate) fn said<'a, 'd>(
    documented: (&'a Node<'d>, impl Into<String>),
    served: (&'a Node<'d>, impl Into<String>),
) -> Pair<Said<'a, 'd>> {
    Pair { documented: (documented.0, documented.1.into()), served: (served.0, served.1.into()) }
}

/// What a difference does to callers and clients that rely on the documented side.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Effect {
    /// A promise is broken. If the question is about a server, every difference breaks one.
    Breaks,
    /// The later version of a contract only adds something.
    Adds,
    /// Both agree, and the server says less about it than the contract.
    Notes,
}

/// One difference.
#[derive(Clone, Debug, PartialEq)]
pub struct Finding {
    /// The kind of difference.
    pub rule: Rule,
    /// The question that it answers.
    pub question: Question,
    /// What it does to callers and clients.
    pub effect: Effect,
    /// Who sends the value, if that matters.
    pub direction: Option<Direction>,
    /// One line that says it.
    pub title: String,
    /// What the contract says.
    pub documented: Arc<Side>,
    /// What the server says.
    pub served: Arc<Side>,
    /// Every operation and location in it where this shows.
    pub places: Vec<String>,
    /// What the title calls the value, if it is about one.
    pub(crate) subject: String,
}

impl Finding {
    /// A finding for which it does not matter who sends the value.
    pub(crate) fn new(
        (question, rule): (Question, Rule),
        title: String,
        said: Pair<Said<'_, '_>>,
        location: &impl Display,
    ) -> Self {
        let Pair { documented: (one, before), served: (two, now) } = said;
        let code = (question, rule);
        let documented = Arc::new(Side::at(place(one, two, code), one, before));
        let served = Arc::new(Side::at(place(two, one, code), two, now));
        let (effect, direction, subject) = (Effect::Breaks, None, String::new());
        let places = vec![location.to_string()];
        Self { rule, question, effect, direction, title, documented, served, places, subject }
    }

    /// Says that a change of the contract only adds something, if that is so.
    pub(crate) fn adds_if(self, adds: bool) -> Self {
        let adds = adds && self.question == Question::Change;
        Self { effect: if adds { Effect::Adds } else { Effect::Breaks }, ..self }
    }

    /// A finding if one side may leave a value out that the other side requires.
    pub(crate) fn required(
        nodes: &Pair<&Node<'_>>,
        required: Pair<bool>,
        location: &Location,
    ) -> Option<Self> {
        let (sent, expected) = required.ordered(location.direction);
        if *sent || !*expected {
            return None;
        }
        let title = match location.direction {
            Direction::Request => location.question.words(
                "is required by the server, and documented as optional",
                "is required now, and was optional",
            ),
            Direction::Response => location.question.words(
                "may be absent, and is documented as required",
                "may be absent now, and was required",
            ),
        };
        let title = format!("{} {title}", location.subject());
        let says = required.map(|required| if required { "required" } else { "optional" });
        // A parameter says it itself, and a property does not.
        let keywords =
            nodes.map(|node| node.get("required").filter(|it| it.value.as_bool().is_some()));
        let sides = said(
            (keywords.documented.as_ref().unwrap_or(nodes.documented), says.documented),
            (keywords.served.as_ref().unwrap_or(nodes.served), says.served),
        );
        let finding = Self::new((location.question, Rule::Required), title, sides, location);
        Some(Self { direction: Some(location.direction), ..finding })
    }

    /// Returns the finding with its first place relative to a location.
    pub(crate) fn relative_to(&self, location: &Location) -> Self {
        let place = self.places.first().and_then(|place| location.relative(place));
        Self { places: place.map(str::to_owned).into_iter().collect(), ..self.clone() }
    }

    /// Returns the finding at a location, to which its places are relative.
    pub(crate) fn moved(&self, location: &Location) -> Self {
        let places = self.places.iter().map(|place| location.joined(place)).collect();
        Self { places, ..self.clone() }
    }

    /// Returns what identifies this kind of finding.
    pub fn code(&self) -> Code {
        let direction = self.direction.filter(|_| self.rule.has_direction());
        Code { rule: self.rule, question: self.question, direction }
    }

    /// Returns who breaks, and how.
    pub fn why(&self) -> &'static str {
        if self.effect == Effect::Adds {
            return "nothing breaks: earlier callers and clients do not use it";
        }
        if self.renames_path_parameter() {
            return "the path matches the same: only a generated client names a parameter in another way";
        }
        Code { direction: self.direction, ..self.code() }.why()
    }

    /// Returns the likely fix.
    pub fn help(&self) -> &'static str {
        if self.effect == Effect::Adds {
            return "nothing to fix: tell users about it";
        }
        if self.question == Question::Server
            && self.rule == Rule::Required
            && self.title.starts_with("the request body")
        {
            return "let the server accept an absent body, and say so in the document that it emits";
        }
        self.code().help()
    }

    /// Whether only the name of a parameter in the path differs.
    fn renames_path_parameter(&self) -> bool {
        self.rule == Rule::Path && shape(&self.documented.says) == shape(&self.served.says)
    }
}
