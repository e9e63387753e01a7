//! The account: roles, the controller's calls, and calls by other hands.

use std::{
    io::{Read, Write},
    net::TcpStream,
};

use test_support::iam::{Call, RoleState};

use super::World;

/// What others do to a role.
pub type Tamper = fn(&mut RoleState);

/// Attached by the guide.
pub const S3_READ_ONLY: &str = "arn:aws:iam::aws:policy/AmazonS3ReadOnlyAccess";

/// What an intruder would attach.
pub const ADMIN: &str = "arn:aws:iam::aws:policy/AdministratorAccess";

/// A policy that is nobody's business.
pub const OTHER: &str = "arn:aws:iam::aws:policy/PowerUserAccess";
/// A boundary.
pub const BOUNDARY: &str = "arn:aws:iam::aws:policy/AmazonEC2ReadOnlyAccess";
/// The guide's trust policy.
pub const GUIDE_TRUST: &str = r#"{"Version":"2012-10-17","Statement":[{"Sid":"AllowUserToImportEndpointDefinitions","Effect":"Allow","Principal":{"Service":"pinpoint.amazonaws.com"},"Action":"sts:AssumeRole"}]}"#;

/// The guide's trust policy, widened to another account.
pub const WIDE_TRUST: &str = r#"{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":{"Service":"pinpoint.amazonaws.com","AWS":"999999999999"},"Action":"sts:AssumeRole"}]}"#;

/// Lets another account in.
pub fn widen(role: &mut RoleState) {
    WIDE_TRUST.clone_into(&mut role.trust_policy);
}

impl World {
    /// Name of the role of an object that declares none.
    pub fn role_name(&self, name: &str) -> String {
        format!("{}.{name}", self.namespace)
    }

    /// The role of an object that declares no name.
    pub fn role(&self, name: &str) -> Option<RoleState> {
        self.iam.role(&self.role_name(name))
    }

    /// Calls to IAM, without those to STS.
    pub fn calls(&self) -> Vec<Call> {
        self.iam
            .calls()
            .into_iter()
            .filter(|call| call.action != "GetCallerIdentity")
            .collect()
    }

    /// How often an action was called on the role of an object that declares no name, with whatever result.
    pub fn calls_on(&self, name: &str, action: &str) -> usize {
        let role = self.role_name(name);
        self.calls()
            .iter()
            .filter(|call| call.action == action && call.role() == Some(&role))
            .count()
    }

    /// Actions called, without those to STS.
    pub fn actions(&self) -> Vec<String> {
        self.calls().into_iter().map(|call| call.action).collect()
    }

    /// Actions that write. `CreateRole` is none where there is such a role already, which IAM says by refusing it.
    pub fn writes(&self) -> Vec<String> {
        let writes = self.iam.writes().into_iter();
        let done = writes.filter(|call| call.outcome != "EntityAlreadyExists");
        done.map(|call| call.action).collect()
    }

    /// Calls an action of IAM by other hands than the controller's.
    pub fn call_iam(&self, action: &str, params: &[(&str, &str)]) -> String {
        let answer = self.try_iam(action, params);
        assert!(answer.starts_with("HTTP/1.1 200"), "{action}: {answer}");
        answer
    }

    /// Calls an action of IAM by other hands than the controller's, and returns the answer, whatever it is.
    pub fn try_iam(&self, action: &str, params: &[(&str, &str)]) -> String {
        let params: String = params.iter().flat_map(|(key, value)| ["&", key, "=", value]).collect();
        let body = format!("Action={action}&Version=2010-05-08{params}");
        let address = self.iam.endpoint().replace("http://", "");
        let mut stream = TcpStream::connect(&address).expect("the fake listens");
        let request = format!(
            "POST / HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\nContent-Type: application/x-www-form-urlencoded\r\n\
             X-Amz-Date: 20260101T000000Z\r\nAuthorization: AWS4-HMAC-SHA256 Credential=other/20260101/us-east-1/iam/aws4_request, SignedHeaders=host, Signature=0\r\n\
             Content-Length: {}\r\n\r\n{body}",
            body.len()
        );
        stream.write_all(request.as_bytes()).expect("the request is sent");
        let mut answer = String::new();
        stream.read_to_string(&mut answer).expect("an answer");
        answer
    }
}
