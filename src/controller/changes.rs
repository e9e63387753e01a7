//! Change messages: a queue is read for ever, and what its messages claim becomes hints. None of them is needed, and none is believed: a
//! hint is where to look.

use std::time::Duration;

use k8s_openapi::jiff::Timestamp;
use tracing::{debug, info, warn};

use super::context::Context;
use crate::{
    aws::Queue,
    backoff,
    metrics::MessageWas,
    role::{
        Failure,
        message::{NoChange, change_message},
    },
};

/// Shortest and longest wait before a queue that can't be read is tried again.
const AGAIN: (Duration, Duration) = (Duration::from_secs(1), Duration::from_mins(1));

/// Reads a queue, for ever. `account`: the queue is that of this account, and believed for it alone; none: it is the controller's own,
/// to which all accounts send.
pub(super) async fn follow_changes(context: &Context, queue: &Queue, account: Option<&str>) {
    let name = account.unwrap_or("own");
    let mut failures = 0;
    loop {
        match take(context, queue, account).await {
            Ok(()) => {
                context.metrics.messages.queue(name, true);
                if failures > 0 {
                    info!(account = name, "change messages are read again");
                }
                failures = 0;
            }
            Err(failure) => {
                context.metrics.messages.queue(name, false);
                if failures == 0 {
                    warn!(
                        account = name,
                        "no change messages, until they can be read again; sweeps and looks go on: {}", failure.message
                    );
                }
                failures += 1;
                tokio::time::sleep(backoff::after_failures(failures, AGAIN.0, AGAIN.1)).await;
            }
        }
    }
}

/// Takes some messages: noted first, then deleted, so that one that can't be deleted comes again and does no harm.
async fn take(context: &Context, queue: &Queue, account: Option<&str>) -> Result<(), Failure> {
    let messages = queue.receive().await?;
    for message in &messages {
        context.metrics.messages.read(note(context, &message.body, account));
    }
    queue.delete(messages).await
}

/// Makes a hint of a message, where it is one.
fn note(context: &Context, body: &str, account: Option<&str>) -> MessageWas {
    let change = match change_message(body) {
        Ok(change) => change,
        Err(NoChange::Other) => return MessageWas::Other,
        Err(NoChange::Malformed) => return MessageWas::Malformed,
    };
    if context.accounts.wrote(&change.request) {
        return MessageWas::Own;
    }
    if account.is_some_and(|account| account != change.account) || !context.told(&change.account, &change.role) {
        return MessageWas::Other;
    }
    // What the message claims is for people who look into a case; it can be forged, so it goes no further.
    debug!(
        role = change.role.as_str(),
        event = change.event,
        claimed_actor = change.actor,
        "a change message"
    );
    let made = change.time.as_deref().and_then(|time| time.parse::<Timestamp>().ok());
    if let Some(delay) = made.and_then(|made| Timestamp::now().duration_since(made).try_into().ok()) {
        context.metrics.messages.came_after(delay);
    }
    MessageWas::Hint
}
