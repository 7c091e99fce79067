//! Databases of known contents, made once and kept under `target/bench`: 1,000 organizations of 20
//! tokens to list, 1,000 organizations to mint in, and an organization with any number of tokens.
//! The tables are filled directly, because minting a million tokens through the service takes long.

use crate::process::command;
use anyhow::{Context, Result, ensure};
use orgtokens_server::token::{PlainToken, TokenId};
use rusqlite::{CachedStatement, Connection, params};
use std::fmt::Write;
use std::fs;
use std::path::{Path, PathBuf};

/// How many organizations there are to list, and to mint in.
const ORGANIZATIONS: usize = 1_000;

/// How many tokens each organization to list has.
pub const TOKENS: usize = 20;

/// Each owns some of the organizations.
const USERS: usize = 64;

/// The slug of the organization with many tokens.
pub const BIG: &str = "big";

/// How many users own the organization with many tokens. Each of them reads its list.
pub const BIG_OWNERS: usize = 8;

/// When the tokens were minted: the milliseconds of 2026-01-01.
const MINTED: i64 = 1_767_225_600_000;

/// A token, and the organization that it is bound to.
#[derive(Clone, Debug, PartialEq)]
pub struct BoundToken {
    pub slug: String,
    pub token: String,
}

/// A prepared database with its tokens in plain text.
pub struct Database {
    pub file: PathBuf,
    /// The tokens of the organizations to list.
    pub list: Vec<BoundToken>,
    /// The same in a file: a slug and a token on each line.
    pub list_file: PathBuf,
    /// A token of each organization to mint in.
    pub work: Vec<BoundToken>,
    /// A token of each owner of the organization with many tokens.
    pub big: Vec<BoundToken>,
}

impl Database {
    /// Returns the database whose big organization has `big` tokens, and makes it unless it exists.
    pub fn prepare(server: &Path, folder: &Path, big: usize) -> Result<Self> {
        let size = format!("{}-", TOKENS * ORGANIZATIONS + big);
        let file = folder.join(format!("{size}{:08x}.db", version()?));
        let [list, work, owners] =
            ["list", "work", "big"].map(|extension| file.with_extension(extension));
        if !file.exists() {
            remove_all(folder, &size)?;
            let unfinished = file.with_extension("unfinished");
            let texts = create(server, &unfinished, big)
                .with_context(|| format!("{} cannot be made", file.display()))?;
            for (path, text) in [&list, &work, &owners].into_iter().zip(texts) {
                fs::write(path, text)?;
            }
            fs::rename(&unfinished, &file)?;
            // What `init` reserved on the disk is not used.
            let _ = fs::remove_file(file.with_extension("unfinished-reserve"));
        }
        let [list_file, work, big] = [list, work, owners];
        let (list, work, big) = (read(&list_file)?, read(&work)?, read(&big)?);
        Ok(Self { file, list, list_file, work, big })
    }

    /// Returns the URL of this database.
    pub fn url(&self) -> String {
        format!("sqlite://{}", self.file.display())
    }
}

fn read(path: &Path) -> Result<Vec<BoundToken>> {
    let text = fs::read_to_string(path)?;
    let pairs = text.lines().filter_map(|line| line.split_once(' '));
    Ok(pairs.map(|(slug, token)| BoundToken { slug: slug.into(), token: token.into() }).collect())
}

/// Returns a checksum of what a prepared database depends on.
fn version() -> Result<u32> {
    let folder = crate::root().join("server/migrations/sqlite");
    let entries = fs::read_dir(&folder).with_context(|| folder.display().to_string())?;
    let mut files = entries.map(|entry| Ok(entry?.path())).collect::<Result<Vec<_>>>()?;
    files.sort();
    let mut hash = crc32fast::Hasher::new();
    hash.update(include_bytes!("database.rs"));
    for file in files {
        hash.update(&fs::read(file)?);
    }
    Ok(hash.finalize())
}

/// Removes the databases of this size that other versions made, or that are unfinished.
fn remove_all(folder: &Path, size: &str) -> Result<()> {
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        if entry.file_name().to_string_lossy().starts_with(size) {
            fs::remove_file(entry.path())?;
        }
    }
    Ok(())
}

