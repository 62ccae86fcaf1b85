//! A Routing API and a UAA that do what the test says.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use serde_json::{Value, json};

use crate::backend::{Backend, Peer};
use crate::certificates::{Authority, Identity};
use crate::eventually::{Gate, eventually};
use crate::folder::Folder;
use crate::http::{Request, ok};
use crate::start::Start;
use crate::tls_front::TlsFront;
use crate::wire::End;

/// A Routing API with the UAA whose tokens it takes. Both speak TLS; the Routing API wants a client certificate.
pub struct RoutingApi {
    state: Arc<State>,
    uaa: Backend,
    api: Backend,
    uaa_front: TlsFront,
    api_front: TlsFront,
    authority: Authority,
    client: Identity,
    folder: Folder,
}

#[derive(Default)]
struct State {
    list: Mutex<Vec<Value>>,
    streams: Mutex<Vec<Sender<String>>>,
    /// Tokens given out so far; only the latest one counts.
    tokens: AtomicUsize,
    /// Whether even the latest one does not count.
    refuses_tokens: AtomicBool,
    /// Calls that the UAA answers with 500 from now on.
    uaa_failures: AtomicUsize,
    /// Whether calls of the Routing API come to nothing.
    away: AtomicBool,
    /// Status and body of what is answered in place of a list.
    instead: Mutex<Option<(&'static str, &'static str)>>,
    /// Holds lists back.
    gate: Mutex<Option<Arc<Gate>>>,
}

impl RoutingApi {
    /// Starts both, with no routes.
    pub fn start() -> RoutingApi {
        let state = Arc::new(State::default());
        let authority = Authority::new("control plane authority");
        let identity = authority.identity(&["127.0.0.1"]);
        let uaa = {
            let state = Arc::clone(&state);
            Backend::answering(move |request| state.token(request))
        };
        let api = {
            let state = Arc::clone(&state);
            Backend::scripted(move |peer| state.serve(peer))
        };
        let folder = Folder::new();
        folder.write("uaa.crt", authority.certificate());
        RoutingApi {
            uaa_front: TlsFront::before(&uaa, &identity),
            api_front: TlsFront::guarded(&authority, &api, &identity),
            client: authority.identity(&["router.test"]),
            state,
            uaa,
            api,
            authority,
            folder,
        }
    }

    /// The same router with this Routing API, and with short pauses.
    pub fn configure(&self, start: Start) -> Start {
        start
            .with("routing_api.uri", "https://127.0.0.1")
            .with("routing_api.port", self.api_front.port())
            .with("routing_api.ca_certs", self.authority.certificate())
            .with("routing_api.cert_chain", self.client.certificate.as_str())
            .with("routing_api.private_key", self.client.key.as_str())
            .with("oauth.token_endpoint", "127.0.0.1")
            .with("oauth.port", self.uaa_front.port())
            .with("oauth.client_name", "gorouter")
            .with("oauth.client_secret", "a secret/with:marks")
            .with(
                "oauth.ca_certs",
                self.folder.path().join("uaa.crt").display().to_string(),
            )
            .with("token_fetcher_max_retries", 2)
            .with("token_fetcher_retry_interval", "10ms")
    }

    /// Its port without TLS.
    pub fn plain_port(&self) -> u16 {
        self.api.port()
    }

    /// An entry as it lists them, for a backend.
    pub fn entry(route: &str, backend: &Backend) -> Value {
        json!({
            "route": route,
            "port": backend.port(),
            "ip": "127.0.0.1",
            "ttl": 120,
            "log_guid": "0b8e5c0e-1111-2222-3333-444455556666",
            "modification_tag": { "guid": "first", "index": 0 },
        })
    }

    /// The same entry at another version.
    pub fn tagged(entry: &Value, guid: &str, index: u32) -> Value {
        let mut entry = entry.clone();
        entry["modification_tag"] = json!({ "guid": guid, "index": index });
        entry
    }

    /// What it lists from now on.
    pub fn list(&self, entries: &[&Value]) {
        *lock(&self.state.list) = entries.iter().map(|entry| (*entry).clone()).collect();
    }

    /// Sends an event to all who have subscribed.
    pub fn tell(&self, event: &str, entry: &Value) {
        self.send(&format!("id: 0\nevent: {event}\ndata: {entry}\n\n"));
    }

    /// Sends bytes to all who have subscribed.
    ///
    /// # Panics
    /// When there is nobody.
    pub fn send(&self, text: &str) {
        let mut streams = lock(&self.state.streams);
        streams.retain(|stream| stream.send(text.to_owned()).is_ok());
        assert!(!streams.is_empty(), "nobody has subscribed");
    }

    /// Ends all streams.
    pub fn hang_up(&self) {
        lock(&self.state.streams).clear();
    }

