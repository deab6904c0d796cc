use super::Counts;
use crate::tcp::Limits;

mod bounds;
mod script;

use script::play;

/// What comes of each script.
fn assert_plays<const N: usize>(cases: [(&str, &str, &[&str]); N]) {
    for (name, script, expected) in cases {
        assert_eq!(play(Limits::default(), script).0, expected, "{name}");
    }
}

#[test]
fn a_connection_from_syn_to_fin() {
    assert_plays([
        (
            "in order",
            "> S 99; < SA 299 100; > A 100 300; > A 100 300 hello; < A 300 105 hi; > A 105 302; > FA 105 302; < FA 302 106; > A 106 303",
            &["opened by 50000 @1, >hello @4, <hi @5, >fin @7, <fin @8; 5/5 2/2"],
        ),
        ("data with SYN", "> S 99 abc", &["opened by 50000 @1, >abc @1; 0/3 0/0"]),
        (
            "data with SYN, SYN-ACK and FIN",
            "> S 99 ab; < SA 299 102 cd; > FA 102 302 ef; < FA 302 105 gh; > A 105 305",
            &["opened by 50000 @1, >ab @1, <cd @2, >ef @3, >fin @3, <gh @4, <fin @4; 4/4 4/4"],
        ),
        (
            "simultaneous open",
            "> S 99; < S 299; > SA 99 300; < SA 299 100; > A 100 300 a; < A 300 101 b",
            &["opened by 50000 @1, >a @5, <b @6; 1/1 0/1"],
        ),
        (
            "simultaneous close",
            "> S 99; < SA 299 100; > FA 100 300; < FA 300 100; > A 101 301; < A 301 101",
            &["opened by 50000 @1, >fin @3, <fin @4; 0/0 0/0"],
        ),
        (
            "half closed",
            "> S 99; < SA 299 100; > FA 100 300; @60000 < A 300 101 late; @60000 < FA 304 101; > A 101 305",
            &["opened by 50000 @1, >fin @3, <late @4, <fin @5; 0/0 4/4"],
        ),
        (
            "sequence numbers wrap",
            "> S 4294967293; < SA 4294967295 4294967294; > A 4294967294 0 abcd; > A 4 0 gh; > A 2 0 ef; < A 0 6 xyz; > FA 6 3; < FA 3 7",
            &["opened by 50000 @1, >abcd @3, >ef @5, >gh @4, <xyz @6, >fin @7, <fin @8; 8/8 3/3"],
        ),
    ]);
}

#[test]
fn resets() {
    assert_plays([
        ("a refused port", "> S 99; < RA 0 100", &["opened by 50000 @1, <reset @2; 0/0 0/0"]),
        (
            "a refused port, asked three times",
            "> S 99; < RA 0 100; @500 > S 99; < RA 0 100; @500 > S 99; < RA 0 100",
            &["opened by 50000 @1, <reset @2; 0/0 0/0"],
        ),
        (
            "with data left",
            "> S 99; < SA 299 100; > A 100 300 abcdef; < A 300 103; < A 300 103 xy; > RA 106 300; < A 302 106 z",
            &["opened by 50000 @1, >abcdef @3, <xy @5, >reset @6, <z @7; 6/6 0/3"],
        ),
        (
            "after both FINs",
            "> S 99; < SA 299 100; > FA 100 300; < A 300 101 bye; < FA 303 101; > R 101; > R 101",
            &["opened by 50000 @1, >fin @3, <bye @4, <fin @5, >reset @6; 0/0 0/3"],
        ),
        (
            "captured before what was sent before it",
            "> S 99; < SA 299 100; > RA 103 300; > A 100 300 abc",
            &["opened by 50000 @1, >abc @4, >reset @3; 0/3 0/0"],
        ),
        (
            "captured before the FIN that was sent before it",
            "> S 99; < SA 299 100; > R 103; > FA 102 300; > A 100 300 ab",
            &["opened by 50000 @1, >ab @5, >fin @4, >reset @3; 0/2 0/0"],
        ),
        (
            "far outside the window",
            "> S 99; < SA 299 100; < R 2000000000; > A 100 300 a",
            &["opened by 50000 @1, >a @4; 0/1 0/0"],
        ),
        (
            "that carries text",
            "> S 99; < SA 299 100; < R 300 go-away; > A 100 300 a",
            &["opened by 50000 @1, <reset @3, >a @4; 0/1 0/0"],
        ),
        (
            "no data of who reset",
            "> S 99; < SA 299 100; > R 100; > A 100 300 a; > FA 100 300",
            &["opened by 50000 @1, >reset @3; 0/0 0/0"],
        ),
    ]);
}

