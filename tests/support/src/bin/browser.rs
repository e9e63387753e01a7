//! `make browser`: `audit` and `plan` as pages, looked at in a real browser, with names in them that would like to be markup.
//!
//! What is looked for: each name stands there as text, the page has the elements that it has with harmless names, nothing is said on the
//! console, no request is made, and light and dark look different. Pictures and a print are left in `target/browser`.

use std::{
    fs,
    path::{Path, PathBuf},
    process::{Command, ExitCode, Output},
};

use test_support::{
    iam::{FakeIam, RoleBuilder},
    product,
    tools::chromium,
};

type Result<T> = std::result::Result<T, String>;

/// What is written, and what stands on the page: characters that can't be seen are shown. Nobody listens on port 9.
const HOSTILE: [(&str, &str); 8] = [
    same("<img src=http://127.0.0.1:9/img onerror=console.error('ran')>"),
    same("<script>console.error('ran')</script>"),
    same("</td></tr></tbody></table></div><h1>forged</h1>"),
    same("\"><style>* { background: url(http://127.0.0.1:9/style) }</style>"),
    same("'><svg onload=console.error('ran')>"),
    same("</title></style></pre><iframe src=http://127.0.0.1:9/frame>"),
    same("&lt;b&gt; &amp;amp; {{ made }} {% raw %}"),
    ("\u{202e}gnp\u{2066}\u{2028}.exe", "\\u{202e}gnp\\u{2066}\\u{2028}.exe"),
];

const fn same(text: &str) -> (&str, &str) {
    (text, text)
}

/// A page that does what ours must not: if this goes unnoticed, nothing is shown by the rest.
const BAD: &str =
    "<!doctype html><title>bad</title><img src=http://127.0.0.1:9/img><script>console.error('ran')</script>";

fn main() -> ExitCode {
    match look() {
        Ok(()) => ExitCode::SUCCESS,
        Err(why) => {
            eprintln!("\nFAILED: {why}");
            ExitCode::FAILURE
        }
    }
}

fn look() -> Result<()> {
    let browser = Browser::new()?;
    let bad = browser.open(&browser.write("bad.html", BAD)?)?;
    if bad.requests.is_empty() || bad.console.is_empty() {
        return Err(format!("the browser does not tell what a bad page does: {bad:?}"));
    }
    let hostile = pages(&HOSTILE.map(|(written, _)| written.to_owned()))?;
    let harmless: Vec<String> = (0..HOSTILE.len()).map(|n| format!("Role{n}")).collect();
    let harmless = pages(&harmless)?;
    for (name, hostile, harmless) in [
        ("audit", &hostile.audit, &harmless.audit),
        ("plan", &hostile.plan, &harmless.plan),
    ] {
        let page = browser.write(&format!("{name}.html"), hostile)?;
        let usual = browser.write(&format!("{name}-harmless.html"), harmless)?;
        judge(name, &browser.open(&page)?, &browser.open(&usual)?)?;
        browser.picture(&page)?;
        println!(
            "{name}: {} characters, {} names are text, nothing ran, nothing was asked for",
            hostile.len(),
            HOSTILE.len()
        );
    }
    println!("pictures and prints are in {}", browser.folder.display());
    Ok(())
}

/// What a browser made of a page.
#[derive(Debug)]
struct Seen {
    /// The document as it stands in the end.
    dom: String,
    /// What was said on the console, refusals by the page's policy among it.
    console: Vec<String>,
    /// What was asked for beside the file itself.
    requests: Vec<String>,
}

fn judge(name: &str, seen: &Seen, usual: &Seen) -> Result<()> {
    for (what, found) in [("said on the console", &seen.console), ("asked for", &seen.requests)] {
        if !found.is_empty() {
            return Err(format!("{name}: {what}: {found:?}"));
        }
    }
    if elements(&seen.dom) != elements(&usual.dom) {
        return Err(format!(
            "{name}: hostile names change the elements of the page:\n{}",
            seen.dom
        ));
    }
    let text = text(&seen.dom);
    for (_, shown) in HOSTILE {
        if !text.contains(shown) {
            return Err(format!("{name}: {shown:?} does not stand there as text:\n{text}"));
        }
    }
    Ok(())
}

