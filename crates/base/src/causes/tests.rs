use expect_test::{Expect, expect};
use proptest::prelude::*;

use super::*;

fn chain(records: &[&str]) -> Causes {
    records.iter().fold(Causes::NONE, |chain, record| chain.then(Link::new(["orders.late", "LATE", record])))
}

fn check(records: &[&str], expected: Expect) {
    expected.assert_eq(&chain(records).to_string());
}

#[test]
fn a_chain_reads_from_far_to_near() {
    check(&[], expect![[""]]);
    check(&["4711"], expect![["orders.late/LATE/4711"]]);
    check(&["1", "2", "1"], expect![["orders.late/LATE/1 > orders.late/LATE/2 > orders.late/LATE/1"]]);
    check(&["PO 4711/10 > ä%", ""], expect![["orders.late/LATE/PO%204711%2F10%20%3E%20%C3%A4%25 > orders.late/LATE/"]]);
}

#[test]
fn it_returns_when_it_comes_to_the_same_link_again() {
    let returned = |records: &[&str]| chain(records).returned().map(|link| link.names()[2].to_owned());
    assert_eq!(returned(&[]), None);
    assert_eq!(returned(&["1"]), None);
    assert_eq!(returned(&["1", "2"]), None, "another record is another link");
    assert_eq!(returned(&["1", "2", "1"]), Some("1".into()));
    assert_eq!(returned(&["1", "1", "2"]), None, "it has returned before, and gone on");
}

#[test]
fn what_is_not_of_our_making_is_no_chain() {
    for text in [
        " ",
        "LATE",
        "a/b",
        "a/b/c/d",
        "a/b/c,d/e/f",
        "a/b/c >d/e/f",
        "a/b/c > ",
        "a/b/%4",
        "a/b/%zz",
        "a/b/%c3%a4",
        "a/b/%41",
        "a/b/%FF",
        "a/b/ä",
        "a/b/<script>",
    ] {
        assert_eq!(Causes::parse(text), Err(NotAChain), "{text}");
    }
    let long = format!("a/b/{}", "c".repeat(NAME_BYTES_MAX + 1));
    assert_eq!(Causes::parse(&long), Err(NotAChain));
    let many = vec!["a/b/c"; LINKS_MAX + 1].join(THEN);
    assert_eq!(Causes::parse(&many), Err(NotAChain));
    let stored: Causes = serde_json::from_str("\"garbage\"").expect("a document stays readable");
    assert!(stored.is_empty());
}

#[test]
fn a_header_counts_if_there_is_one_and_it_is_ours() {
    let of = |values: &[&str]| {
        let mut headers = HeaderMap::new();
        for value in values {
            headers.append(HEADER, value.parse().expect("a header"));
        }
        Causes::of_headers(&headers).to_string()
    };
    assert_eq!(of(&[]), "");
    assert_eq!(of(&["a/b/c > a/b/d"]), "a/b/c > a/b/d");
    assert_eq!(of(&["a/b/c", "a/b/d"]), "", "which of them should it be?");
    assert_eq!(of(&["' OR 1=1"]), "");
}

#[test]
fn chains_that_meet_keep_what_is_near() {
    let one = chain(&["far", "1", "both"]);
    let other = chain(&["2", "both"]);
    let names = |causes: Causes| causes.links().iter().map(|link| link.names()[2].to_owned()).collect::<Vec<_>>();
    assert_eq!(names(Causes::together([&one, &other])), ["far", "2", "1", "both"]);
    assert_eq!(names(Causes::together([&chain(&["1", "1"])])), ["1", "1"], "one chain stays as it is");
    assert_eq!(names(Causes::together([])), [""; 0]);
    let many: Vec<Causes> = (0..100).map(|number: i32| chain(&["far", &number.to_string()])).collect();
    assert_eq!(Causes::together(&many).links().len(), LINKS_MAX);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn whatever_is_chained_is_bounded_and_reads_back(
        links in prop::collection::vec([".{0,20}", "\\PC{0,20}", "(.{0,8})|(\\PC{150,400})"], 0..60)
    ) {
        let links: Vec<Link> = links.iter().map(|[a, b, c]| Link::new([a, b, c])).collect();
        let chain = links.iter().fold(Causes::NONE, |chain, link| chain.then(link.clone()));
        let text = chain.to_string();
        prop_assert!(chain.links().len() <= LINKS_MAX && text.len() <= TEXT_BYTES_MAX);
        prop_assert!(links.ends_with(chain.links()), "the newest are kept, in order");
        prop_assert_eq!(links.is_empty(), chain.is_empty(), "one always fits");
        prop_assert!(text.bytes().all(|byte| byte.is_ascii_graphic() || byte == b' '), "it fits into a header");
        prop_assert_eq!(Causes::parse(&text), Ok(chain));
    }

    #[test]
    fn whatever_is_read_was_written_so(text in "[a-c/%0-9A-F >]{0,40}") {
        if let Ok(chain) = Causes::parse(&text) {
            prop_assert_eq!(chain.to_string(), text);
        }
    }

    #[test]
    fn long_names_stay_themselves(one in "\\PC{100,300}", other in "\\PC{100,300}") {
        let link = |name: &str| Link::new(["m", "T", name]);
        prop_assert!(link(&one).names()[2].len() <= NAME_BYTES_MAX);
        prop_assert_eq!(link(&one) == link(&other), one == other);
    }
}
