//! Three roles are changed behind the controller's back, and each is found in another way: by the interval, by the sweep, by a message.
//! What is waited for overlaps; the controller's own metric tells which way it was.

use std::time::{Duration, Instant};

use aws_sdk_iam::Client;
use k8s_openapi::jiff::Timestamp;
use serde_json::json;

use super::{
    role::{ADMIN, Role, WIDE_TRUST, tamper_with},
    tell::{Result, check, command, indented, say},
    world::{INTERVAL, ROLE, SELDOM, SWEEPS, World},
};

/// Time that reading, telling and repairing may take beside the waiting, on a busy machine.
const WORK: Duration = Duration::from_secs(5);

/// A way in which a change is found.
struct Way {
    /// The role that is changed.
    role: &'static str,
    /// For people.
    name: String,
    /// The longest that it may take.
    latest: Duration,
}

/// In the order in which they find: the interval's look comes before the second sweep, which begins [`SWEEPS`] after the first.
fn ways() -> [Way; 3] {
    [
        Way {
            role: "default.by-message",
            name: "by the message".to_owned(),
            latest: WORK,
        },
        Way {
            role: ROLE,
            name: format!("by the look at its interval of {} s", INTERVAL.as_secs()),
            // Intervals have a tenth of chance in them, so that not all looks come at once.
            latest: INTERVAL.mul_f64(1.1) + WORK,
        },
        Way {
            role: "default.by-sweep",
            name: format!("by the sweep, one every {} s", SWEEPS.as_secs()),
            latest: SWEEPS + WORK,
        },
    ]
}

/// What the next sweep is to find.
pub(super) struct Unseen {
    way: Way,
    changed: Instant,
}

/// Changes three roles, and waits until two are found and repaired.
pub(super) async fn show(world: &World, iam: &Client) -> Result<Unseen> {
    for name in SELDOM {
        world.until_in_place(name)?;
    }
    say(
        "Behind the controller's back, somebody lets another account into all three roles and attaches AdministratorAccess.",
    );
    let ways = ways();
    println!("   $ aws iam update-assume-role-policy --role-name {ROLE} --policy-document '{WIDE_TRUST}'");
    println!("   $ aws iam attach-role-policy --role-name {ROLE} --policy-arn {ADMIN}");
    println!("   … and so for default.by-sweep and default.by-message");
    for way in &ways {
        tamper_with(iam, way.role).await?;
        let role = Role::read(iam, way.role).await?.ok_or("there is no role in IAM")?;
        check(!role.is_the_guides(), &format!("{} was not changed", way.role))?;
    }
    let changed = Instant::now();
    let [message, timer, sweep] = ways;
    world.seen(&[])?;
    tell_of(world, message.role)?;
    found(iam, &message, Instant::now()).await?;
    world.seen(&["message"])?;
    audit(world)?;
    say("Of the other two nobody tells the controller. It looks at each at its interval:");
    found(iam, &timer, changed).await?;
    world.seen(&["message", "timer"])?;
    told(world, iam).await?;
    Ok(Unseen { way: sweep, changed })
}

/// Waits until the sweep has found what it is to find.
pub(super) async fn sweep(world: &World, iam: &Client, unseen: &Unseen) -> Result<()> {
    say("The third role is looked at once a day, and yet nobody waits for that: sweeps read the whole account.");
    found(iam, &unseen.way, unseen.changed).await?;
    world.seen(&["message", "timer", "sweep"])
}

/// Sends what `CloudTrail` would send of a change.
fn tell_of(world: &World, role: &str) -> Result<()> {
    say(&format!(
        "Of {role} comes a change message. CloudTrail is not here, so the demo sends its record by PutEvents, through the\n  \
         rule and the queue of deploy/changes.yaml."
    ));
    let record = json!({
        "eventSource": "iam.amazonaws.com",
        "eventName": "AttachRolePolicy",
        "eventTime": Timestamp::now().to_string(),
        "requestParameters": { "roleName": role, "policyArn": ADMIN },
        "requestID": "the-intruders-call",
        "recipientAccountId": "123456789012",
    });
    world.moto.put_event("aws.iam", "AWS API Call via CloudTrail", &record)
}

/// Waits until a role is repaired, and tells how and when it was found.
async fn found(iam: &Client, way: &Way, since: Instant) -> Result<()> {
    loop {
        let role = Role::read(iam, way.role).await?.ok_or("the role went away")?;
        let took = since.elapsed();
        let late = format!(
            "{} should be found {} and repaired within {:.0} s, and is not",
            way.role,
            way.name,
            way.latest.as_secs_f64()
        );
        check(took <= way.latest, &late)?;
        if role.is_the_guides() {
            println!(
                "   {:<22}  found {} and repaired after {:.1} s",
                way.role,
                way.name,
                took.as_secs_f64()
            );
            return Ok(());
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

fn audit(world: &World) -> Result<()> {
    say("What a security colleague sees of the account meanwhile:");
    let said = world.audit()?;
    println!("   $ pinpoint-import-role-controller audit\n{}", indented(&said));
    for words in ["default/segment-import", "every bucket", "999999999999"] {
        check(said.contains(words), &format!("the audit does not tell of {words}"))?;
    }
    Ok(())
}

/// What is told of it to people.
async fn told(world: &World, iam: &Client) -> Result<()> {
    say("The events say what it was; so does the object, and IAM has the guide's role again:");
    let events = world.until_event("DriftRepaired")?;
    println!("{}", indented(&events));
    for words in ["arn:aws:iam::999999999999:root", "AdministratorAccess"] {
        check(events.contains(words), &format!("the events do not tell of {words}"))?;
    }
    let drift = ["get", "pir", "segment-import", "-o", "jsonpath={.status.lastDrift}"];
    command(&world.plane, &drift)?;
    let role = Role::read(iam, ROLE).await?.ok_or("there is no role in IAM")?;
    role.print();
    Ok(())
}
