//! Members of organizations. Removing a member revokes the member's tokens in the organization. Every
//! organization keeps an owner.

use super::audit::{Actor, Event, record, revocations};
use super::list_cache::ListKey;
use super::tokens::{TokenCursor, require_same_list};
use super::{CASCADE_TIMEOUT, InOrganization, authorize, only_user, page_after};
use crate::access::{Action, Extent, ROLE};
use crate::caller::Role;
use crate::error::{Error, Result};
use crate::name::{Name, Slug};
use crate::records::{Member, OrganizationToken, Page, TokenOwner};
use crate::store::{MEMBER, MEMBERS, Membership, Purpose, TargetMember, Transaction, View};

impl InOrganization<'_> {
    /// Lists the members of an organization, by username.
    pub async fn list_members(self, after: Option<Name>) -> Result<Page<Member, Name>> {
        self.list(&MEMBERS, after, Action::Read).await
    }

    /// Returns one member.
    pub async fn get_member(self, username: &Name) -> Result<Member> {
        self.read(View::Statement, |mut view| async move {
            let (access, target) =
                view.access_to(&MEMBER, self.credential, self.slug, username).await?;
            authorize(access, Action::Read)?;
            let Some(TargetMember { email, role: Some(role), .. }) = target else {
                return Err(Error::NO_MEMBER);
            };
            Ok(Member { username: username.clone(), role, email })
        })
        .await
    }

    /// Lists the tokens of a member that are bound to the organization, in the order of minting. Removing
    /// the member would revoke these tokens.
    pub async fn list_member_tokens(
        self,
        username: &Name,
        after: Option<TokenCursor>,
    ) -> Result<Page<OrganizationToken, TokenCursor>> {
        let range = page_after(after.map(|after| after.0));
        self.read(View::Statement, |mut view| async move {
            let listed = view.member_tokens(self.credential, self.slug, username, range);
            let (access, target, page) = listed.await?;
            let (caller, reach, extent) = authorize(access, Action::ReadMemberTokens)?;
            if extent == Extent::Own && *username != caller.username {
                return Err(ROLE);
            }
            let target = target.filter(|target| target.role.is_some()).ok_or(Error::NO_MEMBER)?;
            let key = ListKey(reach.id, only_user(extent, &caller));
            require_same_list(after, key)?;
            let owner = TokenOwner { username: username.clone(), email: target.email };
            let owner = (extent == Extent::All).then_some(owner);
            let Page { items, next } =
                page.map(|token| OrganizationToken { token, owner: owner.clone() });
            Ok(Page { items, next: next.map(|position| TokenCursor(position, key)) })
        })
        .await
    }

    /// Adds an existing user to an organization.
    pub async fn add_member(self, username: &Name, role: Role) -> Result<Member> {
        self.give_role(username, role, false).await
    }

    /// Gives a member another role.
    pub async fn update_member(self, username: &Name, role: Role) -> Result<Member> {
        self.give_role(username, role, true).await
    }

    /// Gives a user a role. The user must already be a member, or must not be one yet.
    async fn give_role(self, username: &Name, role: Role, must_be_member: bool) -> Result<Member> {
        self.write(Purpose::Change, |mut change| async move {
            let (access, target) =
                change.access_to(&MEMBER, self.credential, self.slug, username).await?;
            let (caller, reach, _) = authorize(access, Action::ManageMembers)?;
            let is_member = target.as_ref().is_some_and(|target| target.role.is_some());
            if is_member && !must_be_member {
                let again = format!("{username} is a member already: change the role instead");
                return Err(Error::Conflict(again));
            }
            if must_be_member && !is_member {
                return Err(Error::NO_MEMBER);
            }
            let membership = Membership { slug: self.slug.clone(), reach, target };
            let actor = Actor::Caller(&caller);
            let member = set_role(&mut change, actor, membership, username, role)?;
            Ok((change, member))
        })
        .await
    }

    /// Removes a member, and revokes the member's tokens that are bound to the organization.
    pub async fn remove_member(self, username: &Name) -> Result<()> {
        self.write(Purpose::Revocation, |mut change| async move {
            change.set_timeouts(Some(CASCADE_TIMEOUT));
            let (access, target) =
                change.access_to(&MEMBER, self.credential, self.slug, username).await?;
            let is_self = *username == access.caller.username;
            let action = if is_self { Action::Leave } else { Action::ManageMembers };
            let (caller, reach, _) = authorize(access, action)?;
            let membership = Membership { slug: self.slug.clone(), reach, target };
            remove(&mut change, Actor::Caller(&caller), membership, username).await?;
            Ok((change, ()))
        })
        .await
    }
}

/// Removes a member, and revokes the member's tokens that are bound to the organization. Returns how
/// many were revoked.
pub(super) async fn remove(
    change: &mut Transaction,
    actor: Actor<'_>,
    Membership { slug, reach, target }: Membership,
    username: &Name,
) -> Result<usize> {
    let target = target.filter(|target| target.role.is_some()).ok_or(Error::NO_MEMBER)?;
    keep_an_owner(&slug, username, &target)?;
    let revoked = change.delete_member_tokens(&slug, reach.id, target.user).await?;
    change.delete_member(reach.id, username);
    let events = revocations(&revoked, "org-member-rm").chain([Event::OrgMemberRm { username }]);
    record(change, reach.head, actor, events);
    Ok(revoked.len())
}

/// Makes a user a member, or gives a member another role.
pub(super) fn set_role(
    change: &mut Transaction,
    actor: Actor<'_>,
    Membership { slug, reach, target }: Membership,
    username: &Name,
    role: Role,
) -> Result<Member> {
    let target = target.ok_or(Error::NO_USER)?;
    let event = match target.role {
        None => {
            change.insert_member(reach.id, target.user, username, role);
            Some(Event::OrgMemberAdd { username, role })
        }
        Some(current) if current == role => None,
        Some(current) => {
            keep_an_owner(&slug, username, &target)?;
            change.update_member(reach.id, username, role);
            Some(Event::OrgMemberUpdate { username, from: current, to: role })
        }
    };
    if let Some(event) = event {
        record(change, reach.head, actor, [event]);
    }
    Ok(Member { username: username.clone(), role, email: target.email })
}

/// Rejects a change that would leave the organization without an owner who is not disabled.
pub(super) fn keep_an_owner(slug: &Slug, username: &Name, target: &TargetMember) -> Result<()> {
    if target.role != Some(Role::Owner) || target.has_other_owner {
        return Ok(());
    }
    Err(Error::Conflict(format!(
        "{username} is the last owner of {slug} who is not disabled: first ask the operator to make \
         another one, with `orgtokens-server member set`"
    )))
}
