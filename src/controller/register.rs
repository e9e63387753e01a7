//! Which objects there are, and which changes of them are reasons to look. The watch's store is the only register: what is kept of an
//! object elsewhere comes and goes with its entry here, and whether a change is new is told by what the store had before it.

use std::{
    collections::HashMap,
    hash::{DefaultHasher, Hash, Hasher},
    sync::Arc,
    time::Duration,
};

use kube::{
    Resource, ResourceExt,
    runtime::{
        reflector::{self, ObjectRef, Store, store::Writer},
        watcher::Event,
    },
};

use crate::{
    api::{ConditionType, REQUEST_ANNOTATION, Reason, v1alpha1::PinpointImportRole},
    metrics::Watched,
    role::status,
};

/// The objects of one watch.
#[derive(Debug)]
pub(super) struct Register {
    writer: Writer<PinpointImportRole>,
    store: Store<PinpointImportRole>,
}

/// What an event of the watch changed.
#[derive(Debug, Default, PartialEq)]
pub(super) struct News {
    /// Objects that were not there before.
    pub came: Vec<Arc<PinpointImportRole>>,
    /// Objects that are there no more, as they were last: deleted, or outside of what is watched.
    pub went: Vec<Arc<PinpointImportRole>>,
    /// Objects to look at.
    pub hints: Vec<Arc<PinpointImportRole>>,
}

impl Register {
    /// An empty one.
    pub(super) fn new() -> Self {
        let (store, writer) = reflector::store();
        Self { writer, store }
    }

    /// The objects, to read.
    pub(super) fn store(&self) -> Store<PinpointImportRole> {
        self.store.clone()
    }

    /// Takes an event in. A list that began anew (the watch was down for too long) tells only once it is whole: until then the store
    /// has what was there before, and an object that it does not have yet could not be looked at.
    pub(super) fn take(&mut self, event: &Event<PinpointImportRole>) -> News {
        let (before, touched) = match event {
            Event::Init | Event::InitApply(_) => (Vec::new(), None),
            Event::InitDone => (self.store.state(), None),
            Event::Apply(object) | Event::Delete(object) => {
                let touched = ObjectRef::from_obj(object);
                (self.store.get(&touched).into_iter().collect(), Some(touched))
            }
        };
        self.writer.apply_watcher_event(event);
        let after = match (event, touched) {
            (Event::Init | Event::InitApply(_), _) => Vec::new(),
            (_, Some(touched)) => self.store.get(&touched).into_iter().collect(),
            (_, None) => self.store.state(),
        };
        compare(&before, after)
    }
}

fn compare(before: &[Arc<PinpointImportRole>], after: Vec<Arc<PinpointImportRole>>) -> News {
    let mut before: HashMap<String, &Arc<PinpointImportRole>> =
        before.iter().map(|object| (uid(object), object)).collect();
    let mut news = News::default();
    for object in after {
        match before.remove(&uid(&object)) {
            Some(known) if hint(known) == hint(&object) => {}
            Some(_) => news.hints.push(object),
            None => {
                news.came.push(Arc::clone(&object));
                news.hints.push(object);
            }
        }
    }
    news.went = before.into_values().cloned().collect();
    news
}

fn uid(object: &PinpointImportRole) -> String {
    object.uid().unwrap_or_default()
}

/// What makes a change of an object a reason to look at its role: its spec or deletion (both are new generations), or the annotation.
/// Labels, other annotations and our own writes are none.
fn hint(object: &PinpointImportRole) -> u64 {
    let mut hasher = DefaultHasher::new();
    object.metadata.generation.hash(&mut hasher);
    object.annotations().get(REQUEST_ANNOTATION).hash(&mut hasher);
    hasher.finish()
}

/// An object as the gauges see it; none if it is not ours any more: it is being deleted, and only finalizers of others keep it.
pub(super) fn watched(object: &PinpointImportRole, resync: Duration) -> Option<Watched> {
    let goes = object.meta().deletion_timestamp.is_some();
    if goes && !object.has_finalizer() {
        return None;
    }
    let reported = object.status.as_ref().filter(|status| {
        // Deletion is a new generation: what was said before it is no news of it.
        !goes || status.observed_generation == object.metadata.generation
    });
    let ready = reported.and_then(status::ready_reason);
    let state = match ready {
        _ if object.spec.suspend && !goes => ConditionType::Suspended.as_str(),
        Some(reason) => reason.as_str(),
        None if goes => Reason::Deleting.as_str(),
        None => Reason::Progressing.as_str(),
    };
    Some(Watched {
        uid: uid(object),
        state,
        rests: goes || object.spec.suspend,
        interval: object.spec.interval().ok().flatten().unwrap_or(resync),
        stretch: 1.0,
    })
}

#[cfg(test)]
mod tests {
    use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
    use serde_json::json;

    use super::*;
    use crate::api::FINALIZER;

    fn object(name: &str, uid: &str, generation: i64) -> PinpointImportRole {
        serde_json::from_value(json!({
            "apiVersion": "pinpoint-import.dev/v1alpha1",
            "kind": "PinpointImportRole",
            "metadata": {"name": name, "namespace": "n", "uid": uid, "generation": generation},
            "spec": {},
        }))
        .unwrap()
    }

    fn labelled(mut object: PinpointImportRole) -> PinpointImportRole {
        object.labels_mut().insert("team".to_owned(), "b".to_owned());
        object
    }