#[test]
fn sent_again() {
    assert_plays([
        (
            "whole",
            "> S 99; > S 99; < SA 299 100; < SA 299 100; > A 100 300 ab; > A 100 300 ab; > A 102 300 cd; > A 100 300 ab",
            &["opened by 50000 @1, >ab @5, >cd @7; 0/4 0/0"],
        ),
        (
            "in part, and cut otherwise",
            "> S 99; < SA 299 100; > A 100 300 abcd; > A 102 300 cdef; > A 101 300 bcdefgh; > A 103 300 de",
            &["opened by 50000 @1, >abcd @3, >ef @4, >gh @5; 0/8 0/0"],
        ),
        (
            "waiting ones overlap",
            "> S 99; < SA 299 100; > A 103 300 def; > A 104 300 efgh; > A 103 300 d; > A 103 300 defg; > A 101 300 bcd; > A 100 300 a",
            &["opened by 50000 @1, >a @8, >bcd @7, >efg @6, >h @4; 0/8 0/0"],
        ),
        (
            "keepalives",
            "> S 99; < SA 299 100; > A 100 300 ab; > A 101 300; > A 101 300 x; < A 300 102; > A 102 300 c",
            &["opened by 50000 @1, >ab @3, >c @7; 2/3 0/0"],
        ),
        (
            "a probe of a zero window, with a byte that is sent again",
            "> S 99; < SA 299 100; > A 100 300 a; < A 300 100; > A 100 300 ab; > FA 102 300; > FA 102 300",
            &["opened by 50000 @1, >a @3, >b @5, >fin @6; 0/2 0/0"],
        ),
        (
            "every packet twice",
            "> S 99;> S 99; < SA 299 100;< SA 299 100; > A 100 300 a;> A 100 300 a; < FA 300 101 b;< FA 300 101 b; > FA 101 302;> FA 101 302; < A 302 102;< A 302 102",
            &["opened by 50000 @1, >a @5, <b @7, <fin @7, >fin @9; 1/1 1/1"],
        ),
    ]);
}

#[test]
fn out_of_order() {
    assert_plays([
        (
            "with the moments at which they were captured",
            "> S 99; < SA 299 100; > A 102 300 cd; > FA 106 300; > A 104 300 ef; > A 100 300 ab",
            &["opened by 50000 @1, >ab @6, >cd @3, >ef @5, >fin @4; 0/6 0/0"],
        ),
        (
            "the acknowledgement before the data",
            "> S 99; < SA 299 100; < A 300 106; > A 102 300 cd; > A 104 300 ef; @900 > A 100 300 ab",
            &["opened by 50000 @1, >ab @6, >cd @4, >ef @5; 6/6 0/0"],
        ),
        ("the answer before the SYN", "< SA 299 100; > S 99; > A 100 300 a", &["opened by 50000 @1, >a @3; 0/1 0/0"]),
        (
            "SYN-ACK after the data that followed it",
            "> S 99; > A 100 300 ab; < A 303 102 de; < A 300 102 abc; < SA 299 100",
            &["opened by 50000 @1, >ab @2, <abc @4, <de @3; 2/2 0/5"],
        ),
    ]);
}

