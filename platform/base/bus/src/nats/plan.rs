//! Which server to try next, and after what pause.
//!
//! The library asks before each attempt. At the start the answer is given by whoever connects; once
//! connected, lost connections are renewed in rounds through all known servers in random order, the
//! first round at once.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use async_nats::{ReconnectToServer, Server, ServerAddr};
use rand::RngExt;
use rand::seq::SliceRandom;

use super::options::ServerAddress;
use crate::error::ConnectError;

#[derive(Debug)]
pub(super) struct Plan {
    configured: Vec<(ServerAddr, ServerAddress)>,
    wait: Duration,
    jitter: Duration,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    phase: Phase,
    /// The server that was answered last: the one that a new connection is with.
    target: Option<ServerAddr>,
}

#[derive(Debug, Default)]
enum Phase {
    /// Not connected yet; the target is set from outside.
    #[default]
    Start,
    /// Connected, or going through the servers that are left in this round.
    Rounds {
        done: u32,
        left: Vec<ServerAddr>,
    },
    Closed,
}

/// What the library is to do.
#[derive(Debug)]
pub(super) enum Step {
    Try(ReconnectToServer),
    /// Nothing more, ever: the bus is closed.
    Stop,
}

impl Plan {
    pub(super) fn new(
        servers: &[ServerAddress],
        wait: Duration,
        jitter: Duration,
    ) -> Result<Plan, ConnectError> {
        if servers.is_empty() {
            return Err(ConnectError::NoServers);
        }
        let configured = servers
            .iter()
            .map(|server| match server.to_string().parse() {
                Ok(addr) => Ok((addr, server.clone())),
                Err(source) => Err(ConnectError::Address {
                    server: server.to_string(),
                    source,
                }),
            })
            .collect::<Result<_, _>>()?;
        Ok(Plan {
            configured,
            wait,
            jitter,
            state: Mutex::default(),
        })
    }

    /// The configured servers, for the library.
    pub(super) fn configured(&self) -> Vec<ServerAddr> {
        self.configured
            .iter()
            .map(|(addr, _)| addr.clone())
            .collect()
    }

    /// The configured servers in random order.
    pub(super) fn shuffled(&self) -> Vec<ServerAddr> {
        let mut servers = self.configured();
        servers.shuffle(&mut rand::rng());
        servers
    }

    /// At the start, has the next attempt go to `server`.
    pub(super) fn aim_at(&self, server: &ServerAddr) {
        self.state().target = Some(server.clone());
    }

    /// Notes that a connection stands: the next round is a first one again.
    pub(super) fn connected(&self) {
        let mut state = self.state();
        match state.phase {
            Phase::Closed => {}
            Phase::Start | Phase::Rounds { .. } => {
                state.phase = Phase::Rounds {
                    done: 0,
                    left: Vec::new(),
                };
            }
        }
    }

    pub(super) fn close(&self) {
        self.state().phase = Phase::Closed;
    }

    /// The server that the connection is with, its name as configured.
    pub(super) fn target(&self) -> Option<ServerAddress> {
        let target = self.state().target.clone()?;
        Some(self.as_configured(&target))
    }

    pub(super) fn as_configured(&self, server: &ServerAddr) -> ServerAddress {
        match self.configured.iter().find(|(addr, _)| addr == server) {
            Some((_, address)) => address.clone(),
            None => ServerAddress {
                host: server.host().to_owned(),
                port: server.port(),
            },
        }
    }

    /// Answers the library, which knows the servers of `pool`.
    pub(super) fn next(&self, pool: &[Server]) -> Step {
        let mut state = self.state();
        let State { phase, target } = &mut *state;
        let delay = match phase {
            Phase::Closed => return Step::Stop,
            Phase::Start => Duration::ZERO,
            Phase::Rounds { done, left } => {
                let delay = if left.is_empty() {
                    *left = pool.iter().map(|server| server.addr.clone()).collect();
                    left.shuffle(&mut rand::rng());
                    *done = done.saturating_add(1);
                    self.pause_before(*done)
                } else {
                    Duration::ZERO
                };
                *target = left.pop();
                delay
            }
        };
        match target {
            Some(addr) => Step::Try(ReconnectToServer {
                addr: addr.clone(),
                delay: Some(delay),
            }),
            None => Step::Stop,
        }
    }

