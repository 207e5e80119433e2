//! The door for mails: an SMTP listener, off unless somebody names its address.
//!
//! It takes mails for hooks and for nobody else: the recipient `TOKEN@anything`
//! is the hook with the address `/hooks/TOKEN`. So nothing is ever passed on,
//! and nobody signs in. It speaks plainly, to a mail server beside it that has
//! the certificate and the patience; the answer to a mail comes when that is
//! durable, and the same mail sent again is stored once.

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use base::error::{Coded, Kind};
use flows::Arrival;
use flows::hook::Webhook;
use flows::value::Value;
use sha2::{Digest, Sha256};
use tokio::io::{AsyncBufRead, AsyncBufReadExt, AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, BufReader};
use tokio::net::TcpListener;
use tokio::sync::Semaphore;
use tokio_util::sync::CancellationToken;

use crate::app::App;

/// Conversations at the same time.
const CONVERSATIONS_MAX: usize = 32;
/// Recipients of one mail.
const RECIPIENTS_MAX: usize = 50;
/// Bytes of a line of the conversation, more than the standard asks for.
const LINE_BYTES_MAX: u64 = 2_048;
/// How long a client may be silent.
const SILENCE_MAX: Duration = Duration::from_mins(5);
/// Commands that are not known, after which a client is sent away.
const MISTAKES_MAX: u32 = 20;

/// Takes mails until told to stop.
pub async fn take_mails(listener: TcpListener, app: App, stop: CancellationToken) {
    let room = Arc::new(Semaphore::new(CONVERSATIONS_MAX));
    loop {
        let Ok(place) = room.clone().acquire_owned().await else { return };
        let (stream, peer) = tokio::select! {
            () = stop.cancelled() => return,
            accepted = listener.accept() => match accepted {
                Ok(accepted) => accepted,
                Err(error) => {
                    tracing::warn!(%error, "a mail client cannot be taken in");
                    // It may have run out of file handles, and asking at once
                    // again would only burn time.
                    tokio::time::sleep(Duration::from_millis(100)).await;
                    continue;
                }
            },
        };
        let (app, stop) = (app.clone(), stop.clone());
        tokio::spawn(async move {
            let mut conversation = Conversation::new(app, peer.ip());
            tokio::select! {
                // What was not answered is sent again.
                () = stop.cancelled() => {}
                spoken = conversation.hold(stream) => if let Err(error) = spoken {
                    tracing::debug!(%peer, %error, "a mail client went away");
                },
            }
            drop(place);
        });
    }
}

/// What a client has said so far.
struct Conversation {
    app: App,
    from: IpAddr,
    has_sender: bool,
    recipients: Vec<Arc<Webhook>>,
}

impl Conversation {
    fn new(app: App, from: IpAddr) -> Self {
        Conversation { app, from, has_sender: false, recipients: Vec::new() }
    }

    async fn hold(&mut self, stream: impl AsyncRead + AsyncWrite + Unpin) -> std::io::Result<()> {
        let (read, mut write) = tokio::io::split(stream);
        let mut read = BufReader::new(read);
        write.write_all(b"220 loopwright takes mails for hooks\r\n").await?;
        let mut mistakes = 0;
        loop {
            let Some(line) = line_of(&mut read).await? else { return Ok(()) };
            let (verb, rest) = line.split_once([' ', ':']).unwrap_or((&line, ""));
            let answer = match verb.to_ascii_uppercase().as_str() {
                "HELO" => "250 loopwright".to_owned(),
                "EHLO" => {
                    let size = self.app.hook_bytes_max;
                    format!("250-loopwright\r\n250-SIZE {size}\r\n250-8BITMIME\r\n250-SMTPUTF8\r\n250 PIPELINING")
                }
                "MAIL" => self.mail(rest),
                "RCPT" => self.recipient(rest).await,
                "DATA" if self.recipients.is_empty() => "503 name a recipient first".to_owned(),
                "DATA" => {
                    write.write_all(b"354 end with a line of one dot\r\n").await?;
                    match mail_of(&mut read, self.app.hook_bytes_max).await? {
                        None => return Ok(()),
                        Some(mail) => self.take(mail).await,
                    }
                }
                "RSET" => {
                    self.forget();
                    "250 forgotten".to_owned()
                }
                "NOOP" => "250 yes".to_owned(),
                "VRFY" => "252 send it and see".to_owned(),
                "QUIT" => {
                    write.write_all(b"221 goodbye\r\n").await?;
                    return write.shutdown().await;
                }
                _ => {
                    mistakes += 1;
                    if mistakes > MISTAKES_MAX {
                        return write.write_all(b"421 too many unknown commands\r\n").await;
                    }
                    "500 the command is not known".to_owned()
                }
            };
            write.write_all(format!("{answer}\r\n").as_bytes()).await?;
        }
    }

    fn forget(&mut self) {
        self.has_sender = false;
        self.recipients.clear();
    }

