//! Specs whose values lie at the edges of what each field takes.

use proptest::{
    collection::{btree_map, vec},
    prelude::*,
    sample::select,
    strategy::ValueTree,
    string::string_regex,
    test_runner::TestRunner,
};
use serde_json::{Map, Value, json};

/// Generated specs.
const SPECS: usize = 1500;
/// Generated specs for each text with a pattern.
const TEXTS: usize = 60;

/// A text of these characters and one of these lengths.
fn text(characters: &str, lengths: Vec<usize>) -> BoxedStrategy<String> {
    let characters: Vec<char> = characters.chars().collect();
    select(lengths)
        .prop_flat_map(move |length| vec(select(characters.clone()), length))
        .prop_map(|characters| characters.into_iter().collect())
        .boxed()
}

/// One of these texts, sometimes with a character put in, taken out, or the whole repeated.
fn near(texts: &'static [&'static str], characters: &'static str) -> BoxedStrategy<String> {
    edited(select(texts).prop_map(str::to_owned), characters)
}

fn edited(texts: impl Strategy<Value = String> + 'static, characters: &'static str) -> BoxedStrategy<String> {
    let characters: Vec<char> = characters.chars().collect();
    (texts, any::<prop::sample::Index>(), select(characters), 0..5)
        .prop_map(|(text, place, other, how)| {
            let mut all: Vec<char> = text.chars().collect();
            let at = place.index(all.len() + 1);
            match how {
                0 => all.insert(at, other),
                1 => drop((at < all.len()).then(|| all.remove(at))),
                _ => {}
            }
            all.into_iter().collect()
        })
        .boxed()
}

/// Values of a schema in which one text lies at an edge of its pattern and its longest length, so that a new field is tried though
/// nobody names it here. Those with neighbours that are required are not among them.
fn patterned(schema: &Value) -> Vec<BoxedStrategy<Value>> {
    if let Some(pattern) = schema["pattern"].as_str() {
        // Accounts are the one that the controller looks at.
        let pattern = pattern.trim_matches(['^', '$']).replace("[0-9]{12}", "(123456789012)");
        let texts = string_regex(&pattern).expect("a pattern").boxed();
        let most = usize::try_from(schema["maxLength"].as_u64().expect("a longest length")).expect("a length");
        let lengthened = (texts.clone(), 0..3_usize).prop_map(move |(text, more)| {
            let all: Vec<char> = text.chars().collect();
            let last = all.last().into_iter().cycle().skip(all.len());
            all.iter().chain(last).take(most + more - 1).collect()
        });
        return vec![value(prop_oneof![edited(texts, ODD), lengthened])];
    }
    let is_whole = schema["required"].as_array().is_none_or(Vec::is_empty);
    let fields = schema["properties"].as_object().into_iter().flatten();
    let within = fields.filter(|_| is_whole).flat_map(|(name, schema)| {
        let texts = patterned(schema).into_iter();
        texts.map(move |text| {
            (Just(name.clone()), text)
                .prop_map(|(name, text)| json!({name: text}))
                .boxed()
        })
    });
    let listed = schema.get("items").into_iter().flat_map(patterned);
    within
        .chain(listed.map(|text| text.prop_map(|text| json!([text])).boxed()))
        .collect()
}

fn value(text: impl Strategy<Value = String> + 'static) -> BoxedStrategy<Value> {
    text.prop_map(Value::from).boxed()
}

/// What fits no field, or only by chance.
fn junk() -> BoxedStrategy<Value> {
    let values = vec![
        json!(null),
        json!(true),
        json!(0),
        json!(3600.0),
        json!(3600.5),
        json!(-1e20),
        json!(u64::MAX),
        json!(""),
        json!("3600"),
        json!([]),
        json!({}),
        json!([null]),
        json!({"a": null}),
        json!(["a"]),
        json!({"a": 1}),
        json!({"a": "b"}),
    ];
    select(values).boxed()
}

const ARN: &[&str] = &[
    "arn:aws:iam::aws:policy/AmazonS3ReadOnlyAccess",
    "arn:aws-cn:iam::aws:policy/job-function/ViewOnlyAccess",
    "arn:aws:iam::123456789012:policy/team//a",
    "arn:aws:iam::aws:policy//a",
    "arn:aws:iam::aws:role/a",
    "arn:AWS:iam::aws:policy/a",
];

const KEY: &[&str] = &[
    "arn:aws:kms:us-east-1:123456789012:key/1234abcd-12ab",
    "arn:aws:kms:us-east-1:123456789012:alias/a",
    "arn:aws:kms::123456789012:key/a",
];

