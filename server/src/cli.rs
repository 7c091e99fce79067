//! The commands: their arguments, their help, and what each one calls. No rule of the domain is
//! here, and a token is shown only by the command that minted it.

mod audit;
mod config;
mod copy;
mod demo;
mod manage;
mod output;
mod serve;
mod webhook;

pub use config::parse;

use anyhow::Context;
use audit::AuditCommand;
use clap::{Args, Parser, Subcommand};
use manage::{MemberCommand, OrganizationCommand, TokenCommand, UserCommand};
use orgtokens_server::document::document;
use orgtokens_server::log::Format;
use orgtokens_server::name::{Email, Name, Slug, parse_positive};
use orgtokens_server::server::Settings;
use orgtokens_server::service::{FIRST_TOKEN, Operator, Service};
use orgtokens_server::store::{self, Store};
use orgtokens_server::token::PlainToken;
use output::{confirm, print_list};
use std::fmt::Display;
use std::io::{self, Write};
use std::net::SocketAddr;
use std::num::NonZeroUsize;
use std::path::PathBuf;
use webhook::WebhookCommand;

/// An API-token service for organizations.
#[derive(Parser)]
#[command(version, after_help = "Start with:\n  orgtokens-server demo")]
pub struct Arguments {
    /// A TOML file of settings, below options and environment variables; see `config check`
    #[arg(long, global = true, value_name = "FILE", env = "ORGTOKENS_CONFIG")]
    config: Option<PathBuf>,
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Serve the API
    #[command(
        after_help = "Example:\n  orgtokens-server serve --database sqlite://orgtokens.db --listen 127.0.0.1:8080\n\nThe first line on stdout has the address, the second that of --ops-listen; logs go\nto stderr. SIGTERM and Ctrl-C shut down gracefully."
    )]
    Serve {
        #[command(flatten)]
        database: Database,
        /// How many connections to keep to PostgreSQL; short reads share an eighth of them
        #[arg(long, value_name = "COUNT", env = "ORGTOKENS_POOL_SIZE", default_value_t = store::POOL_SIZE)]
        #[arg(value_parser = parse_positive::<NonZeroUsize>)]
        pool_size: NonZeroUsize,
        #[command(flatten)]
        listen: Listen,
        /// The form of the log on stderr; by default text on a terminal, and JSON elsewhere
        #[arg(long, value_name = "FORMAT", env = "ORGTOKENS_LOG_FORMAT")]
        log_format: Option<Format>,
        #[command(flatten)]
        settings: Settings,
    },
    /// Create a database with an organization, its owner and a first token, and print the token
    #[command(
        after_help = "Example:\n  orgtokens-server init --organization my-org --username alice --email alice@example.com"
    )]
    Init {
        #[command(flatten)]
        database: Database,
        /// The slug of the organization
        #[arg(long, value_name = "SLUG")]
        organization: Slug,
        /// The username of its owner
        #[arg(long, value_name = "NAME")]
        username: Name,
        /// The email address of its owner
        #[arg(long, value_name = "ADDR")]
        email: Email,
    },
    /// Manage users
    User(Group<UserCommand>),
    /// Manage organizations
    Organization(Group<OrganizationCommand>),
    /// Manage members and owners
    Member(Group<MemberCommand>),
    /// Manage tokens
    Token(Group<TokenCommand>),
    /// Copy the database to a new file, while it is served
    #[command(
        after_help = "Example:\n  orgtokens-server backup orgtokens-2026-01-31.db\n\nTo restore it, stop the server, remove the database and its files that end in -wal and\n-shm, and put the copy in its place."
    )]
    Backup {
        #[command(flatten)]
        database: Database,
        /// The file to create; it must not exist
        #[arg(value_name = "FILE")]
        file: PathBuf,
    },
    /// Look for damage in the database and its audit log
    #[command(after_help = "Example:\n  orgtokens-server check\n\nIt fails if something is wrong.")]
    Check {
        #[command(flatten)]
        database: Database,
    },
    /// Read and verify the audit log
    Audit(Group<AuditCommand>),
    /// Look at deliveries to webhooks that were set aside, and try them again
    Webhook(Group<WebhookCommand>),
    /// Copy a whole database into a new one, to move from SQLite to PostgreSQL or back
    #[command(
        after_help = "Example:\n  orgtokens-server copy --from sqlite://orgtokens.db --to postgres://user:password@host/name\n\nStop the servers on the source first: what they change during the copy is not copied. The\nsource is only read. The target must be empty; it is filled completely or not at all.\nPasswords in arguments are visible in `ps`: use the environment variables instead."
    )]
    Copy {
        /// The database to read
        #[arg(long, value_name = "URL", env = "ORGTOKENS_COPY_FROM", hide_env_values = true)]
        from: String,
        /// The database to create
        #[arg(long, value_name = "URL", env = "ORGTOKENS_COPY_TO", hide_env_values = true)]
        to: String,
    },
    /// Look at the settings
    #[command(subcommand)]
    Config(ConfigCommand),
    /// Print the OpenAPI document that the server generates
    #[command(after_help = "Example:\n  orgtokens-server openapi > generated.json")]
    Openapi,
    /// Serve a temporary database with an example organization
    #[command(after_help = "Example:\n  orgtokens-server demo --listen 127.0.0.1:0")]
    Demo {
        #[command(flatten)]
        listen: Listen,
    },
}

