//! What a pass writes to the API server, which refuses it if the object is not as it was read.

use pinpoint_import_role_controller::{
    api::v1alpha1::PinpointImportRoleStatus,
    role::{
        Class, Head,
        decision::{End, Subject, Work},
        status::{self, Learned},
    },
};

use crate::{
    guard::Guard,
    sealed::Sealed,
    world::{Answer, Model, Object, Pass, World},
};

/// Writes a status, if the object is as it was read. Says whether it was.
pub(crate) fn write_status(
    model: &Model,
    world: &mut World,
    read: &Object,
    next: &Sealed<PinpointImportRoleStatus>,
) -> bool {
    let is_blind = model.without == Some(Guard::StatusVersion);
    match &mut world.object {
        Some(object) if object == read || is_blind && object.uid == read.uid => {
            object.status = next.clone();
            true
        }
        _ => false,
    }
}

/// Puts the finalizer on. Returns the pass, if it goes on.
pub(crate) fn hold(world: &mut World, mut pass: Pass, answer: Answer) -> Option<Pass> {
    let is_same = world.object.as_ref() == Some(&pass.object);
    let object = world.object.as_mut().filter(|_| is_same)?;
    if answer == Answer::Fails(Class::Retryable) {
        return None;
    }
    object.held = true;
    pass.object = object.clone();
    (answer == Answer::Well(0)).then_some(pass)
}

/// The status before the work: what must not be forgotten.
pub(crate) fn intent(world: &World, pass: &Pass, work: &Work) -> Sealed<PinpointImportRoleStatus> {
    let Some(desired) = pass.subject.as_ref().and_then(Subject::desired) else {
        return pass.object.status.clone();
    };
    let object = &pass.object;
    let (status, generation) = (&object.status, object.generation);
    Sealed::new(status::intent(status, generation, &work.intent(desired), &world.now()))
}

/// The status that a pass ends with; none where it lets the object go.
pub(crate) fn said(
    world: &World,
    pass: &Pass,
    end: &End,
    role: Option<&Head>,
) -> Option<Sealed<PinpointImportRoleStatus>> {
    let End::Say(outcome) = end else { return None };
    let learned = Learned {
        desired: pass.subject.as_ref().and_then(Subject::desired),
        role,
        request: None,
    };
    let (status, generation) = (&pass.object.status, pass.object.generation);
    Some(Sealed::new(status::status(
        status,
        generation,
        learned,
        outcome,
        &world.now(),
    )))
}
