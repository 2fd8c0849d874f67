//! Who may ask.

use std::fmt;

use hyper::HeaderMap;
use hyper::header::AUTHORIZATION;
use subtle::ConstantTimeEq;

use crate::refusal::Refusal;

/// What clients are told to bring where no token is asked for. (They insist on one.)
const OPEN: &str = "open";

/// Who may ask: whoever brings the token, or anybody.
#[derive(Clone)]
pub struct Access(Option<String>);

impl Access {
    /// Whoever brings this token.
    #[must_use]
    pub fn token(token: impl Into<String>) -> Self {
        Self(Some(token.into()))
    }

    /// Anybody.
    #[must_use]
    pub fn open() -> Self {
        Self(None)
    }

    /// Whether anybody may ask.
    #[must_use]
    pub fn is_open(&self) -> bool {
        self.0.is_none()
    }

    /// The token that data requests have to bring.
    pub(crate) fn data_token(&self) -> &str {
        self.0.as_deref().unwrap_or(OPEN)
    }

    pub(crate) fn check(&self, headers: &HeaderMap) -> Result<(), Refusal> {
        let Some(expected) = &self.0 else { return Ok(()) };
        let header = headers.get(AUTHORIZATION).ok_or(Refusal::MalformedAuthorization)?;
        let text = header.to_str().map_err(|_| Refusal::MalformedAuthorization)?;
        let (scheme, token) = text.split_once(' ').ok_or(Refusal::MalformedAuthorization)?;
        if !scheme.eq_ignore_ascii_case("bearer") {
            return Err(Refusal::MalformedAuthorization);
        }
        // How long it takes tells the length of the token, and no more.
        let equal = token.trim_start_matches(' ').as_bytes().ct_eq(expected.as_bytes());
        if bool::from(equal) { Ok(()) } else { Err(Refusal::InvalidToken) }
    }
}

impl fmt::Debug for Access {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(if self.is_open() { "Access(open)" } else { "Access(token)" })
    }
}
