//! The log.

use std::io::{self, IsTerminal, Write};

use tracing::field::Field;
use tracing_subscriber::{
    EnvFilter,
    field::MakeExt,
    fmt::{
        self, FormatFields,
        format::{Writer, debug_fn},
    },
};

use crate::{
    config::LogFormat,
    plain::{Plain, plain_json},
};

/// What is logged where `RUST_LOG` says nothing. The spans of kube's runtime would repeat what those of a pass say.
const DEFAULT_FILTER: &str = "info,kube_runtime=warn";

/// Starts the log, on standard error. `RUST_LOG` sets what is logged.
pub fn start(format: LogFormat) {
    let filter = EnvFilter::try_from_default_env().unwrap_or_else(|_| EnvFilter::new(DEFAULT_FILTER));
    let log = fmt::fmt().with_env_filter(filter).with_target(false);
    match format {
        LogFormat::Text => log
            .with_writer(io::stderr)
            .fmt_fields(plain_fields())
            .with_ansi(io::stderr().is_terminal())
            .init(),
        LogFormat::Json => log.json().with_writer(|| PlainJson(io::stderr())).init(),
    }
}

/// Messages and fields of the text form: a record is a line, whatever others have written into what it tells. Texts are in quotes, with
/// escapes from which they can be had back whole.
fn plain_fields() -> impl for<'writer> FormatFields<'writer> {
    let write = |writer: &mut Writer<'_>, field: &Field, value: &dyn std::fmt::Debug| {
        let mut plain = Plain(writer);
        match field.name() {
            "message" => std::fmt::Write::write_fmt(&mut plain, format_args!("{value:?}")),
            name => std::fmt::Write::write_fmt(&mut plain, format_args!("{name}={value:?}")),
        }
    };
    debug_fn(write).delimited(" ")
}

/// Lines of JSON. The log writes each whole.
struct PlainJson<W>(W);

impl<W: Write> Write for PlainJson<W> {
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        self.0
            .write_all(plain_json(&String::from_utf8_lossy(line)).as_bytes())?;
        Ok(line.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        self.0.flush()
    }
}

#[cfg(test)]
mod tests {
    use std::sync::{Arc, Mutex};

    use tracing::subscriber::with_default;

    use super::*;
    use crate::plain::is_hidden;

    #[derive(Clone, Default)]
    struct Lines(Arc<Mutex<Vec<u8>>>);

    impl Write for Lines {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0.lock().unwrap().write(bytes)
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    impl Lines {
        fn text(&self) -> String {
            String::from_utf8(self.0.lock().unwrap().clone()).unwrap()
        }
    }

    const OTHERS: &str = "a\u{1b}[2J\u{9b}1m\nERROR forged\r\u{85}\u{2028}\u{2029}\u{202e}\u{e0041}\\u{85}\"z";

    fn tell() {
        let span = tracing::info_span!("pass", name = OTHERS, shown = %OTHERS);
        let _entered = span.enter();
        tracing::info!(content = Some(OTHERS), error = %OTHERS, "reading {OTHERS}");
    }

    #[test]
    fn a_record_of_the_text_form_is_a_line_and_what_it_tells_can_be_had_back() {
        let lines = Lines::default();
        let log = lines.clone();
        let subscriber = fmt::fmt()
            .fmt_fields(plain_fields())
            .with_ansi(false)
            .with_writer(move || log.clone())
            .finish();
        with_default(subscriber, tell);
        let text = lines.text();
        let line = text.strip_suffix('\n').unwrap();
        assert!(!line.contains(is_hidden), "{line:?}");
        assert!(line.contains(&format!(" content={OTHERS:?}")), "{line}");
        assert!(line.contains("reading a\\u{1b}[2J"), "{line}");
    }

    #[test]
    fn a_record_of_the_json_form_is_a_line_of_the_same_meaning() {
        let lines = Lines::default();
        let log = lines.clone();
        let subscriber = fmt::fmt().json().with_writer(move || PlainJson(log.clone())).finish();
        with_default(subscriber, tell);
        let text = lines.text();
        let line = text.strip_suffix('\n').unwrap();
        assert!(!line.contains(is_hidden), "{line:?}");
        let value: serde_json::Value = serde_json::from_str(line).unwrap();
        assert_eq!(value["fields"]["content"], OTHERS);
        assert_eq!(value["fields"]["message"], format!("reading {OTHERS}"));
    }
}