    /// Ends all streams and breaks off every call from now on, or no longer does.
    pub fn be_away(&self, away: bool) {
        self.state.away.store(away, Ordering::Release);
        self.hang_up();
    }

    /// Takes no token any more, or the latest again.
    pub fn refuse_tokens(&self, refuse: bool) {
        self.state.refuses_tokens.store(refuse, Ordering::Release);
    }

    /// Counts the tokens that were given out as invalid: only a new one will do.
    pub fn forget_tokens(&self) {
        self.state.tokens.fetch_add(1, Ordering::AcqRel);
    }

    /// Has the UAA answer so many calls with 500.
    pub fn fail_tokens(&self, calls: usize) {
        self.state.uaa_failures.store(calls, Ordering::Release);
    }

    /// Answers so in place of a list, or with the list again.
    pub fn answer_lists(&self, instead: Option<(&'static str, &'static str)>) {
        *lock(&self.state.instead) = instead;
    }

    /// Lets no list go until the gate is open.
    pub fn hold_lists(&self) -> Arc<Gate> {
        let gate = Arc::new(Gate::default());
        *lock(&self.state.gate) = Some(Arc::clone(&gate));
        gate
    }

    /// Lists that were asked for.
    pub fn lists(&self) -> Vec<Request> {
        self.calls("/routing/v1/routes")
    }

    /// Subscriptions that were asked for.
    pub fn subscriptions(&self) -> Vec<Request> {
        self.calls("/routing/v1/events")
    }

    /// Tokens that were asked for.
    pub fn token_calls(&self) -> Vec<Request> {
        self.uaa.requests()
    }

    /// Waits until so many have subscribed at once.
    #[track_caller]
    pub fn wait_for_subscribers(&self, count: usize) {
        eventually(&format!("{count} open subscriptions"), || {
            (lock(&self.state.streams).len() == count).then_some(())
        });
    }

    fn calls(&self, target: &str) -> Vec<Request> {
        let mut calls = self.api.requests();
        calls.retain(|call| call.target() == target);
        calls
    }
}

impl Drop for RoutingApi {
    fn drop(&mut self) {
        self.hang_up();
    }
}

impl State {
    /// The UAA's answer.
    fn token(&self, request: &Request) -> String {
        let left = self.uaa_failures.load(Ordering::Acquire);
        if left > 0 {
            self.uaa_failures.store(left - 1, Ordering::Release);
            return answer("500 Internal Server Error", "{}");
        }
        if request.line != "POST /oauth/token HTTP/1.1" {
            return answer("404 Not Found", "");
        }
        let number = self.tokens.fetch_add(1, Ordering::AcqRel) + 1;
        ok(&json!({
            "access_token": format!("token-{number}"),
            "token_type": "bearer",
            "expires_in": 43_200,
        })
        .to_string())
    }

    /// One connection of the Routing API.
    fn serve(&self, peer: &mut Peer) -> Result<(), End> {
        loop {
            let request = peer.request()?;
            if self.away.load(Ordering::Acquire) {
                return Err(End::Closed);
            }
            let latest = format!("bearer token-{}", self.tokens.load(Ordering::Acquire));
            let needs_token = self.tokens.load(Ordering::Acquire) > 0;
            let is_latest = request.header("Authorization") == Some(latest.as_str());
            if self.refuses_tokens.load(Ordering::Acquire) || needs_token && !is_latest {
                let refusal = json!({ "name": "UnauthorizedError", "message": "no" });
                peer.send(answer("401 Unauthorized", &refusal.to_string()))?;
                continue;
            }
            match request.target() {
                "/routing/v1/routes" => {
                    let gate = lock(&self.gate).clone();
                    let list = Value::from(lock(&self.list).clone());
                    if let Some(gate) = gate {
                        gate.wait();
                    }
                    match *lock(&self.instead) {
                        Some((status, body)) => peer.send(answer(status, body))?,
                        None => peer.send(ok(&format!("{list}\n")))?,
                    }
                }
                "/routing/v1/events" => {
                    let (sender, events) = channel();
                    peer.send(
                        "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream; charset=utf-8\r\n\
                         Transfer-Encoding: chunked\r\n\r\n",
                    )?;
                    lock(&self.streams).push(sender);
                    return stream(peer, &events);
                }
                _ => peer.send(answer("404 Not Found", "404 page not found\n"))?,
            }
        }
    }
}

/// Passes on what the test sends; ends without the last chunk, as a server that dies.
fn stream(peer: &mut Peer, events: &Receiver<String>) -> Result<(), End> {
    while let Ok(text) = events.recv() {
        peer.send(format!("{:x}\r\n{text}\r\n", text.len()))?;
    }
    Err(End::Closed)
}

fn answer(status: &str, body: &str) -> String {
    ok(body).replacen("200 OK", status, 1)
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
