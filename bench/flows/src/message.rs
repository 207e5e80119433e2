//! HTTP/1.1 from the caller's side, by hand: a driver shares its processors
//! with what it measures, so it does as little as it can.

use anyhow::{Result, bail};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

/// An open connection and what has been read of it.
pub(crate) struct Connection {
    stream: TcpStream,
    read: Vec<u8>,
}

impl Connection {
    pub(crate) async fn open(port: u16) -> Result<Self> {
        let stream = TcpStream::connect(("127.0.0.1", port)).await?;
        stream.set_nodelay(true)?;
        Ok(Connection { stream, read: Vec::with_capacity(4 << 10) })
    }

    /// Sends a request and reads its answer to the end; returns the status and
    /// whether the connection stays open.
    pub(crate) async fn call(&mut self, request: &[u8]) -> Result<(u16, bool)> {
        self.stream.write_all(request).await?;
        self.read.clear();
        let head = loop {
            if let Some(head) = Head::read(&self.read)? {
                break head;
            }
            self.more().await?;
        };
        match head.body {
            Body::Length(length) => {
                while self.read.len() < head.bytes + length {
                    self.more().await?;
                }
            }
            Body::Chunks => {
                while !self.read[head.bytes..].ends_with(b"0\r\n\r\n") {
                    self.more().await?;
                }
            }
        }
        Ok((head.status, head.stays))
    }

    async fn more(&mut self) -> Result<()> {
        if self.stream.read_buf(&mut self.read).await? == 0 {
            bail!("the connection ended within an answer");
        }
        Ok(())
    }
}

/// What is to know about an answer before its body.
#[derive(Debug, PartialEq)]
struct Head {
    status: u16,
    body: Body,
    stays: bool,
    bytes: usize,
}

#[derive(Debug, PartialEq)]
enum Body {
    Length(usize),
    Chunks,
}

impl Head {
    /// Reads a head; none if it has not come wholly.
    fn read(read: &[u8]) -> Result<Option<Self>> {
        let Some(end) = read.windows(4).position(|four| four == b"\r\n\r\n") else { return Ok(None) };
        let text = String::from_utf8_lossy(&read[..end]);
        let mut lines = text.split("\r\n");
        let status = lines.next().and_then(|line| line.split(' ').nth(1)).and_then(|status| status.parse().ok());
        let Some(status) = status else { bail!("not an answer of HTTP/1.1: {text}") };
        let (mut body, mut stays) = (Body::Length(0), true);
        for (name, value) in lines.filter_map(|line| line.split_once(':')) {
            let value = value.trim();
            if name.eq_ignore_ascii_case("content-length") {
                body = Body::Length(value.parse()?);
            } else if name.eq_ignore_ascii_case("transfer-encoding") {
                body = Body::Chunks;
            } else if name.eq_ignore_ascii_case("connection") {
                stays = !value.eq_ignore_ascii_case("close");
            }
        }
        Ok(Some(Head { status, body, stays, bytes: end + 4 }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn heads_are_read() {
        let check = |text: &str, wanted: Option<(u16, Body, bool)>| {
            let head = Head::read(text.as_bytes()).unwrap();
            assert_eq!(head.map(|head| (head.status, head.body, head.stays)), wanted, "{text}");
        };
        check("HTTP/1.1 200 OK\r\nContent-Length: 11\r\n\r\n{\"ok\"", Some((200, Body::Length(11), true)));
        check("HTTP/1.1 202 Accepted\r\ntransfer-encoding: chunked\r\n\r\n", Some((202, Body::Chunks, true)));
        check("HTTP/1.1 503 Busy\r\nConnection: close\r\n\r\n", Some((503, Body::Length(0), false)));
        check("HTTP/1.1 200 OK\r\nContent-", None);
        assert!(Head::read(b"garbage\r\n\r\n").is_err());
    }
}
