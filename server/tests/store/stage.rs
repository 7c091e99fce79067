//! The fixture of every test: a backend, the services of two servers on one database, and users.
//! The service creates all of it, never SQL.

use crate::database::{self, Database, connect};
use libtest_mimic::Trial;
use orgtokens_server::caller::{Credential, Origin, Role};
use orgtokens_server::error::Error;
use orgtokens_server::error::Result;
use orgtokens_server::name::{Email, Name, Slug};
use orgtokens_server::records::{
    AuditLog, CreateTokenRequest, CreatedToken, MintRequest, Page, PageQuery, TokenDetails,
};
use orgtokens_server::scope::RequestedScope;
use orgtokens_server::service::{Operator, Service, TokenCursor};
use orgtokens_server::store::Store;
use orgtokens_server::token::{PlainToken, TokenId};
use serde_json::{Value, json};
use std::path::Path;
use std::pin::Pin;
use std::time::Duration;
use uuid::Uuid;

/// The backend of a store.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Backend {
    Sqlite,
    Postgres,
}

impl Backend {
    pub const BOTH: [Self; 2] = [Self::Sqlite, Self::Postgres];

    pub async fn database(self) -> Database {
        match self {
            Self::Sqlite => Database::in_a_file(),
            Self::Postgres => {
                Database::on(&database::server().expect("ignored without a server")).await
            }
        }
    }

    /// Creates a test on this backend. It is ignored if the backend is not available.
    pub fn trial(self, name: &str, test: Test) -> Trial {
        let name = format!("{self:?}::{name}").to_lowercase();
        let is_missing = self == Self::Postgres && database::server().is_none();
        Trial::test(name, move || {
            let runtime = tokio::runtime::Runtime::new().expect("a runtime");
            runtime.block_on(test(self));
            Ok(())
        })
        .with_ignored_flag(is_missing)
    }
}

/// A test on one backend. It fails by panicking.
pub type Test = fn(Backend) -> Pin<Box<dyn Future<Output = ()>>>;

/// Creates groups of tests, each on these backends. The tests have the names of their functions.
macro_rules! trials {
    ($($backends:expr, $($name:ident),+ $(,)?);+) => {{
        let mut trials = Vec::new();
        $(for backend in $backends {
            trials.extend([
                $(backend.trial(stringify!($name), |backend| Box::pin($name(backend)))),+
            ]);
        })+
        trials
    }};
}
pub(crate) use trials;

pub fn name(text: &str) -> Name {
    text.parse().expect("a name")
}

pub fn acme() -> Slug {
    "acme".parse().expect("a slug")
}

/// The services of two servers on one database, with the organization `acme` and its owner.
pub struct Stage {
    pub here: Service,
    pub there: Service,
    pub owner: Credential,
    pub database: Database,
}

impl Stage {
    pub async fn new(backend: Backend) -> Self {
        let database = backend.database().await;
        let here = Service::new(Store::create(&database.url).await.expect("a database"));
        let email = email("owner");
        let token = Operator(&here).init(&acme(), &name("owner"), &email).await.expect("a start");
        let there = Service::new(Store::open(&database.url).await.expect("the same database"));
        let owner = credential(&token);
        Self { here, there, owner, database }
    }

    /// Adds a member to `acme`, with an unrestricted token.
    pub async fn member(&self, username: &str, role: Role) -> Credential {
        let username = name(username);
        let operator = Operator(&self.here);
        operator.add_user(&username, &email(username.as_str())).await.expect("a new user");
        operator.set_member(&acme(), &username, role).await.expect("a new member");
        let token = operator.mint_token(&username, &name("first")).await.expect("a new token");
        Credential::new(&token, Origin::Cli)
    }

    /// Creates the group `default` in `acme`.
    pub async fn create_group(&self) {
        let slug = acme();
        let organization = self.here.within(&self.owner, &slug);
        organization.create_group(name("default"), name("lhr")).await.expect("a group");
    }

    /// Returns the path of a SQLite database.
    pub fn path(&self) -> &Path {
        Path::new(self.database.url.strip_prefix("sqlite://").expect("a file"))
    }

    /// Counts the tokens that are bound to `acme`.
    pub async fn bound_tokens(&self) -> usize {
        all(async |after| list_tokens(&self.there, &self.owner, after).await).await.len()
    }
}

fn email(username: &str) -> Email {
    format!("{username}@example.com").parse().expect("an address")
}

/// Makes a change that no list of `acme` shows.
pub async fn unrelated_change(service: &Service) {
    let username = name(&Uuid::new_v4().to_string());
    Operator(service).add_user(&username, &email(username.as_str())).await.expect("a new user");
}

