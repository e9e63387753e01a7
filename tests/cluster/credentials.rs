//! Credentials as people have them on their machines: `AWS_PROFILE` with SSO or with `aws login`, up to where a browser would open.

use std::{
    fs,
    io::{Read, Write},
    net::TcpListener,
    path::Path,
    process::Command,
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering},
    },
};

use serde_json::{Value, json};
use test_support::iam::FakeIam;

use crate::world::World;

/// SHA-1 of the name of the SSO session, by which its token is kept.
const SSO_TOKEN: &str = ".aws/sso/cache/ee0bfd2552fbd840c02cc48b6e823320543c450f.json";
/// SHA-256 of the ARN of the session, likewise.
const LOGIN_TOKEN: &str = ".aws/login/cache/10cabd19777b6651ac57333b55c7c10a1242b1c2337f40e674926d7324698347.json";
const CONFIG: &str = "
[profile sso]
sso_session = corp
sso_account_id = 123456789012
sso_role_name = Auditor
[sso-session corp]
sso_region = us-east-1
sso_start_url = https://corp.example/start
[profile login]
login_session = arn:aws:iam::123456789012:user/Admin
";
const LONG_AGO: &str = "2020-01-01T00:00:00Z";
const FAR_OFF: &str = "2100-01-01T00:00:00Z";

/// A server on loopback that answers by the request, and keeps what was asked.
struct Loopback {
    endpoint: String,
    asked: Arc<Mutex<Vec<String>>>,
}

impl Loopback {
    fn start(answer: impl Fn(&str) -> (u16, String) + Send + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let endpoint = format!("http://{}", listener.local_addr().unwrap());
        let asked = Arc::new(Mutex::new(Vec::new()));
        let log = Arc::clone(&asked);
        std::thread::spawn(move || {
            for mut stream in listener.incoming().flatten() {
                let mut request = vec![0; 16_384];
                let length = stream.read(&mut request).unwrap_or_default();
                let request = String::from_utf8_lossy(&request[..length]).into_owned();
                let (status, body) = answer(&request);
                log.lock().unwrap().push(request);
                let _ = write!(
                    stream,
                    "HTTP/1.1 {status} X\r\nContent-Type: application/json\r\nContent-Length: {}\r\nConnection: close\r\n\r\n{body}",
                    body.len()
                );
            }
        });
        Self { endpoint, asked }
    }

    fn asked(&self) -> String {
        self.asked.lock().unwrap().join("\n")
    }
}

/// What `audit` ends with for a profile, whose home has a token at this place.
fn audit(profile: &str, token: Option<(&str, &Value)>, server: &Loopback) -> (Option<i32>, String) {
    let home = tempfile::tempdir().unwrap();
    let write = |path: &str, text: &str| {
        let path = home.path().join(path);
        fs::create_dir_all(path.parent().unwrap_or(Path::new("/"))).unwrap();
        fs::write(path, text).unwrap();
    };
    write(".aws/config", CONFIG);
    if let Some((path, token)) = token {
        write(path, &token.to_string());
    }
    let iam = FakeIam::start();
    let output = Command::new(env!("CARGO_BIN_EXE_pinpoint-import-role-controller"))
        .env_clear()
        .args(["audit", "--no-cluster"])
        .env("HOME", home.path())
        .env("AWS_PROFILE", profile)
        .env("AWS_REGION", "us-east-1")
        .env("AWS_ENDPOINT_URL_IAM", iam.endpoint())
        .env("AWS_ENDPOINT_URL_STS", iam.endpoint())
        .env("AWS_ENDPOINT_URL_SSO", &server.endpoint)
        .env("AWS_ENDPOINT_URL_SSO_OIDC", &server.endpoint)
        .env("AWS_ENDPOINT_URL_SIGNIN", &server.endpoint)
        .output()
        .unwrap();
    let said = [output.stdout, output.stderr].concat();
    (output.status.code(), String::from_utf8_lossy(&said).into_owned())
}

fn sso(request: &str) -> (u16, String) {
    if request.starts_with("GET /federation/credentials") && request.contains(": fresh") {
        let credentials = json!({
            "accessKeyId": "AKIATEST", "secretAccessKey": "s", "sessionToken": "t", "expiration": 4_102_444_800_000_u64,
        });
        (200, json!({"roleCredentials": credentials}).to_string())
    } else if request.starts_with("POST /token") {
        let token = json!({"accessToken": "fresh", "tokenType": "Bearer", "expiresIn": 3600, "refreshToken": "r"});
        (200, token.to_string())
    } else {
        (
            401,
            json!({"__type": "UnauthorizedException", "message": "Session token not found or invalid"}).to_string(),
        )
    }
}

fn sso_token(token: &str, until: &str) -> Value {
    json!({"accessToken": token, "expiresAt": until, "region": "us-east-1", "startUrl": "https://corp.example/start"})
}

