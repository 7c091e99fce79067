//! The operator's commands on users, organizations, members and tokens.

use super::output::{Output, count, print_change};
use super::print_token;
use clap::{ArgGroup, Args, Subcommand};
use orgtokens_server::caller::Role;
use orgtokens_server::name::{Email, Name, Slug};
use orgtokens_server::service::Operator;
use orgtokens_server::store::TokenKey;
use orgtokens_server::token::TokenId;

#[derive(Args)]
pub struct Username {
    /// The username
    #[arg(long, value_name = "NAME")]
    username: Name,
}

#[derive(Args)]
pub struct Organization {
    /// The slug of an organization
    #[arg(long, value_name = "SLUG")]
    organization: Slug,
}

#[derive(Args)]
pub struct MemberArgs {
    /// The slug of an organization
    #[arg(long, value_name = "SLUG")]
    organization: Slug,
    /// The username
    #[arg(long, value_name = "NAME")]
    username: Name,
}

#[derive(Subcommand)]
pub enum UserCommand {
    /// Add a user, without any membership
    #[command(
        after_help = "Example:\n  orgtokens-server user add --username bob --email bob@example.com"
    )]
    Add {
        #[command(flatten)]
        user: Username,
        /// The email address
        #[arg(long, value_name = "ADDR")]
        email: Email,
    },
    /// List all users
    #[command(after_help = "Example:\n  orgtokens-server user list --format json")]
    List(Output),
    /// Make every server refuse the tokens of a user at once, until the user is enabled again
    #[command(after_help = "Example:\n  orgtokens-server user disable --username bob")]
    Disable(Username),
    /// Accept the tokens of a disabled user again
    #[command(after_help = "Example:\n  orgtokens-server user enable --username bob")]
    Enable(Username),
    /// Remove a user: revoke all tokens, end all memberships and erase the email address
    #[command(after_help = "Example:\n  orgtokens-server user remove --username bob")]
    Remove(Username),
}

pub async fn user(operator: Operator<'_>, command: UserCommand) -> anyhow::Result<()> {
    match command {
        UserCommand::Add { user: Username { username }, email } => {
            operator.add_user(&username, &email).await?;
            print_change(&format!("added the user {username}"))
        }
        UserCommand::List(output) => {
            let columns = ["username", "email", "disabled"];
            output.list("users", &operator.list_users().await?, &columns)
        }
        UserCommand::Disable(Username { username }) => {
            operator.disable_user(&username).await?;
            print_change(&format!("{username} is disabled: no server accepts a token of this user"))
        }
        UserCommand::Enable(Username { username }) => {
            operator.enable_user(&username).await?;
            print_change(&format!("{username} is enabled: the user's tokens are accepted"))
        }
        UserCommand::Remove(Username { username }) => {
            let tokens = count(operator.remove_user(&username).await?, "token", "tokens");
            print_change(&format!("removed the user {username} and revoked {tokens}"))
        }
    }
}

#[derive(Subcommand)]
pub enum OrganizationCommand {
    /// Add an organization with its owner
    #[command(
        after_help = "Example:\n  orgtokens-server organization add --organization my-org --owner alice"
    )]
    Add {
        /// A new slug
        #[arg(long, value_name = "SLUG")]
        organization: Slug,
        /// The username of an existing user
        #[arg(long, value_name = "NAME")]
        owner: Name,
    },
    /// List all organizations
    #[command(after_help = "Example:\n  orgtokens-server organization list --format json")]
    List(Output),
    /// Reset the token policy: tokens never expire, and unrestricted tokens are allowed
    #[command(
        after_help = "Example:\n  orgtokens-server organization reset-policy --organization my-org"
    )]
    ResetPolicy(Organization),
}

pub async fn organization(
    operator: Operator<'_>,
    command: OrganizationCommand,
) -> anyhow::Result<()> {
    match command {
        OrganizationCommand::Add { organization, owner } => {
            operator.add_organization(&organization, &owner).await?;
            print_change(&format!("added the organization {organization} with the owner {owner}"))
        }
        OrganizationCommand::List(output) => {
            output.list("organizations", &operator.list_organizations().await?, &["slug", "type"])
        }
        OrganizationCommand::ResetPolicy(Organization { organization }) => {
            operator.reset_token_policy(&organization).await?;
            print_change(&format!("reset the token policy of {organization}"))
        }
    }
}