#[derive(Subcommand)]
enum ConfigCommand {
    /// Check the settings of `serve`, and print them without credentials
    #[command(
        after_help = "Example:\n  orgtokens-server config check --config /etc/orgtokens.toml\n\nThe keys of the file are the options of `serve` without the dashes. An option wins over an\nenvironment variable, and that over the file."
    )]
    Check,
}

/// Commands on a database, which may be named before or after the command.
#[derive(Args)]
struct Group<C: Subcommand> {
    #[command(flatten)]
    database: Database,
    #[command(subcommand)]
    command: C,
}

#[derive(Args)]
struct Database {
    /// The database: a file, or `postgres://user:password@host/name`
    #[arg(
        long = "database",
        global = true,
        value_name = "URL",
        default_value = "sqlite://orgtokens.db"
    )]
    #[arg(env = "ORGTOKENS_DATABASE", hide_env_values = true)]
    url: String,
}

#[derive(Args)]
struct Listen {
    /// An address or a host name with a port, or a port alone on 127.0.0.1; 0 is any free port
    #[arg(long = "listen", value_name = "ADDR", default_value = "127.0.0.1:8080")]
    #[arg(env = "ORGTOKENS_LISTEN", value_parser = serve::parse_address)]
    address: SocketAddr,
    /// Where to answer /healthz, /readyz and /metrics, without credentials; written like --listen
    #[arg(long = "ops-listen", value_name = "ADDR")]
    #[arg(env = "ORGTOKENS_OPS_LISTEN", value_parser = serve::parse_address)]
    ops: Option<SocketAddr>,
}

impl Database {
    async fn open(&self, only_reads: bool) -> anyhow::Result<Service> {
        let opened = if only_reads {
            Store::open_to_read(&self.url).await
        } else {
            Store::open(&self.url).await
        };
        let store = opened?;
        if let Some(notice) = store.upgrade_notice() {
            eprintln!("{notice}");
        }
        Ok(Service::new(store))
    }
}

impl<C: Subcommand> Group<C> {
    async fn run(
        self,
        only_reads: impl FnOnce(&C) -> bool,
        run: impl AsyncFnOnce(Operator<'_>, C) -> anyhow::Result<()>,
    ) -> anyhow::Result<()> {
        let service = self.database.open(only_reads(&self.command)).await?;
        run(Operator(&service), self.command).await
    }
}

/// Runs the command.
pub async fn run(arguments: Arguments) -> anyhow::Result<()> {
    match arguments.command {
        Command::Serve { database, pool_size, listen, log_format, settings } => {
            let store = Store::open_pooled(&database.url, pool_size).await?;
            store.hold_reserve();
            let service = Service::new(store);
            let nothing = |_| String::new();
            serve::serve(service, &database.url, &listen, &settings, log_format, nothing).await
        }
        Command::Init { database, organization, username, email } => {
            let service = Service::new(Store::create(&database.url).await?);
            let token = Operator(&service).init(&organization, &username, &email).await?;
            print_token(&token, &username, &FIRST_TOKEN)
        }
        Command::User(group) => {
            group.run(|command| matches!(command, UserCommand::List(_)), manage::user).await
        }
        Command::Organization(group) => {
            let only_reads = |command: &_| matches!(command, OrganizationCommand::List(_));
            group.run(only_reads, manage::organization).await
        }
        Command::Member(group) => {
            group.run(|command| matches!(command, MemberCommand::List { .. }), manage::member).await
        }
        Command::Token(group) => {
            group.run(|command| matches!(command, TokenCommand::List { .. }), manage::token).await
        }
        Command::Audit(group) => group.run(|_| true, audit::audit).await,
        Command::Webhook(group) => {
            group.run(|command| matches!(command, WebhookCommand::List(_)), webhook::webhook).await
        }
        Command::Backup { database, file } => {
            database.open(true).await?.store().back_up(&file).await?;
            confirm(&format!("wrote {}", file.display()))
        }
        Command::Check { database } => audit::check(Operator(&database.open(true).await?)).await,
        Command::Copy { from, to } => copy::copy(&from, &to).await,
        Command::Config(ConfigCommand::Check) => config::check(arguments.config),
        Command::Openapi => print_list(&format!("{:#}", document()?)),
        Command::Demo { listen } => demo::demo(&listen).await,
    }
}

/// Returns the plain text of a token, for the output of the command that minted it.
fn plain_text(token: &PlainToken) -> &str {
    token.reveal()
}

fn print_token(token: &PlainToken, username: &Name, name: &impl Display) -> anyhow::Result<()> {
    print(plain_text(token)).with_context(|| {
        format!(
            "the token was minted but could not be printed: revoke it with `orgtokens-server token \
             revoke --username {username} --name {name}`, and mint another one"
        )
    })
}

/// Prints to stdout without a buffer.
fn print(text: &str) -> anyhow::Result<()> {
    let mut out = io::stdout().lock();
    writeln!(out, "{text}").and_then(|()| out.flush()).context("stdout cannot be written")
}
