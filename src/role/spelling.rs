//! What somebody may have meant who wrote an unknown name.

/// The known name that is most like a text; none if none is like it.
#[must_use]
pub fn nearest<'a>(text: &str, known: &[&'a str]) -> Option<&'a str> {
    let likeness = |name: &str| strsim::jaro_winkler(&text.to_lowercase(), &name.to_lowercase());
    let best = known
        .iter()
        .copied()
        .max_by(|a, b| likeness(a).total_cmp(&likeness(b)))?;
    (likeness(best) > 0.8).then_some(best)
}

#[cfg(test)]
mod tests {
    use super::nearest;

    #[test]
    fn slips_are_recognized_and_others_not() {
        let known = ["roleName", "managedPolicyArns", "tags"];
        assert_eq!(nearest("rolename", &known), Some("roleName"));
        assert_eq!(nearest("managedPolicyArn", &known), Some("managedPolicyArns"));
        assert_eq!(nearest("tag", &known), Some("tags"));
        assert_eq!(nearest("zzz", &known), None);
        assert_eq!(nearest("a", &[]), None);
    }
}
