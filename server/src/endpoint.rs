//! The endpoint: a listener, TLS, connections, and what a client needs to know to reach it.

use std::{net::SocketAddr, path::Path, sync::Arc, time::Duration};

use hyper::service::service_fn;
use hyper_util::{
    rt::{TokioExecutor, TokioIo, TokioTimer},
    server::conn::auto,
};
use tokio::{
    net::{TcpListener, TcpStream},
    sync::Semaphore,
    time::timeout,
};
use tokio_rustls::{
    TlsAcceptor,
    rustls::{ServerConfig, crypto::ring},
};

use crate::{
    certs::Authority,
    clients::Clients,
    connection::Patient,
    engine::{Engine, Make, Pace},
    http::{Shared, answer},
    node_ports, users,
};

/// Connections at one time.
const MOST_CONNECTIONS: usize = 2_000;
/// How long a client may take to begin: handshake, headers.
const BEGINNING: Duration = Duration::from_secs(20);
/// How long a client may leave lying what is sent to it.
const PATIENCE: Duration = Duration::from_secs(30);

/// How an endpoint is started.
pub struct Options {
    /// Where it listens; port 0 takes a free one.
    pub listen: SocketAddr,
    /// What the cluster is called in the kubeconfig.
    pub cluster: String,
    /// How simulated time passes.
    pub pace: Pace,
    /// Whether ports of services can be reached on 127.0.0.1.
    pub node_ports: bool,
}

/// A running endpoint. It stops when this is dropped.
pub struct Endpoint {
    /// Where it listens.
    pub address: SocketAddr,
    /// The simulation behind it.
    pub engine: Engine,
    /// A kubeconfig for it.
    pub kubeconfig: String,
    /// The administrator's token.
    pub token: String,
    /// The certificate of its authority, PEM.
    pub authority: String,
    _runtime: tokio::runtime::Runtime,
}

impl Endpoint {
    /// Starts a world and serves its API.
    ///
    /// # Errors
    /// Where the address is taken, or the system refuses something.
    pub fn start(make: Make, options: &Options) -> Result<Self, String> {
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(1)
            .enable_all()
            .build()
            .map_err(|error| format!("no runtime: {error}"))?;
        let listener = runtime
            .block_on(TcpListener::bind(options.listen))
            .map_err(|error| format!("{} can't be listened on: {error}", options.listen))?;
        let address = listener.local_addr().map_err(|error| error.to_string())?;
        let authority = Authority::new()?;
        let mut names = vec!["localhost".to_owned(), "127.0.0.1".to_owned()];
        if !address.ip().is_unspecified() {
            names.push(address.ip().to_string());
        }
        let clients = Arc::new(Clients::new(&authority)?);
        let acceptor = TlsAcceptor::from(Arc::new(tls(&authority, &names, clients.clone())?));
        let client = authority.client(users::ADMIN, "system:masters")?;
        let token = token();
        let host = if address.ip().is_unspecified() {
            "127.0.0.1".into()
        } else {
            address.ip().to_string()
        };
        let host = if host.contains(':') { format!("[{host}]") } else { host };
        let server = format!("https://{host}:{}", address.port());
        let kubeconfig = users::kubeconfig(&server, &options.cluster, &authority, &client, &token);
        let engine = Engine::start(make, options.pace)?;
        let shared = Arc::new(Shared {
            engine: engine.clone(),
            tokens: users::Tokens::new(&token),
            clients,
        });
        runtime.spawn(accept(listener, acceptor, shared));
        if options.node_ports {
            runtime.spawn(node_ports::serve(engine.clone()));
        }
        let authority = authority.pem;
        Ok(Endpoint { address, engine, kubeconfig, token, authority, _runtime: runtime })
    }

    /// Writes the kubeconfig to a file that only its owner may read.
    ///
    /// # Errors
    /// Where the file can't be written.
    pub fn write_kubeconfig(&self, path: &Path) -> Result<(), String> {
        use std::{io::Write, os::unix::fs::OpenOptionsExt};
        let mut options = std::fs::OpenOptions::new();
        options.write(true).create(true).truncate(true).mode(0o600);
        let written =
            options.open(path).and_then(|mut file| file.write_all(self.kubeconfig.as_bytes()));
        written.map_err(|error| format!("{} can't be written: {error}", path.display()))
    }
}

/// A token that nobody guesses: the end of a fresh key.
fn token() -> String {
    let key = rcgen::KeyPair::generate().map(|key| key.serialize_der()).unwrap_or_default();
    let from = key.len().saturating_sub(32);
    key.get(from..).unwrap_or_default().iter().map(|byte| format!("{byte:02x}")).collect()
}

fn tls(
    authority: &Authority,
    names: &[String],
    clients: Arc<Clients>,
) -> Result<ServerConfig, String> {
    let provider = Arc::new(ring::default_provider());
    let signed = authority.server(names)?;
    let mut config = ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(|error| error.to_string())?
        .with_client_cert_verifier(clients)
        .with_single_cert(vec![signed.der, authority.der.clone()], signed.key)
        .map_err(|error| error.to_string())?;
    config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    Ok(config)
}

async fn accept(listener: TcpListener, acceptor: TlsAcceptor, shared: Arc<Shared>) {
    let room = Arc::new(Semaphore::new(MOST_CONNECTIONS));
    loop {
        let Ok(place) = room.clone().acquire_owned().await else { return };
        let stream = match listener.accept().await {
            Ok((stream, _)) => stream,
            Err(_) => {
                // Out of descriptors, most likely: connections that end give some back.
                tokio::time::sleep(Duration::from_millis(50)).await;
                continue;
            }
        };
        let (acceptor, shared) = (acceptor.clone(), shared.clone());
        tokio::spawn(async move {
            connection(stream, acceptor, shared).await;
            drop(place);
        });
    }
}

async fn connection(stream: TcpStream, acceptor: TlsAcceptor, shared: Arc<Shared>) {
    let _ = stream.set_nodelay(true); // slower, not wrong, without
    let stream = Patient::new(stream, PATIENCE);
    let Ok(Ok(stream)) = timeout(BEGINNING, acceptor.accept(stream)).await else { return };
    let certificates = stream.get_ref().1.peer_certificates();
    let holder = certificates.and_then(|all| all.first()).map(|first| shared.clients.who(first));
    let service = service_fn(move |request| answer(shared.clone(), holder.clone(), request));
    let mut builder = auto::Builder::new(TokioExecutor::new());
    builder.http1().timer(TokioTimer::new()).header_read_timeout(BEGINNING);
    builder.http2().timer(TokioTimer::new()).max_concurrent_streams(1_000);
    // A connection that breaks concerns its client only.
    let _ = builder.serve_connection_with_upgrades(TokioIo::new(stream), service).await;
}
