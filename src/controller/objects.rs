//! Reads and writes of the objects, each bounded in time and tied to the uid: an object deleted and made anew under the same name is
//! another one.

use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
use kube::{
    Api, Resource, ResourceExt,
    api::{Patch, PatchParams},
    runtime::events::{Event, EventType, Recorder, Reporter},
};
use serde_json::json;
use tracing::{info, warn};

use super::context::Context;
use crate::{
    api::{
        CONTROLLER, EventReason, FINALIZER,
        v1alpha1::{PinpointImportRole, PinpointImportRoleStatus},
    },
    cluster::{ApiError, bounded},
    role::{Owner, status::differs},
};

fn api(context: &Context, object: &PinpointImportRole) -> Api<PinpointImportRole> {
    Api::namespaced(context.client.clone(), &object.namespace().unwrap_or_default())
}

/// The object as the API server has it now; none if it is gone, or another one has its name.
pub(super) async fn fresh(
    context: &Context,
    cached: &PinpointImportRole,
) -> Result<Option<PinpointImportRole>, ApiError> {
    let found = bounded("reading the object", api(context, cached).get_opt(&cached.name_any())).await?;
    Ok(found.filter(|found| found.uid() == cached.uid()))
}

/// Whether the object that a role's tags name exists still.
pub(super) async fn lives(context: &Context, owner: &Owner) -> Result<bool, ApiError> {
    let api: Api<PinpointImportRole> = Api::namespaced(context.client.clone(), &owner.namespace);
    let found = bounded("reading the object that the role's tags name", api.get_opt(&owner.name)).await?;
    Ok(found.is_some_and(|found| owner.uid.is_empty() || found.uid().as_deref() == Some(&owner.uid)))
}

/// Puts the finalizer on, before anything is made that would have to be cleaned up. Returns the object as it is then, if it changed.
pub(super) async fn add_finalizer(
    context: &Context,
    object: &PinpointImportRole,
) -> Result<Option<PinpointImportRole>, ApiError> {
    if object.has_finalizer() || object.meta().deletion_timestamp.is_some() {
        return Ok(None);
    }
    let finalizers: Vec<_> = object
        .finalizers()
        .iter()
        .cloned()
        .chain([FINALIZER.to_owned()])
        .collect();
    set_finalizers("putting the finalizer on", context, object, finalizers)
        .await
        .map(Some)
}

/// Takes the finalizer off: the object may go.
pub(super) async fn remove_finalizer(context: &Context, object: &PinpointImportRole) -> Result<(), ApiError> {
    if !object.has_finalizer() {
        return Ok(());
    }
    let finalizers = object
        .finalizers()
        .iter()
        .filter(|finalizer| *finalizer != FINALIZER)
        .cloned()
        .collect();
    match set_finalizers("taking the finalizer off", context, object, finalizers).await {
        Err(ApiError::Failed { source, .. }) if matches!(&*source, kube::Error::Api(status) if status.is_not_found()) => {
            Ok(())
        }
        other => other.map(drop),
    }
}

/// Uid and resource version make the API server refuse if the object is another one, or has changed since it was read.
async fn set_finalizers(
    attempt: &'static str,
    context: &Context,
    object: &PinpointImportRole,
    finalizers: Vec<String>,
) -> Result<PinpointImportRole, ApiError> {
    let patch = json!({"metadata": {
        "uid": object.uid(),
        "resourceVersion": object.resource_version(),
        "finalizers": finalizers,
    }});
    let params = PatchParams {
        field_manager: Some(CONTROLLER.to_owned()),
        ..PatchParams::default()
    };
    bounded(
        attempt,
        api(context, object).patch(&object.name_any(), &params, &Patch::Merge(&patch)),
    )
    .await
}

/// Writes the status of the object as it was read, and returns it as it is then. What others changed in the meantime and no status depends
/// on (labels, annotations, conditions of theirs) does not keep it back.
///
/// # Errors
/// A conflict: its declaration, its finalizers or our status are not as they were read, so that what a pass made of them may be wrong: it
/// might pin a role that another pass found gone.
pub(super) async fn write_status(
    context: &Context,
    object: &PinpointImportRole,
    status: &PinpointImportRoleStatus,
) -> Result<PinpointImportRole, ApiError> {
    let conflict = match apply_status(context, object, status).await {
        Err(error) if error.is_conflict() => error,
        answer => return answer,
    };
    match fresh(context, object).await? {
        Some(found) if is_same(object, &found) => apply_status(context, &found, status).await,
        _ => Err(conflict),
    }
}

/// Whether an object is as it was read, in all that a pass goes by.
fn is_same(read: &PinpointImportRole, found: &PinpointImportRole) -> bool {
    let status = |object: &PinpointImportRole| object.status.clone().unwrap_or_default();
    let going = |object: &PinpointImportRole| object.meta().deletion_timestamp.is_some();
    read.metadata.generation == found.metadata.generation
        && going(read) == going(found)
        && read.has_finalizer() == found.has_finalizer()
        && !differs(&status(read), &status(found))
}

/// By server-side apply: just our fields, and conditions of others stay. The resource version makes the API server refuse if the object
/// has changed since it was read.
async fn apply_status(
    context: &Context,
    object: &PinpointImportRole,
    status: &PinpointImportRoleStatus,
) -> Result<PinpointImportRole, ApiError> {
    let patch = json!({
        "apiVersion": PinpointImportRole::api_version(&()),
        "kind": PinpointImportRole::kind(&()),
        "metadata": {"name": object.name_any(), "uid": object.uid(), "resourceVersion": object.resource_version()},
        "status": status,
    });
    let params = PatchParams::apply(CONTROLLER).force();
    bounded(
        "writing the status",
        api(context, object).patch_status(&object.name_any(), &params, &Patch::Apply(&patch)),
    )
    .await
}

/// Publishes events. Their failure never fails a pass: the status has said it already.
pub(super) async fn publish(context: &Context, object: &PinpointImportRole, events: Vec<(EventReason, String)>) {
    for (reason, note) in events {
        let type_ = if reason.is_warning() {
            EventType::Warning
        } else {
            EventType::Normal
        };
        let event = Event {
            type_,
            reason: reason.as_str().to_owned(),
            note: Some(note),
            action: "Reconcile".to_owned(),
            secondary: None,
        };
        if reason.is_warning() {
            warn!(reason = event.reason, "{}", event.note.as_deref().unwrap_or_default());
        } else {
            info!(reason = event.reason, "{}", event.note.as_deref().unwrap_or_default());
        }
        // A recorder of its own for each event: one that is kept takes events of the same reason for repeats of the first, and shows
        // that one's note.
        let reporter = Reporter {
            controller: CONTROLLER.to_owned(),
            instance: Some(context.settings.instance.clone()),
        };
        let recorder = Recorder::new(context.client.clone(), reporter);
        if let Err(error) = bounded("publishing an event", recorder.publish(&event, &object.object_ref(&()))).await {
            warn!(%error, reason = event.reason, "the event is lost");
        }
    }
}

/// The time, as statuses have it: whole seconds, since that is all that Kubernetes keeps.
pub(super) fn now() -> Time {
    let now = k8s_openapi::jiff::Timestamp::now();
    Time(k8s_openapi::jiff::Timestamp::from_second(now.as_second()).unwrap_or(now))
}
