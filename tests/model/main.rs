//! The model test: random operations of many peers, done to the router and to a small, slow and obviously right one,
//! with every message that every peer gets compared.
//!
//! `cargo test --test model` does 30 000 operations. As many as one likes, with the seed printed and the
//! progress shown:
//!
//! ```sh
//! WAMPLET_MODEL_OPERATIONS=10000000 cargo test --profile model --target-dir target/model --test model -- --nocapture
//! WAMPLET_MODEL_SEED=7 ..                    # begins at another seed than 1
//! ```
//!
//! What fails is made shorter and printed as a list of [`operation`]s, to become a test of its own in `findings`. Sizes
//! in bytes (limits of messages and queues, statistics) are not modelled.

mod findings;
#[path = "generate/mod.rs"]
mod generate;
mod operation;
#[path = "router/mod.rs"]
mod router;
mod run;
mod settings;
mod shrink;

use std::io::Write as _;

use generate::SplitMix;
use generate::habits::Habits;
use operation::Operation;
use run::{Reached, Run};
use settings::Settings;

/// Operations of one run, after which a new router is taken.
const LENGTH: usize = 300;

/// Operations between two looks at all tables.
const TABLES: usize = 20;

/// What `cargo test` does.
const OPERATIONS: usize = 30_000;

/// Messages by their codes, with an entry of their details or their error: those that random operations must cause.
const KINDS: [&str; 44] = [
    "2",
    "3 wamp.error.no_such_realm",
    "3 wamp.error.no_such_role",
    "3 wamp.error.protocol_violation",
    "3 wamp.error.authentication_denied",
    "3 wamp.error.authentication_failed",
    "4",
    "6 wamp.close.close_realm",
    "6 wamp.close.goodbye_and_out",
    "6 wamp.close.killed",
    "8 a.error",
    "8 crossbar.error.max_concurrency_reached",
    "8 wamp.error.canceled",
    "8 wamp.error.feature_not_supported",
    "8 wamp.error.history_unavailable",
    "8 wamp.error.invalid_uri",
    "8 wamp.error.no_available_callee",
    "8 wamp.error.no_such_procedure",
    "8 wamp.error.not_authorized",
    "8 wamp.error.option_disallowed.disclose_me",
    "8 wamp.error.procedure_already_exists",
    "8 wamp.error.timeout",
    "8 wamplet.error.limit_exceeded",
    "17",
    "33",
    "35",
    "35 reason",
    "36 ppt_scheme",
    "36 publisher",
    "36 retained",
    "36 topic",
    "36 trustlevel",
    "50 of a history",
    "50 progress",
    "65",
    "67",
    "67 reason",
    "68 caller",
    "68 procedure",
    "68 progress",
    "68 receive_progress",
    "68 timeout",
    "68 trustlevel",
    "69 mode",
];

#[test]
fn the_router_does_what_the_model_does() {
    let given = |name| std::env::var(name).ok().map(|text| text.parse::<u64>().expect("a number"));
    let operations = given("WAMPLET_MODEL_OPERATIONS").map_or(OPERATIONS, |number| number as usize);
    let first = given("WAMPLET_MODEL_SEED").unwrap_or(1);
    let is_long = operations > OPERATIONS;
    let mut reached = Reached::default();
    let mut done = 0;
    let mut seed = first;
    while done < operations {
        done += one_run(seed, &mut reached);
        seed += 1;
        if is_long && (seed - first).is_multiple_of(200) {
            let _ = writeln!(std::io::stderr(), "{done} operations, seeds {first} to {}", seed - 1);
        }
    }
    if is_long {
        let kinds: Vec<String> = reached.iter().map(|(kind, count)| format!("{kind}: {count}")).collect();
        let _ = writeln!(std::io::stderr(), "messages heard by their codes: {}", kinds.join(", "));
    }
    // A run that does not get everywhere proves little.
    for kind in KINDS.iter().filter(|_| operations >= OPERATIONS) {
        assert!(reached.contains_key(*kind), "nobody ever got a message of the kind {kind}");
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
fn one_run(seed: u64, reached: &mut Reached) -> usize {
    let mut chance = SplitMix(seed.wrapping_mul(0x5851_f42d_4c95_7f2d).into(), None);
    chance.1 = Some(Habits::some(&chance));
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
    for (kind, count) in run.reached {
        *reached.entry(kind).or_default() += count;
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
        "seed {seed} (WAMPLET_MODEL_SEED), settings {settings}: router and model do not agree: {difference}\n\nshortened to\n{lines}\n\
         which goes\n{}",
        run.transcript()
    );
}
