//! What the audit log says of each change: its word, its sentence, its data, and who made it with
//! which token. It never shows a secret.

use crate::caller::{Caller, Origin, Role};
use crate::clock;
use crate::limits::Limits;
use crate::name::Name;
use crate::records::{Group, Token, TokenPolicy};
use crate::store::{Author, ChainHead, NewEntry, Transaction};
use serde_json::{Value, json};

/// The codes of all entries.
pub const CODES: [&str; 14] = [
    "user-token-create",
    "user-token-rotate",
    "user-token-reuse",
    "user-token-revoke",
    "org-token-policy-update",
    "org-member-add",
    "org-member-update",
    "org-member-rm",
    "group-create",
    "group-delete",
    "user-add",
    "user-disable",
    "user-enable",
    "user-rm",
];

/// The author of what the operator does.
pub const OPERATOR: &str = "operator";

/// The author and the cause of what a leak report revokes.
pub const LEAK_REPORT: &str = "leak-report";

/// The author of the removal of tokens that have expired.
const EXPIRY: &str = "expiry";

/// The author of requests with a secret that a token had before.
const OLD_SECRET: &str = "old-secret";

/// The names that the audit log gives to authors who are no users.
pub const RESERVED: [&str; 4] = [OPERATOR, LEAK_REPORT, EXPIRY, OLD_SECRET];

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
    /// Someone who reported a credential, and needs none to do so.
    LeakReport,
    /// The time: a token has expired.
    Expiry,
    /// The sender of a secret that a token had before.
    OldSecret(Origin),
}

pub enum Event<'a> {
    TokenCreate { token: &'a Token, limits: &'a Limits, owner: &'a Name },
    TokenRotate { token: &'a Token, limits: &'a Limits, owner: &'a Name },
    TokenReuse { token: &'a Token, owner: &'a Name },
    TokenRevoke { token: &'a Token, owner: &'a Name, cause: &'static str },
    PolicyUpdate { policy: &'a TokenPolicy, previous: &'a TokenPolicy },
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
        Actor::LeakReport => (LEAK_REPORT, Origin::Web, Value::Null),
        Actor::Expiry => (EXPIRY, Origin::Web, Value::Null),
        Actor::OldSecret(origin) => (OLD_SECRET, origin, Value::Null),
    };
    let author = Author { name, origin };
    let entries = events.into_iter().map(|event| event.entry(&acting_token)).collect();
    change.record(head, &author, entries);
}

impl Event<'_> {
    fn entry(self, acting_token: &Value) -> NewEntry {
        let (code, message, mut data) = self.describe();
        debug_assert!(CODES.contains(&code), "{code} is not listed");
        data["acting_token"] = acting_token.clone();
        NewEntry { code, message, data: without_nulls(data).to_string() }
    }

    /// Returns the code and the message of the entry, and what was changed.
    fn describe(self) -> (&'static str, String, Value) {
        match self {
            Self::TokenCreate { token, limits, owner } => {
                of_token("user-token-create", "minted token", token, owner, Some(limits))
            }
            Self::TokenRotate { token, limits, owner } => {
                of_token("user-token-rotate", "rotated token", token, owner, Some(limits))
            }
            Self::TokenReuse { token, owner } => {
                of_token("user-token-reuse", "refused an old secret of token", token, owner, None)
            }
            Self::TokenRevoke { token, owner, cause } => {
                let (code, mut message, mut data) =
                    of_token("user-token-revoke", "revoked token", token, owner, None);
                if cause != REVOKE {
                    message += &[" (", cause, ")"].concat();
                }
                data["cause"] = cause.into();
                (code, message, data)
            }
            Self::PolicyUpdate { policy, previous } => {
                let data = json!({"policy": policy, "previous_policy": previous});
                ("org-token-policy-update", "changed the token policy".to_owned(), data)
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
            Self::GroupCreate(group) => {
                let message = format!("created group {} in {}", group.name, group.primary);
                ("group-create", message, group_data(group))
            }
            Self::GroupDelete(group) => {
                ("group-delete", format!("deleted group {}", group.name), group_data(group))
            }
            Self::UserAdd(user) => of_user("user-add", "added", user),
            Self::UserDisable(user) => of_user("user-disable", "disabled", user),
            Self::UserEnable(user) => of_user("user-enable", "enabled", user),
            Self::UserRemove(user) => of_user("user-rm", "removed", user),
        }
    }
}

/// Describes the change of a token, which has these limits from then on.
fn of_token(
    code: &'static str,
    change: &str,
    token: &Token,
    owner: &Name,
    limits: Option<&Limits>,
) -> (&'static str, String, Value) {
    let Token { name, id, organization, group, scopes, .. } = token;
    let data = without_nulls(json!({
        "allowed_ips": limits.and_then(|limits| limits.allowed_ips.as_ref()),
        "expires_at": limits.and_then(|limits| limits.expires_at).as_ref().map(clock::to_text),
        "group": group,
        "id": id,
        "name": name,
        "organization": organization,
        "owner": owner,
        "scopes": scopes,
    }));
    (code, format!("{change} {name} of {owner}"), json!({"token": data}))
}

fn of_user(code: &'static str, change: &str, username: &Name) -> (&'static str, String, Value) {
    (code, format!("{change} user {username}"), json!({"user": {"username": username}}))
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
