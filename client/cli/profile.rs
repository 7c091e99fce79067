//! Profiles: a server and a token each, in one file that only its owner can read.

use crate::problem::Problem;
use anyhow::{Context, bail};
use etcetera::BaseStrategy;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::fs::{DirBuilder, File};
use std::io::{ErrorKind, Read, Write};
use std::os::unix::fs::{DirBuilderExt, PermissionsExt};
use std::path::PathBuf;

/// The name of the profile that is used if none is named.
pub const DEFAULT: &str = "default";

/// A server and the token for it.
#[derive(Clone, Serialize, Deserialize)]
pub struct Profile {
    pub url: String,
    pub token: String,
}

/// The file of the profiles.
pub struct Profiles {
    path: PathBuf,
    pub all: BTreeMap<String, Profile>,
}

impl Profiles {
    /// Reads the file. Without one there are no profiles.
    pub fn load() -> Result<Self, Problem> {
        let folders = etcetera::choose_base_strategy().map_err(Problem::wrong_use)?;
        let path = folders.config_dir().join("orgtokens/profiles.toml");
        let all = read(&path).map_err(|error| Problem::wrong_use(format!("{error:#}")))?;
        Ok(Self { path, all })
    }

    /// Replaces the file.
    pub fn save(&self) -> Result<(), Problem> {
        let saved = self.write().with_context(|| format!("{} is not written", self.path.display()));
        saved.map_err(|error| Problem::wrong_use(format!("{error:#}")))
    }

    fn write(&self) -> anyhow::Result<()> {
        let folder = self.path.parent().context("it has no folder")?;
        DirBuilder::new().recursive(true).mode(0o700).create(folder)?;
        // It is created with mode 0600.
        let mut file = tempfile::NamedTempFile::new_in(folder)?;
        file.write_all(toml::to_string(&self.all)?.as_bytes())?;
        file.persist(&self.path)?;
        Ok(())
    }
}

fn read(path: &PathBuf) -> anyhow::Result<BTreeMap<String, Profile>> {
    let shown = path.display();
    let mut file = match File::open(path) {
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(BTreeMap::new()),
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