/// Creates a database, and returns the texts of its three files of tokens.
fn create(server: &Path, file: &Path, big: usize) -> Result<[String; 3]> {
    let mut init = command(server);
    init.arg("init").args(["--database", &format!("sqlite://{}", file.display())]);
    init.args(["--organization", "first", "--username", "first", "--email", "first@example.com"]);
    let output = init.output()?;
    ensure!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let mut connection = Connection::open(file)?;
    let transaction = connection.transaction()?;
    let texts = Filler::new(&transaction)?.fill(big)?;
    transaction.commit()?;
    connection.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |_| Ok(()))?;
    Ok(texts)
}

/// Adds rows. The audit chains stay at their start.
struct Filler<'a> {
    connection: &'a Connection,
    token: CachedStatement<'a>,
}

impl<'a> Filler<'a> {
    fn new(connection: &'a Connection) -> Result<Self> {
        let token = connection.prepare_cached(
            "INSERT INTO tokens (id, digest, name, user_id, organization_id, scopes, created_at)
             VALUES (?1, ?2, ?3, ?4, ?5, 0, ?6)",
        )?;
        Ok(Self { connection, token })
    }

    fn fill(mut self, big: usize) -> Result<[String; 3]> {
        let mut texts = <[String; 3]>::default();
        let mut users = Vec::new();
        for index in 0..USERS {
            users.push(self.user(&format!("user-{index:02}"))?);
        }
        let mut lists = Vec::new();
        for index in 0..ORGANIZATIONS {
            let (slug, owner) = (format!("org-{index:04}"), index % USERS);
            lists.push((self.organization(&slug, &[(owner, users[owner])])?, slug, users[owner]));
            let slug = format!("work-{index:04}");
            let id = self.organization(&slug, &[(owner, users[owner])])?;
            self.token(&mut texts[1], &slug, id, users[owner], 0)?;
        }
        // Tokens of one organization are minted at different times.
        for index in 0..TOKENS {
            for (id, slug, owner) in &lists {
                self.token(&mut texts[0], slug, *id, *owner, index)?;
            }
        }
        let mut owners = Vec::new();
        for index in USERS..USERS + BIG_OWNERS {
            owners.push((index, self.user(&format!("user-{index:02}"))?));
        }
        let id = self.organization(BIG, &owners)?;
        for (_, owner) in &owners {
            self.token(&mut texts[2], BIG, id, *owner, 0)?;
        }
        let mut unused = String::new();
        for index in BIG_OWNERS..big {
            self.token(&mut unused, BIG, id, owners[index % BIG_OWNERS].1, index)?;
            unused.clear();
        }
        Ok(texts)
    }

    fn user(&self, username: &str) -> Result<i64> {
        let statement = "INSERT INTO users (username, email) VALUES (?1, ?1 || '@example.com')";
        self.connection.execute(statement, [username])?;
        Ok(self.connection.last_insert_rowid())
    }

    fn organization(&self, slug: &str, owners: &[(usize, i64)]) -> Result<i64> {
        self.connection.execute("INSERT INTO organizations (slug) VALUES (?1)", [slug])?;
        let id = self.connection.last_insert_rowid();
        for (index, owner) in owners {
            self.connection.execute(
                "INSERT INTO members (organization_id, username, user_id, role)
                 VALUES (?1, ?2, ?3, 'owner')",
                params![id, format!("user-{index:02}"), owner],
            )?;
        }
        Ok(id)
    }

    /// Adds a token, and a line about it to a text.
    fn token(
        &mut self,
        text: &mut String,
        slug: &str,
        organization: i64,
        owner: i64,
        index: usize,
    ) -> Result<()> {
        let token = PlainToken::generate()?;
        let minted = MINTED + i64::try_from(index)?;
        let time = chrono::DateTime::from_timestamp_millis(minted).unwrap_or_default();
        let (id, digest) = (TokenId::generate(time), token.digest());
        let name = format!("{slug}-{index}");
        let row = params![id.as_bytes(), digest.as_bytes(), name, owner, organization, minted];
        self.token.execute(row)?;
        writeln!(text, "{slug} {}", token.reveal())?;
        Ok(())
    }
}
