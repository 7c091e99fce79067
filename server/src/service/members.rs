//! Members, and the tokens that end with a membership. Who may change whom is
//! decided in `access`, never here; that an owner is left is seen to here.

use super::audit::{Actor, Event, record};
use super::{Service, reach, reach_to_change, tokens};
use crate::access::{Action, Caller, OrganizationId, Role};
use crate::error::{Error, Result};
use crate::name::{Name, Slug};
use crate::store::{Member, TokenFilter, Transaction};

impl Service {
    /// The members of an organization, by username.
    pub async fn list_members(&self, caller: &Caller, slug: &Slug) -> Result<Vec<Member>> {
        self.view(move |mut view| async move {
            let (organization, _) = reach(&mut view, caller, slug, Action::Read).await?;
            Ok(view.members(organization.id).await?)
        })
        .await
    }

    /// One member.
    pub async fn get_member(
        &self,
        caller: &Caller,
        slug: &Slug,
        username: &Name,
    ) -> Result<Member> {
        self.view(move |mut view| async move {
            let (organization, _) = reach(&mut view, caller, slug, Action::Read).await?;
            view.member(organization.id, username).await?.ok_or(Error::NO_MEMBER)
        })
        .await
    }

    /// Gives a user who exists a role in an organization.
    pub async fn add_member(
        &self,
        caller: &Caller,
        slug: &Slug,
        username: &Name,
        role: Role,
    ) -> Result<Member> {
        let admit = |is_member| {
            let taken = || format!("{username} is a member already: change the role instead");
            if is_member { Err(Error::Conflict(taken())) } else { Ok(()) }
        };
        self.give_role(caller, slug, username, role, admit).await
    }

    /// Gives a member another role.
    pub async fn update_member(
        &self,
        caller: &Caller,
        slug: &Slug,
        username: &Name,
        role: Role,
    ) -> Result<Member> {
        let admit = |is_member| if is_member { Ok(()) } else { Err(Error::NO_MEMBER) };
        self.give_role(caller, slug, username, role, admit).await
    }

    /// Gives a user a role, where `admit` takes that they are a member already, or are not.
    async fn give_role(
        &self,
        caller: &Caller,
        slug: &Slug,
        username: &Name,
        role: Role,
        admit: impl Fn(bool) -> Result<()>,
    ) -> Result<Member> {
        let admit = &admit;
        self.change(caller, move |mut change| async move {
            let (organization, _) =
                reach_to_change(&mut change, caller, slug, Action::ManageMembers).await?;
            admit(change.member(organization.id, username).await?.is_some())?;
            set_role(change, Actor::Caller(caller), organization.id, username, role).await
        })
        .await
    }

    /// Removes a member, and revokes the member's tokens that are bound to the organization.
    pub async fn remove_member(&self, caller: &Caller, slug: &Slug, username: &Name) -> Result<()> {
        let action =
            if *username == caller.username { Action::Leave } else { Action::ManageMembers };
        self.urgently(caller, move |mut change| async move {
            let (organization, _) = reach_to_change(&mut change, caller, slug, action).await?;
            let member = change.member(organization.id, username).await?.ok_or(Error::NO_MEMBER)?;
            keep_an_owner(&mut change, organization.id, &member).await?;
            let (actor, event) = (Actor::Caller(caller), Event::MemberRemove { username });
            let bound = TokenFilter::UserIn(organization.id, member.user.id);
            tokens::revoke_all(&mut change, actor, bound, "org-member-rm").await?;
            change.delete_member(organization.id, member.user.id).await?;
            record(&mut change, actor, Some(organization.id), event).await?;
            Ok(change.commit().await?)
        })
        .await
    }
}

/// Makes a user a member, or gives a member another role, and commits.
pub(super) async fn set_role(
    mut change: Transaction,
    actor: Actor<'_>,
    organization: OrganizationId,
    username: &Name,
    role: Role,
) -> Result<Member> {
    let user = change.user(username).await?.ok_or(Error::NO_USER)?;
    let before = change.member(organization, username).await?;
    if before.as_ref().is_some_and(|member| member.role == role) {
        // Nothing changes, so there is nothing to tell of.
        return Ok(Member { user, role });
    }
    if let Some(member) = &before {
        keep_an_owner(&mut change, organization, member).await?;
    }
    change.put_member(organization, user.id, role).await?;
    let event = match before {
        None => Event::MemberAdd { username, role },
        Some(member) => Event::MemberUpdate { username, from: member.role, to: role },
    };
    record(&mut change, actor, Some(organization), event).await?;
    change.commit().await?;
    Ok(Member { user, role })
}

/// Refuses to take the role or the membership from the last owner.
async fn keep_an_owner(
    change: &mut Transaction,
    organization: OrganizationId,
    member: &Member,
) -> Result<()> {
    if member.role != Role::Owner || change.has_other_owner(organization, member.user.id).await? {
        return Ok(());
    }
    Err(Error::Conflict(format!(
        "{} is the last owner: make another one first, with `orgtokens-server member set`",
        member.user.username
    )))
}
