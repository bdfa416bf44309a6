//! The head of an answer (RFC 9112), as far as it matters here. Pure; never panics on any input.

/// A status line and the fields that say how to go on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in super::super) struct Head {
    pub(super) status: u16,
    reason: String,
    /// The values of `Proxy-Authenticate`, one a line.
    pub(super) challenges: Vec<String>,
    /// Bytes of the body; `None` when only the end of the connection ends it.
    pub(super) body: Option<usize>,
    /// What the connection becomes.
    upgrade: Option<String>,
    /// Whether the connection ends after this answer.
    pub(super) closes: bool,
}

impl Head {
    /// Reads a whole head.
    pub(super) fn read(bytes: &[u8]) -> Option<Self> {
        let text = String::from_utf8_lossy(bytes);
        let mut lines = text.split("\r\n");
        let mut status = lines.next()?.splitn(3, ' ');
        let version = status.next()?.strip_prefix("HTTP/1.")?;
        let code = status.next().filter(|code| code.len() == 3)?.parse().ok()?;
        let reason = status.next().unwrap_or_default().chars().filter(|c| !c.is_control()).take(80).collect();
        let mut head =
            Self { status: code, reason, challenges: Vec::new(), body: None, upgrade: None, closes: version == "0" };
        for (name, value) in lines.filter_map(|line| line.split_once(':')) {
            let value = value.trim();
            match name.to_ascii_lowercase().as_str() {
                "proxy-authenticate" => head.challenges.push(value.to_owned()),
                "content-length" => head.body = value.parse().ok(),
                "upgrade" => head.upgrade = Some(value.to_owned()),
                "transfer-encoding" => head.closes = true,
                "connection" | "proxy-connection" => head.closes |= value.eq_ignore_ascii_case("close"),
                _ => {}
            }
        }
        Some(head)
    }

    /// Whether the connection is there.
    pub(super) const fn is_success(&self) -> bool {
        matches!(self.status, 200..=299)
    }

    /// Whether the connection speaks this from now on.
    pub(in super::super) fn switches_to(&self, protocol: &str) -> bool {
        self.status == 101 && self.upgrade.as_deref().is_some_and(|upgrade| upgrade.eq_ignore_ascii_case(protocol))
    }

    /// Whether it is the server that cannot.
    pub(in super::super) const fn is_broken(&self) -> bool {
        self.status >= 500
    }

    /// Like `403 Forbidden`.
    pub(in super::super) fn said(&self) -> String {
        format!("{} {}", self.status, self.reason).trim_end().to_owned()
    }
}
