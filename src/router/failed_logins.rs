//! Logins that have failed, by the address that they came from: a connection is cheap, so a bound for each of them is none.
//!
//! Owns the counts. An address that has had [`Limits::failed_logins`](crate::config::Limits::failed_logins) in a minute may
//! try again when the minute is over; until then nothing that it shows is looked at, so that it learns nothing. Only the
//! native router knows addresses.

use std::net::{IpAddr, Ipv6Addr};

use foldhash::fast::FixedState;

use super::pattern_index::SeededMap;

/// The counts of a router.
#[derive(Debug)]
pub(crate) struct FailedLogins {
    by_address: SeededMap<IpAddr, Failures>,
}

/// Those of one address.
#[derive(Clone, Copy, Debug)]
struct Failures {
    count: usize,
    since_ms: u64,
}

impl FailedLogins {
    pub(crate) fn new(seed: u64) -> Self {
        Self { by_address: SeededMap::with_hasher(FixedState::with_seed(seed)) }
    }

    /// Whether `address` has had `most` already.
    pub(crate) fn has_reached(&self, address: IpAddr, most: usize, now_ms: u64) -> bool {
        let failures = self.by_address.get(&network(address));
        failures.is_some_and(|failures| failures.count >= most && !failures.is_over(now_ms))
    }

    /// One more.
    pub(crate) fn add(&mut self, address: IpAddr, now_ms: u64) {
        let address = network(address);
        if self.by_address.len() >= ADDRESSES && !self.by_address.contains_key(&address) {
            self.make_room(now_ms);
        }
        let failures = self.by_address.entry(address).or_insert(Failures { count: 0, since_ms: now_ms });
        if failures.is_over(now_ms) {
            *failures = Failures { count: 0, since_ms: now_ms };
        }
        failures.count += 1;
    }

    /// Forgets what does not count any more; if that is nothing, all: whoever has so many addresses is not held up by a
    /// bound for each.
    fn make_room(&mut self, now_ms: u64) {
        self.by_address.retain(|_, failures| !failures.is_over(now_ms));
        if self.by_address.len() >= ADDRESSES {
            self.by_address.clear();
        }
    }
}

impl Failures {
    fn is_over(&self, now_ms: u64) -> bool {
        now_ms.saturating_sub(self.since_ms) >= WINDOW_MS
    }
}

/// Whoever has one address of IPv6 has the whole /64.
fn network(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V6(address) => Ipv6Addr::from(u128::from(address) >> 64 << 64).into(),
        address => address,
    }
}

const WINDOW_MS: u64 = 60_000;

/// Addresses that are counted at a time: below a megabyte.
const ADDRESSES: usize = 10_000;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_more_addresses_are_counted_than_there_is_room_for() {
        let address = |number: u32| IpAddr::from(number.to_be_bytes());
        let mut logins = FailedLogins::new(7);
        for number in 0..3 * ADDRESSES as u32 {
            logins.add(address(number), u64::from(number / 1_000));
            assert!(logins.by_address.len() <= ADDRESSES);
            assert!(logins.has_reached(address(number), 1, 20));
        }
        // What is over goes first.
        let mut logins = FailedLogins::new(7);
        for number in 0..ADDRESSES as u32 {
            logins.add(address(number), if number == 5 { 30_000 } else { 0 });
        }
        logins.add(address(u32::MAX), WINDOW_MS);
        assert!(logins.has_reached(address(5), 1, WINDOW_MS));
        assert_eq!(logins.by_address.len(), 2);
    }

    #[test]
    fn who_fails_again_after_a_minute_is_counted_anew() {
        let address = IpAddr::from([192, 0, 2, 1]);
        let mut logins = FailedLogins::new(7);
        logins.add(address, 0);
        logins.add(address, WINDOW_MS);
        assert!(!logins.has_reached(address, 2, WINDOW_MS));
        logins.add(address, WINDOW_MS + 1);
        assert!(logins.has_reached(address, 2, 2 * WINDOW_MS - 1));
        assert!(!logins.has_reached(address, 2, 2 * WINDOW_MS));
    }

    #[test]
    fn addresses_of_one_ipv6_network_are_one_and_mapped_ones_are_ipv4() {
        let network = |text: &str| network(text.parse().expect("an address"));
        assert_eq!(network("2001:db8::1"), network("2001:db8::2:3:4"));
        assert_ne!(network("2001:db8::1"), network("2001:db8:0:1::1"));
        assert_eq!(network("::ffff:192.0.2.1"), network("192.0.2.1"));
        assert_ne!(network("192.0.2.1"), network("192.0.2.2"));
    }
}
