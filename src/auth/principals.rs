//! Principals: whom a configuration knows.
//!
//! Owns the way from an authid to what its client must prove and what it gets then, and the decoys that stand for authids
//! that nobody has. What a credential is, is for each method to say.

use std::fmt;

#[cfg(feature = "native")]
use super::Identity;
use super::proof::hmac;
use super::{Authenticator, Grant};

/// Where a method looks up whom it lets in.
#[derive(Clone, Debug)]
pub enum Provider<C> {
    /// `type: static`.
    Static(Principals<C>),
    /// `type: dynamic` and `type: function`.
    Dynamic(Authenticator),
}

impl<C> Provider<C> {
    pub(super) fn authenticator(&self) -> Option<&Authenticator> {
        match self {
            Self::Dynamic(authenticator) => Some(authenticator),
            Self::Static(_) => None,
        }
    }
}

/// One client that is known.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Principal<C> {
    /// What the client calls itself.
    pub authid: String,
    /// What it must prove that it has.
    pub credential: C,
    /// What it gets then.
    pub grant: Grant,
}

#[cfg(feature = "native")]
impl<C> Principal<C> {
    /// Whether it is the one that has logged in as this.
    pub(super) fn is(&self, login: &Identity) -> bool {
        let Grant { realm, authid, role, .. } = &self.grant;
        login.authid.as_ref() == Some(authid.as_ref().unwrap_or(&self.authid))
            && login.authrole == *role
            && (realm.is_none() || login.realm == *realm)
    }
}

/// All that a method knows.
#[derive(Clone)]
pub struct Principals<C>(Vec<Principal<C>>);

/// Who answers to an authid: a principal, or, where there is none, another one in its stead, so that what comes then
/// looks the same and costs the same.
pub(super) struct Found<'a, C> {
    pub principal: &'a Principal<C>,
    /// What the client gets, if it is known and proves it.
    pub grant: Option<Grant>,
    /// What a decoy's salt is made of: the same for the same authid, and as long as the first principal keeps its secret.
    noise: Noise<'a>,
}

/// Bytes that only the router can compute.
struct Noise<'a> {
    secret: &'a [u8],
    authid: &'a str,
}

impl<C> Principals<C> {
    /// These principals; of two with the same authid the later one holds.
    pub fn new(list: Vec<Principal<C>>) -> Self {
        Self(list)
    }

    /// In the order in which they were given.
    pub fn list(&self) -> &[Principal<C>] {
        &self.0
    }

    /// The principal that calls itself so. Looks at all of them, whether it is among them or not.
    pub(super) fn find(&self, authid: &str) -> Option<&Principal<C>> {
        let mut found = None;
        for principal in &self.0 {
            if principal.authid == authid {
                found = Some(principal);
            }
        }
        found
    }

    /// The principal that calls itself so, or a decoy; `None` where there are no principals at all. `secret` is some
    /// secret of a credential.
    pub(super) fn find_or_decoy<'a>(
        &'a self,
        authid: &'a str,
        secret: fn(&C) -> &[u8],
    ) -> Option<Found<'a, C>> {
        let noise = Noise { secret: secret(&self.0.first()?.credential), authid };
        let [a, b, c, d, ..] = noise.block(0);
        let decoy = u32::from_le_bytes([a, b, c, d]) as usize % self.0.len();
        let known = self.find(authid);
        let grant = known.map(|principal| principal.grant.clone());
        Some(Found { principal: known.unwrap_or(&self.0[decoy]), grant, noise })
    }
}

impl<C> Found<'_, C> {
    /// So many bytes in place of a decoy's salt; `None` for a principal that is known. The work is the same for both.
    pub(super) fn decoy_salt(&self, length: usize) -> Option<Vec<u8>> {
        let mut salt = Vec::new();
        let mut number = 0_u8;
        while salt.len() < length {
            number = number.wrapping_add(1);
            salt.extend_from_slice(&self.noise.block(number));
        }
        salt.truncate(length);
        self.grant.is_none().then_some(salt)
    }
}

impl Noise<'_> {
    fn block(&self, number: u8) -> [u8; 32] {
        // No AuthMessage of SCRAM and no challenge of WAMP-CRA begins like this, so a key that signs those gives nothing
        // away here.
        hmac(self.secret, &[b"decoy", &[number], self.authid.as_bytes()])
    }
}

/// Without secrets.
impl<C> fmt::Debug for Principals<C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} principals", self.0.len())
    }
}
