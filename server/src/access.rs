//! The policy: what a credential may do, given its binding and its user's role at this moment.
//! Pure: it knows no request, no database and no clock.

use crate::caller::{Binding, OrganizationId, Role};
use crate::error::{Error, Result};
use crate::scope::Scope;

/// An action that concerns the user alone.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OwnAction {
    ReadUser,
    ListOrganizations,
    /// List or revoke the user's own tokens, or mint one.
    ManageTokens,
    MintUnrestricted,
}

/// An action in an organization.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Action {
    /// Read the organization, or its members.
    Read,
    ReadGroups,
    ManageGroups,
    /// Add or update members, or remove another one.
    ManageMembers,
    Leave,
    /// List or revoke tokens: the two are symmetric.
    ManageTokens,
    /// List the tokens of one member, who may be the caller.
    ReadMemberTokens,
    ManagePolicy,
    MintToken,
    MintGroupToken,
    ReadAudit,
}

/// How much of an action is allowed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Extent {
    All,
    /// What is the caller's own: tokens that its user minted, the group that it is bound to, what
    /// belongs to the organization that it is bound to.
    Own,
}

pub(crate) const ROLE: Error =
    Error::Forbidden("only owners and admins of this organization may do this");
const READ: Error =
    Error::TokenTooNarrow("this token is bound to a group and lacks the scope `read`");
const GROUP: Error = Error::TokenTooNarrow("a token that is bound to a group may not do this");
const WIDER: Error = Error::TokenTooNarrow(
    "a token that is bound to an organization mints none that is wider: name its organization",
);

/// Decides about an action that concerns the user alone. Every user may do these, but not with every
/// token.
pub fn decide_own(binding: &Binding, action: OwnAction) -> Result<Extent> {
    use Binding::{Group, Organization, Unrestricted};
    use OwnAction::{ListOrganizations, ManageTokens, MintUnrestricted, ReadUser};
    match (binding, action) {
        (Unrestricted, _) | (Organization(_), ReadUser) => Ok(Extent::All),
        (Organization(_), ListOrganizations | ManageTokens) => Ok(Extent::Own),
        (Organization(_), MintUnrestricted) => Err(WIDER),
        (Group { .. }, _) => Err(GROUP),
    }
}

/// An organization, and what its policy says of the bindings that reach it.
#[derive(Clone, Copy, Debug)]
pub struct Place {
    pub organization: OrganizationId,
    pub allows_unrestricted: bool,
}

/// Decides about an action in an organization, in which the caller's user has `role`. An organization
/// that the binding does not reach is not found.
pub fn decide(binding: &Binding, place: Place, role: Role, action: Action) -> Result<Extent> {
    let is_reached = match binding.organization() {
        Some(bound) => bound == place.organization,
        None => place.allows_unrestricted,
    };
    if !is_reached {
        return Err(Error::NO_ORGANIZATION);
    }
    let Binding::Group { scopes, .. } = binding else { return decide_role(role, action) };
    match action {
        Action::ReadGroups if scopes.contains(Scope::Read) => Ok(Extent::Own),
        Action::ReadGroups => Err(READ),
        _ => Err(GROUP),
    }
}

/// Returns whether `role` may do all of `action`, as a parameter of a query.
pub fn may_do_all(role: Role, action: Action) -> bool {
    matches!(decide_role(role, action), Ok(Extent::All))
}

fn decide_role(role: Role, action: Action) -> Result<Extent> {
    match action {
        Action::Read | Action::ReadGroups | Action::Leave | Action::MintToken => Ok(Extent::All),
        _ if matches!(role, Role::Owner | Role::Admin) => Ok(Extent::All),
        Action::ManageTokens | Action::ReadMemberTokens => Ok(Extent::Own),
        _ => Err(ROLE),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::scope::{RequestedScope, Scopes};
    use uuid::Uuid;

    const HERE: OrganizationId = OrganizationId(1);
    const PLACE: Place = Place { organization: HERE, allows_unrestricted: true };
    const THERE: OrganizationId = OrganizationId(2);
    const ROLES: [Role; 4] = [Role::Owner, Role::Admin, Role::Member, Role::Viewer];

    fn group(scopes: &[RequestedScope]) -> Binding {
        let (organization, group) = (HERE, Uuid::nil());
        Binding::Group { organization, group, scopes: Scopes::expand(scopes) }
    }

    /// A decision as a letter: all, own, role too low, token too narrow, not found.
    fn letter(decision: Result<Extent>) -> char {
        match decision {
            Ok(Extent::All) => 'A',
            Ok(Extent::Own) => 'O',
            Err(Error::Forbidden(_)) => 'r',
            Err(Error::TokenTooNarrow(_)) => 't',
            Err(Error::NotFound(_)) => '-',
            Err(other) => panic!("not an answer of the policy: {other}"),
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
            (ReadMemberTokens, "AAOO", "tttt", "tttt"),
            (ManagePolicy, "AArr", "tttt", "tttt"),
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
                let decided = ROLES.map(|role| letter(decide(&binding, PLACE, role, action)));
                assert_eq!(decided.iter().collect::<String>(), expected, "{action:?} {binding:?}");
            }
            let there = Place { organization: THERE, ..PLACE };
            let elsewhere =
                decide(&group(&[RequestedScope::FullAccess]), there, Role::Owner, action);
            assert_eq!(letter(elsewhere), '-', "{action:?}");
            let barred = Place { allows_unrestricted: false, ..PLACE };
            for (binding, expected) in
                [(Binding::Unrestricted, "----"), (Binding::Organization(HERE), wide)]
            {
                let decided = ROLES.map(|role| letter(decide(&binding, barred, role, action)));
                assert_eq!(decided.iter().collect::<String>(), expected, "{action:?} {binding:?}");
            }
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
