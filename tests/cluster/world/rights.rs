//! As whom, and by which way, the controller reaches the API server.

use std::{
    fs,
    path::{Path, PathBuf},
    sync::LazyLock,
};

use serde_json::{Value, json};
use test_support::{control_plane::ControlPlane, proxy::Proxy};

use super::{PLANE, World};

/// Namespace and service account of the controller, as `deploy` has them.
pub const SYSTEM: &str = "pinpoint-import-system";

/// See [`SYSTEM`].
pub const ACCOUNT: &str = "pinpoint-import-role-controller";

/// A token of the controller's service account on the shared control plane.
static TOKEN: LazyLock<String> = LazyLock::new(|| token(&PLANE));

pub fn token(plane: &ControlPlane) -> String {
    let token = plane.run(&["create", "token", ACCOUNT, "-n", SYSTEM]);
    token.expect("a token").trim().to_owned()
}

/// A kubeconfig that differs from another one in some lines.
pub fn derived(from: &Path, to: &Path, change: impl Fn(&str) -> String) {
    let text = fs::read_to_string(from).expect("a kubeconfig");
    let lines: Vec<String> = text.lines().map(change).collect();
    fs::write(to, lines.join("\n")).expect("a kubeconfig");
}

impl World {
    /// Has the controller act as its own service account, with just the rights that `deploy` gives it. On the shared control plane it
    /// always does.
    pub fn limit_rights(&self) {
        let own = self.own_plane.as_ref().map(token);
        let token = own.as_ref().unwrap_or(&TOKEN);
        derived(&self.plane().kubeconfig(), &self.kubeconfig(), |line| {
            match line.split_once("token: ") {
                Some((before, _)) => format!("{before}token: {token}"),
                None => line.to_owned(),
            }
        });
    }

    /// Gives the controller, in the world's own namespace, the rights on leases that `deploy` gives it in its own.
    pub fn lend_lease(&mut self) {
        let role = self
            .plane()
            .run(&["get", "role", ACCOUNT, "-n", SYSTEM, "-o", "json"])
            .expect("the role");
        let mut role: Value = serde_json::from_str(&role).expect("JSON");
        role["metadata"] = json!({"name": "lease", "namespace": self.namespace});
        self.plane().apply(&role.to_string()).expect("a role");
        let account = format!("--serviceaccount={SYSTEM}:{ACCOUNT}");
        self.kubectl(&["create", "rolebinding", "lease", "--role=lease", &account])
            .expect("a binding");
        let namespace = self.namespace.clone();
        self.add_args(&["--leader-election", "--leader-election-namespace", &namespace]);
    }

    /// The lease of [`Self::lend_lease`].
    pub fn lease(&self) -> Value {
        let path = format!(
            "/apis/coordination.k8s.io/v1/namespaces/{}/leases/{ACCOUNT}",
            self.namespace
        );
        self.read(&path).expect("the lease")
    }

    /// Has the controller act as somebody who may read objects of the world's own namespace alone, and nothing of `kube-system`: it needs
    /// `--cluster-id`. He is of the break-glass group, since the shipped admission policy keeps statuses for the shipped account.
    pub fn limit_to_namespace(&mut self) {
        let rules = self
            .plane()
            .run(&["get", "clusterrole", ACCOUNT, "-o", "json"])
            .expect("the role");
        let mut role: Value = serde_json::from_str(&rules).expect("JSON");
        role["kind"] = json!("Role");
        role["metadata"] = json!({"name": "limited", "namespace": self.namespace});
        self.plane().apply(&role.to_string()).expect("a role");
        self.kubectl(&["create", "rolebinding", "limited", "--role=limited", "--user=limited"])
            .expect("a binding");
        let path = self.folder.path().join("kubeconfig-limited");
        derived(&self.plane().kubeconfig(), &path, |line| {
            match line.split_once("token: ") {
                Some((before, _)) => {
                    format!("{line}\n{before}as: limited\n{before}as-groups: ['pinpoint-import.dev:break-glass']")
                }
                None => line.to_owned(),
            }
        });
        self.add_env("KUBECONFIG", path.to_str().expect("UTF-8"));
    }

    /// Has the controller reach the API server through a proxy.
    pub fn reach_through(&mut self, proxy: &Proxy) {
        let (direct, through) = (self.plane().api_port().to_string(), proxy.port().to_string());
        let path = self.folder.path().join("kubeconfig-through-proxy");
        derived(&self.kubeconfig(), &path, |line| {
            line.replace(&format!(":{direct}"), &format!(":{through}"))
        });
        self.add_env("KUBECONFIG", path.to_str().expect("UTF-8"));
    }

    /// Environment by which the binary takes one authority alone for that of AWS' servers, of which there are none here: to read all that a
    /// machine trusts is more than half the work of a start.
    pub fn one_authority(&self) -> [(&'static str, PathBuf); 1] {
        [("SSL_CERT_FILE", self.plane().folder().join("ca.crt"))]
    }

    /// The controller's kubeconfig.
    pub fn kubeconfig(&self) -> PathBuf {
        self.folder.path().join("kubeconfig")
    }
}
