//! What is wrong with a configuration, and where.
//!
//! Owns the sentences' form: `path: expected .., found .. (did you mean ..?)`. What is expected is said by
//! [`crossbar`](super::crossbar).

use std::fmt;

/// A configuration that must not be started. Its text has one line for each problem.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ConfigError {
    /// There is no text.
    #[cfg(feature = "native")]
    #[error("{}: {reason}", path.display())]
    File { path: std::path::PathBuf, reason: String },
    /// The text is not JSON (or YAML), or an object in it has the same key twice.
    #[error("line {line}, column {column}: {reason}")]
    Syntax { line: usize, column: usize, reason: String },
    /// The JSON is not a configuration.
    #[error("{}", Lines(problems, *more))]
    Invalid {
        /// In the order in which they were found, at most [`SHOWN`].
        problems: Vec<Problem>,
        /// How many further problems there are.
        more: usize,
        /// What else is to be said of it.
        warnings: Vec<Warning>,
    },
}

/// One value that is not what it must be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    /// Where: `realms[0].roles[1].permissions[2].match`; `config` is the whole of it.
    pub path: String,
    /// What may stand there.
    pub expected: String,
    /// What stands there.
    pub found: String,
    /// The known word that looks most like it.
    pub did_you_mean: Option<String>,
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { path, expected, found, did_you_mean } = self;
        write!(f, "{path}: expected {expected}, found {found}")?;
        match did_you_mean {
            Some(word) => write!(f, " (did you mean \"{word}\"?)"),
            None => Ok(()),
        }
    }
}

/// Something in a valid configuration that is not served, or that may mean something else than it seems to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Warning {
    /// Where, as in [`Problem::path`].
    pub path: String,
    /// A sentence.
    pub message: String,
}

impl fmt::Display for Warning {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.path, self.message)
    }
}

struct Lines<'a>(&'a [Problem], usize);

impl fmt::Display for Lines<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (position, problem) in self.0.iter().enumerate() {
            let separator = if position == 0 { "" } else { "\n" };
            write!(f, "{separator}{problem}")?;
        }
        match self.1 {
            0 => Ok(()),
            more => write!(f, "\nand {more} more"),
        }
    }
}

/// Problems, and warnings, that are listed before the rest is only counted: more than a reader takes in at once.
pub const SHOWN: usize = 100;
