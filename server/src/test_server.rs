//! A real server on a temporary database, for the tests of other programs. It starts in one line and
//! adds users of every role. It has its own threads, so tests may be async or not, and may block. It
//! needs the feature `test-server`.
//!
//! ```
//! use orgtokens_client::{Client, Failure};
//! use orgtokens_server::scope::RequestedScope;
//! use orgtokens_server::test_server::{GROUP, ORGANIZATION, TestServer};
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), Failure> {
//! let server = TestServer::start();
//! let owner = Client::with_token(server.url(), server.owner().token())?;
//! let mint = owner.create_api_token().token_name("ci-bot");
//! mint.body_map(|body| body.organization(ORGANIZATION)).send().await?;
//! let list = owner.list_organization_api_tokens().organization_slug(ORGANIZATION).send().await?;
//! assert_eq!(list.tokens.len(), 1);
//!
//! let reader = server.admin();
//! let reader = reader.mint_in_group("reader", (ORGANIZATION, GROUP), &[RequestedScope::ReadOnly]);
//! let reader = Client::with_token(server.url(), reader.token())?;
//! let refused = reader.list_api_tokens().send().await.map_err(Failure::from).unwrap_err();
//! assert_eq!(refused.status.map(|status| status.as_u16()), Some(403));
//! # Ok(())
//! # }
//! ```
//!
//! A synchronous test is just as short. This one calls the server's operations directly:
//!
//! ```
//! use orgtokens_server::service::Operator;
//! use orgtokens_server::test_server::TestServer;
//!
//! let server = TestServer::start();
//! let member = server.member();
//! let removed = server.run(async |service| Operator(service).remove_user(member.username()).await);
//! assert_eq!(removed.expect("the user is no owner"), 1);
//! ```

#![expect(
    clippy::missing_panics_doc,
    reason = "these methods panic on any error, so that the test fails"
)]

use crate::caller::{Credential, Origin, Role};
use crate::error::Result;
use crate::name::{Email, Name, Slug};
use crate::records::MintRequest;
use crate::scope::RequestedScope;
use crate::server::{Server, Settings};
use crate::service::{Operator, Service};
use crate::store::Store;
use crate::token::PlainToken;
use slog::{Discard, Logger, o};
use std::fmt::Display;
use std::net::Ipv4Addr;
use std::str::FromStr;
use std::sync::atomic::{AtomicU32, Ordering};
use std::thread;
use tempfile::TempDir;
use tokio::runtime::{Builder, Runtime};

/// The organization. Its first owner is the user `founder`.
pub const ORGANIZATION: &str = "acme";

/// A group of this organization.
pub const GROUP: &str = "default";

/// A running server. Dropping it stops it, and removes its database. Its methods panic instead of
/// returning an error.
#[derive(derive_more::Debug)]
#[debug("TestServer {{ url: {url:?}, .. }}")]
pub struct TestServer {
    url: String,
    service: Service,
    users: AtomicU32,
    runtime: Option<Runtime>,
    _server: Server,
    folder: Option<TempDir>,
}

impl TestServer {
    /// Starts a server on a new SQLite database.
    pub fn start() -> Self {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let url = format!("sqlite://{}", folder.path().join("test.db").display());
        let mut server = Self::start_on(&url);
        server.folder = Some(folder);
        server
    }

    /// Starts a server on an empty database, for example on PostgreSQL. The database is kept.
    pub fn start_on(database: &str) -> Self {
        Self::start_with(database, &Settings::default())
    }

    /// Like `start_on`, with other settings.
    pub fn start_with(database: &str, settings: &Settings) -> Self {
        let mut builder = Builder::new_multi_thread();
        let runtime = builder.worker_threads(2).enable_all().build().expect("threads");
        let (server, service) = on_own_thread(|| runtime.block_on(start(database, settings)));
        let url = format!("http://{}", server.address());
        let users = AtomicU32::new(0);
        Self { url, service, users, runtime: Some(runtime), _server: server, folder: None }
    }

    /// Returns the base URL: scheme, host and port.
    pub fn url(&self) -> &str {
        &self.url
    }

    /// Adds an owner of the organization.
    pub fn owner(&self) -> Actor<'_> {
        self.user(Some(Role::Owner))
    }

    /// Adds an admin of the organization.
    pub fn admin(&self) -> Actor<'_> {
        self.user(Some(Role::Admin))
    }

    /// Adds a member of the organization.
    pub fn member(&self) -> Actor<'_> {
        self.user(Some(Role::Member))
    }

    /// Adds a viewer of the organization.
    pub fn viewer(&self) -> Actor<'_> {
        self.user(Some(Role::Viewer))
    }

    /// Adds a user who belongs to no organization.
    pub fn outsider(&self) -> Actor<'_> {
        self.user(None)
    }

    /// Adds a user with this role, and an unrestricted token.
    pub fn user(&self, role: Option<Role>) -> Actor<'_> {
        let number = self.users.fetch_add(1, Ordering::Relaxed);
        let username: Name =
            parse(&format!("{}-{number}", role.map_or("outsider", |role| role.into_str())));
        let added = self.run(async |service| {
            let operator = Operator(service);
            operator.add_user(&username, &email(&username)).await?;
            if let Some(role) = role {
                operator.set_member(&parse(ORGANIZATION), &username, role).await?;
            }
            operator.mint_token(&username, &parse("laptop")).await
        });
        Actor { server: self, username, token: added.expect("a new user") }
    }

    /// Runs an operation of the service directly, such as one of the [`Operator`].
    pub fn run<T: Send>(&self, operation: impl AsyncFnOnce(&Service) -> T + Send) -> T {
        let runtime = self.runtime.as_ref().expect("it runs until it is dropped");
        on_own_thread(|| runtime.block_on(operation(&self.service)))
    }
}

