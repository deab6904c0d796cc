//! Worse versions of a capture.

use std::collections::BTreeSet;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};

use super::packets::Packet;

/// Worse versions, each with how it was made.
pub(crate) fn versions(whole: &[Packet]) -> Vec<(String, Vec<Packet>)> {
    let mut all = Vec::new();
    for offset in 0..10 {
        let tenth = |index: usize| index % 10 != offset;
        all.push((format!("without every tenth packet, from {offset}"), only(whole, |index, _| tenth(index))));
        let fifth = |index: usize| !(index * 7919 + offset * 104_729).is_multiple_of(5);
        all.push((format!("without one packet in five, {offset}"), only(whole, |index, _| fifth(index))));
        let cut = whole.len() * offset / 10;
        all.push((format!("from packet {cut} on"), whole[cut..].to_vec()));
        all.push((format!("up to packet {cut}"), whole[..cut].to_vec()));
    }
    for length in [0, 30, 42, 100, 400, 1534] {
        let cut = |packet: &Packet| {
            let mut packet = packet.clone();
            packet.payload.truncate(length);
            packet
        };
        all.push((format!("cut to {length} bytes of payload"), whole.iter().map(cut).collect()));
    }
    for window in [2, 3] {
        let mut reversed = whole.to_vec();
        reversed.chunks_mut(window).for_each(<[Packet]>::reverse);
        all.push((format!("reversed by {window}"), reversed));
    }
    let answers = whole.iter().filter(|packet| packet.header.flags.syn && packet.header.flags.ack);
    let servers = answers.map(|packet| packet.header.source).collect::<BTreeSet<_>>();
    let from_server = |packet: &Packet| servers.contains(&packet.header.source);
    all.push(("of clients only".to_owned(), only(whole, |_, packet| !from_server(packet))));
    all.push(("of servers only".to_owned(), only(whole, |_, packet| from_server(packet))));
    all.push(("twice".to_owned(), whole.iter().flat_map(|packet| [packet.clone(), packet.clone()]).collect()));
    all
}

fn only(whole: &[Packet], keep: impl Fn(usize, &Packet) -> bool) -> Vec<Packet> {
    let kept = whole.iter().enumerate().filter(|(index, packet)| keep(*index, packet));
    kept.map(|(_, packet)| packet.clone()).collect()
}

/// The same between addresses of a network of its own.
pub(crate) fn moved(whole: &[Packet], network: u16) -> Vec<Packet> {
    let addresses = |address: SocketAddr| {
        let host = match address.ip() {
            IpAddr::V4(ip) => ip.octets()[3],
            IpAddr::V6(ip) => ip.octets()[15],
        };
        let [high, low] = network.to_be_bytes();
        SocketAddr::new(Ipv4Addr::new(10, high, low, host).into(), address.port())
    };
    whole.iter().map(|packet| packet.clone().between(addresses)).collect()
}

/// Whether an address is of that network.
pub(crate) fn is_in(address: &SocketAddr, network: u16) -> bool {
    let [high, low] = network.to_be_bytes();
    matches!(address.ip(), IpAddr::V4(ip) if ip.octets()[..3] == [10, high, low])
}
