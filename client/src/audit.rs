//! The audit log as a stream, over all of its pages.

use crate::builder::ListOrganizationAuditLogs;
use crate::types::{AuditLog, AuditLogPage};
use crate::{Failure, types::Pagination};
use futures::stream::{self, BoxStream, StreamExt, TryStreamExt};
use std::num::NonZeroU32;

/// Where a stream is.
#[derive(Clone, Copy)]
struct Position {
    page: NonZeroU32,
    /// How many entries the log had on the first page.
    rows: Option<u64>,
    /// How many entries were streamed.
    streamed: u64,
}

impl<'a> ListOrganizationAuditLogs<'a> {
    /// Streams every entry, newest first, and asks for one page after the other, the first one
    /// first. Entries that are written meanwhile are not in it, and none comes twice.
    pub fn stream(self) -> BoxStream<'a, Result<AuditLog, Failure>> {
        let start = Position { page: NonZeroU32::MIN, rows: None, streamed: 0 };
        let pages = stream::try_unfold(Some(start), move |position| {
            let request = self.clone();
            async move {
                let Some(position) = position else { return Ok(None) };
                let page = request.page(position.page).send().await?.into_inner();
                let (entries, next) = position.advance(page);
                Ok::<_, Failure>(Some((stream::iter(entries.into_iter().map(Ok)), next)))
            }
        });
        pages.try_flatten().boxed()
    }
}

impl Position {
    /// Returns the new entries of a page, and where the stream is after them.
    fn advance(self, page: AuditLogPage) -> (Vec<AuditLog>, Option<Self>) {
        let Pagination { page_size, total_pages, total_rows, .. } = page.pagination;
        let (rows, is_empty) = (self.rows.unwrap_or(total_rows), page.audit_logs.is_empty());
        // Newer entries have moved the others down.
        let before = u64::from(self.page.get() - 1) * u64::from(page_size);
        let known = (self.streamed + total_rows.saturating_sub(rows)).saturating_sub(before);
        let known = usize::try_from(known).unwrap_or(usize::MAX);
        let entries: Vec<_> = page.audit_logs.into_iter().skip(known).collect();
        let next = self.page.checked_add(1).filter(|page| u64::from(page.get()) <= total_pages);
        // The pages of another server might never end.
        let next = next.filter(|_| !is_empty);
        let streamed = self.streamed + entries.len() as u64;
        (entries, next.map(|page| Self { page, rows: Some(rows), streamed }))
    }
}