/// The names of a document's elements, in order. In what a browser writes, `<` stands nowhere else.
fn elements(dom: &str) -> Vec<&str> {
    let names = dom.split('<').skip(1);
    names
        .map(|rest| rest.split([' ', '>', '\n']).next().unwrap_or_default())
        .collect()
}

/// A document's text.
fn text(dom: &str) -> String {
    let pieces = dom
        .split('<')
        .map(|piece| piece.split_once('>').map_or(piece, |(_, text)| text));
    let mut text: String = pieces.collect();
    for (reference, c) in [
        ("&lt;", "<"),
        ("&gt;", ">"),
        ("&quot;", "\""),
        ("&nbsp;", "\u{a0}"),
        ("&amp;", "&"),
    ] {
        text = text.replace(reference, c);
    }
    text
}

/// The commands' pages.
struct Pages {
    audit: String,
    plan: String,
}

/// The pages of an account in which these are names and texts wherever others write them.
fn pages(texts: &[String]) -> Result<Pages> {
    let iam = FakeIam::start();
    for text in texts {
        let quoted = serde_json::Value::from(text.as_str()).to_string();
        let trust = format!(
            r#"{{"Version":"2012-10-17","Statement":[{{"Sid":{quoted},"Effect":"Allow","Principal":{{"Service":"pinpoint.amazonaws.com"}},"Action":"sts:AssumeRole"}}]}}"#
        );
        let policy = format!(
            r#"{{"Version":"2012-10-17","Statement":[{{"Sid":{quoted},"Effect":"Allow","Action":"*","Resource":"*"}}]}}"#
        );
        let role = RoleBuilder::new(text)
            .trust_policy(&trust)
            .description(text)
            .tag("k", text);
        iam.put_role(role.inline(text, &policy));
    }
    let first = texts.first().map(String::as_str).unwrap_or_default();
    let mut all = RoleBuilder::new("all").trust_policy(GUIDE_TRUST);
    for (number, text) in texts.iter().enumerate() {
        let quoted = serde_json::Value::from(text.as_str()).to_string();
        let policy = format!(
            r#"{{"Version":"2012-10-17","Statement":[{{"Sid":{quoted},"Effect":"Allow","Action":"s3:GetObject","Resource":"*"}}]}}"#
        );
        all = all
            .inline(&format!("Theirs{number}"), &policy)
            .attached(&format!("arn:aws:iam::aws:policy/{text}"));
    }
    iam.put_role(all.description(first));
    let folder = tempfile::tempdir().map_err(text_of)?;
    let manifest = folder.path().join("all.yaml");
    fs::write(&manifest, MANIFEST).map_err(text_of)?;
    let manifest = manifest.display().to_string();
    Ok(Pages {
        audit: page(&iam, &["audit", "--no-cluster"])?,
        plan: page(
            &iam,
            &["plan", "-f", &manifest, "--cluster-id=x", "--allowed-policy-arns=*"],
        )?,
    })
}

const GUIDE_TRUST: &str = r#"{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":{"Service":"pinpoint.amazonaws.com"},"Action":"sts:AssumeRole"}]}"#;

/// The object whose plan takes all of the others' policies away.
const MANIFEST: &str = "apiVersion: pinpoint-import.dev/v1alpha1\nkind: PinpointImportRole\nmetadata:\n  name: all\n  namespace: team\n\
    spec:\n  roleName: all\n  adoptionPolicy: Adopt\n";

