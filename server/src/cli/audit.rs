//! The operator's commands on the audit log.

use super::check;
use super::output::{Output, print_list};
use clap::{ArgGroup, Subcommand};
use orgtokens_server::name::Slug;
use orgtokens_server::records::PageQuery;
use orgtokens_server::service::Operator;
use std::path::PathBuf;

#[derive(Subcommand)]
pub enum AuditCommand {
    /// List entries, newest first: those of an organization, or those that belong to none
    #[command(
        after_help = "Examples:\n  orgtokens-server audit list --organization my-org\n  orgtokens-server audit list --unrestricted --format json",
        group = ArgGroup::new("log").args(["organization", "unrestricted"]).required(true)
    )]
    List {
        /// The slug of an organization
        #[arg(long, value_name = "SLUG")]
        organization: Option<Slug>,
        /// The entries of no organization: those of users and of unrestricted tokens
        #[arg(long)]
        unrestricted: bool,
        #[command(flatten)]
        query: PageQuery,
        #[command(flatten)]
        output: Output,
    },
    /// Print the end of every hash chain, to keep it elsewhere
    #[command(after_help = "Example:\n  orgtokens-server audit head > heads.txt")]
    Head,
    /// Find entries that were removed, changed or moved
    #[command(
        after_help = "Examples:\n  orgtokens-server audit verify\n  orgtokens-server audit verify --head heads.txt\n\nIt fails if an entry was tampered with. Someone who can write to the database can also\ncut off the end of a chain: `audit head` prints what shows it."
    )]
    Verify {
        /// A file with ends that `audit head` printed earlier; every chain must contain them
        #[arg(long = "head", value_name = "FILE")]
        heads: Option<PathBuf>,
    },
}

pub async fn audit(operator: Operator<'_>, command: AuditCommand) -> anyhow::Result<()> {
    match command {
        AuditCommand::List { organization, unrestricted: _, query, output } => {
            let page = operator.list_audit_logs(organization.as_ref(), query).await?;
            let columns = ["created_at", "author", "origin", "code", "message"];
            output.object(&page, "audit_logs", &columns)
        }
        AuditCommand::Head => {
            let heads = operator.0.store().audit_heads().await?;
            print_list(&heads.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n"))
        }
        AuditCommand::Verify { heads } => check::verify(operator, heads.as_deref()).await,
    }
}
