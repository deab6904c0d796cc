//! Captures that other programs wrote anew.

use std::path::PathBuf;

use raincheck_diagnosis::diagnose;
use raincheck_tests::require;

use super::packets::{graph, graph_with, packets};
use super::truth::{Truth, problems, truths};
use super::wireshark::Rewriting;
use super::{assert_none, differences};

/// Where every packet is still there, everything is as it was: in either format, in two files, in its order again, and twice.
#[test]
fn what_loses_nothing_shows_the_same() {
    require!("editcap", "mergecap", "reordercap");
    let wrong = truths().flat_map(|truth| {
        let rewriting = rewriting(&truth);
        let versions = [
            ("as pcapng", vec![rewriting.whole.clone()]),
            ("as pcap", vec![rewriting.as_pcap()]),
            ("in halves", rewriting.halves()),
            ("shuffled, and reordered", vec![rewriting.shuffled_and_reordered()]),
            ("twice", vec![rewriting.doubled()]),
        ];
        let wrong = versions.into_iter().flat_map(|(how, files)| {
            let (packets, _) = packets(&files);
            let graph = graph(&packets);
            let findings = diagnose::capture(&graph);
            let mut wrong = differences(&truth, &packets, &graph, true);
            wrong.extend(truth.missed(&findings).into_iter().chain(truth.false_alarms(&findings)));
            wrong.into_iter().map(move |what| format!("{how}: {what}"))
        });
        wrong.collect::<Vec<_>>()
    });
    assert_none(wrong);
}

/// Where packets are missing, cut short or swapped, less is certain, and nothing is wrong.
#[test]
fn what_loses_something_shows_less_and_nothing_else() {
    require!("editcap", "mergecap", "reordercap");
    let wrong = truths().flat_map(|truth| {
        let rewriting = rewriting(&truth);
        let mut versions = vec![
            ("cut to 96 bytes", rewriting.cut_short()),
            ("without every tenth packet", rewriting.without_every_tenth()),
            ("from two queues", rewriting.two_queues()),
        ];
        versions.extend(["the first half", "the second half"].into_iter().zip(rewriting.halves()));
        versions.into_iter().flat_map(|(how, file)| untrue(&truth, how, file)).collect::<Vec<_>>()
    });
    assert_none(wrong);
}

/// What is found in two captures that were merged was found in one of them.
#[test]
fn what_is_merged_shows_what_either_shows() {
    require!("editcap", "mergecap");
    let truths = truths().collect::<Vec<_>>();
    // Of one address, two captures may tell two stories.
    let pairs = truths.iter().enumerate().filter_map(|(place, one)| {
        let mut others = truths[place..].iter().chain(&truths[..place]);
        Some((one, others.find(|other| one.shares_no_server(other))?))
    });
    let wrong = pairs.flat_map(|(one, other)| {
        let rewriting = [one, other].map(rewriting);
        let merged = rewriting[0].merged_with(&rewriting[1]);
        let findings = diagnose::capture(&graph(&packets(&[merged]).0));
        let of_neither = problems(&findings).into_iter().filter(|name| !one.allows(name) && !other.allows(name));
        of_neither.map(|name| format!("{} merged with {}: {name}", one.name, other.name)).collect::<Vec<_>>()
    });
    assert_none(wrong);
}

fn rewriting(truth: &Truth) -> Rewriting {
    let last = truth.packets().last().map_or(0, |packet| packet.at().packet);
    Rewriting::of(&truth.path(), usize::try_from(last).expect("few packets"))
}

/// What of a worse version is not so, with the secrets of its connections and without.
fn untrue(truth: &Truth, how: &str, file: PathBuf) -> Vec<String> {
    let (packets, _) = packets(&[file]);
    let (_, log) = truth.packets_and_secrets();
    let judged = [("without", graph(&packets)), ("with", graph_with(&packets, &log))].map(|(keys, graph)| {
        let wrong = truth.contradictions(&graph).into_iter().chain(truth.false_alarms(&diagnose::capture(&graph)));
        wrong.map(move |what| format!("{how}, {keys} keys: {what}")).collect::<Vec<_>>()
    });
    judged.concat()
}
