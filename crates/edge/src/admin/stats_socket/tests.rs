use std::os::unix::net::UnixListener as StdListener;

use super::*;

/// Runs on a runtime, since a listener registers with one.
#[tokio::test]
async fn the_socket_is_its_owners_and_goes_with_it() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("stats.sock");
    let (socket, listener) = StatsSocket::bind(&path).unwrap();
    assert_eq!(fs::symlink_metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
    drop((socket, listener));
    assert!(!path.exists());
}

#[tokio::test]
async fn a_left_over_socket_is_replaced_and_nothing_else_is() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("stats.sock");
    drop(StdListener::bind(&path).unwrap());
    assert!(path.exists());
    let bound = StatsSocket::bind(&path).unwrap();

    let error = StatsSocket::bind(&path).unwrap_err();
    assert_eq!(error.kind(), io::ErrorKind::AddrInUse, "{error}");
    assert!(path.exists());
    drop(bound);

    fs::write(&path, "precious").unwrap();
    let error = StatsSocket::bind(&path).unwrap_err();
    assert_eq!(error.kind(), io::ErrorKind::AlreadyExists, "{error}");
    assert_eq!(fs::read(&path).unwrap(), b"precious");

    let error = StatsSocket::bind(&directory.path().join("none/stats.sock")).unwrap_err();
    assert!(error.to_string().contains("make its directory first"), "{error}");
}

#[tokio::test]
async fn another_process_socket_is_left_alone_at_the_end() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("stats.sock");
    let (socket, listener) = StatsSocket::bind(&path).unwrap();
    drop(listener);
    // Made beside the first, so that it is another file for sure, and moved to its place.
    let elsewhere = directory.path().join("elsewhere.sock");
    let _theirs = StdListener::bind(&elsewhere).unwrap();
    fs::rename(&elsewhere, &path).unwrap();
    drop(socket);
    assert!(path.exists());
}

#[tokio::test]
async fn lines_are_taken_whole_and_wiped() {
    let (mut ours, mut theirs) = UnixStream::pair().unwrap();
    let mut input = Input::default();
    theirs.write_all(b"first\nsecond\ncut sho").await.unwrap();
    drop(theirs);
    for line in ["first", "second"] {
        assert!(input.fill_line(&mut ours).await.unwrap());
        assert_eq!(input.line(), line.as_bytes());
        input.consume_line();
    }
    assert!(!input.fill_line(&mut ours).await.unwrap());
    assert!(!input.is_full());
    assert_eq!(&input.buffer[..input.filled], b"cut sho");
    assert!(input.buffer[input.filled..].iter().all(|byte| *byte == 0));
}

#[tokio::test]
async fn a_line_without_end_is_bounded() {
    let (mut ours, mut theirs) = UnixStream::pair().unwrap();
    let mut input = Input::default();
    theirs.write_all(&vec![b'x'; LONGEST_LINE + 1]).await.unwrap();
    assert!(!input.fill_line(&mut ours).await.unwrap());
    assert!(input.is_full());
}
