//! The harness of the tests against real software.
//!
//! It starts the real binary ([`edge`]), what stands behind it ([`upstream`], and over TLS [`backend`]) and the clients
//! people use ([`client`]), lets a test look at the bytes in between ([`tap`]), and has a client of its own where a test
//! needs to misbehave exactly ([`raw`]). A harness panics when it cannot do its work: every function here is for tests only.

#![allow(clippy::unwrap_used)]

pub mod address;
pub mod agent;
pub mod backend;
pub mod client;
pub mod config;
pub mod deadline;
pub mod doctor;
pub mod doctor_client;
pub mod doctor_fleet;
pub mod edge;
pub mod envoy;
pub mod etcd;
pub mod fleet;
pub mod foreign;
pub mod hello;
pub mod java;
pub mod key_file;
pub mod keys;
pub mod member;
pub mod metrics;
pub mod naive;
pub mod namespace;
pub mod network;
pub mod nobody;
pub mod pki;
pub mod program;
pub mod protected;
pub mod raw;
pub mod scratch;
pub mod search;
pub mod site;
pub mod tap;
pub mod upstream;
