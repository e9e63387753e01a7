//! What users and others do, and where it ends when nothing disturbs it.

use serde_json::{Value, json};
use test_support::iam::RoleBuilder;

use crate::world::{NAME, ROLE, World};

/// Something that a user or somebody else does.
pub(crate) struct Flow {
    /// What scripts call it.
    pub(crate) name: &'static str,
    /// What is there before, which the controller brings to rest where it is an object.
    pub(crate) before: fn(&World),
    /// Whether the process begins only after what is done.
    pub(crate) is_cold: bool,
    /// What is done.
    pub(crate) begin: fn(&World),
    /// Whether it is at its end.
    pub(crate) is_ended: fn(&World) -> bool,
}

const S3: &str = "arn:aws:iam::aws:policy/AmazonS3ReadOnlyAccess";
const ADMIN: &str = "arn:aws:iam::aws:policy/AdministratorAccess";
const EC2: &str = "arn:aws:iam::aws:policy/AmazonEC2ReadOnlyAccess";
const RDS: &str = "arn:aws:iam::aws:policy/AmazonRDSReadOnlyAccess";
const GUIDE: &str = r#"{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":{"Service":"pinpoint.amazonaws.com"},"Action":"sts:AssumeRole"}]}"#;
const WIDE: &str = r#"{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":{"Service":"pinpoint.amazonaws.com","AWS":"999999999999"},"Action":"sts:AssumeRole"}]}"#;
const BACKDOOR: &str = r#"{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"iam:*","Resource":"*"}]}"#;

fn everything() -> Value {
    json!({
        "description": "all of it",
        "maxSessionDuration": 7200,
        "permissionsBoundary": EC2,
        "tags": {"team": "a"},
        "trust": {"applications": [{"region": "us-east-1", "id": "0123456789abcdef0123456789abcdef"}]},
        "managedPolicyArns": [EC2, RDS],
        "buckets": [{"name": "segments"}],
    })
}

fn nothing(_: &World) {}

fn guide(world: &World) {
    world.api.create(NAME, &json!({}));
}

fn whole(world: &World) {
    world.api.create(NAME, &everything());
}

fn request(world: &World) {
    world.api.edit(NAME, |object| {
        object["metadata"]["annotations"] = json!({"pinpoint-import.dev/reconcile-requested-at": "1"});
    });
}

fn delete(world: &World) {
    world.api.delete(NAME);
}

fn declare(world: &World, spec: &Value) {
    world.api.edit(NAME, |object| object["spec"] = spec.clone());
}

/// Lets a stranger in and gives everything.
fn widen(world: &World) {
    world.iam.fake.tamper(ROLE, |role| {
        WIDE.clone_into(&mut role.trust_policy);
        role.attached = [ADMIN.to_owned()].into();
        role.inline.insert("backdoor".to_owned(), BACKDOOR.to_owned());
    });
}

fn by_hand() -> RoleBuilder {
    RoleBuilder::new(ROLE).trust_policy(GUIDE).attached(ADMIN)
}

/// The owner's tags of another object of this cluster.
fn of_another(name: &str) -> RoleBuilder {
    by_hand()
        .tag("pinpoint-import.dev/cluster", "cluster")
        .tag("pinpoint-import.dev/namespace", "default")
        .tag("pinpoint-import.dev/name", name)
        .tag("pinpoint-import.dev/uid", "00000000-0000-4000-8000-000000000001")
}

fn adopt(world: &World) {
    world.api.create(NAME, &json!({"adoptionPolicy": "Adopt"}));
}

fn is_ready(world: &World) -> bool {
    world.is_said("Ready", "True", "Reconciled") && !world.has_open_drift()
}

fn is_gone(world: &World) -> bool {
    world.api.object(NAME).is_null()
}

