//! The edge: terminates TLS, balances load, and sees to it that sessions resume.
//!
//! [`run`] is all of it. One thread per core accepts and serves ([`worker`], [`connection`], [`tcp`]); the thread that
//! called `run` has keys, signals, reloads and answering questions ([`admin`]); one more watches the servers ([`watcher`]).

pub mod access_log;
pub mod admin;
pub mod certificate;
pub mod config;
pub mod connection;
pub mod counters;
pub mod listener;
pub mod notice;
pub mod proxy_protocol;
mod reading;
mod server;
pub mod service;
pub mod tcp;
pub mod tls_end;
pub mod upstream;
pub mod watcher;
pub mod worker;
pub mod writer;

pub use config::{Config, ConfigErrors};
pub use notice::{Error, Notice, Notices, ReloadError};
pub use server::{Snapshot, run};
