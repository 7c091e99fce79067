//! The operator's commands on webhook deliveries that were set aside.

use super::output::{Output, count, print_change};
use clap::{ArgGroup, Subcommand};
use orgtokens_server::name::Name;
use orgtokens_server::service::Operator;

#[derive(Subcommand)]
pub enum WebhookCommand {
    /// List the deliveries that failed for 3 days and are no longer retried
    #[command(
        after_help = "Example:\n  orgtokens-server webhook list --format json\n\nWhen a server starts, it deletes the deliveries of webhooks that are not in its settings,\nunless another server delivers to them."
    )]
    List(Output),
    /// Retry deliveries that failed for 3 days, for 3 more days
    #[command(
        after_help = "Examples:\n  orgtokens-server webhook retry --webhook audit\n  orgtokens-server webhook retry --id msg_019c1e8a5f7b7c3e9d4b2a1f0e6d5c4b",
        group = ArgGroup::new("which").args(["webhook", "id"]).required(true)
    )]
    Retry {
        /// All deliveries of the webhook with this name
        #[arg(long, value_name = "NAME")]
        webhook: Option<Name>,
        /// The delivery with this id
        #[arg(long, value_name = "ID")]
        id: Option<String>,
    },
}

pub async fn webhook(operator: Operator<'_>, command: WebhookCommand) -> anyhow::Result<()> {
    match command {
        WebhookCommand::List(output) => {
            let messages = operator.list_messages_set_aside().await?;
            let columns = ["webhook", "id", "place", "code", "set_aside_at", "attempts", "failure"];
            output.list("deliveries", &messages, &columns)
        }
        WebhookCommand::Retry { webhook, id } => {
            let retried = operator.retry_messages(webhook.as_ref(), id.as_deref()).await?;
            print_change(&format!(
                "{} will be tried again",
                count(retried, "delivery", "deliveries")
            ))
        }
    }
}