    fn list(register: &mut Register, objects: &[PinpointImportRole]) -> News {
        let untold = register.take(&Event::Init);
        assert_eq!(untold, News::default());
        for object in objects {
            let untold = register.take(&Event::InitApply(object.clone()));
            assert_eq!(untold, News::default(), "an object is told once the store has it");
        }
        register.take(&Event::InitDone)
    }

    fn hinted(news: &News) -> Vec<String> {
        let mut names: Vec<_> = news.hints.iter().map(|object| object.name_any()).collect();
        names.sort();
        names
    }

    fn sorted(objects: &[Arc<PinpointImportRole>]) -> Vec<String> {
        let mut uids: Vec<_> = objects.iter().map(|object| uid(object)).collect();
        uids.sort();
        uids
    }

    #[test]
    fn only_what_is_new_in_spec_deletion_or_request_is_a_hint() {
        let mut register = Register::new();
        let news = list(&mut register, &[object("a", "1", 1), object("b", "2", 1)]);
        assert_eq!(hinted(&news), ["a", "b"]);
        assert_eq!(sorted(&news.came), ["1", "2"]);

        // However long ago the object was last seen.
        assert_eq!(
            register.take(&Event::Apply(labelled(object("a", "1", 1)))),
            News::default()
        );
        assert_eq!(hinted(&register.take(&Event::Apply(object("a", "1", 2)))), ["a"]);
        let mut requested = object("a", "1", 2);
        requested
            .annotations_mut()
            .insert(REQUEST_ANNOTATION.to_owned(), "now".to_owned());
        assert_eq!(hinted(&register.take(&Event::Apply(requested.clone()))), ["a"]);
        assert_eq!(register.take(&Event::Apply(requested)), News::default());
    }

    #[test]
    fn a_list_anew_hints_at_what_changed_meanwhile_and_forgets_what_went() {
        let mut register = Register::new();
        let all = ["same", "labelled", "changed", "gone", "remade"].map(|name| object(name, name, 1));
        list(&mut register, &all);
        let news = list(
            &mut register,
            &[
                object("same", "same", 1),
                labelled(object("labelled", "labelled", 1)),
                object("changed", "changed", 2),
                object("remade", "another", 1),
                object("new", "new", 1),
            ],
        );
        assert_eq!(hinted(&news), ["changed", "new", "remade"]);
        assert_eq!(sorted(&news.came), ["another", "new"]);
        assert_eq!(sorted(&news.went), ["gone", "remade"]);
        assert!(news.hints.iter().all(|object| {
            let known = register.store().get(&ObjectRef::from_obj(&**object));
            known.is_some_and(|known| known.uid() == object.uid())
        }));

        // A list that breaks off and begins again.
        register.take(&Event::Init);
        register.take(&Event::InitApply(object("half", "half", 1)));
        let news = list(&mut register, &[object("same", "same", 1)]);
        assert_eq!(hinted(&news), [""; 0]);
        assert_eq!(sorted(&news.went), ["another", "changed", "labelled", "new"]);
    }

    #[test]
    fn an_object_that_leaves_is_forgotten_and_new_when_it_comes_back() {
        let mut register = Register::new();
        list(&mut register, &[object("a", "1", 1)]);
        let news = register.take(&Event::Delete(object("a", "1", 1)));
        assert_eq!((sorted(&news.went), news.hints.len()), (vec!["1".to_owned()], 0));
        let news = register.take(&Event::Apply(object("a", "1", 1)));
        assert_eq!((sorted(&news.came), news.hints.len()), (vec!["1".to_owned()], 1));
    }

    #[test]
    fn the_state_is_what_the_object_says() {
        let resync = Duration::from_mins(10);
        let seen = |object: &PinpointImportRole| watched(object, resync).map(|seen| (seen.state, seen.rests));
        let ready = |object: &mut PinpointImportRole, reason: &str, generation: i64| {
            object.status = Some(
                serde_json::from_value(json!({
                    "observedGeneration": generation,
                    "conditions": [{"type": "Ready", "status": "False", "reason": reason, "message": "", "lastTransitionTime": "2026-01-01T00:00:00Z"}],
                }))
                .unwrap(),
            );
        };
        let mut one = object("a", "1", 1);
        assert_eq!(seen(&one), Some(("Progressing", false)));
        ready(&mut one, "RoleNotOwned", 1);
        assert_eq!(seen(&one), Some(("RoleNotOwned", false)));
        ready(&mut one, "MadeUpByOthers", 1);
        assert_eq!(seen(&one), Some(("Progressing", false)));
        ready(&mut one, "Reconciled", 1);
        one.spec.suspend = true;
        assert_eq!(seen(&one), Some(("Suspended", true)));

        one.metadata.deletion_timestamp = Some(Time("2026-01-01T00:00:00Z".parse().unwrap()));
        one.metadata.generation = Some(2);
        assert_eq!(seen(&one), None, "nothing of ours holds it");
        one.metadata.finalizers = Some(vec![FINALIZER.to_owned()]);
        assert_eq!(seen(&one), Some(("Deleting", true)));
        ready(&mut one, "AccessDenied", 2);
        assert_eq!(seen(&one), Some(("AccessDenied", true)));
        one.spec.suspend = false;
        ready(&mut one, "Reconciled", 1);
        assert_eq!(
            seen(&one),
            Some(("Deleting", true)),
            "what was said before it is no news of it"
        );

        assert_eq!(watched(&object("a", "1", 1), resync).unwrap().interval, resync);
        let mut short = object("a", "1", 1);
        short.spec.interval = Some("30s".to_owned());
        assert_eq!(watched(&short, resync).unwrap().interval, Duration::from_secs(30));
    }
}