/// All of them.
pub(crate) const FLOWS: &[Flow] = &[
    Flow {
        name: "create",
        before: nothing,
        is_cold: false,
        begin: guide,
        is_ended: is_ready,
    },
    Flow {
        name: "create-whole",
        before: nothing,
        is_cold: false,
        begin: whole,
        is_ended: is_ready,
    },
    Flow {
        name: "create-cold",
        before: nothing,
        is_cold: true,
        begin: guide,
        is_ended: is_ready,
    },
    Flow {
        name: "update",
        before: |world| world.api.create(NAME, &json!({"tags": {"old": "1"}})),
        is_cold: false,
        begin: |world| declare(world, &everything()),
        is_ended: is_ready,
    },
    Flow {
        name: "update-back",
        before: whole,
        is_cold: false,
        begin: |world| declare(world, &json!({"permissionsBoundary": RDS})),
        is_ended: is_ready,
    },
    Flow {
        name: "repair",
        before: guide,
        is_cold: false,
        begin: |world| {
            widen(world);
            request(world);
        },
        is_ended: is_ready,
    },
    Flow {
        name: "repair-whole",
        before: whole,
        is_cold: false,
        begin: |world| {
            world.iam.fake.tamper(ROLE, |role| {
                GUIDE.clone_into(&mut role.trust_policy);
                role.permissions_boundary = None;
                role.attached.remove(EC2);
                role.inline.clear();
                role.tags.remove("team");
                role.tags.remove("pinpoint-import.dev/uid");
                role.description = Some("others'".to_owned());
            });
            request(world);
        },
        is_ended: is_ready,
    },
    Flow {
        name: "repair-gone",
        before: guide,
        is_cold: false,
        begin: |world| {
            world.iam.fake.remove_role(ROLE);
            request(world);
        },
        is_ended: is_ready,
    },
    Flow {
        name: "report",
        before: |world| world.api.create(NAME, &json!({"driftPolicy": "Report"})),
        is_cold: false,
        begin: |world| {
            widen(world);
            request(world);
        },
        is_ended: |world| world.is_said("Ready", "False", "DriftDetected"),
    },
    Flow {
        name: "adopt",
        before: |world| drop(world.iam.fake.put_role(by_hand())),
        is_cold: false,
        begin: adopt,
        is_ended: is_ready,
    },
    Flow {
        name: "adopt-nothing",
        before: nothing,
        is_cold: false,
        begin: adopt,
        is_ended: is_ready,
    },
    Flow {
        name: "adopt-left",
        before: |world| drop(world.iam.fake.put_role(of_another("gone"))),
        is_cold: false,
        begin: adopt,
        is_ended: is_ready,
    },
    Flow {
        name: "adopt-owned",
        before: |world| {
            world.api.create("other", &json!({"roleName": ROLE}));
        },
        is_cold: false,
        begin: adopt,
        is_ended: |world| world.is_said("Ready", "False", "RoleNotOwned"),
    },
    Flow {
        name: "delete",
        before: whole,
        is_cold: false,
        begin: delete,
        is_ended: is_gone,
    },
    Flow {
        name: "delete-tampered",
        before: guide,
        is_cold: false,
        begin: |world| {
            widen(world);
            delete(world);
        },
        is_ended: is_gone,
    },
    Flow {
        name: "retain",
        before: |world| world.api.create(NAME, &json!({"deletionPolicy": "Retain"})),
        is_cold: false,
        begin: delete,
        is_ended: is_gone,
    },
    Flow {
        name: "suspend",
        before: guide,
        is_cold: false,
        begin: |world| {
            widen(world);
            declare(world, &json!({"suspend": true}));
        },
        is_ended: |world| world.is_said("Suspended", "True", "Suspended"),
    },
    Flow {
        name: "resume",
        before: |world| world.api.create(NAME, &json!({"suspend": true})),
        is_cold: false,
        begin: |world| declare(world, &json!({"tags": {"team": "a"}})),
        is_ended: is_ready,
    },
    Flow {
        name: "anew",
        before: guide,
        is_cold: false,
        begin: |world| {
            delete(world);
            world.then_create(&json!({"managedPolicyArns": [S3, EC2]}));
        },
        is_ended: is_ready,
    },
];
