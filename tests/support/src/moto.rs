//! moto's server: an IAM that others wrote, for the demo and to hold the fake against.

use std::{
    io::{Read, Write},
    net::TcpStream,
    path::Path,
    process::{Command, Stdio},
    time::Duration,
};

use crate::{guarded::Guarded, ports::on_free_ports, product};

/// How long moto may take to start; on an idle machine it is 3 s.
const LONGEST_START: Duration = Duration::from_mins(1);

/// A moto server, which ends with this value or with this process.
#[derive(Debug)]
pub struct Moto {
    server: Guarded,
    port: u16,
    _folder: tempfile::TempDir,
}

impl Moto {
    /// Starts one with AWS' managed policies in it; the first time on a machine it is installed, which takes a minute.
    ///
    /// # Errors
    /// It could not be installed or started.
    pub fn start() -> Result<Self, String> {
        let python = python()?;
        on_free_ports(|[port]| Self::start_once(&python, port))
    }

    fn start_once(python: &str, port: u16) -> Result<Self, String> {
        let folder = tempfile::Builder::new().prefix("moto-").tempdir().map_err(text)?;
        let log = folder.path().join("moto.log");
        let mut server = Guarded::start(
            Command::new(python)
                .args(["-m", "moto.server", "-H", "127.0.0.1", "-p", &port.to_string()])
                .env("MOTO_IAM_LOAD_MANAGED_POLICIES", "true"),
            &log,
            Some(folder.path()),
        )
        .map_err(text)?;
        let answers = || product::get(port, "/moto-api/").is_some_and(|(status, _)| status == 200);
        if !server.until(LONGEST_START, answers).map_err(text)? {
            let log = std::fs::read_to_string(&log).unwrap_or_default();
            return Err(format!("moto did not start:\n{log}"));
        }
        let moto = Self {
            server,
            port,
            _folder: folder,
        };
        // It loads a service when it is first asked, STS in most of a second.
        moto.call("sts", "Action=GetCallerIdentity&Version=2011-06-15")?;
        Ok(moto)
    }

    /// `http://127.0.0.1:PORT`, for IAM and for STS.
    #[must_use]
    pub fn endpoint(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }

    /// Makes the stack of a `CloudFormation` template.
    ///
    /// # Errors
    /// moto refuses it.
    pub fn make_stack(&self, template: &str) -> Result<(), String> {
        let template = percent_encoding::utf8_percent_encode(template, percent_encoding::NON_ALPHANUMERIC);
        let form = format!(
            "Action=CreateStack&Version=2010-05-15&StackName=changes&Capabilities.member.1=CAPABILITY_NAMED_IAM&TemplateBody={template}"
        );
        self.call("cloudformation", &form)
    }

    /// One call in the query protocol.
    fn call(&self, service: &str, form: &str) -> Result<(), String> {
        let kind = "Content-Type: application/x-www-form-urlencoded";
        self.ask(service, kind, form).map(drop)
    }

    /// The URL of a queue.
    #[must_use]
    pub fn queue_url(&self, name: &str) -> String {
        format!("{}/123456789012/{name}", self.endpoint())
    }

    /// The bodies of up to 10 messages in a queue, which stay there.
    ///
    /// # Errors
    /// moto refuses it.
    pub fn messages(&self, queue_url: &str) -> Result<Vec<String>, String> {
        let headers = "Content-Type: application/x-amz-json-1.0\r\nX-Amz-Target: AmazonSQS.ReceiveMessage";
        let body = serde_json::json!({ "QueueUrl": queue_url, "MaxNumberOfMessages": 10, "VisibilityTimeout": 0 });
        let answer = self.ask("sqs", headers, &body.to_string())?;
        let (_, body) = answer.split_once("\r\n\r\n").ok_or("no body")?;
        let answer: serde_json::Value = serde_json::from_str(body).map_err(text)?;
        let messages = answer["Messages"].as_array().cloned().unwrap_or_default();
        let bodies = messages.iter().filter_map(|message| message["Body"].as_str());
        Ok(bodies.map(str::to_owned).collect())
    }

    /// Sends an event, as `CloudTrail` does of each call of IAM: its source, its type and what it says.
    ///
    /// # Errors
    /// moto refuses it.
    pub fn put_event(&self, source: &str, kind: &str, detail: &serde_json::Value) -> Result<(), String> {
        let event = serde_json::json!({ "Source": source, "DetailType": kind, "Detail": detail.to_string() });
        let headers = "Content-Type: application/x-amz-json-1.1\r\nX-Amz-Target: AWSEvents.PutEvents";
        let body = serde_json::json!({ "Entries": [event] }).to_string();
        let answer = self.ask("events", headers, &body)?;
        let taken = answer.contains("\"FailedEntryCount\": 0") || answer.contains("\"FailedEntryCount\":0");
        if taken {
            Ok(())
        } else {
            Err(format!("PutEvents: {answer}"))
        }
    }

    /// One request to a service, which moto tells from the scope of the signature; it verifies none.
    fn ask(&self, service: &str, headers: &str, body: &str) -> Result<String, String> {
        let scope = format!("20260101/us-east-1/{service}/aws4_request");
        let request = format!(
            "POST / HTTP/1.0\r\nHost: {service}.us-east-1.amazonaws.com\r\n{headers}\r\nContent-Length: {}\r\n\
             Authorization: AWS4-HMAC-SHA256 Credential=demo/{scope}, SignedHeaders=host, Signature=0\r\n\r\n{body}",
            body.len()
        );
        let mut stream = TcpStream::connect(("127.0.0.1", self.port)).map_err(text)?;
        stream.set_read_timeout(Some(LONGEST_START)).map_err(text)?;
        stream.write_all(request.as_bytes()).map_err(text)?;
        let mut answer = String::new();
        stream.read_to_string(&mut answer).map_err(text)?;
        let status = answer.split(' ').nth(1).unwrap_or_default();
        if status != "200" {
            return Err(format!("{service} of moto: {answer}"));
        }
        Ok(answer)
    }
}

impl Drop for Moto {
    /// At once: nothing of it is kept, and it takes its time to end by itself.
    fn drop(&mut self) {
        let _ = self.server.kill_9();
    }
}

/// Installs it if need be. What the script says of its progress goes to our standard error.
fn python() -> Result<String, String> {
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("../tools/python/setup.sh");
    let output = Command::new("bash")
        .arg(script)
        .stderr(Stdio::inherit())
        .output()
        .map_err(text)?;
    if !output.status.success() {
        return Err("moto could not be installed; see above".to_owned());
    }
    Ok(String::from_utf8_lossy(&output.stdout).trim().to_owned())
}

fn text(error: impl std::fmt::Display) -> String {
    error.to_string()
}