/// Letters, marks, spaces and digits that readers of patterns are known to differ about.
const ODD: &str = "aZ09_.:/=+@-,!*\\ \t\n\u{1}\u{7f}\u{85}\u{a0}¡éſKKßÄä\u{301}\u{93e}\u{345}٣Ⅷ²セ日𝄞😀\u{2028}\u{3000}\u{200b}\u{feff}\u{ff}\u{100}";

fn arn() -> BoxedStrategy<Value> {
    let long = text("ab/", vec![2000, 2024, 2025, 2100]).prop_map(|path| format!("arn:aws:iam::aws:policy/{path}/x"));
    prop_oneof![6 => near(ARN, ODD), 1 => long, 1 => text("a", vec![127, 128, 129]).prop_map(|name| format!("arn:aws:iam::aws:policy/{name}"))]
        .prop_map(Value::from)
        .boxed()
}

fn tags() -> BoxedStrategy<Value> {
    let key = prop_oneof![
        4 => text(ODD, vec![1, 2, 3]),
        2 => text("aé", vec![0, 127, 128, 129]),
        2 => select(&["team", "Team", "aws:a", "AWS:a", "aws", "pinpoint-import.dev/uid", "Pinpoint-Import.dev/Cluster", "pinpoint-import.dev/cluſter", "pinpoint-import.dev/x"][..]).prop_map(str::to_owned),
    ];
    let held = prop_oneof![4 => text(ODD, vec![0, 1, 2]).prop_map(Value::from), 1 => text("bé", vec![255, 256, 257]).prop_map(Value::from), 1 => junk()];
    let many =
        (39_usize..43).prop_map(|count| (0..count).map(|n| (format!("k{n}"), json!("v"))).collect::<Map<_, _>>());
    prop_oneof![6 => btree_map(key, held, 1..3).prop_map(|tags| json!(tags)), 1 => many.prop_map(Value::Object)].boxed()
}

fn trust() -> BoxedStrategy<Value> {
    const REGIONS: &[&str] = &[
        "us-east-1",
        "ap-southeast-1",
        "us-gov-west-1",
        "us-east-12",
        "us-1",
        "a-b-1",
        "u-east-1",
        "us-east-123",
    ];
    let region = near(REGIONS, ODD);
    let id = prop_oneof![3 => text("0123456789abcdef", vec![32]), 1 => text("0aAg٣", vec![31, 32, 33])];
    let odd = vec(
        prop_oneof![4 => (region, id).prop_map(|(region, id)| json!({"region": region, "id": id})), 1 => junk()],
        0..3,
    );
    let count = select(vec![17_usize, 19, 20, 21]);
    let many = (
        select(&["us-east-1", "eu-west-1", "ap-southeast-1", "us-gov-west-1"][..]),
        count,
    )
        .prop_map(|(region, count)| {
            (0..count)
                .map(|n| json!({"region": region, "id": format!("{n:032x}")}))
                .collect::<Vec<_>>()
        });
    let source = prop_oneof![value(near(&["123456789012"], "0٣a")), junk()];
    let applications = prop_oneof![odd, many];
    prop_oneof![
        4 => applications.prop_map(|applications| json!({"applications": applications})),
        1 => source.prop_map(|source| json!({"sourceAccount": source})),
        1 => junk().prop_map(|junk| json!({"applications": junk})),
    ]
    .boxed()
}

fn buckets() -> BoxedStrategy<Value> {
    let name = prop_oneof![
        near(&["my-bucket", "a.b", "ab", "-ab", "abc"], ODD),
        text("ab-", vec![2, 3, 63, 64])
    ];
    let prefix = prop_oneof![3 => text(ODD, vec![1, 2, 3]), 1 => text("aセ", vec![0, 511, 512, 513])];
    let one = prop_oneof![
        (name, prefix.clone()).prop_map(|(name, prefix)| json!({"name": name, "prefix": prefix})),
        prefix.prop_map(|prefix| json!({"name": "my-bucket", "prefix": prefix})),
        near(KEY, ODD).prop_map(|key| json!({"name": "my-bucket", "kmsKeyArn": key})),
        junk().prop_map(|junk| json!({"name": "my-bucket", "prefix": junk})),
    ];
    let shapes = (
        select(vec![1_usize, 19, 20, 21]),
        select(vec![10_usize, 90, 110, 150, 200]),
        select(vec!['a', 'セ', '*']),
    );
    let many = shapes.prop_map(|(count, length, of)| {
        let prefix = of.to_string().repeat(length);
        (0..count)
            .map(|n| json!({"name": format!("bucket-{n:02}"), "prefix": prefix}))
            .collect::<Vec<_>>()
    });
    prop_oneof![vec(one, 1..3), many]
        .prop_map(|buckets| json!(buckets))
        .boxed()
}

