//! Files of a directory over HTTP.
//!
//! Owns which file a path means, and what must never be served: anything outside of the directory, by whatever way it is
//! asked for. Paths come here as decoded segments ([`routes`](super::routes)), none of which is `..` or holds a `/`;
//! symbolic links are followed as long as they stay inside. Bodies are in [`file_body`](super::file_body).

use std::fs::{self, File, Metadata};
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use http_body_util::BodyExt;
use hyper::header::{self, HeaderMap, HeaderValue};
use hyper::{Response, StatusCode, Uri};
use rustix::io::Errno;
use tracing::warn;

use super::answer::{self, Answer, Refusal};
use super::file_body::FileBody;
use super::listing;
use super::preference::accepts_encoding;
use super::routes::Found;
use crate::config::node::Static;
use crate::native::missing::NO_DIRECTORY;

/// A directory that is served.
#[derive(Debug)]
pub(super) struct Files {
    config: Static,
    cache_control: HeaderValue,
}

/// A file that was found and is open.
struct Opened {
    file: File,
    length: u64,
    modified: SystemTime,
    /// Nanoseconds since 1970 at which the system saw the file change: archives and packages bring times of their own.
    changed: i128,
    content_type: String,
    /// How the file itself is encoded.
    encoding: Option<&'static str>,
    /// Whether there are other forms of it for those who accept them.
    is_negotiable: bool,
    /// Whether it is to be compressed on its way.
    compress: bool,
}

/// What a path means.
enum Target {
    File(Box<Opened>),
    /// A directory whose path lacks its `/`.
    Redirect,
    /// A directory without an index.
    Listing(Vec<listing::Entry>),
    Nothing,
}

impl Files {
    pub fn new(config: &Static) -> Self {
        if !config.directory.is_dir() {
            warn!("{}: {NO_DIRECTORY}", config.directory.display());
        }
        let cache_control = match config.cache_timeout {
            Some(age) => HeaderValue::from_str(&format!("max-age={}", age.as_secs())),
            None => Ok(HeaderValue::from_static("no-cache")),
        };
        Self { config: config.clone(), cache_control: cache_control.expect("a number is ASCII") }
    }

    /// Answers a GET or HEAD of `uri`, as it came.
    pub async fn answer(&self, found: &Found<'_>, uri: &Uri, request: &HeaderMap) -> Result<Answer, Refusal> {
        let wanted = Wanted {
            config: self.config.clone(),
            segments: found.rest.clone(),
            is_folder: found.is_folder,
            // A part of a file is a part of the file as it is.
            accepts_gzip: accepts_encoding(request, "gzip") && !request.contains_key(header::RANGE),
            accepts_brotli: accepts_encoding(request, "br") && !request.contains_key(header::RANGE),
        };
        // File systems have no answer that does not block.
        let target = tokio::task::spawn_blocking(move || wanted.find()).await;
        let mut answer = match target {
            Ok(Ok(Target::File(opened))) => respond(*opened, request)?,
            Ok(Ok(Target::Redirect)) => {
                let name = uri.path().rsplit('/').next().unwrap_or_default();
                let query = uri.query().map(|query| format!("?{query}")).unwrap_or_default();
                let mut answer = answer::whole(StatusCode::TEMPORARY_REDIRECT, "text/plain", "");
                // What is no ASCII in it goes back as it came.
                let location = HeaderValue::from_bytes(format!("./{name}/{query}").as_bytes());
                answer.headers_mut().insert(header::LOCATION, location.map_err(|_| Refusal::not_found())?);
                answer
            }
            Ok(Ok(Target::Listing(entries))) => listing::answer(&entries, found.rest.last()),
            Ok(Ok(Target::Nothing)) => return Err(Refusal::not_found()),
            Ok(Err(error)) => return Err(refuse(&error)),
            Err(error) => return Err(refuse(&error.into())),
        };
        let headers = answer.headers_mut();
        headers.insert(header::CACHE_CONTROL, self.cache_control.clone());
        if self.config.allow_cross_origin {
            headers.insert(header::ACCESS_CONTROL_ALLOW_ORIGIN, HeaderValue::from_static("*"));
        }
        Ok(answer)
    }
}

fn refuse(error: &io::Error) -> Refusal {
    match error.kind() {
        _ if is_absence(error) => Refusal::not_found(),
        io::ErrorKind::PermissionDenied => {
            Refusal::new(StatusCode::FORBIDDEN, "The router may not read this file.")
        }
        _ => {
            warn!("cannot read a file: {error}");
            Refusal::new(StatusCode::INTERNAL_SERVER_ERROR, "The file cannot be read.")
        }
    }
}