#[test]
fn what_is_missing_is_a_gap() {
    assert_plays([
        (
            "acknowledged, a second ago",
            "> S 99; < SA 299 100; > A 102 300 cd; @5000 < A 300 104; @999 > A 104 300 ef; @1 > A 106 300 gh; > A 100 300 ab",
            &["opened by 50000 @1, >gap of 2 @3, >cd @3, >ef @5, >gh @6; 4/8 0/0"],
        ),
        (
            "not acknowledged, so that it will be sent again",
            "> S 99; < SA 299 100; > A 102 300 cd; < A 300 100; @9000 > A 104 300 ef; @9000 > A 100 300 ab",
            &["opened by 50000 @1, >ab @6, >cd @3, >ef @5; 0/6 0/0"],
        ),
        (
            "never acknowledged, and never sent again",
            "> S 99; > A 102 300 cd; > A 106 300 gh; > FA 110 300",
            &["opened by 50000 @1, >gap of 2 @2, >cd @2, >gap of 2 @3, >gh @3, >gap of 2 @4, >fin @4; 0/10 0/0"],
        ),
        (
            "the last bytes, acknowledged",
            "> S 99; < SA 299 100; > A 100 300 ab; < A 300 106",
            &["opened by 50000 @1, >ab @3, >gap of 4 @4; 6/6 0/0"],
        ),
        (
            "one byte more acknowledged is a FIN",
            "> S 99; < SA 299 100; > A 100 300 ab; < A 300 103",
            &["opened by 50000 @1, >ab @3; 2/2 0/0"],
        ),
        (
            "cut by the snap length",
            "> S 99; < SA 299 100; > A 100 300 ab/5; > A 105 300 fg; > A 109 300 jk/4; > A 107 300 hi; > A 100 300 abcde; < FA 300 113 /3; < A 304 113",
            &[
                "opened by 50000 @1, >ab @3, >gap of 3 @3, >fg @4, >hi @6, >jk @5, >gap of 2 @5, <gap of 3 @8, <fin @8; 13/13 0/3",
            ],
        ),
        (
            "seconds of a fast connection",
            "> S 99; < SA 299 100; > A 100 300 a; > A 3000000101 300 bcd; > A 3000000104 300 efg; > FA 3000000107 300; < A 300 3000000108; @1000 < A 300 3000000108",
            &["opened by 50000 @1, >a @3, >gap of 3000000003 @5, >efg @5, >fin @6; 3000000007/3000000007 0/0"],
        ),
        (
            "and out of order behind it",
            "> S 99; < SA 299 100; > A 3000000101 300 bcd; > A 3000000104 300 efg; > A 3000000110 300 klm; > A 3000000107 300 hij",
            &["opened by 50000 @1, >gap of 3000000004 @4, >efg @4, >hij @6, >klm @5; 0/3000000013 0/0"],
        ),
        (
            "one after another, each in its own time",
            "> S 99; < SA 299 100; > A 102 300 cd; > A 106 300 gh; < A 300 108; @900 > A 100 300 ab; @200 < A 300 108; @900 > A 104 300 ef",
            &["opened by 50000 @1, >ab @6, >cd @3, >ef @8, >gh @4; 8/8 0/0"],
        ),
        (
            "no acknowledgement far outside counts",
            "> S 99; < SA 299 100; < A 300 2000000000",
            &["opened by 50000 @1; 0/0 0/0"],
        ),
        (
            "nothing far outside the window disturbs",
            "> S 99; < SA 299 100; > A 2000000000 5 junk; > A 3000000000 300 junk; > FA 3000000000 300; > FA 90000 300; > A 100 300 ab; < A 300 2000000000; < A 300 102; > FA 102 300",
            &["opened by 50000 @1, >ab @7, >fin @10; 2/2 0/0"],
        ),
    ]);
}

#[test]
fn beginnings_that_were_not_captured() {
    assert_plays([
        (
            "the higher port opened it",
            "< A 300 100 hi; > A 100 302 ho",
            &["midway by 50000 @1, <hi @1, >ho @2; 0/2 2/2"],
        ),
        (
            "an acknowledgement says where it begins",
            "> A 100 300 ab; < A 302 102 cd; < A 300 102 ab",
            &["midway by 50000 @1, >ab @1, <ab @3, <cd @2; 2/2 0/4"],
        ),
        ("a FIN alone", "< FA 300 100", &["midway by 50000 @1, <fin @1; 0/0 0/0"]),
        ("a reset alone", "> R 300", &["midway by 50000 @1, >reset @1; 0/0 0/0"]),
        ("silence", "> A 99 300; < A 300 100", &["midway by 50000 @1; 0/0 0/0"]),
        (
            "an acknowledgement before its SYN",
            "> A 100 300; > S 99; < SA 299 100; > A 100 300 a",
            &["opened by 50000 @2, >a @4; 0/1 0/0"],
        ),
        (
            "an acknowledgement before its SYN-ACK",
            "> A 100 300; < SA 299 100; > S 99; > A 100 300 a",
            &["opened by 50000 @2, >a @4; 0/1 0/0"],
        ),
        ("SYN-ACK first", "< SA 299 100; > A 101 300 b; > A 100 300 a", &["opened by 50000 @1, >a @3, >b @2; 0/2 0/0"]),
        (
            "one direction",
            "> S 99; > A 100 300; > A 100 300 a; > FA 101 305",
            &["opened by 50000 @1, >a @3, >fin @4, <gap of 5 @4; 0/1 5/5"],
        ),
        (
            "the other",
            "< SA 299 100; < A 300 108 ab; < FA 302 108",
            &["opened by 50000 @1, <ab @2, <fin @3, >gap of 8 @3; 8/8 0/2"],
        ),
    ]);
}

