//! `copy`: copies one database into another, and shows the progress on a terminal. The store knows
//! what is copied, and how.

use super::print;
use anyhow::Context;
use comfy_table::{Table, presets};
use orgtokens_server::store::{self, Copied, Store};
use std::io::{self, IsTerminal, Write};

/// Copies everything, and prints how many rows each table has.
pub async fn copy(from: &str, to: &str) -> anyhow::Result<()> {
    let source = Store::open_to_read(from).await.context("the source")?;
    let target = Store::create(to).await.context("the target")?;
    let copied = store::copy(&source, &target, show).await?;
    let mut table = Table::new();
    table.load_style(presets::UTF8_FULL_CONDENSED).set_header(["table", "rows", "of"]);
    for Copied { table: name, rows, of } in copied {
        table.add_row([name.to_owned(), rows.to_string(), of.to_string()]);
    }
    print(&table.to_string())
}

/// Shows how far a table is copied, on the line of the one before.
fn show(Copied { table, rows, of }: Copied) {
    let mut stderr = io::stderr().lock();
    if stderr.is_terminal() {
        let end = if rows == of { "\n" } else { "" };
        // The copy goes on even if a progress line cannot be shown.
        let _ = write!(stderr, "\r\x1b[K{table}: {rows} of {of}{end}");
        let _ = stderr.flush();
    }
}
