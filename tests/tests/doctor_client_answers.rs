//! `raincheck doctor client`: what it says to whoever asks, and to those who have come to the wrong door.
#![allow(clippy::unwrap_used)]

use std::io::{Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::process::Command;
use std::time::{Duration, Instant};

use raincheck_tests::client::{Ending, Version};
use raincheck_tests::doctor_client::DoctorClient;
use raincheck_tests::edge::raincheck;
use raincheck_tests::hello::Hello;
use raincheck_tests::program::{self, Finished};
use raincheck_tests::require;
use raincheck_tests::scratch::Scratch;
use raincheck_tests::site::Site;
use serde_json::Value;

#[test]
fn each_connection_is_told_what_it_was_and_what_is_next() {
    require!("curl");
    let doctor = DoctorClient::start(&[]);
    let address = doctor.address("session-ids");
    let answers = curl(&[&format!("https://{address}/"), &format!("https://{address}/")]);
    let expected = format!(
        "\
scenario:        session-ids (TLS 1.2, session IDs)
this connection: number 1, TLSv1.2, full
up to now:       not determined: it has not come back with a session
next:            connect again, with the session of before
  curl -k https://{address}/
  echo | openssl s_client -connect {address} -ign_eof -sess_out s.pem   # and from then on with -sess_in s.pem too
scenario:        session-ids (TLS 1.2, session IDs)
this connection: number 2, TLSv1.2, resumed by session ID
up to now:       resumed: 1 of 2 connections, TLSv1.2
next:            connect again, with the session of before
"
    );
    assert!(answers.starts_with(&expected), "{answers}");
    let verdicts = curl(&[&format!("https://{}/verdicts", doctor.page())]);
    assert!(
        verdicts.starts_with(
            "client 127.0.0.1\nno problems in 1 of 10 scenarios\n\nscenario         verdict         seen\n"
        ),
        "{verdicts}"
    );
    assert!(verdicts.contains("\nsession-ids      resumed         1 of 2 connections, TLSv1.2\n"), "{verdicts}");
    for arguments in [&["--header", "Accept: application/json", "/verdicts"][..], &["/verdicts.json"]] {
        let (path, arguments) = arguments.split_last().unwrap();
        let url = format!("https://{}{path}", doctor.page());
        let json: Value = serde_json::from_str(&curl(&[arguments, &[&url]].concat())).unwrap();
        assert_eq!((&json["done"], &json["scenarios"][1]["next"]), (&false.into(), &1.into()));
        assert_eq!(json["scenarios"][1]["port"], address.port());
    }
    curl(&["--request", "POST", &format!("https://{}/forget", doctor.page())]);
    let verdicts = curl(&[&format!("https://{}/verdicts", doctor.page())]);
    assert!(verdicts.starts_with("client 127.0.0.1\nhas not connected\n"), "{verdicts}");
}

#[test]
fn clients_are_told_apart_by_address() {
    require!("curl");
    let doctor = DoctorClient::start(&["--listen", "0.0.0.0:0"]);
    let url = format!("https://127.0.0.1:{}/", doctor.address("session-ids").port());
    curl(&["--interface", "127.0.0.1", &url, &url]);
    curl(&["--interface", "127.0.0.2", &url]);
    // Each is told to come back to where it came to.
    let port = doctor.address("tickets").port();
    let answer = curl(&[&format!("https://127.0.0.3:{port}/")]);
    assert!(answer.contains(&format!("\n  curl -k https://127.0.0.3:{port}/\n")), "{answer}");
    let guide = curl(&[&format!("https://127.0.0.3:{}/", doctor.page().port())]);
    assert!(guide.contains(&format!("  tickets          https://127.0.0.3:{port}/  ")), "{guide}");
    let report = doctor.end();
    let scenarios = report.json["scenarios"].as_array().unwrap().iter();
    let seen: Vec<_> = scenarios
        .filter(|of| of["scenario"] == "session-ids")
        .map(|of| (of["client"].as_str().unwrap(), of["verdict"].as_str().unwrap()))
        .collect();
    assert_eq!(seen, [("127.0.0.1", "resumed"), ("127.0.0.2", "not-determined")]);
}

/// The page asks nobody else for anything.
#[test]
fn the_page_stands_alone() {
    require!("curl");
    let doctor = DoctorClient::start(&[]);
    let url = format!("https://{}/", doctor.page());
    let page = curl(&["--header", "Accept: text/html", &url]);
    assert!(page.starts_with("<!doctype html>"), "{page}");
    let elsewhere = page.split("https://").skip(1).filter(|rest| !rest.starts_with("${location.hostname}"));
    assert_eq!(elsewhere.count(), 0, "{page}");
    assert!(["src=", "@import", "url(", "http://"].iter().all(|reference| !page.contains(reference)));
    // Whoever has no use for a page is told the same in text.
    let text = curl(&[&url]);
    assert!(text.starts_with(&format!("browsers: open {url} and watch\n")), "{text}");
}

#[test]
fn plain_http_is_sent_to_the_right_door() {
    let doctor = DoctorClient::start(&[]);
    for address in [doctor.page(), doctor.address("tickets")] {
        let request = format!("GET / HTTP/1.1\r\nHost: {address}\r\n\r\n");
        let answer = say(address, request.as_bytes());
        assert!(answer.starts_with("HTTP/1.1 307 "), "{answer}");
        assert!(answer.contains(&format!("\r\nLocation: https://{address}/\r\n")), "{answer}");
        // A host that would break the header is not repeated.
        let answer = say(address, b"GET / HTTP/1.1\r\nHost: a<b\r\n\r\n");
        assert!(answer.contains(&format!("\r\nLocation: https://{address}/\r\n")), "{answer}");
    }
    let report = doctor.end();
    assert_eq!((report.json["scenarios"].as_array().unwrap().len(), report.status), (0, Some(0)));
}

#[test]
fn what_is_no_tls_disturbs_nobody() {
    let site = Site::new();
    let [chain, key] = [&site.certificate.chain, &site.certificate.key].map(|path| path.to_str().unwrap());
    let doctor = DoctorClient::start(&["--cert", chain, "--key", key]);
    let address = doctor.address("tickets");
    let hello = Hello::to("app.test").wire();
    let cut = &hello[..hello.len() - 1];
    let mut broken = hello.clone();
    broken[43] = 255; // the session ID is longer than can be
    let long = Hello::to("app.test").filled_up_to(60_000, 7).wire();
    for bytes in [&b"\x00\x01\x02"[..], &[0xff; 5000], b"SSH-2.0-x\r\n", b"hello\n", cut, &broken, &long] {
        say(address, bytes);
    }
    // One that says nothing, and one that stops in the middle, are still there.
    let silent = TcpStream::connect(address).unwrap();
    let mut stuck = TcpStream::connect(address).unwrap();
    stuck.write_all(cut).unwrap();
    let raw = site.raw(Version::Tls12);
    assert!(!raw.visit(address, "app.test").resumed && raw.visit(address, "app.test").resumed);
    let start = Instant::now();
    let report = doctor.end();
    assert!(start.elapsed() < Duration::from_secs(10), "it waits for those who hang");
    assert_eq!(report.scenario("tickets")["verdict"], "resumed", "{}", report.json);
    assert_eq!((report.findings(), report.status), (vec![], Some(0)));
    drop((silent, stuck));
}

/// Nobody keeps a connection for good by saying nothing.
#[test]
fn a_client_that_hangs_is_left() {
    let doctor = DoctorClient::start(&[]);
    let hello = Hello::to("app.test").wire();
    let mut stuck = [&hello[..20], &hello].map(|bytes| {
        let mut socket = TcpStream::connect(doctor.address("tickets")).unwrap();
        socket.set_read_timeout(Some(Duration::from_secs(60))).unwrap();
        socket.write_all(bytes).unwrap();
        socket
    });
    for socket in &mut stuck {
        socket.read_to_end(&mut Vec::new()).unwrap();
    }
    let report = doctor.end();
    assert_eq!(report.scenario("tickets")["why"], "no connection was established yet");
}

/// One scenario, and no other, ends without close_notify.
#[test]
fn an_unclean_close_is_one() {
    let site = Site::new();
    let [chain, key] = [&site.certificate.chain, &site.certificate.key].map(|path| path.to_str().unwrap());
    let doctor = DoctorClient::start(&["--cert", chain, "--key", key]);
    for version in [Version::Tls12, Version::Tls13] {
        let ending = |scenario: &str| site.raw(version).visit(doctor.address(scenario), "app.test").ending;
        assert_eq!((ending("unclean-close"), ending("no-resumption")), (Ending::Truncated, Ending::Clean));
    }
}

#[test]
fn there_is_an_end_to_what_is_kept_and_none_to_what_is_answered() {
    require!("curl");
    let doctor = DoctorClient::start(&[]);
    let url = format!("https://{}/", doctor.address("session-ids"));
    let answers = curl(&vec![url.as_str(); 45]);
    assert!(answers.contains("this connection: number 40, TLSv1.2, resumed"), "{answers}");
    assert_eq!(answers.matches("this connection: one too many to count, TLSv1.2, resumed").count(), 5, "{answers}");
    assert_eq!(doctor.end().scenario("session-ids")["connections"].as_array().unwrap().len(), 40);
}

#[test]
fn an_address_that_cannot_be_had_is_an_error_of_usage() {
    let taken = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap().local_addr().unwrap();
    let holder = TcpListener::bind(taken).unwrap();
    let refused = start_in_vain(&["--listen", &taken.to_string()]);
    assert!(
        refused.stderr.starts_with(&format!("error: cannot listen on {taken}: Address already in use")),
        "{}",
        refused.stderr
    );
    assert!(refused.stderr.contains("--listen IP:PORT"), "{}", refused.stderr);
    drop(holder);
    let last = start_in_vain(&["--listen", "127.0.0.1:65530"]);
    assert!(last.stderr.starts_with("error: there are too few ports behind 127.0.0.1:65530"), "{}", last.stderr);
    let none = start_in_vain(&["--listen", "localhost"]);
    assert!(none.stderr.contains("is no address to listen on"), "{}", none.stderr);
}

#[test]
fn a_certificate_that_cannot_be_shown_is_an_error_of_usage() {
    let scratch = Scratch::new();
    let site = Site::new();
    let chain = site.certificate.chain.to_str().unwrap();
    let missing = scratch.join("missing.pem").display().to_string();
    let refused = start_in_vain(&["--cert", chain, "--key", &missing]);
    assert!(refused.stderr.contains(&missing), "{}", refused.stderr);
    let alone = start_in_vain(&["--cert", chain]);
    assert!(alone.stderr.contains("--key <FILE>"), "{}", alone.stderr);
}

/// What it says for people, where nobody came and where somebody did.
#[test]
fn the_report_is_text_unless_json_is_asked_for() {
    require!("curl");
    let doctor = DoctorClient::start_in_text();
    let url = format!("https://{}/", doctor.address("no-resumption"));
    curl(&[&url, &url]);
    let finished = doctor.end_by("INT");
    let beginning = "\
client 127.0.0.1
no problems in 1 of 10 scenarios

scenario         verdict              seen
no-resumption    full, as it must be  2 connections
";
    assert!(finished.stdout.starts_with(beginning), "{}", finished.stdout);
    assert_eq!(
        (DoctorClient::start_in_text().end_by("TERM").stdout.as_str(), finished.status),
        ("no client has connected\n", Some(0))
    );
}

fn start_in_vain(arguments: &[&str]) -> Finished {
    let finished = program::run(raincheck().args(["doctor", "client"]).args(arguments), b"");
    assert_eq!((finished.status, finished.stdout.as_str()), (Some(2), ""), "{}", finished.output());
    finished
}

fn curl(arguments: &[&str]) -> String {
    let mut command = Command::new("curl");
    program::run(command.args(["--silent", "--show-error", "--insecure"]).args(arguments), b"").succeeded().stdout
}

/// Sends bytes and the end, and gives what comes back.
fn say(address: SocketAddr, bytes: &[u8]) -> String {
    let mut socket = TcpStream::connect(address).unwrap();
    socket.set_read_timeout(Some(Duration::from_secs(30))).unwrap();
    let _ = socket.write_all(bytes);
    let _ = socket.shutdown(std::net::Shutdown::Write);
    let mut answer = Vec::new();
    let _ = socket.read_to_end(&mut answer);
    String::from_utf8_lossy(&answer).into_owned()
}
