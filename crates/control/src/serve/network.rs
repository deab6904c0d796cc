//! A network, as CIDR writes it.

use std::fmt;
use std::net::IpAddr;
use std::str::FromStr;

/// All addresses that begin as one does: `10.0.0.0/8`, `2001:db8::/32`; without a length that address alone.
///
/// An IPv4 address in IPv6's clothes (`::ffff:10.0.0.1`) is that IPv4 address.
#[derive(Copy, Clone, PartialEq, Eq, Debug)]
pub struct Network {
    address: IpAddr,
    length: u32,
}

impl Network {
    /// Whether `address` is in it.
    pub fn contains(&self, address: IpAddr) -> bool {
        let address = address.to_canonical();
        address.is_ipv4() == self.address.is_ipv4() && masked(address, self.length) == masked(self.address, self.length)
    }
}

impl FromStr for Network {
    type Err = NoNetwork;

    fn from_str(text: &str) -> Result<Self, NoNetwork> {
        let (address, length) = text.split_once('/').map_or((text, None), |(address, length)| (address, Some(length)));
        let address: IpAddr = address.parse().map_err(|_| NoNetwork::NotCidr)?;
        let (address, mapped) = (address.to_canonical(), address.to_canonical() != address);
        let longest = longest(address);
        let length = match length {
            None => longest,
            Some(length) => {
                // `parse` would let a sign pass.
                let number: u32 = length.parse().map_err(|_| NoNetwork::NotCidr)?;
                if !length.bytes().all(|digit| digit.is_ascii_digit()) {
                    return Err(NoNetwork::NotCidr);
                }
                // `::ffff:10.0.0.0/104` is `10.0.0.0/8`.
                if mapped { number.checked_sub(MAPPED_PREFIX).ok_or(NoNetwork::NotCidr)? } else { number }
            }
        };
        if length > longest {
            return Err(NoNetwork::TooLong { longest });
        }
        if masked(address, length) != bits(address) {
            return Err(NoNetwork::HostBits { network: Self { address: of_bits(address, length), length } });
        }
        Ok(Self { address, length })
    }
}

impl fmt::Display for Network {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.address, self.length)
    }
}

/// Text that is no network, and the remedy.
#[derive(Copy, Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum NoNetwork {
    /// Another thing altogether.
    #[error("no network; write ADDRESS/LENGTH, such as \"10.0.0.0/8\" or \"2001:db8::/32\"")]
    NotCidr,
    /// More bits than there are.
    #[error("no network: an address of its kind has {longest} bits; write that or less behind the slash")]
    TooLong {
        /// How many there are.
        longest: u32,
    },
    /// The address has bits behind the network's: a slip, as likely in the one as in the other.
    #[error("the address of one host, not of a network; write \"{network}\" if that is meant, or the host alone")]
    HostBits {
        /// What the length makes of it.
        network: Network,
    },
}

fn longest(address: IpAddr) -> u32 {
    if address.is_ipv4() { 32 } else { 128 }
}

/// The address as the upper bits of a number.
fn bits(address: IpAddr) -> u128 {
    match address {
        IpAddr::V4(address) => u128::from(address.to_bits()) << 96,
        IpAddr::V6(address) => address.to_bits(),
    }
}

fn masked(address: IpAddr, length: u32) -> u128 {
    bits(address) & u128::MAX.checked_shl(128 - length).unwrap_or(0)
}

/// The first address of the network.
fn of_bits(address: IpAddr, length: u32) -> IpAddr {
    let bits = masked(address, length);
    match address {
        IpAddr::V4(_) => IpAddr::V4(((bits >> 96) as u32).into()),
        IpAddr::V6(_) => IpAddr::V6(bits.into()),
    }
}

/// How many bits come before an IPv4 address in IPv6's clothes (RFC 4291 §2.5.5.2).
const MAPPED_PREFIX: u32 = 96;

#[cfg(test)]
mod tests {
    use std::net::{Ipv4Addr, Ipv6Addr};

    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn a_network_has_its_own_addresses_and_is_read_as_it_is_written(bits: u128, v4: bool, length in 0..=128_u32) {
            let address = match v4 {
                true => IpAddr::V4(Ipv4Addr::from_bits(bits as u32)),
                false => IpAddr::V6(Ipv6Addr::from_bits(bits)).to_canonical(),
            };
            let length = length.min(longest(address));
            let network = Network { address: of_bits(address, length), length };
            prop_assert!(network.contains(address));
            prop_assert_eq!(network.to_string().parse(), Ok(network));
        }

        #[test]
        fn no_text_is_too_odd(text in "[0-9a-f:./+-]{0,40}") {
            let _ = text.parse::<Network>();
        }
    }

    #[test]
    fn who_is_in_a_network() {
        let cases = [
            ("10.0.0.0/8", "10.255.1.2", true),
            ("10.0.0.0/8", "11.0.0.0", false),
            ("10.0.0.0/8", "::ffff:10.1.2.3", true),
            ("10.0.0.0/8", "a00::", false),
            ("0.0.0.0/0", "255.255.255.255", true),
            ("0.0.0.0/0", "::1", false),
            ("::/0", "::1", true),
            ("::/0", "10.0.0.1", false),
            ("::/0", "::ffff:10.0.0.1", false),
            ("192.0.2.128/25", "192.0.2.127", false),
            ("192.0.2.128/25", "192.0.2.128", true),
            ("192.0.2.7", "192.0.2.7", true),
            ("192.0.2.7/32", "192.0.2.6", false),
            ("2001:db8::/33", "2001:db8:7fff::1", true),
            ("2001:db8::/33", "2001:db8:8000::", false),
            ("2001:db8::1", "2001:db8::1", true),
            ("::ffff:10.0.0.0/104", "10.9.9.9", true),
            ("::ffff:10.0.0.1", "10.0.0.1", true),
        ];
        for (network, address, expected) in cases {
            let parsed: Network = network.parse().unwrap();
            assert_eq!(parsed.contains(address.parse().unwrap()), expected, "{network} {address}");
            assert_eq!(parsed.to_string().parse(), Ok(parsed));
        }
    }

    #[test]
    fn what_is_no_network() {
        for text in
            ["", "10", "10.0.0.0/", "10.0.0.0/+8", "10.0.0.0/-1", "10.0.0/8", "host/8", "::ffff:10.0.0.0/95", "/8"]
        {
            assert_eq!(text.parse::<Network>(), Err(NoNetwork::NotCidr), "{text}");
        }
        assert_eq!("10.0.0.0/33".parse::<Network>(), Err(NoNetwork::TooLong { longest: 32 }));
        assert_eq!("::/129".parse::<Network>(), Err(NoNetwork::TooLong { longest: 128 }));
        for (text, meant) in [("10.1.2.3/8", "10.0.0.0/8"), ("2001:db8::1/32", "2001:db8::/32")] {
            let network = meant.parse().unwrap();
            assert_eq!(text.parse::<Network>(), Err(NoNetwork::HostBits { network }));
        }
    }
}