/// What a command prints as a page.
fn page(iam: &FakeIam, arguments: &[&str]) -> Result<String> {
    let output = product::command(&product::beside_this_binary()?, &iam.endpoint(), "browser")
        .args(arguments)
        .arg("--output=html")
        .output()
        .map_err(text_of)?;
    if output.status.code() == Some(1) || output.stdout.is_empty() {
        return Err(format!("{arguments:?}: {}", String::from_utf8_lossy(&output.stderr)));
    }
    String::from_utf8(output.stdout).map_err(text_of)
}

/// A headless Chromium, and where its pictures go.
struct Browser {
    program: PathBuf,
    folder: PathBuf,
}

impl Browser {
    fn new() -> Result<Self> {
        let here = std::env::current_exe().map_err(text_of)?;
        let target = here.ancestors().nth(2).ok_or("this binary lies in no folder")?;
        let folder = target.join("browser");
        fs::create_dir_all(&folder).map_err(text_of)?;
        let program = chromium()?;
        Ok(Self { program, folder })
    }

    fn write(&self, name: &str, page: &str) -> Result<PathBuf> {
        let path = self.folder.join(name);
        fs::write(&path, page).map_err(text_of)?;
        Ok(path)
    }

    /// Opens a page and tells what became of it.
    fn open(&self, page: &Path) -> Result<Seen> {
        let log = page.with_extension("net.json");
        let output = self.run(
            page,
            &["--dump-dom".to_owned(), format!("--log-net-log={}", log.display())],
        )?;
        let net = fs::read_to_string(&log).map_err(text_of)?;
        fs::remove_file(&log).map_err(text_of)?;
        let urls = net
            .split("\"url\":\"")
            .skip(1)
            .filter_map(|rest| rest.split('"').next());
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        let console = said.lines().filter(|line| line.contains(":CONSOLE"));
        Ok(Seen {
            dom: String::from_utf8(output.stdout).map_err(text_of)?,
            console: console.map(str::to_owned).collect(),
            requests: urls
                .filter(|url| !url.starts_with("file:"))
                .map(str::to_owned)
                .collect(),
        })
    }

    /// Takes a picture in each colour scheme, and prints it.
    fn picture(&self, page: &Path) -> Result<()> {
        let mut pictures = Vec::new();
        for (scheme, number) in [("dark", 0), ("light", 1)] {
            let picture = page.with_extension(format!("{scheme}.png"));
            let scheme = format!("--blink-settings=preferredColorScheme={number}");
            let to = format!("--screenshot={}", picture.display());
            self.run(page, &[scheme, to, "--window-size=1280,1600".to_owned()])?;
            pictures.push(fs::read(&picture).map_err(text_of)?);
        }
        if pictures[0] == pictures[1] {
            return Err(format!("{} looks the same in light and dark", page.display()));
        }
        let print = page.with_extension("pdf");
        self.run(
            page,
            &[
                format!("--print-to-pdf={}", print.display()),
                "--no-pdf-header-footer".to_owned(),
            ],
        )?;
        if !fs::read(&print).map_err(text_of)?.starts_with(b"%PDF") {
            return Err(format!("{} is not printed", page.display()));
        }
        Ok(())
    }

    fn run(&self, page: &Path, arguments: &[String]) -> Result<Output> {
        // The sandbox needs rights that a container has not; the pages are ours. A browser that hangs is ended.
        let output = Command::new("timeout")
            .arg("60")
            .arg(&self.program)
            .args(["--no-sandbox", "--disable-gpu", "--enable-logging=stderr"])
            .args(arguments)
            .arg(format!("file://{}", page.display()))
            .output()
            .map_err(text_of)?;
        if output.status.success() {
            Ok(output)
        } else {
            let said = String::from_utf8_lossy(&output.stderr);
            Err(format!(
                "{} {arguments:?} {}: {said}",
                self.program.display(),
                output.status
            ))
        }
    }
}

fn text_of(error: impl std::fmt::Display) -> String {
    error.to_string()
}
