//! Groups, and the tokens that end with them. Who may do what is decided in
//! `access`, never here; no group is deleted without its tokens.

use super::audit::{Actor, Event, record};
use super::{Service, reach, reach_to_change, tokens};
use crate::access::{Action, Binding, Caller, Extent};
use crate::error::{Error, Result};
use crate::name::{Name, Slug};
use crate::store::{Group, TokenFilter};
use uuid::Uuid;

impl Service {
    /// The groups of an organization, by name; through a group-bound token its own.
    pub async fn list_groups(&self, caller: &Caller, slug: &Slug) -> Result<Vec<Group>> {
        self.view(move |mut view| async move {
            let (organization, extent) = reach(&mut view, caller, slug, Action::ReadGroups).await?;
            let mut groups = view.groups(organization.id).await?;
            if extent == Extent::Own {
                groups.retain(|group| is_own(caller, group));
            }
            Ok(groups)
        })
        .await
    }

    /// One group.
    pub async fn get_group(&self, caller: &Caller, slug: &Slug, name: &Name) -> Result<Group> {
        self.view(move |mut view| async move {
            let (organization, extent) = reach(&mut view, caller, slug, Action::ReadGroups).await?;
            let group = view.group(organization.id, name).await?;
            match extent {
                Extent::All => group.ok_or(Error::NO_GROUP),
                Extent::Own => {
                    group.filter(|group| is_own(caller, group)).ok_or(Error::OTHER_GROUP)
                }
            }
        })
        .await
    }

    /// Makes a group.
    pub async fn create_group(
        &self,
        caller: &Caller,
        slug: &Slug,
        name: Name,
        location: Name,
    ) -> Result<Group> {
        let version = env!("CARGO_PKG_VERSION").to_owned();
        let made = Group { uuid: Uuid::new_v4(), name, location, version };
        let group = &made;
        let taken =
            || format!("there is a group named {} already: choose another name", group.name);
        self.change(caller, move |mut change| async move {
            let (organization, _) =
                reach_to_change(&mut change, caller, slug, Action::ManageGroups).await?;
            let inserted = change.insert_group(organization.id, group).await;
            inserted.map_err(|error| Error::taken(error, taken))?;
            let (actor, event) = (Actor::Caller(caller), Event::GroupCreate(group));
            record(&mut change, actor, Some(organization.id), event).await?;
            Ok(change.commit().await?)
        })
        .await?;
        Ok(made)
    }

    /// Deletes a group and revokes its tokens.
    pub async fn delete_group(&self, caller: &Caller, slug: &Slug, name: &Name) -> Result<Group> {
        self.urgently(caller, move |mut change| async move {
            let (organization, _) =
                reach_to_change(&mut change, caller, slug, Action::ManageGroups).await?;
            let group = change.group(organization.id, name).await?.ok_or(Error::NO_GROUP)?;
            let actor = Actor::Caller(caller);
            let bound = TokenFilter::Group(group.uuid);
            tokens::revoke_all(&mut change, actor, bound, "group-delete").await?;
            change.delete_group(organization.id, group.uuid).await?;
            record(&mut change, actor, Some(organization.id), Event::GroupDelete(&group)).await?;
            change.commit().await?;
            Ok(group)
        })
        .await
    }
}

/// Whether it is the group that the caller's token is bound to.
fn is_own(caller: &Caller, group: &Group) -> bool {
    matches!(caller.binding, Binding::Group { group: own, .. } if own == group.uuid)
}
