//! YAML to the values that JSON has.
//!
//! Owns what of YAML is too much for a configuration: keys twice, tags, several documents, and aliases that unfold into
//! more than anybody wrote.

use std::borrow::Cow;

use serde_json::Value;
use serde_saphyr::{Error, Localizer, Location, UserMessageFormatter};

use super::error::ConfigError;
use super::json::{self, Unique};

pub(super) fn parse(text: &str) -> Result<Value, ConfigError> {
    let options = serde_saphyr::options! {
        with_snippet: false,
        reject_unsupported_tags: true,
        budget: serde_saphyr::budget! { max_nodes: MAX_NODES },
        alias_limits: serde_saphyr::alias_limits! { max_total_replayed_events: MAX_NODES },
    };
    let Unique(value) = serde_saphyr::from_str_with_options(text, options).map_err(|error| {
        let (line, column) = error.location().map_or((1, 1), |at| (at.line(), at.column()));
        ConfigError::Syntax { line: line as usize, column: column as usize, reason: reason(&error) }
    })?;
    Ok(value)
}

fn reason(error: &Error) -> String {
    match error {
        Error::AliasError { error, .. } => reason(error),
        Error::DuplicateMappingKey { key: Some(key), .. } => json::key_twice(key),
        Error::MultipleDocuments { .. } => "a second document begins, and only one is read".to_owned(),
        Error::UnknownAnchor { .. } => format!("there is no anchor of this name before it ({QUOTES})"),
        Error::Budget { .. }
        | Error::AliasReplayLimitExceeded { .. }
        | Error::AliasReplayCounterOverflow { .. }
        | Error::AliasExpansionLimitExceeded { .. }
        | Error::AliasReplayStackDepthExceeded { .. } => {
            format!("too much: at most {MAX_NODES} values, also by aliases, and no deep nesting")
        }
        _ => {
            let reason = error.render_with_formatter(&UserMessageFormatter.with_localizer(&WithoutPosition));
            // The scanner's errors are told apart by their words alone.
            if reason.contains("anchor or alias") {
                return format!("expected the name of an anchor ({QUOTES})");
            }
            reason
        }
    }
}

/// The position is said before the reason.
struct WithoutPosition;

impl Localizer for WithoutPosition {
    fn attach_location<'a>(&self, reason: Cow<'a, str>, _: Location) -> Cow<'a, str> {
        reason
    }

    fn alias_defined_at(&self, _: Location) -> String {
        String::new()
    }

    fn alias_used_at(&self, _: Location) -> String {
        String::new()
    }
}

/// The patterns of permissions are such texts.
const QUOTES: &str = "a text that begins with \"*\" or \"&\" needs quotes";

/// Far more than the largest configuration has.
const MAX_NODES: usize = 200_000;
