//! Database files: refused files, file modes, backups and `check`.
//! SQLite only.

use crate::support::database::{Database, command, text};
use crate::support::{PATIENCE, Running, eventually};
use rusqlite::Connection;
use std::collections::BTreeSet;
use std::ffi::OsString;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::process::ExitStatusExt;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

/// Serves this file, which must fail within 5 s and leave the file unchanged. Returns the output.
fn refusal(path: &Path) -> String {
    let before = fs::read(path).ok();
    let started = Instant::now();
    let mut serve = command("serve", path);
    let child = serve.args(["--listen", "127.0.0.1:0"]).stdin(Stdio::null());
    let output = child.output().unwrap();
    assert!(started.elapsed() < Duration::from_secs(5), "{:?}", started.elapsed());
    assert!(!output.status.success() && output.stdout.is_empty(), "{}", text(&output));
    assert!(fs::read(path).ok() == before, "the file was changed");
    text(&output)
}

#[test]
fn a_missing_or_empty_file_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.db");
    let init = format!("`orgtokens-server init --database {} --organization", path.display());
    assert!(refusal(&path).contains(&init));
    for name in ["check", "audit verify"] {
        let said = text(&command(name, &path).output().unwrap());
        assert!(said.contains(&format!("does not exist: {init}")), "{said}");
    }
    assert!(!path.exists());
    fs::write(&path, "").unwrap();
    let said = refusal(&path);
    assert!(said.contains(&format!("{}: the database was never init", path.display())), "{said}");
    assert!(said.contains(&init), "{said}");
}

/// Runs one command of each kind. Each must fail with this text.
fn require_refused_by_all(path: &Path, expected: &str) {
    for name in ["serve", "check", "user list", "init --organization a --username a --email a@b.c"]
    {
        let output = command(name, path).output().unwrap();
        let said = text(&output);
        assert!(!output.status.success() && said.contains(expected), "{name}: {said}");
        assert!(!said.contains("orgtokens-server init"), "{name}: {said}");
    }
}

#[test]
fn a_missing_folder_and_a_dangling_link_are_named() {
    let folder = tempfile::tempdir().unwrap();
    let missing = folder.path().join("none");
    let expected = format!("the folder {} does not exist: make it first", missing.display());
    require_refused_by_all(&missing.join("a.db"), &expected);
    let link = folder.path().join("link.db");
    std::os::unix::fs::symlink(folder.path().join("gone.db"), &link).unwrap();
    let expected = format!("{} is a link to a missing file", link.display());
    require_refused_by_all(&link, &expected);
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
}

#[test]
fn a_foreign_file_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.db");
    fs::write(&path, "what is this? ".repeat(1000)).unwrap();
    let expected = format!("{}: it is no database of this program", path.display());
    assert!(refusal(&path).contains(&expected));
    fs::remove_file(&path).unwrap();
    let foreign = Connection::open(&path).unwrap();
    foreign.execute_batch("CREATE TABLE a (b); INSERT INTO a VALUES (1)").unwrap();
    drop(foreign);
    let expected = format!("{}: it is a database of another program", path.display());
    assert!(refusal(&path).contains(&expected));
    fs::remove_file(&path).unwrap();
    Connection::open(&path).unwrap().execute_batch("VACUUM").unwrap();
    assert!(refusal(&path).contains("never initialised"));
}

#[test]
fn a_newer_database_is_refused() {
    let database = Database::new();
    let connection = Connection::open(database.path()).unwrap();
    connection.pragma_update(None, "user_version", 999).unwrap();
    drop(connection);
    assert!(refusal(&database.path()).contains("run the newer program"));
}

#[test]
fn a_damaged_database_is_refused_and_check_reports_it() {
    for (damage, page) in [(0xff_u8, 2), (0x00, 3), (0xff, 9), (0x5a, 14)] {
        let database = Database::new();
        let mut bytes = fs::read(database.path()).unwrap();
        bytes[page * 4096..(page + 1) * 4096].fill(damage);
        fs::write(database.path(), bytes).unwrap();
        let said = refusal(&database.path());
        assert!(said.contains("restore a backup"), "{said}");
        let check = database.command("check").output().unwrap();
        assert!(!check.status.success() && text(&check).contains("damaged"));
    }
    let database = Database::new();
    let bytes = fs::read(database.path()).unwrap();
    for size in [4096, 60_000, bytes.len() / 2] {
        fs::write(database.path(), &bytes[..size]).unwrap();
        let damaged = format!("{}: the database is damaged", database.path().display());
        for said in [refusal(&database.path()), text(&database.command("check").output().unwrap())]
        {
            assert!(said.contains(&damaged) && said.contains("restore a backup"), "{said}");
        }
    }
}

