//! Groups, and the tokens that end with them.

use super::audit::{Actor, Event, record};
use super::{Service, reach, reach_to_change, tokens};
use crate::access::{Action, Binding, Caller, Extent};
use crate::error::{Error, Result};
use crate::name::{Name, Slug};
use crate::store::{Group, Snapshot};
use uuid::Uuid;

impl Service {
    /// The groups of an organization, by name; through a group-bound token its own.
    pub async fn list_groups(&self, caller: &Caller, slug: &Slug) -> Result<Vec<Group>> {
        self.view(move |mut view| async move { visible_groups(&mut view, caller, slug).await })
            .await
    }

    /// One group.
    pub async fn get_group(&self, caller: &Caller, slug: &Slug, name: &Name) -> Result<Group> {
        let groups = self.list_groups(caller, slug).await?;
        let hidden = match caller.binding {
            Binding::Group { .. } => Error::OTHER_GROUP,
            Binding::Unrestricted | Binding::Organization(_) => Error::NO_GROUP,
        };
        groups.into_iter().find(|group| group.name == *name).ok_or(hidden)
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
            for token in change.group_tokens(group.uuid).await? {
                tokens::delete(&mut change, actor, &token, "group-delete").await?;
            }
            change.delete_group(organization.id, group.uuid).await?;
            record(&mut change, actor, Some(organization.id), Event::GroupDelete(&group)).await?;
            change.commit().await?;
            Ok(group)
        })
        .await
    }
}

async fn visible_groups(view: &mut Snapshot, caller: &Caller, slug: &Slug) -> Result<Vec<Group>> {
    let (organization, extent) = reach(view, caller, slug, Action::ReadGroups).await?;
    let mut groups = view.groups(organization.id).await?;
    if let (Extent::Own, Binding::Group { group: own, .. }) = (extent, &caller.binding) {
        groups.retain(|group| group.uuid == *own);
    }
    Ok(groups)
}
