//! A JSON value that knows where it stands, so that whoever reads it can say what is wrong with it.
//!
//! Every reader here reports to a [`Report`] and answers `None` when the value is not what it must be; reading goes on,
//! and all problems come out together. Knows nothing of Crossbar: what is expected is in
//! [`crossbar`](super::crossbar).

use serde_json::{Map, Value};

use crate::codec::{self, Serializer};
use crate::payload::Values;

use super::error::{ConfigError, Problem, SHOWN, Warning};

/// A value, or the lack of one, and its path.
pub(super) struct Cursor<'a> {
    value: Option<&'a Value>,
    path: String,
}

impl<'a> Cursor<'a> {
    pub fn root(value: &'a Value) -> Self {
        Self { value: Some(value), path: String::new() }
    }

    /// The path in sentences.
    pub fn path(&self) -> String {
        shown_path(&self.path)
    }

    /// Whether it is this text.
    pub fn is(&self, text: &str) -> bool {
        self.value.and_then(Value::as_str) == Some(text)
    }

    pub fn is_boolean(&self) -> bool {
        matches!(self.value, Some(Value::Bool(_)))
    }

    pub fn is_null(&self) -> bool {
        matches!(self.value, None | Some(Value::Null))
    }

    pub fn is_object(&self) -> bool {
        matches!(self.value, Some(Value::Object(_)))
    }

    /// The value as an object, whatever keys it has.
    pub fn any_object(&self, report: &mut Report) -> Option<Object<'a>> {
        let Some(Value::Object(map)) = self.value else { return self.problem("an object", report) };
        Some(Object { map, path: self.path.clone() })
    }

    /// The value as an object whose keys are all in `keys`.
    pub fn object(&self, keys: &[(&str, Key)], report: &mut Report) -> Option<Object<'a>> {
        let object = self.any_object(report)?;
        object.check_keys(keys, report);
        Some(object)
    }

    /// The elements of the array, at most `most`; `what` names them.
    pub fn elements(&self, most: usize, what: &str, report: &mut Report) -> Option<Vec<Self>> {
        let Some(Value::Array(values)) = self.value else {
            return self.problem(&format!("an array of {what}"), report);
        };
        if values.len() > most {
            let found = values.len().to_string();
            return self.problem_found(&format!("at most {most} {what}"), &found, report);
        }
        Some(self.numbered(values))
    }

    /// The elements, if this is an array.
    pub fn items(&self) -> Vec<Self> {
        self.value.and_then(Value::as_array).map_or_else(Vec::new, |values| self.numbered(values))
    }

    fn numbered(&self, values: &'a [Value]) -> Vec<Self> {
        let mut elements = Vec::new();
        for (position, value) in values.iter().enumerate() {
            elements.push(Self { value: Some(value), path: format!("{}[{position}]", self.path) });
        }
        elements
    }

    pub fn string(&self, expected: &str, report: &mut Report) -> Option<&'a str> {
        let Some(Value::String(text)) = self.value else { return self.problem(expected, report) };
        Some(text)
    }

    pub fn boolean(&self, report: &mut Report) -> Option<bool> {
        let Some(Value::Bool(value)) = self.value else { return self.problem("true or false", report) };
        Some(*value)
    }

    /// An integer from `least` to `most`; a float without a fraction is one, since JavaScript knows no other.
    pub fn integer(&self, least: u64, most: u64, report: &mut Report) -> Option<u64> {
        match self.number() {
            Some(number) if (least..=most).contains(&number) => Some(number),
            _ => self.problem(&format!("an integer from {least} to {most}"), report),
        }
    }

    pub fn power_of_two(&self, least: u64, most: u64, report: &mut Report) -> Option<u64> {
        match self.number() {
            Some(number) if (least..=most).contains(&number) && number.is_power_of_two() => Some(number),
            _ => self.problem(&format!("a power of two from {least} to {most}"), report),
        }
    }

    fn number(&self) -> Option<u64> {
        self.value.and_then(|value| value.as_u64().or_else(|| integral(value.as_f64()?)))
    }

    /// What the string stands for.
    pub fn choice<T: Copy>(&self, choices: &[(&str, T)], report: &mut Report) -> Option<T> {
        let words: Vec<&str> = choices.iter().map(|(word, _)| *word).collect();
        self.word(&words, report).map(|position| choices[position].1)
    }

    fn word(&self, words: &[&str], report: &mut Report) -> Option<usize> {
        let Some(Value::String(text)) = self.value else { return self.problem(&one_of(words), report) };
        let position = words.iter().position(|word| word == text);
        if position.is_none() {
            report.problem(self.path.clone(), one_of(words), quote(text), nearest(text, words));
        }
        position
    }

    pub fn value(&self) -> Option<&'a Value> {
        self.value
    }

    /// Reports that something else is expected here, and shows nothing of what stands here; always `None`.
    pub fn problem_kind<T>(&self, expected: &str, report: &mut Report) -> Option<T> {
        let found = match self.value {
            None => "nothing",
            Some(Value::String(_)) => "a text",
            Some(Value::Array(_)) => "an array",
            Some(Value::Object(_)) => "an object",
            Some(Value::Number(_)) => "a number",
            Some(Value::Null | Value::Bool(_)) => "no text",
        };
        self.problem_found(expected, found, report)
    }

    /// Reports that something else is expected here; always `None`.
    pub fn problem<T>(&self, expected: &str, report: &mut Report) -> Option<T> {
        self.report(expected, None, report);
        None
    }

    /// The same, with what to say about what stands here.
    pub fn problem_found<T>(&self, expected: &str, found: &str, report: &mut Report) -> Option<T> {
        self.report(expected, Some(found), report);
        None
    }

    /// Not generic, so that it is in the binary once.
    fn report(&self, expected: &str, found: Option<&str>, report: &mut Report) {
        let found = found.map_or_else(|| describe(self.value), str::to_owned);
        report.problem(self.path.clone(), expected.to_owned(), found, None);
    }
}

