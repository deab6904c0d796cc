//! An Ethernet frame with a TCP segment over IPv4, as loopback has them: the parts of it that a copy changes.

use std::net::{Ipv4Addr, SocketAddrV4};

/// A frame in `B`, and where its parts begin.
#[derive(Clone)]
pub(super) struct Frame<B> {
    pub(super) bytes: B,
    tcp: usize,
    payload: usize,
}

impl<B: AsRef<[u8]>> Frame<B> {
    /// Of `bytes`, if they are such a frame, and whole.
    pub(super) fn parse(bytes: B) -> Option<Self> {
        let all = bytes.as_ref();
        let ip = all.get(IP..)?;
        let is_tcp = all.get(ETHERTYPE..IP)? == IPV4 && ip.first()? >> 4 == 4 && *ip.get(9)? == TCP;
        let tcp = IP + usize::from(ip[0] & 0xf) * 4;
        let payload = tcp + usize::from(all.get(tcp + 12)? >> 4) * 4;
        let end = IP + usize::from(u16::from_be_bytes([ip[2], ip[3]]));
        (is_tcp && payload <= end && end == all.len()).then_some(Self { bytes, tcp, payload })
    }

    pub(super) fn source(&self) -> SocketAddrV4 {
        SocketAddrV4::new(self.address(SOURCE), self.port(self.tcp))
    }

    pub(super) fn destination(&self) -> SocketAddrV4 {
        SocketAddrV4::new(self.address(DESTINATION), self.port(self.tcp + 2))
    }

    pub(super) fn payload(&self) -> &[u8] {
        &self.bytes.as_ref()[self.payload..]
    }

    /// Where the payload begins.
    pub(super) fn payload_at(&self) -> usize {
        self.payload
    }

    pub(super) fn is_syn(&self) -> bool {
        self.flags() & (SYN | ACK) == SYN
    }

    /// The sequence number after it.
    pub(super) fn next(&self) -> u32 {
        let flags = u32::from(self.flags() & SYN != 0) + u32::from(self.flags() & FIN != 0);
        self.number(self.tcp + 4).wrapping_add(self.payload().len() as u32).wrapping_add(flags)
    }

    /// The same frame with `payload`, an acknowledgement of `acknowledged` and no other flag; its number is `sequence`.
    pub(super) fn with(&self, sequence: u32, acknowledged: u32, payload: &[u8]) -> Frame<Vec<u8>> {
        let mut bytes = [&self.bytes.as_ref()[..self.payload], payload].concat();
        let length = u16::try_from(bytes.len() - IP).expect("payloads are those of a network");
        bytes[IP + 2..IP + 4].copy_from_slice(&length.to_be_bytes());
        bytes[self.tcp + 4..self.tcp + 8].copy_from_slice(&sequence.to_be_bytes());
        bytes[self.tcp + 8..self.tcp + 12].copy_from_slice(&acknowledged.to_be_bytes());
        bytes[self.tcp + 13] = ACK;
        Frame { bytes, tcp: self.tcp, payload: self.payload }
    }

    /// The same frame in a copy of its bytes.
    pub(super) fn within<'a>(&self, bytes: &'a mut [u8]) -> Frame<&'a mut [u8]> {
        Frame { bytes, tcp: self.tcp, payload: self.payload }
    }

    fn flags(&self) -> u8 {
        self.bytes.as_ref()[self.tcp + 13]
    }

    fn address(&self, at: usize) -> Ipv4Addr {
        Ipv4Addr::from_bits(self.number(at))
    }

    fn port(&self, at: usize) -> u16 {
        let bytes = self.bytes.as_ref();
        u16::from_be_bytes([bytes[at], bytes[at + 1]])
    }

    fn number(&self, at: usize) -> u32 {
        let bytes = self.bytes.as_ref();
        u32::from_be_bytes([bytes[at], bytes[at + 1], bytes[at + 2], bytes[at + 3]])
    }
}

impl<B: AsRef<[u8]> + AsMut<[u8]>> Frame<B> {
    pub(super) fn set_source(&mut self, address: Ipv4Addr) {
        self.set(SOURCE, address.to_bits());
    }

    pub(super) fn set_destination(&mut self, address: Ipv4Addr) {
        self.set(DESTINATION, address.to_bits());
    }

    /// Moves its numbers: the sender's by `sent`, the other side's by `received`.
    pub(super) fn move_numbers(&mut self, sent: u32, received: u32) {
        self.set(self.tcp + 4, self.number(self.tcp + 4).wrapping_add(sent));
        if self.flags() & ACK != 0 {
            self.set(self.tcp + 8, self.number(self.tcp + 8).wrapping_add(received));
        }
    }

    fn set(&mut self, at: usize, number: u32) {
        self.bytes.as_mut()[at..at + 4].copy_from_slice(&number.to_be_bytes());
    }
}

const IPV4: [u8; 2] = [8, 0];
const TCP: u8 = 6;
const ETHERTYPE: usize = 12;
const IP: usize = 14;
const SOURCE: usize = IP + 12;
const DESTINATION: usize = IP + 16;
const FIN: u8 = 0x01;
const SYN: u8 = 0x02;
const ACK: u8 = 0x10;
