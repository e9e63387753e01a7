//! The media that the commands print to. Each is a writer of its own, and nothing is printed that none of them made: so what others wrote
//! (names, tags, descriptions and documents in IAM) is text in each of them, and no new output can forget to see to it.

use std::{
    fmt::{Display, Write as _},
    io::Write as _,
};

use askama::filters::{Escaper, Html};
use serde::Serialize;

use crate::plain::{Plain, is_hidden, plain, plain_json};

/// What may be printed: only the media of this file make it.
#[derive(Debug)]
pub(super) struct Rendered(String);

impl Rendered {
    /// What this program says without a word of others, such as its manual.
    pub(super) fn of_ours(text: String) -> Self {
        Self(text)
    }

    /// JSON, with a line break at its end.
    pub(super) fn json(value: &impl Serialize) -> Result<Self, String> {
        let text = serde_json::to_string_pretty(value).map_err(|why| why.to_string())?;
        Ok(Self(plain_json(&text).into_owned() + "\n"))
    }

    /// A page of HTML. What it shows has gone through [`PlainHtml`], since `askama.toml` has its templates know no other way.
    ///
    /// # Errors
    /// A template can't be filled in.
    pub(super) fn html(page: &impl askama::Template) -> Result<Self, String> {
        let text = page.render().map_err(|why| format!("the page can't be made: {why}"))?;
        Ok(Self(text + "\n"))
    }

    pub(super) fn as_str(&self) -> &str {
        &self.0
    }
}

/// Prints to standard output. Colours go to terminals only, unless `NO_COLOR` is set.
///
/// # Errors
/// It can't be written. A reader that has gone, such as `head`, has read what it wanted.
pub(super) fn print(what: &Rendered) -> Result<(), String> {
    match anstream::stdout().write_all(what.0.as_bytes()) {
        Err(why) if why.kind() != std::io::ErrorKind::BrokenPipe => {
            Err(format!("can't write to standard output: {why}"))
        }
        _ => Ok(()),
    }
}

/// Says a line on standard error.
pub(super) fn say(line: impl Display) {
    let mut terminal = Terminal::default();
    terminal.line(line);
    // Nobody is left to be told that this can't be written.
    let _ = std::io::stderr().write_all(terminal.0.as_bytes());
}

/// Lines for a terminal.
#[derive(Debug, Default)]
pub(super) struct Terminal(String);

/// How a text looks where there are colours.
#[derive(Clone, Copy, Debug)]
pub(super) enum Style {
    Bold,
    Red,
    Green,
    Yellow,
}

impl Terminal {
    /// Text on the line.
    pub(super) fn add(&mut self, text: impl Display) -> &mut Self {
        // Writing to a string can't fail.
        let _ = write!(Plain(&mut self.0), "{text}");
        self
    }

    /// Text on the line that stands out.
    pub(super) fn styled(&mut self, style: Style, text: impl Display) -> &mut Self {
        self.0 += match style {
            Style::Bold => "\x1b[1m",
            Style::Red => "\x1b[31m",
            Style::Green => "\x1b[32m",
            Style::Yellow => "\x1b[33m",
        };
        self.add(text);
        self.0 += "\x1b[0m";
        self
    }

    /// Ends the line.
    pub(super) fn end(&mut self) {
        self.0.push('\n');
    }

    /// A line of its own.
    pub(super) fn line(&mut self, text: impl Display) {
        self.add(text).end();
    }

    pub(super) fn rendered(self) -> Rendered {
        Rendered(self.0)
    }
}

/// Markdown as GitHub reads it (GitHub Flavored Markdown). Markup is what stands in this program's text; all else is shown as it is.
#[derive(Debug, Default)]
pub(super) struct Markdown(String);

impl Markdown {
    /// Markup.
    pub(super) fn markup(&mut self, markup: &'static str) -> &mut Self {
        self.0 += markup;
        self
    }

    /// Words in running text, as they are.
    pub(super) fn words(&mut self, text: impl Display) -> &mut Self {
        self.0 += &entities(&text.to_string());
        self
    }

    /// Text in the type of code: there nothing becomes a link, and nobody is mentioned. It may stand in a cell.
    pub(super) fn code(&mut self, text: impl Display) -> &mut Self {
        let text = plain(&text.to_string()).into_owned();
        // What could end the code or the cell, and spaces that would be taken off.
        let special = text.contains(['`', '|', '\\']) || text.starts_with(' ') || text.ends_with(' ');
        if special {
            return self.code_in_html(text);
        }
        if !text.is_empty() {
            let _ = write!(self.0, "`{text}`");
        }
        self
    }

