//! Cookies by which a browser is known again, and who has logged in with one.
//!
//! Owns the values that were handed out, and the file that outlives the process. A value is chance, and knows nothing;
//! whoever shows one that was never handed out, or not lately, gets a new one. When a client has authenticated, its cookie
//! stands for it, if `auth.cookie` is configured: the router says so through [`Logins`].
//!
//! Whatever is kept in one file is one [`Jar`], however the file is spelt and whatever else is said of the cookies. Each
//! configuration says for itself how old a cookie may be; at the start, the file is forgotten if one of them wants that.
//!
//! A cookie stands for a login that is still possible: one of the paths with these cookies must have the method that it was
//! made by, and there either an authenticator, or a principal with the same authid and role. So nobody stays who was taken
//! out of the configuration or has another role there; an authenticator is not asked again until the cookie is too old.
//!
//! A browser sends a cookie with the requests of any page. So a cookie only logs in where the request comes from no page,
//! from a page of the same host, or from one that `allowed_origins` names: a `*` alone names nobody.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::fs::{self, OpenOptions};
use std::io::{self, Write as _};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{self, Path, PathBuf};
use std::sync::mpsc::{Receiver, SyncSender, TryRecvError, sync_channel};
use std::sync::{Arc, Mutex, MutexGuard};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use hyper::header::{self, HeaderMap, HeaderValue};
use serde_json::{Value, json};
use tokio::time::Instant;
use tracing::{info, warn};

use super::clock::Clock;
use super::crossbar_cookies;
use super::lock;
use super::secret::random_text;
use crate::auth::{Identity, Logins, Methods};
use crate::config::node::{Cookie, CookieStore, SameSite};
use crate::router::Now;

/// Cookies as they are configured, at one path or several.
#[derive(Debug)]
pub(super) struct Cookies {
    config: Cookie,
    clock: Clock,
    store: Arc<Store>,
}

/// What is kept of cookies: of all that name one file, or of one configuration in memory.
#[derive(Debug)]
struct Store {
    /// Without links and detours; `None` is memory.
    file: Option<PathBuf>,
    jar: Arc<Mutex<Jar>>,
    /// The methods of each path where cookies log in, without the cookies.
    methods: Mutex<BTreeMap<String, Arc<Methods>>>,
    /// The thread that writes the file, until the end.
    keeper: Mutex<Option<Keeper>>,
}

/// A thread that writes a file whenever it is woken.
#[derive(Debug)]
struct Keeper {
    wake: SyncSender<()>,
    thread: JoinHandle<()>,
}

#[derive(Debug, Default)]
struct Jar {
    /// Values that were handed out, and the order in which they were.
    issued: BTreeSet<Arc<str>>,
    order: VecDeque<Arc<str>>,
    /// value -> who has logged in with it
    logins: Known,
    /// Logins that were not shown for longest when all were looked at, with that time, the oldest last: the next ones to go,
    /// unless they have gone or were shown since.
    oldest: Vec<(u64, Arc<str>)>,
    /// Seconds after which a login is of use at no path.
    max_age: u64,
}

/// Cheap to clone: whoever writes them to a file must not hold up those who log in, and with them the router.
type Known = BTreeMap<Arc<str>, Login>;

#[derive(Clone, Debug)]
struct Login {
    /// Seconds of the time of day.
    seen: u64,
    identity: Arc<Identity>,
}

