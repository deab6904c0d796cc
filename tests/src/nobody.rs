//! The binary as a user who owns nothing and may do nothing.

use std::fs::{self, Permissions};
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::process::Command;

use crate::edge::raincheck;
use crate::scratch::Scratch;

/// The binary, ready for arguments, to run as `nobody`; as ourselves where we are not root. It needs `setpriv`.
pub fn raincheck_as_nobody(scratch: &Scratch) -> Command {
    let (binary, here) = (raincheck(), scratch.join("raincheck"));
    if !here.exists() {
        // Where it was built nobody else may look.
        let linked = fs::hard_link(binary.get_program(), &here);
        linked.or_else(|_| fs::copy(binary.get_program(), &here).map(|_| ())).unwrap();
    }
    if fs::metadata(scratch.path()).unwrap().uid() != 0 {
        return Command::new(here);
    }
    // For the stats socket.
    fs::set_permissions(scratch.path(), Permissions::from_mode(0o777)).unwrap();
    let mut command = Command::new("setpriv");
    command.args(["--reuid=65534", "--regid=65534", "--clear-groups", "--"]).arg(here);
    command
}
