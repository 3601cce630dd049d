//! Bodies as they pass: chunks (RFC 9112 7.1) are decoded strictly and coded anew.

use crate::{
    Framing, Invalid, Reason, ResponseFraming,
    octets::{TOKEN, is_text},
};

/// A size with more digits is refused, leading zeros included.
const MAX_SIZE_DIGITS: u8 = 15;
/// Limits of RFC 9112 7.1.1's extensions, which nobody is known to use.
const MAX_EXTENSION: u16 = 256;
const MAX_EXTENSIONS: u16 = 16 * 1024;
/// The limit of the trailers (RFC 9112 7.1.2) with their line ends.
const MAX_TRAILERS: u16 = 8 * 1024;

/// What follows the data of a chunk.
pub const DATA_END: &[u8] = b"\r\n";
/// What ends a chunked body.
pub const LAST_CHUNK: &[u8] = b"0\r\n\r\n";

/// Follows a body and holds none of it.
///
/// Chunks are taken apart; extensions are checked and left out (RFC 9112 7.1.1 lets recipients do so), and trailers
/// are told apart, so that they can be. However the input is cut, the same octets pass.
///
/// ```
/// use rp_http::{Body, Framing, Step};
///
/// let mut body = Body::from(Framing::Chunked);
/// let mut received = &b"5\r\nphone\r\n0\r\n\r\nGET / HTTP/1.1\r\n"[..];
/// let mut passed = Vec::new();
/// loop {
///     match body.step(received)? {
///         Step::Skip(n) | Step::Trailer(n) => received = &received[n..],
///         Step::Pass(n) => {
///             passed.extend_from_slice(&received[..n]);
///             received = &received[n..];
///         }
///         Step::More => panic!("here one would read more"),
///         Step::End => break,
///     }
/// }
/// assert_eq!(passed, b"phone");
/// assert_eq!(received, b"GET / HTTP/1.1\r\n");
/// # Ok::<(), rp_http::Invalid>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Body {
    state: State,
    /// Octets before the next one.
    offset: u64,
}

/// What to do with the octets at the front of the input.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step {
    /// So many are framing: leave them out.
    Skip(usize),
    /// So many are content: pass them on.
    Pass(usize),
    /// So many belong to the lines of trailer fields (RFC 9112 7.1.2), of which there are at most 8 KiB: leave them
    /// out, or keep them for [`forward::trailers`](crate::forward::trailers).
    Trailer(usize),
    /// The body is over: what comes now is the next message.
    End,
    /// There are none: read on.
    More,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum State {
    Over,
    Length(u64),
    UntilClose,
    Chunked(Decoder),
    Broken(Invalid),
}

impl Body {
    /// Looks at `input`, the octets that follow those of the steps before.
    ///
    /// # Errors
    /// The body is malformed: nothing more of it has a meaning, and each further step says so again.
    pub fn step(&mut self, input: &[u8]) -> Result<Step, Invalid> {
        let step = match &mut self.state {
            State::Over => return Ok(Step::End),
            State::Broken(invalid) => return Err(*invalid),
            _ if input.is_empty() => return Ok(Step::More),
            State::UntilClose => Step::Pass(input.len()),
            State::Length(left) => Step::Pass(pass(left, input)),
            State::Chunked(decoder) => match decoder.step(input) {
                Ok(step) => step,
                Err((reason, at)) => return Err(self.break_with(reason, at)),
            },
        };
        if let Step::Skip(n) | Step::Pass(n) | Step::Trailer(n) = step {
            self.offset = self.offset.saturating_add(u64::try_from(n).unwrap_or(u64::MAX));
        }
        if self.has_ended() {
            self.state = State::Over;
        }
        Ok(step)
    }

    /// How many octets of content come next, whatever they are. Zero, if [`step`](Self::step) has to see what comes.
    ///
    /// ```
    /// let mut body = rp_http::Body::from(rp_http::Framing::Length(70_000));
    /// assert_eq!(body.passing(), 70_000);
    /// body.passed(70_000);
    /// assert!(body.is_over());
    /// ```
    pub fn passing(&self) -> u64 {
        match &self.state {
            State::Length(left) => *left,
            State::UntilClose => u64::MAX,
            // Chunks are hardly ever so large that it would matter.
            State::Chunked(_) | State::Over | State::Broken(_) => 0,
        }
    }

    /// So many octets of content have passed, no more than [`passing`](Self::passing) tells: no step has to see them.
    pub fn passed(&mut self, octets: u64) {
        self.offset = self.offset.saturating_add(octets);
        if let State::Length(left) = &mut self.state {
            *left = left.saturating_sub(octets);
        }
        if self.has_ended() {
            self.state = State::Over;
        }
    }

    /// The body is over; [`step`](Self::step) would say [`Step::End`].
    pub fn is_over(&self) -> bool {
        self.state == State::Over
    }

    /// The input has ended. That is the end of a body that lasts until the connection closes.
    ///
    /// # Errors
    /// The body should have gone on.
    pub fn end_of_input(&mut self) -> Result<(), Invalid> {
        match &self.state {
            State::Over => Ok(()),
            State::UntilClose => {
                self.state = State::Over;
                Ok(())
            }
            State::Broken(invalid) => Err(*invalid),
            State::Length(_) | State::Chunked(_) => Err(self.break_with(Reason::BodyCut, 0)),
        }
    }