/// Returns a page of the tokens of `acme` as JSON.
pub async fn list_tokens(
    service: &Service,
    credential: &Credential,
    after: Option<TokenCursor>,
) -> Result<Page<Value, TokenCursor>> {
    let write = |tokens| Ok(serde_json::to_vec(&tokens).expect("JSON").into());
    let (text, next) = service.within(credential, &acme()).list_tokens(after, write).await?;
    Ok(Page { items: serde_json::from_slice(&text).expect("JSON"), next })
}

/// Returns all items of a list, read page by page.
pub async fn all<T, C>(list: impl AsyncFn(Option<C>) -> Result<Page<T, C>>) -> Vec<T> {
    let mut items = Vec::new();
    let mut after = None;
    loop {
        let page = list(after).await.expect("a page");
        items.extend(page.items);
        after = page.next;
        if after.is_none() {
            return items;
        }
    }
}

/// Returns the credential of requests with this token.
pub fn credential(token: &PlainToken) -> Credential {
    Credential::new(token, Origin::Web)
}

/// A mint request for a token that is bound to `acme`.
pub fn bound() -> MintRequest {
    MintRequest { organization: Some(acme()), ..MintRequest::default() }
}

/// A mint request for a token that is bound to the group `default` of `acme`.
pub fn grouped() -> MintRequest {
    let scopes = Some(vec![RequestedScope::Read]);
    MintRequest { group: Some(name("default")), scopes, ..bound() }
}

/// Runs SQL statements on a database, past the service.
pub async fn execute(database: &Database, statements: &str) {
    match database.url.strip_prefix("sqlite://") {
        Some(path) => {
            let file = rusqlite::Connection::open(path).expect("the file");
            file.execute_batch(statements).expect("success");
        }
        None => connect(&database.url).await.batch_execute(statements).await.expect("success"),
    }
}

/// Requires that no hash chain of the audit log is broken.
pub async fn require_intact_audit_log(service: &Service) {
    let report = service.store().verify_audit(&[]).await.expect("a report");
    assert!(report.faults.is_empty(), "{report:?}");
}

/// Returns whether the error is a refusal because of another change, and not a failure.
pub fn is_a_refusal(error: &Error) -> bool {
    matches!(
        error,
        Error::Conflict(_) | Error::NotFound(_) | Error::DeadCredential | Error::Forbidden(_)
    )
}

/// The time that [`an_hour_later`] adds.
pub const HOUR: Duration = Duration::from_hours(1);

/// Lets an hour pass. On PostgreSQL, whose clock the test cannot change, it makes the stored times
/// older.
pub async fn an_hour_later(stage: &Stage) {
    if stage.database.url.starts_with("sqlite:") {
        for service in [&stage.here, &stage.there] {
            service.store().clock().advance(HOUR);
        }
    } else {
        make_older(stage, 1).await;
    }
}

/// Sets the clock back by that hour, and returns a newly started service.
pub async fn restarted_an_hour_earlier(stage: &Stage) -> Service {
    if !stage.database.url.starts_with("sqlite:") {
        make_older(stage, -1).await;
    }
    Service::new(Store::open(&stage.database.url).await.expect("the database"))
}

async fn make_older(stage: &Stage, hours: i32) {
    let older = format!(
        "UPDATE tokens SET expires_at = expires_at - 3600000 * {hours},
         previous_expires_at = previous_expires_at - 3600000 * {hours}"
    );
    execute(&stage.database, &older).await;
}

/// Returns a request to mint a token with this name and these members.
pub fn request(token: &str, more: &Value) -> CreateTokenRequest {
    let mut request = json!({"name": token});
    let members = request.as_object_mut().expect("an object");
    members.extend(more.as_object().expect("an object").clone());
    serde_json::from_value(request).expect("a request")
}

/// Mints a token that is bound to `acme`.
pub async fn create(
    service: &Service,
    with: &Credential,
    request: CreateTokenRequest,
) -> Result<CreatedToken> {
    service.within(with, &acme()).create_token(request).await
}

/// Returns the details of a token that is bound to `acme`.
pub async fn details(service: &Service, with: &Credential, id: TokenId) -> Result<TokenDetails> {
    service.within(with, &acme()).get_token(id).await
}

/// Returns the newest audit entries of `acme`, the newest first.
pub async fn audit_log(stage: &Stage) -> Vec<AuditLog> {
    let slug = acme();
    let log = stage.here.within(&stage.owner, &slug).list_audit_logs(PageQuery::default(), None);
    log.await.expect("the log").0.audit_logs
}

/// Returns whether the credential was not accepted.
pub fn is_dead<T>(outcome: &Result<T>) -> bool {
    matches!(outcome, Err(Error::DeadCredential))
}
