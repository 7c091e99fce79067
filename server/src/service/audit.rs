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
use uuid::Uuid;

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

/// Adds the entries of changes to a chain, in this order.
pub fn record<'a>(
    change: &mut Transaction,
    head: &mut ChainHead,
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

/// The data of an entry: what was changed, and the token that acted.
#[derive(Default, Serialize)]
struct Data<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    acting_token: Option<&'a ActingToken<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    cause: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    group: Option<GroupData<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    member: Option<MemberData<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    previous_role: Option<Role>,
    #[serde(skip_serializing_if = "Option::is_none")]
    token: Option<TokenData<'a>>,
}

#[derive(Serialize)]
struct ActingToken<'a> {
    id: TokenId,
    name: &'a Name,
}

#[derive(Serialize)]
struct GroupData<'a> {
    location: &'a Name,
    name: &'a Name,
    uuid: Uuid,
}

#[derive(Serialize)]
struct MemberData<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    role: Option<Role>,
    username: &'a Name,
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
        let (code, message, data) = self.describe();
        let data = serde_json::to_string(&Data { acting_token, ..data });
        let data = data.map_err(|error| Error::internal(format!("no JSON form: {error}")))?;
        Ok(NewEntry { code, message, data })
    }

    /// Returns the code, the message and the data of the entry.
    fn describe(self) -> (&'static str, String, Data<'a>) {
        match self {
            Self::TokenCreate { token, owner } => (
                "user-token-create",
                format!("minted token {} of {owner}", token.name),
                Data { token: Some(token_data(token, owner)), ..Data::default() },
            ),
            Self::TokenRevoke { token, owner, cause } => (
                "user-token-revoke",
                format!("revoked token {} of {owner} by {cause}", token.name),
                Data {
                    token: Some(token_data(token, owner)),
                    cause: Some(cause),
                    ..Data::default()
                },
            ),
            Self::MemberAdd { username, role } => (
                "org-member-add",
                format!("added {username} as {role}"),
                member_data(username, Some(role), None),
            ),
            Self::MemberUpdate { username, from, to } => (
                "org-member-update",
                format!("changed {username} from {from} to {to}"),
                member_data(username, Some(to), Some(from)),
            ),
            Self::MemberRemove { username } => {
                ("org-member-rm", format!("removed {username}"), member_data(username, None, None))
            }
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

fn member_data(username: &Name, role: Option<Role>, previous_role: Option<Role>) -> Data<'_> {
    Data { member: Some(MemberData { role, username }), previous_role, ..Data::default() }
}

fn group_data(group: &Group) -> Data<'_> {
    let (location, name, uuid) = (&group.primary, &group.name, group.uuid);
    Data { group: Some(GroupData { location, name, uuid }), ..Data::default() }
}