impl Drop for TestServer {
    fn drop(&mut self) {
        // Waits for tasks that still use the database files.
        on_own_thread(|| drop(self.runtime.take()));
    }
}

/// A user with a token.
#[derive(Debug)]
pub struct Actor<'a> {
    server: &'a TestServer,
    username: Name,
    token: PlainToken,
}

impl Actor<'_> {
    /// Returns the username.
    pub fn username(&self) -> &Name {
        &self.username
    }

    /// Returns the plain text of the token.
    pub fn token(&self) -> &str {
        self.token.reveal()
    }

    /// Mints a token that is bound to an organization, and returns the same user with it.
    #[must_use]
    pub fn mint(&self, name: &str, organization: &str) -> Self {
        let request = MintRequest { organization: Some(parse(organization)), ..Default::default() };
        self.with(name, &request)
    }

    /// Mints a token that is bound to a group, and returns the same user with it. Only owners and
    /// admins may.
    #[must_use]
    pub fn mint_in_group(
        &self,
        name: &str,
        (organization, group): (&str, &str),
        scopes: &[RequestedScope],
    ) -> Self {
        let (organization, group) = (Some(parse(organization)), Some(parse(group)));
        self.with(name, &MintRequest { organization, group, scopes: Some(scopes.to_vec()) })
    }

    fn with(&self, name: &str, request: &MintRequest) -> Self {
        let (name, credential) = (parse(name), Credential::new(&self.token, Origin::Web));
        let mint = async |service: &Service| service.mint_token(&credential, &name, request).await;
        let token = self.server.run(mint).expect("a new token").token;
        Self { username: self.username.clone(), token, ..*self }
    }
}

async fn start(database: &str, settings: &Settings) -> (Server, Service) {
    let service = Service::new(Store::create(database).await.expect("an empty database"));
    fill(&service).await.expect("a new organization");
    let (listen, log) = ((Ipv4Addr::LOCALHOST, 0).into(), Logger::root(Discard, o!()));
    let server = Server::start(settings, service.clone(), listen, log);
    (server.expect("a free port"), service)
}

async fn fill(service: &Service) -> Result<()> {
    let (slug, founder): (Slug, Name) = (parse(ORGANIZATION), parse("founder"));
    let token = Operator(service).init(&slug, &founder, &email(&founder)).await?;
    let credential = Credential::new(&token, Origin::Cli);
    service.within(&credential, &slug).create_group(parse(GROUP), parse("lhr")).await?;
    Ok(())
}

/// Runs blocking work on a new thread, because the thread of an async test must not block.
fn on_own_thread<T: Send>(work: impl FnOnce() -> T + Send) -> T {
    thread::scope(|scope| scope.spawn(work).join())
        .unwrap_or_else(|panic| std::panic::resume_unwind(panic))
}

fn parse<T: FromStr<Err: Display>>(text: &str) -> T {
    text.parse().unwrap_or_else(|error| panic!("{error}"))
}

fn email(username: &Name) -> Email {
    parse(&format!("{username}@example.com"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::{Read, Write};
    use std::net::TcpStream;

    #[test]
    fn debug_output_shows_the_user_and_the_url_but_no_credential() {
        let server = TestServer::start();
        let shown = format!("{:?}", server.admin());
        assert!(shown.contains("admin-0") && shown.contains(server.url()), "{shown}");
        assert!(shown.contains("PlainToken(..)") && !shown.contains("orgt_"), "{shown}");
    }

    #[tokio::test]
    async fn an_async_test_may_block_and_dropping_the_server_removes_everything() {
        let server = TestServer::start();
        let folder = server.folder.as_ref().unwrap().path().to_owned();
        let address = server.url().strip_prefix("http://").unwrap().to_owned();
        let (viewer, mut answer) = (server.viewer(), String::new());
        let mut stream = TcpStream::connect(&address).unwrap();
        let head = "GET /v1/organizations/acme HTTP/1.1\r\nHost: a\r\nConnection: close";
        write!(stream, "{head}\r\nAuthorization: Bearer {}\r\n\r\n", viewer.token()).unwrap();
        stream.read_to_string(&mut answer).unwrap();
        assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
        drop(server);
        assert!(!folder.exists() && TcpStream::connect(&address).is_err());
    }
}
