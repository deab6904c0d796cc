use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt, symlink};

use super::super::tests::in_memory;
use super::*;

#[test]
fn keys_are_refused_where_there_is_no_memory() {
    // A file system that is certainly neither tmpfs nor ramfs.
    let elsewhere = SecretFile::new("/proc/keys");
    let refused = elsewhere.replace(b"key", Clock::True).unwrap_err().to_string();
    assert!(refused.starts_with("/proc: not on tmpfs or ramfs") && refused.contains("on-disk = true"), "{refused}");
    // Allowed, it is tried.
    let tried = elsewhere.on_disk().replace(b"key", Clock::True).unwrap_err();
    assert!(matches!(tried, SinkError::File { fault: FileFault::Io(_), .. }), "{tried}");
}

#[test]
fn a_directory_that_is_not_there_is_not_made() {
    let missing = SecretFile::new("/dev/shm/raincheck-nowhere/keys").replace(b"key", Clock::True).unwrap_err();
    assert!(missing.to_string().starts_with("/dev/shm/raincheck-nowhere: there is no such directory"), "{missing}");
    let nameless = SecretFile::new("/dev/shm/..").replace(b"key", Clock::True).unwrap_err();
    assert!(matches!(nameless, SinkError::File { fault: FileFault::NoFileName, .. }), "{nameless}");
}

#[test]
fn a_file_is_replaced_as_a_whole_and_for_nobody_else_to_read() {
    let directory = in_memory();
    let path = directory.path().join("keys");
    let file = SecretFile::new(&path);
    assert!(file.replace(b"old", Clock::True).unwrap());
    let before = fs::metadata(&path).unwrap();
    assert_eq!(before.permissions().mode() & 0o777, 0o600);
    assert!(!file.replace(b"old", Clock::True).unwrap());
    assert_eq!(fs::metadata(&path).unwrap().ino(), before.ino());
    let reader = fs::File::open(&path).unwrap();
    assert!(file.replace(b"new", Clock::True).unwrap());
    assert_eq!(std::io::read_to_string(reader).unwrap(), "old");
    assert_eq!(fs::read(&path).unwrap(), b"new");
    assert!(file.holds(b"new").unwrap() && !file.holds(b"old").unwrap());
    assert_eq!(listed(directory.path()), ["keys"]);
}

#[test]
fn what_was_left_behind_is_no_hindrance_and_does_not_stay() {
    let directory = in_memory();
    let path = directory.path().join("keys");
    fs::write(directory.path().join(temporary(OsStr::new("keys"))), "half a ke").unwrap();
    assert!(SecretFile::new(&path).replace(b"key", Clock::True).unwrap());
    assert_eq!(listed(directory.path()), ["keys"]);
    // What cannot be put in its place does not stay beside it.
    fs::create_dir(directory.path().join("taken")).unwrap();
    SecretFile::new(directory.path().join("taken")).replace(b"key", Clock::True).unwrap_err();
    assert_eq!(listed(directory.path()), ["keys", "taken"]);
}

#[test]
fn a_link_is_replaced_and_not_followed() {
    let directory = in_memory();
    let (path, elsewhere) = (directory.path().join("keys"), directory.path().join("elsewhere"));
    fs::write(&elsewhere, "key").unwrap();
    symlink(&elsewhere, &path).unwrap();
    assert!(SecretFile::new(&path).replace(b"key", Clock::True).unwrap());
    assert!(fs::symlink_metadata(&path).unwrap().is_file());
    fs::write(&path, "other").unwrap();
    assert_eq!(fs::read(&elsewhere).unwrap(), b"key");
}

#[test]
fn the_file_is_whose_the_directory_is() {
    if fs::metadata("/proc/self").unwrap().uid() != 0 {
        return; // nobody else can give files away
    }
    let directory = in_memory();
    std::os::unix::fs::chown(directory.path(), Some(4711), Some(4712)).unwrap();
    let path = directory.path().join("keys");
    SecretFile::new(&path).replace(b"key", Clock::True).unwrap();
    let metadata = fs::metadata(&path).unwrap();
    assert_eq!((metadata.uid(), metadata.gid()), (4711, 4712));
}

#[test]
fn who_goes_by_seconds_sees_every_change() {
    let directory = in_memory();
    let path = directory.path().join("keys");
    let file = SecretFile::new(&path);
    let mut seen = Vec::new();
    for content in ["1", "2", "3"] {
        file.replace(content.as_bytes(), Clock::AnotherSecond).unwrap();
        seen.push(fs::metadata(&path).unwrap().mtime());
    }
    assert!(seen.is_sorted_by(|earlier, later| earlier < later), "{seen:?}");
}

fn listed(directory: &Path) -> Vec<String> {
    let entries = fs::read_dir(directory).unwrap();
    let mut names: Vec<_> = entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names
}
