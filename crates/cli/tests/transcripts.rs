//! The command line as people meet it: what they type, what it prints, how it exits.
//!
//! `TRYCMD=overwrite cargo test -p raincheck` writes what is printed now into the transcripts.

#[test]
fn transcripts() {
    trycmd::TestCases::new().case("tests/transcripts/*.md").run();
}
