//! The same door for mail that users send.
//!
//! The guard dials, so a mail server in a private range is as closed as any
//! other host. The conversation (SMTP) is that of the crate `lettre`, led step
//! by step: before the mail itself is handed over nothing was sent, whatever
//! happens, and only behind that is it unknown.

use std::net::SocketAddr;
use std::pin::Pin;
use std::str::FromStr;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use base::BoxFuture;
use base::error::chain;
use base::http::HttpError;
use base::mail::{Letter, MailLogin, MailSecurity, MailServer, Post, PostError};
use lettre::Address;
use lettre::transport::smtp::authentication::{Credentials, Mechanism};
use lettre::transport::smtp::client::{AsyncSmtpConnection, AsyncTokioStream, Certificate, TlsParameters};
use lettre::transport::smtp::commands::{Data, Mail, Noop, Rcpt};
use lettre::transport::smtp::extension::{ClientId, Extension, MailBodyParameter, MailParameter};
use lettre::transport::smtp::response::Response;
use rustls::pki_types::ServerName;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

use crate::egress::{Egress, trust};

/// Letters of an answer that are told.
const TOLD_CHARS_MAX: usize = 300;

impl Post for Egress {
    fn post(&self, server: MailServer, letter: Letter, timeout: Duration) -> BoxFuture<'_, Result<String, PostError>> {
        Box::pin(async move {
            // What happens to a mail that was handed over is another matter than
            // what happens before.
            let until = tokio::time::Instant::now() + timeout;
            let mut connection = within(timeout, &server, self.prepared(&server, &letter)).await?;
            let handed = tokio::time::timeout_at(until, connection.message(&letter.message)).await;
            let answer = match handed {
                Ok(Ok(answer)) => said(&answer),
                Ok(Err(error)) => {
                    return Err(match error.status() {
                        Some(_) => refused("the mail", &error),
                        None => PostError::Unknown { detail: chain(&error).to_string() },
                    });
                }
                Err(_) => {
                    return Err(PostError::Unknown { detail: format!("no answer within {} s", timeout.as_secs()) });
                }
            };
            // It has been taken; how the server says good-bye changes nothing.
            let _ = tokio::time::timeout(Duration::from_secs(1), connection.quit()).await;
            Ok(answer)
        })
    }

    fn greet(&self, server: MailServer, timeout: Duration) -> BoxFuture<'_, Result<String, PostError>> {
        Box::pin(async move {
            let greeting = async {
                let mut connection = self.signed_in(&server).await?;
                let answer = connection.command(Noop).await.map_err(|error| refused("to go on", &error))?;
                let _ = connection.quit().await;
                Ok(said(&answer))
            };
            within(timeout, &server, greeting).await
        })
    }
}

impl Egress {
    /// Connects, protects the way, and signs in.
    async fn signed_in(&self, server: &MailServer) -> Result<AsyncSmtpConnection, PostError> {
        let dialled = self.guarded.dial_host(server.host.clone(), server.port).await;
        let stream = dialled.map_err(|refusal| refusal.0)?;
        let stream: Box<dyn AsyncTokioStream> = match server.security {
            MailSecurity::Implicit => Box::new(self.secured(&server.host, stream).await?),
            MailSecurity::None | MailSecurity::StartTls => Box::new(stream),
        };
        let hello = ClientId::default();
        let connected = AsyncSmtpConnection::connect_with_transport(stream, &hello).await;
        let mut connection = connected.map_err(|error| refused("the connection", &error))?;
        if server.security == MailSecurity::StartTls {
            let parameters = self.tls_parameters(&server.host)?;
            let turned = connection.starttls(parameters, &hello).await;
            turned.map_err(|error| HttpError::Tls {
                target: format!("{}:{}", server.host, server.port),
                detail: error.to_string(),
            })?;
        }
        if let Some(MailLogin { user, password }) = &server.login {
            let credentials = Credentials::new(user.clone(), password.expose().to_owned());
            let answered = connection.auth(&[Mechanism::Plain, Mechanism::Login], &credentials).await;
            answered.map_err(|error| match error.status().map(u16::from) {
                Some(code) if code < 500 => refused("the login", &error),
                Some(_) => PostError::Login { text: told(&error.to_string()) },
                None if error.is_client() => PostError::Login { text: told(&chain(&error).to_string()) },
                None => PostError::Broken { detail: chain(&error).to_string() },
            })?;
        }
        Ok(connection)
    }

