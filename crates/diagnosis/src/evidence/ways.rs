use std::ops::{Index, IndexMut};

use super::Way;

/// Something for each way to resume.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Ways<T> {
    /// TLS 1.3's tickets.
    pub psk: T,
    /// TLS 1.2's tickets.
    pub ticket: T,
    /// TLS 1.2's session IDs.
    pub session_id: T,
}

impl<T> Index<Way> for Ways<T> {
    type Output = T;

    fn index(&self, way: Way) -> &T {
        match way {
            Way::Psk => &self.psk,
            Way::Ticket => &self.ticket,
            Way::SessionId => &self.session_id,
        }
    }
}

impl<T> IndexMut<Way> for Ways<T> {
    fn index_mut(&mut self, way: Way) -> &mut T {
        match way {
            Way::Psk => &mut self.psk,
            Way::Ticket => &mut self.ticket,
            Way::SessionId => &mut self.session_id,
        }
    }
}
