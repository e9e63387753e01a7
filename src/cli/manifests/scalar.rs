//! Scalars of YAML as kubectl reads them, and what others may take them for.

use std::borrow::Cow;

use granit_parser::{ScalarStyle, Tag};
use serde_json::Value;

use super::node::Doubt;

/// A scalar as kubectl sends it, and what others may take it for.
pub(super) fn scalar(text: &str, style: ScalarStyle, tag: Option<&Tag>) -> Result<(Value, Option<Doubt>), String> {
    let plain = style == ScalarStyle::Plain;
    let Some(tag) = tag else {
        if !plain {
            return Ok((text.into(), None));
        }
        let (here, there) = (by_kubectl(text)?, by_core_schema(text));
        let doubt = (here != there).then(|| {
            Doubt::noted(format!(
                "{text} is {here} to kubectl and {there} to tools that read YAML 1.2: write {here}, or put it in quotes"
            ))
        });
        return Ok((here, doubt));
    };
    let tagged = || format!("{text:?} does not fit its tag {tag}");
    let fits = |is: fn(&Value) -> bool| by_kubectl(text).ok().filter(is).ok_or_else(tagged);
    match tag.core_suffix() {
        Some("str") => Ok((text.into(), None)),
        Some("bool") => Ok((fits(Value::is_boolean)?, None)),
        Some("int") => Ok((fits(|value| value.is_i64() || value.is_u64())?, None)),
        Some("float") => Ok((fits(Value::is_number)?, None)),
        Some("null") => Ok((fits(Value::is_null)?, None)),
        _ => Ok((text.into(), strange(Some(tag), "str"))),
    }
}

/// A plain word as go.yaml.in/yaml/v2 takes it (`resolve.go`), and encoding/json writes it.
fn by_kubectl(text: &str) -> Result<Value, String> {
    Ok(match text {
        "y" | "Y" | "yes" | "Yes" | "YES" | "on" | "On" | "ON" | "true" | "True" | "TRUE" => true.into(),
        "n" | "N" | "no" | "No" | "NO" | "off" | "Off" | "OFF" | "false" | "False" | "FALSE" => false.into(),
        "" | "~" | "null" | "Null" | "NULL" => Value::Null,
        ".nan" | ".NaN" | ".NAN" | ".inf" | ".Inf" | ".INF" | "+.inf" | "+.Inf" | "+.INF" | "-.inf" | "-.Inf"
        | "-.INF" => {
            return Err(format!(
                "{text} is no number that JSON has, so kubectl can't send it: put it in quotes"
            ));
        }
        _ if text.starts_with(|c: char| c.is_ascii_digit() || "+-".contains(c)) => {
            let digits = text.replace('_', "");
            integer(&digits)
                .or_else(|| float(&digits))
                .unwrap_or_else(|| text.into())
        }
        _ if text.starts_with('.') => float(text).unwrap_or_else(|| text.into()),
        _ => text.into(),
    })
}

/// A plain word by the core schema of YAML 1.2.2, section 10.3.2.
fn by_core_schema(text: &str) -> Value {
    let octal = text.strip_prefix("0o").map(|digits| (digits, 8));
    let in_radix = octal.or_else(|| text.strip_prefix("0x").map(|digits| (digits, 16)));
    match text {
        "true" | "True" | "TRUE" => true.into(),
        "false" | "False" | "FALSE" => false.into(),
        "" | "~" | "null" | "Null" | "NULL" => Value::Null,
        _ => in_radix
            .filter(|(digits, _)| digits.starts_with(|c: char| c.is_ascii_hexdigit()))
            .and_then(|(digits, radix)| u64::from_str_radix(digits, radix).ok().map(Value::from))
            .or_else(|| text.parse::<i64>().ok().map(Value::from))
            .or_else(|| float(text))
            .unwrap_or_else(|| text.into()),
    }
}

/// An integer as Go's `strconv.ParseInt` and `ParseUint` take it with base 0: `0x`, `0o`, `0b`, and `0` for octal.
fn integer(text: &str) -> Option<Value> {
    let (negative, unsigned) = match text.strip_prefix('-') {
        Some(rest) => (true, rest),
        None => (false, text.strip_prefix('+').unwrap_or(text)),
    };
    let lower = unsigned.to_ascii_lowercase();
    let radices = [("0x", 16), ("0o", 8), ("0b", 2), ("0", 8)];
    let after = |(prefix, radix)| Some((lower.strip_prefix(prefix)?, radix));
    let in_radix = radices.into_iter().find_map(after);
    let (digits, radix) = in_radix
        .filter(|(digits, _)| !digits.is_empty())
        .unwrap_or((&lower, 10));
    let sound = digits.starts_with(|c: char| c.is_ascii_hexdigit());
    let signed: Cow<'_, str> = if negative {
        format!("-{digits}").into()
    } else {
        digits.into()
    };
    let small = i64::from_str_radix(&signed, radix).ok().map(Value::from);
    // Beyond 64 bits with a sign, Kubernetes has floats.
    let large = || {
        let large = u64::from_str_radix(digits, radix).ok().filter(|_| unsigned == text)?;
        float(&large.to_string())
    };
    small.or_else(large).filter(|_| sound)
}

/// A float, which becomes an integer in JSON where it is one: Go writes 3600.0 as 3600.
fn float(text: &str) -> Option<Value> {
    let style = text.bytes().all(|b| b.is_ascii_digit() || b"+-.eE".contains(&b));
    let number: f64 = text.parse().ok().filter(|number: &f64| style && number.is_finite())?;
    let whole = (number.fract() == 0.0)
        .then(|| format!("{number:.0}").parse::<i64>().ok())
        .flatten();
    Some(whole.map_or(Value::from(number), Value::from))
}

/// A doubt about a tag that is not the one that a value has anyway.
pub(super) fn strange(tag: Option<&Tag>, own: &str) -> Option<Doubt> {
    tag.filter(|tag| tag.core_suffix() != Some(own)).map(|tag| {
        Doubt::refused(format!(
            "the tag {:?} means something to some readers only: leave it out",
            tag.to_string()
        ))
    })
}