    /// Goes on to where the mail itself comes next.
    async fn prepared(&self, server: &MailServer, letter: &Letter) -> Result<AsyncSmtpConnection, PostError> {
        let address = |text: &str| {
            let what = format!("the address \"{text}\"");
            Address::from_str(text).map_err(|error| PostError::Refused { what, code: 553, text: error.to_string() })
        };
        let from = address(&letter.from)?;
        let to = letter.to.iter().map(|text| address(text)).collect::<Result<Vec<_>, _>>()?;
        let mut connection = self.signed_in(server).await?;
        let mut parameters = Vec::new();
        let is_plain = |text: &String| text.is_ascii();
        if !(is_plain(&letter.from) && letter.to.iter().all(is_plain)) {
            if !connection.server_info().supports_feature(Extension::SmtpUtfEight) {
                let text = "it takes addresses of plain letters only".to_owned();
                return Err(PostError::Refused { what: "an address".into(), code: 553, text });
            }
            parameters.push(MailParameter::SmtpUtfEight);
        }
        if !letter.message.is_ascii() && connection.server_info().supports_feature(Extension::EightBitMime) {
            parameters.push(MailParameter::Body(MailBodyParameter::EightBitMime));
        }
        let sender = format!("the sender {}", letter.from);
        connection.command(Mail::new(Some(from), parameters)).await.map_err(|error| refused(&sender, &error))?;
        for (recipient, text) in to.into_iter().zip(&letter.to) {
            // One who is refused refuses the mail: half of the people would be worse.
            let recipient = connection.command(Rcpt::new(recipient, Vec::new())).await;
            recipient.map_err(|error| refused(&format!("the recipient {text}"), &error))?;
        }
        connection.command(Data).await.map_err(|error| refused("the mail", &error))?;
        Ok(connection)
    }

    async fn secured(&self, host: &str, stream: TcpStream) -> Result<Secured, PostError> {
        let failed = |detail: String| HttpError::Tls { target: host.to_owned(), detail };
        let peer = stream.peer_addr().map_err(|error| failed(error.to_string()))?;
        let name = ServerName::try_from(host.to_owned()).map_err(|error| failed(error.to_string()))?;
        let connector = TlsConnector::from(Arc::new(trust(&self.authorities)));
        let stream = connector.connect(name, stream).await.map_err(|error| failed(error.to_string()))?;
        Ok(Secured { stream, peer })
    }

    fn tls_parameters(&self, host: &str) -> Result<TlsParameters, PostError> {
        let failed = |detail: String| HttpError::Tls { target: host.to_owned(), detail };
        let mut parameters = TlsParameters::builder(host.to_owned());
        for authority in self.authorities.iter() {
            let authority = Certificate::from_der(authority.to_vec()).map_err(|error| failed(error.to_string()))?;
            parameters = parameters.add_root_certificate(authority);
        }
        Ok(parameters.build().map_err(|error| failed(error.to_string()))?)
    }
}

async fn within<T>(
    timeout: Duration,
    server: &MailServer,
    talk: impl Future<Output = Result<T, PostError>>,
) -> Result<T, PostError> {
    let after_ms = u64::try_from(timeout.as_millis()).unwrap_or(u64::MAX);
    let too_long = || HttpError::Timeout { target: format!("{}:{}", server.host, server.port), after_ms };
    tokio::time::timeout(timeout, talk).await.unwrap_or_else(|_| Err(too_long().into()))
}

/// What a failure means as long as the mail was not handed over.
fn refused(what: &str, error: &lettre::transport::smtp::Error) -> PostError {
    match error.status().map(u16::from) {
        Some(code) => PostError::Refused { what: what.to_owned(), code, text: told(&error.to_string()) },
        None => PostError::Broken { detail: told(&chain(error).to_string()) },
    }
}

fn said(answer: &Response) -> String {
    let lines: Vec<&str> = answer.message().collect();
    told(format!("{} {}", answer.code(), lines.join(" ")).trim())
}

fn told(text: &str) -> String {
    text.chars().filter(|letter| !letter.is_control()).take(TOLD_CHARS_MAX).collect()
}

/// A connection that speaks TLS from its beginning.
#[derive(Debug)]
struct Secured {
    stream: TlsStream<TcpStream>,
    peer: SocketAddr,
}

impl AsyncTokioStream for Secured {
    fn peer_addr(&self) -> std::io::Result<SocketAddr> {
        Ok(self.peer)
    }
}

impl AsyncRead for Secured {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, into: &mut ReadBuf<'_>) -> Poll<std::io::Result<()>> {
        Pin::new(&mut self.stream).poll_read(cx, into)
    }
}

impl AsyncWrite for Secured {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<std::io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(cx, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<std::io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<std::io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}

#[cfg(test)]
mod tests;
