use std::fs;

use super::super::tests::{in_memory, sample};
use super::*;

#[tokio::test]
async fn files_come_first_and_those_of_before_go_last() {
    let site = Site::new();
    // Each command notes which files there are when it is run.
    let mut nginx = site.nginx("ls > tested", "ls > reloaded");
    let (old, new) = (sample(3), sample(3));
    assert_eq!(nginx.push(&old).await.unwrap(), Pushed::all(&old));
    assert_eq!(nginx.push(&old).await.unwrap(), Pushed::Nothing);
    assert_eq!(site.key_files(), sorted(&old));
    assert_eq!(nginx.push(&new).await.unwrap(), Pushed::all(&new));
    assert_eq!(site.key_files(), sorted(&new));
    for noted in ["tested", "reloaded"] {
        let noted = fs::read_to_string(site.path().join(noted)).unwrap();
        assert!(old.names().chain(new.names()).all(|name| noted.contains(&format!("{name}.key"))), "{noted}");
        assert!(noted.contains("ticket-keys.conf"), "{noted}");
    }
    let [retiring, issuing, next] = new.names().collect::<Vec<_>>()[..] else { panic!("three keys") };
    let directive = |name| format!("ssl_session_ticket_key \"{}/{name}.key\";\n", site.path().display());
    let expected = [issuing, next, retiring].map(directive).concat();
    let (comment, rest) = site.include().split_once('\n').map(|(a, b)| (a.to_owned(), b.to_owned())).unwrap();
    assert!(comment.starts_with('#') && rest == expected, "{rest}");
    let first = new.all()[1].clone();
    assert_eq!(fs::read(site.path().join(format!("{issuing}.key"))).unwrap(), *Layout::Nginx.encode(&first).unwrap());
}

#[tokio::test]
async fn what_nginx_does_not_pass_is_taken_back() {
    let site = Site::new();
    let keys = sample(3);
    site.nginx("true", "true").push(&keys).await.unwrap();
    let before = site.include();
    let mut nginx = site.nginx("echo 'nginx: [emerg] no such thing' >&2; false", "touch reloaded");
    let refused = nginx.push(&sample(3)).await.unwrap_err().to_string();
    assert!(refused.contains("nginx: [emerg] no such thing"), "{refused}");
    assert_eq!((site.include(), site.key_files()), (before, sorted(&keys)));
    assert!(!site.path().join("reloaded").exists());

    // Where there was none, none stays.
    let site = Site::new();
    site.nginx("false", "true").push(&sample(3)).await.unwrap_err();
    assert!(!site.path().join("ticket-keys.conf").exists() && site.key_files().is_empty());
}

#[tokio::test]
async fn a_reload_that_fails_is_tried_again_with_everything_in_place() {
    let site = Site::new();
    let (old, new) = (sample(3), sample(3));
    let mut nginx = site.nginx("true", "test ! -e broken || { echo no nginx; false; }");
    nginx.push(&old).await.unwrap();
    fs::write(site.path().join("broken"), "").unwrap();
    for _ in 0..2 {
        let failed = nginx.push(&new).await.unwrap_err().to_string();
        assert!(failed.ends_with(": no nginx"), "{failed}");
        assert_eq!(site.key_files().len(), 6);
        assert_eq!(nginx.lacks(&new).unwrap(), Lacks::Nothing);
    }
    fs::remove_file(site.path().join("broken")).unwrap();
    assert_eq!(nginx.push(&new).await.unwrap(), Pushed::all(&new));
    assert_eq!(site.key_files(), sorted(&new));
}

#[tokio::test]
async fn only_what_is_ours_is_removed() {
    let site = Site::new();
    let stale = ".00112233445566778899aabbccddeeff.key.raincheck";
    let kept = ["site.key", "00112233445566778899aabbccddeeff.pem", ".hidden"];
    for name in kept.iter().chain([&stale]) {
        fs::write(site.path().join(name), "").unwrap();
    }
    site.nginx("true", "true").push(&sample(2)).await.unwrap();
    assert!(kept.iter().all(|name| site.path().join(name).exists()));
    assert!(!site.path().join(stale).exists());
}

#[tokio::test]
async fn what_is_missing_is_noticed() {
    let site = Site::new();
    let keys = sample(3);
    let mut nginx = site.nginx("true", "true");
    nginx.push(&keys).await.unwrap();
    assert_eq!(nginx.lacks(&keys).unwrap(), Lacks::Nothing);
    let name = keys.all()[1].name();
    fs::write(site.path().join(format!("{name}.key")), "no key").unwrap();
    assert_eq!(nginx.lacks(&keys).unwrap(), Lacks::Keys(vec![name]));
    nginx.push(&keys).await.unwrap();
    fs::remove_file(site.path().join("ticket-keys.conf")).unwrap();
    assert_eq!(nginx.lacks(&keys).unwrap(), Lacks::Order);
    nginx.push(&keys).await.unwrap();
    assert_eq!(nginx.lacks(&keys).unwrap(), Lacks::Nothing);
}

struct Site(tempfile::TempDir);

impl Site {
    fn new() -> Self {
        Self(in_memory())
    }

    fn path(&self) -> &Path {
        self.0.path()
    }

    /// With commands that are run by a shell, in the directory.
    fn nginx(&self, test: &str, reload: &str) -> Nginx {
        let command = |script: &str| {
            let script = format!("cd {} || exit; {script}", self.path().display());
            Command::new(["sh", "-c", &script].map(str::to_owned).to_vec(), Duration::from_secs(30)).unwrap()
        };
        Nginx::new(SecretFile::new(self.path().join("ticket-keys.conf")), command(test), command(reload))
    }

    fn include(&self) -> String {
        fs::read_to_string(self.path().join("ticket-keys.conf")).unwrap()
    }

    fn key_files(&self) -> Vec<String> {
        let files = fs::read_dir(self.path()).unwrap().map(|file| file.unwrap().file_name().into_string().unwrap());
        let mut files: Vec<_> = files.filter(|file| file.ends_with(".key")).collect();
        files.sort();
        files
    }
}

fn sorted(keys: &ProductKeys) -> Vec<String> {
    let mut files: Vec<_> = keys.names().map(|name| format!("{name}.key")).collect();
    files.sort();
    files
}
