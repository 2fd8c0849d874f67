//! Numbers and strings as bytes, for what records and blocks carry.
//!
//! Numbers are LEB128; strings stand behind their length. Reading trusts no byte.

/// Bytes that say what cannot have been written.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
#[error("{0}")]
pub struct Misfit(String);

/// Says that bytes make no sense.
///
/// # Errors
/// Always.
pub fn misfit<T>(what: impl Into<String>) -> Result<T, Misfit> {
    Err(Misfit(what.into()))
}

/// Appends a number.
pub fn put_number(out: &mut Vec<u8>, mut number: u64) {
    while number >= 0x80 {
        out.push(number as u8 | 0x80);
        number >>= 7;
    }
    out.push(number as u8);
}

/// Appends bytes behind their length.
pub fn put_bytes(out: &mut Vec<u8>, bytes: &[u8]) {
    put_number(out, bytes.len() as u64);
    out.extend_from_slice(bytes);
}

/// Appends a number that may be missing.
pub fn put_option(out: &mut Vec<u8>, number: Option<u64>) {
    put_number(out, number.map_or(0, |number| number + 1));
}

/// Appends bytes that may be missing.
pub fn put_optional_bytes(out: &mut Vec<u8>, bytes: Option<&[u8]>) {
    put_option(out, bytes.map(|bytes| bytes.len() as u64));
    out.extend_from_slice(bytes.unwrap_or_default());
}

/// Bytes, read from the front.
#[derive(Clone, Copy, Debug)]
pub struct Bytes<'b>(pub &'b [u8]);

impl<'b> Bytes<'b> {
    /// The next byte.
    ///
    /// # Errors
    /// [`Misfit`] if there is none.
    pub fn byte(&mut self) -> Result<u8, Misfit> {
        let Some((first, rest)) = self.0.split_first() else { return misfit("it ends early") };
        self.0 = rest;
        Ok(*first)
    }

    /// A number.
    ///
    /// # Errors
    /// [`Misfit`].
    pub fn number(&mut self) -> Result<u64, Misfit> {
        let mut number = 0_u64;
        for shift in (0..u64::BITS).step_by(7) {
            let byte = self.byte()?;
            number |= u64::from(byte & 0x7f) << shift;
            if byte < 0x80 {
                return Ok(number);
            }
        }
        misfit("a number is too long")
    }

    /// A number of at most `most`.
    ///
    /// # Errors
    /// [`Misfit`].
    pub fn number_up_to(&mut self, most: u64, what: &str) -> Result<u64, Misfit> {
        match self.number()? {
            number if number <= most => Ok(number),
            number => misfit(format!("{what} {number} is beyond {most}")),
        }
    }

    /// What [`put_option`] appended.
    ///
    /// # Errors
    /// [`Misfit`].
    pub fn option(&mut self) -> Result<Option<u64>, Misfit> {
        Ok(self.number()?.checked_sub(1))
    }

    /// So many bytes.
    ///
    /// # Errors
    /// [`Misfit`].
    pub fn take(&mut self, len: u64) -> Result<&'b [u8], Misfit> {
        let taken = usize::try_from(len).ok().and_then(|len| self.0.split_at_checked(len));
        let Some((taken, rest)) = taken else { return misfit("it ends early") };
        self.0 = rest;
        Ok(taken)
    }

    /// What [`put_bytes`] appended.
    ///
    /// # Errors
    /// [`Misfit`].
    pub fn bytes(&mut self) -> Result<&'b [u8], Misfit> {
        let len = self.number()?;
        self.take(len)
    }

    /// What [`put_optional_bytes`] appended.
    ///
    /// # Errors
    /// [`Misfit`].
    pub fn optional_bytes(&mut self) -> Result<Option<&'b [u8]>, Misfit> {
        self.option()?.map(|len| self.take(len)).transpose()
    }

    /// A string.
    ///
    /// # Errors
    /// [`Misfit`].
    pub fn text(&mut self) -> Result<&'b str, Misfit> {
        text(self.bytes()?)
    }
}

/// Bytes that are UTF-8.
///
/// # Errors
/// [`Misfit`].
pub fn text(bytes: &[u8]) -> Result<&str, Misfit> {
    std::str::from_utf8(bytes).or_else(|_| misfit("a name is not UTF-8"))
}
