//! What the audit log says of each change: its word, its sentence, its data, and who made it with
//! which token. It never shows a secret.

use crate::caller::{Caller, Origin, Role};
use crate::limits::Limits;
use crate::name::Name;
use crate::records::{Group, Token};
use crate::store::{Author, ChainHead, NewEntry, Transaction};
use serde_json::{Value, json};

/// The author of what the operator does. No user may have this name.
pub const OPERATOR: &str = "operator";

/// The cause of a revocation that was asked for. Others are the codes of the changes that made it
/// necessary.
pub const REVOKE: &str = "revoke";

/// The cause of the removal of a token that has expired.
pub const EXPIRED: &str = "expired";

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
    TokenCreate { token: &'a Token, limits: &'a Limits, owner: &'a Name },
    TokenRevoke { token: &'a Token, owner: &'a Name, cause: &'static str },
    MemberAdd { username: &'a Name, role: Role },
    MemberUpdate { username: &'a Name, from: Role, to: Role },
    MemberRemove { username: &'a Name },
    GroupCreate(&'a Group),
    GroupDelete(&'a Group),
    UserAdd(&'a Name),
    UserDisable(&'a Name),
    UserEnable(&'a Name),
    UserRemove(&'a Name),
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
) {
    let (name, origin, acting_token) = match actor {
        Actor::Caller(caller) => {
            let token = json!({"id": caller.token, "name": caller.token_name});
            (caller.username.as_str(), caller.origin, token)
        }
        Actor::Operator => (OPERATOR, Origin::Cli, Value::Null),
    };
    let author = Author { name, origin };
    let entries = events.into_iter().map(|event| event.entry(&acting_token)).collect();
    change.record(head, &author, entries);
}

impl Event<'_> {
    fn entry(self, acting_token: &Value) -> NewEntry {
        let (code, message, mut data) = self.describe();
        data["acting_token"] = acting_token.clone();
        NewEntry { code, message, data: without_nulls(data).to_string() }
    }

    /// Returns the code and the message of the entry, and what was changed.
    fn describe(self) -> (&'static str, String, Value) {
        match self {
            Self::TokenCreate { token, limits: Limits { expires_at, allowed_ips }, owner } => {
                let mut data = token_data(token, owner);
                data["expires_at"] = json!(expires_at);
                data["allowed_ips"] = json!(allowed_ips);
                let message = format!("minted token {} of {owner}", token.name);
                ("user-token-create", message, json!({"token": without_nulls(data)}))
            }
            Self::TokenRevoke { token, owner, cause } => {
                let reason = if cause == REVOKE { String::new() } else { format!(" ({cause})") };
                (
                    "user-token-revoke",
                    format!("revoked token {} of {owner}{reason}", token.name),
                    json!({"cause": cause, "token": token_data(token, owner)}),
                )
            }
            Self::MemberAdd { username, role } => (
                "org-member-add",
                format!("added {username} as {role}"),
                json!({"member": {"username": username, "role": role}}),
            ),
            Self::MemberUpdate { username, from, to } => (
                "org-member-update",
                format!("changed {username} from {from} to {to}"),
                json!({"member": {"username": username, "role": to}, "previous_role": from}),
            ),
            Self::MemberRemove { username } => (
                "org-member-rm",
                format!("removed {username}"),
                json!({"member": {"username": username}}),
            ),
            Self::GroupCreate(group) => (
                "group-create",
                format!("created group {} in {}", group.name, group.primary),
                group_data(group),
            ),
            Self::GroupDelete(group) => {
                ("group-delete", format!("deleted group {}", group.name), group_data(group))
            }
            Self::UserAdd(user) => ("user-add", format!("added user {user}"), user_data(user)),
            Self::UserDisable(user) => {
                ("user-disable", format!("disabled user {user}"), user_data(user))
            }
            Self::UserEnable(user) => {
                ("user-enable", format!("enabled user {user}"), user_data(user))
            }
            Self::UserRemove(user) => ("user-rm", format!("removed user {user}"), user_data(user)),
        }
    }
}

fn token_data(token: &Token, owner: &Name) -> Value {
    let Token { name, id, organization, group, scopes, .. } = token;
    without_nulls(json!({
        "group": group,
        "id": id,
        "name": name,
        "organization": organization,
        "owner": owner,
        "scopes": scopes,
    }))
}

fn user_data(username: &Name) -> Value {
    json!({"user": {"username": username}})
}

fn group_data(group: &Group) -> Value {
    json!({"group": {"name": group.name, "uuid": group.uuid, "location": group.primary}})
}

fn without_nulls(mut data: Value) -> Value {
    if let Value::Object(members) = &mut data {
        members.retain(|_, value| !value.is_null());
    }
    data
}