    fn has_ended(&self) -> bool {
        match &self.state {
            State::Length(left) => *left == 0,
            State::Chunked(decoder) => decoder.at == At::End,
            _ => false,
        }
    }

    fn break_with(&mut self, reason: Reason, at: usize) -> Invalid {
        let mut invalid = Invalid::new(reason, at);
        invalid.offset = invalid.offset.saturating_add(self.offset);
        self.state = State::Broken(invalid);
        invalid
    }
}

impl From<ResponseFraming> for Body {
    fn from(framing: ResponseFraming) -> Self {
        let state = match framing {
            ResponseFraming::None | ResponseFraming::Length(0) => State::Over,
            ResponseFraming::Length(length) => State::Length(length),
            ResponseFraming::Chunked => State::Chunked(Decoder::default()),
            ResponseFraming::UntilClose => State::UntilClose,
        };
        Self { state, offset: 0 }
    }
}

impl From<Framing> for Body {
    fn from(framing: Framing) -> Self {
        ResponseFraming::from(framing).into()
    }
}

/// Takes as many of `left` as `input` has.
fn pass(left: &mut u64, input: &[u8]) -> usize {
    let n = usize::try_from(*left).map_or(input.len(), |left| left.min(input.len()));
    *left = left.saturating_sub(u64::try_from(n).unwrap_or(u64::MAX));
    n
}

/// The decoder of chunks.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Decoder {
    at: At,
    /// The size of the chunk, or what is left of its data.
    left: u64,
    digits: u8,
    /// Octets of extensions in this chunk.
    extension: u16,
    /// Octets of extensions in this body.
    extensions: u16,
    trailers: u16,
}

/// Which octet of the grammar comes next.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum At {
    #[default]
    Size,
    /// Behind `;`.
    ExtensionStart,
    ExtensionName,
    /// White space behind an extension's name.
    ExtensionNameEnd,
    /// Behind `=`.
    ValueStart,
    ValueToken,
    ValueQuoted,
    /// Behind `\` in a quoted value.
    ValueEscaped,
    /// Behind a quoted value.
    ValueEnd,
    /// White space behind a value.
    ValueSpace,
    SizeLf,
    Data,
    DataCr,
    DataLf,
    TrailerStart,
    TrailerName,
    TrailerValue,
    TrailerLf,
    LastLf,
    End,
}

impl Decoder {
    fn step(&mut self, input: &[u8]) -> Result<Step, (Reason, usize)> {
        if self.at == At::Data {
            let n = pass(&mut self.left, input);
            if self.left == 0 {
                self.at = At::DataCr;
            }
            return Ok(Step::Pass(n));
        }
        let trailer = input.first().is_some_and(|&octet| self.at.is_trailer(octet));
        let step = if trailer { Step::Trailer } else { Step::Skip };
        for (index, &octet) in input.iter().enumerate() {
            if matches!(self.at, At::Data | At::End) || self.at.is_trailer(octet) != trailer {
                return Ok(step(index));
            }
            self.take(octet).map_err(|reason| (reason, index))?;
        }
        Ok(step(input.len()))
    }

    /// Takes one octet of framing.
    fn take(&mut self, octet: u8) -> Result<(), Reason> {
        let at = self.next(octet).map_err(|reason| match octet {
            // LF alone is nowhere a line end in chunks (erratum 7633 of RFC 9112).
            b'\n' => Reason::BareLf,
            _ => reason,
        })?;
        if at.is_in_extension() {
            self.extension = self.extension.saturating_add(1);
            self.extensions = self.extensions.saturating_add(1);
        }
        if self.at.is_in_trailers() {
            self.trailers = self.trailers.saturating_add(1);
        }
        self.at = at;
        if self.extension > MAX_EXTENSION || self.extensions > MAX_EXTENSIONS {
            return Err(Reason::ChunkExtensionTooLong);
        }
        if self.trailers > MAX_TRAILERS { Err(Reason::TrailersTooLong) } else { Ok(()) }
    }

    fn next(&mut self, octet: u8) -> Result<At, Reason> {
        match (self.at, octet) {
            (At::Size, _) => self.size(octet),
            (At::SizeLf, b'\n') => Ok(self.start_data()),
            (At::SizeLf, _) => Err(Reason::BareCr),
            (At::DataCr, b'\r') => Ok(At::DataLf),
            (At::DataLf, b'\n') => Ok(At::Size),
            (At::DataCr | At::DataLf, _) => Err(Reason::ChunkEnd),
            (at, _) if at.is_in_trailers() => at.trailer(octet),
            (at, _) => at.extension(octet),
        }
    }

