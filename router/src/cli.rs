//! The command `cloverleaf-router`: arguments, configuration, log, signals, exit codes.

use std::ffi::OsString;
use std::io::Write;
use std::process::ExitCode;
use std::time::Duration;

use cloverleaf_bus::{Bus, NatsCredentials, NatsOptions, ServerAddress, Status};
use cloverleaf_telemetry::{Format, Json, Level, LogHandle, Settings, TimestampFormat};
use tokio::signal::unix::{Signal, SignalKind, signal};

use crate::app::{DebugServer, Reloader, Router, Sockets, StartError, nats_tls};
use crate::config::{Arguments, Config, Loaded, LogLevel, NatsHost};
use crate::respond::Page;

/// How long the end waits for the last log lines to be written.
const FLUSH: Duration = Duration::from_secs(1);

/// How the log names SIGHUP.
const HANGUP: &str = "hangup";

/// How often certificates are looked at that nobody changes.
const DAY: Duration = Duration::from_secs(24 * 60 * 60);

/// Runs the router to its end and gives the process's exit code (spec drop-in 1.8): 0 for a proper end, 1 for what cannot
/// be started, 2 for a wrong command line.
pub fn run(arguments: impl IntoIterator<Item = OsString>) -> ExitCode {
    let arguments = match Arguments::parse(arguments) {
        Ok(arguments) => arguments,
        Err(outcome) => {
            print_to(std::io::stderr(), &outcome.text);
            return ExitCode::from(outcome.code);
        }
    };
    let path = arguments.config.as_deref();
    if arguments.check {
        let check = Config::check(path, Page::check);
        print_to(std::io::stdout(), &check.text);
        return ExitCode::from(check.code);
    }
    let loaded = match Config::load(path) {
        Ok(loaded) => loaded,
        Err(report) => {
            // Standard output is where supervisors look (spec drop-in 0, point 5).
            drop(cloverleaf_telemetry::write_config_error(
                &mut std::io::stdout(),
                &report.one_line(),
            ));
            return ExitCode::FAILURE;
        }
    };
    let log = match start_log(&loaded.config) {
        Ok(log) => log,
        Err(error) => {
            print_to(std::io::stderr(), &format!("cloverleaf-router: {error}\n"));
            return ExitCode::FAILURE;
        }
    };
    raise_file_limit();
    let code = match tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
    {
        Ok(runtime) => {
            let code = runtime.block_on(serve(loaded, log.clone()));
            runtime.shutdown_timeout(FLUSH);
            code
        }
        Err(error) => {
            tracing::error!(target: "main", %error, "runtime-failed");
            ExitCode::FAILURE
        }
    };
    log.flush(FLUSH);
    code
}

fn print_to(mut out: impl Write, text: &str) {
    // There is nobody left to tell when the standard streams are closed.
    drop(out.write_all(text.as_bytes()));
}

fn start_log(config: &Config) -> Result<LogHandle, cloverleaf_telemetry::StartError> {
    let source = match config.logging.syslog.as_str() {
        "" => "gorouter.stdout",
        name => name,
    };
    cloverleaf_telemetry::start(Settings {
        source: source.to_owned(),
        level: level(config.logging.level),
        format: Format::Json(TimestampFormat::from_config(
            &config.logging.format.timestamp,
        )),
    })
}

fn level(level: LogLevel) -> Level {
    match level {
        LogLevel::Debug => Level::Debug,
        LogLevel::Info => Level::Info,
        LogLevel::Warn => Level::Warn,
        LogLevel::Error => Level::Error,
        LogLevel::DPanic | LogLevel::Panic | LogLevel::Fatal => Level::Fatal,
    }
}

/// One descriptor for each side of every connection: the soft limit is raised to the hard one.
pub fn raise_file_limit() {
    let mut limit = rustix::process::getrlimit(rustix::process::Resource::Nofile);
    limit.current = limit.maximum;
    if let Err(error) = rustix::process::setrlimit(rustix::process::Resource::Nofile, limit) {
        tracing::warn!(target: "main", %error, "file-limit-not-raised");
    }
}

