use std::fs;

use tempfile::TempDir;

use super::*;

/// Two keys, and one, as `raincheck keys new --bits 128` prints them.
const TWO: &str = "\
P2SNe7d5JFpKfrn6Xe6uKhUaLhU4Ym9d3KJ9c1vRp0mZB2Qf8yHsL6TjWkXoNgEi
cXv0mJr7AbtQnKe3WzUyLdPf1oGsHiRx5MqT8BvCjN2wEaZkYl4FhSuDg6pV9OIt
";
const ONE: &str = "P2SNe7d5JFpKfrn6Xe6uKhUaLhU4Ym9d3KJ9c1vRp0mZB2Qf8yHsL6TjWkXoNgEi\n";

#[test]
fn a_file_is_judged_at_the_second_look_and_then_left_alone() {
    let place = Place::new();
    place.write(TWO);
    let mut watch = Watch::new(&place.path());
    assert_eq!(verdicts(&mut watch, 4), ["nothing", "2 keys", "nothing", "nothing"]);
}

#[test]
fn a_rename_is_noticed_even_if_size_and_time_are_the_same() {
    let place = Place::new();
    place.write(ONE);
    let mut watch = Watch::new(&place.path());
    verdicts(&mut watch, 2);
    let times = fs::metadata(place.path()).expect("metadata").modified().expect("a time");
    let other = place.directory.path().join("other");
    fs::write(&other, ONE).expect("a file to rename");
    fs::File::open(&other).and_then(|file| file.set_modified(times)).expect("the same time");
    fs::rename(&other, place.path()).expect("a rename");
    assert_eq!(verdicts(&mut watch, 3), ["nothing", "1 keys", "nothing"]);
}

#[test]
fn a_symlinked_directory_that_is_swapped_is_noticed() {
    let place = Place::new();
    let root = place.directory.path();
    for (name, text) in [("old", TWO), ("new", ONE)] {
        fs::create_dir(root.join(name)).expect("a directory");
        fs::write(root.join(name).join("keys"), text).expect("a key file");
    }
    let link = |to: &str, name: &str| std::os::unix::fs::symlink(root.join(to), root.join(name)).expect("a symlink");
    link("old", "current");
    let mut watch = Watch::new(&root.join("current/keys"));
    assert_eq!(verdicts(&mut watch, 2), ["nothing", "2 keys"]);
    link("new", "staged");
    fs::rename(root.join("staged"), root.join("current")).expect("a rename");
    assert_eq!(verdicts(&mut watch, 2), ["nothing", "1 keys"]);
}

#[test]
fn a_file_that_is_being_written_is_not_taken_at_its_first_line() {
    let place = Place::new();
    place.write(ONE);
    let mut watch = Watch::new(&place.path());
    verdicts(&mut watch, 2);
    place.write(&TWO[..65]);
    assert_eq!(verdicts(&mut watch, 1), ["nothing"]);
    place.write(TWO);
    assert_eq!(verdicts(&mut watch, 2), ["nothing", "2 keys"]);
}

#[test]
fn a_fault_is_reported_once_and_its_mending_noticed() {
    let place = Place::new();
    place.write("half a li");
    let mut watch = Watch::new(&place.path());
    assert_eq!(verdicts(&mut watch, 4), ["nothing", "line 1", "nothing", "nothing"]);
    place.write(TWO);
    assert_eq!(verdicts(&mut watch, 2), ["nothing", "2 keys"]);
}

#[test]
fn a_faulty_file_is_read_again_though_it_looks_the_same() {
    let place = Place::new();
    place.write(ONE);
    let mut watch = Watch::new(&place.path());
    watch.seen = Some(look(&place.path()));
    watch.judged = watch.seen;
    watch.complaint = Some(KeyFileError::NotBase64 { line: 1 });
    assert_eq!(verdicts(&mut watch, 2), ["1 keys", "nothing"]);
}

#[test]
fn a_file_that_goes_away_and_comes_back() {
    let place = Place::new();
    place.write(ONE);
    let mut watch = Watch::new(&place.path());
    verdicts(&mut watch, 2);
    fs::remove_file(place.path()).expect("a removal");
    assert_eq!(verdicts(&mut watch, 3), ["nothing", "unreadable", "nothing"]);
    place.write(ONE);
    assert_eq!(verdicts(&mut watch, 2), ["nothing", "1 keys"]);
}

fn verdicts(watch: &mut Watch, polls: usize) -> Vec<String> {
    (0..polls)
        .map(|_| match watch.poll() {
            Verdict::Nothing => "nothing".into(),
            Verdict::Sound(file) => format!("{} keys", file.keys.len()),
            Verdict::Faulty(KeyFileError::Unreadable { .. }) => "unreadable".into(),
            Verdict::Faulty(fault) => fault.line().map_or(fault.to_string(), |line| format!("line {line}")),
        })
        .collect()
}

struct Place {
    directory: TempDir,
}

impl Place {
    fn new() -> Self {
        Self { directory: tempfile::tempdir().expect("a directory") }
    }

    fn path(&self) -> PathBuf {
        self.directory.path().join("keys")
    }

    fn write(&self, text: &str) {
        fs::write(self.path(), text).expect("a key file");
    }
}
