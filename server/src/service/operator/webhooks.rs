//! The operator's operations on deliveries to webhooks. What is delivered is in [`crate::webhooks`].

use super::Operator;
use crate::error::{Error, Result};
use crate::name::Name;
use crate::store::{self, CheckReport, Purpose, SetAside, View};

impl Operator<'_> {
    /// Lists the deliveries that were set aside, in the order of their events.
    pub async fn list_deliveries_set_aside(&self) -> Result<Vec<SetAside>> {
        Ok(self.0.store.read(View::Statement).await?.deliveries_set_aside().await?)
    }

    /// Makes the deliveries of a webhook that were set aside, or the one with this id, due. Returns how
    /// many there were.
    pub async fn retry_deliveries(
        &self,
        webhook: Option<&Name>,
        id: Option<&str>,
    ) -> Result<usize> {
        let see = "no such delivery was set aside: see `orgtokens-server webhook list`";
        self.write(Purpose::Change, async |change| {
            let retried = change.retry_deliveries(webhook, id).await?;
            if retried > 0 { Ok(retried) } else { Err(Error::NotFound(see)) }
        })
        .await
    }

    /// Adds what is to say of the webhooks.
    pub(super) async fn check_webhooks(&self, report: &mut CheckReport) -> store::Result<()> {
        let mut view = self.0.store.read(View::Snapshot).await?;
        report.faults.extend(view.webhooks_ahead().await?.into_iter().map(|name| {
            format!("the webhook {name} received entries that the audit log does not have")
        }));
        let counts = view.webhook_counts().await?.into_iter();
        report.sound.extend(counts.map(|(name, waiting, set_aside)| {
            format!(
                "the webhook {name} has {waiting} waiting deliveries, and {set_aside} set aside"
            )
        }));
        Ok(())
    }
}
