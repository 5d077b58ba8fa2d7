//! The file in which Crossbar.io keeps cookies.
//!
//! Owns what its lines say: each is one change of one cookie, and the last one counts. Only read, so that whoever was
//! logged in at a Crossbar.io node stays so when wamplet takes its place. What is done with the file is the business of
//! [`cookies`](super::cookies).

use serde_json::Value;

use crate::auth::Identity;
use crate::router::utc::utc_ms;

/// A cookie that somebody has logged in with.
#[derive(Debug)]
pub(super) struct Kept {
    pub value: String,
    /// Seconds of the time of day, of the login.
    pub since: u64,
    pub identity: Identity,
}

/// Whether a text is such a file.
pub(super) fn is_one(text: &str) -> bool {
    text.trim_start().starts_with('{')
}

/// The logins of a file; cookies with which nobody has logged in are nothing to know.
pub(super) fn read(text: &str) -> Result<Vec<Kept>, serde_json::Error> {
    let mut lines = serde_json::Map::new();
    for line in text.lines().filter(|line| !line.trim().is_empty()) {
        let line: serde_json::Map<String, Value> = serde_json::from_str(line)?;
        // The name has changed.
        let Some(value) = ["cbtid", "id"].iter().find_map(|key| line.get(*key)?.as_str()) else { continue };
        let value = value.to_owned();
        lines.insert(value, line.into());
    }
    Ok(lines.into_iter().filter_map(|(value, line)| kept(value, &line)).collect())
}

fn kept(value: String, line: &Value) -> Option<Kept> {
    if !line["deleted"].is_null() {
        return None;
    }
    let text = |key: &str| line[key].as_str().map(str::to_owned);
    let since = ["modified", "created"].iter().find_map(|key| line[*key].as_str())?;
    let identity = Identity {
        realm: text("authrealm"),
        authid: text("authid"),
        authrole: text("authrole")?,
        authmethod: text("authmethod")?,
        authprovider: "cookie".into(),
        authextra: line["authextra"].as_object().cloned(),
    };
    Some(Kept { value, since: seconds(since)?, identity })
}

/// Seconds since 1970, of a time such as `2026-11-21T22:30:00.000Z`.
fn seconds(time: &str) -> Option<u64> {
    Some(u64::try_from(utc_ms(time)?).ok()? / 1_000)
}

#[cfg(test)]
mod tests {
    use super::seconds;

    #[test]
    fn times_are_seconds_since_1970() {
        assert_eq!(seconds("1970-01-01T00:00:00.000Z"), Some(0));
        assert_eq!(seconds("2000-02-29T23:59:59Z"), Some(951_868_799));
        assert_eq!(seconds("2000-03-01T00:00:00.5Z"), Some(951_868_800));
        assert_eq!(seconds("2017-04-16T13:31:53.855Z"), Some(1_492_349_513));
        assert_eq!(seconds("2100-03-01T00:00:00Z"), Some(4_107_542_400));
        for other in
            ["", "Z", "2017-04-16", "2017-13-01T00:00:00Z", "2017-04-16T13:31Z", "1969-12-31T23:59:59Z"]
        {
            assert_eq!(seconds(other), None, "{other}");
        }
    }
}