impl Cookies {
    /// The cookies that a path is configured to have, `known` being those of the paths before it. A file that cannot be
    /// read, or is none, is a problem; one that is not there is none.
    pub fn open<'c>(
        config: &Cookie,
        clock: Clock,
        mut known: impl Iterator<Item = &'c Arc<Self>> + Clone,
    ) -> Result<Arc<Self>, String> {
        if let Some(same) = known.clone().find(|known| known.config == *config) {
            return Ok(Arc::clone(same));
        }
        let store = match &config.store {
            CookieStore::Memory => Store::new(None, BTreeMap::new())?,
            CookieStore::File { path, purge_on_startup } => {
                let file = Some(same_for_all_spellings(path));
                match known.find(|known| known.store.file == file) {
                    Some(known) => Arc::clone(&known.store),
                    None => {
                        let logins = check_plain(path).and_then(|()| match purge_on_startup {
                            true => Ok(BTreeMap::new()),
                            false => read(path),
                        });
                        let logins = logins.map_err(|reason| format!("{}: {reason}", path.display()))?;
                        Store::new(file, logins)?
                    }
                }
            }
        };
        let mut jar = store.lock();
        jar.max_age = jar.max_age.max(config.max_age.as_secs());
        if let CookieStore::File { purge_on_startup: true, .. } = config.store {
            jar.logins.clear();
        }
        drop(jar);
        // Says now, and not at the first login, that the file cannot be written.
        store.save();
        Ok(Arc::new(Self { config: config.clone(), clock, store }))
    }

    /// The value by which a browser is known, and the header that tells it.
    pub fn recognize(&self, headers: &HeaderMap) -> io::Result<(Arc<str>, HeaderValue)> {
        let now = self.now();
        let mut jar = self.store.lock();
        let shown = shown(headers, &self.config.name).find_map(|value| jar.known(value, now, &self.config));
        let value = match shown {
            Some(value) => {
                let is_stale = jar.logins.get_mut(&value).is_some_and(|login| {
                    let is_stale = now > login.seen.saturating_add(RESOLUTION);
                    if is_stale {
                        login.seen = now;
                    }
                    is_stale
                });
                if is_stale {
                    self.store.save();
                }
                value
            }
            None => {
                let value: Arc<str> = random_text(self.config.length)?.into();
                jar.issue(Arc::clone(&value));
                value
            }
        };
        let header = self.header(&value);
        Ok((value, header))
    }

    /// Takes how clients log in at a path now, if cookies log in there.
    pub fn set_methods(&self, path: &str, methods: Option<&Arc<Methods>>) {
        let mut known = lock(&self.store.methods);
        match methods {
            Some(methods) => known.insert(path.to_owned(), Arc::clone(methods)),
            None => known.remove(path),
        };
    }

    /// The same, as authentication sees it.
    pub fn as_logins(self: Arc<Self>) -> Arc<dyn Logins> {
        self
    }

    /// `Set-Cookie`, each time, so that the age counts from the last time.
    fn header(&self, value: &str) -> HeaderValue {
        let Cookie { name, max_age, secure, http_strict, same_site, .. } = &self.config;
        let mut text = format!("{name}={value}; Max-Age={}; Path=/", max_age.as_secs());
        if *secure {
            text.push_str("; Secure");
        }
        if *http_strict {
            text.push_str("; HttpOnly");
        }
        text.push_str(match same_site {
            Some(SameSite::Strict) => "; SameSite=Strict",
            Some(SameSite::Lax) => "; SameSite=Lax",
            Some(SameSite::None) => "; SameSite=None",
            None => "",
        });
        HeaderValue::from_str(&text).expect("the name of a cookie is a token, its value base64")
    }

    /// Waits until all that has changed is in the file; what changes later is not.
    pub fn close(&self) {
        let keeper = lock(&self.store.keeper).take();
        if let Some(Keeper { wake, thread }) = keeper {
            drop(wake);
            // It would end in a panic, which ends the process.
            let _ = thread.join();
        }
    }

    fn now(&self) -> u64 {
        seconds(self.clock.now())
    }
}

impl Store {
    fn new(file: Option<PathBuf>, logins: Known) -> Result<Arc<Self>, String> {
        let jar = Arc::new(Mutex::new(Jar { logins, ..Jar::default() }));
        let keeper = match &file {
            Some(path) => Some(keep(path.clone(), Arc::clone(&jar))?),
            None => None,
        };
        Ok(Arc::new(Self { file, jar, methods: Mutex::default(), keeper: Mutex::new(keeper) }))
    }

