//! The statements about organizations, their members and their groups.

use super::access::{Access, page_with_access};
use super::access_cache::Invalidation;
use super::statement::{Row, sql};
use super::{Result, Snapshot, Transaction, rows};
use crate::caller::{Credential, OrganizationId, Role, UserId};
use crate::name::{Name, Slug};
use crate::records::{Group, Member, Organization, Page, PageRange, TokenPolicy};
use uuid::Uuid;

/// A list, ordered by the unique names of its items. `statement` reads the [`Access`] and a page of
/// `$4` items after the name `$3`. `read` reads an item, and `name` returns its name.
pub struct List<T, N> {
    statement: &'static str,
    read: fn(&dyn Row, usize) -> Result<T>,
    name: fn(&T) -> &N,
}

/// The organizations of the caller's user, or only the one that the token is bound to.
pub const ORGANIZATIONS: List<Organization, Slug> = List {
    statement: page_with_access!(
        "NULL",
        "* FROM (SELECT o.slug FROM members m JOIN organizations o ON o.id = m.organization_id
         WHERE m.user_id = (SELECT user_id FROM c)
         AND m.organization_id = coalesce((SELECT binding FROM c), m.organization_id)
         AND (o.allow_unrestricted = 1 OR o.id = (SELECT binding FROM c))
         AND o.slug > $3 ORDER BY o.slug LIMIT $4) AS p"
    ),
    read: |row, from| Ok(Organization::new(row.get(from)?)),
    name: |organization| &organization.slug,
};

/// The members of an organization.
pub const MEMBERS: List<Member, Name> = List {
    statement: page_with_access!(
        "NULL, NULL, NULL",
        "p.username, p.role, (SELECT u.email FROM users u WHERE u.id = p.user_id)
         FROM (SELECT m.username, m.role, m.user_id FROM members m
         WHERE m.organization_id = (SELECT organization_id FROM c) AND m.username > $3
         ORDER BY m.username LIMIT $4) AS p"
    ),
    read: rows::member,
    name: |member| &member.username,
};

/// The groups of an organization, or only the one that the token is bound to.
pub const GROUPS: List<Group, Name> = List {
    statement: page_with_access!(
        "NULL, NULL, NULL, NULL",
        "p.uuid, p.name, p.location, p.version FROM
         (SELECT * FROM (SELECT g.uuid, g.name, g.location, g.version FROM organization_groups g
         WHERE g.organization_id = (SELECT organization_id FROM c WHERE group_uuid IS NULL)
         AND g.name > $3 ORDER BY g.name LIMIT $4) AS a
         UNION ALL SELECT g.uuid, g.name, g.location, g.version FROM organization_groups g
         WHERE g.uuid = (SELECT group_uuid FROM c) AND g.name > $3) AS p"
    ),
    read: rows::group,
    name: |group| &group.name,
};

impl Snapshot {
    /// Returns the caller and at most `limit` items after the name `after`, in one statement.
    pub async fn list<T: Send, N: AsRef<str> + Clone>(
        &mut self,
        list: &List<T, N>,
        credential: &Credential,
        slug: Option<&Slug>,
        PageRange { after, limit }: PageRange<&str>,
    ) -> Result<(Access, Page<T, N>)> {
        let statement = sql!(list.statement, &credential.digest, slug, after, limit);
        let listed = self.access_with_page(credential, slug, statement, list.read);
        let (access, mut items) = listed.await?;
        items.sort_unstable_by(|a, b| (list.name)(a).as_ref().cmp((list.name)(b).as_ref()));
        Ok((access, Page::new(items, limit, |item| (list.name)(item).clone())))
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

    /// Changes the role of a member.
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

    /// Deletes a group that no token is bound to.
    pub fn delete_group(&mut self, group: Uuid) {
        let delete = sql!("DELETE FROM organization_groups WHERE uuid = $1", group);
        self.execute(delete.invalidating(Invalidation::Nothing));
    }
}

#[cfg(test)]
mod tests {
    use super::super::sqlite::plan;
    use super::super::statement::Value;
    use super::*;

    #[test]
    fn a_page_of_members_or_groups_is_a_range_of_an_index() {
        for (statement, range) in [
            (MEMBERS.statement, "SEARCH m USING PRIMARY KEY (organization_id=? AND username>?)"),
            (
                GROUPS.statement,
                "SEARCH g USING INDEX sqlite_autoindex_organization_groups_2 (organization_id=? AND name>?)",
            ),
        ] {
            let plan = plan(&sql!(statement, Value::Null, Value::Null, "", 1_i64));
            assert!(plan.contains(range), "{plan}");
        }
    }
}
