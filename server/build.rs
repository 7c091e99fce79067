//! Unpacks the files of Swagger UI that `handlers::docs` serves from the archive in its crate.

use anyhow::{Context, Result, ensure};
use std::env;
use std::fs::File;
use std::io::{self, Cursor};
use std::path::PathBuf;
use utoipa_swagger_ui_vendored::SWAGGER_UI_VENDORED;
use zip::ZipArchive;

const FILES: [&str; 2] = ["swagger-ui.css", "swagger-ui-bundle.js"];

fn main() -> Result<()> {
    println!("cargo::rerun-if-changed=build.rs");
    let folder = PathBuf::from(env::var_os("OUT_DIR").context("cargo sets OUT_DIR")?);
    let mut archive = ZipArchive::new(Cursor::new(SWAGGER_UI_VENDORED))?;
    let mut unpacked = 0;
    for index in 0..archive.len() {
        let mut entry = archive.by_index(index)?;
        let path = entry.enclosed_name().context("a path of the archive leads out of it")?;
        let name = FILES.into_iter().find(|name| path.ends_with(format!("dist/{name}")));
        if let Some(name) = name {
            io::copy(&mut entry, &mut File::create(folder.join(name))?)?;
            unpacked += 1;
        }
    }
    ensure!(unpacked == FILES.len(), "the archive has {unpacked} of {FILES:?}");
    Ok(())
}