    fn save(&self) {
        if let Some(keeper) = &*lock(&self.keeper) {
            // The thread ends with its sender. Where it is awake already, it has not looked yet.
            let _ = keeper.wake.try_send(());
        }
    }

    fn lock(&self) -> MutexGuard<'_, Jar> {
        lock(&self.jar)
    }
}

impl Logins for Cookies {
    fn login(&self, value: &str, now: Now) -> Option<Identity> {
        let jar = self.store.lock();
        let login = jar
            .logins
            .get(value)
            .filter(|login| !login.is_over(seconds(now), self.config.max_age.as_secs()))?;
        let is_possible =
            lock(&self.store.methods).values().any(|methods| methods.still_know(&login.identity));
        is_possible.then(|| Identity::clone(&login.identity))
    }

    fn remember(&self, value: &str, identity: &Identity, now: Now) {
        let login = Login { seen: seconds(now), identity: identity.clone().into() };
        let mut jar = self.store.lock();
        if jar.logins.len() >= MAX_LOGINS && !jar.logins.contains_key(value) {
            jar.drop_oldest();
        }
        jar.logins.insert(value.into(), login);
        self.store.save();
    }

    fn forget(&self, value: &str) {
        if self.store.lock().logins.remove(value).is_some() {
            self.store.save();
        }
    }
}

impl Jar {
    /// The value, if it was handed out here and is not too old.
    fn known(&mut self, value: &str, now: u64, config: &Cookie) -> Option<Arc<str>> {
        if let Some((known, login)) = self.logins.get_key_value(value) {
            let known = Arc::clone(known);
            if !login.is_over(now, config.max_age.as_secs()) {
                return Some(known);
            }
            if !login.is_over(now, self.max_age) {
                // It stands for somebody at another path: here it gets no new life.
                return None;
            }
            self.logins.remove(&known);
        }
        self.issued.get(value).cloned()
    }

    /// Forgets the login that was not shown for longest. Not each one that has to go is worth a look at all.
    fn drop_oldest(&mut self) {
        while !self.logins.is_empty() {
            if let Some((seen, value)) = self.oldest.pop() {
                if self.logins.get(&value).is_some_and(|login| login.seen == seen) {
                    self.logins.remove(&value);
                    return;
                }
                continue;
            }
            self.oldest = self.logins.iter().map(|(value, login)| (login.seen, Arc::clone(value))).collect();
            self.oldest.sort_unstable();
            self.oldest.truncate(MAX_OLDEST);
            self.oldest.shrink_to_fit();
            self.oldest.reverse();
        }
    }

    fn issue(&mut self, value: Arc<str>) {
        if self.issued.len() >= MAX_ISSUED
            && let Some(oldest) = self.order.pop_front()
        {
            self.issued.remove(&oldest);
        }
        self.order.push_back(Arc::clone(&value));
        self.issued.insert(value);
    }
}

impl Login {
    fn is_over(&self, now: u64, max_age: u64) -> bool {
        now > self.seen.saturating_add(max_age)
    }
}

fn seconds(now: Now) -> u64 {
    now.unix_ns / 1_000_000_000
}

/// The values of all cookies of a name: there may be one for each path and domain.
fn shown<'a>(headers: &'a HeaderMap, name: &str) -> impl Iterator<Item = &'a str> {
    let values = headers.get_all(header::COOKIE).iter().map(HeaderValue::as_bytes);
    let pairs = values.flat_map(|value| value.split(|byte| *byte == b';'));
    // Other cookies of the host may be in any encoding.
    let pairs = pairs.filter_map(|pair| std::str::from_utf8(pair).ok()?.trim().split_once('='));
    pairs.filter(move |(key, _)| *key == name).map(|(_, value)| value.trim_matches('"'))
}