/// Whether there is no such file.
fn is_absence(error: &io::Error) -> bool {
    let kinds = [io::ErrorKind::NotFound, io::ErrorKind::NotADirectory, io::ErrorKind::InvalidFilename];
    // A link that leads to itself leads to nothing.
    kinds.contains(&error.kind()) || Errno::from_io_error(error) == Some(Errno::LOOP)
}

/// A request, for a thread that may wait for a file system.
struct Wanted {
    config: Static,
    segments: Vec<String>,
    is_folder: bool,
    accepts_gzip: bool,
    accepts_brotli: bool,
}

impl Wanted {
    fn find(&self) -> io::Result<Target> {
        let root = self.config.directory.canonicalize()?;
        let found = self.find_in(&root);
        let is_nothing = match &found {
            Ok(target) => matches!(target, Target::Nothing),
            Err(error) => is_absence(error),
        };
        match &self.config.default_file {
            // An application may show a page for any address that it makes up.
            Some(name) if is_nothing => self.file(&root, &root.join(name), Path::new(name)),
            _ => found,
        }
    }

    fn find_in(&self, root: &Path) -> io::Result<Target> {
        let mut path = root.to_owned();
        path.extend(&self.segments);
        let Some((folder, metadata)) = inside(root, &path)? else { return Ok(Target::Nothing) };
        if !metadata.is_dir() {
            if self.is_folder {
                return Ok(Target::Nothing);
            }
            let asked = self.segments.last().map(Path::new).unwrap_or(&folder);
            return self.file(root, &folder, asked);
        }
        // The service's own path is a folder too.
        if !self.is_folder {
            return Ok(Target::Redirect);
        }
        for name in INDEX {
            match self.file(root, &folder.join(name), Path::new(name)) {
                Ok(Target::Nothing) => {}
                Err(error) if is_absence(&error) => {}
                index => return index,
            }
        }
        if self.config.enable_directory_listing {
            return Ok(Target::Listing(listing::read(&folder)?));
        }
        Ok(Target::Nothing)
    }

    /// A file by its path. A link may have another name than what it leads to: the type is that of the name asked for.
    fn file(&self, root: &Path, path: &Path, name: &Path) -> io::Result<Target> {
        match inside(root, path)? {
            Some((path, metadata)) if metadata.is_file() => {
                self.open(root, &path, &metadata, name).map(|opened| Target::File(Box::new(opened)))
            }
            // Opening a pipe or a device may wait for ever.
            _ => Ok(Target::Nothing),
        }
    }

    fn open(&self, root: &Path, path: &Path, metadata: &Metadata, name: &Path) -> io::Result<Opened> {
        let (content_type, encoding) = self.content_type(name);
        let modified = metadata.modified()?;
        let is_negotiable = encoding.is_none() && is_compressible(&content_type);
        let mut opened = Opened {
            file: File::open(path)?,
            length: metadata.len(),
            modified,
            changed: changed(metadata),
            content_type,
            encoding,
            is_negotiable,
            compress: false,
        };
        if !is_negotiable {
            return Ok(opened);
        }
        for (accepted, coding, ending) in
            [(self.accepts_brotli, "br", ".br"), (self.accepts_gzip, "gzip", ".gz")]
        {
            let mut compressed = path.as_os_str().to_owned();
            compressed.push(ending);
            if accepted
                && let Ok(Some((path, metadata))) = inside(root, Path::new(&compressed))
                && metadata.is_file()
                && metadata.modified()? >= modified
            {
                opened.file = File::open(path)?;
                opened.length = metadata.len();
                opened.changed = changed(&metadata);
                opened.encoding = Some(coding);
                return Ok(opened);
            }
        }
        opened.compress = self.accepts_gzip && COMPRESSED_LENGTHS.contains(&opened.length);
        Ok(opened)
    }

    /// The type, and the encoding that some endings stand for.
    fn content_type(&self, name: &Path) -> (String, Option<&'static str>) {
        let ending = name.extension().and_then(|ending| ending.to_str()).unwrap_or_default();
        let ending = ending.to_ascii_lowercase();
        let encoding = matches!(ending.as_str(), "jgz" | "svgz").then_some("gzip");
        let configured = self.config.mime_types.iter().filter(|(of, _)| has_ending(name, of));
        // `.tar.gz` says more than `.gz` does.
        if let Some((_, content_type)) = configured.max_by_key(|(of, _)| of.len()) {
            return (content_type.clone(), encoding);
        }
        let content_type = match ending.as_str() {
            "js" | "mjs" | "cjs" | "jgz" => "text/javascript",
            "svg" | "svgz" => "image/svg+xml",
            "wasm" => "application/wasm",
            "map" => "application/json",
            "webmanifest" => "application/manifest+json",
            ending => mime_guess::from_ext(ending).first_raw().unwrap_or("application/octet-stream"),
        };
        let charset = if content_type.starts_with("text/") { "; charset=utf-8" } else { "" };
        (format!("{content_type}{charset}"), encoding)
    }
}