/// What the reader of a node needs beside.
#[cfg(feature = "native")]
impl<'a> Cursor<'a> {
    /// The value at a key, if this is an object.
    pub fn at(&self, key: &str) -> Self {
        let value = self.value.and_then(|value| value.get(key));
        Self { value, path: child_path(&self.path, key) }
    }

    /// What the string stands for; only what is served is shown to whoever wrote something else.
    pub fn kind(&self, kinds: &[(&'static str, Key)], report: &mut Report) -> Option<(&'static str, Key)> {
        let Some(Value::String(text)) = self.value else {
            return self.problem(&one_of(&served(kinds)), report);
        };
        let found = kinds.iter().find(|(word, _)| word == text);
        if found.is_none() {
            let words: Vec<&str> = kinds.iter().map(|(word, _)| *word).collect();
            report.problem(self.path.clone(), one_of(&served(kinds)), quote(text), nearest(text, &words));
        }
        found.copied()
    }

    /// Reports that another key is expected here; always `None`.
    pub fn problem_key<T>(
        &self,
        expected: &str,
        key: &str,
        meant: Option<String>,
        report: &mut Report,
    ) -> Option<T> {
        report.problem(self.path.clone(), expected.to_owned(), quote(key), meant);
        None
    }

    /// Reports that something else is expected here, and what was probably meant; always `None`.
    pub fn problem_meant<T>(&self, expected: &str, meant: String, report: &mut Report) -> Option<T> {
        report.problem(self.path.clone(), expected.to_owned(), describe(self.value), Some(meant));
        None
    }
}

/// An object, and its path.
pub(super) struct Object<'a> {
    map: &'a Map<String, Value>,
    path: String,
}

impl<'a> Object<'a> {
    /// Reports the keys that are not in `keys`, and warns of those that are not served.
    pub fn check_keys(&self, keys: &[(&str, Key)], report: &mut Report) {
        for (key, value) in self.map {
            let path = child_path(&self.path, key);
            match keys.iter().find(|(known, _)| known == key) {
                Some((_, Key::Served)) => {}
                Some((_, Key::NotServed(message))) => {
                    if !asks_for_nothing(value) {
                        report.warn(shown_path(&path), message);
                    }
                }
                Some((_, Key::Refused(expected))) => {
                    if !value.is_null() {
                        report.problem(path, (*expected).to_owned(), describe(Some(value)), None);
                    }
                }
                None => {
                    let known: Vec<&str> = keys.iter().map(|(known, _)| *known).collect();
                    let did_you_mean = nearest(key, &known);
                    let expected = match did_you_mean {
                        Some(_) => "a known key".to_owned(),
                        None => match &served(keys)[..] {
                            [only] => format!("the key {}", quote(only)),
                            served => format!("one of the keys {}", one_of(served)),
                        },
                    };
                    report.problem(path, expected, quote(key), did_you_mean);
                }
            }
        }
    }

