//! The caller's user, and the organizations that the caller can reach, with their groups and audit logs.
//! Deleting a group revokes its tokens.

use super::audit::{Actor, Event, record, revocations};
use super::{CASCADE_TIMEOUT, InOrganization, Service, authorize, page_after};
use crate::access::{Action, Extent, OwnAction, decide_own};
use crate::caller::{Binding, Credential};
use crate::error::{Error, Result};
use crate::name::{Name, Slug};
use crate::records::{AuditLogPage, Group, Organization, Page, PageQuery, User};
use crate::store::{AuditPosition, GROUP, GROUPS, ORGANIZATIONS, Purpose, View};
use uuid::Uuid;

/// How many entries of an audit page are sent in one part. Few, so that unread answers need little
/// memory, but enough for a page of the default size.
const AUDIT_PART: i64 = 100;

impl Service {
    /// Returns the caller's user.
    pub async fn get_user(&self, credential: &Credential) -> Result<User> {
        let caller = self.authenticate(credential).await?;
        decide_own(&caller.binding, OwnAction::ReadUser)?;
        Ok(caller.into())
    }

    /// Lists the organizations of the caller's user that the token's binding allows, by slug.
    pub async fn list_organizations(
        &self,
        credential: &Credential,
        after: Option<Slug>,
    ) -> Result<Page<Organization, Slug>> {
        let range = page_after(after.as_ref().map(Slug::as_str));
        self.read(View::Statement, |mut view| async move {
            let (access, page) = view.list(&ORGANIZATIONS, credential, None, range).await?;
            decide_own(&access.caller.binding, OwnAction::ListOrganizations)?;
            Ok(page)
        })
        .await
    }
}

impl InOrganization<'_> {
    /// Returns one organization.
    pub async fn get(self) -> Result<Organization> {
        let answer = self.service.store.access(self.credential, Some(self.slug)).await?;
        authorize(answer.access.clone(), Action::Read)?;
        Ok(Organization::new(self.slug.clone()))
    }

    /// Returns one part of an audit page, newest entries first, and the position of the next part. `after`
    /// is the position that the previous part returned.
    pub async fn list_audit_logs(
        self,
        query: PageQuery,
        after: Option<AuditPosition>,
    ) -> Result<(AuditLogPage, Option<AuditPosition>)> {
        let start = AuditPosition { total: None, skipped: query.skipped() };
        let position = after.unwrap_or(start);
        let left = start.skipped + i64::from(query.page_size) - position.skipped;
        let limit = AUDIT_PART.min(left);
        self.read(View::Statement, |mut view| async move {
            let listed = view.audit_page(self.credential, self.slug, position, limit);
            let (access, entries) = listed.await?;
            let (_, reach, _) = authorize(access, Action::ReadAudit)?;
            let total = position.total.unwrap_or(reach.head.entries);
            let next = AuditPosition { total: Some(total), skipped: position.skipped + limit };
            let next = (limit < left.min(total - position.skipped)).then_some(next);
            Ok((AuditLogPage::new(entries, total, query), next))
        })
        .await
    }

    /// Lists the groups of an organization, by name. A group-bound token sees only its own group.
    pub async fn list_groups(self, after: Option<Name>) -> Result<Page<Group, Name>> {
        self.list(&GROUPS, after, Action::ReadGroups).await
    }

    /// Returns one group.
    pub async fn get_group(self, name: &Name) -> Result<Group> {
        self.read(View::Statement, |mut view| async move {
            let (access, group) =
                view.access_to(&GROUP, self.credential, self.slug, name).await?;
            let (caller, _, extent) = authorize(access, Action::ReadGroups)?;
            let is_own = |group: &Group| {
                matches!(caller.binding, Binding::Group { group: own, .. } if own == group.uuid)
            };
            match extent {
                Extent::All => group.ok_or(Error::NO_GROUP),
                Extent::Own => group.filter(is_own).ok_or(Error::OTHER_GROUP),
            }
        })
        .await
    }

    /// Creates a group.
    pub async fn create_group(self, name: Name, location: Name) -> Result<Group> {
        let version = env!("CARGO_PKG_VERSION").to_owned();
        let group = Group::new(name, Uuid::new_v4(), location, version);
        let new = &group;
        let created = self.write(Purpose::Change, |mut change| async move {
            let (caller, reach, _) = self.authorize(&mut change, Action::ManageGroups).await?;
            change.insert_group(reach.id, new);
            let event = Event::GroupCreate(new);
            record(&mut change, reach.head, Actor::Caller(&caller), [event]);
            Ok((change, ()))
        });
        let taken =
            || format!("there is a group named {} already: choose another name", group.name);
        created.await.map_err(|error| error.or_taken(taken))?;
        Ok(group)
    }

    /// Deletes a group and revokes its tokens.
    pub async fn delete_group(self, name: &Name) -> Result<Group> {
        self.write(Purpose::Revocation, |mut change| async move {
            change.set_timeouts(Some(CASCADE_TIMEOUT));
            let (access, group) =
                change.access_to(&GROUP, self.credential, self.slug, name).await?;
            let (caller, reach, _) = authorize(access, Action::ManageGroups)?;
            let group = group.ok_or(Error::NO_GROUP)?;
            let revoked = change.delete_group_tokens(self.slug, reach.id, group.uuid).await?;
            change.delete_group(group.uuid);
            let events = revocations(&revoked, "group-delete");
            let events = events.chain([Event::GroupDelete(&group)]);
            record(&mut change, reach.head, Actor::Caller(&caller), events);
            Ok((change, group))
        })
        .await
    }
}
