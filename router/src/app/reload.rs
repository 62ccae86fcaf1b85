//! Changes while the router runs: certificates from files that are watched, the configuration on SIGHUP.

use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};

use super::operators::{Made, Refused};
use super::settings::{resume_sessions, settings};
use super::{Router, StartError};
use crate::config::{Change, Changes, Config, FileWatch, Origin, Report};
use crate::observe::reloads::{Outcome, Reload};
use crate::respond::Page;

/// Days before its end from which on a certificate is warned of.
const SOON: f64 = 30.0;

/// Why a newer configuration is not in force.
#[derive(Debug, thiserror::Error)]
pub enum ReloadError {
    /// It is not a good one.
    #[error("{}", .0.one_line())]
    Config(Report),
    /// With what needs a restart left as it is, it could not run.
    #[error("with what needs a restart as it was, {}", .0.one_line())]
    Contradiction(Report),
    /// It cannot be brought about.
    #[error("{0}")]
    Settings(#[from] StartError),
}

/// What a newer configuration has brought.
#[derive(Debug)]
pub struct Reloaded {
    /// Key by key.
    pub changes: Changes,
    /// Whether files have other contents that the configuration only names.
    pub files: bool,
    /// What is left as it was.
    pub refused: Vec<Refused>,
}

impl Reloaded {
    fn changed(&self) -> usize {
        self.changes.live.len() + usize::from(self.files)
    }
}

/// Knows where a router's configuration came from, and notices when files that it names change.
pub struct Reloader {
    origin: Origin,
    /// `None` when there is no thread to be had for it.
    watch: Option<FileWatch>,
}

impl Reloader {
    /// Watches the files that a configuration from `origin` names.
    pub fn new(origin: Origin) -> Reloader {
        let watch = FileWatch::start(origin.files()).inspect_err(|error| {
            tracing::error!(target: "main", { error = %error }, "file-watch-failed");
        });
        Reloader {
            origin,
            watch: watch.ok(),
        }
    }

    /// Waits until a file that the configuration names has other contents. Safe to cancel.
    pub async fn file_changed(&self) {
        match &self.watch {
            Some(watch) => watch.changed().await,
            None => std::future::pending().await,
        }
    }

    /// Brings into force what is good of the files that the configuration names; what is not is left as it was.
    pub async fn refresh(&mut self, router: &mut Router) {
        let origin = self.origin.clone();
        let Ok(refreshed) = tokio::task::spawn_blocking(move || origin.refresh()).await else {
            return;
        };
        for problem in &refreshed.refused {
            router.count(Reload::Files, Outcome::Refused);
            tracing::error!(target: "main", { key = problem.key.as_str(), error = %problem }, "certificate-refused");
        }
        let Some(loaded) = refreshed.loaded else {
            return;
        };
        if loaded.origin == self.origin {
            return;
        }
        match router.reload(&loaded.config).await {
            Ok(reloaded) => {
                tell(&reloaded, router);
                if reloaded.changed() > 0 {
                    router.count(Reload::Files, Outcome::Applied);
                    tracing::info!(target: "main", { changed = reloaded.changed() }, "certificates-reloaded");
                }
                self.follow(loaded.origin);
            }
            Err(error) => {
                router.count(Reload::Files, Outcome::Refused);
                tracing::error!(target: "main", { error = %error }, "certificate-refused");
            }
        }
    }

    /// Reads the whole configuration again and brings into force what can change while the router runs. Says what that is,
    /// and what needs a restart. A bad configuration changes nothing.
    pub async fn reload(&mut self, router: &mut Router) -> Option<Changes> {
        match self.try_reload(router).await {
            Ok(reloaded) => {
                tell(&reloaded, router);
                router.count(Reload::Config, Outcome::Applied);
                tracing::info!(target: "main", { changed = reloaded.changed(),
                    needs_restart = reloaded.changes.after_restart.len() }, "config-reloaded");
                Some(reloaded.changes)
            }
            Err(error) => {
                router.count(Reload::Config, Outcome::Refused);
                tracing::error!(target: "main", { error = %error }, "config-reload-refused");
                None
            }
        }
    }

