//! The queue of change messages (SQS): received in long polls, and deleted as soon as they are noted.
//!
//! A message is deleted before anybody looks at the role that it names; what is lost by that, the sweep finds.

use std::{fmt, time::Duration};

use aws_config::{Region, timeout::TimeoutConfig};
use aws_sdk_sqs::types::DeleteMessageBatchRequestEntry;

use super::{
    Iam, error,
    loopback::{LoopbackOnlyInClear, is_loopback},
};
use crate::role::{Account, Failure, name::is_account_id};

/// Most messages in an answer, and most seconds that an answer is waited for (SQS API reference, `ReceiveMessage`).
const MESSAGES: i32 = 10;
const WAIT_SECONDS: i32 = 20;

/// Where a queue is.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct QueueUrl {
    url: String,
    /// Scheme and host, to which the calls go: a VPC endpoint's host names the queue as well as the region's own does.
    origin: String,
    /// The region, where the host tells it; on loopback it tells none.
    region: Option<String>,
}

impl QueueUrl {
    /// Reads the URL of a queue, or its ARN.
    ///
    /// # Errors
    /// Says what can be written.
    pub fn parse(text: &str) -> Result<Self, String> {
        let refused = || {
            format!(
                "{text:?} is neither the URL nor the ARN of an SQS queue, such as \
                 https://sqs.us-east-1.amazonaws.com/111122223333/pinpoint-import-changes"
            )
        };
        if text.starts_with("arn:") {
            return Self::of_arn(text).ok_or_else(refused);
        }
        let (scheme, rest) = text.split_once("://").ok_or_else(refused)?;
        let (host, path) = rest.split_once('/').ok_or_else(refused)?;
        let private = scheme == "https" || scheme == "http" && is_loopback(host);
        let mut parts = path.split('/');
        let is_queue = match (parts.next(), parts.next(), parts.next()) {
            (Some(account), Some(name), None) => is_account_id(account) && is_name(name),
            _ => false,
        };
        let region = region(host);
        if !private || !is_queue || host.contains('@') || (region.is_none() && !is_loopback(host)) {
            return Err(refused());
        }
        Ok(Self {
            url: text.to_owned(),
            origin: format!("{scheme}://{host}"),
            region,
        })
    }

    fn of_arn(arn: &str) -> Option<Self> {
        let account = Account::of_arn(arn).ok()?;
        let mut parts = arn.splitn(6, ':').skip(2);
        let (service, region, _, name) = (parts.next()?, parts.next()?, parts.next()?, parts.next()?);
        // China's endpoints end otherwise than all others' that are public (SQS endpoints and quotas, AWS General Reference).
        let suffix = match account.partition.as_str() {
            "aws" | "aws-us-gov" => "amazonaws.com",
            "aws-cn" => "amazonaws.com.cn",
            _ => return None,
        };
        if service != "sqs" || !is_region(region) || !is_name(name) {
            return None;
        }
        Self::parse(&format!("https://sqs.{region}.{suffix}/{}/{name}", account.id)).ok()
    }
}

impl fmt::Display for QueueUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.url)
    }
}

/// A name of a queue (SQS developer guide, "Queue names"), without `.fifo`: hints have no order.
fn is_name(text: &str) -> bool {
    let sound = |b: u8| b.is_ascii_alphanumeric() || b == b'-' || b == b'_';
    (1..=80).contains(&text.len()) && text.bytes().all(sound)
}

fn is_region(text: &str) -> bool {
    let sound = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-';
    text.contains('-') && text.bytes().all(sound)
}

