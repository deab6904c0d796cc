//! `raincheck doctor pcap`

use std::fs;
use std::io::{self, BufWriter};
use std::path::PathBuf;

use anyhow::{Context, anyhow};
use clap::Args;
use raincheck_diagnosis::session::Endpoint;
use raincheck_diagnosis::tls::KeyLog;
use raincheck_doctor::capture::{Capture, Source};
use raincheck_doctor::pcap::{Incident, Selection, When};
use zeroize::Zeroizing;

use super::output::{outcome, paint, print, written};
use super::progress::Progress;
use crate::failure::Failure;
use crate::memory::give_back_soon;
use crate::stderr::say;

/// Read captures, and say why the sessions in them do not resume
///
/// pcap and pcapng, gzip and zstd; `-` is standard input, as in `tcpdump -w - | raincheck doctor pcap -`. TLS is found on any
/// port. Several files are read in turn, as one capture.
#[derive(Debug, Args)]
pub(crate) struct Pcap {
    /// The captures, in order of time
    #[arg(value_name = "FILE", required = true)]
    files: Vec<PathBuf>,
    /// Open what is encrypted with the secrets in this file: NSS' format, as SSLKEYLOGFILE has it
    #[arg(long, value_name = "FILE")]
    keylog: Option<PathBuf>,
    /// Look at connections to this server only
    #[arg(long, value_name = "ADDR")]
    server: Option<Endpoint>,
    /// Look at connections of this client only
    #[arg(long, value_name = "ADDR")]
    client: Option<Endpoint>,
    /// Look at connections that ask for this name only
    #[arg(long, value_name = "NAME")]
    sni: Option<String>,
    /// Look at connections from this time on: seconds after the first packet, or a time in UTC
    #[arg(long, value_name = "T")]
    from: Option<When>,
    /// Look at connections that began before this time
    #[arg(long, value_name = "T")]
    until: Option<When>,
    /// Write the report as one page of HTML, too
    #[arg(long, value_name = "FILE")]
    html: Option<PathBuf>,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

impl Pcap {
    pub(crate) fn run(self) -> Result<(), Failure> {
        give_back_soon();
        let selection = Selection {
            server: self.server,
            client: self.client,
            server_name: self.sni.clone(),
            from: self.from,
            until: self.until,
        };
        let secrets = self.secrets()?;
        let mut capture = Capture::open(self.files.iter().map(Source::named))?;
        let progress = Progress::of(capture.progress());
        let incident = Incident::read(&mut capture, &selection, &secrets);
        drop(progress);
        let incident = incident?;
        if let Some(path) = &self.html {
            let written = fs::write(path, incident.html(&self.name()));
            written.with_context(|| format!("cannot write {}", path.display())).map_err(Failure::Run)?;
        }
        if self.json {
            written(incident.write_json(BufWriter::new(io::stdout().lock())))?;
        } else {
            print(&incident.text(&self.name(), paint()))?;
        }
        outcome(&incident.findings)
    }

    fn secrets(&self) -> Result<KeyLog, Failure> {
        let secrets = KeyLog::recorded();
        let Some(path) = &self.keylog else { return Ok(secrets) };
        let name = path.display();
        let text = fs::read(path)
            .map(Zeroizing::new)
            .with_context(|| format!("cannot read {name}"))
            .map_err(Failure::Usage)?;
        secrets.read(&text);
        if secrets.connections() == 0 {
            return Err(Failure::Usage(anyhow!(
                "{name} has no secret of a connection: it should be what SSLKEYLOGFILE made the client or the server write"
            )));
        }
        let bad = secrets.bad_lines();
        if let Some(first) = bad.first {
            say(format_args!("{name}: {} of its lines are not of a key log, line {first} first", bad.count));
        }
        Ok(secrets)
    }

    /// What the report calls the capture.
    fn name(&self) -> String {
        let names = self.files.iter().map(|file| file.display().to_string());
        names.collect::<Vec<_>>().join(", ")
    }
}
