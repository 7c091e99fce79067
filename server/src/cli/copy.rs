//! `copy`: copies a database into an empty one, with a progress bar on a terminal. The store does the
//! copying.

use super::output::{print_change, table};
use anyhow::Context;
use indicatif::{ProgressBar, ProgressStyle};
use orgtokens_server::store::{self, CopyProgress, Store};

const BAR: &str = "{msg:19} {wide_bar} {human_pos} of {human_len} rows, {eta} left";

/// Copies all tables, and prints the number of rows of each.
pub async fn copy(from: &str, to: &str) -> anyhow::Result<()> {
    let source = Store::open_to_read(from).await.context("the source")?;
    let target = Store::create(to).await.context("the target")?;
    let bar = ProgressBar::new(0).with_style(ProgressStyle::with_template(BAR)?);
    let show = |CopyProgress { table, rows, of }| {
        bar.set_length(of.unsigned_abs());
        bar.set_position(rows.unsigned_abs());
        bar.set_message(table);
    };
    let copied = store::copy(&source, &target, show).await?;
    bar.finish_and_clear();
    let rows = copied.into_iter().map(|(table, rows)| [table.to_owned(), rows.to_string()]);
    print_change(&table(["table", "rows"], rows))
}
