//! `logging`, `access_log` and `tracing`.

use cloverleaf_config::{choice, section};

section! {
    /// `logging`: the component log, and what the access log shows.
    pub struct Logging {
        /// Source of component log lines, and tag of streamed access log lines; empty is `gorouter.stdout`.
        syslog: String => Works,
        /// Where access log lines are streamed to.
        syslog_addr: String = "127.0.0.1:514".to_owned() => Works,
        /// Network for that; begins with `udp` or `tcp`.
        syslog_network: String = "udp".to_owned() => Works,
        /// Bytes after which a streamed line is cut; 0 is never.
        syslog_truncate: usize => Works,
        /// Lowest level that is logged.
        level: LogLevel => Works,
        /// Whether access log lines go to metron as log envelopes of the app.
        loggregator_enabled: bool => Works,
        /// UDP address of metron. Must not be empty while version 1 metrics are on.
        metron_address: String = "localhost:3457".to_owned() => Works,
        /// Whether the access log hides `X-Forwarded-For`.
        disable_log_forwarded_for: bool => Works,
        /// Whether the access log hides the client's address.
        disable_log_source_ip: bool => Works,
        /// What the access log makes of a GET request's query: shown, removed, or its SHA-1.
        redact_query_params: RedactQueryParams => Works,
        /// Form of component log lines.
        format: LogFormat => Works,
        /// Fields to add to the access log, in the order given: `backend_time`, `dial_time`, `dns_time`, `failed_attempts`, `failed_attempts_time`, `local_address`, `tls_time`, and with `domains` `caller_cf_app`, `caller_cf_org`, `caller_cf_space`, `route_policy`, `tls_sni`.
        extra_access_log_fields: Vec<String> => Works,
        /// Older key: adds `failed_attempts`, `failed_attempts_time`, `dns_time`, `dial_time`, `tls_time` and `backend_time`.
        enable_attempts_details: bool => Works,
    }
}

section! {
    /// `logging.format`: the form of component log lines.
    pub struct LogFormat {
        /// Time: `rfc3339`, or anything else for Unix seconds with fraction.
        timestamp: String = "unix-epoch".to_owned() => Works,
    }
}

section! {
    /// `access_log`: where access log lines go.
    pub struct AccessLog {
        /// File to append to; empty is none.
        file: String => Works,
        /// Whether lines are streamed to `logging.syslog_addr`.
        enable_streaming: bool => Works,
    }
}

section! {
    /// `tracing`: distributed tracing headers.
    pub struct Tracing {
        /// Whether B3 headers are made and passed on.
        enable_zipkin: bool => Works,
        /// Whether W3C trace context headers are made and passed on.
        enable_w3c: bool => Works,
        /// Tenant id in the W3C `tracestate`.
        w3c_tenant_id: String => Works,
    }
}

choice! {
    /// Levels of the component log.
    pub enum LogLevel {
        /// Everything.
        #[default]
        Debug = "debug",
        /// Normal events and worse.
        Info = "info",
        /// Warnings and worse.
        Warn = "warn",
        /// Errors and worse.
        Error = "error",
        /// Like `fatal`.
        DPanic = "dpanic",
        /// Like `fatal`.
        Panic = "panic",
        /// Only what ends the process.
        Fatal = "fatal",
    }
}

choice! {
    /// What the access log makes of a GET request's query.
    pub enum RedactQueryParams {
        /// Shows it.
        #[default]
        None = "none",
        /// Removes it.
        All = "all",
        /// Shows its SHA-1.
        Hash = "hash",
    }
}

choice! {
    /// The fields that can be added to the access log.
    pub enum ExtraLogField {
        /// Time in the successful attempt.
        #[default]
        BackendTime = "backend_time",
        /// Time to connect.
        DialTime = "dial_time",
        /// Time for name resolution.
        DnsTime = "dns_time",
        /// Number of failed attempts.
        FailedAttempts = "failed_attempts",
        /// From the start to the last failure.
        FailedAttemptsTime = "failed_attempts_time",
        /// The router's own address towards the backend.
        LocalAddress = "local_address",
        /// Time for the TLS handshake.
        TlsTime = "tls_time",
        /// The application that calls.
        CallerCfApp = "caller_cf_app",
        /// Its organization.
        CallerCfOrg = "caller_cf_org",
        /// Its space.
        CallerCfSpace = "caller_cf_space",
        /// The rule that let the caller in or kept it out.
        RoutePolicy = "route_policy",
        /// The server name of the client's TLS handshake.
        TlsSni = "tls_sni",
    }
}

impl ExtraLogField {
    /// Whether it is about the attempts on backends.
    pub fn is_of_attempts(self) -> bool {
        !self.is_of_callers() && self != Self::TlsSni
    }

    /// Whether it is about who calls, and by which right.
    pub fn is_of_callers(self) -> bool {
        matches!(
            self,
            Self::CallerCfApp | Self::CallerCfOrg | Self::CallerCfSpace | Self::RoutePolicy
        )
    }
}

impl LogFormat {
    /// Whether times are RFC 3339 rather than Unix seconds.
    pub fn is_rfc3339(&self) -> bool {
        self.timestamp == "rfc3339"
    }
}

impl Logging {
    /// The extra fields of the access log in their order: those of `enable_attempts_details`, then
    /// the configured ones. Duplicates and unknown names are dropped (10.2).
    pub fn extra_fields(&self) -> Vec<ExtraLogField> {
        use ExtraLogField::{
            BackendTime, DialTime, DnsTime, FailedAttempts, FailedAttemptsTime, TlsTime,
        };
        let mut fields = Vec::new();
        if self.enable_attempts_details {
            fields.extend([
                FailedAttempts,
                FailedAttemptsTime,
                DnsTime,
                DialTime,
                TlsTime,
                BackendTime,
            ]);
        }
        for name in &self.extra_access_log_fields {
            match ExtraLogField::from_word(name) {
                Some(field) if !fields.contains(&field) => fields.push(field),
                _ => {}
            }
        }
        fields
    }
}