/// One name for a file, whether it is there or not yet: without links, `..`, and the directory of the process.
fn same_for_all_spellings(path: &Path) -> PathBuf {
    let of_directory = || {
        let directory = path.parent()?;
        fs::create_dir_all(directory).ok()?;
        Some(directory.canonicalize().ok()?.join(path.file_name()?))
    };
    // A directory that cannot be made is told of by whoever writes the file.
    let canonical = path.canonicalize().ok().or_else(of_directory);
    canonical.or_else(|| path::absolute(path).ok()).unwrap_or_else(|| path.to_owned())
}

/// Refuses what is no file: it would be replaced by one, be it `/dev/null`, and reading it may have no end.
fn check_plain(path: &Path) -> Result<(), String> {
    match fs::metadata(path) {
        Ok(metadata) if !metadata.is_file() => Err("expected a file, found something else".into()),
        // One that is not there is made; what else is wrong with it is told of by its reader.
        _ => Ok(()),
    }
}

/// The logins of a file.
fn read(path: &Path) -> Result<Known, String> {
    let text = match fs::read_to_string(path) {
        Ok(text) => text,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(BTreeMap::new()),
        Err(error) => return Err(error.to_string()),
    };
    if crossbar_cookies::is_one(&text) {
        return read_crossbar(path, &text);
    }
    let entries: Vec<Value> = match text.trim() {
        "" => Vec::new(),
        text => serde_json::from_str(text).map_err(|error| format!("expected cookies, found {error}"))?,
    };
    let mut logins = BTreeMap::new();
    for entry in entries {
        let text = |key: &str| entry.get(key).and_then(Value::as_str).map(str::to_owned);
        let login = text("value").zip(text("authrole")).zip(entry.get("seen").and_then(Value::as_u64));
        let ((value, authrole), seen) = login.ok_or("expected cookies, found something else")?;
        let identity = Identity {
            realm: text("realm"),
            authid: text("authid"),
            authrole,
            authmethod: text("authmethod").unwrap_or_default(),
            authprovider: "cookie".into(),
            authextra: entry.get("authextra").and_then(Value::as_object).cloned(),
        };
        logins.insert(value.into(), Login { seen, identity: identity.into() });
    }
    Ok(logins)
}

/// The logins of a file of Crossbar.io, of which a copy stays for whoever goes back.
fn read_crossbar(path: &Path, text: &str) -> Result<Known, String> {
    let mut copy = path.as_os_str().to_owned();
    copy.push(".crossbar");
    let copy = PathBuf::from(copy);
    fs::copy(path, &copy).map_err(|error| format!("cannot be copied to {}: {error}", copy.display()))?;
    let kept = crossbar_cookies::read(text);
    let mut kept = kept.map_err(|error| format!("expected cookies of Crossbar.io, found {error}"))?;
    kept.sort_by_key(|kept| std::cmp::Reverse(kept.since));
    kept.truncate(MAX_LOGINS);
    info!("read the cookies of Crossbar.io, of which {} keeps a copy", copy.display());
    let login = |kept: crossbar_cookies::Kept| {
        (kept.value.into(), Login { seen: kept.since, identity: kept.identity.into() })
    };
    Ok(kept.into_iter().map(login).collect())
}

/// Starts the thread that writes the file, and tries again where that fails.
fn keep(path: PathBuf, jar: Arc<Mutex<Jar>>) -> Result<Keeper, String> {
    // One wish waits for all: what has changed until it is heard is written at once.
    let (wake, woken) = sync_channel(1);
    let write = move || {
        let mut has_failed = false;
        let mut is_wanted = woken.recv().is_ok();
        while is_wanted {
            has_failed = fails_to_write(&path, &jar, has_failed);
            let is_over = || matches!(woken.try_recv(), Err(TryRecvError::Disconnected));
            is_wanted = gather(&woken) || if has_failed { !is_over() } else { woken.recv().is_ok() };
        }
        if has_failed {
            // There may be room by now.
            fails_to_write(&path, &jar, has_failed);
        }
    };
    let thread = thread::Builder::new().name("cookies".into()).spawn(write);
    let thread = thread.map_err(|error| format!("the system gives no thread: {error}"))?;
    Ok(Keeper { wake, thread })
}

