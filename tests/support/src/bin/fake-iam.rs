//! Runs the fake of IAM until its standard input closes or it gets SIGTERM.

use std::io::Read as _;

use test_support::iam::{Config, FakeIam};

fn main() {
    let mut config = Config::default();
    let mut args = std::env::args().skip(1);
    while let Some(arg) = args.next() {
        if let ("--port", Some(port)) = (arg.as_str(), args.next().and_then(|value| value.parse().ok())) { config.port = port } else {
            eprintln!("usage: fake-iam [--port PORT]");
            std::process::exit(2);
        }
    }
    let fake = FakeIam::start_with(config);
    println!("{}", fake.endpoint());
    // SIGTERM ends the process by itself. What comes in before the end is of no interest.
    let _ = std::io::stdin().read_to_end(&mut Vec::new());
}