    /// Text in the type of code, within HTML.
    pub(super) fn code_in_html(&mut self, text: impl Display) -> &mut Self {
        self.0 += "<code>";
        self.words(text);
        self.0 += "</code>";
        self
    }

    /// The lines of a difference, fenced by more backquotes than stand in them.
    pub(super) fn diff(&mut self, lines: &str) -> &mut Self {
        let longest = lines.split(|c| c != '`').map(str::len).max().unwrap_or_default();
        let fence = "`".repeat(3.max(longest + 1));
        let _ = writeln!(self.0, "{fence}diff");
        for line in lines.lines() {
            self.0 += &plain(line);
            self.0.push('\n');
        }
        let _ = writeln!(self.0, "{fence}");
        self
    }

    /// Puts something after this.
    pub(super) fn append(&mut self, after: &Self) -> &mut Self {
        self.0 += &after.0;
        self
    }

    /// Length in bytes, of which there are never fewer than characters, however these are counted.
    pub(super) fn len(&self) -> usize {
        self.0.len()
    }

    pub(super) fn rendered(self) -> Rendered {
        Rendered(self.0)
    }
}

/// Plain text in which no character means anything to Markdown or HTML: punctuation is written by its number (`CommonMark`, section 2.5: such
/// a reference is never part of the structure).
fn entities(text: &str) -> String {
    let mut shown = String::with_capacity(text.len());
    for c in plain(text).chars() {
        if c.is_ascii_punctuation() && c != ',' && c != ';' {
            let _ = write!(shown, "&#{};", u32::from(c));
        } else {
            shown.push(c);
        }
    }
    shown
}

/// Text within HTML, in elements and attributes: without hidden characters, and no character of it is markup.
#[derive(Clone, Copy, Debug)]
pub(super) struct PlainHtml;

impl Escaper for PlainHtml {
    fn write_escaped_str<W: std::fmt::Write>(&self, to: W, text: &str) -> std::fmt::Result {
        Html.write_escaped_str(to, &plain(text))
    }
}

/// Rows for a spreadsheet (RFC 4180).
pub(super) struct Csv(csv::Writer<Vec<u8>>);

impl Csv {
    pub(super) fn new() -> Self {
        Self(csv::Writer::from_writer(Vec::new()))
    }

    /// A row.
    pub(super) fn row<'a>(&mut self, cells: impl IntoIterator<Item = &'a str>) -> Result<(), String> {
        let cells = cells.into_iter().map(no_formula);
        self.0.write_record(cells).map_err(|why| why.to_string())
    }

    pub(super) fn rendered(self) -> Result<Rendered, String> {
        let written = self.0.into_inner().map_err(|why| why.to_string())?;
        String::from_utf8(written).map(Rendered).map_err(|why| why.to_string())
    }
}

/// Spreadsheets take some beginnings for formulas (OWASP, "CSV injection"; full width in some languages), but not after an apostrophe. One
/// that is there gets another, so that the text can be had back. A dash alone is how nothing is written.
fn no_formula(cell: &str) -> String {
    let cell = plain(cell);
    let acts = cell
        .trim_start()
        .starts_with(['=', '+', '-', '@', '\'', '＝', '＋', '－', '＠']);
    if acts && cell != "-" {
        format!("'{cell}")
    } else {
        cell.into_owned()
    }
}

/// A document of YAML: comments, and below them an object or nothing.
#[derive(Debug, Default)]
pub(super) struct Yaml(String);

impl Yaml {
    /// A line of comment.
    pub(super) fn comment(&mut self, text: impl Display) {
        let _ = write!(Plain(&mut self.0), "# {text}");
        self.0.push('\n');
    }

