//! The page of figures says what was measured.

use std::{env, fs, path::Path};

use test_support::bench::made;

#[test]
fn the_page_and_its_pictures_are_made_of_the_figures() {
    env::set_current_dir(Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")).unwrap();
    let made = made().unwrap();
    for (file, text) in made {
        let there = fs::read_to_string(&file).unwrap_or_default();
        assert!(
            there == text,
            "{} is not what the figures make of it: `make bench PARTS=publish` renews it",
            file.display()
        );
    }
}