    /// All entries.
    pub fn entries(&self) -> Vec<(&'a str, Cursor<'a>)> {
        let entry = |(key, value): (&'a String, &'a Value)| {
            (key.as_str(), Cursor { value: Some(value), path: child_path(&self.path, key) })
        };
        self.map.iter().map(entry).collect()
    }

    /// The value at a key that may be left out; `null` (JavaScript's `undefined`) leaves it out.
    pub fn get(&self, key: &str) -> Option<Cursor<'a>> {
        Some(self.required(key)).filter(|value| !value.is_null())
    }

    /// The value at a key that may be left out, `null` too.
    pub fn given(&self, key: &str) -> Option<Cursor<'a>> {
        Some(self.required(key)).filter(|value| value.value.is_some())
    }

    /// The value at a key that must be there: its reader reports its absence.
    pub fn required(&self, key: &str) -> Cursor<'a> {
        Cursor { value: self.map.get(key), path: child_path(&self.path, key) }
    }
}

/// What becomes of a known key.
#[derive(Clone, Copy)]
pub(super) enum Key {
    /// It is read, or names something that needs no reading.
    Served,
    /// It is not served: a warning with this sentence, if there is anything in it.
    NotServed(&'static str),
    /// It must not be there: a problem that says what is expected in its place.
    Refused(&'static str),
}

/// What has come up so far.
#[derive(Default)]
pub(super) struct Report {
    problems: Vec<Problem>,
    more_problems: usize,
    warnings: Vec<Warning>,
    more_warnings: usize,
    /// Whether it may be that the configuration is for another machine, with variables that are not set here.
    #[cfg(feature = "native")]
    is_for_elsewhere: bool,
    /// Whether values are unknown for that reason alone.
    #[cfg(feature = "native")]
    is_incomplete: bool,
}

impl Report {
    /// The report of a configuration that is read and not served: that a variable is unset is no problem of it.
    #[cfg(feature = "native")]
    pub fn of_elsewhere() -> Self {
        Self { is_for_elsewhere: true, ..Self::default() }
    }

    /// Whether the value of an unset variable may be left open.
    #[cfg(feature = "native")]
    pub fn leaves_open(&mut self) -> bool {
        self.is_incomplete |= self.is_for_elsewhere;
        self.is_for_elsewhere
    }

    fn problem(&mut self, path: String, expected: String, found: String, did_you_mean: Option<String>) {
        if self.problems.len() < SHOWN {
            self.problems.push(Problem { path: shown_path(&path), expected, found, did_you_mean });
        } else {
            self.more_problems += 1;
        }
    }

    pub fn warn(&mut self, path: String, message: &str) {
        if self.warnings.len() < SHOWN {
            self.warnings.push(Warning { path, message: message.to_owned() });
        } else {
            self.more_warnings += 1;
        }
    }

    /// The name, if it is a known one.
    pub fn known(&mut self, path: String, expected: &str, name: &str, known: &[&str]) -> Option<String> {
        if known.contains(&name) {
            return Some(name.to_owned());
        }
        let expected = match known.len() {
            0 => format!("{expected} (there is none)"),
            1..=LISTED => format!("{expected} ({})", one_of(known)),
            _ => expected.to_owned(),
        };
        self.problem(path, expected, quote(name), nearest(name, known));
        None
    }

    /// Whether anything is missing of what was to be read.
    pub fn has_problems(&self) -> bool {
        #[cfg(feature = "native")]
        if self.is_incomplete {
            return true;
        }
        !self.problems.is_empty()
    }

    /// The warnings, with the problems if there was one.
    pub fn finish(self) -> Result<Vec<Warning>, ConfigError> {
        let Self { problems, more_problems: more, mut warnings, more_warnings, .. } = self;
        if more_warnings > 0 {
            let message = format!("{more_warnings} more warnings are not listed");
            warnings.push(Warning { path: shown_path(""), message });
        }
        if problems.is_empty() {
            Ok(warnings)
        } else {
            Err(ConfigError::Invalid { problems, more, warnings })
        }
    }
}

/// The text as JSON, cut off where it gets long.
pub(super) fn quote(text: &str) -> String {
    let mut shown: String = text.chars().take(QUOTED).collect();
    if shown.len() < text.len() {
        shown.push('…');
    }
    json_text(&Value::from(shown))
}

/// As the codecs write it, which saves a second JSON writer in the browser.
fn json_text(value: &Value) -> String {
    let (text, _) = codec::encode_values(&Values::args([value.clone()]), Serializer::Json);
    let text = String::from_utf8_lossy(&text);
    text.strip_prefix('[').and_then(|text| text.strip_suffix(']')).unwrap_or_default().to_owned()
}

/// What stands somewhere, for whoever wrote it: a few words, however long it is.
pub(crate) fn describe(value: Option<&Value>) -> String {
    match value {
        None => "nothing".to_owned(),
        Some(Value::String(text)) => quote(text),
        Some(Value::Array(_)) => "an array".to_owned(),
        Some(Value::Object(_)) => "an object".to_owned(),
        Some(value @ (Value::Null | Value::Bool(_) | Value::Number(_))) => json_text(value),
    }
}

fn asks_for_nothing(value: &Value) -> bool {
    match value {
        Value::Null | Value::Bool(false) => true,
        Value::Array(values) => values.is_empty(),
        Value::Object(map) => map.is_empty(),
        Value::Bool(true) | Value::Number(_) | Value::String(_) => false,
    }
}

fn served<'k>(keys: &[(&'k str, Key)]) -> Vec<&'k str> {
    keys.iter().filter(|(_, key)| matches!(key, Key::Served)).map(|(known, _)| *known).collect()
}

