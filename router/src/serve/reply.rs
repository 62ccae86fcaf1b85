//! A backend's answer on its way to the client: its head rewritten, its body relayed, or an upgraded connection carried.

use std::time::Instant;

use tokio::io::{AsyncRead, AsyncWrite};

use super::client::Client;
use super::connection::Peer;
use super::relay::{Broken, Coding, Cut, Relay};
use super::request::respond;
use super::tunnel::Tunnel;
use super::{Next, admission, service};
use crate::exchange::Exchange;
use crate::filters::Answered;
use crate::http1::request::Expect;
use crate::http1::{Framing, write};
use crate::message::{Name, Version, View};
use crate::observe::record::{Record, Text};
use crate::respond::{Answer, Recipient, connection_line};
use crate::upstream;
use crate::worker::{Timer, Worker};

/// Passes a backend's answer on.
pub(super) async fn pass_on<S>(
    client: &mut Client<S>,
    peer: &Peer,
    worker: &Worker,
    timer: &Timer,
    exchange: &mut Exchange,
    recipient: Recipient,
    mut answer: upstream::Answer,
) -> Next
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    let response = answer.response;
    if exchange.reply.status == 101 {
        return match upgrade_matches(exchange, answer.buffer.unread()) {
            true => upgraded(client, peer, worker, timer, exchange, answer).await,
            // Nobody knows what the bytes behind it would be (spec 4.9).
            false => {
                let expect = match exchange.notes.asked_continue {
                    true => Expect::Continue,
                    false => Expect::Nothing,
                };
                respond(
                    client,
                    worker,
                    timer,
                    exchange,
                    expect,
                    recipient,
                    Answer::bare(502),
                )
                .await
            }
        };
    }
    let coding = match (recipient.version, response.framing) {
        (Version::Http10, Framing::Chunked) => Coding::Unwrap,
        (Version::Http11, Framing::UntilClose) => Coding::Wrap,
        _ => Coding::AsIs,
    };
    let bound_to_login = exchange.notes.login
        || View {
            head: &mut exchange.reply,
            bytes: answer.buffer.unread(),
        }
        .values(Name::WwwAuthenticate)
        .any(binds_connection);
    let ends_by_close = recipient.version == Version::Http10
        && matches!(response.framing, Framing::Chunked | Framing::UntilClose);
    let keep_alive = recipient.keep_alive && !ends_by_close && !worker.is_leaving();
    returning(
        answer.buffer.unread(),
        worker,
        exchange,
        coding,
        &Recipient {
            keep_alive,
            ..recipient
        },
        response.framing,
    );
    answer.buffer.consume(response.head_length);
    exchange.record.entry.status = exchange.reply.status;
    service::count(worker, exchange, exchange.reply.status);

    let uploading = !client.is_uploaded();
    let mut out = std::mem::take(&mut exchange.out);
    let relayed = Relay::new(&mut answer, coding, &mut out, uploading)
        .holding(&mut exchange.permit)
        .run(client, timer)
        .await;
    exchange.out = out;
    exchange.times.answered = Some(Instant::now());
    exchange.record.entry.request_bytes = client.received;
    match relayed {
        Ok(relayed) => {
            exchange.record.entry.response_bytes = relayed.content;
            let upstream::Answer {
                connection, buffer, ..
            } = answer;
            drop(buffer);
            if let Some(endpoint) = &exchange.endpoint
                && relayed.in_step
                && response.keep_alive
                && !exchange.notes.close_backend
                && !bound_to_login
            {
                worker
                    .idle
                    .borrow_mut()
                    .put(endpoint, connection, worker.clock.now());
            } else {
                // Not kept while the client goes on.
                drop(connection);
            }
            if !keep_alive {
                return Next::Close;
            }
            if client.is_uploaded() {
                return Next::Keep;
            }
            // A body that nobody wants any more is still on its way, and the next request behind it. Who has asked for a
            // 100 may never send it, whether it got one or not: what comes next could be either.
            if exchange.notes.asked_continue {
                return Next::Close;
            }
            worker.conclude(exchange);
            timer.arm(worker.policy.frontend_idle_timeout);
            match client.discard_body(worker, timer).await {
                true => Next::Keep,
                false => Next::Close,
            }
        }
        Err(Broken { content, cut }) => {
            exchange.record.entry.response_bytes = content;
            match cut {
                Cut::Client => client_left(exchange, response.content_length),
                Cut::TooLarge => {
                    let refused = admission::body_too_large(worker, exchange);
                    note_error(&mut exchange.record, &refused);
                }
                Cut::Backend | Cut::Late => {}
            }
            Next::Abort
        }
    }
}

/// Notes an error that came behind the head of an answer: it is in the log alone.
fn note_error(record: &mut Record, error: &Answer) {
    if record.get(Text::RouterError).is_empty() {
        let text = error.router_error.as_deref().unwrap_or_default();
        record.set(Text::RouterError, text.as_bytes());
    }
}

