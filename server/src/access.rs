//! Policy, whole: what a credential may do, given its binding and its user's role
//! at this moment. Pure: no request, no database, no clock.

use crate::error::Error;
use crate::name::{Name, Quoted};
use crate::scope::{Scope, Scopes};
use crate::token::TokenId;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::str::FromStr;
use uuid::Uuid;

/// The store's key of an organization.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct OrganizationId(pub i64);

/// The store's key of a user.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct UserId(pub i64);

/// What a member may do in an organization.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Role {
    /// Everything; made by the command line alone.
    Owner,
    /// Everything, too.
    Admin,
    /// Reads, and mints for themself.
    Member,
    /// The same as a member, where tokens are concerned.
    Viewer,
}

impl Role {
    /// As the wire and the store spell it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Owner => "owner",
            Self::Admin => "admin",
            Self::Member => "member",
            Self::Viewer => "viewer",
        }
    }
}

impl FromStr for Role {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let roles = [Self::Owner, Self::Admin, Self::Member, Self::Viewer];
        roles.into_iter().find(|role| role.as_str() == text).ok_or_else(|| {
            format!("{} is not a role: use owner, admin, member or viewer", Quoted(text))
        })
    }
}

/// Where a token acts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Binding {
    /// Wherever its user may.
    Unrestricted,
    /// In one organization.
    Organization(OrganizationId),
    /// On one group, pinned by its UUID, within scopes.
    Group {
        /// The group's organization.
        organization: OrganizationId,
        /// The group.
        group: Uuid,
        /// What it may do there.
        scopes: Scopes,
    },
}

impl Binding {
    /// The organization that it is bound to, or whose group.
    pub fn organization(&self) -> Option<OrganizationId> {
        match self {
            Self::Unrestricted => None,
            Self::Organization(organization) | Self::Group { organization, .. } => {
                Some(*organization)
            }
        }
    }
}

/// Where a change came from, as the audit log names it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Origin {
    /// A command line.
    Cli,
    /// Anything else.
    Web,
}

impl Origin {
    /// As the wire and the store spell it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Cli => "cli",
            Self::Web => "web",
        }
    }
}

impl FromStr for Origin {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let origins = [Self::Cli, Self::Web];
        origins
            .into_iter()
            .find(|origin| origin.as_str() == text)
            .ok_or_else(|| format!("{} is not an origin", Quoted(text)))
    }
}

/// Who asks: a live token and the user who minted it.
#[derive(Clone, Debug)]
pub struct Caller {
    /// The token that the request carries.
    pub token: TokenId,
    /// Its name.
    pub token_name: Name,
    /// The user it acts as.
    pub user: UserId,
    /// That user's name.
    pub username: Name,
    /// That user's email address.
    pub email: String,
    /// Where it acts.
    pub binding: Binding,
    /// Where the request came from.
    pub origin: Origin,
}

/// What is asked for that concerns the user alone.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OwnAction {
    /// Read the user.
    ReadUser,
    /// List the user's organizations.
    ListOrganizations,
    /// List or revoke the user's own tokens, or mint one.
    ManageTokens,
    /// Mint a token that is bound to nothing.
    MintUnrestricted,
}

/// What is asked for in an organization.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Action {
    /// Read the organization, or its members.
    Read,
    /// List or read groups.
    ReadGroups,
    /// Create or delete groups.
    ManageGroups,
    /// Add or update members, or remove another one.
    ManageMembers,
    /// Remove oneself.
    Leave,
    /// List or revoke tokens: the two are symmetric.
    ManageTokens,
    /// Mint a token that is bound to the organization.
    MintToken,
    /// Mint a token that is bound to a group.
    MintGroupToken,
    /// Read the audit log.
    ReadAudit,
}

/// How much of what was asked for is allowed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Extent {
    /// All there is.
    All,
    /// The caller's own: tokens that its user minted, the group that it is bound to, what
    /// lies in the organization that it is bound to.
    Own,
}

/// What a denied caller hears.
const ROLE: Error = Error::RoleTooLow("only owners and admins of this organization may do this");
const READ: Error =
    Error::TokenTooNarrow("this token is bound to a group and lacks the scope `read`");
const GROUP: Error = Error::TokenTooNarrow("a token that is bound to a group may not do this");
const WIDER: Error = Error::TokenTooNarrow(
    "a token that is bound to an organization mints none that is wider: name its organization",
);

/// Decides about what concerns the user alone.
///
/// # Errors
/// [`Error::TokenTooNarrow`]: every user may do these, not every token.
pub fn decide_own(binding: &Binding, action: OwnAction) -> Result<Extent, Error> {
    use Binding::{Group, Organization, Unrestricted};
    use OwnAction::{ListOrganizations, ManageTokens, MintUnrestricted, ReadUser};
    match (binding, action) {
        (Unrestricted, _) | (Organization(_), ReadUser) => Ok(Extent::All),
        (Organization(_), ListOrganizations | ManageTokens) => Ok(Extent::Own),
        (Organization(_), MintUnrestricted) => Err(WIDER),
        (Group { .. }, _) => Err(GROUP),
    }
}