/// Writes what is there. Of some failures in a row the log has the first one, and that they are over.
fn fails_to_write(path: &Path, jar: &Mutex<Jar>, has_failed: bool) -> bool {
    let logins = lock(jar).logins.clone();
    let written = write(path, &entries(&logins));
    match &written {
        Ok(()) if has_failed => info!("the cookies are written to {} again", path.display()),
        Err(error) if !has_failed => warn!("cannot write the cookies to {}: {error}", path.display()),
        Ok(()) | Err(_) => {}
    }
    written.is_err()
}

/// Whether anybody wants the file written again: hears of it for as long as it stays as it is, or until the end.
fn gather(woken: &Receiver<()>) -> bool {
    let until = Instant::now() + PAUSE;
    let mut is_wanted = false;
    while let Some(left) = until.checked_duration_since(Instant::now())
        && woken.recv_timeout(left).is_ok()
    {
        is_wanted = true;
    }
    is_wanted
}

fn entries(logins: &Known) -> Value {
    let entry = |(value, Login { seen, identity }): (&Arc<str>, &Login)| {
        json!({
            "value": &**value,
            "seen": seen,
            "realm": identity.realm,
            "authid": identity.authid,
            "authrole": identity.authrole,
            "authmethod": identity.authmethod,
            "authextra": identity.authextra,
        })
    };
    logins.iter().map(entry).collect()
}

/// Replaces the file as a whole, so that half of it is never read.
fn write(path: &Path, entries: &Value) -> io::Result<()> {
    let mut name = path.as_os_str().to_owned();
    name.push(".new");
    if let Some(directory) = path.parent() {
        fs::create_dir_all(directory)?;
    }
    let mut file = OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(&name)?;
    file.write_all(entries.to_string().as_bytes())?;
    file.sync_all()?;
    fs::rename(name, path)
}

/// Time between two writes of the file, which has all logins in it. What came in it is lost where the process is killed.
const PAUSE: Duration = Duration::from_secs(1);

/// Values that nobody has logged in with; the oldest makes room for one more.
const MAX_ISSUED: usize = 10_000;

/// Cookies that somebody has logged in with; the one that was not shown for longest makes room for one more.
const MAX_LOGINS: usize = 10_000;

/// Logins that are known to be the next ones to go.
const MAX_OLDEST: usize = 256;

