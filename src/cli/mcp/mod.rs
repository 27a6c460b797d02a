//! `photond mcp`: the index for a program that speaks the Model Context Protocol over standard input and output.
//!
//! It reads the index as `query` does and needs no daemon. It changes nothing, opens no photo, and gives pictures
//! only as thumbnails that the index keeps.

mod protocol;
mod tools;

use std::io::{self, BufRead, IsTerminal, Read, Write};

use self::protocol::Session;
use self::tools::PhotoTools;
use super::{Context_, Exit};

/// Let an assistant search your photos (Model Context Protocol over standard input and output)
///
/// For programs: one that speaks the protocol starts this by itself, once it is told to. It can search, show what is
/// known of a photo with a thumbnail, and ask for an overview. It can change nothing. What such a program does with the
/// answers, and to whom it sends them, is up to that program.
#[derive(clap::Args)]
#[command(after_help = EXAMPLES)]
pub(super) struct Args {}

const EXAMPLES: &str = r#"Examples:
  {"mcpServers": {"photos": {"command": "photond", "args": ["mcp"]}}}     in the settings of most programs
  claude mcp add photos -- photond mcp
  echo '{"jsonrpc":"2.0","id":1,"method":"tools/list"}' | photond mcp"#;

/// The longest message: requests of these tools have some hundred bytes.
const LONGEST: usize = 1 << 20;

pub(super) fn run(context: &Context_) -> anyhow::Result<Exit> {
    if io::stdin().is_terminal() {
        context.out.notice(
            "photond: this waits for messages of the Model Context Protocol, one a line; `photond mcp --help` says for whom",
        );
    }
    let tools = PhotoTools::new(context)?;
    let mut session = Session::new(&tools);
    let (mut input, mut out) = (io::stdin().lock(), io::stdout().lock());
    while let Some(message) = next(&mut input)? {
        let answer = match message {
            Message::Line(line) => session.answer(&line),
            Message::TooLong => Some(protocol::too_long(LONGEST)),
        };
        if let Some(answer) = answer {
            serde_json::to_writer(&mut out, &answer).map_err(io::Error::from)?;
            out.write_all(b"\n")?;
            out.flush()?;
        }
    }
    Ok(Exit::Done)
}

/// What came in.
#[derive(Debug, PartialEq)]
enum Message {
    Line(Vec<u8>),
    /// Read past, and not kept.
    TooLong,
}

/// The next line; `None` at the end.
fn next(input: &mut impl BufRead) -> io::Result<Option<Message>> {
    let mut line = Vec::new();
    let bound = LONGEST as u64 + 1;
    if input.by_ref().take(bound).read_until(b'\n', &mut line)? == 0 {
        return Ok(None);
    }
    if line.last() == Some(&b'\n') {
        line.pop();
    }
    if line.len() <= LONGEST {
        return Ok(Some(Message::Line(line)));
    }
    loop {
        let buffer = input.fill_buf()?;
        let end = buffer.iter().position(|b| *b == b'\n');
        let passed = end.map_or(buffer.len(), |end| end + 1);
        input.consume(passed);
        if end.is_some() || passed == 0 {
            return Ok(Some(Message::TooLong));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_bounded_and_the_next_one_is_read() {
        let fits = vec![b'a'; LONGEST];
        let long = vec![b'b'; 3 * LONGEST];
        let text = [&fits[..], b"\n", &long, b"\n", b"c\n\n", b"last"].concat();
        let mut input = io::BufReader::new(text.as_slice());
        let mut read = || next(&mut input).unwrap();
        assert_eq!(read(), Some(Message::Line(fits.clone())));
        assert_eq!(read(), Some(Message::TooLong));
        assert_eq!(read(), Some(Message::Line(b"c".to_vec())));
        assert_eq!(read(), Some(Message::Line(Vec::new())));
        assert_eq!(read(), Some(Message::Line(b"last".to_vec())));
        assert_eq!(read(), None);
    }

    #[test]
    fn a_long_line_that_does_not_end_is_one_answer() {
        let text = vec![b'x'; LONGEST + 1];
        let mut input = text.as_slice();
        assert_eq!(next(&mut input).unwrap(), Some(Message::TooLong));
        assert_eq!(next(&mut input).unwrap(), None);
    }
}