#[test]
fn damage_that_is_found_after_the_start_stops_the_server() {
    let database = Database::new();
    // The check needs a fraction of a millisecond per row, and only the last row violates the rule.
    database.tamper(
        "PRAGMA ignore_check_constraints = ON;
         CREATE TABLE slow (size INTEGER CHECK (length(hex(zeroblob(size))) > 0));
         WITH RECURSIVE n (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM n WHERE n < 5000)
         INSERT INTO slow SELECT iif(n < 5000, 100000, 0) FROM n",
    );
    let log = database.folder().join("log");
    let mut serve = database.command("serve");
    serve.args(["--listen", "127.0.0.1:0"]).stderr(fs::File::create(&log).unwrap());
    let mut server = Running::spawn_logging(&mut serve).unwrap();
    assert_eq!(server.ask_as(&database.token, "GET", "/v1/user", "").status, 200);
    assert_eq!(server.ended_within(PATIENCE).unwrap().code(), Some(1));
    let log = fs::read_to_string(log).unwrap();
    let (line, said) = log.trim_end().rsplit_once('\n').unwrap();
    assert!(line.contains(r#""level":50"#) && line.contains("damaged"), "{line}");
    assert!(said.contains("damaged") && said.contains("restore a backup"), "{said}");
}

fn names(folder: &Path) -> BTreeSet<OsString> {
    fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().file_name()).collect()
}

fn mode(path: &Path) -> u32 {
    fs::metadata(path).unwrap().permissions().mode() & 0o777
}

#[test]
fn every_file_is_accessible_to_its_owner_only_under_any_umask() {
    let database = Database::new();
    let server = Running::start(&database, &[]);
    server.ask_as(&database.token, "POST", "/v1/auth/api-tokens/a", "");
    let backup = database.folder().join("copy.db");
    database.run("backup", &[backup.to_str().unwrap()]);
    let files: Vec<_> = fs::read_dir(database.folder()).unwrap().flatten().collect();
    assert_eq!(files.len(), 5, "database, -wal, -shm, -reserve and copy: {files:?}");
    for file in files {
        assert_eq!(mode(&file.path()), 0o600, "{file:?}");
    }
}

#[test]
fn a_backup_of_a_running_server_can_be_served() {
    let database = Database::new();
    let server = Running::start(&database, &[]);
    let list =
        |server: &Running| server.ask_as(&database.token, "GET", "/v1/auth/api-tokens", "").body;
    for name in ["a", "b"] {
        server.ask_as(&database.token, "POST", &format!("/v1/auth/api-tokens/{name}"), "");
    }
    let copy = database.folder().join("copy.db");
    database.run("backup", &[copy.to_str().unwrap()]);
    let listed = list(&server);
    server.ask_as(&database.token, "POST", "/v1/auth/api-tokens/later", "");
    assert_ne!(list(&server), listed);
    let check = command("check", &copy).output().unwrap();
    assert!(check.status.success(), "{}", text(&check));
    let mut serve = command("serve", &copy);
    let restored = Running::spawn(serve.args(["--listen", "127.0.0.1:0"])).unwrap();
    assert_eq!(list(&restored), listed);
    assert_eq!(restored.ask_as(&database.token, "POST", "/v1/auth/api-tokens/c", "").status, 200);
}

#[test]
fn a_backup_overwrites_nothing_and_leaves_no_partial_file() {
    let database = Database::new();
    let taken = database.folder().join("taken");
    fs::write(&taken, "something").unwrap();
    let before = fs::read_dir(database.folder()).unwrap().count();
    for (target, reason) in [
        (taken.clone(), "exists already"),
        (database.path(), "exists already"),
        (database.folder().join("none/there"), "cannot be written"),
    ] {
        let output = database.command("backup").arg(&target).output().unwrap();
        assert!(!output.status.success(), "{}", target.display());
        assert!(text(&output).contains(reason), "{}", text(&output));
    }
    assert_eq!(fs::read(&taken).unwrap(), b"something");
    assert_eq!(fs::read_dir(database.folder()).unwrap().count(), before);
}

#[test]
fn a_backup_removes_the_incomplete_copies_of_killed_backups() {
    let database = Database::new();
    let before = names(database.folder());
    let added = || -> Vec<_> { names(database.folder()).difference(&before).cloned().collect() };
    let target = database.folder().join("monday.db");
    let backup = database.command("backup");
    let mut killed = Command::new("prlimit");
    // A process that writes a larger file is killed by a signal.
    killed.args(["--core=0", "--fsize=40000"]).arg(backup.get_program()).args(backup.get_args());
    let Ok(status) = killed.arg(&target).status() else {
        eprintln!("skipped: prlimit is not installed");
        return;
    };
    assert!(status.signal().is_some(), "{status}");
    let is_copy = |name: &OsString| name.to_str().unwrap().starts_with(".orgtokens-backup-");
    let left: Vec<_> = added().into_iter().filter(is_copy).collect();
    assert!(left.len() == 1 && mode(&database.folder().join(&left[0])) == 0o600, "{left:?}");
    assert!(!target.exists());
    let target = database.folder().join("tuesday.db");
    database.run("backup", &[target.to_str().unwrap()]);
    assert_eq!(added(), ["tuesday.db"]);
    assert!(command("check", &target).output().unwrap().status.success());
}

#[test]
fn a_backup_removes_only_incomplete_copies() {
    let database = Database::new();
    let of = |name: &str| database.folder().join(name);
    fs::create_dir(of(".orgtokens-backup-folder")).unwrap();
    for name in ["a.partial", ".orgtokens-backup", "elsewhere"] {
        fs::write(of(name), "mine").unwrap();
    }
    std::os::unix::fs::symlink(of("elsewhere"), of(".orgtokens-backup-link")).unwrap();
    let mut expected = names(database.folder());
    database.run("backup", &[of("copy.db").to_str().unwrap()]);
    expected.insert("copy.db".into());
    assert_eq!(names(database.folder()), expected);
    assert_eq!(fs::read(of("elsewhere")).unwrap(), b"mine");
}

#[test]
fn a_backup_keeps_the_incomplete_copy_of_a_running_backup() {
    let database = Database::new();
    let path = database.folder().join(".orgtokens-backup-running");
    let running = fs::File::create(&path).unwrap();
    running.lock().unwrap();
    database.run("backup", &[database.folder().join("a.db").to_str().unwrap()]);
    assert!(path.exists());
    drop(running);
    database.run("backup", &[database.folder().join("b.db").to_str().unwrap()]);
    assert!(!path.exists());
}

#[test]
fn of_two_concurrent_backups_to_one_file_one_succeeds() {
    let database = Database::new();
    let target = database.folder().join("copy?#%41.db");
    let start = || database.command("backup").arg(&target).stderr(Stdio::piped()).spawn().unwrap();
    let outputs = [start(), start()].map(|child| child.wait_with_output().unwrap());
    let failed: Vec<_> = outputs.iter().filter(|output| !output.status.success()).collect();
    assert!(failed.len() == 1 && text(failed[0]).contains("exists"), "{outputs:?}");
    assert!(
        names(database.folder()).iter().all(|name| name.to_str().unwrap().starts_with(['o', 'c']))
    );
    fs::rename(&target, database.folder().join("copy.db")).unwrap();
    assert!(command("check", &database.folder().join("copy.db")).status().unwrap().success());
}

#[test]
fn check_reports_what_it_found() {
    let database = Database::new();
    let server = Running::start(&database, &[]);
    let said = database.run("check", &[]);
    let expected = "the schema has version 4\nevery page, index, row and reference is intact\nthe audit log is intact: 3 entries in 2 chains\n";
    assert_eq!(said, expected);
    drop(server);
    let copy = database.folder().join("copy.db");
    database.run("backup", &[copy.to_str().unwrap()]);
    assert!(command("check", &copy).output().unwrap().status.success());
    assert!(!database.folder().join("copy.db-reserve").exists(), "check changes nothing");
    let connection = Connection::open(database.path()).unwrap();
    connection.pragma_update(None, "foreign_keys", false).unwrap();
    connection.execute("DELETE FROM users", []).unwrap();
    drop(connection);
    let output = database.command("check").output().unwrap();
    assert!(!output.status.success());
    assert!(
        text(&output).contains("a row of members refers to a missing row of users"),
        "{}",
        text(&output)
    );
}

#[test]
fn backups_are_complete_while_eight_clients_write() {
    let database = Database::new();
    let server = Running::start(&database, &[]);
    std::thread::scope(|scope| {
        for client in 0..8 {
            let (server, token) = (&server, &database.token);
            scope.spawn(move || {
                for count in 0..20 {
                    let path = format!("/v1/auth/api-tokens/n{client}-{count}");
                    assert_eq!(server.ask_as(token, "POST", &path, "").status, 200);
                }
            });
        }
        for count in 0..5 {
            let copy = database.folder().join(format!("copy-{count}"));
            database.run("backup", &[copy.to_str().unwrap()]);
            let check = command("check", &copy).output().unwrap();
            assert!(check.status.success(), "{}", text(&check));
        }
    });
    assert!(eventually(Duration::from_secs(1), || server.sockets() > 0));
}
