//! `plan`: what the controller would do to IAM, found by the controller's own functions. It reads only.

mod html;
mod markdown;
mod report;
mod sarif;
mod text;
mod watched;
mod words;

use std::{collections::BTreeMap, process::ExitCode, sync::Arc, time::Duration};

use clap::{Args, ValueEnum, builder::FalseyValueParser};
use futures::{StreamExt, TryStreamExt, stream};
use kube::ResourceExt;
use tokio::sync::watch;

use self::{
    html::html,
    markdown::markdown,
    report::{ObjectPlan, PlanReport},
    sarif::sarif,
    text::text,
    watched::WatchFilter,
};
use super::{
    ending::{finish, refuse},
    iam::{Calls, iam, progress},
    manifests::{self, Declared, ManifestArgs, Node, Rules, check},
    medium::{Rendered, print, say},
    objects::Cluster,
    rules::RuleArgs,
};
use crate::{
    api::v1alpha1::{PinpointImportRole, PinpointImportRoleStatus},
    aws::{Accounts, Iam, Place},
    config::{BudgetArgs, ClusterArgs, File, WatchArgs},
    role::{
        Account, Head, ObservedRole, Owner, Problem,
        decision::{Decision, Situation, foresee, without_account},
        desired::{advice, role_name},
        outcome::Outcome,
        ownership::Rival,
        policy::trust::{ENDED, WAY_OUT},
        recent::{Clock, Recent},
    },
};

/// From so many roles of an account on, all of it is read in bulk: three calls a role, or one for up to 500.
const BULK: usize = 30;
/// Roles read at the same time. The account's budget of calls is what limits it; more would only wait there.
const AT_ONCE: usize = 8;

/// Flags of `plan`.
#[derive(Args, Clone, Debug)]
pub(super) struct PlanArgs {
    #[command(flatten)]
    manifests: ManifestArgs,

    #[command(flatten)]
    cluster: ClusterArgs,

    /// Form of the output
    #[arg(short, long, env = "PIR_PLAN_OUTPUT", value_enum, default_value_t = PlanOutput::Text)]
    output: PlanOutput,

    /// Exit code 1 if a change widens access
    #[arg(long, env = "PIR_FAIL_ON_WIDENING", value_parser = FalseyValueParser::new())]
    fail_on_widening: bool,

    #[command(flatten)]
    watch: WatchArgs,

    #[command(flatten)]
    pub(super) rules: RuleArgs,

    #[command(flatten)]
    budget: BudgetArgs,
}

/// Form of the output.
#[derive(Clone, Copy, Debug, ValueEnum)]
enum PlanOutput {
    /// For people; with colour on terminals, unless `NO_COLOR` is set
    Text,
    /// For programs; the schema is deploy/pipeline/plan.schema.json
    Json,
    /// For a comment on a pull request: at most 60,000 characters, and what is left out is counted
    Markdown,
    /// SARIF 2.1.0, for places that show on the lines of a pull request what is refused and what widens access
    Sarif,
    /// A page that is whole by itself, to read in a browser, to send and to print
    Html,
}

/// An object, and what is known of it beside its spec.
struct PlannedObject {
    file: Option<String>,
    node: Option<Node>,
    object: PinpointImportRole,
    status: PinpointImportRoleStatus,
    /// What is allowed and should be known.
    notes: Vec<Problem>,
}

pub(super) fn plan(args: &PlanArgs, file: File) -> ExitCode {
    let accounts = file.accounts.clone();
    let rules = match args.rules.check(file) {
        Ok(rules) => rules,
        Err(problems) => return refuse(&problems),
    };
    let watched = match WatchFilter::new(&args.watch.namespaces, &args.watch.selector) {
        Ok(watched) => watched,
        Err(why) => return refuse(&[why]),
    };
    finish(async {
        let Some(declared) = declared(args, &rules)? else {
            return Err("the manifests have problems: see above".to_owned());
        };
        let calls = Arc::new(Calls::default());
        let cluster = cluster(args).await?;
        let subjects = if args.manifests.file.is_empty() {
            there(cluster.as_ref(), &watched)
        } else {
            let of = |declared| subject(declared, cluster.as_ref());
            declared.into_iter().map(of).collect()
        };
        let iam = iam(&args.budget, &calls).await?;
        let own = iam.account().await.map_err(|failure| failure.message)?;
        let (_told, known) = watch::channel(Some(Ok(own)));
        let accounts = Accounts::new(iam, known, accounts, 1);
        let outside = |subject: &PlannedObject| watched.covers(&subject.object).err();
        let (subjects, strangers): (Vec<_>, Vec<_>) =
            subjects.into_iter().partition(|subject| outside(subject).is_none());
        let found = observe(&subjects, &accounts).await?;
        let id = args
            .cluster
            .cluster_id
            .as_deref()
            .or(cluster.as_ref().map(|cluster| cluster.id.as_str()))
            .unwrap_or_default();
        let planned = subjects
            .iter()
            .zip(found)
            .map(|(subject, found)| foreseen(subject, found, &rules, id, cluster.as_ref()));
        let unwatched = strangers.iter().map(|subject| {
            let why = outside(subject).unwrap_or_default();
            ObjectPlan::unwatched(&subject.object, subject.file.clone(), &why)
        });
        let report = PlanReport::new(planned.chain(unwatched));
        let all = subjects.iter().chain(&strangers);
        let nodes: Vec<_> = all.map(|subject| subject.node.as_ref()).collect();
        print(&match args.output {
            PlanOutput::Text => text(&report),
            PlanOutput::Json => Rendered::json(&report)?,
            PlanOutput::Markdown => markdown(&report),
            PlanOutput::Sarif => sarif(&report, &nodes)?,
            PlanOutput::Html => html(&report)?,
        })?;
        say(format_args!("{} IAM calls, all of them reads", calls.count()));
        say(format_args!("{ENDED}: {WAY_OUT}"));
        Ok(verdict(args, &report))
    })
}