    fn pause_before(&self, round: u32) -> Duration {
        if round == 1 {
            Duration::ZERO
        } else {
            self.wait + self.jitter.mul_f64(rand::rng().random())
        }
    }

    /// A thread that panicked with the lock held has left nothing half done.
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const WAIT: Duration = Duration::from_secs(2);
    const JITTER: Duration = Duration::from_millis(100);

    fn plan(hosts: &[&str]) -> Plan {
        let servers: Vec<ServerAddress> = hosts
            .iter()
            .map(|host| ServerAddress {
                host: (*host).to_owned(),
                port: 4222,
            })
            .collect();
        Plan::new(&servers, WAIT, JITTER).unwrap()
    }

    fn pool(plan: &Plan) -> Vec<Server> {
        plan.configured()
            .into_iter()
            .map(|addr| Server {
                addr,
                failed_attempts: 0,
                did_connect: false,
                is_discovered: false,
                last_error: None,
            })
            .collect()
    }

    fn step(plan: &Plan) -> (String, Duration) {
        match plan.next(&pool(plan)) {
            Step::Try(server) => (server.addr.host().to_owned(), server.delay.unwrap()),
            Step::Stop => panic!("stopped"),
        }
    }

    #[test]
    fn a_round_visits_every_server_and_only_later_rounds_wait() {
        let plan = plan(&["a", "b", "c"]);
        plan.connected();
        for round in 0..4 {
            let mut visited = Vec::new();
            for position in 0..3 {
                let (host, delay) = step(&plan);
                visited.push(host);
                if round > 0 && position == 0 {
                    assert!((WAIT..=WAIT + JITTER).contains(&delay), "{delay:?}");
                } else {
                    assert_eq!(delay, Duration::ZERO);
                }
            }
            visited.sort();
            assert_eq!(visited, ["a", "b", "c"]);
        }
    }

    #[test]
    fn after_a_success_the_next_loss_is_met_at_once() {
        let plan = plan(&["a"]);
        plan.connected();
        assert_eq!(step(&plan).1, Duration::ZERO);
        assert!(step(&plan).1 >= WAIT);
        plan.connected();
        assert_eq!(step(&plan).1, Duration::ZERO);
    }

    #[test]
    fn at_the_start_the_aim_is_followed() {
        let plan = plan(&["a", "b"]);
        for server in plan.shuffled() {
            plan.aim_at(&server);
            assert_eq!(step(&plan), (server.host().to_owned(), Duration::ZERO));
        }
    }

    #[test]
    fn a_closed_plan_stops() {
        let plan = plan(&["a"]);
        plan.connected();
        plan.close();
        assert!(matches!(plan.next(&pool(&plan)), Step::Stop));
        plan.connected();
        assert!(matches!(plan.next(&pool(&plan)), Step::Stop));
    }

    #[test]
    fn names_come_back_as_they_were_configured() {
        let plan = plan(&["NATS-1.Service.Internal", "::1"]);
        for (addr, address) in &plan.configured {
            plan.aim_at(addr);
            assert_eq!(plan.target().as_ref(), Some(address));
        }
        let learned = "10.0.0.9:4333".parse().unwrap();
        assert_eq!(plan.as_configured(&learned).to_string(), "10.0.0.9:4333");
    }

    #[test]
    fn a_name_that_is_none_is_refused_with_the_name() {
        let servers = [ServerAddress {
            host: "no host".to_owned(),
            port: 1,
        }];
        let error = Plan::new(&servers, WAIT, JITTER).unwrap_err();
        assert_eq!(
            error.to_string(),
            "nats server `no host:1`: not a host and port"
        );
        assert!(matches!(
            Plan::new(&[], WAIT, JITTER),
            Err(ConnectError::NoServers)
        ));
    }
}
