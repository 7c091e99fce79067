//! `check` and the operator's commands on the audit log. They print what the store found, and fail if
//! there is a fault. The store decides what a fault is. Nothing is repaired.

use super::output::{Output, count, print_result};
use super::print;
use anyhow::{Context, Error, Result, ensure};
use clap::{ArgGroup, Subcommand};
use orgtokens_server::name::Slug;
use orgtokens_server::records::PageQuery;
use orgtokens_server::service::Operator;
use orgtokens_server::store::{AuditReport, NamedHead};
use std::fs;
use std::path::{Path, PathBuf};

#[derive(Subcommand)]
pub enum AuditCommand {
    /// List entries, newest first: those of an organization, or those without one
    #[command(
        after_help = "Examples:\n  orgtokens-server audit list --organization my-org\n  orgtokens-server audit list --unrestricted --format json",
        group = ArgGroup::new("log").args(["organization", "unrestricted"]).required(true)
    )]
    List {
        /// The slug of an organization
        #[arg(long, value_name = "SLUG")]
        organization: Option<Slug>,
        /// The entries without an organization: changes of users and of unrestricted tokens
        #[arg(long)]
        unrestricted: bool,
        #[command(flatten)]
        query: PageQuery,
        #[command(flatten)]
        output: Output,
    },
    /// Print the last hash of every audit chain, for `audit verify --head`
    #[command(after_help = "Example:\n  orgtokens-server audit head > heads.txt")]
    Head,
    /// Find entries that were removed, changed or moved
    #[command(
        after_help = "Examples:\n  orgtokens-server audit verify\n  orgtokens-server audit verify --head heads.txt\n\nThe exit code is 1 if an entry was tampered with. Someone who can write to the database\ncan also cut off the end of a chain. To detect that, keep the output of `audit head`\nelsewhere and pass it to --head."
    )]
    Verify {
        /// A file with earlier output of `audit head`; the chains must still contain these hashes
        #[arg(long = "head", value_name = "FILE")]
        heads: Option<PathBuf>,
    },
}

pub async fn audit(operator: Operator<'_>, command: AuditCommand) -> Result<()> {
    match command {
        AuditCommand::List { organization, unrestricted: _, query, output } => {
            let page = operator.list_audit_logs(organization.as_ref(), query).await?;
            let columns = ["created_at", "author", "origin", "code", "message"];
            output.object(&page, "audit_logs", &columns)
        }
        AuditCommand::Head => {
            let heads = operator.0.store().audit_heads().await?;
            print_result(&heads.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n"))
        }
        AuditCommand::Verify { heads } => verify(operator, heads.as_deref()).await,
    }
}

/// Prints the state of the database and of its audit log.
pub async fn check(operator: Operator<'_>) -> Result<()> {
    let (found, log) = (operator.check().await?, operator.0.store().verify_audit(&[]).await?);
    for sentence in found.sound.iter().chain(&found.faults) {
        print(sentence)?;
    }
    print(&describe(&log))?;
    let faults = found.faults.len() + log.faults.len();
    ensure!(
        faults == 0,
        "found {}: restore a backup, unless the fault says what to do",
        count(faults, "fault", "faults")
    );
    Ok(())
}

/// Verifies the audit log, and compares it with earlier chain heads if there is a file of them.
async fn verify(operator: Operator<'_>, heads: Option<&Path>) -> Result<()> {
    let kept = heads.map(read_heads).transpose()?.unwrap_or_default();
    let log = operator.0.store().verify_audit(&kept).await?;
    print(&describe(&log))?;
    let places = count(log.faults.len(), "place", "places");
    ensure!(
        log.faults.is_empty(),
        "the audit log is damaged in {places}: compare it with a backup"
    );
    Ok(())
}

fn read_heads(file: &Path) -> Result<Vec<NamedHead>> {
    let name = file.display();
    let text = fs::read_to_string(file).with_context(|| format!("{name} cannot be read"))?;
    // Editors may add a byte order mark at the start, and empty lines.
    let lines = text.trim_start_matches('\u{feff}').lines().filter(|line| !line.is_empty());
    let heads = lines.map(|line| line.parse().map_err(Error::msg));
    let heads: Vec<_> = heads.collect::<Result<_>>().with_context(|| name.to_string())?;
    ensure!(!heads.is_empty(), "{name} is empty: use what `audit head` printed");
    Ok(heads)
}

fn describe(AuditReport { entries, chains, faults }: &AuditReport) -> String {
    if faults.is_empty() {
        let entries = count(entries, "entry", "entries");
        return format!(
            "the audit log is intact: {entries} in {}",
            count(chains, "chain", "chains")
        );
    }
    faults.join("\n")
}