#[derive(Subcommand)]
pub enum MemberCommand {
    /// Make a user a member, or give a member another role
    #[command(
        after_help = "Example:\n  orgtokens-server member set --organization my-org --username bob --role owner"
    )]
    Set {
        #[command(flatten)]
        member: MemberArgs,
        /// owner, admin, member or viewer
        #[arg(long)]
        role: Role,
    },
    /// List the members of an organization
    #[command(after_help = "Example:\n  orgtokens-server member list --organization my-org")]
    List {
        #[command(flatten)]
        organization: Organization,
        #[command(flatten)]
        output: Output,
    },
    /// Remove a member, and revoke the member's tokens that are bound to the organization
    #[command(
        after_help = "Example:\n  orgtokens-server member remove --organization my-org --username bob"
    )]
    Remove(MemberArgs),
}

pub async fn member(operator: Operator<'_>, command: MemberCommand) -> anyhow::Result<()> {
    match command {
        MemberCommand::Set { member: MemberArgs { organization, username }, role } => {
            operator.set_member(&organization, &username, role).await?;
            print_change(&format!("{username} has the role {role} in {organization}"))
        }
        MemberCommand::List { organization, output } => {
            let members = operator.list_members(&organization.organization).await?;
            output.list("members", &members, &["username", "role", "email"])
        }
        MemberCommand::Remove(MemberArgs { organization, username }) => {
            let revoked = operator.remove_member(&organization, &username).await?;
            let tokens = count(revoked, "token", "tokens");
            print_change(&format!("removed {username} from {organization} and revoked {tokens}"))
        }
    }
}

#[derive(Subcommand)]
pub enum TokenCommand {
    /// Mint an unrestricted token for a user, and print it
    #[command(
        after_help = "Example:\n  TOKEN=$(orgtokens-server token mint --username alice --name laptop)"
    )]
    Mint {
        #[command(flatten)]
        user: Username,
        /// A token name that the user does not have yet
        #[arg(long, value_name = "NAME")]
        name: Name,
    },
    /// List tokens: all of them, those of a user, or those bound to an organization
    #[command(
        after_help = "Examples:\n  orgtokens-server token list\n  orgtokens-server token list --username bob --organization my-org"
    )]
    List {
        /// Only the tokens of this user
        #[arg(long, value_name = "NAME")]
        username: Option<Name>,
        /// Only the tokens that are bound to this organization
        #[arg(long, value_name = "SLUG")]
        organization: Option<Slug>,
        #[command(flatten)]
        output: Output,
    },
    /// Revoke any token, by its id or by its user and name
    #[command(
        after_help = "Examples:\n  orgtokens-server token revoke --username bob --name laptop\n  orgtokens-server token revoke --id AZrAAAAAAAAAAAAAAAAAAA",
        group = ArgGroup::new("token").args(["id", "name"]).required(true)
    )]
    Revoke {
        /// The id of the token
        #[arg(long, value_name = "ID", conflicts_with = "username")]
        id: Option<TokenId>,
        /// The user whose token it is
        #[arg(long, value_name = "NAME", requires = "name")]
        username: Option<Name>,
        /// The name of the token
        #[arg(long, value_name = "NAME", requires = "username")]
        name: Option<Name>,
    },
}

pub async fn token(operator: Operator<'_>, command: TokenCommand) -> anyhow::Result<()> {
    match command {
        TokenCommand::Mint { user: Username { username }, name } => {
            print_token(&operator.mint_token(&username, &name).await?, &username, &name)
        }
        TokenCommand::List { username, organization, output } => {
            let tokens = operator.list_tokens(username.as_ref(), organization.as_ref()).await?;
            let columns =
                ["name", "id", "owner/username", "organization", "group", "scopes", "created_at"];
            output.list("tokens", &tokens, &columns)
        }
        TokenCommand::Revoke { id, username, name } => {
            let key = match (&id, &username, &name) {
                (Some(id), ..) => TokenKey::Id(*id),
                (None, Some(username), Some(name)) => TokenKey::Name(username, name),
                _ => anyhow::bail!("name a token with --id, or with --username and --name"),
            };
            let revoked = operator.revoke_token(key).await?;
            let (name, id) = (&revoked.token.name, revoked.token.id);
            print_change(&format!("revoked the token {name} of {} ({id})", revoked.owner))
        }
    }
}