/// Decides about an action in an organization, of which the caller's user has `role`.
///
/// # Errors
/// [`Error::NO_ORGANIZATION`] where the binding does not reach it, else
/// [`Error::TokenTooNarrow`] or [`Error::RoleTooLow`].
pub fn decide(
    binding: &Binding,
    organization: OrganizationId,
    role: Role,
    action: Action,
) -> Result<Extent, Error> {
    if binding.organization().is_some_and(|bound| bound != organization) {
        return Err(Error::NO_ORGANIZATION);
    }
    match (binding, action) {
        (Binding::Group { scopes, .. }, Action::ReadGroups) if scopes.contains(Scope::Read) => {
            Ok(Extent::Own)
        }
        (Binding::Group { .. }, Action::ReadGroups) => Err(READ),
        (Binding::Group { .. }, _) => Err(GROUP),
        (Binding::Unrestricted | Binding::Organization(_), _) => decide_role(role, action),
    }
}

fn decide_role(role: Role, action: Action) -> Result<Extent, Error> {
    use Action::{
        Leave, ManageGroups, ManageMembers, ManageTokens, MintGroupToken, MintToken, Read,
        ReadAudit, ReadGroups,
    };
    match (action, role) {
        (Read | ReadGroups | Leave | MintToken, _) | (_, Role::Owner | Role::Admin) => {
            Ok(Extent::All)
        }
        (ManageTokens, Role::Member | Role::Viewer) => Ok(Extent::Own),
        (
            ManageGroups | ManageMembers | MintGroupToken | ReadAudit,
            Role::Member | Role::Viewer,
        ) => Err(ROLE),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::scope::RequestedScope;

    const HERE: OrganizationId = OrganizationId(1);
    const THERE: OrganizationId = OrganizationId(2);
    const ROLES: [Role; 4] = [Role::Owner, Role::Admin, Role::Member, Role::Viewer];

    fn group(scopes: &[RequestedScope]) -> Binding {
        let (organization, group) = (HERE, Uuid::nil());
        Binding::Group { organization, group, scopes: Scopes::expand(scopes) }
    }

    /// A decision as a letter: all, own, role too low, token too narrow, not found.
    fn letter(decision: Result<Extent, Error>) -> char {
        match decision {
            Ok(Extent::All) => 'A',
            Ok(Extent::Own) => 'O',
            Err(Error::RoleTooLow(_)) => 'r',
            Err(Error::TokenTooNarrow(_)) => 't',
            Err(Error::NotFound(_)) => '-',
            Err(other) => panic!("the policy says nothing else: {other}"),
        }
    }

    #[test]
    fn in_an_organization_each_role_may_through_each_binding_what_the_table_says() {
        use Action::*;
        // Owner, admin, member, viewer: unrestricted or bound here; bound to a group here with
        // `read`; without it; bound elsewhere.
        for (action, wide, reads, other) in [
            (Read, "AAAA", "tttt", "tttt"),
            (ReadGroups, "AAAA", "OOOO", "tttt"),
            (ManageGroups, "AArr", "tttt", "tttt"),
            (ManageMembers, "AArr", "tttt", "tttt"),
            (Leave, "AAAA", "tttt", "tttt"),
            (ManageTokens, "AAOO", "tttt", "tttt"),
            (MintToken, "AAAA", "tttt", "tttt"),
            (MintGroupToken, "AArr", "tttt", "tttt"),
            (ReadAudit, "AArr", "tttt", "tttt"),
        ] {
            for (binding, expected) in [
                (Binding::Unrestricted, wide),
                (Binding::Organization(HERE), wide),
                (group(&[RequestedScope::Read]), reads),
                (group(&[RequestedScope::DbCreate]), other),
                (Binding::Organization(THERE), "----"),
            ] {
                let decided = ROLES.map(|role| letter(decide(&binding, HERE, role, action)));
                assert_eq!(decided.iter().collect::<String>(), expected, "{action:?} {binding:?}");
            }
            let elsewhere =
                decide(&group(&[RequestedScope::FullAccess]), THERE, Role::Owner, action);
            assert_eq!(letter(elsewhere), '-', "{action:?}");
        }
    }

    #[test]
    fn about_themselves_users_may_through_each_binding_what_the_table_says() {
        use OwnAction::*;
        let bindings = [
            Binding::Unrestricted,
            Binding::Organization(HERE),
            group(&[RequestedScope::FullAccess]),
        ];
        for (action, expected) in [
            (ReadUser, "AAt"),
            (ListOrganizations, "AOt"),
            (ManageTokens, "AOt"),
            (MintUnrestricted, "Att"),
        ] {
            let decided: String =
                bindings.iter().map(|binding| letter(decide_own(binding, action))).collect();
            assert_eq!(decided, expected, "{action:?}");
        }
    }
}
