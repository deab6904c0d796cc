//! Links, and where in their frames the packet of IP begins.

use std::fmt;

use super::packet::Skip;

/// What a capture calls the headers of its frames (<https://www.tcpdump.org/linktypes.html>).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LinkType(pub u16);

#[expect(missing_docs, reason = "they are the registry's")]
impl LinkType {
    pub const NULL: Self = Self(0);
    pub const ETHERNET: Self = Self(1);
    pub const PPP: Self = Self(9);
    pub const PPP_HDLC: Self = Self(50);
    pub const PPP_ETHER: Self = Self(51);
    pub const RAW: Self = Self(101);
    pub const LOOP: Self = Self(108);
    pub const LINUX_SLL: Self = Self(113);
    pub const IPV4: Self = Self(228);
    pub const IPV6: Self = Self(229);
    pub const LINUX_SLL2: Self = Self(276);
    /// [`RAW`](Self::RAW) as OpenBSD numbers it, and as the others do where a program writes their own number.
    pub const RAW_UNREGISTERED: [Self; 2] = [Self(14), Self(12)];

    /// Whether its headers are known here.
    pub fn is_known(self) -> bool {
        ip(self, &[]) != Err(Skip::UnknownLink)
    }
}

/// Where in a frame of `link` its packet of IP begins. `Ok(None)`: the frame ends before that.
pub(super) fn ip(link: LinkType, frame: &[u8]) -> Result<Option<usize>, Skip> {
    let begins = match link {
        // destination 6 | source 6 | EtherType 2
        LinkType::ETHERNET => ether_type(frame, 12, 14),
        // packet type 2 | hardware type 2 | address length 2 | address 8 | protocol 2
        LinkType::LINUX_SLL => ether_type(frame, 14, 16),
        // protocol 2 | reserved 2 | interface 4 | hardware type 2 | packet type 1 | address length 1 | address 8
        LinkType::LINUX_SLL2 => ether_type(frame, 0, 20),
        LinkType::NULL | LinkType::LOOP => loopback(frame),
        LinkType::PPP | LinkType::PPP_HDLC => ppp(frame, 0),
        LinkType::PPP_ETHER => pppoe(frame, 0),
        LinkType::RAW | LinkType::IPV4 | LinkType::IPV6 => Some(Carried::Ip(0)),
        _ if LinkType::RAW_UNREGISTERED.contains(&link) => Some(Carried::Ip(0)),
        _ => return Err(Skip::UnknownLink),
    };
    match begins {
        Some(Carried::Ip(at)) => Ok(Some(at)),
        Some(Carried::Other) => Err(Skip::NotTcp),
        None => Ok(None),
    }
}

/// What a frame carries: IP from some byte on, or something else.
enum Carried {
    Ip(usize),
    Other,
}

/// What the EtherType at `at` says of what is in the frame from `body` on.
fn ether_type(frame: &[u8], mut at: usize, mut body: usize) -> Option<Carried> {
    loop {
        match u16_at(frame, at)? {
            0x0800 | 0x86dd => return Some(Carried::Ip(body)),
            // 802.1Q, 802.1ad, and what was QinQ before that: tag 2 | EtherType 2
            0x8100 | 0x88a8 | 0x9100 => (at, body) = (body + 2, body + 4),
            0x8864 => return pppoe(frame, body),
            _ => return Some(Carried::Other),
        }
    }
}

/// RFC 2516 §4: version and type 1 | code 1 | session 2 | length 2
fn pppoe(frame: &[u8], at: usize) -> Option<Carried> {
    ppp(frame, at + 6)
}

/// RFC 1661 §2, and RFC 1662 §3.1 for the two bytes that may be ahead of the protocol.
fn ppp(frame: &[u8], mut at: usize) -> Option<Carried> {
    if u16_at(frame, at)? == 0xff03 {
        at += 2;
    }
    Some(match u16_at(frame, at)? {
        0x0021 | 0x0057 => Carried::Ip(at + 2),
        // The first byte may be left out where it is zero (RFC 1661 §6.5).
        0x2100..=0x21ff | 0x5700..=0x57ff => Carried::Ip(at + 1),
        _ => Carried::Other,
    })
}

/// BSD's loopback: the address family, 4 bytes, in the byte order of who captured (NULL) or of the network (LOOP).
fn loopback(frame: &[u8]) -> Option<Carried> {
    let family = *frame.first_chunk()?;
    let is_ip = |family| matches!(family, INET | LINUX_INET6 | NETBSD_INET6 | FREEBSD_INET6 | DARWIN_INET6);
    Some(match is_ip(u32::from_be_bytes(family)) || is_ip(u32::from_le_bytes(family)) {
        true => Carried::Ip(4),
        false => Carried::Other,
    })
}

fn u16_at(frame: &[u8], at: usize) -> Option<u16> {
    frame.get(at..)?.first_chunk().copied().map(u16::from_be_bytes)
}

const INET: u32 = 2;
const LINUX_INET6: u32 = 10;
const NETBSD_INET6: u32 = 24;
const FREEBSD_INET6: u32 = 28;
const DARWIN_INET6: u32 = 30;

impl fmt::Display for LinkType {
    /// A name for people, with the number to look it up.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = match self.0 {
            1 => "Ethernet",
            105 | 119 | 127 | 163 | 192 => "802.11 radio",
            186 | 189 | 220 | 249 | 266 => "USB",
            187 | 201 | 251 | 254 | 255 => "Bluetooth",
            195 | 215 | 230 | 283 => "802.15.4 radio",
            227 => "a CAN bus",
            239 => "a netfilter log",
            253 => "netlink",
            6 => "Token Ring",
            10 => "FDDI",
            147..=162 => "a link of somebody's own",
            _ => return write!(f, "link type {}", self.0),
        };
        write!(f, "{name} (link type {})", self.0)
    }
}
