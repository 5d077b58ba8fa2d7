//! YAML to the values that JSON has.
//!
//! Owns what of YAML is too much for a configuration: keys twice, tags, several documents, and aliases that unfold into
//! more than anybody wrote.

use serde_json::Value;

use super::error::ConfigError;
use super::json::Unique;

pub(super) fn parse(text: &str) -> Result<Value, ConfigError> {
    let options = serde_saphyr::options! {
        with_snippet: false,
        reject_unsupported_tags: true,
        budget: serde_saphyr::budget! { max_nodes: MAX_NODES, max_documents: 1 },
        alias_limits: serde_saphyr::alias_limits! { max_total_replayed_events: MAX_NODES },
    };
    let Unique(value) = serde_saphyr::from_str_with_options(text, options).map_err(|error| {
        let (line, column) = error.location().map_or((1, 1), |at| (at.line(), at.column()));
        let reason = error.render();
        ConfigError::Syntax { line: line as usize, column: column as usize, reason }
    })?;
    Ok(value)
}

/// Far more than the largest configuration has.
const MAX_NODES: usize = 200_000;
