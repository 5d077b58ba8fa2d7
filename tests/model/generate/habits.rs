//! What a run is mostly about, and the names that its peers use.

use super::Chance;
use super::meta::META_PROCEDURES;

/// What a run is mostly about. Where everything happens all the time, hardly anything happens long enough for the next
/// thing to come of it; so each run leaves most out and does more of the rest.
pub struct Habits {
    pub uris: Vec<&'static str>,
    pub patterns: Vec<(&'static str, &'static str)>,
    pub meta_procedures: Vec<&'static str>,
    /// How often each kind of message is said, in the order of [`SAID`].
    pub weights: [usize; SAID.len()],
    /// Connections are seldom lost, and messages seldom wrong.
    pub is_calm: bool,
    /// Peers announce all that there is.
    pub is_able: bool,
}

/// Kinds of messages, and how often each is said where nothing is left out.
pub const SAID: [(Said, usize); 12] = [
    (Said::Subscribe, 16),
    (Said::Unsubscribe, 4),
    (Said::Publish, 20),
    (Said::Register, 14),
    (Said::Unregister, 4),
    (Said::Call, 15),
    (Said::Answer, 13),
    (Said::Cancel, 3),
    (Said::CallMeta, 8),
    (Said::Goodbye, 1),
    (Said::Odd, 1),
    (Said::Wrong, 1),
];

#[derive(Clone, Copy)]
pub enum Said {
    Subscribe,
    Unsubscribe,
    Publish,
    Register,
    Unregister,
    Call,
    Answer,
    Cancel,
    CallMeta,
    Goodbye,
    Odd,
    Wrong,
}

impl Habits {
    /// Everything.
    pub fn all() -> Self {
        let weights = SAID.map(|(_, weight)| weight);
        let meta_procedures = META_PROCEDURES.to_vec();
        Self {
            uris: URIS.to_vec(),
            patterns: PATTERNS.to_vec(),
            meta_procedures,
            weights,
            is_calm: false,
            is_able: false,
        }
    }

    /// Those of one run.
    pub fn some(chance: &impl Chance) -> Self {
        let mut habits = Self::all();
        if chance.one_in(4) {
            return habits;
        }
        habits.is_calm = !chance.one_in(4);
        habits.is_able = chance.one_in(2);
        for weight in &mut habits.weights {
            *weight =
                *weight * chance.pick(&[0, 1, 1, 4]) / if habits.is_calm && *weight == 1 { 4 } else { 1 };
        }
        if habits.weights[Said::Register as usize] == 0 && !chance.one_in(8) {
            habits.weights[Said::Call as usize] = 0;
        }
        // Something is always said.
        habits.weights[chance.pick(&[Said::Subscribe, Said::Publish, Said::Register]) as usize] += 10;
        let few = 1 + chance.below(4);
        habits.uris = (0..few).map(|_| chance.pick(&URIS)).collect();
        habits.meta_procedures = (0..few + 1).map(|_| chance.pick(&META_PROCEDURES)).collect();
        habits.patterns = (0..few).map(|_| chance.pick(&PATTERNS)).collect();
        habits
    }
}

/// Names that meet as topics and procedures.
pub const URIS: [&str; 9] =
    ["a.b", "a.c", "a.b.c", "a.b.d", "b.b.c", "a.c.c.d", "b.c", "a", "wamp.session.on_leave"];

/// With their match policies.
pub const PATTERNS: [(&str, &str); 14] = [
    ("a.", "prefix"),
    ("a.b", "prefix"),
    ("a.b.", "prefix"),
    ("", "prefix"),
    ("wamp.", "prefix"),
    ("a.", "wildcard"),
    (".b", "wildcard"),
    ("..c", "wildcard"),
    ("a..c", "wildcard"),
    (".b.", "wildcard"),
    ("...", "wildcard"),
    ("a...d", "wildcard"),
    ("wamp.session.", "wildcard"),
    ("", "wildcard"),
];

pub const WRONG_URIS: [&str; 6] =
    ["", "a..b", "a b", "a#b", "A.B", "a.very.long.uri.that.is.longer.than.the.limit.of.uris"];
