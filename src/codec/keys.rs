//! The option and detail keys that the codecs know by name.
//!
//! Owns the list, once for reading and writing. Which message has which key is in [`options`](super::options) and
//! [`encode`](super::encode).

macro_rules! keys {
    ($($name:ident = $text:literal),* $(,)?) => {
        /// A key of an options or details dictionary.
        #[expect(clippy::enum_variant_names, reason = "`enc_key` is what the key is called")]
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub(super) enum Key {
            $($name),*
        }

        impl Key {
            #[cfg(test)]
            pub const ALL: &'static [Self] = &[$(Self::$name),*];

            /// The key as it stands in a dictionary.
            pub const fn name(self) -> &'static str {
                match self {
                    $(Self::$name => $text),*
                }
            }

            /// The key that `text` is, if any.
            pub fn from_name(text: &str) -> Option<Self> {
                match text {
                    $($text => Some(Self::$name),)*
                    _ => None,
                }
            }

            /// One bit per key.
            pub const fn bit(self) -> u64 {
                1 << self as u64
            }
        }
    };
}

keys! {
    Acknowledge = "acknowledge",
    Caller = "caller",
    CallerAuthid = "caller_authid",
    CallerAuthrole = "caller_authrole",
    Concurrency = "concurrency",
    DiscloseCaller = "disclose_caller",
    DiscloseMe = "disclose_me",
    Eligible = "eligible",
    EligibleAuthid = "eligible_authid",
    EligibleAuthrole = "eligible_authrole",
    EncAlgo = "enc_algo",
    EncKey = "enc_key",
    EncSerializer = "enc_serializer",
    Exclude = "exclude",
    ExcludeAuthid = "exclude_authid",
    ExcludeAuthrole = "exclude_authrole",
    ExcludeMe = "exclude_me",
    ForceReregister = "force_reregister",
    ForwardFor = "forward_for",
    ForwardTimeout = "forward_timeout",
    GetRetained = "get_retained",
    Invoke = "invoke",
    Match = "match",
    Mode = "mode",
    PptCipher = "ppt_cipher",
    PptKeyid = "ppt_keyid",
    PptScheme = "ppt_scheme",
    PptSerializer = "ppt_serializer",
    Procedure = "procedure",
    Progress = "progress",
    Publisher = "publisher",
    PublisherAuthid = "publisher_authid",
    PublisherAuthrole = "publisher_authrole",
    Reason = "reason",
    ReceiveProgress = "receive_progress",
    Registration = "registration",
    Retain = "retain",
    Retained = "retained",
    Subscription = "subscription",
    Timeout = "timeout",
    Topic = "topic",
    TransactionHash = "transaction_hash",
    Trustlevel = "trustlevel",
    AcknowledgedDelivery = "x_acknowledged_delivery",
    RetainMs = "x_retain_ms",
}

#[cfg(test)]
mod tests {
    use super::Key;

    #[test]
    fn every_key_has_a_bit_of_its_own() {
        assert!(Key::ALL.len() <= 64);
        for key in Key::ALL {
            assert_eq!(Key::from_name(key.name()), Some(*key));
        }
    }
}