/// Fields, and values at the edges of what each takes.
fn fields() -> Vec<(&'static str, BoxedStrategy<Value>)> {
    const NUMBERS: [f64; 10] = [
        3600.0,
        3599.0,
        43200.0,
        43201.0,
        3600.5,
        -3600.0,
        2_147_483_648.0,
        1e18,
        1e19,
        1e300,
    ];
    const INTERVALS: &[&str] = &[
        "30s",
        "29s",
        "29.9s",
        "30.5s",
        "24h",
        "24h1s",
        "1439m60s",
        "1h30m",
        "0.5m",
        "0.25h",
        "86400s",
        "86401s",
        "24h0.5s",
        "29.99999999999999999999999999s",
        "9999999999999999999999999999h",
        "30000ms",
        "29999ms",
        "1d",
        "5",
        "0",
        "-5m",
        "30us",
        "1m1m",
        "0024h",
        "0.50000000000000000000001m",
        "24h0.0s",
    ];
    let name = prop_oneof![
        text("abZ9_+=,.@-", vec![1, 63, 64, 65]),
        text(ODD, vec![0, 1, 2]),
        near(&["Import"], ODD)
    ];
    let path = prop_oneof![
        near(
            &[
                "/",
                "/a/",
                "/aws-service-role/a/",
                "/aws-service-role/",
                "/a/b/",
                "//",
                "///",
                "/a",
                "a/"
            ],
            ODD
        ),
        text("a", vec![509, 510, 511]).prop_map(|path| format!("/{path}/"))
    ];
    let description = prop_oneof![text(ODD, vec![1, 2]), text("aé", vec![0, 999, 1000, 1001])];
    let one_of = |values: &'static [&'static str]| prop_oneof![3 => value(near(values, "aA ")), 1 => junk()].boxed();
    vec![
        ("roleName", value(name)),
        ("path", value(path)),
        ("description", value(description)),
        ("maxSessionDuration", prop_oneof![3 => select(&NUMBERS[..]).prop_map(|n| json!(n)), 1 => (3590..3610_i64).prop_map(Value::from), 1 => junk()].boxed()),
        ("permissionsBoundary", arn()),
        ("tags", tags()),
        ("trust", trust()),
        ("managedPolicyArns", vec(arn(), 1..4).prop_map(|arns| json!(arns)).boxed()),
        ("buckets", buckets()),
        ("undeclaredPolicies", one_of(&["Keep", "Remove"])),
        ("driftPolicy", one_of(&["Repair", "Report"])),
        ("adoptionPolicy", one_of(&["Adopt", "Never"])),
        ("deletionPolicy", one_of(&["Delete", "Retain"])),
        ("accountId", value(near(&["123456789012", "000000000000"], "0٣a "))),
        ("suspend", prop_oneof![Just(json!(true)), junk()].boxed()),
        ("interval", prop_oneof![3 => value(select(INTERVALS).prop_map(str::to_owned)), 1 => value(near(INTERVALS, "0.smh"))].boxed()),
        ("rolename", junk()),
    ]
}

/// Specs with one or two values at an edge.
pub fn generated() -> Vec<Value> {
    let field = select(fields()).prop_flat_map(|(field, odd)| (Just(field), prop_oneof![9 => odd, 1 => junk()]));
    let spec = vec(field, 1..3).prop_map(|fields| {
        let fields: Map<String, Value> = fields
            .into_iter()
            .map(|(field, value)| (field.to_owned(), value))
            .collect();
        Value::Object(fields)
    });
    drawn(&spec.boxed(), SPECS)
}

/// Specs of one text that has a pattern.
pub fn texts() -> Vec<Value> {
    let schema = include_str!("../../../deploy/schemas/pinpointimportrole_v1alpha1.json");
    let schema: Value = serde_json::from_str(schema).expect("a schema");
    let specs = patterned(&schema["properties"]["spec"]);
    specs.iter().flat_map(|spec| drawn(spec, TEXTS)).collect()
}

fn drawn(spec: &BoxedStrategy<Value>, count: usize) -> Vec<Value> {
    let mut runner = TestRunner::deterministic();
    let one = |_| spec.new_tree(&mut runner).expect("a spec").current();
    (0..count).map(one).collect()
}
