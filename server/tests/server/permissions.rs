//! Databases that the process cannot write or read, or that are locked: the errors of each command, and
//! that read-only commands need no write permission. Root ignores permissions, so the commands run as
//! another user. SQLite only.

use crate::disk::SmallDisk;
use crate::support::Running;
use crate::support::database::{Database, command, text};
use rusqlite::Connection;
use std::collections::BTreeMap;
use std::fs::{self, Permissions};
use std::os::unix::fs::{PermissionsExt, chown};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

/// A user who owns nothing.
const STRANGER: u32 = 65534;

/// The commands that only read.
const READERS: [&str; 4] = ["check", "audit verify", "backup", "copy"];

/// Returns whether this process may become another user. If not, it says that the test is skipped.
fn is_root() -> bool {
    let is_root = rustix::process::geteuid().is_root();
    if !is_root {
        eprintln!("skipped: only root can run the commands as another user");
    }
    is_root
}

fn set_mode(path: &Path, mode: u32) {
    fs::set_permissions(path, Permissions::from_mode(mode)).unwrap();
}

/// A copy of the program that every user can run, and a folder that every user can write to.
struct Program(tempfile::TempDir);

impl Program {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        fs::copy(env!("CARGO_BIN_EXE_orgtokens-server"), folder.path().join("program")).unwrap();
        set_mode(folder.path(), 0o777);
        Self(folder)
    }

    /// The file that `backup` and `copy` make.
    fn target(&self) -> PathBuf {
        self.0.path().join("target.db")
    }

    /// A command on a database. `backup` and `copy` have the target of this program.
    fn command(&self, name: &str, database: &Path) -> Command {
        // Kills a server that started although it should have refused to.
        let mut command = Command::new("timeout");
        command.arg("30").arg(self.0.path().join("program"));
        command.args(name.split(' ')).current_dir(self.0.path());
        let option = if name == "copy" { "--from" } else { "--database" };
        command.arg(option).arg(database);
        match name {
            "serve" => command.args(["--listen", "127.0.0.1:0"]),
            "backup" => command.arg(self.target()),
            "copy" => command.arg("--to").arg(self.target()),
            _ => &mut command,
        };
        command
    }

    fn run_as_a_stranger(&self, name: &str, database: &Path) -> Output {
        let _ = fs::remove_file(self.target());
        self.command(name, database).uid(STRANGER).gid(STRANGER).output().unwrap()
    }
}

/// Every file of a folder with its content.
fn contents(folder: &Path) -> BTreeMap<PathBuf, Vec<u8>> {
    let files = fs::read_dir(folder).unwrap().map(|file| file.unwrap().path());
    files.map(|path| (path.clone(), fs::read(path).unwrap())).collect()
}

/// Requires that a command fails with all of these texts, and with none about another cause.
fn require_refused(output: &Output, expected: &[&str]) {
    let said = text(output);
    assert!(!output.status.success(), "{said}");
    for part in expected {
        assert!(said.contains(part), "{part:?} is not in {said:?}");
    }
    for wrong in ["disk is full", "another program", "damaged", "never initialised"] {
        assert!(!said.contains(wrong), "{said}");
    }
}

#[test]
fn a_file_of_another_user_is_refused_with_its_owner_and_mode() {
    if !is_root() {
        return;
    }
    let (program, database) = (Program::new(), Database::new());
    set_mode(database.folder(), 0o755);
    let before = contents(database.folder());
    for name in ["serve"].iter().chain(&READERS) {
        let output = program.run_as_a_stranger(name, &database.path());
        let file = format!("{} belongs to user 0 and has mode 600", database.path().display());
        let next = "run as a user who may read and write it, or use chown or chmod";
        require_refused(&output, &["permission denied", &file, "runs as user 65534", next]);
    }
    set_mode(&database.path(), 0o000);
    let output = program.run_as_a_stranger("serve", &database.path());
    require_refused(&output, &["and has mode 000"]);
    set_mode(database.folder(), 0o700);
    let output = program.run_as_a_stranger("serve", &database.path());
    let folder = format!("{} belongs to user 0 and has mode 700", database.folder().display());
    require_refused(&output, &["permission denied", &folder, "a user who may enter the folder"]);
    assert_eq!(contents(database.folder()), before);
}

/// Requires that a stranger cannot serve the database, but can read it, and changes nothing.
fn require_only_readable(program: &Program, database: &Database, blamed: &Path) {
    let before = contents(database.folder());
    let output = program.run_as_a_stranger("serve", &database.path());
    require_refused(&output, &["permission denied", &blamed.display().to_string()]);
    for name in READERS {
        let output = program.run_as_a_stranger(name, &database.path());
        assert!(output.status.success(), "{name}: {}", text(&output));
    }
    assert_eq!(contents(database.folder()), before);
}

#[test]
fn a_read_only_file_or_folder_can_be_read_but_not_served() {
    if !is_root() {
        return;
    }
    let (program, database) = (Program::new(), Database::new());
    set_mode(database.folder(), 0o755);
    set_mode(&database.path(), 0o644);
    require_only_readable(&program, &database, &database.path());
    chown(database.path(), Some(STRANGER), None).unwrap();
    require_only_readable(&program, &database, database.folder());
    let output = program.run_as_a_stranger("serve", &database.path());
    require_refused(&output, &["run as a user who may write to the folder"]);
}

#[test]
fn a_live_database_of_another_user_is_read_with_its_latest_changes() {
    if !is_root() {
        return;
    }
    let (program, database) = (Program::new(), Database::new());
    set_mode(database.folder(), 0o755);
    set_mode(&database.path(), 0o644);
    let server = Running::start(&database, &[]);
    for count in 0..3 {
        let path = format!("/v1/auth/api-tokens/n{count}");
        assert_eq!(server.ask_as(&database.token, "POST", &path, "").status, 200);
        let output = program.run_as_a_stranger("audit verify", &database.path());
        let expected = format!("the audit log is intact: {} entries in 2 chains", 4 + count);
        assert!(text(&output).starts_with(&expected), "{}", text(&output));
    }
}

