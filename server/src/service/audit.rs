//! The audit entries of changes: code, message, data, author and the token that was used. They never
//! contain a secret.

use crate::caller::{Caller, Origin, Role};
use crate::clock;
use crate::limits::Limits;
use crate::name::Name;
use crate::records::{Group, Token, TokenPolicy};
use crate::store::{Author, ChainHead, NewEntry, Transaction};
use serde_json::{Value, json};
use strum::{IntoStaticStr, VariantNames};

/// The codes of all entries.
pub const CODES: &[&str] = Event::VARIANTS;

/// The author of the operator's changes.
pub const OPERATOR: &str = "operator";

/// The author and the cause of the revocations of a leak report.
pub const LEAK_REPORT: &str = "leak-report";

/// The author of the removal of expired tokens.
const EXPIRY: &str = "expiry";

/// The author of entries about the use of an old secret of a token.
const OLD_SECRET: &str = "old-secret";

/// The authors that are not users. No user may have one of these names.
pub const RESERVED: [&str; 4] = [OPERATOR, LEAK_REPORT, EXPIRY, OLD_SECRET];

/// The cause of a revocation that a caller requested. If another change revoked the token, the cause is
/// the code of that change.
pub const REVOKE: &str = "revoke";

/// The cause of the removal of an expired token.
pub const EXPIRED: &str = "expired";

/// Who makes a change.
#[derive(Clone, Copy)]
pub enum Actor<'a> {
    /// The holder of a token.
    Caller(&'a Caller),
    /// The operator, with the command line of the server.
    Operator,
    /// A leak report, which needs no credential.
    LeakReport,
    /// The server, which removes an expired token.
    Expiry,
    /// The sender of an old secret of a token.
    OldSecret(Origin),
}

/// A change. The codes of the entries are the names of the variants in kebab case.
#[derive(IntoStaticStr, VariantNames)]
#[strum(serialize_all = "kebab-case", const_into_str)]
pub enum Event<'a> {
    UserTokenCreate { token: &'a Token, limits: &'a Limits, owner: &'a Name },
    UserTokenRotate { token: &'a Token, limits: &'a Limits, owner: &'a Name },
    UserTokenReuse { token: &'a Token, owner: &'a Name },
    UserTokenRevoke { token: &'a Token, owner: &'a Name, cause: &'static str },
    OrgTokenPolicyUpdate { policy: &'a TokenPolicy, previous: &'a TokenPolicy },
    OrgMemberAdd { username: &'a Name, role: Role },
    OrgMemberUpdate { username: &'a Name, from: Role, to: Role },
    OrgMemberRm { username: &'a Name },
    GroupCreate(&'a Group),
    GroupDelete(&'a Group),
    UserAdd(&'a Name),
    UserDisable(&'a Name),
    UserEnable(&'a Name),
    UserRm(&'a Name),
}

/// Returns an event for each revoked token.
pub fn revocations<'a>(
    revoked: &'a [(Token, Name)],
    cause: &'static str,
) -> impl Iterator<Item = Event<'a>> {
    revoked.iter().map(move |(token, owner)| Event::UserTokenRevoke { token, owner, cause })
}

/// Appends the entries of events to an audit chain.
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
        let code = self.into_str();
        let (message, mut data) = self.describe();
        data["acting_token"] = acting_token.clone();
        NewEntry { code, message, data: without_nulls(data).to_string() }
    }

    /// Returns the message and the data of the entry.
    fn describe(self) -> (String, Value) {
        match self {
            Self::UserTokenCreate { token, limits, owner } => {
                describe_token("minted token", token, owner, Some(limits))
            }
            Self::UserTokenRotate { token, limits, owner } => {
                describe_token("rotated token", token, owner, Some(limits))
            }
            Self::UserTokenReuse { token, owner } => {
                describe_token("refused an old secret of token", token, owner, None)
            }
            Self::UserTokenRevoke { token, owner, cause } => {
                let (mut message, mut data) = describe_token("revoked token", token, owner, None);
                if cause != REVOKE {
                    message += &[" (", cause, ")"].concat();
                }
                data["cause"] = cause.into();
                (message, data)
            }
            Self::OrgTokenPolicyUpdate { policy, previous } => {
                let data = json!({"policy": policy, "previous_policy": previous});
                ("changed the token policy".to_owned(), data)
            }
            Self::OrgMemberAdd { username, role } => (
                format!("added {username} as {role}"),
                json!({"member": {"username": username, "role": role}}),
            ),
            Self::OrgMemberUpdate { username, from, to } => (
                format!("changed {username} from {from} to {to}"),
                json!({"member": {"username": username, "role": to}, "previous_role": from}),
            ),
            Self::OrgMemberRm { username } => {
                (format!("removed {username}"), json!({"member": {"username": username}}))
            }
            Self::GroupCreate(group) => {
                let message = format!("created group {} in {}", group.name, group.primary);
                (message, group_data(group))
            }
            Self::GroupDelete(group) => {
                (format!("deleted group {}", group.name), group_data(group))
            }
            Self::UserAdd(user) => describe_user("added", user),
            Self::UserDisable(user) => describe_user("disabled", user),
            Self::UserEnable(user) => describe_user("enabled", user),
            Self::UserRm(user) => describe_user("removed", user),
        }
    }
}

/// Describes a change of a token, with its limits after the change.
fn describe_token(
    change: &str,
    token: &Token,
    owner: &Name,
    limits: Option<&Limits>,
) -> (String, Value) {
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
    (format!("{change} {name} of {owner}"), json!({"token": data}))
}

fn describe_user(change: &str, username: &Name) -> (String, Value) {
    (format!("{change} user {username}"), json!({"user": {"username": username}}))
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
