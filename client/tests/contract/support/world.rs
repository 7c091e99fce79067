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
use orgtokens_server::name::{Email, Name, Slug};
use orgtokens_server::records::MintRequest;
use orgtokens_server::scope::RequestedScope;
use orgtokens_server::server::{Server, Settings};
use orgtokens_server::service::{Operator, Service};
use orgtokens_server::store::Store;
use orgtokens_server::token::PlainToken;
use serde_json::Value;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicU32, Ordering};

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
    pub service: Service,
    recorder: SocketAddr,
    objections: Objections,
    counter: AtomicU32,
    _running: Server,
    _database: Database,
}

/// Parses a well-formed name.
pub fn name(text: &str) -> Name {
    text.parse().expect("a name")
}

/// Parses a well-formed slug.
fn slug(text: &str) -> Slug {
    text.parse().expect("a slug")
}

impl World {
    pub async fn new() -> Self {
        // With a PostgreSQL server the whole contract is tested on it: answers are the same.
        let database = match database::server() {
            Some(server) => Database::on(&server).await,
            None => Database::in_a_file(),
        };
        let service = Service::new(Store::create(&database.url).await.expect("a database"));
        let log = slog::Logger::root(slog::Discard, slog::o!());
        let any = SocketAddr::from(([127, 0, 0, 1], 0));
        let settings = Settings::default();
        let running = Server::start(&settings, service.clone(), any, log).expect("a server");
        let objections = Objections::default();
        let recorder = record(running.address(), objections.clone()).await;
        let counter = AtomicU32::new(0);
        let world =
            Self { service, recorder, objections, counter, _running: running, _database: database };
        world.populate().await;
        world
    }

    async fn populate(&self) {
        let founder =
            self.operator().init(&slug("acme"), &name("founder"), &email("founder")).await;
        let founder = credential(&founder.expect("a new database"));
        self.operator()
            .add_organization(&slug("globex"), &name("founder"))
            .await
            .expect("a new slug");
        for group in ["default", "other"] {
            let made = self
                .service
                .within(&founder, &slug("acme"))
                .create_group(name(group), name("lhr"))
                .await;
            made.expect("a new group");
        }
    }

    pub fn operator(&self) -> Operator<'_> {
        Operator(&self.service)
    }

    /// Returns what an actor's requests carry.
    pub fn credential(actor: &Actor) -> Credential {
        let token = actor.token.as_deref().and_then(|token| token.parse().ok());
        credential(&token.expect("a token"))
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
    pub async fn user(&self, role: Role) -> Actor {
        self.actor(role, Binding::Unrestricted).await
    }

    /// A new user who is a member of nothing, and an unrestricted token.
    pub async fn outsider(&self) -> Actor {
        let (username, token) = self.new_user("outsider").await;
        self.with_token(username.to_string(), Some(token.reveal().to_owned()))
    }

    /// A new user with this role in `acme`, and a token of this binding. The user minted it
    /// as an admin, before getting this role.
    pub async fn actor(&self, role: Role, binding: Binding) -> Actor {
        let (username, unrestricted) = self.new_user(role.as_str()).await;
        self.set_role("acme", &username, Role::Admin).await;
        let token = match binding {
            Binding::Unrestricted => unrestricted,
            Binding::Organization(organization) => {
                if organization != "acme" {
                    self.set_role(organization, &username, Role::Admin).await;
                }
                let request =
                    MintRequest { organization: Some(slug(organization)), ..Default::default() };
                self.mint(&unrestricted, "bound", &request).await
            }
            Binding::Group(scopes) => {
                let request = MintRequest {
                    organization: Some(slug("acme")),
                    group: Some(name("default")),
                    scopes: Some(scopes.to_vec()),
                };
                self.mint(&unrestricted, "bound", &request).await
            }
        };
        self.set_role("acme", &username, role).await;
        self.with_token(username.to_string(), Some(token.reveal().to_owned()))
    }

    async fn new_user(&self, kind: &str) -> (Name, PlainToken) {
        let number = self.counter.fetch_add(1, Ordering::Relaxed);
        let username = name(&format!("{kind}-{number}"));
        let operator = self.operator();
        operator.add_user(&username, &email(username.as_str())).await.expect("a new user");
        let token = operator.mint_token(&username, &name("laptop")).await.expect("a new token");
        (username, token)
    }

    /// Gives a user a role, as the operator.
    pub async fn set_role(&self, organization: &str, username: &Name, role: Role) {
        let set = self.operator().set_member(&slug(organization), username, role).await;
        set.expect("the user exists");
    }

    async fn mint(&self, with: &PlainToken, token: &str, request: &MintRequest) -> PlainToken {
        let with = credential(with);
        self.service.mint_token(&with, &name(token), request).await.expect("a new token").token
    }
}

fn credential(token: &PlainToken) -> Credential {
    Credential::new(token, Origin::Web)
}

fn email(username: &str) -> Email {
    format!("{username}@example.com").parse().expect("an email address")
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
