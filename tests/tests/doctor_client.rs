//! `raincheck doctor client`: what it finds out about the clients people use, and about two that are no more.
#![allow(clippy::unwrap_used)]

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{Shutdown, SocketAddr};
use std::path::{Path, PathBuf};
use std::process::{Child, Command};
use std::sync::OnceLock;

use raincheck_tests::client::Version;
use raincheck_tests::doctor_client::{DoctorClient, Report};
use raincheck_tests::java::{self, Release};
use raincheck_tests::raw::{Connection, REQUEST, Raw};
use raincheck_tests::scratch::Scratch;
use raincheck_tests::site::{NAME, Site};
use raincheck_tests::{program, require};

/// What it finds out about a client that makes so many connections with an address.
fn examined(visit: impl Fn(SocketAddr, usize)) -> Report {
    let doctor = DoctorClient::start(&[]);
    doctor.visit_all(visit);
    doctor.end()
}

#[test]
fn curl_speaks_no_tickets_in_tls12() {
    require!("curl");
    let report = examined(|address, times| {
        let urls = vec![format!("https://{address}/"); times];
        program::run(Command::new("curl").args(["--silent", "--insecure"]).args(urls), b"").succeeded();
    });
    let of_tickets = ["tickets", "renewal", "rotation", "unknown-key"];
    assert_eq!(report.conspicuous(), of_tickets.map(|scenario| (scenario, "never-offers")), "{}", report.json);
    assert_eq!(report.scenario("tickets")["why"], "it speaks no tickets in TLS 1.2");
    assert!(report.scenario("held-tickets")["connections"][0]["ja4"].as_str().unwrap().starts_with("t13"));
    // It resumes by session ID and by PSK, so there is nothing the matter with it.
    assert_eq!((report.findings(), report.status), (vec![("client-never-offers", "note")], Some(0)));
}

#[test]
fn openssl_keeps_the_old_ticket() {
    require!("openssl");
    let report = examined(|address, times| openssl(address, times, true));
    assert_eq!(report.conspicuous(), [("renewal", "keeps-old-session")], "{}", report.json);
    assert_eq!((report.findings(), report.status), (vec![("client-keeps-old-ticket", "note")], Some(0)));
}

#[test]
fn openssl_without_a_session_never_offers() {
    require!("openssl");
    let report = examined(|address, times| openssl(address, times, false));
    let verdicts = report.conspicuous();
    assert_eq!(verdicts.len(), 9, "{}", report.json);
    assert!(verdicts.iter().all(|(_, verdict)| *verdict == "never-offers"), "{}", report.json);
    assert_eq!((report.findings(), report.status), (vec![("client-never-offers", "problem")], Some(1)));
}

#[test]
fn python_bears_everything() {
    require!("python3");
    let report = examined(|address, times| script("python3", "sessions.py", address, times));
    assert_eq!((report.conspicuous(), report.findings(), report.status), (vec![], vec![], Some(0)), "{}", report.json);
    assert_eq!(report.scenario("renewal")["why"], "with renewed tickets in 1 of 6, one connection after the other");
}

#[test]
fn node_keeps_the_old_ticket() {
    require!("node");
    let report = examined(|address, times| script("node", "sessions.js", address, times));
    assert_eq!(report.conspicuous(), [("renewal", "keeps-old-session")], "{}", report.json);
    assert_eq!((report.findings(), report.status), (vec![("client-keeps-old-ticket", "note")], Some(0)));
}

#[test]
fn java_bears_everything() {
    require!("javac", "java");
    let report = examined(|address, times| java(&[], address, times));
    assert_eq!((report.conspicuous(), report.status), (vec![], Some(0)), "{}", report.json);
}

#[test]
fn java_that_insists_on_close_notify_loses_the_session_without_it() {
    require!("javac", "java");
    let report = examined(|address, times| java(&["-Dcom.sun.net.ssl.requireCloseNotify=true"], address, times));
    assert_eq!(report.conspicuous(), [("unclean-close", "never-offers")], "{}", report.json);
    assert!(report.findings().contains(&("client-loses-session", "problem")), "{}", report.json);
    assert_eq!(report.status, Some(1));
}

/// It offers each session once: after a resumption it begins anew. And it leaves before tickets that come with an answer.
#[test]
fn gnutls_cli_resumes_every_other_time() {
    require!("gnutls-cli");
    let report = examined(gnutls);
    let lost = |scenario: &str| report.scenario(scenario)["verdict"] == "loses-session";
    assert!(
        ["session-ids", "tickets", "early-tickets", "renewal", "rotation"].iter().all(|name| lost(name)),
        "{}",
        report.json
    );
    assert_eq!(report.scenario("held-tickets")["why"], "it leaves before the tickets come");
    assert_eq!(report.scenario("unknown-key")["verdict"], "resumed");
    let findings = report.findings();
    assert!(findings.contains(&("client-loses-session", "problem")), "{findings:?}");
    assert!(findings.contains(&("closed-before-tickets", "note")), "{findings:?}");
    assert_eq!(report.status, Some(1));
}

