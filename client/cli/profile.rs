//! Profiles: a server and a token each, in one file that only its owner can read.

use crate::problem::Problem;
use anyhow::{Context, bail};
use etcetera::BaseStrategy;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::fs::{DirBuilder, File};
use std::io::{ErrorKind, Read, Write};
use std::os::unix::fs::{DirBuilderExt, PermissionsExt};
use std::path::{Path, PathBuf};

/// The name of the profile that is used if none is named.
pub const DEFAULT: &str = "default";

/// A server and the token for it.
#[derive(Clone, Serialize, Deserialize)]
pub struct Profile {
    pub url: String,
    pub token: String,
}

/// The profiles by their names.
pub type Profiles = BTreeMap<String, Profile>;

/// Reads the file. Without one there are no profiles.
pub fn load() -> Result<Profiles, Problem> {
    read(&path()?).map_err(|error| Problem::wrong_use(format!("{error:#}")))
}

/// Changes the file. Another program that changes it waits until it is done.
pub fn change(edit: impl FnOnce(&mut Profiles) -> Result<(), Problem>) -> Result<(), Problem> {
    let path = path()?;
    let failed =
        |error| Problem::wrong_use(format!("{} is not written: {error:#}", path.display()));
    let _lock = lock(&path).map_err(failed)?;
    let mut profiles = load()?;
    edit(&mut profiles)?;
    write(&path, &profiles).map_err(failed)
}

fn path() -> Result<PathBuf, Problem> {
    let folders = etcetera::choose_base_strategy().map_err(Problem::wrong_use)?;
    Ok(folders.config_dir().join("orgtokens/profiles.toml"))
}

/// Waits for the lock. It is on another file, because the file itself is replaced.
fn lock(path: &Path) -> anyhow::Result<File> {
    DirBuilder::new().recursive(true).mode(0o700).create(path.parent().context("no folder")?)?;
    let file = File::create(path.with_extension("lock"))?;
    file.lock()?;
    Ok(file)
}

fn write(path: &Path, profiles: &Profiles) -> anyhow::Result<()> {
    // It is created with mode 0600.
    let mut file = tempfile::NamedTempFile::new_in(path.parent().context("no folder")?)?;
    file.write_all(toml::to_string(profiles)?.as_bytes())?;
    file.persist(path)?;
    Ok(())
}

fn read(path: &Path) -> anyhow::Result<Profiles> {
    let shown = path.display();
    let mut file = match File::open(path) {
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(Profiles::new()),
        file => file.with_context(|| format!("{shown} cannot be read"))?,
    };
    if file.metadata()?.permissions().mode() & 0o077 != 0 {
        bail!("others can read {shown}: run `chmod 600 {shown}`, and revoke the tokens in it");
    }
    let mut text = String::new();
    file.read_to_string(&mut text).with_context(|| format!("{shown} cannot be read"))?;
    // The whole error would show the line, which may have a token.
    toml::from_str(&text).map_err(|error| {
        anyhow::anyhow!("{shown} is damaged ({}): correct or remove it", error.message())
    })
}
