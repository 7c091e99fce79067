//! The caller's user, the organizations that the caller reaches, and their audit logs.

use super::{PAGE, Service, reach};
use crate::access::{Action, OwnAction, decide_own};
use crate::caller::Credential;
use crate::error::Result;
use crate::name::Slug;
use crate::records::{AuditLog, Organization, Page, User};
use crate::store::View;

impl Service {
    /// Returns the caller's user.
    pub async fn get_user(&self, credential: &Credential) -> Result<User> {
        let caller = self.authenticate(credential).await?;
        decide_own(&caller.binding, OwnAction::ReadUser)?;
        Ok(caller.into())
    }

    /// Lists the organizations of the caller's user within the token's binding, by slug.
    pub async fn list_organizations(
        &self,
        credential: &Credential,
        after: Option<Slug>,
    ) -> Result<Page<Organization, Slug>> {
        let after = after.as_ref();
        self.read(View::Snapshot, |mut view| async move {
            let caller = view.access(credential, None).await?.caller;
            decide_own(&caller.binding, OwnAction::ListOrganizations)?;
            let bound = caller.binding.organization();
            Ok(view.organizations(caller.user, bound, after, PAGE).await?)
        })
        .await
    }

    /// Returns one organization.
    pub async fn get_organization(
        &self,
        credential: &Credential,
        slug: &Slug,
    ) -> Result<Organization> {
        self.read(View::Statement, |mut view| async move {
            let access = view.access(credential, Some(slug)).await?;
            reach(access, Action::Read)?;
            Ok(Organization::new(slug.clone()))
        })
        .await
    }

    /// Returns page `page`, counted from 1, of `page_size` audit entries, newest first, and how many
    /// entries there are.
    pub async fn list_audit_logs(
        &self,
        credential: &Credential,
        slug: &Slug,
        page: u32,
        page_size: u32,
    ) -> Result<(Vec<AuditLog>, u64)> {
        let skip = i64::from(page.saturating_sub(1)) * i64::from(page_size);
        self.read(View::Snapshot, |mut view| async move {
            let access = view.access(credential, Some(slug)).await?;
            let (_, reach, _) = reach(access, Action::ReadAudit)?;
            let total = reach.head.entries;
            let entries = view.audit_page(reach.id, total - skip, page_size).await?;
            Ok((entries, total.try_into().unwrap_or(0)))
        })
        .await
    }
}
