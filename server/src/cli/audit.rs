//! The operator's commands on the audit log.

use super::check;
use super::output::{Output, print_list};
use clap::{ArgGroup, Subcommand, value_parser};
use orgtokens_server::name::Slug;
use orgtokens_server::service::Operator;
use serde_json::json;
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
        /// Which page, counted from 1
        #[arg(long, value_name = "N", default_value_t = 1, value_parser = value_parser!(u32).range(1..))]
        page: u32,
        /// How many entries a page has
        #[arg(long, value_name = "N", default_value_t = 100, value_parser = value_parser!(u32).range(1..=1_000))]
        page_size: u32,
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
        AuditCommand::List { organization, unrestricted: _, page, page_size, output } => {
            let listed = operator.list_audit_logs(organization.as_ref(), page, page_size).await?;
            let (audit_logs, total_rows) = listed;
            let total_pages = total_rows.div_ceil(u64::from(page_size));
            let object = json!({
                "audit_logs": audit_logs,
                "pagination": {
                    "page": page, "page_size": page_size,
                    "total_pages": total_pages, "total_rows": total_rows
                }
            });
            let columns = ["created_at", "author", "origin", "code", "message"];
            output.object(&object, "audit_logs", &columns)
        }
        AuditCommand::Head => {
            let heads = operator.audit_heads().await?;
            print_list(&heads.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n"))
        }
        AuditCommand::Verify { heads } => check::verify(operator, heads.as_deref()).await,
    }
}
