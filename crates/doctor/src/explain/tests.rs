use raincheck_diagnosis::{Product, Remedy, remedies};

use super::*;

#[test]
fn a_page_names_itself_and_has_its_sections() {
    for &name in Name::ALL {
        let page = page(name);
        assert_eq!(page.lines().next(), Some(format!("# {name}: {}", headline(name)).as_str()));
        assert!(!headline(name).ends_with('.'), "{name}");
        let sections: Vec<&str> = page.lines().filter_map(|line| line.strip_prefix("## ")).collect();
        assert_eq!(sections, SECTIONS, "{name}");
        for section in page.split("\n## ").skip(1) {
            let (title, text) = section.split_once('\n').unwrap();
            assert!(!text.trim().is_empty(), "{name}: nothing under {title}");
        }
    }
}

#[test]
fn pages_fit_a_terminal() {
    for &name in Name::ALL {
        let lines = page(name).lines().count();
        assert!((25..=60).contains(&lines), "{name}: {lines} lines");
        for line in page(name).lines() {
            assert!(line.chars().count() <= WIDTH, "{name}: {line}");
            assert_eq!(line, line.trim_end(), "{name}");
        }
        // In the list of all, names stand in front.
        assert!(headline(name).chars().count() <= 71, "{name}: {}", headline(name));
    }
}

#[test]
fn the_book_lists_all_pages() {
    let rows = BOOK.lines().filter(|line| line.starts_with("| ["));
    let expected = Name::ALL.iter().map(|&name| format!("| [{name}](findings/{name}.md) | {} |", headline(name)));
    assert_eq!(rows.collect::<Vec<_>>(), expected.collect::<Vec<_>>());
}

#[test]
fn findings_that_pages_speak_of_exist() {
    for &name in Name::ALL {
        for word in hyphenated(&prose(page(name))) {
            assert!(Name::parse(word).is_some() || WORDS.contains(&word), "{name}: {word} is no finding");
        }
    }
}

#[test]
fn each_remedy_is_on_its_page() {
    let mut missing = Vec::new();
    for &name in Name::ALL {
        let page = page(name).split_whitespace().collect::<Vec<_>>().join(" ");
        for Remedy { product, change } in remedies(name) {
            let bullets = match product {
                Product::Any => vec!["- any ".to_owned()],
                product => vec![format!("- {product}:"), format!("- {product},")],
            };
            if !bullets.iter().any(|bullet| page.contains(bullet)) {
                missing.push(format!("{name}: {product}"));
            }
            for typed in change.split('`').skip(1).step_by(2).filter(|typed| !page.contains(typed)) {
                missing.push(format!("{name}, {product}: {typed}"));
            }
        }
    }
    assert!(missing.is_empty(), "in remedies alone:\n{}", missing.join("\n"));
}

/// The text without what is typed and drawn.
fn prose(page: &str) -> String {
    let lines: Vec<&str> = page.lines().filter(|line| !line.starts_with("    ")).collect();
    lines.join(" ").split('`').step_by(2).collect()
}

/// Words that look like the names of findings.
fn hyphenated(text: &str) -> impl Iterator<Item = &str> {
    text.split_whitespace().filter(|word| !word.contains("://")).flat_map(|word| {
        let is_outside = |c: char| !(c.is_alphanumeric() || "-_/.".contains(c));
        word.split(is_outside).map(|part| part.trim_matches(['.', '-', '/'])).filter(|part| {
            part.contains('-') && part.chars().all(|c| c == '-' || c.is_ascii_lowercase() || c.is_ascii_digit())
        })
    })
}

const BOOK: &str = include_str!("../../../../docs/doctor.md");

const SECTIONS: [&str; 5] =
    ["What happens on the wire", "Who does it", "What it costs", "How to fix it", "Where it is written up"];

const WIDTH: usize = 100;

/// Words with hyphens that are no findings.
const WORDS: &[&str] =
    &["all-zero", "client-auth", "half-close", "health-checking", "keep-alive", "one-way", "server-side", "single-use"];