#[test]
fn ports_are_used_again() {
    const CLOSED: &str = "> S 99; < SA 299 100; > FA 100 300; < FA 300 101; > A 101 301;";
    const FIRST: &str = "opened by 50000 @1, >fin @3, <fin @4; 0/0 0/0";
    let again = |script: &str| format!("{CLOSED}{script}");
    assert_plays([
        (
            "after FINs",
            &again("> S 999; < SA 2999 1000; > A 1000 3000 new"),
            &[FIRST, "opened by 50000 @6, >new @8; 0/3 0/0"],
        ),
        (
            "after a reset",
            "> S 99; < RA 0 100; > S 999; < SA 2999 1000; > A 1000 3000 new",
            &["opened by 50000 @1, <reset @2; 0/0 0/0", "opened by 50000 @3, >new @5; 0/3 0/0"],
        ),
        (
            "while it looks open",
            "> S 99; < SA 299 100; > A 100 300 old; > S 999; < SA 2999 1000; > A 1000 3000 new",
            &["opened by 50000 @1, >old @3; 0/3 0/0", "opened by 50000 @4, >new @6; 0/3 0/0"],
        ),
        (
            "by a SYN-ACK, as the SYN was not captured",
            &again("< SA 2999 1000; > A 1000 3000 new"),
            &[FIRST, "opened by 50000 @6, >new @7; 0/3 0/0"],
        ),
        (
            "after nothing was captured of its client but that",
            "< A 300 100 old; > S 999; < SA 2999 1000; > A 1000 3000 new",
            &["midway by 50000 @1, <old @1; 0/0 0/3", "opened by 50000 @2, >new @4; 0/3 0/0"],
        ),
        (
            "after a reset, with nothing captured of its client at all",
            "< . 300 old; < R 303; > S 999; < SA 2999 1000",
            &["midway by 50000 @1, <old @1, <reset @2; 0/0 0/3", "opened by 50000 @3; 0/0 0/0"],
        ),
        (
            "for longer than the old one lingers",
            &again("> S 999; < SA 2999 1000; @6000 > A 1000 3000 new; > A 1003 3000 er"),
            &[FIRST, "opened by 50000 @6, >new @8, >er @9; 0/5 0/0"],
        ),
        ("the same SYN, again", &again("> S 99; < SA 299 100"), &[FIRST]),
        ("by a SYN with data", "> S 99; > S 999 new; < SA 2999 1003", &["opened by 50000 @2, >new @2; 3/3 0/0"]),
        (
            "by a SYN that another one follows",
            "> S 99; > S 999; < SA 2999 1000; > A 1000 3000 new",
            &["opened by 50000 @2, >new @4; 0/3 0/0"],
        ),
    ]);
}

#[test]
fn what_comes_after_the_end() {
    const CLOSED: &str = "> S 99; < SA 299 100; > FA 100 300; < FA 300 101;";
    let after = |script: &str| play(Limits::default(), &format!("{CLOSED}{script}"));
    let (lines, counts) =
        after("> R 101; @4999 < A 301 101 x; @6000 < FA 300 101; @1000 < A 300 101 x; > R 101; < R 300");
    assert_eq!(lines, ["opened by 50000 @1, >fin @3, <fin @4, >reset @5; 0/0 0/0"]);
    assert_eq!(counts, Counts { connections: 1, late: 4, ..Counts::default() });
    let (lines, _) = after("@6000 < FA 300 101; @60000 < FA 300 101");
    assert_eq!(lines[1..], ["midway by 50000 @6, <fin @6; 0/0 0/0"], "a minute is long enough");
    let (lines, _) = after("@6000 > S 99; < SA 299 100; > A 100 300 hello");
    assert_eq!(lines[1..], ["opened by 50000 @5, >hello @7; 0/5 0/0"], "a SYN opens a new one");
}
