//! The grammar of incoming options and details: which keys a message has, and their types.
//!
//! Owns the rules of all dictionaries that become structs: unknown keys are walked and ignored, no key may stand
//! twice, null and `undefined` are as good as absent (that is how JavaScript encoders write options that were never
//! set), booleans must be booleans. Attributes that only router-to-router links use are checked and dropped.

use std::borrow::Cow;

use crate::id::SessionId;
use crate::message::{
    CallOptions, CancelMode, InvokePolicy, Passthru, PassthruAttributes, PublishOptions, RegisterOptions,
    Restrictions, SubscribeOptions, YieldOptions,
};
use crate::uri::MatchPolicy;

use super::decode::Decoder;
use super::keys::Key;
use super::reader::{Found, Reader, Step, duplicate_key, expected};

/// Reads the value of a key, or says that the key means nothing here.
pub(super) type OnKey<'f, 'r, 'a, R> = &'f mut dyn FnMut(&mut Decoder<'r, 'a, R>, Key) -> Step<bool>;

impl<'r, 'a, R: Reader<'a> + ?Sized> Decoder<'r, 'a, R> {
    pub fn publish_options(&mut self) -> Step<PublishOptions<'a>> {
        let mut options = PublishOptions::default();
        self.options(&mut |decoder, key| {
            match key {
                Key::Acknowledge => options.acknowledge = decoder.bool()?,
                Key::ExcludeMe => options.exclude_me = decoder.bool()?,
                Key::DiscloseMe => options.disclose_me = decoder.bool()?,
                Key::Retain => options.retain = decoder.bool()?,
                Key::RetainMs => {
                    options.retain_ms = Some(decoder.integer("an integer from 1", 1..=u64::MAX)?);
                }
                Key::Eligible => restrictions(&mut options).eligible.sessions = Some(decoder.sessions()?),
                Key::EligibleAuthid => restrictions(&mut options).eligible.authids = Some(decoder.texts()?),
                Key::EligibleAuthrole => {
                    restrictions(&mut options).eligible.authroles = Some(decoder.texts()?)
                }
                Key::Exclude => restrictions(&mut options).exclude.sessions = Some(decoder.sessions()?),
                Key::ExcludeAuthid => restrictions(&mut options).exclude.authids = Some(decoder.texts()?),
                Key::ExcludeAuthrole => restrictions(&mut options).exclude.authroles = Some(decoder.texts()?),
                Key::TransactionHash => drop(decoder.text()?),
                _ => return decoder.passthru(key, &mut options.passthru),
            }
            Ok(true)
        })?;
        Ok(options)
    }

    pub fn subscribe_options(&mut self) -> Step<SubscribeOptions> {
        let mut options = SubscribeOptions::default();
        self.options(&mut |decoder, key| {
            match key {
                Key::Match => options.match_policy = decoder.match_policy()?,
                Key::GetRetained => options.get_retained = decoder.bool()?,
                _ => return Ok(false),
            }
            Ok(true)
        })?;
        Ok(options)
    }

    pub fn call_options(&mut self) -> Step<CallOptions<'a>> {
        let mut options = CallOptions::default();
        self.options(&mut |decoder, key| {
            match key {
                Key::Timeout => options.timeout = decoder.count()?,
                Key::ReceiveProgress => options.receive_progress = decoder.bool()?,
                Key::Progress => options.progress = decoder.bool()?,
                Key::DiscloseMe => options.disclose_me = decoder.bool()?,
                _ => return decoder.passthru(key, &mut options.passthru),
            }
            Ok(true)
        })?;
        Ok(options)
    }

    /// The options of CANCEL and INTERRUPT; only the latter has a reason.
    pub fn cancel_options(&mut self, has_reason: bool) -> Step<(Option<CancelMode>, Option<Cow<'a, str>>)> {
        let (mut mode, mut reason) = (None, None);
        self.options(&mut |decoder, key| {
            match key {
                Key::Mode => {
                    let what = "\"skip\", \"kill\" or \"killnowait\"";
                    mode = Some(decoder.choice(what, CancelMode::from_option)?);
                }
                Key::Reason if has_reason => reason = Some(decoder.text()?),
                _ => return Ok(false),
            }
            Ok(true)
        })?;
        Ok((mode, reason))
    }

    pub fn yield_options(&mut self) -> Step<YieldOptions<'a>> {
        let mut options = YieldOptions::default();
        self.options(&mut |decoder, key| {
            decoder.progress(key, &mut options.progress, &mut options.passthru)
        })?;
        Ok(options)
    }

    pub fn error_details(&mut self) -> Step<Passthru<'a>> {
        let mut passthru = Passthru::default();
        self.details(&mut |decoder, key| decoder.passthru(key, &mut passthru))?;
        Ok(passthru)
    }

    pub fn register_options(&mut self) -> Step<RegisterOptions> {
        let mut options = RegisterOptions::default();
        self.options(&mut |decoder, key| {
            match key {
                Key::Match => options.match_policy = decoder.match_policy()?,
                Key::Invoke => {
                    let what = "\"single\", \"first\", \"last\", \"roundrobin\" or \"random\"";
                    options.invoke = decoder.choice(what, InvokePolicy::from_option)?;
                }
                Key::DiscloseCaller => options.disclose_caller = decoder.bool()?,
                Key::Concurrency => {
                    options.concurrency = Some(decoder.integer("an integer from 1", 1..=u64::MAX)?);
                }
                Key::ForceReregister => options.force_reregister = decoder.bool()?,
                Key::ForwardTimeout => options.forward_timeout = decoder.bool()?,
                _ => return Ok(false),
            }
            Ok(true)
        })?;
        Ok(options)
    }

    fn options(&mut self, on_key: OnKey<'_, 'r, 'a, R>) -> Step<()> {
        self.element("Options", "a map")?;
        self.dictionary(on_key)
    }

    pub fn details(&mut self, on_key: OnKey<'_, 'r, 'a, R>) -> Step<()> {
        self.element("Details", "a map")?;
        self.dictionary(on_key)
    }

    pub fn dictionary(&mut self, on_key: OnKey<'_, 'r, 'a, R>) -> Step<()> {
        let mut map = self.map()?;
        let depth = self.depth.saturating_sub(2);
        let mut seen = 0;
        // Allocates only for keys that we do not know.
        let mut unknown: Vec<Cow<'a, str>> = Vec::new();
        while self.reader.more(&mut map)? {
            let at = self.reader.position();
            let name = self.key()?;
            let Some(key) = Key::from_name(&name) else {
                if unknown.contains(&name) {
                    return Err(duplicate_key(&name, at));
                }
                if unknown.len() == MAX_UNKNOWN {
                    return Err(expected("at most 64 unknown keys", at, Found::Kind("another")));
                }
                unknown.push(name);
                self.reader.skip(depth)?;
                continue;
            };
            if seen & key.bit() != 0 {
                return Err(duplicate_key(&name, at));
            }
            seen |= key.bit();
            self.place.key = key.name();
            if !self.reader.absent()? && !self.forward_for(key)? && !on_key(self, key)? {
                self.reader.skip(depth)?;
            }
            self.place.key = "";
        }
        Ok(())
    }

    /// Reads the attributes of RESULT and YIELD.
    pub fn progress(&mut self, key: Key, progress: &mut bool, passthru: &mut Passthru<'a>) -> Step<bool> {
        if key != Key::Progress {
            return self.passthru(key, passthru);
        }
        *progress = self.bool()?;
        Ok(true)
    }

    pub fn passthru(&mut self, key: Key, passthru: &mut Passthru<'a>) -> Step<bool> {
        let slot: for<'m> fn(&'m mut PassthruAttributes<'a>) -> &'m mut Option<Cow<'a, str>> = match key {
            Key::PptScheme => |attributes| &mut attributes.ppt_scheme,
            Key::PptSerializer => |attributes| &mut attributes.ppt_serializer,
            Key::PptCipher => |attributes| &mut attributes.ppt_cipher,
            Key::PptKeyid => |attributes| &mut attributes.ppt_keyid,
            Key::EncAlgo => |attributes| &mut attributes.enc_algo,
            Key::EncKey => |attributes| &mut attributes.enc_key,
            Key::EncSerializer => |attributes| &mut attributes.enc_serializer,
            _ => return Ok(false),
        };
        let text = match key {
            Key::EncAlgo => self.name_of(ENC_ALGOS, "\"cryptobox\", \"mqtt\", \"xbr\" or \"x_...\"")?,
            Key::EncSerializer => self.name_of(ENC_SERIALIZERS, "the name of a serializer or \"x_...\"")?,
            _ => self.text()?,
        };
        *slot(passthru.0.get_or_insert_default()) = Some(text);
        Ok(true)
    }

    /// One of `names`, or a private one.
    fn name_of(&mut self, names: &[&str], what: &'static str) -> Step<Cow<'a, str>> {
        let at = self.reader.position();
        let text = self.text()?;
        if names.contains(&&*text) || text.starts_with("x_") {
            return Ok(text);
        }
        Err(expected(what, at, Found::text(&text)))
    }

    fn match_policy(&mut self) -> Step<MatchPolicy> {
        self.choice("\"exact\", \"prefix\" or \"wildcard\"", MatchPolicy::from_option)
    }

    pub fn count(&mut self) -> Step<u64> {
        self.integer("an integer from 0", 0..=u64::MAX)
    }

    fn sessions(&mut self) -> Step<Vec<SessionId>> {
        let mut sessions = Vec::new();
        self.each(&mut |decoder| {
            let id = SessionId(decoder.id()?);
            if sessions.len() < decoder.audience {
                sessions.push(id);
            }
            Ok(())
        })?;
        Ok(sessions)
    }

    fn texts(&mut self) -> Step<Vec<Cow<'a, str>>> {
        let mut texts = Vec::new();
        self.each(&mut |decoder| {
            let text = decoder.text()?;
            if texts.len() < decoder.audience {
                texts.push(text);
            }
            Ok(())
        })?;
        Ok(texts)
    }

    fn each(&mut self, on_item: &mut dyn FnMut(&mut Self) -> Step<()>) -> Step<()> {
        let mut list = self.list()?;
        let mut index = 0;
        while self.reader.more(&mut list)? {
            self.place.index = Some(index);
            on_item(self)?;
            index += 1;
        }
        self.place.index = None;
        Ok(())
    }

    /// The list of sessions that a router-to-router link has carried a message for; this router has no such links.
    fn forward_for(&mut self, key: Key) -> Step<bool> {
        if key != Key::ForwardFor {
            return Ok(false);
        }
        let depth = self.depth.saturating_sub(4);
        self.each(&mut |decoder| {
            let mut map = decoder.map()?;
            while decoder.reader.more(&mut map)? {
                decoder.key()?;
                decoder.reader.skip(depth)?;
            }
            Ok(())
        })?;
        Ok(true)
    }
}

/// Keys of one dictionary that are none of WAMP's: each is looked up among those before it.
const MAX_UNKNOWN: usize = 64;

const ENC_ALGOS: &[&str] = &["cryptobox", "mqtt", "xbr"];
const ENC_SERIALIZERS: &[&str] = &["json", "msgpack", "cbor", "ubjson", "flatbuffers", "opaque"];

/// Those of a PUBLISH, of which an option says one.
fn restrictions<'a, 'o>(options: &'o mut PublishOptions<'a>) -> &'o mut Restrictions<'a> {
    options.restrictions.get_or_insert_default()
}
