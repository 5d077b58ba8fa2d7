//! Parts of messages that outlive the frame they came in.

use std::borrow::Cow;

use super::{Audience, CallOptions, Passthru, PassthruAttributes, Restrictions};

impl Passthru<'_> {
    /// The same attributes, with nothing borrowed.
    pub fn into_owned(self) -> Passthru<'static> {
        Passthru(self.0.map(|attributes| {
            let PassthruAttributes {
                ppt_scheme,
                ppt_serializer,
                ppt_cipher,
                ppt_keyid,
                enc_algo,
                enc_key,
                enc_serializer,
            } = *attributes;
            Box::new(PassthruAttributes {
                ppt_scheme: maybe(ppt_scheme),
                ppt_serializer: maybe(ppt_serializer),
                ppt_cipher: maybe(ppt_cipher),
                ppt_keyid: maybe(ppt_keyid),
                enc_algo: maybe(enc_algo),
                enc_key: maybe(enc_key),
                enc_serializer: maybe(enc_serializer),
            })
        }))
    }
}

impl Audience<'_> {
    /// The same lists, with nothing borrowed.
    pub fn into_owned(self) -> Audience<'static> {
        let texts = |list: Option<Vec<Cow<'_, str>>>| {
            list.map(|texts| texts.into_iter().map(text).collect::<Vec<Cow<'static, str>>>())
        };
        Audience { sessions: self.sessions, authids: texts(self.authids), authroles: texts(self.authroles) }
    }
}

impl Restrictions<'_> {
    /// The same restrictions, with nothing borrowed.
    pub fn into_owned(self) -> Restrictions<'static> {
        Restrictions { eligible: self.eligible.into_owned(), exclude: self.exclude.into_owned() }
    }
}

impl CallOptions<'_> {
    /// The same options, with nothing borrowed.
    pub fn into_owned(self) -> CallOptions<'static> {
        CallOptions { passthru: self.passthru.into_owned(), ..self }
    }
}

fn text(text: Cow<'_, str>) -> Cow<'static, str> {
    Cow::Owned(text.into_owned())
}

fn maybe(text_or_none: Option<Cow<'_, str>>) -> Option<Cow<'static, str>> {
    text_or_none.map(text)
}
