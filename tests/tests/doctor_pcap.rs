//! `raincheck doctor pcap` as it is run: on pipes, into pipes, with a page of HTML.
#![allow(clippy::unwrap_used)]

use std::fs;
use std::io::{Read, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};

use raincheck_tests::edge::raincheck;
use raincheck_tests::require;
use raincheck_tests::scratch::Scratch;
use serde_json::Value;

#[test]
fn a_pipe_is_read_as_the_file_is_whatever_packs_it() {
    let from_file = json(&run(pcap().arg(capture(ROTATED))));
    let bytes = fs::read(capture(ROTATED)).unwrap();
    require!("zstd");
    for packed in [bytes.clone(), filtered("gzip", &bytes), filtered("zstd", &bytes)] {
        assert_eq!(json(&piped(&packed, &["-"]))["connections"], from_file["connections"]);
    }
    assert_eq!(from_file["findings"][0]["name"], "key-rotated-away");
}

#[test]
fn whoever_stops_to_write_in_the_middle_of_a_packet_has_the_rest_read() {
    let bytes = fs::read(capture(ROTATED)).unwrap();
    let output = piped(&bytes[..bytes.len() / 2], &["-"]);
    let report = json(&output);
    assert!(report["capture"]["notices"][0].as_str().unwrap().contains("is cut off"), "{report}");
    assert!(!report["connections"].as_array().unwrap().is_empty());
    assert_eq!(output.status.code(), Some(0), "what is not there is no problem");
}

#[test]
fn several_files_are_one_capture() {
    let bytes = fs::read(capture(ROTATED)).unwrap();
    let scratch = Scratch::new();
    let middle = packet_behind(&bytes, bytes.len() / 2);
    let first = scratch.write("first.pcap", &bytes[..middle]);
    let second = scratch.write("second.pcap", [&bytes[..FILE_HEADER], &bytes[middle..]].concat());
    let parts = json(&run(pcap().args([&first, &second])));
    let whole = json(&run(pcap().arg(capture(ROTATED))));
    assert_eq!((&parts["connections"], &parts["findings"]), (&whole["connections"], &whole["findings"]));
}

#[test]
fn secrets_open_what_is_encrypted() {
    let alerts = |report: &Value| -> Vec<String> {
        let connections = report["connections"].as_array().unwrap();
        connections.iter().flat_map(|one| one["alerts"].as_array().unwrap()).map(|alert| alert.to_string()).collect()
    };
    let java = capture("01_java11_engine_tls12_sid_fin.pcap");
    let sealed = json(&run(pcap().arg(&java)));
    assert_eq!(alerts(&sealed), [""; 0]);
    let opened = json(&run(pcap().arg(&java).arg("--keylog").arg(java.with_extension("keys"))));
    assert_eq!(alerts(&opened), ["\"server:80\""; 4]);
}

#[test]
fn the_page_says_what_the_report_says() {
    let scratch = Scratch::new();
    let page = scratch.join("report.html");
    let output = run(pcap().arg(capture(ROTATED)).arg("--html").arg(&page));
    let html = fs::read_to_string(page).unwrap();
    let finding = json(&output)["findings"][0]["summary"].as_str().unwrap().to_owned();
    assert!(html.contains(&finding), "{html}");
    assert_eq!(html.matches("<circle").count(), json(&output)["connections"].as_array().unwrap().len());

    let nowhere = run(pcap().arg(capture(ROTATED)).args(["--html", "/nowhere/report.html"]));
    let said = String::from_utf8_lossy(&nowhere.stderr).into_owned();
    assert!(said.contains("cannot write /nowhere/report.html"), "{said}");
}

#[test]
fn who_has_read_enough_is_no_failure() {
    let mut child = pcap().arg(capture(ROTATED)).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    drop(child.stdout.take());
    let mut said = String::new();
    child.stderr.take().unwrap().read_to_string(&mut said).unwrap();
    assert_eq!(said, "");
    child.wait().unwrap();
}

/// A server whose key is rotated away, over TLS 1.2.
const ROTATED: &str = "03a_nginx_rotate_oldkey_dropped_tls12.pcap";
/// Magic 4 | version 4 | time zone 8 | snap length 4 | link type 4.
const FILE_HEADER: usize = 24;

fn capture(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../testdata/captures").join(name)
}

fn pcap() -> Command {
    let mut command = raincheck();
    command.args(["doctor", "pcap", "--json"]);
    command
}

fn run(command: &mut Command) -> Output {
    command.output().unwrap()
}

fn piped(bytes: &[u8], args: &[&str]) -> Output {
    let child = pcap().args(args).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    fed(child, bytes)
}

fn filtered(program: &str, bytes: &[u8]) -> Vec<u8> {
    let child = Command::new(program).arg("-c").stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
    fed(child, bytes).stdout
}

fn fed(mut child: Child, bytes: &[u8]) -> Output {
    let mut input = child.stdin.take().unwrap();
    let bytes = bytes.to_vec();
    let feeding = std::thread::spawn(move || input.write_all(&bytes));
    let output = child.wait_with_output().unwrap();
    feeding.join().unwrap().unwrap();
    output
}

fn json(output: &Output) -> Value {
    let said = String::from_utf8_lossy(&output.stderr);
    serde_json::from_slice(&output.stdout).unwrap_or_else(|error| panic!("{error}: {said}"))
}

/// Where the first packet begins that lies behind `offset`.
fn packet_behind(bytes: &[u8], offset: usize) -> usize {
    let mut at = FILE_HEADER;
    while at < offset {
        let length = u32::from_le_bytes(bytes[at + 8..at + 12].try_into().unwrap());
        at += 16 + length as usize; // time 8 | captured 4 | length 4
    }
    at
}