    async fn try_reload(&mut self, router: &mut Router) -> Result<Reloaded, ReloadError> {
        let origin = self.origin.clone();
        let loaded = tokio::task::spawn_blocking(move || origin.reload(Page::check)).await;
        let loaded = loaded.map_err(|error| StartError::Worker(error.into()))?;
        let loaded = loaded.map_err(ReloadError::Config)?;
        let reloaded = router.reload(&loaded.config).await?;
        for notice in loaded.notes.iter().chain(&loaded.not_yet) {
            tracing::warn!(target: "main", { key = notice.key.as_str(), note = notice.text.as_str() }, "config-notice");
        }
        self.follow(loaded.origin);
        Ok(reloaded)
    }

    fn follow(&mut self, origin: Origin) {
        if let Some(watch) = &self.watch {
            watch.watch(origin.files().map(|(path, _)| path.to_owned()));
        }
        self.origin = origin;
    }
}

/// Key by key.
fn tell(reloaded: &Reloaded, router: &Router) {
    for Refused { key, error } in &reloaded.refused {
        router.count(Reload::Files, Outcome::Refused);
        tracing::error!(target: "main", { key, error }, "certificate-refused");
    }
    for Change { key, from, to } in &reloaded.changes.live {
        tracing::info!(target: "main", { key, from, to }, "config-key-changed");
    }
    for Change { key, from, to } in &reloaded.changes.after_restart {
        tracing::warn!(target: "main", { key, running = from, configured = to }, "config-key-needs-restart");
    }
}

impl Router {
    /// Brings into force what `newer` changes and what can change while the router runs. What is under way ends as it
    /// began; the next request or handshake on any connection sees the change. What each listener for operators is given, and
    /// what NATS and the Routing API are shown, is judged on its own.
    ///
    /// # Errors
    /// See [`ReloadError`]; everything is as before then.
    pub async fn reload(&mut self, newer: &Config) -> Result<Reloaded, ReloadError> {
        let mut config = Config::clone(&self.config);
        let changes = config.take_live(newer);
        if let Some(report) = config.contradictions() {
            return Err(ReloadError::Contradiction(report));
        }
        let config = Arc::new(config);
        let made = {
            let (config, fixed) = (Arc::clone(&config), self.fixed.clone());
            let make = move || (settings(&config, &fixed), Made::new(&config));
            tokio::task::spawn_blocking(make)
        };
        let made = made.await;
        let (made, of_operators) = made.map_err(|error| StartError::Worker(error.into()))?;
        let mut made = made?;
        // A session that is resumed is not judged again.
        if config.judges_clients_as(&self.config) {
            resume_sessions(&mut made, &self.settings.borrow());
        }
        self.settings.send_replace(made);
        let (files, mut refused) = self.operator_tls.renew(of_operators);
        let of_calls = self.credentials.renew(&config).into_iter();
        refused.extend(of_calls.map(|(section, error)| Refused {
            key: section.to_owned(),
            error,
        }));
        self.config = config;
        self.look_at_certificates();
        Ok(Reloaded {
            changes,
            files,
            refused,
        })
    }

    /// Shows how long the certificates in force are good for, and warns of those whose end is near.
    pub fn look_at_certificates(&self) {
        let now = SystemTime::now().duration_since(UNIX_EPOCH);
        let now = now.unwrap_or_default().as_secs();
        let mut lives = self.config.certificates();
        lives.extend(self.operator_tls.certificates());
        for life in &lives {
            let (key, name) = (life.key.as_str(), life.name.as_str());
            match life.days_left(now) {
                days if days < 0.0 => {
                    tracing::warn!(target: "main", { key, name, days_left = days }, "certificate-expired")
                }
                days if days < SOON => {
                    tracing::warn!(target: "main", { key, name, days_left = days }, "certificate-expires-soon")
                }
                _ => {}
            }
        }
        self.metrics.reloads.certificates_are(lives);
    }

    fn count(&self, reload: Reload, outcome: Outcome) {
        self.metrics.reloads.count(reload, outcome);
    }
}