fn integral(number: f64) -> Option<u64> {
    // 2^53: up to there a float is the integer that was written.
    (number.fract() == 0.0 && (0.0..=9_007_199_254_740_992.0).contains(&number)).then_some(number as u64)
}

fn child_path(path: &str, key: &str) -> String {
    let is_plain = !key.is_empty()
        && key.len() <= QUOTED
        && key.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'-' | b'$'));
    match (path, is_plain) {
        ("", true) => key.to_owned(),
        (_, true) => format!("{path}.{key}"),
        (_, false) => format!("{path}[{}]", quote(key)),
    }
}

fn shown_path(path: &str) -> String {
    let shown = if path.is_empty() { "config" } else { path };
    shown.to_owned()
}

/// `"a", "b" or "c"`.
fn one_of(words: &[&str]) -> String {
    let mut text = String::new();
    for (position, word) in words.iter().enumerate() {
        let separator = match position {
            0 => "",
            _ if position + 1 == words.len() => " or ",
            _ => ", ",
        };
        text.push_str(separator);
        text.push_str(&quote(word));
    }
    text
}

/// The word that was probably meant: at most a third of its letters differ.
fn nearest(text: &str, words: &[&str]) -> Option<String> {
    if text.len() > QUOTED {
        return None;
    }
    let text = text.to_ascii_lowercase();
    let distances = words.iter().map(|word| (strsim::osa_distance(&text, word), *word));
    let (distance, word) = distances.min_by_key(|(distance, _)| *distance)?;
    (distance * 3 <= word.len()).then(|| word.to_owned())
}

/// Characters of a string of the configuration that a sentence shows.
const QUOTED: usize = 60;

/// Names of an operator that a sentence lists.
const LISTED: usize = 8;
