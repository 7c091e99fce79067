//! Full disks: a small file system that the test mounts, or a limit on the size of files. A test is
//! skipped if this machine does not allow its method. No test fills the disk of the machine.

use crate::support::database::{Database, text};
use crate::support::{PATIENCE, Running, eventually};
use std::fs;
use std::path::Path;
use std::process::Command;

/// A disk of a few megabytes in a temporary folder. Dropping it unmounts it.
pub struct SmallDisk(pub tempfile::TempDir);

impl SmallDisk {
    /// Mounts a disk. Returns `None`, and prints it, if mounting is not allowed here.
    pub fn mount() -> Option<Self> {
        Self::mount_with(&["-t", "tmpfs", "-o", "size=8m", "tmpfs"])
    }

    /// Mounts a disk with the file system ext4 and blocks of this size.
    fn mount_ext4(block_size: &str) -> Option<Self> {
        let image = tempfile::NamedTempFile::new().unwrap();
        image.as_file().set_len(8 * 1024 * 1024).unwrap();
        let mut format = Command::new("mkfs.ext4");
        format.args(["-q", "-F", "-m", "0", "-O", "^has_journal", "-b", block_size]);
        // If this fails, so does mounting.
        let _ = format.arg(image.path()).output();
        Self::mount_with(&["-o", "loop", image.path().to_str().unwrap()])
    }

    fn mount_with(arguments: &[&str]) -> Option<Self> {
        let folder = tempfile::tempdir().unwrap();
        let output = Command::new("mount").args(arguments).arg(folder.path()).output();
        if output.is_ok_and(|output| output.status.success()) {
            return Some(Self(folder));
        }
        eprintln!("skipped: no disk can be mounted here");
        None
    }

    pub fn remount(&self, options: &str) {
        let mut mount = Command::new("mount");
        let output = mount.args(["-o", options]).arg(self.0.path()).output().unwrap();
        assert!(output.status.success(), "{}", text(&output));
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg("--lazy").arg(self.0.path()).output();
    }
}

/// Fills the disk that `path` is on.
fn fill(path: &Path) {
    let mut size = 16 * 1024 * 1024;
    let mut filler = fs::File::create(path).unwrap();
    while size > 0 {
        if std::io::Write::write(&mut filler, &vec![1; size.min(4096)]).is_err() {
            return;
        }
        size -= size.min(4096);
    }
}

fn mint(server: &Running, token: &str, name: &str) -> u16 {
    let answer = server.ask_as(token, "POST", &format!("/v1/auth/api-tokens/{name}"), "");
    if answer.status == 503 {
        assert_eq!(answer.header("retry-after"), Some("1"));
        assert!(!answer.error().is_empty());
    }
    answer.status
}

fn revoke(server: &Running, token: &str, name: &str) -> u16 {
    server.ask_as(token, "DELETE", &format!("/v1/auth/api-tokens/{name}"), "").status
}

/// Mints until the disk is full. Returns the number of the first name that failed.
fn mint_until_full(server: &Running, token: &str) -> usize {
    (0..10_000)
        .find(|count| mint(server, token, &format!("n{count}")) == 503)
        .expect("the disk gets full")
}

#[test]
fn on_a_full_disk_reads_and_revocations_work_and_mints_resume_with_free_space() {
    let Some(disk) = SmallDisk::mount() else { return };
    let database = Database::new_in(disk.0.path());
    let token = &database.token;
    let server = Running::start(&database, &[]);
    for count in 0..60 {
        assert_eq!(mint(&server, token, &format!("early{count}")), 200);
    }
    let filler = disk.0.path().join("filler");
    fill(&filler);
    mint_until_full(&server, token);
    assert_eq!(server.ask_as(token, "GET", "/v1/auth/api-tokens", "").status, 200);
    for count in 0..57 {
        assert_eq!(revoke(&server, token, &format!("early{count}")), 200, "{count}");
        assert_eq!(mint(&server, token, "none"), 503, "a mint used the reserve for revocations");
    }
    assert_eq!(server.ask_as(token, "GET", "/v1/user", "").status, 200);
    for name in ["early57", "early58", "early59"] {
        database.run("token revoke", &["--username", "alice", "--name", name]);
    }
    fs::remove_file(&filler).unwrap();
    assert!(eventually(PATIENCE, || mint(&server, token, "healed") == 200));
    assert!(database.folder().join("orgtokens.db-reserve").exists());
    database.run("check", &[]);
}

