//! `copy`: one database into another, with its progress on a terminal. It knows
//! neither rows nor backends: what is copied, and how, is the store's business.

use super::print;
use anyhow::Context;
use comfy_table::{Table, presets};
use orgtokens_server::store::{self, Copied, Store};
use std::io::{self, IsTerminal, Write};

/// Copies everything, and prints how many rows each table has.
pub async fn copy(from: &str, to: &str) -> anyhow::Result<()> {
    let source = Store::open(from).await.context("the source")?;
    let target = Store::create(to).await.context("the target")?;
    let is_watched = io::stderr().is_terminal();
    let copied = store::copy(&source, &target, |progress| {
        if is_watched {
            show(progress);
        }
    })
    .await?;
    if is_watched {
        eprintln!();
    }
    print(&table(&copied))
}

fn show(Copied { table, rows, of }: Copied) {
    let mut terminal = io::stderr().lock();
    // Nobody waits for a progress line that cannot be shown.
    let _ = write!(terminal, "\r\x1b[K{table}: {rows} of {of}").and_then(|()| terminal.flush());
}

fn table(copied: &[Copied]) -> String {
    let mut table = Table::new();
    table.load_style(presets::UTF8_FULL_CONDENSED).set_header(["table", "rows", "of"]);
    for Copied { table: name, rows, of } in copied {
        table.add_row([(*name).to_owned(), rows.to_string(), of.to_string()]);
    }
    table.to_string()
}
