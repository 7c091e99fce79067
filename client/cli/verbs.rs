//! The words of each operation, and what is shown of its answer. The match is exhaustive: an
//! operation that is new in the contract does not compile until it has words.

use crate::generated::CliCommand;

/// How an operation is called on the command line.
pub struct Verb {
    /// One word, or a thing and a verb.
    pub words: &'static str,
    pub shown: Shown,
}

/// What is shown of an answer.
pub enum Shown {
    /// The object or the list of this name as a table, with these columns. A column is the JSON
    /// pointer of a member without its first slash.
    Table(&'static str, &'static [&'static str]),
    /// What was done, and the member of the answer to which.
    Done(&'static str, &'static str),
    /// What was done.
    Sentence(&'static str),
    /// The secret alone, after what was done.
    Secret(&'static str),
    /// When the token expires.
    Expiry,
}

const TOKENS: &[&str] = &["name", "id", "organization", "group", "scopes", "created_at"];
const TOKEN_DETAILS: &[&str] = &[
    "name",
    "id",
    "organization",
    "group",
    "scopes",
    "owner/username",
    "created_at",
    "expires_at",
    "allowed_ips",
    "last_used_at",
    "last_used_ip",
    "rotated_at",
    "previous_secret_expires_at",
];
const REVOKED: &[&str] = &["name", "id", "owner"];
const POLICY: &[&str] = &["default_expiration", "maximum_expiration", "allow_unrestricted"];
const ORGANIZATION_TOKENS: &[&str] =
    &["name", "id", "group", "scopes", "owner/username", "created_at"];
const ORGANIZATION: &[&str] = &["slug", "type", "overages", "blocked_reads", "blocked_writes"];
const MEMBER: &[&str] = &["username", "role", "email"];
const GROUP: &[&str] = &["name", "uuid", "locations", "primary", "delete_protection"];
const ENTRIES: &[&str] = &["created_at", "code", "author", "origin", "message"];

pub fn verb(operation: CliCommand) -> Verb {
    use CliCommand as Op;
    use Shown::{Done, Expiry, Secret, Sentence, Table};
    let (words, shown) = match operation {
        Op::ListOrganizationApiTokens => ("token list", Table("tokens", ORGANIZATION_TOKENS)),
        Op::ListApiTokens => ("token mine", Table("tokens", TOKENS)),
        Op::CreateApiToken | Op::CreateOrganizationApiToken => ("token mint", Secret("minted")),
        Op::GetOrganizationApiToken => ("token show", Table("token", TOKEN_DETAILS)),
        Op::RevokeApiToken | Op::RevokeOrganizationApiToken => {
            ("token revoke", Done("revoked", "token"))
        }
        Op::RotateOrganizationApiToken => ("token rotate", Secret("rotated")),
        Op::RevokeOrganizationApiTokens => ("token revoke", Table("tokens", REVOKED)),
        Op::RevokeCredentials => ("leak report", Sentence("reported")),
        Op::GetTokenPolicy => ("policy show", Table("policy", POLICY)),
        Op::UpdateTokenPolicy => ("policy set", Table("policy", POLICY)),
        Op::ListOrganizationMemberApiTokens => {
            ("member tokens", Table("tokens", ORGANIZATION_TOKENS))
        }
        Op::ListOrganizationMembers => ("member list", Table("members", MEMBER)),
        Op::AddOrganizationMember => ("member add", Done("added", "member")),
        Op::GetOrganizationMember => ("member show", Table("member", MEMBER)),
        Op::UpdateMemberRole => ("member set-role", Table("member", MEMBER)),
        Op::RemoveOrganizationMember => ("member remove", Done("removed", "member")),
        Op::ListGroups => ("group list", Table("groups", GROUP)),
        Op::CreateGroup => ("group create", Table("group", GROUP)),
        Op::GetGroup => ("group show", Table("group", GROUP)),
        Op::DeleteGroup => ("group delete", Done("deleted", "group/name")),
        Op::ListOrganizations => ("organization list", Table("organizations", ORGANIZATION)),
        Op::GetOrganization => ("organization show", Table("organization", ORGANIZATION)),
        Op::ListOrganizationAuditLogs => ("audit list", Table("audit_logs", ENTRIES)),
        Op::GetCurrentUser => ("whoami", Table("user", &["username", "name", "email"])),
        Op::ValidateApiToken => ("validate", Expiry),
    };
    Verb { words, shown }
}

/// Returns what to ask before an operation that ends tokens: what it does, and to what else.
pub fn question(operation: CliCommand) -> Option<(&'static str, &'static str)> {
    use CliCommand as Op;
    Some(match operation {
        Op::RevokeOrganizationApiTokens => ("revoke the selected tokens", ""),
        Op::RevokeApiToken | Op::RevokeOrganizationApiToken => ("revoke the token", ""),
        Op::DeleteGroup => ("delete the group", ", and revoke its tokens"),
        Op::RemoveOrganizationMember => {
            ("remove the member", ", and revoke that user's tokens there")
        }
        _ => return None,
    })
}

/// What the first words are about.
pub const THINGS: [(&str, &str); 7] = [
    ("token", "Mint, list and revoke tokens"),
    ("member", "List, add, change and remove members of an organization"),
    ("group", "List, create and delete groups of an organization"),
    ("organization", "List and show organizations"),
    ("policy", "Show and set how long the tokens of an organization may live"),
    ("leak", "Report leaked tokens"),
    ("audit", "Read the audit log of an organization"),
];

/// Returns examples for the commands that need them.
pub fn examples(words: &str) -> Option<&'static str> {
    Some(match words {
        "token list" => "orgtokens token list --organization my-org --format json",
        "token mint" => {
            "orgtokens token mint ci-bot --organization my-org > ci-bot.token\n  \
             orgtokens token mint deploy --organization my-org --group default \\\n      \
             --scope read --scope db:create\n  \
             orgtokens token mint ci --organization my-org --expires 30d --allow-ip 10.0.0.0/8"
        }
        "token revoke" => {
            "orgtokens token revoke ci-bot --yes\n  \
             orgtokens token revoke --organization my-org --id clGFZ4STEe6fljpFzIum8A\n  \
             orgtokens token revoke --organization my-org --owner bob --never-used --dry-run"
        }
        "token show" => "orgtokens token show --organization my-org --id clGFZ4STEe6fljpFzIum8A",
        "token rotate" => {
            "orgtokens token rotate --organization my-org --id clGFZ4STEe6fljpFzIum8A \\\n      \
             --overlap 1d > ci.token"
        }
        "policy set" => {
            "orgtokens policy set --organization my-org --default-expiration 30d \\\n      \
             --maximum-expiration 90d --allow-unrestricted false"
        }
        "leak report" => "orgtokens leak report < found.txt",
        "member add" => "orgtokens member add bob --organization my-org --role viewer",
        "member set-role" => "orgtokens member set-role bob --organization my-org --role admin",
        "group create" => "orgtokens group create default --organization my-org --location lhr",
        "audit list" => "orgtokens audit list --organization my-org --all",
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_member_that_is_shown_is_in_the_contract() {
        let contract = include_str!("../../openapi.yaml");
        for operation in CliCommand::iter() {
            let members = match verb(operation).shown {
                Shown::Table(name, columns) => [&[name], columns].concat(),
                Shown::Done(_, member) => vec![member],
                Shown::Secret(_) | Shown::Expiry | Shown::Sentence(_) => continue,
            };
            for member in members.iter().flat_map(|member| member.split('/')) {
                assert!(contract.contains(&format!(" {member}:\n")), "{operation:?}: {member}");
            }
        }
    }

    #[test]
    fn what_takes_something_away_asks_first() {
        for operation in CliCommand::iter() {
            let name = format!("{operation:?}");
            // A leak report reads its credentials where the answer would be typed.
            let takes = ["Delete", "Remove", "Revoke"].iter().any(|verb| name.starts_with(verb))
                && name != "RevokeCredentials";
            assert_eq!(question(operation).is_some(), takes, "{name}");
        }
    }
}
