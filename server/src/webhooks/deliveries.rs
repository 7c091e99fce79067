//! Starts and stops the background tasks that deliver. Each of them is a `Deliverer`.

use super::Webhook;
use super::deliverer::{Deliverer, LEASE};
use crate::error::Result;
use crate::metrics::Metrics;
use crate::service::Service;
use crate::store::{KnownWebhook, Purpose, Transaction, View, WriteLock};
use slog::{Logger, warn};
use std::sync::Arc;
use tokio::task::JoinSet;
use uuid::Uuid;

/// The running deliverers. Dropping or closing it stops them.
pub struct Deliveries {
    service: Service,
    holder: String,
    tasks: JoinSet<()>,
}

impl Deliveries {
    /// Stops the deliverers and releases the leases, so that another server takes over at once.
    ///
    /// # Errors
    /// If the database does not answer. Then another server takes over after 15 s.
    pub async fn close(mut self) -> Result<()> {
        if self.tasks.is_empty() {
            return Ok(());
        }
        self.tasks.shutdown().await;
        let holder = &self.holder;
        let release = |mut change: Transaction| async move {
            change.release_webhooks(holder);
            Ok((change, ()))
        };
        self.service.transact(&WriteLock::None, Purpose::Change, release).await
    }
}

/// Starts to deliver. A new webhook receives events from now on, a known one continues where it stopped.
/// A webhook that is no longer in the settings is removed, unless another server delivers to it.
///
/// # Errors
/// If the database does not accept the webhooks, or there are no trusted certificates.
pub async fn start(
    service: &Service,
    webhooks: &[Webhook],
    metrics: &Arc<Metrics>,
    log: &Logger,
) -> anyhow::Result<Deliveries> {
    let holder = Uuid::new_v4().to_string();
    let mut deliveries = Deliveries { service: service.clone(), holder, tasks: JoinSet::new() };
    let mut gone = service.store().read(View::Statement).await?.webhooks().await?;
    gone.retain(|known| webhooks.iter().all(|webhook| webhook.name != known.name));
    if webhooks.is_empty() && gone.is_empty() {
        return Ok(deliveries);
    }
    let (holder, gone) = (&deliveries.holder, &gone);
    let update = |mut change: Transaction| async move {
        for webhook in webhooks {
            change.add_webhook(&webhook.name);
        }
        let mut removed = Vec::new();
        for known in gone {
            if change.hold_webhook(&known.name, holder, LEASE).await?.is_some() {
                change.remove_webhook(&known.name);
                removed.push(known);
            }
        }
        Ok((change, removed))
    };
    for KnownWebhook { name, waiting, set_aside, .. } in
        service.transact(&WriteLock::None, Purpose::Change, update).await?
    {
        warn!(log, "a webhook that is no longer in the settings was removed";
            "webhook" => %name, "waiting" => waiting, "set_aside" => set_aside);
    }
    for webhook in webhooks {
        let holder = deliveries.holder.clone();
        let deliverer = Deliverer::new(service, webhook, metrics, log, holder)?;
        deliveries.tasks.spawn(Arc::new(deliverer).run());
    }
    Ok(deliveries)
}