async fn serve(loaded: Loaded, log: LogHandle) -> ExitCode {
    tracing::info!(target: "main", "starting");
    for notice in loaded.notes.iter().chain(&loaded.not_yet) {
        tracing::warn!(target: "main", { key = notice.key.as_str(), note = notice.text.as_str() }, "config-notice");
    }
    let config = loaded.config;
    tracing::info!(
        target: "main",
        {
            "isolation_segments.json" = %Json(&config.isolation_segments),
            routing_table_sharding_mode = config.routing_table_sharding_mode.as_str(),
        },
        "retrieved-isolation-segments"
    );
    if config.enable_envelope_v1_metrics && config.logging.metron_address.is_empty() {
        //
        tracing::error!(target: "main", error = "logging.metron_address is empty", "dropsonde-initialize-error");
        return ExitCode::FAILURE;
    }
    let (mut signals, mut hangup) = match (Signals::new(), signal(SignalKind::hangup())) {
        (Ok(signals), Ok(hangup)) => (signals, hangup),
        (Err(error), _) | (_, Err(error)) => {
            tracing::error!(target: "main", %error, "signals-not-available");
            return ExitCode::FAILURE;
        }
    };
    let mut sockets = {
        let config = config.clone();
        let taken_over = tokio::task::spawn_blocking(move || Sockets::take_over(&config));
        taken_over.await.unwrap_or_default()
    };
    let debug = DebugServer::start(&config.debug_addr, log.clone(), &mut sockets).await;
    let mut reloader = Reloader::new(loaded.origin);
    let mut router = tokio::select! {
        router = start(config, sockets) => match router {
            Ok(router) => router,
            Err(code) => return code,
        },
        // Nothing is served yet: there is nothing to end in order.
        _ = signals.next() => return ExitCode::SUCCESS,
    };
    if let Some(debug) = &debug {
        debug.watch(&router);
    }
    let mut days = tokio::time::interval(DAY);
    // The first one is at once, and at the start it was looked already.
    days.tick().await;
    let end = loop {
        tokio::select! {
            end = signals.next() => break end,
            () = router.broken() => break End::Broken,
            () = router.bus_closed() => {
                // Said by whoever noticed. Without the bus the table can only grow stale.
                router.stop().await;
                return ExitCode::FAILURE;
            }
            () = router.taken_over() => break leave(&mut router, &mut signals, &mut hangup).await,
            _ = days.tick() => router.look_at_certificates(),
            () = reloader.file_changed() => reloader.refresh(&mut router).await,
            _ = hangup.recv() => {
                let changes = reloader.reload(&mut router).await.unwrap_or_default();
                if changes.live.iter().any(|change| change.key == "logging.level") {
                    log.set_level(level(router.config().logging.level));
                }
            }
        }
    };
    // The first signal decides; what comes behind it is only told (spec 9.4).
    let others = tokio::spawn(async move {
        loop {
            tokio::select! {
                end = signals.next() => ignored(end.name()),
                _ = hangup.recv() => ignored(HANGUP),
            }
        }
    });
    match end {
        End::Drain | End::Broken => router.drain().await,
        End::Stop(_) => router.stop().await,
    }
    others.abort();
    tracing::info!(target: "main", "gorouter.exited");
    match end {
        End::Broken => ExitCode::FAILURE,
        End::Drain | End::Stop(_) => ExitCode::SUCCESS,
    }
}

/// Goes on with the connections that are left behind a take-over, unless a signal ends that as it would have before.
async fn leave(router: &mut Router, signals: &mut Signals, hangup: &mut Signal) -> End {
    let mut left = std::pin::pin!(router.leave());
    loop {
        tokio::select! {
            () = left.as_mut() => return End::Stop("upgraded"),
            end = signals.next() => return end,
            _ = hangup.recv() => ignored(HANGUP),
        }
    }
}

fn ignored(signal: &str) {
    tracing::info!(target: "main", signal, "gorouter.signal.ignored");
}

async fn start(config: Config, sockets: Sockets) -> Result<Router, ExitCode> {
    tracing::info!(target: "main", "setting-up-nats-connection");
    let bus = Bus::connect(nats_options(&config)).await.map_err(|error| {
        tracing::error!(target: "nats", %error, "nats-connection-error");
        ExitCode::FAILURE
    })?;
    if let Some(Status::Connected { host, addr }) = bus.status().next().await {
        let addr = addr.map(|addr| addr.to_string()).unwrap_or_default();
        tracing::info!(target: "nats", { host, addr }, "Successfully-connected-to-nats");
    }
    let started = Router::start_on(config, bus, "nats", sockets).await;
    started.map_err(|error| {
        let error_text = error.to_string();
        match error {
            StartError::AccessLog(_) => {
                tracing::error!(target: "main", error = error_text, "error-creating-access-logger")
            }
            StartError::RoutingApi(_) => {
                tracing::error!(target: "main", error = error_text, "routing-api-connection-failed")
            }
            StartError::Listener { .. } => {
                tracing::error!(target: "main", error = error_text, "tcp-listener-error")
            }
            _ => tracing::error!(target: "main", error = error_text, "gorouter.start-failed"),
        }
        ExitCode::FAILURE
    })
}

fn nats_options(config: &Config) -> NatsOptions {
    let nats = &config.nats;
    let server = |host: &NatsHost| ServerAddress {
        host: host.hostname.clone(),
        port: host.port,
    };
    NatsOptions {
        servers: nats.hosts.iter().map(server).collect(),
        credentials: (!nats.user.is_empty() || !nats.pass.is_empty()).then(|| NatsCredentials {
            user: nats.user.clone(),
            password: nats.pass.clone(),
        }),
        tls: nats_tls(config),
        client_name: Some("cloverleaf-router".to_owned()),
        ping_interval: config.nats_client_ping_interval,
        ..NatsOptions::default()
    }
}

/// What ends the router.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum End {
    /// SIGUSR1
    Drain,
    /// SIGTERM, SIGINT
    Stop(&'static str),
    /// No signal: something has broken that it cannot do without.
    Broken,
}

impl End {
    fn name(self) -> &'static str {
        match self {
            End::Drain => "user defined signal 1",
            End::Broken => "none",
            End::Stop(name) => name,
        }
    }
}

/// The signals that end the router (spec drop-in 1.8). Others keep their default action.
struct Signals {
    drain: Signal,
    terminate: Signal,
    interrupt: Signal,
}

impl Signals {
    fn new() -> std::io::Result<Signals> {
        Ok(Signals {
            drain: signal(SignalKind::user_defined1())?,
            terminate: signal(SignalKind::terminate())?,
            interrupt: signal(SignalKind::interrupt())?,
        })
    }

    async fn next(&mut self) -> End {
        tokio::select! {
            _ = self.drain.recv() => End::Drain,
            _ = self.terminate.recv() => End::Stop("terminated"),
            _ = self.interrupt.recv() => End::Stop("interrupt"),
        }
    }
}