/// Where a path leads, links followed; `None` if that is outside of `root`, which has no links in it.
fn inside(root: &Path, path: &Path) -> io::Result<Option<(PathBuf, Metadata)>> {
    let path = path.canonicalize()?;
    if !path.starts_with(root) {
        warn!("{} is outside of {}, and is not served", path.display(), root.display());
        return Ok(None);
    }
    let metadata = fs::metadata(&path)?;
    Ok(Some((path, metadata)))
}

fn changed(metadata: &Metadata) -> i128 {
    i128::from(metadata.ctime()) * 1_000_000_000 + i128::from(metadata.ctime_nsec())
}

/// Whether a name ends so, in whatever case, and is more than that: `.htaccess` has no ending.
fn has_ending(name: &Path, ending: &str) -> bool {
    let (name, ending) = (name.as_os_str().as_encoded_bytes(), ending.as_bytes());
    let start = name.len().checked_sub(ending.len()).filter(|start| *start > 0);
    start.is_some_and(|start| name[start..].eq_ignore_ascii_case(ending))
}

fn is_compressible(content_type: &str) -> bool {
    let kind = content_type.split(';').next().unwrap_or_default().trim();
    kind.starts_with("text/")
        || kind.ends_with("+json")
        || kind.ends_with("+xml")
        || matches!(
            kind,
            "application/json"
                | "application/javascript"
                | "application/xml"
                | "application/wasm"
                | "application/x-ndjson"
                | "font/ttf"
                | "font/otf"
                | "image/bmp"
                | "image/x-icon"
                | "image/vnd.microsoft.icon"
        )
}

fn respond(opened: Opened, request: &HeaderMap) -> Result<Answer, Refusal> {
    let Opened { file, length, modified, changed, content_type, encoding, is_negotiable, compress } = opened;
    let encoding = if compress { Some("gzip") } else { encoding };
    let etag = entity_tag(changed, length, encoding.filter(|_| is_negotiable));
    let mut headers = HeaderMap::new();
    let text = |text: &str| HeaderValue::from_str(text).map_err(|_| Refusal::not_found());
    headers.insert(header::ETAG, text(&etag)?);
    if modified.duration_since(UNIX_EPOCH).is_ok_and(|time| time < DATES) {
        headers.insert(header::LAST_MODIFIED, text(&httpdate::fmt_http_date(modified))?);
    }
    if is_negotiable {
        headers.insert(header::VARY, HeaderValue::from_static("Accept-Encoding"));
    }
    headers.insert(header::ACCEPT_RANGES, HeaderValue::from_static("bytes"));
    if is_unchanged(request, &etag, modified) {
        let mut answer = Response::new(answer::body(""));
        *answer.status_mut() = StatusCode::NOT_MODIFIED;
        *answer.headers_mut() = headers;
        return Ok(answer);
    }
    headers.insert(header::CONTENT_TYPE, text(&content_type)?);
    if let Some(encoding) = encoding {
        headers.insert(header::CONTENT_ENCODING, HeaderValue::from_static(encoding));
    }
    let range = requested_range(request, length, &etag, modified);
    let (status, first, length) = match range {
        Range::Whole => (StatusCode::OK, 0, length),
        Range::Part { first, last } => {
            let range = format!("bytes {first}-{last}/{length}");
            headers.insert(header::CONTENT_RANGE, text(&range)?);
            (StatusCode::PARTIAL_CONTENT, first, last - first + 1)
        }
        Range::None => {
            let reason = format!("The file has {length} bytes.");
            let mut refusal = Refusal::new(StatusCode::RANGE_NOT_SATISFIABLE, reason);
            refusal.headers.push((header::CONTENT_RANGE, text(&format!("bytes */{length}"))?));
            return Err(refusal);
        }
    };
    let body = FileBody::new(file, first, length, compress).map_err(|error| refuse(&error))?;
    let mut answer = Response::new(body.boxed_unsync());
    *answer.status_mut() = status;
    *answer.headers_mut() = headers;
    Ok(answer)
}

/// What a directory shows, if it has one of them.
const INDEX: [&str; 2] = ["index.html", "index.htm"];

