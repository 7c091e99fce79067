//! The commands: their arguments, their help, and the calls to the library. They contain no domain
//! rules. Only the command that mints a token prints it.

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
use output::{print_change, print_result};
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
    /// A TOML file with settings; options and environment variables override it. See `config check`
    #[arg(long, global = true, value_name = "FILE", env = "ORGTOKENS_CONFIG")]
    config: Option<PathBuf>,
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Serve the API
    #[command(
        after_help = "Example:\n  orgtokens-server serve --database sqlite://orgtokens.db --listen 127.0.0.1:8080\n\nThe first line on stdout shows the address, the second that of --ops-listen. Logs go\nto stderr. SIGTERM and Ctrl-C shut down gracefully."
    )]
    Serve {
        #[command(flatten)]
        database: Database,
        /// How many connections to open to PostgreSQL; an eighth of them is for short reads
        #[arg(long, value_name = "COUNT", env = "ORGTOKENS_POOL_SIZE", default_value_t = store::POOL_SIZE)]
        #[arg(value_parser = parse_positive::<NonZeroUsize>)]
        pool_size: NonZeroUsize,
        #[command(flatten)]
        listen: Listen,
        /// The format of the log on stderr; by default text on a terminal, and JSON elsewhere
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
    User(OnDatabase<UserCommand>),
    /// Manage organizations
    Organization(OnDatabase<OrganizationCommand>),
    /// Manage members and owners
    Member(OnDatabase<MemberCommand>),
    /// Manage tokens
    Token(OnDatabase<TokenCommand>),
    /// Copy the database to a new file, even while a server runs
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
    /// Check the database and its audit log for damage
    #[command(
        after_help = "Example:\n  orgtokens-server check\n\nThe exit code is 1 if there is damage."
    )]
    Check {
        #[command(flatten)]
        database: Database,
    },
    /// Read and verify the audit log
    Audit(OnDatabase<AuditCommand>),
    /// List webhook deliveries that failed for 3 days, and retry them
    Webhook(OnDatabase<WebhookCommand>),
    /// Copy a whole database into a new one, to move from SQLite to PostgreSQL or back
    #[command(
        after_help = "Example:\n  orgtokens-server copy --from sqlite://orgtokens.db --to postgres://user:password@host/name\n\nStop the servers of the source first: changes during the copy are not copied. The source\nis only read. The target must be empty. It receives either everything or nothing.\nPasswords in arguments are visible in `ps`: use the environment variables instead."
    )]
    Copy {
        /// The database to read
        #[arg(long, value_name = "URL", env = "ORGTOKENS_COPY_FROM", hide_env_values = true)]
        from: String,
        /// The database to create
        #[arg(long, value_name = "URL", env = "ORGTOKENS_COPY_TO", hide_env_values = true)]
        to: String,
    },
    /// Check the settings
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
        after_help = "Example:\n  orgtokens-server config check --config /etc/orgtokens.toml\n\nThe keys of the file are the options of `serve` without the dashes. An option overrides an\nenvironment variable, and a variable overrides the file."
    )]
    Check,
}

/// A group of commands on a database. `--database` may be before or after the command.
#[derive(Args)]
struct OnDatabase<C: Subcommand> {
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
    /// A second address, for /healthz, /readyz and /metrics without credentials; see --listen
    #[arg(long = "ops-listen", value_name = "ADDR")]
    #[arg(env = "ORGTOKENS_OPS_LISTEN", value_parser = serve::parse_address)]
    ops: Option<SocketAddr>,
}

impl Database {
    async fn open(&self, is_read_only: bool) -> anyhow::Result<Service> {
        let opened = if is_read_only {
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

impl<C: Subcommand> OnDatabase<C> {
    async fn run(
        self,
        is_read_only: impl FnOnce(&C) -> bool,
        run: impl AsyncFnOnce(Operator<'_>, C) -> anyhow::Result<()>,
    ) -> anyhow::Result<()> {
        let service = self.database.open(is_read_only(&self.command)).await?;
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
            let no_more = |_| String::new();
            serve::serve(service, &database.url, &listen, &settings, log_format, no_more).await
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
            let is_read_only = |command: &_| matches!(command, OrganizationCommand::List(_));
            group.run(is_read_only, manage::organization).await
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
            print_change(&format!("wrote {}", file.display()))
        }
        Command::Check { database } => audit::check(Operator(&database.open(true).await?)).await,
        Command::Copy { from, to } => copy::copy(&from, &to).await,
        Command::Config(ConfigCommand::Check) => config::check(arguments.config),
        Command::Openapi => print_result(&format!("{:#}", document()?)),
        Command::Demo { listen } => demo::demo(&listen).await,
    }
}

/// Returns the plain text of a token that a command has minted. The command line reveals a token
/// nowhere else.
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

/// Prints a line to stdout, and flushes it.
fn print(text: &str) -> anyhow::Result<()> {
    let mut out = io::stdout().lock();
    writeln!(out, "{text}").and_then(|()| out.flush()).context("stdout cannot be written")
}
