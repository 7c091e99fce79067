//! How a client is set up: where the server is, the credential, and how long and how often it
//! tries. `transport` applies it to each request.

use crate::failure::with_causes;
use crate::{Client, Failure};
use reqwest::header::{AUTHORIZATION, HeaderValue, USER_AGENT};
use reqwest::{Request, Url, redirect};
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

/// The time limit of a request, from its start to the last byte of the response.
pub const TIMEOUT: Duration = Duration::from_secs(30);

/// What every request of a client has.
#[derive(Clone, Debug)]
pub struct Settings {
    bearer: Option<HeaderValue>,
    user_agent: Option<HeaderValue>,
    timeout: Option<Duration>,
    pub(crate) retries: usize,
    pub(crate) on_body: Option<OnBody>,
}

type Receive = dyn Fn(&[u8]) + Send + Sync;

/// Receives bodies.
#[derive(Clone)]
pub struct OnBody(pub(crate) Arc<Receive>);

impl fmt::Debug for OnBody {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("OnBody")
    }
}

impl Settings {
    pub(crate) fn apply(&self, request: &mut Request) {
        *request.timeout_mut() = self.timeout;
        for (name, value) in [(AUTHORIZATION, &self.bearer), (USER_AGENT, &self.user_agent)] {
            if let Some(value) = value {
                request.headers_mut().insert(name, value.clone());
            }
        }
    }

    pub(crate) fn longest_wait(&self) -> Duration {
        self.timeout.unwrap_or(TIMEOUT)
    }
}

/// Sets up a [`Client`].
#[derive(Clone)]
#[must_use = "a builder does nothing until `build`"]
pub struct ClientBuilder {
    base_url: String,
    token: Option<String>,
    user_agent: Option<String>,
    http_client: Option<reqwest::Client>,
    timeout: Option<Duration>,
    retries: usize,
    on_body: Option<OnBody>,
}

impl Client {
    /// Sets up a client. `base_url` is scheme, host and port, such as `https://api.turso.tech`.
    pub fn builder(base_url: &str) -> ClientBuilder {
        ClientBuilder {
            base_url: base_url.to_owned(),
            token: None,
            user_agent: None,
            http_client: None,
            timeout: None,
            retries: 0,
            on_body: None,
        }
    }

    /// Creates a client that sends `token` with every request, and has no other settings.
    ///
    /// # Errors
    /// Those of [`ClientBuilder::build`].
    pub fn with_token(base_url: &str, token: &str) -> Result<Self, Failure> {
        Self::builder(base_url).token(token).build()
    }
}

impl ClientBuilder {
    /// Sends this bearer token with every request (RFC 6750). Debug output does not show it.
    pub fn token(mut self, token: &str) -> Self {
        self.token = Some(token.to_owned());
        self
    }

    /// Names the program in `User-Agent`. The audit log says `cli` if it names a CLI.
    pub fn user_agent(mut self, user_agent: &str) -> Self {
        self.user_agent = Some(user_agent.to_owned());
        self
    }

    /// Limits the time of one try, from its start to the last byte of the response. The default is
    /// [`TIMEOUT`].
    pub fn timeout(mut self, timeout: Duration) -> Self {
        self.timeout = Some(timeout);
        self
    }

    /// Sends a request again, at most so many times, if nothing can have changed: a request that
    /// only reads after any passing failure; a change if the server asked for it with `Retry-After`
    /// or was not reached. Never a mint, and never after an unknown outcome. The default is 0.
    ///
    /// The client waits as long as `Retry-After` says, but gives up if that is longer than the
    /// time limit. Else it waits a fifth of a second, and twice as long each time.
    pub fn retries(mut self, retries: usize) -> Self {
        self.retries = retries;
        self
    }

    /// Sends requests through this client, with its proxies, certificates, connections, time limit
    /// and user agent. What is set here takes precedence.
    ///
    /// The default one does not follow redirects, so that no other host receives the token.
    pub fn http_client(mut self, http_client: reqwest::Client) -> Self {
        self.http_client = Some(http_client);
        self
    }

    /// Calls `receive` with the JSON body of every successful response, as the server sent it, before
    /// it is parsed. The body of a mint contains the secret.
    pub fn on_body(mut self, receive: impl Fn(&[u8]) + Send + Sync + 'static) -> Self {
        self.on_body = Some(OnBody(Arc::new(receive)));
        self
    }

    /// Creates the client.
    ///
    /// # Errors
    /// A [`Failure`] without a status if the base URL is not one, if the token or
    /// the user agent has characters that a header cannot have, or if TLS cannot be set up.
    pub fn build(self) -> Result<Client, Failure> {
        let baseurl = check_base_url(&self.base_url)?;
        let bearer = self.token.as_deref().map(bearer).transpose()?;
        let user_agent = self.user_agent.map(HeaderValue::try_from).transpose().map_err(|_| {
            Failure::local("the user agent has characters that a header cannot have: change it")
        })?;
        let client = self.http_client.map_or_else(default_client, Ok)?;
        let Self { timeout, retries, on_body, .. } = self;
        let inner = Settings { bearer, user_agent, timeout, retries, on_body };
        Ok(Client { baseurl, client, inner })
    }
}

/// Returns the base URL without a slash at its end.
fn check_base_url(text: &str) -> Result<String, Failure> {
    let example = "use scheme and host, such as https://api.turso.tech";
    let url = Url::parse(text).ok().filter(|url| {
        let is_plain = url.username().is_empty() && url.password().is_none();
        let is_plain = is_plain && url.query().or(url.fragment()).is_none();
        is_plain && ["http", "https"].contains(&url.scheme())
    });
    let Some(url) = url else {
        return Err(Failure::local(format!(
            "the base URL is not a plain http or https address: {example}"
        )));
    };
    if url.path().trim_end_matches('/').ends_with("/v1") {
        let message = "the base URL ends in /v1, which every path has already: leave /v1 out";
        return Err(Failure::local(message));
    }
    Ok(url.as_str().trim_end_matches('/').to_owned())
}

fn bearer(token: &str) -> Result<HeaderValue, Failure> {
    let mut bearer = HeaderValue::try_from(format!("Bearer {token}")).map_err(|_| {
        Failure::local("the token has characters that a header cannot have: copy it again")
    })?;
    bearer.set_sensitive(true);
    Ok(bearer)
}

fn default_client() -> Result<reqwest::Client, Failure> {
    let name = concat!(env!("CARGO_PKG_NAME"), "/", env!("CARGO_PKG_VERSION"));
    let client = reqwest::Client::builder().user_agent(name).timeout(TIMEOUT);
    client.redirect(redirect::Policy::none()).build().map_err(|error| {
        Failure::local(format!("the HTTP client cannot be built: {}", with_causes(&error)))
    })
}