/// What has a date in HTTP, from 1970 on: the year has four digits.
const DATES: Duration = Duration::from_secs(253_402_300_800);

/// Changes with every form of a file and whenever it is written.
fn entity_tag(changed: i128, length: u64, encoding: Option<&str>) -> String {
    let form = encoding.map(|encoding| format!("-{encoding}")).unwrap_or_default();
    format!("\"{changed:x}-{length:x}{form}\"")
}

/// Whether the client has this already. [RFC 9110, 13.2.2]
fn is_unchanged(request: &HeaderMap, etag: &str, modified: SystemTime) -> bool {
    if request.contains_key(header::IF_NONE_MATCH) {
        let tags = request.get_all(header::IF_NONE_MATCH).iter().filter_map(|tags| tags.to_str().ok());
        let mut tags = tags.flat_map(|tags| tags.split(',')).map(str::trim);
        return tags.any(|tag| tag == "*" || tag.strip_prefix("W/").unwrap_or(tag) == etag);
    }
    let since = date(request, header::IF_MODIFIED_SINCE);
    since.is_some_and(|since| whole_seconds(modified) <= whole_seconds(since))
}

fn date(request: &HeaderMap, name: header::HeaderName) -> Option<SystemTime> {
    httpdate::parse_http_date(request.get(name)?.to_str().ok()?).ok()
}

/// A time as HTTP can say it.
fn whole_seconds(time: SystemTime) -> Duration {
    Duration::from_secs(time.duration_since(UNIX_EPOCH).unwrap_or_default().as_secs())
}

/// What is asked for of a file.
#[derive(Debug, PartialEq, Eq)]
enum Range {
    Whole,
    Part {
        first: u64,
        last: u64,
    },
    /// There is no such part.
    None,
}

/// One range is served; more than one, or one of another version, means the whole file. [RFC 9110, 14.2]
fn requested_range(request: &HeaderMap, length: u64, etag: &str, modified: SystemTime) -> Range {
    let Some(range) = request.get(header::RANGE).and_then(|range| range.to_str().ok()) else {
        return Range::Whole;
    };
    if let Some(version) = request.get(header::IF_RANGE) {
        let is_this = version.to_str().is_ok_and(|version| version == etag)
            || date(request, header::IF_RANGE)
                .is_some_and(|date| whole_seconds(date) == whole_seconds(modified));
        if !is_this {
            return Range::Whole;
        }
    }
    parse_range(range, length).unwrap_or(Range::Whole)
}

/// `None` if it is no single range.
fn parse_range(range: &str, length: u64) -> Option<Range> {
    let number = |text: &str| {
        let is_number = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
        // A number that is too large for us is larger than any file.
        is_number.then(|| text.parse().unwrap_or(u64::MAX))
    };
    let (first, last) = range.trim().strip_prefix("bytes=")?.trim().split_once('-')?;
    if first.is_empty() {
        let count = number(last)?.min(length);
        return Some(match count {
            0 => Range::None,
            count => Range::Part { first: length - count, last: length - 1 },
        });
    }
    let first = number(first)?;
    let last = if last.is_empty() { u64::MAX } else { number(last)? };
    if last < first {
        return None;
    }
    if first >= length {
        return Some(Range::None);
    }
    Some(Range::Part { first, last: last.min(length - 1) })
}

/// Bytes of files that are compressed on their way: for shorter ones it is not worth it, longer ones take too long, and are
/// better compressed once and kept beside the file, as `.gz` or `.br`.
const COMPRESSED_LENGTHS: std::ops::RangeInclusive<u64> = 1_024..=8 << 20;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_range_is_what_the_rfc_says() {
        let part = |first, last| Some(Range::Part { first, last });
        for (range, expected) in [
            ("bytes=0-0", part(0, 0)),
            ("bytes=0-", part(0, 9)),
            ("bytes=3-5", part(3, 5)),
            ("bytes=3-500", part(3, 9)),
            ("bytes=-3", part(7, 9)),
            ("bytes=-30", part(0, 9)),
            ("bytes=9-99999999999999999999999", part(9, 9)),
            ("bytes=10-", Some(Range::None)),
            ("bytes=-0", Some(Range::None)),
            ("bytes=99999999999999999999999-", Some(Range::None)),
            ("bytes=5-3", None),
            ("bytes=0-1,3-4", None),
            ("bytes=-", None),
            ("bytes=+1-2", None),
            ("lines=0-1", None),
            ("", None),
        ] {
            assert_eq!(parse_range(range, 10), expected, "{range}");
        }
        assert_eq!(parse_range("bytes=0-", 0), Some(Range::None));
    }
}