/// Notes that the client did not wait for the whole body: it is not the application's fault that it is short.
#[cold]
fn client_left(exchange: &mut Exchange, length: Option<u64>) {
    let record = &mut exchange.record;
    if record.get(Text::RouterError).is_empty() {
        record.set(
            Text::RouterError,
            b"client-conn-closed-during-response-streaming",
        );
    }
    let trace = exchange.notes.trace.as_deref();
    let (trace_id, span_id) = (trace.map(|ids| &*ids.trace), trace.map(|ids| &*ids.span));
    tracing::error!(
        target: "router",
        {
            error = "client disconnected",
            bytes_written = record.entry.response_bytes,
            // As the original shows a length that is not known.
            total_size = length.and_then(|length| i64::try_from(length).ok()).unwrap_or(-1),
            status = record.entry.status,
            vcap_request_id = %exchange.request_id,
            "trace-id" = trace_id,
            "span-id" = span_id,
        },
        "client-conn-closed-during-response-streaming"
    );
}

/// Whether these credentials, or this challenge, are about a connection rather than a request: such a backend connection
/// must not be lent to another client.
pub(super) fn binds_connection(value: &[u8]) -> bool {
    let scheme = value.split(|&byte| byte == b' ').next().unwrap_or_default();
    scheme.eq_ignore_ascii_case(b"negotiate") || scheme.eq_ignore_ascii_case(b"ntlm")
}

/// Whether a 101 names the protocol that the client asked for.
fn upgrade_matches(exchange: &Exchange, bytes: &[u8]) -> bool {
    let asked = exchange.notes.upgrade.as_deref();
    let answered = exchange
        .reply
        .find(Name::Upgrade)
        .map(|field| field.value.of(bytes));
    asked
        .zip(answered)
        .is_some_and(|(asked, answered)| asked.eq_ignore_ascii_case(answered))
}

/// Passes the 101 on and then whatever comes, both ways. The exchange is over when either side ends.
async fn upgraded<S>(
    client: &mut Client<S>,
    peer: &Peer,
    worker: &Worker,
    timer: &Timer,
    exchange: &mut Exchange,
    mut answer: upstream::Answer,
) -> Next
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    let bytes = answer.buffer.unread();
    let protocol = exchange.reply.find(Name::Upgrade).map(|field| field.value);
    filter(bytes, worker, exchange);
    let Exchange { reply, out, .. } = exchange;
    reply.add("Connection", b"Upgrade");
    reply.add("Upgrade", protocol.unwrap_or_default().of(bytes));
    out.clear();
    write::status_line(Version::Http11, 101, out);
    write::fields(bytes, reply, out);
    out.extend_from_slice(b"\r\n");
    worker.filters.finished(out, &mut exchange.record);
    answer.buffer.consume(answer.response.head_length);
    exchange.record.entry.status = 101;
    service::count(worker, exchange, 101);
    if client.send(&exchange.out, timer).await.is_ok() {
        // Upgraded connections live as long as both sides like.
        upstream::upgraded(timer, exchange);
        let _upgraded = peer.upgrade(worker);
        // What goes through is not a body: the log shows none, as the original's does.
        let mut tunnel = Tunnel::new(client, answer.connection, answer.buffer);
        let whole = tunnel.carry(timer).await;
        exchange.permit = None;
        exchange.times.answered = Some(Instant::now());
        // The log has its line as soon as one side has ended (drop-in 1.10).
        worker.conclude(exchange);
        if whole {
            tunnel.finish(timer).await;
        }
    }
    Next::Abort
}

/// Makes the response head what the client gets.
fn filter(bytes: &[u8], worker: &Worker, exchange: &mut Exchange) {
    let pool = exchange.pool.as_ref();
    let facts = Answered {
        notes: &exchange.notes,
        request_id: &exchange.request_id,
        endpoint: exchange.endpoint.as_deref(),
        cookie_path: pool.map_or("/", |pool| pool.cookie_path()),
        now: worker.clock.unix_seconds(),
    };
    let head = &mut exchange.reply;
    worker.filters.answered(&mut View { head, bytes }, &facts);
}

/// Writes the response head for the client into `exchange.out`.
fn returning(
    bytes: &[u8],
    worker: &Worker,
    exchange: &mut Exchange,
    coding: Coding,
    to: &Recipient,
    framing: Framing,
) {
    let status = exchange.reply.status;
    if let Some(error) = exchange.reply.find(Name::CfRouterError) {
        // An application's own passes, and the log shows it.
        exchange
            .record
            .set(Text::RouterError, error.value.of(bytes));
    }
    filter(bytes, worker, exchange);
    let Exchange {
        reply: head,
        out,
        record,
        ..
    } = exchange;
    let chunked = coding == Coding::Wrap || coding == Coding::AsIs && framing == Framing::Chunked;
    let mut lengths = 0;
    for field in &mut head.fields {
        match field.id {
            // 204 and 304 are shown without a length, as is a body in the chunked coding; equal ones are said once.
            Name::ContentLength => {
                lengths += 1;
                field.keep &=
                    !matches!(status, 204 | 304) && framing != Framing::Chunked && lengths == 1;
            }
            Name::Trailer => field.keep &= chunked,
            _ => {}
        }
    }
    if chunked {
        head.add("Transfer-Encoding", b"chunked");
    }
    if head.find(Name::Date).is_none() {
        worker.clock.with_date(|date| head.add("Date", date));
    }
    out.clear();
    write::status_line(to.version, status, out);
    write::fields(bytes, head, out);
    out.extend_from_slice(connection_line(to.version, to.keep_alive));
    out.extend_from_slice(b"\r\n");
    worker.filters.finished(out, record);
}