/// Fills a disk on which no process has the database open. Requires that commands still read and
/// revoke, and that a server starts.
fn require_reads_and_revocations_after_a_clean_stop(disk: &SmallDisk) {
    let database = Database::new_in(disk.0.path());
    for name in ["a", "b", "c"] {
        database.run("token mint", &["--username", "alice", "--name", name]);
    }
    let reserve = database.folder().join("orgtokens.db-reserve");
    let filler = disk.0.path().join("filler");
    fill(&filler);
    for name in ["check", "user list", "audit verify"] {
        database.run(name, &[]);
        assert!(reserve.exists(), "{name} used up the reserve");
    }
    let copy = tempfile::tempdir().unwrap();
    database.run("backup", &[copy.path().join("copy.db").to_str().unwrap()]);
    database.run("token revoke", &["--username", "alice", "--name", "a"]);
    let server = Running::start(&database, &[]);
    assert_eq!(server.ask_as(&database.token, "GET", "/v1/user", "").status, 200);
    for name in ["b", "c"] {
        assert_eq!(revoke(&server, &database.token, name), 200);
    }
    assert_eq!(mint(&server, &database.token, "d"), 503);
    fs::remove_file(&filler).unwrap();
    assert_eq!(mint(&server, &database.token, "e"), 200);
    drop(server);
    assert!(database.run("token list", &[]).contains(" e "));
    assert!(reserve.exists());
}

#[test]
fn on_a_full_disk_reads_and_revocations_work_after_a_clean_stop() {
    for disk in [SmallDisk::mount(), SmallDisk::mount_ext4("4096"), SmallDisk::mount_ext4("1024")] {
        disk.iter().for_each(require_reads_and_revocations_after_a_clean_stop);
    }
}

#[test]
fn on_a_full_disk_with_small_blocks_no_command_is_killed_by_a_signal() {
    let Some(disk) = SmallDisk::mount_ext4("1024") else { return };
    let database = Database::new_in(disk.0.path());
    for name in ["a", "b"] {
        database.run("token mint", &["--username", "alice", "--name", name]);
    }
    let mut server = Running::start(&database, &[]);
    let fillers = ["1", "2"].map(|name| disk.0.path().join(name));
    fill(&fillers[0]);
    assert_eq!(revoke(&server, &database.token, "a"), 200);
    fill(&fillers[1]);
    server.signal(rustix::process::Signal::KILL);
    server.ended_within(PATIENCE).unwrap();
    let revoke = ["--username", "alice", "--name", "b"];
    let output = database.command("token revoke").args(revoke).output().unwrap();
    assert_eq!(output.status.code(), Some(1), "{output:?}");
    assert!(text(&output).contains("free space on it"), "{}", text(&output));
    fs::remove_file(&fillers[1]).unwrap();
    database.run("token revoke", &revoke);
}

#[test]
fn an_error_on_a_full_disk_says_what_to_do() {
    let Some(disk) = SmallDisk::mount() else { return };
    let database = Database::new_in(disk.0.path());
    let _server = Running::start(&database, &[]);
    fs::remove_file(database.folder().join("orgtokens.db-reserve")).unwrap();
    fill(&disk.0.path().join("filler"));
    let mint = ["--username", "alice", "--name", "a"];
    let output = database.command("token mint").args(mint).output().unwrap();
    let said = text(&output);
    assert!(!output.status.success() && said.contains("free space"), "{said}");
    assert!(!said.contains("try again"), "{said}");
}

#[test]
fn a_backup_to_a_full_disk_names_that_disk() {
    let Some(disk) = SmallDisk::mount() else { return };
    let database = Database::new();
    fill(&disk.0.path().join("filler"));
    let target = disk.0.path().join("copy.db");
    let output = database.command("backup").arg(&target).output().unwrap();
    let expected = format!("{} cannot be written, its disk is full", target.display());
    let said = text(&output);
    assert!(!output.status.success() && said.contains(&expected), "{said}");
    assert!(said.contains("free space") && !said.contains("database"), "{said}");
    assert!(database.folder().join("orgtokens.db-reserve").exists());
    assert_eq!(fs::read_dir(disk.0.path()).unwrap().count(), 1);
}

#[test]
fn a_file_size_limit_is_treated_as_a_full_disk_and_not_as_fatal() {
    let database = Database::new();
    let token = &database.token;
    let serve = database.command("serve");
    let mut command = Command::new("prlimit");
    command.arg("--fsize=1500000").arg(serve.get_program()).args(serve.get_args());
    let Ok(server) = Running::spawn(command.args(["--listen", "127.0.0.1:0"])) else {
        eprintln!("skipped: prlimit is not installed");
        return;
    };
    let full = mint_until_full(&server, token);
    assert!(full > 10, "{full}");
    assert_eq!(server.ask_as(token, "GET", "/v1/auth/api-tokens", "").status, 200);
    for count in 0..10 {
        assert_eq!(revoke(&server, token, &format!("n{count}")), 200, "{count}");
    }
    drop(server);
    database.run("check", &[]);
    let server = Running::start(&database, &[]);
    assert_eq!(mint(&server, token, "healed"), 200);
}
