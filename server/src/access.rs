//! The authorization policy: what a credential may do, by its binding and the current role of its
//! user. Pure: it knows no request, no database and no clock.

use crate::caller::{Binding, OrganizationId, Role};
use crate::error::{Error, Result};
use crate::scope::Scope;

/// An action on the user's own account.
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
    /// List or revoke tokens: who may list a token may revoke it.
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
    /// Only the caller's own: tokens that its user minted, the group of its binding, or the
    /// organization of its binding.
    Own,
}

pub(crate) const ROLE: Error =
    Error::Forbidden("only owners and admins of this organization may do this");
const READ: Error =
    Error::TokenTooNarrow("this token is bound to a group and lacks the scope `read`");
const GROUP: Error = Error::TokenTooNarrow("a token that is bound to a group may not do this");
const WIDER: Error = Error::TokenTooNarrow(
    "a token that is bound to an organization cannot mint a wider one: name its organization",
);

/// Decides about an action on the user's own account: every user, but not every token, may do it.
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

/// An organization, and whether its policy lets unrestricted tokens reach it.
#[derive(Clone, Copy, Debug)]
pub struct Place {
    pub organization: OrganizationId,
    pub allows_unrestricted: bool,
}

/// Decides about an action in an organization, in which the caller's user has `role`. If the
/// binding does not reach the organization, the error is that it does not exist.
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

/// Returns whether `role` may do all of `action`: a query takes this as a parameter.
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

    /// Returns a decision as a letter: `A`ll, `O`wn, role too low, token too narrow, `-` not found.
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
    fn each_role_and_binding_may_do_in_an_organization_what_the_table_says() {
        use Action::*;
        // One letter for each of owner, admin, member and viewer. The columns: unrestricted or
        // bound to this organization; bound to its group with `read`; bound to its group without
        // `read`.
        for (action, wide, with_read, without_read) in [
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
                (group(&[RequestedScope::Read]), with_read),
                (group(&[RequestedScope::DbCreate]), without_read),
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
    fn each_binding_may_do_on_the_own_account_what_the_table_says() {
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
