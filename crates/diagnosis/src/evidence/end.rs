use crate::Moment;

/// How one side ended its direction.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct End {
    /// Whether it sent close_notify.
    pub close_notify: CloseNotify,
    /// When its FIN was seen.
    pub fin: Option<Moment>,
    /// When its RST was seen.
    pub reset: Option<Moment>,
}

/// Whether a side sent close_notify.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum CloseNotify {
    /// Nothing that could be one was seen.
    #[default]
    None,
    /// The last record, encrypted, has the size and the place of one.
    Likely(Moment),
    /// It did.
    Sent(Moment),
}

/// How one side's end of a connection is to be judged.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Close {
    /// It sent close_notify.
    Clean,
    /// Its FIN came without close_notify.
    Truncated,
    /// It reset the connection, without close_notify before.
    Reset,
    /// It had not ended when the connection was last seen, or the other side ended it.
    Open,
    /// What would tell is missing.
    Unknown,
}

impl Close {
    /// The word for it, in reports for programs.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Clean => "clean",
            Self::Truncated => "truncated",
            Self::Reset => "reset",
            Self::Open => "open",
            Self::Unknown => "unknown",
        }
    }
}
