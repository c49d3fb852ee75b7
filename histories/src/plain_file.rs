//! Files found in a run directory, which may be somebody else's: opened as plain files, or not at
//! all.
//!
//! In: a path that was put together, not named by the user. Out: the opened file, or its contents
//! up to a bound. A link as the path's last name, a FIFO, a device and a file larger than its bound
//! are refused, each with an error that says so. A path that the user names on the command line may
//! be any of these and is not opened here.

use std::fs::{File, OpenOptions};
use std::io::{self, Read};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

use nix::errno::Errno;
use nix::fcntl::OFlag;

/// Opens a plain file for reading.
pub fn open(path: &Path) -> io::Result<File> {
    open_with(path, OpenOptions::new().read(true))
}

/// Opens a plain file with these options; `create` makes a missing one.
pub fn open_with(path: &Path, options: &mut OpenOptions) -> io::Result<File> {
    // Opening a FIFO would wait for its other end, reading from it for its writer.
    let flags = OFlag::O_NOFOLLOW | OFlag::O_NONBLOCK | OFlag::O_NOCTTY;
    let file = options.custom_flags(flags.bits()).open(path).map_err(|error| {
        match error.raw_os_error().map(Errno::from_raw) {
            Some(Errno::ELOOP) => refused("it is a link, and such links are not followed"),
            // A FIFO that nobody reads, a socket, a device without a driver.
            Some(Errno::ENXIO | Errno::ENODEV) => not_plain(),
            _ => error,
        }
    })?;
    if file.metadata()?.is_file() { Ok(file) } else { Err(not_plain()) }
}

/// Reads a plain file whole, if it is not larger than `bytes_max`.
pub fn read(path: &Path, bytes_max: u64) -> io::Result<Vec<u8>> {
    read_opened(open(path)?, bytes_max)
}

/// Reads the whole file that the user names, if it is not larger than `bytes_max`. It may be a link
/// or a pipe.
pub fn read_named(path: &Path, bytes_max: u64) -> io::Result<Vec<u8>> {
    read_opened(File::open(path)?, bytes_max)
}

/// Reads the whole text that the user names, if it is not larger than `bytes_max`. It may be a link
/// or a pipe.
pub fn read_named_to_string(path: &Path, bytes_max: u64) -> io::Result<String> {
    String::from_utf8(read_named(path, bytes_max)?).map_err(|_| refused("it is not UTF-8 text"))
}

fn read_opened(file: File, bytes_max: u64) -> io::Result<Vec<u8>> {
    let length = file.metadata()?.len();
    let mut bytes = Vec::new();
    if length <= bytes_max {
        bytes.reserve(length as usize);
        // The file may grow meanwhile.
        file.take(bytes_max + 1).read_to_end(&mut bytes)?;
    }
    if length.max(bytes.len() as u64) > bytes_max {
        return Err(too_large(bytes_max));
    }
    Ok(bytes)
}

/// Reads a plain text file whole, if it is not larger than `bytes_max`.
pub fn read_to_string(path: &Path, bytes_max: u64) -> io::Result<String> {
    String::from_utf8(read(path, bytes_max)?).map_err(|_| refused("it is not UTF-8 text"))
}

/// The error of a file that is larger than its bound.
pub fn too_large(bytes_max: u64) -> io::Error {
    refused(&format!("it holds more than {bytes_max} bytes, more than such a file ever has"))
}

fn not_plain() -> io::Error {
    refused("it is not a plain file")
}

fn refused(why: &str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidInput, why.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;
    use nix::sys::stat::Mode;
    use std::os::unix::fs::symlink;

    #[test]
    fn only_plain_files_are_opened_and_none_is_waited_for() {
        let folder = tempfile::tempdir().expect("a directory");
        let at = |name: &str| folder.path().join(name);
        std::fs::write(at("plain"), "text").expect("written");
        symlink(at("plain"), at("link")).expect("made");
        symlink("/dev/zero", at("endless")).expect("made");
        nix::unistd::mkfifo(&at("fifo"), Mode::S_IRWXU).expect("made");
        let _socket = std::os::unix::net::UnixListener::bind(at("socket")).expect("made");
        std::fs::create_dir(at("folder")).expect("made");
        assert_eq!(read(&at("plain"), 4).expect("read"), b"text");
        for (name, why) in [
            ("link", "a link"),
            ("endless", "a link"),
            ("fifo", "not a plain file"),
            ("socket", "not a plain file"),
            ("folder", "not a plain file"),
        ] {
            let error = read(&at(name), 4).expect_err(name).to_string();
            assert!(error.contains(why), "{name}: {error}");
            let mut appending = OpenOptions::new();
            let error = open_with(&at(name), appending.append(true).create(true)).expect_err(name);
            assert!(error.to_string().contains(why) || name == "folder", "{name}: {error}");
        }
        let error = read(Path::new("/dev/zero"), 4).expect_err("a device").to_string();
        assert!(error.contains("not a plain file"), "{error}");
    }

    #[test]
    fn a_file_larger_than_its_bound_is_not_read() {
        let folder = tempfile::tempdir().expect("a directory");
        let sparse = folder.path().join("sparse");
        File::create(&sparse).and_then(|file| file.set_len(1 << 40)).expect("made");
        let error = read(&sparse, 1 << 20).expect_err("too large").to_string();
        assert!(error.contains("more than 1048576 bytes"), "{error}");
    }
}
