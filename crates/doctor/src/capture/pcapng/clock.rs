//! What the times of an interface count, and from when on.

use raincheck_diagnosis::Timestamp;

use super::fields::Fields;

/// The clock of an interface.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Clock {
    tick: Tick,
    /// Nanoseconds to be added.
    offset: i128,
}

/// How long a unit of time is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Tick {
    /// So many nanoseconds.
    Nanoseconds(i128),
    /// A nanosecond has so many.
    OfNanosecond(i128),
    /// Seconds, so often halved.
    Halves(u32),
}

impl Clock {
    /// As the options of an interface have it.
    pub(super) fn of(mut options: Fields<'_>) -> Self {
        let mut clock = Self { tick: Tick::Nanoseconds(1000), offset: 0 };
        while let Some((code, mut value)) = options.option() {
            match code {
                END => break,
                RESOLUTION => clock.tick = value.u8().map_or(clock.tick, Tick::of),
                OFFSET => clock.offset = value.i64().map_or(0, |seconds| i128::from(seconds) * SECOND),
                _ => {}
            }
        }
        clock
    }

    /// The time after `ticks`. One that no [`Timestamp`] can say becomes the nearest it can.
    pub(super) fn time(&self, ticks: u64) -> Timestamp {
        let ticks = i128::from(ticks);
        let nanoseconds = self.offset
            + match self.tick {
                Tick::Nanoseconds(each) => ticks * each,
                Tick::OfNanosecond(parts) => ticks / parts,
                Tick::Halves(times) => (ticks * SECOND) >> times,
            };
        Timestamp::from_nanoseconds(nanoseconds.clamp(0, u64::MAX.into()) as u64)
    }
}

impl Tick {
    /// Of an `if_tsresol`: the negative power of 10, or with the highest bit set, of 2 (draft-ietf-opsawg-pcapng §4.2).
    fn of(resolution: u8) -> Self {
        let power = u32::from(resolution & 0x7f);
        match resolution {
            0x80.. => Self::Halves(power),
            0..=9 => Self::Nanoseconds(10_i128.pow(9 - power)),
            // More than 19 digits below the nanosecond leave nothing of 64 bits.
            _ => Self::OfNanosecond(10_i128.pow((power - 9).min(20))),
        }
    }
}

const END: u16 = 0;
const RESOLUTION: u16 = 9;
const OFFSET: u16 = 14;

/// In nanoseconds.
const SECOND: i128 = 1_000_000_000;
