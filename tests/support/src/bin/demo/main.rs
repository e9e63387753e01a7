//! `make demo`: the main job, end to end, on this machine alone. `make dev`: the same world, left running to play with.

mod drift;
mod role;
mod tell;
mod world;

use std::{fs, process::ExitCode, time::Instant};

use aws_sdk_iam::Client;

use role::Role;
use tell::{Result, check, command, indented, say, text};
use world::{ROLE, World};

fn main() -> ExitCode {
    let runtime = match tokio::runtime::Builder::new_current_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => {
            eprintln!("can't start: {error}");
            return ExitCode::FAILURE;
        }
    };
    let stay = std::env::args().nth(1).as_deref() == Some("dev");
    let done = runtime.block_on(async {
        let started = Instant::now();
        let world = World::start()?;
        if stay {
            world.stay().await
        } else {
            show(world, started).await
        }
    });
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(why) => {
            eprintln!("\nFAILED: {why}");
            ExitCode::FAILURE
        }
    }
}

async fn show(world: World, started: Instant) -> Result<()> {
    let iam = role::iam(world.moto.endpoint()).await;
    create(&world, &iam).await?;
    let unseen = drift::show(&world, &iam).await?;
    delete(&world, &iam).await?;
    drift::sweep(&world, &iam, &unseen).await?;
    say("What the controller wrote to IAM for the first object, from its log:");
    let of_role = |line: &&str| line.contains(" role=") && line.contains(ROLE);
    for line in world.log().lines().filter(of_role) {
        println!("   {}", line.chars().take(240).collect::<String>());
    }
    say("Ending it all.");
    drop(world);
    println!(
        "   nothing is left running\n\nThe demo did what it said, in {:.1} s.",
        started.elapsed().as_secs_f64()
    );
    Ok(())
}

async fn create(world: &World, iam: &Client) -> Result<()> {
    say("A manifest of one line of spec declares the role of the AWS guide.");
    println!(
        "{}",
        indented(&fs::read_to_string("deploy/samples/guide.yaml").map_err(text)?)
    );
    let started = Instant::now();
    command(&world.plane, &["apply", "-f", "deploy/samples/guide.yaml"])?;
    world.until_in_place("segment-import")?;
    println!("   {:.1} s from apply to Ready", started.elapsed().as_secs_f64());
    command(&world.plane, &["get", "pir", "segment-import", "-o", "wide"])?;
    say("The role as IAM has it:");
    let role = Role::read(iam, ROLE).await?.ok_or("there is no role in IAM")?;
    role.print();
    check(role.is_the_guides(), "the role is not the one of the guide")?;
    check(role.tags.len() == 4, "the role does not bear the ownership tags")
}

async fn delete(world: &World, iam: &Client) -> Result<()> {
    say("Deleting an object deletes its role.");
    command(&world.plane, &["delete", "pir", "segment-import", "--timeout=60s"])?;
    let gone = Role::read(iam, ROLE).await?.is_none();
    check(gone, "the role is still in IAM")?;
    println!("   $ aws iam get-role --role-name {ROLE}\n   NoSuchEntity: there is no such role");
    Ok(())
}
