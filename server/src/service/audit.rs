//! What the audit log says of each change: its word, its sentence, its data, and who made it with
//! which token. It never shows a secret.

use crate::caller::{Caller, Origin, Role};
use crate::name::Name;
use crate::records::{AuditLog, Group, OrganizationToken, Token};
use chrono::Utc;
use serde_json::{Map, Value, json};

/// Who makes a change.
#[derive(Clone, Copy)]
pub enum Actor<'a> {
    /// The holder of a token.
    Caller(&'a Caller, Origin),
    /// The user of the server's own command line.
    Operator,
}

/// A change.
pub enum Event<'a> {
    TokenCreate { token: &'a Token, owner: &'a Name },
    TokenRevoke { token: &'a OrganizationToken, cause: &'static str },
    MemberAdd { username: &'a Name, role: Role },
    MemberUpdate { username: &'a Name, from: Role, to: Role },
    MemberRemove { username: &'a Name },
    GroupCreate(&'a Group),
    GroupDelete(&'a Group),
}

impl Actor<'_> {
    /// Returns the entry of a change that is made now.
    pub fn entry(self, event: Event<'_>) -> AuditLog {
        let (code, message, data) = event.describe();
        let mut data = if let Value::Object(data) = data { data } else { Map::new() };
        let (author, origin) = match self {
            Self::Caller(caller, origin) => {
                let acting = json!({"id": caller.token, "name": caller.token_name});
                data.insert("acting_token".to_owned(), acting);
                (caller.username.to_string(), origin)
            }
            Self::Operator => ("operator".to_owned(), Origin::Cli),
        };
        AuditLog { code: code.to_owned(), message, origin, author, created_at: Utc::now(), data }
    }

    /// Returns the entries of tokens that were revoked for `cause`, then the entry of the cause.
    pub fn cascade(
        self,
        cause: &'static str,
        revoked: &[OrganizationToken],
        event: Event<'_>,
    ) -> Vec<AuditLog> {
        let revoked = revoked.iter().map(|token| self.entry(Event::TokenRevoke { token, cause }));
        revoked.chain([self.entry(event)]).collect()
    }
}

impl Event<'_> {
    /// Returns the code, the message and the data of the entry.
    fn describe(self) -> (&'static str, String, Value) {
        match self {
            Self::TokenCreate { token, owner } => (
                "user-token-create",
                format!("minted token {} of {owner}", token.name),
                json!({"token": describe_token(token, Some(owner))}),
            ),
            Self::TokenRevoke { token: OrganizationToken { token, owner }, cause } => {
                let owner = owner.as_ref().map(|owner| &owner.username);
                let name = owner.map_or("", Name::as_str);
                (
                    "user-token-revoke",
                    format!("revoked token {} of {name} by {cause}", token.name),
                    json!({"token": describe_token(token, owner), "cause": cause}),
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
                describe_group(group),
            ),
            Self::GroupDelete(group) => {
                ("group-delete", format!("deleted group {}", group.name), describe_group(group))
            }
        }
    }
}

fn describe_token(token: &Token, owner: Option<&Name>) -> Value {
    let mut data = json!({"id": token.id, "name": token.name, "owner": owner});
    if let Some(organization) = &token.organization {
        data["organization"] = json!(organization);
    }
    if let Some(group) = &token.group {
        data["group"] = json!(group);
        data["scopes"] = json!(token.scopes);
    }
    data
}

fn describe_group(group: &Group) -> Value {
    json!({"group": {"name": group.name, "uuid": group.uuid, "location": group.primary}})
}
