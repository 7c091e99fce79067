//! What the audit log says of each change: its word, its sentence, its data, and who made it with
//! which token. It never shows a secret.

use crate::caller::{Caller, Origin, Role};
use crate::error::{Error, Result};
use crate::name::{Name, Slug};
use crate::records::{Group, Token};
use crate::scope::Scopes;
use crate::store::{Author, ChainHead, NewEntry, Transaction};
use crate::token::TokenId;
use chrono::Utc;
use serde::Serialize;
use serde_json::{Value, json};

/// Who makes a change.
#[derive(Clone, Copy)]
pub enum Actor<'a> {
    /// The holder of a token.
    Caller(&'a Caller),
    /// The user of the server's own command line.
    Operator,
}

/// A change.
pub enum Event<'a> {
    TokenCreate { token: &'a Token, owner: &'a Name },
    TokenRevoke { token: &'a Token, owner: &'a Name, cause: &'static str },
    MemberAdd { username: &'a Name, role: Role },
    MemberUpdate { username: &'a Name, from: Role, to: Role },
    MemberRemove { username: &'a Name },
    GroupCreate(&'a Group),
    GroupDelete(&'a Group),
}

/// Returns the revocations of tokens, each with its owner.
pub fn revocations<'a>(
    revoked: &'a [(Token, Name)],
    cause: &'static str,
) -> impl Iterator<Item = Event<'a>> {
    revoked.iter().map(move |(token, owner)| Event::TokenRevoke { token, owner, cause })
}

/// Adds the entries of changes to a chain, in this order.
pub fn record<'a>(
    change: &mut Transaction,
    head: ChainHead,
    actor: Actor<'_>,
    events: impl IntoIterator<Item = Event<'a>>,
) -> Result<()> {
    let (name, origin, acting_token) = match actor {
        Actor::Caller(caller) => {
            let (id, name) = (caller.token, &caller.token_name);
            (caller.username.as_str(), caller.origin, Some(ActingToken { id, name }))
        }
        Actor::Operator => ("operator", Origin::Cli, None),
    };
    let author = Author { name, origin, time: Utc::now() };
    let entries: Result<Vec<_>> =
        events.into_iter().map(|event| event.entry(acting_token.as_ref())).collect();
    change.record(head, &author, entries?);
    Ok(())
}

/// The data of an entry: the token that acted, and what was changed.
#[derive(Serialize)]
struct Data<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    acting_token: Option<&'a ActingToken<'a>>,
    #[serde(flatten)]
    subject: Subject<'a>,
}

#[derive(Serialize)]
struct ActingToken<'a> {
    id: TokenId,
    name: &'a Name,
}

#[derive(Serialize)]
#[serde(untagged)]
enum Subject<'a> {
    Token {
        #[serde(skip_serializing_if = "Option::is_none")]
        cause: Option<&'static str>,
        token: TokenData<'a>,
    },
    Other(Value),
}

#[derive(Serialize)]
struct TokenData<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    group: Option<&'a Name>,
    id: TokenId,
    name: &'a Name,
    #[serde(skip_serializing_if = "Option::is_none")]
    organization: Option<&'a Slug>,
    owner: &'a Name,
    #[serde(skip_serializing_if = "Option::is_none")]
    scopes: Option<Scopes>,
}

impl<'a> Event<'a> {
    fn entry(self, acting_token: Option<&'a ActingToken<'a>>) -> Result<NewEntry> {
        let (code, message, subject) = self.describe();
        let data = serde_json::to_string(&Data { acting_token, subject });
        let data = data.map_err(|error| Error::internal(format!("no JSON form: {error}")))?;
        Ok(NewEntry { code, message, data })
    }

    /// Returns the code and the message of the entry, and what was changed.
    fn describe(self) -> (&'static str, String, Subject<'a>) {
        match self {
            Self::TokenCreate { token, owner } => (
                "user-token-create",
                format!("minted token {} of {owner}", token.name),
                Subject::Token { cause: None, token: token_data(token, owner) },
            ),
            Self::TokenRevoke { token, owner, cause } => (
                "user-token-revoke",
                format!("revoked token {} of {owner} by {cause}", token.name),
                Subject::Token { cause: Some(cause), token: token_data(token, owner) },
            ),
            Self::MemberAdd { username, role } => (
                "org-member-add",
                format!("added {username} as {role}"),
                Subject::Other(json!({"member": {"username": username, "role": role}})),
            ),
            Self::MemberUpdate { username, from, to } => {
                let member = json!({"username": username, "role": to});
                (
                    "org-member-update",
                    format!("changed {username} from {from} to {to}"),
                    Subject::Other(json!({"member": member, "previous_role": from})),
                )
            }
            Self::MemberRemove { username } => (
                "org-member-rm",
                format!("removed {username}"),
                Subject::Other(json!({"member": {"username": username}})),
            ),
            Self::GroupCreate(group) => (
                "group-create",
                format!("created group {} in {}", group.name, group.primary),
                group_data(group),
            ),
            Self::GroupDelete(group) => {
                ("group-delete", format!("deleted group {}", group.name), group_data(group))
            }
        }
    }
}

fn token_data<'a>(token: &'a Token, owner: &'a Name) -> TokenData<'a> {
    let Token { name, id, organization, group, scopes, .. } = token;
    let (organization, group) = (organization.as_ref(), group.as_ref());
    TokenData { group, id: *id, name, organization, owner, scopes: *scopes }
}

fn group_data(group: &Group) -> Subject<'_> {
    let (name, uuid, location) = (&group.name, group.uuid, &group.primary);
    Subject::Other(json!({"group": {"name": name, "uuid": uuid, "location": location}}))
}
