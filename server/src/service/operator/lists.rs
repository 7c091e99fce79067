//! The operator's lists: each is read whole, in one snapshot.

use super::super::PAGE;
use super::{NO_ORGANIZATION, NO_USER, Operator};
use crate::error::Result;
use crate::name::{Name, Slug};
use crate::records::{AuditLogPage, Member, Organization, OrganizationToken, Page, PageQuery};
use crate::store::{self, ListedUser, Snapshot, TokenFilter, View};

impl Operator<'_> {
    /// Lists all users, by username.
    pub async fn list_users(&self) -> Result<Vec<ListedUser>> {
        whole(&mut self.view().await?, async |view, after| view.users(after, PAGE).await).await
    }

    /// Lists all organizations, by slug.
    pub async fn list_organizations(&self) -> Result<Vec<Organization>> {
        let page = async |view: &mut Snapshot, after| view.all_organizations(after, PAGE).await;
        whole(&mut self.view().await?, page).await
    }

    /// Lists the members of an organization, by username.
    pub async fn list_members(&self, slug: &Slug) -> Result<Vec<Member>> {
        let mut view = self.view().await?;
        let (id, _) = view.organization(slug).await?.ok_or(NO_ORGANIZATION)?;
        let page = async |view: &mut Snapshot, after: Option<Name>| {
            view.members(id, after.as_ref(), PAGE).await
        };
        whole(&mut view, page).await
    }

    /// Lists the tokens of all users or of one, in the order of minting; all of them, or those bound
    /// to one organization.
    pub async fn list_tokens(
        &self,
        username: Option<&Name>,
        slug: Option<&Slug>,
    ) -> Result<Vec<OrganizationToken>> {
        let mut view = self.view().await?;
        let mut filter = TokenFilter::default();
        if let Some(username) = username {
            filter.user = Some(view.user(username).await?.ok_or(NO_USER)?.id);
        }
        if let Some(slug) = slug {
            filter.organization = Some(view.organization(slug).await?.ok_or(NO_ORGANIZATION)?.0);
        }
        whole(&mut view, async |view, after| view.tokens(filter, after, PAGE).await).await
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
                let (id, total) = view.organization(slug).await?.ok_or(NO_ORGANIZATION)?;
                (view.audit_page(id, total - skip, page_size).await?, total)
            }
            None => view.unrestricted_audit_page(skip, page_size).await?,
        };
        Ok(AuditLogPage::new(entries, total, query))
    }

    async fn view(&self) -> store::Result<Snapshot> {
        self.0.store.read(View::Snapshot).await
    }
}

/// Reads all pages of a list.
async fn whole<T, C>(
    view: &mut Snapshot,
    page: impl AsyncFn(&mut Snapshot, Option<C>) -> store::Result<Page<T, C>>,
) -> Result<Vec<T>> {
    let (mut items, mut after) = (Vec::new(), None);
    loop {
        let Page { items: more, next } = page(view, after).await?;
        items.extend(more);
        if next.is_none() {
            return Ok(items);
        }
        after = next;
    }
}
