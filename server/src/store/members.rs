//! The statements about organizations, their members and their groups.

use super::access_cache::Invalidation;
use super::statement::sql;
use super::{Result, Snapshot, Transaction, rows};
use crate::caller::{OrganizationId, Role, UserId};
use crate::name::{Name, Slug};
use crate::records::{Group, Member, Organization, Page, TokenPolicy};
use uuid::Uuid;

impl Snapshot {
    /// Returns the organizations that a user is a member of, or only the one named by `bound`, by
    /// slug, after the one named.
    pub async fn organizations(
        &mut self,
        user: UserId,
        bound: Option<OrganizationId>,
        after: Option<&Slug>,
        limit: u32,
    ) -> Result<Page<Organization, Slug>> {
        let text = "SELECT o.slug FROM members m JOIN organizations o ON o.id = m.organization_id
             WHERE m.user_id = $1 AND m.organization_id = coalesce($2, m.organization_id)
             AND (o.allow_unrestricted = 1 OR o.id = $2)
             AND o.slug > $3 ORDER BY o.slug LIMIT $4";
        let statement = sql!(text, user, bound, after.map_or("", Slug::as_str), limit);
        let found = self.all(statement, |row| Ok(Organization::new(row.get(0)?)));
        Ok(Page::new(found.await?, limit, |organization| organization.slug.clone()))
    }

    /// Returns the members of an organization, by username, after the one named.
    pub async fn members(
        &mut self,
        organization: OrganizationId,
        after: Option<&Name>,
        limit: u32,
    ) -> Result<Page<Member, Name>> {
        let text =
            "SELECT m.username, m.role, u.email FROM members m JOIN users u ON u.id = m.user_id
             WHERE m.organization_id = $1 AND m.username > $2 ORDER BY m.username LIMIT $3";
        let statement = sql!(text, organization, after.map_or("", Name::as_str), limit);
        let found = self.all(statement, rows::member).await?;
        Ok(Page::new(found, limit, |member| member.username.clone()))
    }

    /// Returns the groups of an organization, by name, after the one named.
    pub async fn groups(
        &mut self,
        organization: OrganizationId,
        after: Option<&Name>,
        limit: u32,
    ) -> Result<Page<Group, Name>> {
        let text = "SELECT uuid, name, location, version FROM organization_groups
             WHERE organization_id = $1 AND name > $2 ORDER BY name LIMIT $3";
        let statement = sql!(text, organization, after.map_or("", Name::as_str), limit);
        let found = self.all(statement, |row| rows::group(row, 0)).await?;
        Ok(Page::new(found, limit, |group| group.name.clone()))
    }

    /// Returns one group.
    pub async fn group(&mut self, uuid: Uuid) -> Result<Option<Group>> {
        let text = "SELECT uuid, name, location, version FROM organization_groups WHERE uuid = $1";
        self.first(sql!(text, uuid), |row| rows::group(row, 0)).await
    }
}

impl Transaction {
    /// Adds a member.
    pub fn insert_member(
        &mut self,
        organization: OrganizationId,
        user: UserId,
        username: &Name,
        role: Role,
    ) {
        let text = "INSERT INTO members (organization_id, user_id, username, role)
             VALUES ($1, $2, $3, $4)";
        let insert = sql!(text, organization, user, username, role);
        self.execute(insert.invalidating(Invalidation::User(user)));
    }

    /// Gives a member another role.
    pub fn update_member(&mut self, organization: OrganizationId, username: &Name, role: Role) {
        let text = "UPDATE members SET role = $1 WHERE organization_id = $2 AND username = $3";
        let update = sql!(text, role, organization, username);
        self.execute(update.invalidating(Invalidation::Organization(organization)));
    }

    /// Removes a member; [`Transaction::delete_member_tokens`] revokes the member's tokens.
    pub fn delete_member(&mut self, organization: OrganizationId, username: &Name) {
        let text = "DELETE FROM members WHERE organization_id = $1 AND username = $2";
        let delete = sql!(text, organization, username);
        self.execute(delete.invalidating(Invalidation::Organization(organization)));
    }

    /// Replaces the token policy of an organization.
    pub fn update_policy(&mut self, organization: OrganizationId, policy: &TokenPolicy) {
        let text = "UPDATE organizations SET default_expiration = $1, maximum_expiration = $2,
             allow_unrestricted = $3 WHERE id = $4";
        let TokenPolicy { default_expiration, maximum_expiration, allow_unrestricted } = policy;
        let update =
            sql!(text, default_expiration, maximum_expiration, *allow_unrestricted, organization);
        self.execute(update.invalidating(Invalidation::Organization(organization)));
    }

    /// Adds a group.
    ///
    /// # Errors
    /// [`super::Error::Exists`], with the next query or commit, if the organization has a group of
    /// this name.
    pub fn insert_group(&mut self, organization: OrganizationId, group: &Group) {
        let text =
            "INSERT INTO organization_groups (uuid, organization_id, name, location, version)
             VALUES ($1, $2, $3, $4, $5)";
        let Group { name, uuid, version, primary, .. } = group;
        let insert = sql!(text, *uuid, organization, name, primary, version);
        self.execute(insert.invalidating(Invalidation::Nothing));
    }

    /// Deletes a group that no token is bound to any more.
    pub fn delete_group(&mut self, group: Uuid) {
        let delete = sql!("DELETE FROM organization_groups WHERE uuid = $1", group);
        self.execute(delete.invalidating(Invalidation::Nothing));
    }
}
