//! Revoking credentials that became known to others. Those who report them need no credential of their
//! own, and learn nothing about the credentials.

use super::Service;
use super::audit::{Actor, LEAK_REPORT, record, revocations};
use crate::error::{Error, Result};
use crate::records::LeakReport;
use crate::store::{Purpose, Turn, View};
use crate::token::{PlainToken, TokenDigest};

/// How many credentials one report names.
const MOST: usize = 1_000;

impl Service {
    /// Revokes the tokens with these secrets. What is no credential is passed over.
    pub async fn revoke_leaked(&self, report: &LeakReport) -> Result<()> {
        if !(1..=MOST).contains(&report.credentials.len()) {
            let message = "a report names 1 to 1000 credentials: split it up";
            return Err(Error::Invalid(message.to_owned()));
        }
        let parsed = report.credentials.iter().filter_map(|text| text.parse::<PlainToken>().ok());
        let digests: Vec<TokenDigest> = parsed.map(|token| token.digest()).collect();
        let places = self.store.read(View::Statement).await?.places_of(&digests).await?;
        for place in &places {
            let digests = &digests;
            self.transact(&Turn::Free, Purpose::Revocation, |mut change| async move {
                // Another report may have named them meanwhile.
                if let Some((head, revoked)) = change.delete_leaked_tokens(place, digests).await? {
                    let events = revocations(&revoked, LEAK_REPORT);
                    record(&mut change, head, Actor::LeakReport, events);
                }
                Ok((change, ()))
            })
            .await?;
        }
        Ok(())
    }
}
