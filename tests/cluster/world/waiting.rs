//! Waiting until something is as it should be; whoever waits in vain fails with the objects and the log.

use std::time::Instant;

use test_support::{product, waiting::until};

use super::{
    PATIENCE, World,
    objects::{LOOK, condition},
};

impl World {
    /// Waits until there is something. Fails with the log after [`PATIENCE`].
    pub fn wait<T>(&self, what: &str, there: impl FnMut() -> Option<T>) -> T {
        until(PATIENCE, there).unwrap_or_else(|| {
            let objects = self
                .kubectl(&["get", "pir", "-o", "yaml"])
                .unwrap_or_else(|error| error);
            panic!("waited in vain: {what}\n{objects}\n{}", self.log());
        })
    }

    /// Whether something comes true by then; seen once at least.
    pub fn by(time: Instant, mut there: impl FnMut() -> bool) -> bool {
        until(time.saturating_duration_since(Instant::now()), || there().then_some(())).is_some()
    }

    /// Waits until `Ready` has a status and a reason for the object's generation, and returns the message.
    pub fn wait_ready(&self, name: &str, status: &str, reason: &str) -> String {
        self.wait(&format!("{name} Ready={status} {reason}"), || {
            let object = self.object(name);
            let current = object["status"]["observedGeneration"] == object["metadata"]["generation"];
            let ready = condition(&object["status"], "Ready").filter(|(s, r, _)| s == status && r == reason);
            ready.filter(|_| current).map(|(_, _, message)| message)
        })
    }

    /// Waits until the role is as declared.
    pub fn wait_reconciled(&self, name: &str) {
        self.wait_ready(name, "True", "Reconciled");
    }

    /// Waits until the object is gone.
    pub fn wait_gone(&self, name: &str) {
        self.wait(&format!("{name} is gone"), || self.object(name).is_null().then_some(()));
    }

    /// Waits for an event and returns its note.
    pub fn wait_event(&self, name: &str, reason: &str) -> String {
        self.wait(&format!("event {reason} of {name}"), || {
            self.events(name)
                .into_iter()
                .find(|(found, _)| found == reason)
                .map(|(_, note)| note)
        })
    }

    /// Waits until the controller says that it is ready.
    pub fn wait_healthy(&self) {
        self.wait("/readyz", || product::is_ready(&self.log()).then_some(()));
    }

    /// Asks for a look at the role now, and waits until it was taken.
    pub fn look(&self, name: &str) {
        let value = format!("{:?}", Instant::now());
        self.annotate(name, LOOK, &value).expect("the annotation is set");
        self.wait("the look is taken", || {
            (self.status(name)["lastHandledReconcileAt"] == value.as_str()).then_some(())
        });
    }

    /// Has the controller take so many further passes over an object that is there, however they end; where no other object is, they are
    /// this one's.
    pub fn looks(&self, name: &str, count: usize) {
        for _ in 0..count {
            let before = self.passes();
            self.look_or_gone(name);
            self.wait("a further pass", || {
                assert!(!self.object(name).is_null(), "{name} is gone\n{}", self.log());
                (self.passes() > before).then_some(())
            });
        }
    }

    /// Has the controller begin so many further looks at the role of each of these objects, whether they end well or not.
    pub fn looks_at_each(&self, names: &[&str], count: usize) {
        for _ in 0..count {
            let before: Vec<usize> = names.iter().map(|name| self.calls_on(name, "GetRole")).collect();
            for name in names {
                self.look_or_gone(name);
            }
            for (name, before) in names.iter().zip(before) {
                self.wait(&format!("a further look at {name}"), || {
                    (self.calls_on(name, "GetRole") > before).then_some(())
                });
            }
        }
    }
}
