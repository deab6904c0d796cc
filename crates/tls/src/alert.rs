//! The alert an error deserves, where nothing is encrypted yet.
//!
//! rustls chooses the alert for what is wrong inside a message. For a record that is none it says decode_error, and for
//! some faults it has no alert at all.

use rustls::{AlertDescription, Error, InvalidMessage, PeerMisbehaved};

/// A fatal alert in the clear, its record around it.
pub(crate) type Alert = [u8; 7];

/// What the peer is told of `error` where rustls does not tell it; `None` where it is told nothing.
pub(crate) fn of(error: &Error) -> Option<Alert> {
    description(error).map(fatal)
}

/// Puts the right alert in the place of the decode_error that rustls wrote for `error`. What is encrypted stays as it is.
pub(crate) fn correct(written: &mut [u8], error: &Error) {
    if let (Some(right), true) = (of(error), *written == fatal(AlertDescription::DecodeError)) {
        written.copy_from_slice(&right);
    }
}

fn description(error: &Error) -> Option<AlertDescription> {
    Some(match error {
        // RFC 8446 §6.2: whoever gets a fatal alert closes, and is not to answer.
        Error::AlertReceived(_) => return None,
        Error::InvalidMessage(invalid) => of_message(invalid),
        // RFC 8446 §5.1, §5.2: a record that is too long must end in this one.
        Error::PeerSentOversizedRecord => AlertDescription::RecordOverflow,
        // RFC 8446 §5.1: no other record inside a message; §5.4: no empty handshake records.
        Error::PeerMisbehaved(
            PeerMisbehaved::MessageInterleavedWithHandshakeMessage | PeerMisbehaved::TooManyEmptyFragments,
        ) => AlertDescription::UnexpectedMessage,
        // RFC 8446 §6.2: a message that follows the syntax and is wrong otherwise.
        Error::PeerMisbehaved(_) => AlertDescription::IllegalParameter,
        // RFC 8446 §6.2: there is no set of parameters for both.
        Error::PeerIncompatible(_) => AlertDescription::HandshakeFailure,
        // RFC 8446 §6.2: nothing of the peer's.
        _ => AlertDescription::InternalError,
    })
}

fn of_message(invalid: &InvalidMessage) -> AlertDescription {
    match invalid {
        // RFC 8446 §5: a record of an unexpected type, or a ChangeCipherSpec that is none; §5.1, §5.4: an empty one.
        InvalidMessage::InvalidContentType | InvalidMessage::InvalidCcs | InvalidMessage::InvalidEmptyPayload => {
            AlertDescription::UnexpectedMessage
        }
        // RFC 8446 §5.1, §5.2
        InvalidMessage::MessageTooLarge => AlertDescription::RecordOverflow,
        // RFC 5246 §E.1: a record's version is {03,XX} in every ClientHello, so that this is none of SSL 3.0 or later.
        InvalidMessage::UnknownProtocolVersion => AlertDescription::ProtocolVersion,
        // RFC 8446 §6.2: a field is out of range, or a length wrong.
        _ => AlertDescription::DecodeError,
    }
}

/// RFC 8446 §5.1, §6: type, legacy version, length, level, description.
fn fatal(description: AlertDescription) -> Alert {
    [21, 3, 3, 0, 2, 2, description.into()]
}

#[cfg(test)]
mod tests {
    use super::*;

    const DECODE_ERROR: Alert = [21, 3, 3, 0, 2, 2, 50];

    #[test]
    fn only_a_decode_error_in_the_clear_is_corrected() {
        let too_long = Error::InvalidMessage(InvalidMessage::MessageTooLarge);
        let mut written = DECODE_ERROR;
        correct(&mut written, &too_long);
        assert_eq!(written, [21, 3, 3, 0, 2, 2, 22]);
        let mut encrypted = [&[21, 3, 3, 0, 26][..], &[7; 19], &DECODE_ERROR].concat();
        let before = encrypted.clone();
        correct(&mut encrypted, &too_long);
        assert_eq!(encrypted, before);
        let mut other = [21, 3, 3, 0, 2, 2, 47];
        correct(&mut other, &Error::InvalidMessage(InvalidMessage::DuplicateExtension(0)));
        assert_eq!(other, [21, 3, 3, 0, 2, 2, 47]);
    }

    #[test]
    fn an_alert_is_not_answered() {
        assert_eq!(of(&Error::AlertReceived(AlertDescription::HandshakeFailure)), None);
    }
}