    fn mail(&mut self, rest: &str) -> String {
        let upper = rest.to_ascii_uppercase();
        if !upper.trim_start().starts_with("FROM:") {
            return "501 MAIL FROM:<address> is meant".to_owned();
        }
        let size = upper.split_once("SIZE=").and_then(|(_, size)| size.split(' ').next()?.parse::<usize>().ok());
        if size.is_some_and(|size| size > self.app.hook_bytes_max) {
            return format!("552 at most {} bytes are taken", self.app.hook_bytes_max);
        }
        self.forget();
        self.has_sender = true;
        "250 go on".to_owned()
    }

    /// Looks for the hook of a recipient; it is open to the address of the
    /// client as it is to that of a caller.
    async fn recipient(&mut self, rest: &str) -> String {
        if !self.has_sender {
            return "503 name the sender first".to_owned();
        }
        if self.recipients.len() >= RECIPIENTS_MAX {
            return "452 too many recipients".to_owned();
        }
        let Some(address) = rest.split_once('<').and_then(|(_, rest)| Some(rest.split_once('>')?.0)) else {
            return "501 RCPT TO:<TOKEN@host> is meant".to_owned();
        };
        let token = address.rsplit_once('@').map_or(address, |(token, _)| token);
        match self.app.flows.knock(token, Some(self.from)).await {
            Ok(webhook) => {
                self.recipients.push(webhook);
                "250 it will come there".to_owned()
            }
            Err(error) => refusal(&error),
        }
    }

    /// Brings a mail to all its hooks; nothing where it was too long.
    async fn take(&mut self, mail: Option<Vec<u8>>) -> String {
        let recipients = std::mem::take(&mut self.recipients);
        self.forget();
        let Some(mail) = mail else {
            return format!("552 at most {} bytes are taken", self.app.hook_bytes_max);
        };
        let Some(data) = flows::read_mail(&mail) else { return "554 it is no mail with headers".to_owned() };
        // A client that heard no answer sends it again; mails without a name
        // of their own may be alike and not the same.
        let has_name = data.field("messageId").exists();
        let key = has_name.then(|| format!("mail:{}", hex::encode(Sha256::digest(&mail))));
        drop(mail);
        for webhook in recipients {
            if let Err(error) = self.app.flows.bring(&webhook, arrival(data.clone(), key.clone())).await {
                return refusal(&error);
            }
        }
        "250 it is stored".to_owned()
    }
}

fn arrival(data: Value, key: Option<String>) -> Arrival {
    Arrival { data, method: "MAIL".to_owned(), headers: Vec::new(), key, causes: base::Causes::default() }
}

/// What a client is told: to try again, or not to.
fn refusal(error: &flows::Error) -> String {
    let code = match error.kind() {
        Kind::TooMany | Kind::Unavailable | Kind::Internal => 451,
        Kind::Invalid => 554,
        _ => 550,
    };
    format!("{code} {}", error.to_string().replace(['\r', '\n'], " "))
}

/// Reads a line of the conversation; nothing when the client has gone.
async fn line_of(read: &mut (impl AsyncBufRead + Unpin)) -> std::io::Result<Option<String>> {
    let mut line = Vec::new();
    in_time((&mut *read).take(LINE_BYTES_MAX).read_until(b'\n', &mut line)).await?;
    if !line.ends_with(b"\n") {
        return Ok(None);
    }
    Ok(Some(String::from_utf8_lossy(&line).trim_end().to_owned()))
}

/// Reads a mail up to the line of one dot: `Some(None)` if it is too long, and
/// nothing when the client has gone.
async fn mail_of(read: &mut (impl AsyncBufRead + Unpin), bytes_max: usize) -> std::io::Result<Option<Option<Vec<u8>>>> {
    let (mut mail, mut is_too_long) = (Vec::new(), false);
    let mut begins_line = true;
    loop {
        let mut line = Vec::new();
        // A line may be longer than lines should be, but not than the memory.
        in_time((&mut *read).take(64 << 10).read_until(b'\n', &mut line)).await?;
        if line.is_empty() {
            return Ok(None);
        }
        if begins_line {
            if matches!(line.as_slice(), b".\r\n" | b".\n") {
                return Ok(Some((!is_too_long).then_some(mail)));
            }
            // A dot at the beginning of a line was doubled by the client.
            if line.first() == Some(&b'.') {
                line.remove(0);
            }
        }
        begins_line = line.ends_with(b"\n");
        if mail.len() + line.len() > bytes_max {
            is_too_long = true;
            mail = Vec::new();
        }
        if !is_too_long {
            mail.extend_from_slice(&line);
        }
    }
}

async fn in_time<T>(reading: impl Future<Output = std::io::Result<T>>) -> std::io::Result<T> {
    let silent = || std::io::Error::new(std::io::ErrorKind::TimedOut, "the client said nothing");
    tokio::time::timeout(SILENCE_MAX, reading).await.map_err(|_| silent())?
}