/// Seconds by which the time at which a cookie was shown may be wrong.
const RESOLUTION: u64 = 3_600;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_browser_that_logs_in_again_takes_nobodys_place() {
        let cookies = Cookies::open(&Cookie::default(), Clock::start(), std::iter::empty());
        let cookies = cookies.expect("cookies in memory");
        let remember = |value: usize, seconds: u64| {
            let now = Now { mono_ms: 0, unix_ns: seconds * 1_000_000_000 };
            cookies.remember(&value.to_string(), &Identity::anonymous(), now);
        };
        for value in 0..MAX_LOGINS {
            remember(value, value as u64);
        }
        let has = |value: &str| cookies.store.lock().logins.contains_key(value);
        remember(MAX_LOGINS - 1, 20_000);
        assert!(has("0"), "there is room for all of them");
        remember(MAX_LOGINS, 20_001);
        assert!(!has("0") && has("1"), "the oldest one has made room for another");
        assert_eq!(cookies.store.lock().logins.len(), MAX_LOGINS);
        // Who is next changes where one logs in again, or is forgotten.
        remember(2, 20_002);
        cookies.forget("3");
        remember(MAX_LOGINS + 1, 20_003);
        assert!(has("1"), "there was room");
        for more in 2..=1_000 {
            remember(MAX_LOGINS + more, 20_004);
        }
        assert!(has("2") && !has("1001") && has("1002"), "the oldest ones have made room");
        assert_eq!(cookies.store.lock().logins.len(), MAX_LOGINS);
    }

    fn temporary(name: &str) -> PathBuf {
        std::env::temp_dir().join(format!("wamplet-cookies-{}-{name}", std::process::id()))
    }

    fn open(path: &Path) -> Result<Arc<Cookies>, String> {
        let store = CookieStore::File { path: path.to_owned(), purge_on_startup: true };
        let config = Cookie { store, ..Cookie::default() };
        Cookies::open(&config, Clock::start(), std::iter::empty())
    }

    /// Puts a directory where the file is written, over which nothing can be.
    fn block(path: &Path) -> PathBuf {
        let mut new = path.to_owned().into_os_string();
        new.push(".new");
        while fs::create_dir(&new).is_err() {
            thread::sleep(Duration::from_millis(1));
        }
        new.into()
    }

    #[test]
    fn what_could_not_be_written_is_written_at_the_end_if_it_can_be() {
        let path = temporary("end");
        let cookies = open(&path).expect("a file");
        let new = block(&path);
        cookies.remember("1", &Identity::anonymous(), Now { mono_ms: 0, unix_ns: 0 });
        thread::sleep(PAUSE * 2);
        fs::remove_dir(&new).expect("it is there");
        cookies.close();
        let kept = read(&path).map(|logins| logins.len());
        fs::remove_file(&path).expect("it is there");
        assert_eq!(kept, Ok(1));
    }

    #[test]
    fn what_could_not_be_written_is_written_as_soon_as_it_can_be() {
        let path = temporary("later");
        let cookies = open(&path).expect("a file");
        let kept = || read(&path).map(|logins| logins.len());
        let new = block(&path);
        cookies.remember("1", &Identity::anonymous(), Now { mono_ms: 0, unix_ns: 0 });
        thread::sleep(PAUSE * 2);
        assert_eq!(kept(), Ok(0));
        fs::remove_dir(&new).expect("it is there");
        let begun = Instant::now();
        while kept() != Ok(1) && begun.elapsed() < PAUSE * 10 {
            thread::sleep(PAUSE / 10);
        }
        let written = kept();
        cookies.close();
        fs::remove_file(&path).expect("it is there");
        assert_eq!(written, Ok(1));
    }

    #[test]
    fn what_is_no_file_is_left_as_it_is() {
        let path = temporary("pipe");
        let made = std::process::Command::new("mkfifo").arg(&path).status();
        assert!(made.expect("mkfifo is everywhere").success());
        let refused = open(&path).map(|cookies| cookies.close());
        let is_file = fs::metadata(&path).expect("it is there").is_file();
        fs::remove_file(&path).expect("it is there");
        assert_eq!((refused.is_err(), is_file), (true, false));
    }

    #[test]
    fn many_logins_are_written_together_and_the_last_of_them_at_the_end() {
        let path = temporary("many");
        let cookies = open(&path).expect("a file");
        let begun = Instant::now();
        let mut written = BTreeSet::new();
        for value in 0..100 {
            cookies.remember(&value.to_string(), &Identity::anonymous(), Now { mono_ms: 0, unix_ns: 0 });
            thread::sleep(Duration::from_millis(2));
            written.extend(fs::metadata(&path).and_then(|metadata| metadata.modified()).ok());
        }
        // However long that took: at once, and after each pause.
        let most = 2 + begun.elapsed().div_duration_f64(PAUSE) as usize;
        cookies.close();
        let kept = read(&path);
        fs::remove_file(&path).expect("it is there");
        assert!(written.len() <= most, "written {} times", written.len());
        assert_eq!(kept.map(|logins| logins.len()), Ok(100));
    }
}