/// The region of `sqs.REGION.amazonaws.com`, `sqs-fips.REGION…`, `vpce-….sqs.REGION.vpce…` and the older `REGION.queue.amazonaws.com`.
fn region(host: &str) -> Option<String> {
    let labels: Vec<&str> = host.split(['.', ':']).collect();
    let of_aws = labels.contains(&"amazonaws");
    let after = labels.iter().position(|label| *label == "sqs" || *label == "sqs-fips");
    let found = match (after, labels.get(1)) {
        (Some(at), _) => labels.get(at + 1),
        (None, Some(&"queue")) => labels.first(),
        _ => None,
    };
    found
        .filter(|label| of_aws && is_region(label))
        .map(|label| (*label).to_owned())
}

/// A message as it came.
#[derive(Debug)]
pub struct Message {
    /// What was sent.
    pub body: String,
    /// What deletes it.
    receipt: String,
}

/// A queue that can be read.
pub struct Queue {
    client: aws_sdk_sqs::Client,
    url: QueueUrl,
}

impl Iam {
    /// A queue, read with the credentials of this client.
    #[must_use]
    pub fn queue(&self, url: QueueUrl) -> Queue {
        // The limits of the IAM client would cut every long poll.
        let timeouts = TimeoutConfig::builder()
            .connect_timeout(Duration::from_secs(3))
            .read_timeout(Duration::from_secs(25))
            .operation_attempt_timeout(Duration::from_secs(30))
            .operation_timeout(Duration::from_mins(1))
            .build();
        let mut config = aws_sdk_sqs::config::Builder::from(&self.shared)
            .endpoint_url(&url.origin)
            .timeout_config(timeouts)
            .interceptor(LoopbackOnlyInClear);
        if let Some(region) = &url.region {
            config = config.region(Region::new(region.clone()));
        }
        Queue {
            client: aws_sdk_sqs::Client::from_conf(config.build()),
            url,
        }
    }
}

impl Queue {
    /// Waits up to 20 s for messages, and gives those that came, at most 10.
    ///
    /// # Errors
    /// The queue can't be read.
    pub async fn receive(&self) -> Result<Vec<Message>, Failure> {
        let attempt = format!("receiving change messages of queue {} (ReceiveMessage)", self.url);
        let call = self.client.receive_message().queue_url(&self.url.url);
        let call = call.max_number_of_messages(MESSAGES).wait_time_seconds(WAIT_SECONDS);
        let answer = call.send().await.map_err(|failed| error::failure(&attempt, &failed))?;
        let messages = answer.messages.unwrap_or_default().into_iter().map(|message| Message {
            body: message.body.unwrap_or_default(),
            receipt: message.receipt_handle.unwrap_or_default(),
        });
        Ok(messages.collect())
    }

    /// Deletes what was received in one answer.
    ///
    /// # Errors
    /// Some of it was not deleted, and comes again.
    pub async fn delete(&self, messages: Vec<Message>) -> Result<(), Failure> {
        let attempt = format!("deleting change messages of queue {} (DeleteMessage)", self.url);
        let entry = |(number, message): (usize, Message)| {
            let entry = DeleteMessageBatchRequestEntry::builder().id(number.to_string());
            entry.receipt_handle(message.receipt).build()
        };
        let entries: Result<Vec<_>, _> = messages.into_iter().enumerate().map(entry).collect();
        let entries = entries.map_err(|why| error::nonsense(&attempt, &why.to_string()))?;
        if entries.is_empty() {
            return Ok(());
        }
        let call = self.client.delete_message_batch().queue_url(&self.url.url);
        let answer = call.set_entries(Some(entries)).send().await;
        let answer = answer.map_err(|failed| error::failure(&attempt, &failed))?;
        match answer.failed.first() {
            None => Ok(()),
            Some(kept) => Err(error::nonsense(&attempt, kept.message().unwrap_or(kept.code()))),
        }
    }
}

#[cfg(test)]
mod tests {
    use test_support::sqs::{FakeSqs, Mood};

    use super::*;
    use crate::role::Class;