#[test]
fn a_profile_with_sso_is_used_and_its_token_is_renewed() {
    let server = Loopback::start(sso);
    let (code, said) = audit("sso", Some((SSO_TOKEN, &sso_token("fresh", FAR_OFF))), &server);
    assert_eq!(code, Some(0), "{said}");
    let asked = server.asked();
    assert!(
        asked.contains("role_name=Auditor") && asked.contains("account_id=123456789012"),
        "{asked}"
    );

    let mut token = sso_token("stale", LONG_AGO);
    token["clientId"] = json!("c");
    token["clientSecret"] = json!("s");
    token["refreshToken"] = json!("r");
    token["registrationExpiresAt"] = json!(FAR_OFF);
    let server = Loopback::start(sso);
    let (code, said) = audit("sso", Some((SSO_TOKEN, &token)), &server);
    assert_eq!(code, Some(0), "{said}");
    assert!(server.asked().contains("POST /token"), "{}", server.asked());
}

#[test]
fn where_sso_needs_a_browser_it_says_so() {
    let tokens = [
        None,
        Some(sso_token("fresh", LONG_AGO)),
        Some(sso_token("unknown", FAR_OFF)),
    ];
    for token in tokens {
        let server = Loopback::start(sso);
        let (code, said) = audit("sso", token.as_ref().map(|token| (SSO_TOKEN, token)), &server);
        assert_eq!(code, Some(1), "{said}");
        assert!(
            said.contains("no usable AWS credentials") && said.contains("aws sso login --profile sso"),
            "{token:?}: {said}"
        );
        assert!(!said.contains("/.aws/") && !said.contains("2020"), "{said}");
    }
}

#[test]
fn a_profile_with_aws_login_is_used_and_where_it_needs_a_browser_it_says_so() {
    // The key is the one that the SDK's documentation shows.
    let token = |until: &str| {
        json!({
            "accessToken": {
                "accessKeyId": "AKIATEST", "secretAccessKey": "s", "sessionToken": "t", "accountId": "123456789012", "expiresAt": until,
            },
            "tokenType": "aws_sigv4", "refreshToken": "r", "idToken": "i", "clientId": "arn:aws:signin:::devtools/same-device",
            "dpopKey": "-----BEGIN EC PRIVATE KEY-----\nMHcCAQEEIFDZHUzOG1Pzq+6F0mjMlOSp1syN9LRPBuHMoCFXTcXhoAoGCCqGSM49\nAwEHoUQDQgAE9qhj+KtcdHj1kVgwxWWWw++tqoh7H7UHs7oXh8jBbgF47rrYGC+t\ndjiIaHK3dBvvdE7MGj5HsepzLm3Kj91bqA==\n-----END EC PRIVATE KEY-----\n",
        })
    };
    let ended = |_: &str| {
        (
            403,
            json!({"error": "TOKEN_EXPIRED", "message": "at 2026-01-01T00:00:00Z"}).to_string(),
        )
    };
    let server = Loopback::start(ended);
    let (code, said) = audit("login", Some((LOGIN_TOKEN, &token(FAR_OFF))), &server);
    assert_eq!(code, Some(0), "{said}");
    let server = Loopback::start(ended);
    let stale = token(LONG_AGO);
    for token in [None, Some((LOGIN_TOKEN, &stale))] {
        let (code, said) = audit("login", token, &server);
        assert_eq!(code, Some(1), "{said}");
        assert!(
            said.contains("no usable AWS credentials") && said.contains("aws login --profile login"),
            "{said}"
        );
    }
    assert!(server.asked().contains("POST /v1/token"), "{}", server.asked());
}

#[test]
fn credentials_that_are_refused_with_another_time_each_time_are_one_failure() {
    let asked = AtomicUsize::new(0);
    let server = Loopback::start(move |_| {
        let n = asked.fetch_add(1, Ordering::Relaxed);
        let message = format!(
            "Token expired: current date/time {} must be before the expiration date/time 1764000000",
            1_764_080_000 + n
        );
        (
            400,
            format!(
                "<ErrorResponse xmlns=\"https://sts.amazonaws.com/doc/2011-06-15/\"><Error><Type>Sender</Type><Code>ExpiredTokenException\
                 </Code><Message>{message}</Message></Error><RequestId>00000000-0000-4000-8000-{n:012x}</RequestId></ErrorResponse>"
            ),
        )
    });
    let mut world = World::without_controller("web-identity");
    let token = world.folder().join("token");
    fs::write(&token, "a.b.c").unwrap();
    for (key, value) in [
        ("AWS_ACCESS_KEY_ID", ""),
        ("AWS_SECRET_ACCESS_KEY", ""),
        ("AWS_ENDPOINT_URL_STS", server.endpoint.as_str()),
        ("AWS_ROLE_ARN", "arn:aws:iam::123456789012:role/pinpoint"),
        ("AWS_WEB_IDENTITY_TOKEN_FILE", token.to_str().unwrap()),
    ] {
        world.add_env(key, value);
    }
    world.start();
    world.apply("segments", &json!({})).unwrap();
    let message = world.wait_ready("segments", "False", "CredentialsUnavailable");
    assert!(
        message.contains("the web identity token): STS answered ExpiredTokenException"),
        "{message}"
    );
    let (version, asked) = (world.version("segments"), server.asked.lock().unwrap().len());
    world.wait("further tries", || {
        (server.asked.lock().unwrap().len() >= asked + 4).then_some(())
    });
    assert_eq!(world.version("segments"), version, "nothing new, so nothing is written");
    assert!(world.log().contains("current date/time"), "the log has AWS' words");
}