    /// The document, read back: it is what was meant, and looks like it. All that YAML 1.1 and 1.2 read differently are hidden characters
    /// and plain words such as `yes`; the first are refused here, the second are put in quotes by the library.
    ///
    /// # Errors
    /// It would not be read as it is meant.
    pub(super) fn document(self, object: Option<&serde_json::Value>) -> Result<Rendered, String> {
        let options = serde_saphyr::ser_options! { prefer_block_scalars: false };
        let body = match object {
            Some(object) => serde_saphyr::to_string_with_options(object, options).map_err(|why| why.to_string())?,
            None => String::new(),
        };
        let text = format!("---\n{}{body}", self.0);
        let read: Vec<serde_json::Value> =
            serde_saphyr::from_multiple(&text).map_err(|why| why.without_snippet().to_string())?;
        if !read.iter().eq(object) {
            return Err("as YAML it would be read as something else than it is".to_owned());
        }
        if text.contains(|c| c != '\n' && is_hidden(c)) {
            return Err("it has characters that can't be seen".to_owned());
        }
        Ok(Rendered(text))
    }
}

#[cfg(test)]
mod tests {
    use proptest::{collection::vec, prelude::*};
    use pulldown_cmark::{Event, Options, Parser, Tag, TagEnd};
    use serde_json::json;

    use super::*;

    /// What people write into names, tags and documents, and what hostile ones would.
    fn others() -> impl Strategy<Value = String> {
        let acting = "\n\r\t\u{85}\u{2028}\u{2029}\u{1b}\u{9b}\u{202e}\u{feff}\0`|\\<>&*_[]()!#@:/=+-~'\"$ ".chars();
        let one = prop_oneof![prop::sample::select(acting.collect::<Vec<_>>()), any::<char>()];
        let special = [
            "</code>",
            "</summary>",
            "\n\n# x",
            "|x|",
            "https://x.example",
            "@somebody",
            "&lt;",
            "```",
            "=1+1",
            "'x",
            "-",
        ];
        prop_oneof![
            vec(one, 0..20).prop_map(|chars| chars.into_iter().collect()),
            prop::sample::select(special.to_vec()).prop_map(str::to_owned),
            "[ -~]{0,30}",
        ]
    }

    /// The texts of each cell and each item as a reader of Markdown sees them, and whether there is anything but what is meant.
    fn seen(markdown: &str) -> (Vec<String>, bool) {
        let mut texts = vec![String::new()];
        let mut strange = false;
        let options = Options::ENABLE_TABLES | Options::ENABLE_STRIKETHROUGH;
        for event in Parser::new_ext(markdown, options) {
            match event {
                Event::Text(text) | Event::Code(text) => texts.last_mut().unwrap().push_str(&text),
                Event::InlineHtml(html) => strange |= !["<code>", "</code>"].contains(&&*html),
                Event::End(TagEnd::TableCell | TagEnd::Item) => texts.push(String::new()),
                Event::Start(
                    Tag::Table(_) | Tag::TableHead | Tag::TableRow | Tag::TableCell | Tag::List(None) | Tag::Item,
                )
                | Event::End(TagEnd::Table | TagEnd::TableHead | TagEnd::TableRow | TagEnd::List(false)) => {}
                _ => strange = true,
            }
        }
        (texts, strange)
    }

    proptest! {
        #[test]
        fn a_cell_and_an_item_of_markdown_show_what_was_written(texts in vec(others(), 3)) {
            let mut markdown = Markdown::default();
            markdown.markup("| a | b |\n| --- | --- |\n| ").code(&texts[0]).markup(" | ").code(&texts[1]).markup(" |\n\n- ").code(&texts[2]);
            markdown.markup("\n- x\n");
            let markdown = markdown.rendered();
            let (found, strange) = seen(markdown.as_str());
            let mut meant = vec!["a".to_owned(), "b".to_owned()];
            meant.extend(texts.iter().map(|text| plain(text).into_owned()));
            meant.extend(["x".to_owned(), String::new()]);
            prop_assert!(found == meant && !strange, "{:?}: {:?}", markdown, found);
            prop_assert!(!markdown.as_str().contains(|c| c != '\n' && is_hidden(c)));
        }

        #[test]
        fn a_difference_stays_in_its_fence(lines in vec(others(), 1..4)) {
            let lines: Vec<String> = lines.iter().map(|line| plain(line).into_owned()).collect();
            let mut markdown = Markdown::default();
            markdown.diff(&lines.join("\n"));
            let events: Vec<Event<'_>> = Parser::new(&markdown.0).collect();
            prop_assert!(matches!(events.as_slice(), [Event::Start(Tag::CodeBlock(_)), .., Event::End(TagEnd::CodeBlock)]), "{events:?}");
            let blocks = events.iter().filter(|event| matches!(event, Event::Start(_))).count();
            prop_assert_eq!(blocks, 1);
        }

        /// What a browser makes of it is what was written, made plain.
        #[test]
        fn a_page_shows_what_was_written(text in others()) {
            #[derive(askama::Template)]
            #[template(source = "<p title=\"{{ text }}\">{{ text }}</p>", ext = "html")]
            struct Page<'a> {
                text: &'a str,
            }
            let page = Rendered::html(&Page { text: &text }).unwrap();
            let inner = page.as_str().strip_prefix("<p title=\"").unwrap().strip_suffix("</p>\n").unwrap();
            let (title, content) = inner.split_once("\">").unwrap();
            prop_assert_eq!(title, content);
            prop_assert!(!content.contains(['<', '>', '"', '\'']) && !content.contains(is_hidden), "{content}");
            let mut read = content.to_owned();
            for (reference, c) in [("&#34;", "\""), ("&#39;", "'"), ("&#60;", "<"), ("&#62;", ">"), ("&#38;", "&")] {
                read = read.replace(reference, c);
            }
            prop_assert_eq!(read, plain(&text));
        }

