//! A way into a TLS port for clients that speak plain text.

use std::io;
use std::net::Ipv4Addr;
use std::sync::Arc;
use std::thread;

use rustls::ClientConfig;
use rustls::pki_types::ServerName;
use tokio::io::copy_bidirectional;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::oneshot;
use tokio_rustls::TlsConnector;

/// A listener whose connections go on over TLS. Ends when dropped.
#[derive(Debug)]
pub struct TlsPassage {
    port: u16,
    _stop: oneshot::Sender<()>,
}

impl TlsPassage {
    /// To a port of this machine, for the name `127.0.0.1`.
    ///
    /// # Panics
    /// When no port is to be had.
    pub fn to(port: u16, config: Arc<ClientConfig>) -> TlsPassage {
        let listener = std::net::TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a listener");
        listener.set_nonblocking(true).expect("a listener");
        let own = listener.local_addr().expect("a bound listener").port();
        let (stop, stopped) = oneshot::channel();
        thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread()
                .enable_io()
                .build()
                .expect("a runtime");
            // Everything ends with the runtime, when the test drops its side of the channel.
            runtime.block_on(async {
                tokio::select! {
                    _ = stopped => {}
                    _ = accept(listener, TlsConnector::from(config), port) => {}
                }
            });
        });
        TlsPassage {
            port: own,
            _stop: stop,
        }
    }

    /// Its port on 127.0.0.1.
    pub fn port(&self) -> u16 {
        self.port
    }
}

async fn accept(
    listener: std::net::TcpListener,
    connector: TlsConnector,
    port: u16,
) -> io::Result<()> {
    let listener = TcpListener::from_std(listener)?;
    loop {
        let (stream, _) = listener.accept().await?;
        tokio::spawn(carry(stream, connector.clone(), port));
    }
}

/// However it ends, the connection is closed and the test looks at its own end.
async fn carry(mut stream: TcpStream, connector: TlsConnector, port: u16) -> io::Result<()> {
    let name = ServerName::from(std::net::IpAddr::from(Ipv4Addr::LOCALHOST));
    let router = TcpStream::connect((Ipv4Addr::LOCALHOST, port)).await?;
    let mut router = connector.connect(name, router).await?;
    copy_bidirectional(&mut stream, &mut router).await?;
    Ok(())
}
