//! The operator's operations on messages to webhooks. The delivery is in [`crate::webhooks`].

use super::Operator;
use crate::error::{Error, Result};
use crate::name::Name;
use crate::store::{self, CheckReport, FailedMessage, KnownWebhook, Purpose, View};

impl Operator<'_> {
    /// Lists the messages that were set aside, in the order of their events.
    pub async fn list_messages_set_aside(&self) -> Result<Vec<FailedMessage>> {
        Ok(self.0.store.read(View::Statement).await?.messages_set_aside().await?)
    }

    /// Schedules messages that were set aside to be sent again: those of a webhook, or the one with this id.
    /// Returns how many there were.
    pub async fn retry_messages(&self, webhook: Option<&Name>, id: Option<&str>) -> Result<usize> {
        let see = "no such delivery was set aside: see `orgtokens-server webhook list`";
        self.write(Purpose::Change, async |change| {
            let retried = change.retry_messages(webhook, id).await?;
            if retried > 0 { Ok(retried) } else { Err(Error::NotFound(see)) }
        })
        .await
    }

    /// Adds the state of the webhooks to the report.
    pub(super) async fn check_webhooks(&self, report: &mut CheckReport) -> store::Result<()> {
        let webhooks = self.0.store.read(View::Statement).await?.webhooks().await?;
        for KnownWebhook { name, waiting, set_aside, is_ahead } in webhooks {
            report.sound.push(format!(
                "the webhook {name} has {waiting} waiting deliveries, and {set_aside} set aside"
            ));
            if is_ahead {
                report.faults.push(format!(
                    "the webhook {name} received entries that the audit log does not have"
                ));
            }
        }
        Ok(())
    }
}
