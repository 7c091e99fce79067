//! What a report calls a file.

use std::path::{Path, PathBuf};

use super::Format;

/// What the names of files in a report are relative to.
#[derive(Clone, Copy, Debug)]
pub struct Names<'a> {
    /// The folder, in a report for people. It is that of the repository for GitHub and for code scanners,
    /// which know no other.
    pub root: &'a Path,
    /// The format of the report.
    pub format: Format,
}

impl Names<'_> {
    /// Returns the name of a file.
    pub fn of(self, file: &Path) -> String {
        let is_annotated = matches!(self.format, Format::Github | Format::Sarif);
        let name = is_annotated.then(|| in_repository(file)).flatten();
        let name = name.unwrap_or_else(|| file.strip_prefix(self.root).unwrap_or(file).to_owned());
        name.display().to_string()
    }
}

/// Returns the path of a file in the repository of git that its folder is in. A link has that of its
/// target, if that is in the repository too.
fn in_repository(file: &Path) -> Option<PathBuf> {
    let folder = super::folder(file).canonicalize().ok()?;
    let repository = folder.ancestors().find(|folder| folder.join(".git").exists())?;
    let paths = [file.canonicalize().ok()?, folder.join(file.file_name()?)];
    paths.iter().find_map(|path| path.strip_prefix(repository).ok()).map(Path::to_owned)
}
