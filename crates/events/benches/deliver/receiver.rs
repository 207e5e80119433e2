//! The receiver: a web server that does as little as one can, in a process of
//! its own so that its processor time can be told apart.
//!
//! The path says how it behaves and whose call it is: `/instant/7` answers at
//! once, `/slow/7` after 100 ms, `/hang/7` never. It writes down every call
//! with the time of its first byte; `GET /count` and `GET /records` hand that
//! out, `GET /forget` clears it.

use std::cell::RefCell;
use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpStream as Control};
use std::process::{Child, Command, Stdio};
use std::rc::Rc;
use std::time::Duration;

use anyhow::{Context as _, Result, anyhow};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};

use crate::figures::{cpu_seconds, wall_micros};

/// How long `/slow/…` takes.
const SLOW: Duration = Duration::from_millis(100);
/// Bytes of a record on the wire.
const RECORD_BYTES: usize = 20;

/// A call as the receiver saw it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Record {
    /// The number in the path.
    pub(crate) who: u32,
    /// The event's offset.
    pub(crate) offset: u64,
    /// When its first byte came, in microseconds of the wall clock.
    pub(crate) at: i64,
}

/// A receiver that runs beside us until it is dropped.
pub(crate) struct Receiver {
    process: Child,
    address: SocketAddr,
}

impl Receiver {
    pub(crate) fn start() -> Result<Self> {
        let mut process = Command::new(std::env::current_exe()?)
            .arg("receiver")
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .spawn()
            .context("the receiver cannot be started")?;
        let mut line = String::new();
        let out = process.stdout.take().ok_or_else(|| anyhow!("the receiver has no output"))?;
        std::io::BufRead::read_line(&mut std::io::BufReader::new(out), &mut line)?;
        Ok(Receiver { process, address: line.trim().parse().context("the receiver says where it listens")? })
    }

    pub(crate) fn address(&self) -> SocketAddr {
        self.address
    }

    pub(crate) fn url(&self, manner: &str, who: usize) -> String {
        format!("http://{}/{manner}/{who}", self.address)
    }

    /// Returns the processor time that it has used.
    pub(crate) fn cpu(&self) -> Result<f64> {
        cpu_seconds(self.process.id())
    }

    pub(crate) fn count(&self) -> Result<u64> {
        let bytes: [u8; 8] = self.ask("/count")?.try_into().map_err(|_| anyhow!("eight bytes make a count"))?;
        Ok(u64::from_le_bytes(bytes))
    }

    pub(crate) fn forget(&self) -> Result<()> {
        self.ask("/forget").map(drop)
    }

    pub(crate) fn records(&self) -> Result<Vec<Record>> {
        let bytes = self.ask("/records")?;
        Ok(bytes.chunks_exact(RECORD_BYTES).map(Record::read).collect())
    }

    fn ask(&self, path: &str) -> Result<Vec<u8>> {
        let mut stream = Control::connect(self.address)?;
        stream.write_all(format!("GET {path} HTTP/1.1\r\n\r\n").as_bytes())?;
        let mut answer = Vec::new();
        stream.read_to_end(&mut answer)?;
        Ok(answer)
    }
}

impl Drop for Receiver {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

impl Record {
    fn write(&self, to: &mut Vec<u8>) {
        to.extend_from_slice(&self.who.to_le_bytes());
        to.extend_from_slice(&self.offset.to_le_bytes());
        to.extend_from_slice(&self.at.to_le_bytes());
    }

    fn read(from: &[u8]) -> Self {
        let word = |at: usize| from[at..at + 8].try_into().expect("a record has its length");
        Record {
            who: u32::from_le_bytes(from[..4].try_into().expect("a record has its length")),
            offset: u64::from_le_bytes(word(4)),
            at: i64::from_le_bytes(word(12)),
        }
    }
}

type Book = Rc<RefCell<Vec<Record>>>;

/// The role `receiver`: says where it listens, then serves until it is killed.
pub(crate) fn serve() -> Result<()> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    tokio::task::LocalSet::new().block_on(&runtime, async {
        let socket = tokio::net::TcpSocket::new_v4()?;
        socket.bind(SocketAddr::from(([127, 0, 0, 1], 0)))?;
        // Thousands may knock in the same moment.
        let listener: TcpListener = socket.listen(4_096)?;
        crate::figures::say(&listener.local_addr()?.to_string());
        let book = Book::default();
        loop {
            let (stream, _) = listener.accept().await?;
            let _ = stream.set_nodelay(true);
            tokio::task::spawn_local(connection(stream, book.clone()));
        }
    })
}

/// What a request says that matters here.
struct Asked<'a> {
    path: &'a str,
    is_post: bool,
    offset: u64,
    /// Bytes of head and body.
    length: usize,
}

async fn connection(mut stream: TcpStream, book: Book) {
    let mut buffer = Vec::with_capacity(8 << 10);
    loop {
        let mut first_byte = None;
        let (manner, record, length) = loop {
            if let Some(asked) = parse(&buffer)
                && buffer.len() >= asked.length
            {
                let mut parts = asked.path.split('/').skip(1);
                let manner = parts.next().unwrap_or_default();
                let who = parts.next().and_then(|who| who.parse().ok());
                let at = first_byte.unwrap_or_else(wall_micros);
                let record = who.filter(|_| asked.is_post).map(|who| Record { who, offset: asked.offset, at });
                if who.is_none() {
                    return hand_out(stream, manner, &book).await;
                }
                break (manner.as_bytes().first().copied(), record, asked.length);
            }
            match stream.read_buf(&mut buffer).await {
                Ok(0) | Err(_) => return,
                Ok(_) => {
                    first_byte.get_or_insert_with(wall_micros);
                }
            }
        };
        buffer.drain(..length);
        if let Some(record) = record {
            book.borrow_mut().push(record);
            match manner {
                Some(b's') => tokio::time::sleep(SLOW).await,
                Some(b'h') => std::future::pending().await,
                _ => {}
            }
        }
        if stream.write_all(b"HTTP/1.1 204 No Content\r\n\r\n").await.is_err() {
            return;
        }
    }
}

async fn hand_out(mut stream: TcpStream, what: &str, book: &Book) {
    let answer = match what {
        "count" => (book.borrow().len() as u64).to_le_bytes().to_vec(),
        "records" => {
            let mut bytes = Vec::new();
            book.borrow().iter().for_each(|record| record.write(&mut bytes));
            bytes
        }
        _ => {
            book.borrow_mut().clear();
            Vec::new()
        }
    };
    // Whoever asked may be gone; then nobody misses the answer.
    let _ = stream.write_all(&answer).await;
}

/// Reads a request's head; nothing if it is not complete. The caller is our own.
fn parse(buffer: &[u8]) -> Option<Asked<'_>> {
    let end = buffer.windows(4).position(|window| window == b"\r\n\r\n")?;
    let head = std::str::from_utf8(&buffer[..end]).ok()?;
    let mut lines = head.split("\r\n");
    let mut words = lines.next()?.split(' ');
    let is_post = words.next() == Some("POST");
    let mut asked = Asked { path: words.next()?, is_post, offset: 0, length: end + 4 };
    for line in lines {
        if let Some(length) = line.strip_prefix("content-length: ") {
            asked.length += length.parse::<usize>().ok()?;
        } else if let Some(offset) = line.strip_prefix("loopwright-offset: ") {
            asked.offset = offset.parse().ok()?;
        }
    }
    Some(asked)
}
