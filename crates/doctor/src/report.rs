//! Reports: what was found, for people and for programs.

mod findings;
mod fleet;
mod html;
mod json;
mod page;
mod paint;
mod server;
mod table;
mod timeline;

pub(crate) use findings::shown;
pub use fleet::FleetReport;
pub use html::{Dot, Graph, Offered, html};
pub use json::finding as finding_json;
pub use page::{Page, Section, Verdict};
pub use paint::{Mood, Paint};
pub use server::{Examined, server_json, server_page};
pub use table::{Cell, Table};
pub use timeline::{Handshakes, Timeline};
