//! A fresh database, a real server on it, and the actors: anonymous, owner, admin, member,
//! viewer, outsider, and tokens of each binding. All of it is created through the service,
//! never with SQL.

use super::database::{self, Database};
use super::recorder::{Objections, record};
use http::{HeaderMap, Method, StatusCode, header};
use http_body_util::{BodyExt, Full};
use hyper::body::Bytes;
use hyper_util::client::legacy::Client as HttpClient;
use hyper_util::rt::TokioExecutor;
use orgtokens_client::Client;
use orgtokens_server::caller::{Credential, Origin, Role};
use orgtokens_server::error::Result;
use orgtokens_server::name::Name;
use orgtokens_server::scope::RequestedScope;
use orgtokens_server::server::Settings;
use orgtokens_server::service::{Operator, Service};
use orgtokens_server::test_server::{self, GROUP, ORGANIZATION, TestServer};
use serde_json::Value;
use std::net::SocketAddr;
use std::str::FromStr;

/// Where an actor's token acts.
#[derive(Clone, Copy, Debug)]
pub enum Binding {
    Unrestricted,
    /// In this organization.
    Organization(&'static str),
    /// On the group `default` of `acme`, within these scopes.
    Group(&'static [RequestedScope]),
}

/// A server with two organizations: `acme`, with the groups `default` and `other`, and
/// `globex`. Every answer to its actors is checked against the contract.
pub struct World {
    pub server: TestServer,
    database: Database,
    recorder: SocketAddr,
    objections: Objections,
}

/// Parses a well-formed name or slug.
pub fn name<T: FromStr<Err = String>>(text: &str) -> T {
    text.parse().expect("a name")
}

impl World {
    pub async fn new() -> Self {
        Self::with(&Settings::default()).await
    }

    /// A server with these limits.
    pub async fn with(settings: &Settings) -> Self {
        // With a PostgreSQL server the whole contract is tested on it: answers are the same.
        let database = match database::server() {
            Some(server) => Database::on(&server).await,
            None => Database::in_a_file(),
        };
        let server = TestServer::start_with(&database.url, settings);
        server.run(populate).expect("a new database");
        let address = server.url().trim_start_matches("http://").parse().expect("an address");
        let objections = Objections::default();
        let recorder = record(address, objections.clone()).await;
        Self { server, database, recorder, objections }
    }

    /// Removes a table that every operation needs.
    pub async fn break_database(&self) {
        if let Some(path) = self.database.url.strip_prefix("sqlite://") {
            let connection = rusqlite::Connection::open(path).expect("a database");
            connection.execute_batch("ALTER TABLE tokens RENAME TO moved").expect("a table");
        } else {
            let client = database::connect(&self.database.url).await;
            client.batch_execute("DROP TABLE tokens CASCADE").await.expect("a table");
        }
    }

    /// An actor without a credential.
    pub fn anonymous(&self) -> Actor {
        self.with_token("anonymous".to_owned(), None)
    }

    /// An actor with this text as the token.
    pub fn with_token(&self, username: String, token: Option<String>) -> Actor {
        let base = format!("http://{}", self.recorder);
        let client = match &token {
            Some(token) => Client::with_token(&base, token),
            None => Client::builder(&base).build(),
        };
        let client = client.expect("a client");
        Actor { username, token, client, recorder: self.recorder }
    }

    /// A new user with this role in `acme`, and an unrestricted token.
    pub fn user(&self, role: Role) -> Actor {
        self.actor(role, Binding::Unrestricted)
    }

    /// A new user who is a member of nothing, and an unrestricted token.
    pub fn outsider(&self) -> Actor {
        self.recorded(&self.server.outsider())
    }

    /// A new user with this role in `acme`, and a token of this binding. The user minted it
    /// as an admin, before getting this role.
    pub fn actor(&self, role: Role, binding: Binding) -> Actor {
        let user = self.server.user(Some(role));
        self.set_role(ORGANIZATION, user.username(), Role::Admin);
        let actor = match binding {
            Binding::Unrestricted => self.recorded(&user),
            Binding::Organization(organization) => {
                if organization != ORGANIZATION {
                    self.set_role(organization, user.username(), Role::Admin);
                }
                self.recorded(&user.mint("bound", organization))
            }
            Binding::Group(scopes) => {
                self.recorded(&user.mint_in_group("bound", (ORGANIZATION, GROUP), scopes))
            }
        };
        self.set_role(ORGANIZATION, user.username(), role);
        actor
    }

    /// Gives a user a role, as the operator.
    pub fn set_role(&self, organization: &str, username: &Name, role: Role) {
        let slug = name(organization);
        let set = self
            .server
            .run(async |service| Operator(service).set_member(&slug, username, role).await);
        set.expect("the user exists");
    }

    fn recorded(&self, actor: &test_server::Actor<'_>) -> Actor {
        self.with_token(actor.username().to_string(), Some(actor.token().to_owned()))
    }
}

async fn populate(service: &Service) -> Result<()> {
    let (operator, founder, slug) = (Operator(service), name("founder"), name(ORGANIZATION));
    operator.add_organization(&name("globex"), &founder).await?;
    let token = operator.mint_token(&founder, &name("second")).await?;
    let credential = Credential::new(&token, Origin::Web);
    service.within(&credential, &slug).create_group(name("other"), name("lhr")).await?;
    Ok(())
}

impl Drop for World {
    fn drop(&mut self) {
        let objections = self.objections.take();
        if !std::thread::panicking() {
            assert!(objections.is_empty(), "invalid answers:\n{}", objections.join("\n"));
        }
    }
}

/// Someone who calls the API.
pub struct Actor {
    pub username: String,
    pub token: Option<String>,
    pub client: Client,
    recorder: SocketAddr,
}

/// An answer as it was received.
#[derive(Debug)]
pub struct Answer {
    pub status: StatusCode,
    pub headers: HeaderMap,
    pub text: String,
}

impl Answer {
    /// Returns the body as JSON.
    pub fn json(&self) -> Value {
        serde_json::from_str(&self.text).expect("the recorder saw JSON")
    }

    /// Returns the message of an error.
    pub fn error(&self) -> String {
        self.json()["error"].as_str().expect("an error").to_owned()
    }

    /// Returns the value of a header, or an empty text.
    pub fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", |value| value.to_str().expect("ASCII"))
    }
}

impl Actor {
    /// Sends what no generated client would, with `body` as JSON if there is one.
    pub async fn send(&self, method: Method, path: &str, body: Option<Value>) -> Answer {
        let json = (header::CONTENT_TYPE.as_str(), "application/json");
        let headers: &[_] = if body.is_some() { &[json] } else { &[] };
        let body = body.map(|body| body.to_string()).unwrap_or_default();
        self.send_text(method, path, headers, body).await
    }

    /// Sends any text with any headers.
    pub async fn send_text(
        &self,
        method: Method,
        path: &str,
        headers: &[(&str, &str)],
        body: impl Into<Bytes>,
    ) -> Answer {
        let mut request =
            http::Request::builder().method(method).uri(format!("http://{}{path}", self.recorder));
        if let Some(token) = &self.token {
            request = request.header(header::AUTHORIZATION, format!("Bearer {token}"));
        }
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let request = request.body(Full::new(body.into())).expect("a request");
        let client = HttpClient::builder(TokioExecutor::new()).build_http();
        let (head, body) = client.request(request).await.expect("an answer").into_parts();
        let body = body.collect().await.expect("a whole answer").to_bytes();
        let text = String::from_utf8(body.to_vec()).expect("UTF-8");
        Answer { status: head.status, headers: head.headers, text }
    }

    /// Sends a GET request.
    pub async fn get(&self, path: &str) -> Answer {
        self.send(Method::GET, path, None).await
    }
}
