//! The settings file: its settings, what overrides them, and invalid files.

use crate::support::Running;
use crate::support::database::{Database, text};
use std::path::PathBuf;
use std::process::Command;
use tempfile::TempDir;

/// A folder with a settings file.
struct Settings(TempDir);

impl Settings {
    fn new(text: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("settings.toml"), text).unwrap();
        Self(folder)
    }

    fn path(&self) -> PathBuf {
        self.0.path().join("settings.toml")
    }

    /// A command that reads the file. Nothing else in its environment sets anything.
    fn command(&self, words: &str) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_orgtokens-server"));
        command.args(words.split(' ')).env("ORGTOKENS_CONFIG", self.path());
        command.env_remove("ORGTOKENS_DATABASE").env_remove("ORGTOKENS_LISTEN");
        command
    }

    /// Returns the settings that are in effect.
    fn effective(&self) -> String {
        let output = self.command("config check").output().unwrap();
        assert!(output.status.success(), "{}", text(&output));
        String::from_utf8(output.stdout).unwrap()
    }
}

fn url(database: &Database) -> String {
    format!("sqlite://{}", database.path().display())
}

#[test]
fn a_file_sets_what_neither_an_option_nor_the_environment_sets() {
    let (database, other) = (Database::new(), Database::new());
    let settings =
        Settings::new(&format!("listen = 0\nno-compat = true\ndatabase = \"{}\"", url(&database)));
    let accepts = |serve: &mut Command, token: &str| {
        let server = Running::spawn(serve).unwrap();
        let vendor = server.ask_as(token, "GET", "/v1/current-user", "");
        assert_eq!(vendor.status, 404, "`no-compat` is set");
        server.ask_as(token, "GET", "/v1/auth/validate", "").status == 200
    };
    assert!(accepts(&mut settings.command("serve"), &database.token));
    let mut serve = settings.command("serve");
    assert!(accepts(serve.env("ORGTOKENS_DATABASE", url(&other)), &other.token));
    let mut serve = settings.command("serve");
    assert!(accepts(serve.args(["--database", &url(&other)]), &other.token));
    let mut serve = settings.command("serve");
    serve.env("ORGTOKENS_DATABASE", url(&other)).args(["--database", &url(&database)]);
    assert!(accepts(&mut serve, &database.token));
}

#[test]
fn a_setting_that_is_true_in_the_file_is_false_with_an_option_or_a_variable() {
    let database = Database::new();
    let settings =
        Settings::new(&format!("listen = 0\ndocs = true\ndatabase = \"{}\"", url(&database)));
    let status =
        |serve: &mut Command| Running::spawn(serve).unwrap().ask_as("", "GET", "/docs", "").status;
    assert_eq!(status(&mut settings.command("serve")), 200);
    assert_eq!(status(&mut settings.command("serve --docs=false")), 404);
    assert_eq!(status(settings.command("serve").env("ORGTOKENS_DOCS", "false")), 404);
    let mut serve = settings.command("serve --docs");
    assert_eq!(status(serve.env("ORGTOKENS_DOCS", "false")), 200);
}

#[test]
fn config_check_refuses_a_certificate_that_serve_would_refuse() {
    let database = Database::new();
    let settings = Settings::new(&format!(
        "database = \"{}\"\ntls-cert = \"missing.crt\"\ntls-key = \"missing.key\"",
        url(&database)
    ));
    for words in ["config check", "serve"] {
        let output = settings.command(words).output().unwrap();
        let error = text(&output);
        assert!(output.status.code() == Some(1) && error.contains("missing.crt"), "{error}");
    }
}

#[test]
fn other_commands_use_the_database_of_the_file() {
    let database = Database::new();
    let settings = Settings::new(&format!("database = \"{}\"\npool-size = 3", url(&database)));
    for words in ["user list", "backup -- copy.db"] {
        let output = settings.command(words).current_dir(database.folder()).output().unwrap();
        assert!(output.status.success(), "{words}: {}", text(&output));
    }
    assert!(database.folder().join("copy.db").exists());
}

#[test]
fn config_check_prints_the_effective_settings_without_a_password() {
    let settings = Settings::new(
        "trusted-proxy = [\"10.0.0.0/8\", \"::1\"]\ndatabase = \"postgres://u:secret@h/name\"",
    );
    let shown = settings.effective();
    for line in [
        "database = \"postgres://u@h/name\"",
        "listen = \"127.0.0.1:8080\"",
        "no-compat = false",
        "pool-size = 16",
        "trusted-proxy = [\"10.0.0.0/8\", \"::1\"]",
    ] {
        assert!(shown.lines().any(|shown| shown == line), "{line}: {shown}");
    }
    assert!(!shown.contains("secret"), "{shown}");
    let again = Settings::new(&shown);
    assert_eq!(again.effective(), shown, "what it prints is a file of settings");
}

