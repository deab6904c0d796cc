//! What to do about a finding, in a sentence for each product. `doctor explain` has more of it.

mod closing;
mod handshakes;
mod keys;
mod renewal;
mod sessions;
mod tickets;

pub(crate) use keys::CONTEXT_NOT_SHARED;

use crate::finding::{Name, Remedy};
use crate::product::Product;

/// What helps against `name`, what is most likely to be needed first.
pub fn remedies(name: Name) -> &'static [Remedy] {
    match name {
        Name::UncleanCloseInvalidates => closing::UNCLEAN_CLOSE_INVALIDATES,
        Name::ClientClosesUnclean => closing::CLIENT_CLOSES_UNCLEAN,
        Name::FullHandshakeStorm => handshakes::FULL_HANDSHAKE_STORM,
        Name::CheckNeverResumes => handshakes::CHECK_NEVER_RESUMES,
        Name::InlineRenewal => renewal::INLINE_RENEWAL,
        Name::InlineRenewalAborted => renewal::INLINE_RENEWAL_ABORTED,
        Name::VersionFallback => handshakes::VERSION_FALLBACK,
        Name::StaleSessionAlert => renewal::STALE_SESSION_ALERT,
        Name::ClientKeepsOldTicket => renewal::CLIENT_KEEPS_OLD_TICKET,
        Name::ClientLosesSession => renewal::CLIENT_LOSES_SESSION,
        Name::EagerTickets => tickets::EAGER_TICKETS,
        Name::WriteOnlyDataLost => tickets::WRITE_ONLY_DATA_LOST,
        Name::ClosedBeforeTickets => tickets::CLOSED_BEFORE_TICKETS,
        Name::KeysNotShared => keys::KEYS_NOT_SHARED,
        Name::RotationOutOfStep => keys::ROTATION_OUT_OF_STEP,
        Name::KeyRotatedAway => keys::KEY_ROTATED_AWAY,
        Name::SessionForgotten => sessions::SESSION_FORGOTTEN,
        Name::SessionIdsNeverResumed => sessions::SESSION_IDS_NEVER_RESUMED,
        Name::TicketExpired => tickets::TICKET_EXPIRED,
        Name::VersionChanged => handshakes::VERSION_CHANGED,
        Name::TicketNeverAccepted => keys::TICKET_NEVER_ACCEPTED,
        Name::NoResumptionOffered => sessions::NO_RESUMPTION_OFFERED,
        Name::ClientNeverOffers => sessions::CLIENT_NEVER_OFFERS,
        Name::PolicyNotBound => keys::POLICY_NOT_BOUND,
        Name::WeakTicketKey => keys::WEAK_TICKET_KEY,
        Name::TicketLifetime => tickets::TICKET_LIFETIME,
        Name::TicketReused => tickets::TICKET_REUSED,
        Name::CloseNotAnswered => closing::CLOSE_NOT_ANSWERED,
        Name::SessionIdEcho => handshakes::SESSION_ID_ECHO,
        Name::HandshakeFailures => handshakes::HANDSHAKE_FAILURES,
    }
}

/// Those of the [`remedies`] that are of use where the software at the ends is among `known`: its own, before what helps
/// with any and raincheck. All of them where none is for it.
pub fn remedies_for(name: Name, known: &[Product]) -> Vec<Remedy> {
    let all = remedies(name);
    let (own, rest): (Vec<Remedy>, Vec<Remedy>) =
        all.iter().copied().partition(|remedy| known.contains(&remedy.product));
    if own.is_empty() {
        return all.to_vec();
    }
    let general = rest.into_iter().filter(|remedy| matches!(remedy.product, Product::Any | Product::Raincheck));
    own.into_iter().chain(general).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_finding_has_a_sentence_for_each_product() {
        for &name in Name::ALL {
            let remedies = remedies(name);
            assert!(!remedies.is_empty(), "{name}");
            for (index, remedy) in remedies.iter().enumerate() {
                let Remedy { product, change } = remedy;
                assert!(remedies[..index].iter().all(|other| other.product != *product), "{name}: {product} twice");
                assert!(!change.ends_with('.') && !change.contains('\n'), "{name}: {change}");
                assert!(change.len() <= 200, "{name}: {} bytes: {change}", change.len());
                assert!(change.matches('`').count().is_multiple_of(2), "{name}: {change}");
            }
        }
    }

    #[test]
    fn what_is_known_narrows_them() {
        let products = |known: &[Product]| -> Vec<Product> {
            remedies_for(Name::UncleanCloseInvalidates, known).iter().map(|remedy| remedy.product).collect()
        };
        assert_eq!(products(&[Product::HaProxy]), [Product::HaProxy, Product::Raincheck]);
        assert_eq!(products(&[Product::HaProxy, Product::Java]), [Product::Java, Product::HaProxy, Product::Raincheck]);
        let all = [Product::Java, Product::HaProxy, Product::OpenSsl, Product::Raincheck];
        assert_eq!(products(&[]), all);
        assert_eq!(products(&[Product::Chromium]), all, "none is for Chromium");
    }
}