/// The cluster's objects; none where manifests are given with the cluster's identity.
async fn cluster(args: &PlanArgs) -> Result<Option<Cluster>, String> {
    let only_cluster = args.manifests.file.is_empty();
    let id = args.cluster.cluster_id.as_deref();
    if id.is_some() && !only_cluster {
        return Ok(None);
    }
    let way_out = if only_cluster {
        "; or name manifests with -f"
    } else {
        "; or give --cluster-id, to plan without the cluster"
    };
    let read = Cluster::read(id).await;
    read.map(Some).map_err(|why| format!("{why}{way_out}"))
}

/// The exit code, and why it is an error.
fn verdict(args: &PlanArgs, report: &PlanReport) -> ExitCode {
    if report.summary.refused > 0 {
        say(format_args!(
            "error: {} objects would be refused",
            report.summary.refused
        ));
        return ExitCode::FAILURE;
    }
    if args.fail_on_widening && report.summary.widening > 0 {
        say(format_args!(
            "error: {} changes widen access, and --fail-on-widening is set",
            report.summary.widening
        ));
        return ExitCode::FAILURE;
    }
    if report.changes() {
        ExitCode::from(2)
    } else {
        ExitCode::SUCCESS
    }
}

/// The objects of the manifests; none if these have problems, which are told then. No cluster and no AWS is asked for that.
fn declared(args: &PlanArgs, rules: &Rules) -> Result<Option<Vec<Declared>>, String> {
    let (found, unread) = manifests::read(&args.manifests.file);
    let checked = check(&found, rules);
    if unread.is_empty() && checked.problems.is_empty() {
        return Ok(Some(checked.sound));
    }
    if matches!(args.output, PlanOutput::Sarif) {
        print(&manifests::sarif(&checked, &unread)?)?;
    }
    for problem in checked.problems.iter().map(ToString::to_string).chain(unread) {
        say(problem);
    }
    Ok(None)
}

/// The cluster's objects, as far as the controller would watch them.
fn there(cluster: Option<&Cluster>, watched: &WatchFilter) -> Vec<PlannedObject> {
    let all = cluster.map(|cluster| cluster.objects.as_slice()).unwrap_or_default();
    let ours = all.iter().filter(|object| watched.covers(object).is_ok());
    let ours: Vec<PlannedObject> = ours
        .map(|object| live(None, object.clone(), advice(&object.spec).into_iter().collect()))
        .collect();
    if ours.len() < all.len() {
        say(format_args!(
            "{} objects of the cluster are left out: this controller does not watch them",
            all.len() - ours.len()
        ));
    }
    ours
}

/// The object of a manifest, with what the cluster knows of it.
fn subject(declared: Declared, cluster: Option<&Cluster>) -> PlannedObject {
    let node = Some(declared.node);
    let mut object = declared.object;
    let namespace = object.namespace().unwrap_or_default();
    if let Some(there) = cluster.and_then(|cluster| cluster.object(&namespace, &object.name_any())) {
        let same = there.spec == object.spec;
        object.metadata.uid.clone_from(&there.metadata.uid);
        // Another spec will be another generation.
        object.metadata.generation = there.metadata.generation.map(|now| now + i64::from(!same));
        object.status.clone_from(&there.status);
    }
    PlannedObject {
        node,
        ..live(Some(declared.file), object, declared.notes)
    }
}

/// What the controller would do about an object.
fn foreseen(
    subject: &PlannedObject,
    found: RoleRead,
    rules: &Rules,
    id: &str,
    cluster: Option<&Cluster>,
) -> ObjectPlan {
    let known = found.as_ref().map(|(account, role)| (account, role.as_ref()));
    let decision = predict(subject, known.map_err(Clone::clone), rules, id, cluster);
    let (account, observed) = found.ok().unzip();
    let plan = ObjectPlan::new(&subject.object, observed.flatten().as_ref(), &decision, &subject.notes);
    ObjectPlan {
        file: subject.file.clone(),
        account: account.map(|account| account.id),
        ..plan
    }
}