/// The page drives it, three images at once across a rotation among them, and it ends by itself.
#[test]
fn chromium_is_driven_by_the_page() {
    require!("chromium");
    let doctor = DoctorClient::start(&["--once"]);
    let profile = Scratch::new();
    let browser = Browser(program::spawn(&mut chromium(&doctor, &profile, &[])));
    let report = doctor.ended();
    drop(browser);
    assert_eq!((report.conspicuous(), report.status), (vec![], Some(0)), "{}", report.json);
    assert_eq!(report.scenario("renewal")["why"], "with renewed tickets in 3 of 6, 3 of them at once");
    // It never says goodbye.
    assert_eq!(report.findings(), [("client-closes-unclean", "note")]);
}

#[test]
fn the_page_shows_what_was_found() {
    require!("chromium");
    let (doctor, profile) = (DoctorClient::start(&[]), Scratch::new());
    // Time that passes as fast as nothing happens: the page is through long before this is over.
    let arguments = ["--virtual-time-budget=60000", "--dump-dom"];
    let page = program::run(&mut chromium(&doctor, &profile, &arguments), b"").stdout;
    assert!(page.contains(">done: no problems<"), "{page}");
    assert_eq!(page.matches(r#"<td class="good">resumed</td>"#).count(), 9, "{page}");
    assert_eq!(page.matches(r#"<td class="good">full, as it must be</td>"#).count(), 1, "{page}");
    assert!(page.contains("note: client-closes-unclean"), "{page}");
}

/// A client that is told what to do with each connection, and the doctor with a certificate it trusts.
struct Scripted {
    doctor: DoctorClient,
    raw: Raw,
    _site: Site,
}

impl Scripted {
    /// It has made a connection with `renewal`, and another with the session of the first: the key has changed.
    fn before_the_renewal() -> Self {
        let site = Site::new();
        let [chain, key] = [&site.certificate.chain, &site.certificate.key].map(|path| path.to_str().unwrap());
        let doctor = DoctorClient::start(&["--cert", chain, "--key", key]);
        let scripted = Self { doctor, raw: site.raw(Version::Tls12), _site: site };
        assert!(!scripted.visit().resumed && scripted.visit().resumed);
        scripted
    }

    fn address(&self) -> SocketAddr {
        self.doctor.address("renewal")
    }

    fn visit(&self) -> raincheck_tests::raw::Visited {
        self.raw.visit(self.address(), NAME)
    }

    /// A connection whose server has said all it has to say in the abbreviated handshake, the new ticket among it.
    fn renewed(&self) -> Connection {
        self.raw.up_to_last_flight(self.address(), NAME)
    }

    /// Three at once, with the same ticket.
    fn three_renewed(&self) -> [Connection; 3] {
        self.raw.keep_session();
        [self.renewed(), self.renewed(), self.renewed()]
    }
}

/// SChannel ended its side on the ticket in an abbreviated handshake, and came back with TLS 1.0.
#[test]
fn schannel_aborts_and_falls_back() {
    require!("openssl");
    let scripted = Scripted::before_the_renewal();
    let mut connection = scripted.renewed();
    connection.truncate();
    connection.socket.read_to_end(&mut Vec::new()).unwrap();
    let back = tls10(scripted.address(), &[]);
    assert!(back.contains("alert protocol version"), "{back}");
    let report = scripted.doctor.end();
    assert_eq!(report.scenario("renewal")["verdict"], "fell-back");
    assert_eq!(report.scenario("renewal")["said"], "fell back to TLSv1.0");
    assert_eq!(report.findings(), [("inline-renewal-aborted", "problem"), ("version-fallback", "problem")]);
    let evidence = &report.json["findings"][0]["evidence"];
    assert_eq!(evidence[0], "renewal: connection 3 ends on the renewed ticket, by a FIN");
    assert_eq!(report.status, Some(1));
}

#[test]
fn an_abort_alone_is_an_abort() {
    let scripted = Scripted::before_the_renewal();
    scripted.renewed().truncate();
    scripted.visit();
    let report = scripted.doctor.end();
    assert_eq!(report.scenario("renewal")["verdict"], "aborted-after-renewal");
    assert_eq!(report.findings(), [("inline-renewal-aborted", "problem")]);
}

/// A client of TLS 1.0 from the first is old, and falls back from nothing; unless it says so.
#[test]
fn a_client_of_tls10_falls_back_only_if_it_says_so() {
    require!("openssl");
    for (arguments, verdict, findings) in [
        (&[][..], "not-determined", vec![]),
        (&["-fallback_scsv"][..], "fell-back", vec![("version-fallback", "problem")]),
    ] {
        let doctor = DoctorClient::start(&[]);
        for _ in 0..2 {
            tls10(doctor.address("renewal"), arguments);
        }
        let report = doctor.end();
        assert_eq!(report.scenario("renewal")["verdict"], verdict, "{}", report.json);
        assert_eq!(report.findings(), findings, "{}", report.json);
    }
}

/// Chromium 45: of three images at once the first came, and the others ended in unexpected_message.
#[test]
fn chromium_45_sends_an_alert() {
    let scripted = Scripted::before_the_renewal();
    let [mut first, second, third] = scripted.three_renewed();
    finish(&mut first);
    for mut connection in [second, third] {
        // alert, TLS 1.2, length 2, fatal, unexpected_message (RFC 5246 §7.2)
        connection.socket.write_all(&[21, 3, 3, 0, 2, 2, 10]).unwrap();
        connection.truncate();
        connection.socket.read_to_end(&mut Vec::new()).unwrap();
    }
    let report = scripted.doctor.end();
    assert_eq!(report.scenario("renewal")["said"], "sent an alert: unexpected_message (10)");
    assert_eq!(report.findings(), [("stale-session-alert", "problem")], "{}", report.json);
    assert_eq!(report.json["findings"][0]["evidence"].as_array().unwrap().len(), 2);
    assert_eq!(report.status, Some(1));
}

#[test]
fn three_at_once_that_bear_it_are_healthy() {
    let scripted = Scripted::before_the_renewal();
    scripted.three_renewed().iter_mut().for_each(finish);
    let report = scripted.doctor.end();
    assert_eq!(report.scenario("renewal")["why"], "with renewed tickets in 3 of 5, 3 of them at once");
    assert_eq!((report.findings(), report.status), (vec![], Some(0)));
}

/// The rest of the handshake, a request and a clean end.
fn finish(connection: &mut Connection) {
    connection.send();
    connection.write(REQUEST);
    let (answer, _) = connection.read_to_end();
    assert!(connection.resumed() && answer.starts_with(b"HTTP/1.1 200"));
    connection.close();
    connection.socket.shutdown(Shutdown::Write).unwrap();
}

/// A running browser; killed when dropped.
struct Browser(Child);

impl Drop for Browser {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// A browser that opens the page, whatever its certificate.
fn chromium(doctor: &DoctorClient, profile: &Scratch, arguments: &[&str]) -> Command {
    let mut command = Command::new("chromium");
    command.args(["--headless", "--no-sandbox", "--disable-gpu", "--ignore-certificate-errors", "--no-first-run"]);
    command.arg(format!("--user-data-dir={}", profile.path().display()));
    command.args(arguments).arg(format!("https://{}/", doctor.page()));
    command
}

/// `openssl s_client`, once and again, with the session it has if it is to keep it.
fn openssl(address: SocketAddr, times: usize, keeps: bool) {
    let scratch = Scratch::new();
    let session = scratch.join("session.pem");
    for _ in 0..times {
        let mut command = Command::new("openssl");
        command.args(["s_client", "-ign_eof", "-connect", &address.to_string()]);
        if keeps && session.exists() {
            command.arg("-sess_in").arg(&session);
        }
        if keeps {
            command.arg("-sess_out").arg(&session);
        }
        let finished = program::run(&mut command, REQUEST);
        assert!(finished.stdout.contains("this connection:"), "{}", finished.output());
    }
}

/// `openssl s_client` with TLS 1.0 and nothing else; gives what it says.
fn tls10(address: SocketAddr, arguments: &[&str]) -> String {
    let mut command = Command::new("openssl");
    command.args(["s_client", "-tls1", "-cipher", "ALL:@SECLEVEL=0", "-connect", &address.to_string()]).args(arguments);
    program::run(&mut command, b"").output()
}

fn java(options: &[&str], address: SocketAddr, times: usize) {
    let mut command = Release::Java17.run(options, classes(), "Sessions");
    program::run(command.args(arguments(address, times)), b"").succeeded();
}

/// `gnutls-cli` takes leave and comes back as often as it is told; it asks for something in the end alone.
fn gnutls(address: SocketAddr, times: usize) {
    let mut command = Command::new("gnutls-cli");
    command.args(["--inline-commands", "--insecure", "--port", &address.port().to_string(), &address.ip().to_string()]);
    let mut child = program::spawn(&mut command);
    let (mut stdin, stdout) = (child.stdin.take().unwrap(), child.stdout.take().unwrap());
    let mut lines = BufReader::new(stdout).lines();
    let mut says = |text: &str| assert!(lines.any(|line| line.unwrap().contains(text)), "it never says {text}");
    says("Handshake was completed");
    says("Simple Client Mode");
    for _ in 1..times {
        stdin.write_all(b"^resume^\n").unwrap();
        says("Resume Handshake was completed");
    }
    stdin.write_all(b"GET / HTTP/1.0\r\n\r\n").unwrap();
    says("this connection:");
    drop(stdin);
    lines.for_each(drop);
    program::finish(child, "gnutls-cli");
}

fn script(interpreter: &str, file: &str, address: SocketAddr, times: usize) {
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("clients").join(file);
    program::run(Command::new(interpreter).arg(script).args(arguments(address, times)), b"").succeeded();
}

/// The arguments our programs take: host, port, how many connections.
fn arguments(address: SocketAddr, times: usize) -> [String; 3] {
    [address.ip().to_string(), address.port().to_string(), times.to_string()]
}

/// The directory with the compiled program; compiled once a process.
fn classes() -> &'static Path {
    static CLASSES: OnceLock<PathBuf> = OnceLock::new();
    CLASSES.get_or_init(|| java::compile("Sessions"))
}
