//! The caller's user, the organizations that the caller reaches, and their
//! audit logs. Nothing is changed here; who may read what is decided in
//! `access`.

use super::{Service, reach};
use crate::access::{Action, Caller, Extent, OwnAction, decide_own};
use crate::error::Result;
use crate::name::Slug;
use crate::store::{AuditPage, Organization};

impl Service {
    /// Says whether the caller may read its own user: the caller is the answer.
    pub fn read_user(&self, caller: &Caller) -> Result<()> {
        decide_own(&caller.binding, OwnAction::ReadUser).map(|_| ())
    }

    /// The organizations of the caller's user, within the token's binding, by slug.
    pub async fn list_organizations(&self, caller: &Caller) -> Result<Vec<Organization>> {
        let extent = decide_own(&caller.binding, OwnAction::ListOrganizations)?;
        let mut organizations = self
            .view(move |mut view| async move { Ok(view.organizations(caller.user).await?) })
            .await?;
        if extent == Extent::Own {
            organizations
                .retain(|organization| Some(organization.id) == caller.binding.organization());
        }
        Ok(organizations)
    }

    /// One organization.
    pub async fn get_organization(&self, caller: &Caller, slug: &Slug) -> Result<Organization> {
        self.view(move |mut view| async move {
            Ok(reach(&mut view, caller, slug, Action::Read).await?.0)
        })
        .await
    }

    /// Page `page`, counted from 1, of `page_size` entries of the audit log.
    pub async fn list_audit_logs(
        &self,
        caller: &Caller,
        slug: &Slug,
        page: u32,
        page_size: u32,
    ) -> Result<AuditPage> {
        let skip = u64::from(page.saturating_sub(1)) * u64::from(page_size);
        self.view(move |mut view| async move {
            let (organization, _) = reach(&mut view, caller, slug, Action::ReadAudit).await?;
            Ok(view.audit_page(organization.id, skip, page_size).await?)
        })
        .await
    }
}