fn live(file: Option<String>, object: PinpointImportRole, notes: Vec<Problem>) -> PlannedObject {
    let status = object.status.clone().unwrap_or_default();
    PlannedObject {
        file,
        node: None,
        object,
        status,
        notes,
    }
}

/// An object's account and role, or why neither is known.
type RoleRead = Result<(Account, Option<ObservedRole>), Outcome>;

/// Reads the roles, in the order of their objects.
async fn observe(subjects: &[PlannedObject], accounts: &Accounts) -> Result<Vec<RoleRead>, String> {
    let mut by_account: BTreeMap<String, (Iam, Vec<(usize, String)>)> = BTreeMap::new();
    let mut found: Vec<RoleRead> = Vec::new();
    for (index, PlannedObject { object, .. }) in subjects.iter().enumerate() {
        let namespace = object.namespace().unwrap_or_default();
        match accounts.choose(&namespace, object.spec.account_id.as_deref()).await {
            Ok(Place { account, iam }) => {
                if let Ok(name) = role_name(&object.spec, &owner(object, "")) {
                    let entry = by_account
                        .entry(account.id.clone())
                        .or_insert_with(|| (iam, Vec::new()));
                    entry.1.push((index, name.as_str().to_owned()));
                }
                found.push(Ok((account, None)));
            }
            Err(outcome) => found.push(Err(outcome)),
        }
    }
    for (iam, names) in by_account.into_values() {
        for (index, role) in read(&iam, names).await? {
            if let Ok((_, observed)) = &mut found[index] {
                *observed = role;
            }
        }
    }
    Ok(found)
}

/// Reads roles of one account, one by one or all at once.
async fn read(iam: &Iam, names: Vec<(usize, String)>) -> Result<Vec<(usize, Option<ObservedRole>)>, String> {
    if names.len() >= BULK {
        let mut sweep = iam.sweep(progress()).await.map_err(|failure| failure.message)?;
        iam.complete(&mut sweep).await.map_err(|failure| failure.message)?;
        let role = |name: &str| sweep.roles.get(&name.to_lowercase()).map(|swept| swept.role.clone());
        return Ok(names.iter().map(|(index, name)| (*index, role(name))).collect());
    }
    let reads = names.into_iter().map(|(index, name)| async move {
        let role = match iam.head(&name).await? {
            Some(head) => Some(iam.policies(head, |_| true).await?),
            None => None,
        };
        Ok((index, role))
    });
    let all: Result<Vec<_>, crate::role::Failure> = stream::iter(reads).buffer_unordered(AT_ONCE).try_collect().await;
    all.map_err(|failure| failure.message)
}

/// The object as ownership tags will name it: a new one has no uid yet.
fn owner(object: &PinpointImportRole, cluster: &str) -> Owner {
    let mut owner = Owner::of_object(cluster, object);
    if owner.uid.is_empty() {
        "(the new object's)".clone_into(&mut owner.uid);
    }
    owner
}

/// What the controller would decide.
fn predict(
    subject: &PlannedObject,
    found: Result<(&Account, Option<&ObservedRole>), Outcome>,
    rules: &Rules,
    id: &str,
    cluster: Option<&Cluster>,
) -> Decision {
    let PlannedObject { object, status, .. } = subject;
    let head = found.as_ref().ok().and_then(|(_, role)| role.map(|role| &role.head));
    let owner = likely_owner(object, id, cluster, head);
    let situation = Situation {
        spec: &object.spec,
        owner: &owner,
        status,
        generation: object.metadata.generation.unwrap_or_default(),
        deleting: object.metadata.deletion_timestamp.is_some(),
        has_finalizer: object.has_finalizer(),
        guards: &rules.guards,
        role_path: &rules.role_path,
        recent: &Recent::default(),
        clock: Clock {
            now: Duration::ZERO,
            settle: Duration::ZERO,
        },
    };
    let rival = match (situation.rival(head), cluster) {
        (None, _) => Rival::Live,
        (Some(rival), Some(cluster)) if rival.cluster == cluster.id && cluster.lives(&rival) => Rival::Live,
        (Some(rival), Some(cluster)) if rival.cluster == cluster.id => Rival::Gone,
        (Some(_), _) => Rival::Unknown("it is in another cluster than was asked".to_owned()),
    };
    match found {
        Ok((account, role)) => foresee(&situation, account, role, &rival),
        Err(outcome) => Decision::End(without_account(&situation, outcome)),
    }
}

/// The object as ownership tags name it. Where no cluster was asked, nobody knows its uid: a role that bears its cluster, namespace and
/// name is taken for its.
fn likely_owner(object: &PinpointImportRole, id: &str, cluster: Option<&Cluster>, head: Option<&Head>) -> Owner {
    let mut owner = owner(object, id);
    if let (None, Some(tagged)) = (cluster, head.and_then(Owner::of))
        && (&tagged.cluster, &tagged.namespace, &tagged.name) == (&owner.cluster, &owner.namespace, &owner.name)
    {
        owner.uid = tagged.uid;
    }
    owner
}

#[cfg(test)]
mod tests;
