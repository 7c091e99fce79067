//! Parses the `[[webhook]]` tables of the settings file. Error texts never contain a secret.

use super::{TOKEN_EXPIRING, Webhook};
use crate::name::{Name, Quoted, Slug};
use crate::service::CODES;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use reqwest::Url;
use serde::Deserialize;
use std::collections::BTreeSet;
use std::fs;
use std::path::PathBuf;
use toml::Value;

/// The format of a secret, as Standard Webhooks defines it.
const SECRET: &str = "write `whsec_` and 24 to 64 bytes in base64, as \
    `echo whsec_$(openssl rand -base64 32)` prints it";

/// A table of the file.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Table {
    name: Name,
    url: String,
    secret: Option<String>,
    secret_file: Option<PathBuf>,
    organizations: Option<Vec<Slug>>,
    codes: Option<Vec<String>>,
}

/// Parses the webhooks of a settings file.
///
/// # Errors
/// A message that names the webhook and says what to write.
pub fn parse(value: Value) -> Result<Vec<Webhook>, String> {
    let Value::Array(tables) = value else {
        return Err("`webhook` is not a list of tables: start each one with [[webhook]]".to_owned());
    };
    let mut names = BTreeSet::new();
    let parse = |(table, number): (Value, usize)| {
        let name = table.get("name").and_then(Value::as_str).map(|name| Quoted(name).to_string());
        let name = name.unwrap_or_else(|| format!("number {number}"));
        let at = |problem: &str| format!("webhook {name}: {problem}");
        // Only the message: the whole error quotes the line, which may contain a secret.
        let table = table.try_into().map_err(|error: toml::de::Error| at(error.message()))?;
        if !names.insert(name.clone()) {
            return Err(at("the name is taken: choose another one"));
        }
        webhook(table).map_err(|problem| at(&problem))
    };
    tables.into_iter().zip(1..).map(parse).collect()
}

fn webhook(table: Table) -> Result<Webhook, String> {
    let Table { name, url, secret, secret_file, organizations, codes } = table;
    let secret = match (secret, secret_file) {
        (Some(secret), None) => secret,
        (None, Some(path)) => fs::read_to_string(&path)
            .map_err(|error| format!("secret_file {}: {error}", path.display()))?,
        _ => return Err("it needs a secret: set `secret` or `secret_file`, not both".to_owned()),
    };
    let key = secret.trim().strip_prefix("whsec_").and_then(|key| STANDARD.decode(key).ok());
    let key = key.filter(|key| (24..=64).contains(&key.len()));
    let key = key.ok_or_else(|| format!("the secret is malformed: {SECRET}"))?;
    if organizations.as_ref().is_some_and(Vec::is_empty)
        || codes.as_ref().is_some_and(Vec::is_empty)
    {
        return Err("an empty list receives nothing: leave it out to receive all".to_owned());
    }
    let is_known = |code: &str| code == TOKEN_EXPIRING || CODES.contains(&code);
    if let Some(code) = codes.iter().flatten().find(|code| !is_known(code)) {
        let known = CODES.join(", ");
        return Err(format!("there is no code {}: use {known}, {TOKEN_EXPIRING}", Quoted(code)));
    }
    Ok(Webhook { name, url: parse_url(&url)?, key, organizations, codes })
}

/// Parses a URL. The errors do not quote it, because any part may contain a secret.
fn parse_url(text: &str) -> Result<Url, String> {
    let url = Url::parse(text).map_err(|error| {
        format!("the url is malformed ({error}): write it as https://host/path")
    })?;
    let has_credentials = !url.username().is_empty() || url.password().is_some();
    if !matches!(url.scheme(), "https" | "http") || has_credentials {
        return Err("the url must start with https:// or http://, without a user".to_owned());
    }
    Ok(url)
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECRET: &str = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";

    fn read(lines: &str) -> Result<Vec<Webhook>, String> {
        parse(toml::from_str::<toml::Table>(lines).unwrap()["webhook"].clone())
    }

    #[test]
    fn every_error_names_the_webhook_and_hides_secrets() {
        let hook = |more: &str| format!("[[webhook]]\nname = \"a\"\n{more}");
        let whole =
            |more: &str| hook(&format!("url = \"https://h/p\"\nsecret = \"{SECRET}\"\n{more}"));
        for (lines, expected) in [
            ("webhook = 5".to_owned(), "start each one with [[webhook]]"),
            (hook(""), "webhook `a`: missing field `url`"),
            (
                "[[webhook]]\nurl = \"https://h\"".to_owned(),
                "webhook number 1: missing field `name`",
            ),
            (hook("url = \"https://h\""), "set `secret` or `secret_file`, not both"),
            (whole("secret_file = \"f\""), "set `secret` or `secret_file`, not both"),
            (
                hook("url = \"https://h\"\nsecret_file = \"missing\""),
                "secret_file missing: No such file",
            ),
            (hook("url = \"https://h\"\nsecret = \"whsec_c2VjcmV0\""), "24 to 64 bytes"),
            (hook("url = \"https://h\"\nsecret = \"c2VjcmV0\""), "write `whsec_`"),
            (
                hook(&format!("url = \"ftp://c2VjcmV0\"\nsecret = \"{SECRET}\"")),
                "https:// or http://",
            ),
            (
                hook(&format!("url = \"https://u:c2VjcmV0@h\"\nsecret = \"{SECRET}\"")),
                "without a user",
            ),
            (hook(&format!("url = \"c2VjcmV0\"\nsecret = \"{SECRET}\"")), "the url is malformed"),
            (whole("code = []"), "unknown field `code`, expected one of `name`, `url`,"),
            (whole("codes = []"), "leave it out to receive all"),
            (whole("organizations = []"), "leave it out to receive all"),
            (
                whole("codes = [\"user-token-creat\"]"),
                "no code `user-token-creat`: use user-token-create,",
            ),
            (whole("organizations = \"acme\""), "string \"acme\", expected a sequence"),
            (whole("organizations = [\"a/b\"]"), "`a/b` is not an organization slug"),
            (whole(&whole("")), "webhook `a`: the name is taken"),
        ] {
            let problem = read(&lines).expect_err(&lines);
            assert!(problem.contains(expected), "{expected}: {problem}");
            assert!(!problem.contains("c2VjcmV0") && !problem.contains("MfKQ"), "{problem}");
        }
    }

    #[test]
    fn debug_and_serialized_webhooks_hide_secrets() {
        let lines = format!(
            "[[webhook]]\nname = \"a\"\nurl = \"https://h:1/c2VjcmV0?c2VjcmV0\"\nsecret = \"{SECRET}\"\n\
             organizations = [\"acme\"]"
        );
        let webhook = read(&lines).unwrap().remove(0);
        assert_eq!(format!("{webhook:?}"), "Webhook(a)");
        let shown = toml::to_string(&webhook).unwrap();
        assert!(shown.contains("url = \"https://h:1\"") && shown.contains("[\"acme\"]"), "{shown}");
        assert!(!shown.contains("c2VjcmV0") && !shown.contains("MfKQ"), "{shown}");
    }
}
