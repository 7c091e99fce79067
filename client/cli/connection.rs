//! Which server is called, with which token: from the flags, else from the environment, else from a
//! profile. There is no default server: it would receive a token that is meant for another one.

use crate::arguments::Options;
use crate::problem::Problem;
use crate::profile::{self, DEFAULT, Profile};
use orgtokens_client::{Client, ClientBuilder};

const URL: &str = "ORGTOKENS_URL";
const TOKEN: &str = "ORGTOKENS_TOKEN";

/// Names this program. The audit log says `cli`, because the name has this word.
const USER_AGENT: &str = concat!("orgtokens-cli/", env!("CARGO_PKG_VERSION"));

#[derive(Clone, PartialEq, Eq)]
pub struct Connection {
    pub url: String,
    pub token: String,
}

impl Connection {
    /// Returns the server and the token to use.
    pub fn find(options: &Options) -> Result<Self, Problem> {
        let environment = Environment::read(options)?;
        let url = options.url.clone().or(environment.url);
        let token = options.token.clone().or(environment.token);
        if let (Some(url), Some(token)) = (&url, &token) {
            return Ok(Self { url: url.clone(), token: token.clone() });
        }
        let name = options.profile.as_deref().unwrap_or(DEFAULT);
        let profile = profile::load()?.remove(name);
        if let (None, Some(_)) = (&profile, &options.profile) {
            let step = format!("run `orgtokens login --profile {name}`");
            return Err(Problem::wrong_use(format!("there is no profile `{name}`: {step}")));
        }
        Self::join(url, token, profile)
    }

    /// Takes from the profile what is not given.
    fn join(
        url: Option<String>,
        token: Option<String>,
        profile: Option<Profile>,
    ) -> Result<Self, Problem> {
        match (url, token, profile) {
            (Some(url), Some(token), _) => Ok(Self { url, token }),
            (None, token, Some(profile)) => {
                Ok(Self { url: profile.url, token: token.unwrap_or(profile.token) })
            }
            (Some(url), None, Some(profile)) if is_same(&url, &profile.url) => {
                Ok(Self { url, token: profile.token })
            }
            // Another server must not receive the token.
            (Some(url), None, Some(profile)) => Err(Problem::wrong_use(format!(
                "the token of the profile is for {}, not for {url}: give --token, or run `orgtokens \
                 login --profile ANOTHER --url {url}`",
                profile.url
            ))),
            (Some(url), None, None) => Err(Problem::wrong_use(format!(
                "there is no token: run `orgtokens login --url {url}`, or set {TOKEN}"
            ))),
            (None, _, None) => Err(no_server(None)),
        }
    }

    /// Returns what to do if the server does not accept the token: it depends on where it came from.
    pub fn token_step(options: &Options) -> String {
        let environment = Environment::read(options).unwrap_or_default();
        match (&options.token, environment.token, &options.profile) {
            (Some(_), ..) => "give another --token, or run `orgtokens login`".to_owned(),
            (_, Some(_), _) => {
                format!("set {TOKEN} to a valid token, or unset it and run `orgtokens login`")
            }
            (_, _, Some(name)) => format!("run `orgtokens login --profile {name}`"),
            _ => "run `orgtokens login`".to_owned(),
        }
    }

    /// Returns the server to log in to, or for what needs no token.
    pub fn find_url(options: &Options) -> Result<String, Problem> {
        if let Some(url) = options.url.clone().or(Environment::read(options)?.url) {
            return Ok(url);
        }
        let name = options.profile.as_deref().unwrap_or(DEFAULT);
        let profile = profile::load()?.remove(name);
        profile.map(|profile| profile.url).ok_or_else(|| no_server(options.profile.as_deref()))
    }

    pub fn client(
        &self,
        set_up: impl FnOnce(ClientBuilder) -> ClientBuilder,
    ) -> Result<Client, Problem> {
        let client = Client::builder(&self.url).user_agent(USER_AGENT);
        // A leak report has none.
        let client = if self.token.is_empty() { client } else { client.token(&self.token) };
        set_up(client).build().map_err(Problem::wrong_use)
    }
}

fn is_same(url: &str, other: &str) -> bool {
    url.trim_end_matches('/') == other.trim_end_matches('/')
}

fn no_server(profile: Option<&str>) -> Problem {
    let (profile, variable) = match profile {
        // A profile replaces the variable.
        Some(name) => (format!("--profile {name} "), String::new()),
        None => (String::new(), format!(", or set {URL}")),
    };
    Problem::wrong_use(format!(
        "no server is named: run `orgtokens login {profile}--url http://127.0.0.1:8080`{variable}"
    ))
}

/// What the environment says. An empty variable says nothing.
#[derive(Default)]
struct Environment {
    url: Option<String>,
    token: Option<String>,
}

impl Environment {
    /// Reads the variables, unless a flag names a profile: it replaces them.
    fn read(options: &Options) -> Result<Self, Problem> {
        if options.profile.is_some() {
            return Ok(Self::default());
        }
        Ok(Self { url: variable(URL)?, token: variable(TOKEN)? })
    }
}

fn variable(name: &str) -> Result<Option<String>, Problem> {
    let value = std::env::var_os(name).filter(|value| !value.is_empty());
    let value = value.map(std::ffi::OsString::into_string).transpose();
    value.map_err(|_| Problem::wrong_use(format!("{name} is not UTF-8: set it again")))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn join(url: Option<&str>, token: Option<&str>, profile: Option<&str>) -> String {
        let owned = |text: Option<&str>| text.map(str::to_owned);
        let profile = profile.map(|url| Profile { url: url.to_owned(), token: "kept".to_owned() });
        match Connection::join(owned(url), owned(token), profile) {
            Ok(Connection { url, token }) => format!("{url} {token}"),
            Err(problem) => problem.to_string(),
        }
    }

    #[test]
    fn a_profile_gives_what_is_missing_but_never_its_token_to_another_server() {
        for (url, token, profile, expected) in [
            (Some("http://a"), Some("given"), None, "http://a given"),
            (Some("http://b"), Some("given"), Some("http://a"), "http://b given"),
            (None, Some("given"), Some("http://a"), "http://a given"),
            (None, None, Some("http://a"), "http://a kept"),
            (Some("http://a/"), None, Some("http://a"), "http://a/ kept"),
            (Some("http://b"), None, Some("http://a"), "is for http://a, not for http://b"),
            (Some("http://a"), None, None, "run `orgtokens login --url http://a`"),
            (None, Some("given"), None, "no server is named"),
        ] {
            let joined = join(url, token, profile);
            assert!(joined.contains(expected), "{joined} instead of {expected}");
        }
    }
}