    /// `chunk-size = 1*HEXDIG`, without the white space that some take for part of it.
    fn size(&mut self, octet: u8) -> Result<At, Reason> {
        match (char::from(octet).to_digit(16), octet) {
            (Some(digit), _) if self.digits < MAX_SIZE_DIGITS => {
                self.digits = self.digits.saturating_add(1);
                self.left = self.left.saturating_mul(16).saturating_add(u64::from(digit));
                Ok(At::Size)
            }
            (None, b'\r') if self.digits > 0 => Ok(At::SizeLf),
            (None, b';') if self.digits > 0 => Ok(At::ExtensionStart),
            _ => Err(Reason::ChunkSize),
        }
    }

    fn start_data(&mut self) -> At {
        self.digits = 0;
        self.extension = 0;
        if self.left == 0 { At::TrailerStart } else { At::Data }
    }
}

impl At {
    fn is_in_extension(self) -> bool {
        matches!(
            self,
            Self::ExtensionStart
                | Self::ExtensionName
                | Self::ExtensionNameEnd
                | Self::ValueStart
                | Self::ValueToken
                | Self::ValueQuoted
                | Self::ValueEscaped
                | Self::ValueEnd
                | Self::ValueSpace
        )
    }

    fn is_in_trailers(self) -> bool {
        matches!(
            self,
            Self::TrailerStart | Self::TrailerName | Self::TrailerValue | Self::TrailerLf | Self::LastLf
        )
    }

    /// Whether `octet`, coming now, is part of a trailer's line, and not of the empty one that ends the body.
    fn is_trailer(self, octet: u8) -> bool {
        match self {
            Self::TrailerStart => octet != b'\r',
            Self::TrailerName | Self::TrailerValue | Self::TrailerLf => true,
            _ => false,
        }
    }

    /// `chunk-ext = *( BWS ";" BWS chunk-ext-name [ BWS "=" BWS chunk-ext-val ] )` (RFC 9112 7.1.1). Whoever
    /// ends an extension at LF, or inside a quoted value, disagrees about what is data.
    fn extension(self, octet: u8) -> Result<Self, Reason> {
        use At::*;
        match (self, octet) {
            (ExtensionStart | ValueStart, b' ' | b'\t') => Ok(self),
            (ExtensionName | ExtensionNameEnd, b' ' | b'\t') => Ok(ExtensionNameEnd),
            (ValueToken | ValueEnd | ValueSpace, b' ' | b'\t') => Ok(ValueSpace),
            (ExtensionName | ExtensionNameEnd, b'=') => Ok(ValueStart),
            (ExtensionName | ExtensionNameEnd | ValueToken | ValueEnd | ValueSpace, b';') => {
                Ok(ExtensionStart)
            }
            (ExtensionName | ValueToken | ValueEnd, b'\r') => Ok(SizeLf),
            (ExtensionStart | ExtensionName, _) if TOKEN.has(octet) => Ok(ExtensionName),
            (ValueStart | ValueToken, _) if TOKEN.has(octet) => Ok(ValueToken),
            (ValueStart, b'"') => Ok(ValueQuoted),
            (ValueQuoted, b'"') => Ok(ValueEnd),
            (ValueQuoted, b'\\') => Ok(ValueEscaped),
            (ValueQuoted | ValueEscaped, _) if is_text(octet) => Ok(ValueQuoted),
            _ => Err(Reason::ChunkExtension),
        }
    }

    /// `trailer-section = *( field-line CRLF )` (RFC 9112 7.1.2), as strict as in heads.
    fn trailer(self, octet: u8) -> Result<Self, Reason> {
        use At::*;
        match (self, octet) {
            (TrailerStart, b'\r') => Ok(LastLf),
            (LastLf, b'\n') => Ok(End),
            (TrailerStart, b' ' | b'\t') => Err(Reason::Folded),
            (TrailerStart | TrailerName, _) if TOKEN.has(octet) => Ok(TrailerName),
            (TrailerName, b':') => Ok(TrailerValue),
            (TrailerStart | TrailerName, _) => Err(Reason::FieldName),
            (TrailerValue, b'\r') => Ok(TrailerLf),
            (TrailerValue, _) if is_text(octet) => Ok(TrailerValue),
            (TrailerValue, _) => Err(Reason::FieldValue),
            (TrailerLf, b'\n') => Ok(TrailerStart),
            _ => Err(Reason::BareCr),
        }
    }
}

/// The line before the data of a chunk: its size.
///
/// ```
/// assert_eq!(rp_http::chunk::SizeLine::new(255).as_bytes(), b"ff\r\n");
/// ```
#[derive(Clone, Copy, Debug)]
pub struct SizeLine {
    digits: [u8; 18],
    start: usize,
}

impl SizeLine {
    /// The line before so many octets of data. Zero would end the body: there is [`LAST_CHUNK`] for that.
    pub fn new(mut size: usize) -> Self {
        let mut digits = *b"0000000000000000\r\n";
        let mut start = 16;
        for (index, digit) in digits.iter_mut().enumerate().take(16).rev() {
            *digit = b"0123456789abcdef".get(size & 0xf).copied().unwrap_or_default();
            start = index;
            size = size.checked_shr(4).unwrap_or_default();
            if size == 0 {
                break;
            }
        }
        Self { digits, start }
    }

    /// The line with its CRLF.
    pub fn as_bytes(&self) -> &[u8] {
        self.digits.get(self.start..).unwrap_or_default()
    }
}
