//! The operator's lists: each is read whole, in one snapshot.

use super::{NO_ORGANIZATION, NO_USER, Operator};
use crate::error::Result;
use crate::name::{Name, Slug};
use crate::records::{AuditLogPage, Member, Organization, OrganizationToken, PageQuery};
use crate::store::{self, ListedUser, Reach, Snapshot, View};

impl Operator<'_> {
    /// Lists all users, by username.
    pub async fn list_users(&self) -> Result<Vec<ListedUser>> {
        Ok(self.view().await?.users().await?)
    }

    /// Lists all organizations, by slug.
    pub async fn list_organizations(&self) -> Result<Vec<Organization>> {
        Ok(self.view().await?.all_organizations().await?)
    }

    /// Lists the members of an organization, by username.
    pub async fn list_members(&self, slug: &Slug) -> Result<Vec<Member>> {
        let mut view = self.view().await?;
        let id = view.organization(slug).await?.ok_or(NO_ORGANIZATION)?.id;
        Ok(view.members(id, None, u32::MAX).await?.items)
    }

    /// Lists the tokens of all users or of one, in the order of minting; all of them, or those bound
    /// to one organization.
    pub async fn list_tokens(
        &self,
        username: Option<&Name>,
        slug: Option<&Slug>,
    ) -> Result<Vec<OrganizationToken>> {
        let mut view = self.view().await?;
        let (mut user, mut organization) = (None, None);
        if let Some(username) = username {
            user = Some(view.user(username).await?.ok_or(NO_USER)?.id);
        }
        if let Some(slug) = slug {
            organization = Some(view.organization(slug).await?.ok_or(NO_ORGANIZATION)?.id);
        }
        Ok(view.tokens(user, organization).await?)
    }

    /// Returns a page of the audit log of an organization, or of the entries that belong to none,
    /// newest first.
    pub async fn list_audit_logs(
        &self,
        slug: Option<&Slug>,
        query: PageQuery,
    ) -> Result<AuditLogPage> {
        let (skip, page_size) = (query.skipped(), query.page_size);
        let mut view = self.view().await?;
        let (entries, total) = match slug {
            Some(slug) => {
                let Reach { id, head, .. } =
                    view.organization(slug).await?.ok_or(NO_ORGANIZATION)?;
                (view.audit_page(id, head.entries - skip, page_size).await?, head.entries)
            }
            None => view.unrestricted_audit_page(skip, page_size).await?,
        };
        Ok(AuditLogPage::new(entries, total, query))
    }

    /// Returns a snapshot of which a list may be read for as long as it takes.
    async fn view(&self) -> store::Result<Snapshot> {
        let mut view = self.0.store.read(View::Snapshot).await?;
        view.lift_timeouts();
        Ok(view)
    }
}
