//! The search for an input that breaks a law: so many inputs in a test run, or for as long as `FUZZ_FOR` says (`make fuzz`).

use std::{
    cell::Cell,
    env, fs,
    hash::{BuildHasher, RandomState},
    time::{Duration, Instant},
};

use proptest::{
    strategy::Strategy,
    test_runner::{Config, RngAlgorithm, TestCaseResult, TestRng, TestRunner},
};

/// Longest that one input may take, however much else the machine does.
const LONGEST: Duration = Duration::from_secs(20);

/// Most memory that the process may ever have had, in MiB.
const MOST_MEMORY: u64 = 1024;

/// Tries inputs, and prints how many, from which seed, and what they cost.
///
/// `PROPTEST_CASES` asks for another number. `FUZZ_SEED` begins with the inputs of that seed. `FUZZ_FOR`, such as `90s` or `10m`, goes on with the next seed until the time is
/// over.
///
/// # Panics
/// An input breaks the law, takes too long or too much memory. The message has the seed, and the smallest such input that was found.
pub fn search<S: Strategy>(law: &str, inputs: u32, of: &S, check: impl Fn(S::Value) -> TestCaseResult) {
    let first = env::var("FUZZ_SEED").map_or_else(
        |_| RandomState::new().hash_one(law) >> 32,
        |seed| seed.parse().expect("FUZZ_SEED is a number"),
    );
    let asked = env::var("PROPTEST_CASES").ok();
    let inputs = asked.and_then(|cases| cases.parse().ok()).unwrap_or(inputs);
    let until = env::var("FUZZ_FOR").ok().map(|time| Instant::now() + duration(&time));
    let (slowest, tried) = (Cell::new(Duration::ZERO), Cell::new(0_u64));
    let mut seed = first;
    loop {
        let config = Config {
            cases: inputs,
            failure_persistence: None,
            max_global_rejects: inputs * 100,
            ..Config::default()
        };
        let mut bytes = [0; 32];
        bytes[..8].copy_from_slice(&seed.to_le_bytes());
        let rng = TestRng::from_seed(RngAlgorithm::ChaCha, &bytes);
        let result = TestRunner::new_with_rng(config, rng).run(of, |input| {
            let began = Instant::now();
            let result = check(input);
            slowest.set(slowest.get().max(began.elapsed()));
            tried.set(tried.get() + 1);
            result
        });
        if let Err(why) = result {
            panic!("{law}, FUZZ_SEED={seed}: {why}");
        }
        let memory = peak_memory();
        assert!(
            slowest.get() < LONGEST,
            "{law}, FUZZ_SEED={seed}: {:?} for one input",
            slowest.get()
        );
        assert!(memory < MOST_MEMORY, "{law}, FUZZ_SEED={seed}: {memory} MiB");
        if until.is_none_or(|until| Instant::now() >= until) {
            println!(
                "{law}: {} inputs from FUZZ_SEED={first}, the slowest {} ms, {memory} MiB at most",
                tried.get(),
                slowest.get().as_millis()
            );
            return;
        }
        seed = seed.wrapping_add(1);
    }
}

fn duration(text: &str) -> Duration {
    let (number, unit) = text.split_at(text.len().saturating_sub(1));
    let number: u64 = number
        .parse()
        .expect("FUZZ_FOR is a number with s, m or h, such as 10m");
    match unit {
        "s" => Duration::from_secs(number),
        "m" => Duration::from_secs(number * 60),
        "h" => Duration::from_secs(number * 3600),
        other => panic!("FUZZ_FOR ends with s, m or h, not {other:?}"),
    }
}

/// The most memory that this process has had, in MiB (`proc_pid_status(5)`, `VmHWM`).
fn peak_memory() -> u64 {
    let status = fs::read_to_string("/proc/self/status").expect("Linux");
    let line = status
        .lines()
        .find_map(|line| line.strip_prefix("VmHWM:"))
        .expect("VmHWM");
    let kibibytes: u64 = line.trim().trim_end_matches(" kB").parse().expect("a number");
    kibibytes >> 10
}
