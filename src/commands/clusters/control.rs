//! The supervisor's control socket, `control.sock` (mode 0600). Stores are killed and paused
//! through it so that the supervisor knows it was on purpose.
//!
//! A connection carries one [`Request`] and one [`Reply`], each a line of JSON:
//! `{"act":"kill","stores":["1","store-2","127.0.0.1:20160"],"pd":false}` is answered by
//! `{"done":["killed …"]}` or `{"refused":{"exit":64,"sentence":"…"}}`. Only processes of the
//! supervisor's own user are answered.

use super::directory::ClusterDirectory;
use failure::Failure;
use serde::{Deserialize, Serialize};
use std::{
    fs::{self, File, Permissions},
    io,
    os::{
        fd::AsRawFd,
        unix::fs::{MetadataExt, PermissionsExt},
    },
    path::PathBuf,
    sync::Arc,
    time::Duration,
};
use tokio::{
    io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader},
    net::{UnixListener, UnixStream},
    sync::Semaphore,
};

/// The time that a peer may take to send its request.
const ASK_WITHIN: Duration = Duration::from_secs(5);
/// The time that an answer may take: starting a store takes the longest.
const ANSWER_WITHIN: Duration = Duration::from_mins(2);
/// Longest line, bytes.
const LINE_MAX: u64 = 64 << 10;
/// The number of requests that are answered at the same time.
const REQUESTS_MAX: usize = 16;

/// The action on processes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Act {
    /// SIGKILL.
    Kill,
    /// Start again.
    Start,
    /// SIGSTOP.
    Pause,
    /// SIGCONT.
    Resume,
}

/// A request to the supervisor.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Request {
    /// The action.
    pub act: Act,
    /// The stores it applies to, by id, name or address.
    pub stores: Vec<String>,
    /// True if it applies to PD too.
    pub pd: bool,
}

/// The supervisor's answer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Reply {
    /// The actions done, in sentences.
    Done(Vec<String>),
    /// The request was refused.
    Refused {
        /// The exit code.
        exit: u8,
        /// The whole sentence of the refusal.
        sentence: String,
    },
}

/// A handler of requests.
pub trait Answer: Send + Sync + 'static {
    /// Answers one request.
    fn answer(&self, request: Request) -> impl Future<Output = Reply> + Send;
}

/// Returns the path of the socket. A socket's path has 107 bytes at most and a directory's may be
/// longer, so the path goes through the open directory.
fn socket(directory: &ClusterDirectory) -> io::Result<(File, PathBuf)> {
    let folder = File::open(directory.path())?;
    let path = PathBuf::from(format!("/proc/self/fd/{}/control.sock", folder.as_raw_fd()));
    Ok((folder, path))
}

/// Starts to listen, and replaces a socket that a killed supervisor left.
pub fn listen(directory: &ClusterDirectory) -> Result<UnixListener, Failure> {
    let listen = || {
        let (_folder, path) = socket(directory)?;
        match fs::remove_file(&path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            removed => removed?,
        }
        let listener = UnixListener::bind(&path)?;
        fs::set_permissions(&path, Permissions::from_mode(0o600))?;
        Ok(listener)
    };
    listen().map_err(|error: io::Error| {
        let path = directory.path().display();
        Failure::target_or_disk(format!("cannot make the control socket in {path}: {error}"))
    })
}

/// Answers all connections, forever.
pub async fn serve(listener: UnixListener, answer: Arc<impl Answer>) {
    let permits = Arc::new(Semaphore::new(REQUESTS_MAX));
    loop {
        let Ok(permit) = Arc::clone(&permits).acquire_owned().await else { return };
        let Ok((stream, _)) = listener.accept().await else {
            tokio::time::sleep(Duration::from_millis(100)).await;
            continue;
        };
        let answer = Arc::clone(&answer);
        tokio::spawn(async move {
            if let Err(error) = converse(stream, &*answer).await {
                tracing::debug!(%error, "a control connection ended early");
            }
            drop(permit);
        });
    }
}

async fn converse(stream: UnixStream, answer: &impl Answer) -> io::Result<()> {
    let own = fs::metadata("/proc/self")?.uid();
    let uid = stream.peer_cred()?.uid();
    if uid != own && uid != 0 {
        return Err(io::Error::other(format!("user {uid} has no business here")));
    }
    let (read, mut write) = stream.into_split();
    let mut line = String::new();
    let mut read = BufReader::new(read.take(LINE_MAX));
    tokio::time::timeout(ASK_WITHIN, read_whole(read.read_line(&mut line))).await??;
    let reply = match serde_json::from_str(&line) {
        Ok(request) => answer.answer(request).await,
        Err(error) => {
            let failure = Failure::usage(format!("the supervisor does not understand: {error}"));
            Reply::refused(&failure)
        }
    };
    write.write_all(&json_line(&reply)?).await
}

async fn read_whole(read: impl Future<Output = io::Result<usize>>) -> io::Result<()> {
    match read.await? {
        0 => Err(io::ErrorKind::UnexpectedEof.into()),
        _ => Ok(()),
    }
}

fn json_line(value: &impl Serialize) -> io::Result<Vec<u8>> {
    let mut line = serde_json::to_vec(value)?;
    line.push(b'\n');
    Ok(line)
}

impl Reply {
    /// The refusal that reports a failure.
    pub fn refused(failure: &Failure) -> Self {
        Self::Refused { exit: failure.exit.code(), sentence: failure.sentence.clone() }
    }
}

/// Sends a request to the supervisor of a cluster.
pub async fn ask(directory: &ClusterDirectory, request: &Request) -> Result<Reply, Failure> {
    let ask = async {
        let (_folder, path) = socket(directory)?;
        let (read, mut write) = UnixStream::connect(path).await?.into_split();
        write.write_all(&json_line(request)?).await?;
        let mut line = String::new();
        read_whole(BufReader::new(read.take(LINE_MAX)).read_line(&mut line)).await?;
        Ok(serde_json::from_str(&line)?)
    };
    let answered = tokio::time::timeout(ANSWER_WITHIN, ask).await;
    let answered = answered.unwrap_or_else(|_| Err(io::ErrorKind::TimedOut.into()));
    answered.map_err(|error: io::Error| {
        let tag = directory.tag();
        Failure::target_or_disk(format!(
            "the supervisor of the cluster {tag} does not answer ({error}); see jepsen-tikv cluster status --tag {tag}"
        ))
    })
}
