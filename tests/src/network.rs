//! A network of hosts: a namespace for each, joined by a bridge.

use std::ffi::OsStr;
use std::net::{IpAddr, Ipv4Addr};
use std::process::Command;
use std::sync::atomic::{AtomicU8, Ordering};

use crate::namespace::Namespace;
use crate::program;

/// The bridge. It is in the namespace of this process, which must be one of [`Namespace::test`] and has the address
/// [`Network::HERE`].
#[derive(Debug)]
pub struct Network {
    hosts: AtomicU8,
}

/// A host of a network; gone when dropped.
#[derive(Debug)]
pub struct Host {
    namespace: Namespace,
    /// Its address.
    pub address: IpAddr,
}

impl Network {
    /// Where this process is.
    pub const HERE: IpAddr = IpAddr::V4(Ipv4Addr::new(10, 90, 0, 254));

    /// A network with nobody in it.
    pub fn new() -> Self {
        let ip = |arguments: &[&str]| {
            program::run(Command::new("ip").args(arguments), b"").succeeded();
        };
        ip(&["link", "add", BRIDGE, "type", "bridge", "forward_delay", "0"]);
        ip(&["address", "add", &format!("{}/24", Self::HERE), "dev", BRIDGE]);
        ip(&["link", "set", BRIDGE, "up"]);
        Self { hosts: AtomicU8::new(0) }
    }

    /// Another host.
    pub fn host(&self) -> Host {
        let number = 1 + self.hosts.fetch_add(1, Ordering::Relaxed);
        let namespace = Namespace::new();
        let address = IpAddr::from(Ipv4Addr::new(10, 90, 0, number));
        let port = format!("host-{number}");
        let ip = |mut command: Command, arguments: &[&str]| {
            program::run(command.args(arguments), b"").succeeded();
        };
        let peer = ["peer", "name", "eth0", "netns", &namespace.id()];
        ip(Command::new("ip"), &[&["link", "add", &port, "type", "veth"][..], &peer].concat());
        ip(Command::new("ip"), &["link", "set", &port, "master", BRIDGE, "up"]);
        ip(namespace.command("ip"), &["address", "add", &format!("{address}/24"), "dev", "eth0"]);
        ip(namespace.command("ip"), &["link", "set", "eth0", "up"]);
        Host { namespace, address }
    }
}

impl Host {
    /// A program to run there.
    pub fn command(&self, program: impl AsRef<OsStr>) -> Command {
        self.namespace.command(program)
    }

    /// From now on nothing goes from here to those hosts; connections stay, and wait.
    pub fn cut_off_from(&self, others: &[IpAddr]) {
        self.route("add", others);
    }

    /// The end of that.
    pub fn rejoin(&self, others: &[IpAddr]) {
        self.route("delete", others);
    }

    fn route(&self, what: &str, others: &[IpAddr]) {
        for other in others {
            let mut command = self.command("ip");
            program::run(command.args(["route", what, "blackhole", &format!("{other}/32")]), b"").succeeded();
        }
    }
}

impl Default for Network {
    fn default() -> Self {
        Self::new()
    }
}

const BRIDGE: &str = "hosts";
