//! Parses the database URL. No error shows a part of the URL, because it may have a password.

use super::super::{Result, broken};
use super::tls::{self, Verify};
use percent_encoding::percent_decode_str;
use std::path::PathBuf;
use std::time::Duration;
use tokio_postgres::Config;
use tokio_postgres::config::{SslMode, TargetSessionAttrs};
use tokio_postgres_rustls::MakeRustlsConnect;

/// How long a host may take to accept a connection, unless the URL has `connect_timeout`.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(3);
/// How long a host may leave sent data unacknowledged before the connection is closed.
const SILENCE_TIMEOUT: Duration = Duration::from_secs(10);

const UNREADABLE: &str = "the database URL cannot be read: write it as \
    postgres://user:password@host:port/name, every special character of the password \
    percent-encoded, and after `?` only options that are documented";

/// The hosts to connect to, in the order in which they are tried.
pub struct Target {
    pub hosts: Vec<Config>,
    pub tls: MakeRustlsConnect,
}

impl Target {
    /// Reads a URL such as `postgres://user:password@one:5432,two:5432/name?sslmode=require`.
    pub fn parse(url: &str) -> Result<Self> {
        let (base, query) = url.split_once('?').unwrap_or((url, ""));
        let (mut mode, mut roots, mut others) = (None, None, Vec::new());
        for option in query.split('&').filter(|option| !option.is_empty()) {
            match option.split_once('=') {
                Some(("sslmode", value)) => mode = Some(value),
                Some(("sslrootcert", value)) => roots = Some(value),
                _ => others.push(option),
            }
        }
        let (mode, verify) = security(mode, roots)?;
        let others = others.join("&");
        let hosts = one_per_host(base).map(|base| configure(&format!("{base}?{others}"), mode));
        Ok(Self { hosts: hosts.collect::<Result<_>>()?, tls: tls::connector(&verify)? })
    }
}

/// Returns the URL once for each of its hosts, so that each host has its own timeout.
fn one_per_host(base: &str) -> impl Iterator<Item = String> {
    let (scheme, rest) = base.split_once("://").unwrap_or(("postgres", base));
    let (authority, path) = rest.split_once('/').unwrap_or((rest, ""));
    let (user, hosts) = authority.split_at(authority.rfind('@').map_or(0, |at| at + 1));
    hosts.split(',').map(move |host| format!("{scheme}://{user}{host}/{path}"))
}

fn configure(url: &str, mode: SslMode) -> Result<Config> {
    // The error of the parser may quote a part of the password.
    let mut config: Config = url.parse().map_err(|_| broken(UNREADABLE))?;
    if config.get_target_session_attrs() == TargetSessionAttrs::ReadOnly {
        return Err(broken(
            "target_session_attrs=read-only selects a standby, which may still accept a revoked \
             token: leave it out",
        ));
    }
    if config.get_hosts().is_empty() && config.get_hostaddrs().is_empty() {
        return Err(broken(
            "the database URL names no host: write it as postgres://user:password@host:port/name",
        ));
    }
    config.target_session_attrs(TargetSessionAttrs::ReadWrite).ssl_mode(mode);
    config.connect_timeout(config.get_connect_timeout().copied().unwrap_or(CONNECT_TIMEOUT));
    config.tcp_user_timeout(config.get_tcp_user_timeout().copied().unwrap_or(SILENCE_TIMEOUT));
    config.keepalives_idle(config.get_keepalives_idle().min(SILENCE_TIMEOUT));
    if config.get_application_name().is_none() {
        config.application_name(env!("CARGO_PKG_NAME"));
    }
    Ok(config)
}

/// Returns the meaning of `sslmode` and `sslrootcert`, as in libpq.
fn security(mode: Option<&str>, roots: Option<&str>) -> Result<(SslMode, Verify)> {
    let is_system = roots == Some("system");
    let file = roots.filter(|_| !is_system);
    let file = file.map(|path| PathBuf::from(&*percent_decode_str(path).decode_utf8_lossy()));
    match mode.unwrap_or(if is_system { "verify-full" } else { "prefer" }) {
        // A system authority signs certificates for everyone, so only the name tells hosts apart.
        mode @ ("disable" | "prefer" | "require" | "verify-ca") if is_system => {
            let weak = format!("sslmode={mode} is too weak for sslrootcert=system");
            Err(broken(format!("{weak}: use verify-full, or leave sslmode out")))
        }
        "disable" => Ok((SslMode::Disable, Verify::Nothing)),
        "prefer" => Ok((SslMode::Prefer, Verify::Nothing)),
        // In libpq, `require` with a file of authorities means `verify-ca`.
        "require" if file.is_none() => Ok((SslMode::Require, Verify::Nothing)),
        "require" | "verify-ca" => Ok((SslMode::Require, Verify::Authority(file))),
        "verify-full" => Ok((SslMode::Require, Verify::AuthorityAndName(file))),
        _ => Err(broken(
            "the database URL has an unknown sslmode: use disable, prefer, require, verify-ca or \
             verify-full",
        )),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tokio_postgres::config::Host;

    fn target(url: &str) -> Target {
        Target::parse(url).unwrap_or_else(|error| panic!("{url}: {error}"))
    }

    #[test]
    fn every_host_is_tried_with_the_same_credentials_and_must_accept_writes() {
        let url = "postgres://u:p%40%2F@one:1,two:2/name?sslmode=require&connect_timeout=1";
        let hosts = target(url).hosts;
        let names = [("one", 1), ("two", 2)];
        assert_eq!(hosts.len(), names.len());
        for (config, (host, port)) in hosts.iter().zip(names) {
            assert_eq!(config.get_hosts(), [Host::Tcp(host.to_owned())]);
            assert_eq!(config.get_ports(), [port]);
            assert_eq!(config.get_password(), Some(&b"p@/"[..]));
            assert_eq!(config.get_dbname(), Some("name"));
            assert_eq!(config.get_ssl_mode(), SslMode::Require);
            assert_eq!(config.get_target_session_attrs(), TargetSessionAttrs::ReadWrite);
            assert_eq!(config.get_connect_timeout(), Some(&Duration::from_secs(1)));
        }
    }

    #[test]
    fn a_url_without_a_host_is_refused() {
        for url in ["postgres://", "postgres://a:b@/name", "postgres://u@one,/name"] {
            let refusal = Target::parse(url).err().unwrap().to_string();
            assert!(refusal.contains("names no host"), "{url}: {refusal}");
        }
        assert!(Target::parse("postgres://u@/name?host=/var/run").is_ok());
    }

    #[test]
    fn tls_is_preferred_unless_the_url_says_otherwise() {
        let mode = |url| target(url).hosts[0].get_ssl_mode();
        assert_eq!(mode("postgresql://u@h/name"), SslMode::Prefer);
        assert_eq!(mode("postgres://u@h/name?sslmode=disable"), SslMode::Disable);
        assert!(Target::parse("postgres://u@h/name?sslmode=allow").is_err());
    }

    #[test]
    fn sslrootcert_system_verifies_the_name_and_refuses_weaker_modes() {
        let security = |mode, roots| security(mode, roots).map(|(mode, _)| mode);
        assert_eq!(security(None, Some("system")).unwrap(), SslMode::Require);
        assert_eq!(security(Some("verify-full"), Some("system")).unwrap(), SslMode::Require);
        for mode in ["disable", "prefer", "require", "verify-ca"] {
            let refusal = security(Some(mode), Some("system")).err().unwrap().to_string();
            let names_both = refusal.contains(mode) && refusal.contains("use verify-full");
            assert!(names_both && refusal.contains("leave sslmode out"), "{refusal}");
        }
    }
}