#[test]
fn an_invalid_setting_is_refused_with_its_line_and_the_accepted_values() {
    for (line, key, accepted) in [
        ("pool_size = 3", "pool_size", "use database, pool-size, listen,"),
        ("config = \"other.toml\"", "config", "use database, pool-size, listen,"),
        ("[serve]\npool-size = 3", "serve", "use database, pool-size, listen,"),
        ("pool-size = 0", "pool-size", "write a whole number, 1 or more"),
        ("pool-size = \"x\"", "pool-size", "write a whole number, 1 or more"),
        ("pool-size = 1.5", "pool-size", "write a string or a whole number"),
        ("listen = [\"a\"]", "listen", "write a string or a whole number"),
        ("listen = \"nonsense\"", "listen", "localhost:8080, or a port alone"),
        ("no-compat = \"yes\"", "no-compat", "write true or false"),
        ("trusted-proxy = [true]", "trusted-proxy", "write a list of strings"),
        ("trusted-proxy = [\"x\"]", "trusted-proxy", "write it as 10.0.0.0/8"),
    ] {
        let settings = Settings::new(&format!("# a comment\n{line}"));
        for words in ["serve", "config check"] {
            let output = settings.command(words).output().unwrap();
            let (error, path) = (text(&output), settings.path());
            assert_eq!(output.status.code(), Some(2), "{line}: {error}");
            let place = error.contains("line 2") && error.contains(path.to_str().unwrap());
            assert!(place && error.contains(key) && error.contains(accepted), "{line}: {error}");
        }
    }
}

#[test]
fn a_malformed_or_unreadable_file_is_refused_without_quoting_it() {
    let settings = Settings::new("pool-size = 3\ndatabase = postgres://u:secret@h/name");
    let error = text(&settings.command("serve").output().unwrap());
    assert!(error.contains("line 2: ") && !error.contains("secret"), "{error}");
    std::fs::remove_file(settings.path()).unwrap();
    let output = settings.command("serve").output().unwrap();
    assert_eq!(output.status.code(), Some(2));
    let error = text(&output);
    assert!(error.contains("settings.toml: No such file") && error.contains("name a file"));
}

#[test]
fn a_bad_option_or_variable_is_not_hidden_by_a_good_file() {
    let settings = Settings::new("pool-size = 3");
    let given = text(&settings.command("serve --pool-size 0").output().unwrap());
    assert!(given.contains("'0' for '--pool-size <COUNT>':"), "{given}");
    let variable = settings.command("config check").env("ORGTOKENS_POOL_SIZE", "x").output();
    let variable = text(&variable.unwrap());
    assert!(variable.contains("environment variable 'ORGTOKENS_POOL_SIZE'"), "{variable}");
}

#[test]
fn a_duplicate_key_is_named_with_its_line() {
    let settings = Settings::new("pool-size = 3\n# a comment\n\"pool-size\" = 4");
    let error = text(&settings.command("config check").output().unwrap());
    assert!(error.contains("line 3: duplicate key `\"pool-size\"`: keep one"), "{error}");
    let settings = Settings::new("pool-size = 3\npool-size = 4");
    let error = text(&settings.command("config check").output().unwrap());
    assert!(error.contains("line 2: duplicate key `pool-size`: keep one"), "{error}");
}

#[test]
fn an_empty_variable_is_ignored_but_an_empty_database_url_is_refused() {
    let all = "max-connections = 3\ndocs = true\ntrusted-proxy = [\"::1\"]";
    let settings = Settings::new(all);
    let shown = settings.effective();
    let help = text(&settings.command("serve --help").output().unwrap());
    let variables: Vec<_> =
        help.split("[env: ").skip(1).map(|rest| rest.split(['=', ']']).next()).collect();
    assert!(variables.len() > 15, "{help}");
    for variable in variables.into_iter().flatten() {
        let mut command = settings.command("config check");
        command.env(variable, "").args(["--config".as_ref(), settings.path().as_os_str()]);
        let is_same = text(&command.output().unwrap()) == shown;
        assert_eq!(is_same, variable != "ORGTOKENS_DATABASE", "{variable}");
    }
    let lost = settings.command("serve").env("ORGTOKENS_DATABASE", "").output().unwrap();
    assert!(!lost.status.success() && text(&lost).contains("ORGTOKENS_DATABASE"));
    let without_file = settings.command("config check").env("ORGTOKENS_CONFIG", "").output();
    assert!(text(&without_file.unwrap()).contains("max-connections = 1024"));
}

#[test]
fn a_settings_file_has_a_size_limit() {
    let output = Settings::new("").command("config check --config /dev/zero").output().unwrap();
    assert_eq!(output.status.code(), Some(2));
    assert!(text(&output).contains("more than 1048576 bytes"), "{}", text(&output));
}

#[test]
fn config_check_refuses_a_database_that_serve_would_refuse() {
    for url in ["", "mysql://u@h/name", "postgres://u@h/name?sslmode=bogus", "postgres://u@h:x/n"] {
        let settings = Settings::new(&format!("database = \"{url}\""));
        for words in ["config check", "serve"] {
            let output = settings.command(words).output().unwrap();
            assert_eq!(output.status.code(), Some(2), "{words} {url}: {}", text(&output));
            assert!(text(&output).contains("line 1 of '"), "{}", text(&output));
        }
    }
}
