//! The model test: random operations of many peers, done to the router and to a small, slow and obviously right one,
//! with every message that every peer gets compared.
//!
//! `cargo test --test model` does some ten thousand operations. As many as one likes, with the seed printed and the
//! progress shown:
//!
//! ```sh
//! WAMPLET_MODEL_OPERATIONS=10000000 cargo test --release --test model -- --nocapture
//! WAMPLET_MODEL_SEED=7 ..                    # begins at another seed than 1
//! ```
//!
//! What fails is made shorter and printed as a list of [`operation`]s, to become a test of its own in `findings`. Sizes
//! in bytes (limits of messages and queues, statistics) are not modelled.

mod findings;
mod generate;
mod operation;
#[path = "router/mod.rs"]
mod router;
mod run;
mod settings;
mod shrink;

use std::io::Write as _;

use generate::SplitMix;
use operation::Operation;
use run::Run;
use settings::Settings;

/// Operations of one run, after which a new router is taken.
const LENGTH: usize = 300;

/// Operations between two looks at all tables.
const TABLES: usize = 20;

/// What `cargo test` does.
const OPERATIONS: usize = 30_000;

#[test]
fn the_router_does_what_the_model_does() {
    let given = |name| std::env::var(name).ok().map(|text| text.parse::<u64>().expect("a number"));
    let operations = given("WAMPLET_MODEL_OPERATIONS").map_or(OPERATIONS, |number| number as usize);
    let first = given("WAMPLET_MODEL_SEED").unwrap_or(1);
    let is_long = operations > OPERATIONS;
    let mut reached = vec![0; 512];
    let mut done = 0;
    let mut seed = first;
    while done < operations {
        done += one_run(seed, &mut reached);
        seed += 1;
        if is_long && (seed - first).is_multiple_of(1_000) {
            let _ = writeln!(std::io::stderr(), "{done} operations, seeds {first} to {}", seed - 1);
        }
    }
    if is_long {
        let kinds = reached.iter().enumerate().filter(|(_, count)| **count > 0);
        let kinds: Vec<String> = kinds.map(|(code, count)| format!("{code}: {count}")).collect();
        let _ = writeln!(std::io::stderr(), "messages heard by their codes: {}", kinds.join(", "));
    }
    // A run that does not get everywhere proves little.
    for code in [2, 3, 6, 8, 17, 33, 35, 36, 50, 65, 67, 68, 69] {
        assert!(reached[code] > 0, "nobody ever got a message of type {code}");
    }
    if is_long {
        let _ = writeln!(
            std::io::stderr(),
            "{done} operations without a difference, seeds {first} to {}",
            seed - 1
        );
    }
}

/// Answers how many operations it was.
fn one_run(seed: u64, reached: &mut [u64]) -> usize {
    let chance = SplitMix(seed.wrapping_mul(0x5851_f42d_4c95_7f2d).into());
    let settings = seed as usize % Settings::COUNT;
    let mut run = Run::new(settings, entropy(seed), false);
    let mut operations = Vec::with_capacity(LENGTH);
    let mut failed = false;
    while operations.len() < LENGTH && !failed {
        operations.push(generate::operation(&chance, &run));
        let operation = &operations[operations.len() - 1];
        // What a table says wrongly is heard sooner or later; sooner, if it is looked at.
        let is_looked_at = operations.len().is_multiple_of(TABLES);
        let step = || {
            run.apply(operation)?;
            if is_looked_at { run.check_tables() } else { Ok(()) }
        };
        failed = shrink::guarded(step).is_err();
    }
    if failed || shrink::guarded(|| run.finish()).is_err() {
        report(seed, settings, operations);
    }
    for (sum, count) in reached.iter_mut().zip(&run.reached) {
        *sum += count;
    }
    operations.len()
}

/// What the router draws its ids from.
fn entropy(seed: u64) -> [u8; 32] {
    let mut entropy = [7; 32];
    entropy[..8].copy_from_slice(&seed.to_le_bytes());
    entropy
}

fn report(seed: u64, settings: usize, operations: Vec<Operation>) -> ! {
    let quiet = std::panic::take_hook();
    std::panic::set_hook(Box::new(|_| {}));
    let shrunk = shrink::shrink(settings, entropy(seed), operations);
    std::panic::set_hook(quiet);
    let mut run = Run::new(settings, entropy(seed), true);
    let mut difference = String::new();
    for operation in &shrunk {
        difference = shrink::guarded(|| run.apply(operation).and_then(|()| run.check_tables()))
            .err()
            .unwrap_or_default();
    }
    if difference.is_empty() {
        difference = shrink::guarded(|| run.finish()).err().unwrap_or_default();
    }
    let lines: String = shrunk.iter().map(|operation| format!("    {operation}\n")).collect();
    panic!(
        "seed {seed}, settings {settings}: router and model do not agree: {difference}\n\nshortened to\n{lines}\n\
         which goes\n{}",
        run.transcript()
    );
}