        #[test]
        fn html_shows_what_was_written(text in others()) {
            let mut markdown = Markdown::default();
            markdown.code_in_html(&text);
            let inner = markdown.0.strip_prefix("<code>").unwrap().strip_suffix("</code>").unwrap();
            prop_assert!(!inner.contains(['<', '>', '"', '\'']) && !inner.contains(is_hidden), "{inner}");
        }

        #[test]
        fn a_row_of_csv_has_the_same_cells(texts in vec(others(), 1..5)) {
            let mut csv = Csv::new();
            csv.row(texts.iter().map(String::as_str)).unwrap();
            let csv = csv.rendered().unwrap();
            let mut reader = csv::ReaderBuilder::new().has_headers(false).from_reader(csv.as_str().as_bytes());
            let rows: Vec<csv::StringRecord> = reader.records().map(Result::unwrap).collect();
            prop_assert_eq!(rows.len(), 1);
            for (cell, text) in rows[0].iter().zip(&texts) {
                prop_assert_eq!(cell.strip_prefix('\'').unwrap_or(cell), plain(text));
                prop_assert!(cell == "-" || !cell.trim_start().starts_with(['=', '+', '-', '@']), "{cell:?}");
            }
            prop_assert!(!csv.as_str().contains(|c| c != '\n' && is_hidden(c)));
        }

        #[test]
        fn a_line_of_a_terminal_is_a_line(texts in vec(others(), 1..4)) {
            let mut terminal = Terminal::default();
            for text in &texts {
                terminal.line(text);
            }
            let shown: Vec<&str> = terminal.0.split_terminator('\n').collect();
            prop_assert!(shown.iter().all(|line| !line.contains(is_hidden)));
            prop_assert!(shown.iter().zip(&texts).all(|(shown, text)| *shown == plain(text)));
            prop_assert_eq!(shown.len(), texts.len());
        }

        #[test]
        fn json_and_yaml_are_read_as_they_were_meant(texts in vec(others(), 2), comment in others()) {
            let value = json!({"a": texts[0], "b": [texts[1]]});
            let json = Rendered::json(&value).unwrap();
            prop_assert_eq!(&serde_json::from_str::<serde_json::Value>(json.as_str()).unwrap(), &value);
            prop_assert!(!json.as_str().contains(|c| c != '\n' && is_hidden(c)));

            let mut yaml = Yaml::default();
            yaml.comment(&comment);
            if let Ok(yaml) = yaml.document(Some(&value)) {
                let line = yaml.as_str().lines().nth(1).unwrap();
                prop_assert_eq!(line, format!("# {}", plain(&comment)));
                prop_assert!(!yaml.as_str().contains(|c| c != '\n' && is_hidden(c)));
            }
            let mut yaml = Yaml::default();
            yaml.comment(&comment);
            prop_assert!(yaml.document(None).unwrap().as_str().lines().count() == 2);
        }
    }

    #[test]
    fn ordinary_words_look_ordinary() {
        let mut markdown = Markdown::default();
        markdown.code("default/segments").markup(" ").code("a|b");
        assert_eq!(markdown.0, "`default/segments` <code>a&#124;b</code>");
        assert_eq!(no_formula("=1"), "'=1");
        assert_eq!(no_formula("\t@x"), "\\t@x");
        assert_eq!(no_formula("-"), "-");
    }
}