    #[test]
    fn a_queue_is_named_by_its_url_or_its_arn() {
        for (text, origin, region) in [
            (
                "https://sqs.us-east-1.amazonaws.com/111122223333/pinpoint-import-changes",
                "https://sqs.us-east-1.amazonaws.com",
                Some("us-east-1"),
            ),
            (
                "arn:aws:sqs:us-east-1:111122223333:pinpoint-import-changes",
                "https://sqs.us-east-1.amazonaws.com",
                Some("us-east-1"),
            ),
            (
                "arn:aws-cn:sqs:cn-north-1:111122223333:q",
                "https://sqs.cn-north-1.amazonaws.com.cn",
                Some("cn-north-1"),
            ),
            (
                "https://sqs-fips.us-gov-west-1.amazonaws.com/111122223333/q",
                "https://sqs-fips.us-gov-west-1.amazonaws.com",
                Some("us-gov-west-1"),
            ),
            (
                "https://vpce-0a1b-2c.sqs.us-east-1.vpce.amazonaws.com/111122223333/q",
                "https://vpce-0a1b-2c.sqs.us-east-1.vpce.amazonaws.com",
                Some("us-east-1"),
            ),
            (
                "https://us-east-1.queue.amazonaws.com/111122223333/q",
                "https://us-east-1.queue.amazonaws.com",
                Some("us-east-1"),
            ),
            ("http://127.0.0.1:5000/123456789012/q", "http://127.0.0.1:5000", None),
        ] {
            let queue = QueueUrl::parse(text).unwrap();
            assert_eq!(
                (queue.origin.as_str(), queue.region.as_deref()),
                (origin, region),
                "{text}"
            );
        }
        for text in [
            "",
            "pinpoint-import-changes",
            "http://sqs.us-east-1.amazonaws.com/111122223333/q",
            "https://sqs.us-east-1.amazonaws.com/q",
            "https://sqs.us-east-1.amazonaws.com/1111/q",
            "https://sqs.us-east-1.amazonaws.com/111122223333/q/r",
            "https://sqs.us-east-1.amazonaws.com/111122223333/q.fifo",
            "https://sqs.us-east-1.amazonaws.com@example.com/111122223333/q",
            "https://example.com/111122223333/q",
            "arn:aws:sns:us-east-1:111122223333:q",
            "arn:aws:sqs::111122223333:q",
        ] {
            assert!(
                QueueUrl::parse(text)
                    .unwrap_err()
                    .contains("neither the URL nor the ARN"),
                "{text}"
            );
        }
    }

    /// Messages are given once, deleted by what came with them, and a queue that refuses says so.
    #[tokio::test]
    async fn messages_are_received_and_deleted() {
        let queue = FakeSqs::start();
        let reader = Iam::for_test("http://127.0.0.1:1")
            .await
            .queue(QueueUrl::parse(queue.url()).unwrap());
        for number in 0..25 {
            queue.send(number.to_string());
        }
        let mut bodies = Vec::new();
        while bodies.len() < 25 {
            let messages = reader.receive().await.unwrap();
            assert!((1..=10).contains(&messages.len()));
            bodies.extend(messages.iter().map(|message| message.body.clone()));
            reader.delete(messages).await.unwrap();
        }
        assert_eq!(bodies, (0..25).map(|number| number.to_string()).collect::<Vec<_>>());
        assert_eq!(queue.waiting(), 0);

        queue.send("kept");
        queue.set_mood(Mood::Keeping);
        let kept = reader.receive().await.unwrap();
        assert!(
            reader
                .delete(kept)
                .await
                .unwrap_err()
                .message
                .contains("deleting change messages of queue")
        );
        queue.set_mood(Mood::Denied);
        let denied = reader.receive().await.unwrap_err();
        assert_eq!(denied.class, Class::Denied);
        queue.set_mood(Mood::Gone);
        let gone = reader.receive().await.unwrap_err();
        assert!(
            gone.message.contains(queue.url()) && gone.message.contains("QueueDoesNotExist"),
            "{}",
            gone.message
        );
    }
}
