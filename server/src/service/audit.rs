//! What the audit log says of each change: its word, its sentence, its data,
//! and who made it with which token. It never shows a secret, and commits
//! nothing.

use crate::access::{Caller, OrganizationId, Origin, Role};
use crate::error::Result;
use crate::name::Name;
use crate::scope::Scope;
use crate::store::{AuditEntry, Group, Token, Transaction};
use chrono::Utc;
use serde_json::{Map, Value, json};

/// Who makes a change.
#[derive(Clone, Copy)]
pub enum Actor<'a> {
    /// The holder of a token.
    Caller(&'a Caller),
    /// Whoever runs the server's own command line.
    Operator,
}

/// A change, as far as its entry tells it.
pub enum Event<'a> {
    TokenCreate(&'a Token),
    TokenRevoke { token: &'a Token, cause: &'static str },
    MemberAdd { username: &'a Name, role: Role },
    MemberUpdate { username: &'a Name, from: Role, to: Role },
    MemberRemove { username: &'a Name },
    GroupCreate(&'a Group),
    GroupDelete(&'a Group),
}

impl Event<'_> {
    fn code(&self) -> &'static str {
        match self {
            Self::TokenCreate(_) => "user-token-create",
            Self::TokenRevoke { .. } => "user-token-revoke",
            Self::MemberAdd { .. } => "org-member-add",
            Self::MemberUpdate { .. } => "org-member-update",
            Self::MemberRemove { .. } => "org-member-rm",
            Self::GroupCreate(_) => "group-create",
            Self::GroupDelete(_) => "group-delete",
        }
    }

    fn message(&self) -> String {
        match self {
            Self::TokenCreate(token) => {
                format!("minted token {} of {}", token.name, token.owner.username)
            }
            Self::TokenRevoke { token, cause } => {
                format!("revoked token {} of {} by {cause}", token.name, token.owner.username)
            }
            Self::MemberAdd { username, role } => format!("added {username} as {}", role.as_str()),
            Self::MemberUpdate { username, from, to } => {
                format!("changed {username} from {} to {}", from.as_str(), to.as_str())
            }
            Self::MemberRemove { username } => format!("removed {username}"),
            Self::GroupCreate(group) => {
                format!("created group {} in {}", group.name, group.location)
            }
            Self::GroupDelete(group) => format!("deleted group {}", group.name),
        }
    }

    fn data(&self) -> Value {
        match self {
            Self::TokenCreate(token) => json!({"token": described(token)}),
            Self::TokenRevoke { token, cause } => {
                json!({"token": described(token), "cause": cause})
            }
            Self::MemberAdd { username, role } => {
                json!({"member": {"username": username, "role": role}})
            }
            Self::MemberUpdate { username, from, to } => {
                json!({"member": {"username": username, "role": to}, "previous_role": from})
            }
            Self::MemberRemove { username } => json!({"member": {"username": username}}),
            Self::GroupCreate(group) | Self::GroupDelete(group) => {
                json!({"group": {"name": group.name, "uuid": group.uuid, "location": group.location}})
            }
        }
    }
}

/// A token as the log remembers it: whose it was, and how far it went.
fn described(token: &Token) -> Value {
    let mut told = json!({"id": token.id, "name": token.name, "owner": token.owner.username});
    if let Some(organization) = &token.organization {
        told["organization"] = json!(organization.slug);
    }
    if let Some((group, scopes)) = &token.group {
        told["group"] = json!(group);
        told["scopes"] = scopes.iter().map(Scope::as_str).collect();
    }
    told
}

/// Writes the entry of a change, in the change's own transaction.
pub async fn record(
    change: &mut Transaction,
    actor: Actor<'_>,
    organization: Option<OrganizationId>,
    event: Event<'_>,
) -> Result<()> {
    let mut data = match event.data() {
        Value::Object(data) => data,
        _ => Map::new(),
    };
    let (author, origin) = match actor {
        Actor::Caller(caller) => {
            let acting = json!({"id": caller.token, "name": caller.token_name});
            data.insert("acting_token".to_owned(), acting);
            (caller.username.to_string(), caller.origin)
        }
        Actor::Operator => ("operator".to_owned(), Origin::Cli),
    };
    let (code, message) = (event.code().to_owned(), event.message());
    let entry = AuditEntry { code, message, origin, author, created_at: Utc::now(), data };
    Ok(change.record(organization, &entry).await?)
}