/// Requires that a database on a read-only disk is not served, and that every command that only
/// reads works.
fn read_on_a_read_only_disk(program: &Program, path: &Path) {
    let served = program.command("serve", path).output().unwrap();
    require_refused(&served, &[&path.display().to_string(), "read-only file system"]);
    for name in READERS {
        let _ = fs::remove_file(program.target());
        let output = program.command(name, path).output().unwrap();
        assert!(output.status.success(), "{name}: {}", text(&output));
    }
}

#[test]
fn on_a_read_only_disk_revoked_tokens_stay_revoked() {
    let Some(disk) = SmallDisk::mount() else { return };
    let (program, database) = (Program::new(), Database::new_in(disk.0.path()));
    let server = Running::start(&database, &[]);
    let path = "/v1/auth/api-tokens/lost";
    let minted = server.ask_as(&database.token, "POST", path, "").json();
    let token = minted["token"].as_str().unwrap();
    // The mint is in the database file, the revocation only in the log.
    Connection::open(database.path())
        .unwrap()
        .query_row("PRAGMA wal_checkpoint(FULL)", [], |_| Ok(()))
        .unwrap();
    assert_eq!(server.ask_as(&database.token, "DELETE", path, "").status, 200);
    drop(server);
    let is_revoked = |file: &Path| {
        let mut serve = command("serve", file);
        let restored = Running::spawn(serve.args(["--listen", "127.0.0.1:0"])).unwrap();
        let status = |token| restored.ask_as(token, "GET", "/v1/auth/validate", "").status;
        (status(&database.token), status(token)) == (200, 401)
    };
    for is_indexed in [true, false] {
        if !is_indexed {
            fs::remove_file(database.folder().join("orgtokens.db-shm")).unwrap();
        }
        let before = contents(database.folder());
        disk.remount("remount,ro");
        read_on_a_read_only_disk(&program, &database.path());
        assert!(is_revoked(&program.target()), "with an index: {is_indexed}");
        assert!(contents(database.folder()) == before, "a file was changed");
        disk.remount("remount,rw");
    }
}

#[test]
fn on_a_read_only_disk_an_older_database_is_read_and_not_upgraded() {
    let Some(disk) = SmallDisk::mount() else { return };
    let (program, path) = (Program::new(), disk.0.path().join("old.db"));
    let fixture = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/fixtures/version-1/sqlite.db");
    fs::copy(fixture, &path).unwrap();
    disk.remount("remount,ro");
    read_on_a_read_only_disk(&program, &path);
    let said = text(&program.command("check", &path).output().unwrap());
    assert!(said.starts_with("the schema has version 4\n"), "{said}");
    assert_eq!(fs::read(&path).unwrap(), fs::read(fixture).unwrap());
}

#[test]
fn a_folder_is_no_database() {
    let database = Database::new();
    for name in ["check", "serve"] {
        let output = Program::new().command(name, database.folder()).output().unwrap();
        let folder = format!("{} is a folder", database.folder().display());
        require_refused(&output, &[&folder, "name a file"]);
    }
}

#[test]
fn a_database_that_another_process_has_locked_is_not_called_damaged() {
    let database = Database::new();
    let other = Connection::open(database.path()).unwrap();
    other.execute_batch("PRAGMA locking_mode = EXCLUSIVE; BEGIN IMMEDIATE; COMMIT").unwrap();
    let output = Program::new().command("serve", &database.path()).output().unwrap();
    let expected = format!("{}: another process has locked it", database.path().display());
    require_refused(&output, &[&expected]);
    assert_eq!(text(&output).matches("try again").count(), 1, "{}", text(&output));
}

#[test]
fn the_database_is_named_by_a_path_or_a_url() {
    let database = Database::new();
    let path = database.path();
    let absolute = path.display();
    for named in [
        "orgtokens.db".to_owned(),
        "./orgtokens.db".to_owned(),
        absolute.to_string(),
        "sqlite://orgtokens.db".to_owned(),
        format!("sqlite://{absolute}"),
    ] {
        let mut check = Command::new(env!("CARGO_BIN_EXE_orgtokens-server"));
        check.args(["check", "--database", &named]).current_dir(database.folder());
        let output = check.output().unwrap();
        assert!(output.status.success(), "{named}: {}", text(&output));
    }
}

#[test]
fn an_unknown_database_url_is_refused_without_showing_its_password() {
    let folder = tempfile::tempdir().unwrap();
    for named in [
        "",
        "mysql://orgtokens:hunter2@host/name",
        "orgtokens:hunter2@host/name",
        "orgtokens@host/name",
        "host=localhost password=hunter2",
        "postgres:orgtokens",
        "sqlite:orgtokens.db",
        "sqlite://",
        "sqlite://:memory:",
        "sqlite://orgtokens.db?mode=ro",
        ":memory:",
        "file:orgtokens.db",
        "orgtokens.db?mode=ro",
    ] {
        for name in ["check", "init --organization acme --username alice --email a@example.com"] {
            let mut run = Command::new(env!("CARGO_BIN_EXE_orgtokens-server"));
            run.args(name.split(' ')).args(["--database", named]).current_dir(folder.path());
            let output = run.output().unwrap();
            require_refused(
                &output,
                &["ORGTOKENS_DATABASE", "names no known backend", "postgres://"],
            );
            assert!(!text(&output).contains("hunter2"), "{}", text(&output));
        }
    }
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 0);
}
