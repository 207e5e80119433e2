//! Versions: what was published, what differs, the way back.

#![expect(clippy::needless_raw_string_hashes, reason = "updated snapshots are written with them")]

use std::fmt::Write as _;

use base::error::Coded;
use expect_test::expect;

use super::actor;
use super::triggers::{CHANGED, STUCK, house, one_trigger};
use crate::{Change, Which};

#[tokio::test]
async fn every_publication_keeps_its_text_and_can_be_had_back() {
    let house = house().await;
    let mining = house.mining();
    let (first, second) = (one_trigger(CHANGED, ""), one_trigger(STUCK, ", itemLimit: 5"));
    house.publish_at("2026-03-01 08:00", &first).await;
    house.publish_at("2026-03-02 08:00", &second).await;
    mining.put_draft(&actor(), "p", &format!("{second}# not yet done\n")).await.expect("a draft");
    let back = mining.roll_back(&actor(), "p.km", 1).await.expect("it still fits");
    assert_eq!(back.version, 3);
    let mut told = String::new();
    for version in mining.versions("p.km").await.expect("a model") {
        let crate::VersionView { version, published_at, published_by, of_version, is_current, .. } = version;
        let _ = writeln!(told, "{version} {published_at} {published_by} of {of_version:?} current {is_current}");
    }
    expect![[r#"
        3 2026-03-02T08:00:00.000Z Loopwright (test) of Some(1) current true
        2 2026-03-02T08:00:00.000Z Loopwright (test) of None current false
        1 2026-03-01T08:00:00.000Z Loopwright (test) of None current false
    "#]]
    .assert_eq(&told);
    let text = |which| {
        let mining = mining.clone();
        async move { mining.source("p.km", which).await.map(|source| source.text) }
    };
    assert_eq!(text(Which::Version(1)).await.expect("a text"), first);
    assert_eq!(text(Which::Published).await.expect("a text"), first);
    assert_eq!(text(Which::Version(2)).await.expect("a text"), second);
    assert!(text(Which::Draft).await.expect("a text").ends_with("# not yet done\n"), "the draft is as it was");
    let error = text(Which::Version(4)).await.expect_err("there are three");
    expect![[r#"knowledge-model-version-unknown: knowledge model "p.km" has no version 4; the last one is 3"#]]
        .assert_eq(&format!("{}: {error}", error.code()));
}

#[tokio::test]
async fn two_texts_are_compared_object_by_object_and_line_by_line() {
    let house = house().await;
    let mining = house.mining();
    house.publish(&one_trigger(CHANGED, "")).await;
    let other = one_trigger(CHANGED, "")
        .replace("- { id: EVENTS, pql: 'PU_COUNT", "- { id: EVENTS, unit: events, pql: 'PU_COUNT")
        .replace("> 0\n", "> 1\n")
        .replace("unknownKey: { is: kept }", "kpis:\n  - { id: N, pql: 'COUNT_TABLE(\"EV\")' }");
    mining.put_draft(&actor(), "p", &other).await.expect("a draft");
    let difference = mining.difference("p.km", Which::Published, Which::Draft).await.expect("both can be read");
    let mut told = String::new();
    for object in &difference.objects {
        let change = match object.change {
            Change::Added => "added",
            Change::Changed => "changed",
            Change::Removed => "removed",
        };
        let _ = writeln!(told, "{} {} {change} logic {:?}", object.list, object.id, object.logic_changed);
        for key in &object.keys {
            let _ = writeln!(told, "  {}: {:?} > {:?}", key.key, key.before, key.after);
        }
    }
    expect![[r#"
        model  changed logic None
          unknownKey: Some("{is: kept}") > None
        records ORDER changed logic None
          attributes.EVENTS.unit: None > Some("events")
        filters WANTED changed logic None
          pql: Some("PU_COUNT(\"EV_CASES\", \"EV\".\"ACT\", \"EV\".\"ACT\" = 'Change') > 0\n") > Some("PU_COUNT(\"EV_CASES\", \"EV\".\"ACT\", \"EV\".\"ACT\" = 'Change') > 1\n")
        kpis N added logic None
        triggers T changed logic Some(true)
    "#]].assert_eq(&told);
    expect![[r#"
        @@ -2,7 +2,8 @@
         kind: BASE
         metadata: { key: km, displayName: Orders }
         dataModelId: orders
        -unknownKey: { is: kept }
        +kpis:
        +  - { id: N, pql: 'COUNT_TABLE("EV")' }
         records:
           - id: ORDER
             pql: '"EV_CASES"'
        @@ -10,10 +11,10 @@
             attributes:
               - { id: LAST, pql: 'PU_LAST("EV_CASES", "EV"."ACT")' }
               - { id: SINCE, pql: 'PU_LAST("EV_CASES", "EV"."TS")' }
        -      - { id: EVENTS, pql: 'PU_COUNT("EV_CASES", "EV"."ACT")' }
        +      - { id: EVENTS, unit: events, pql: 'PU_COUNT("EV_CASES", "EV"."ACT")' }
         filters:
           - id: WANTED
             pql: |
        -      PU_COUNT("EV_CASES", "EV"."ACT", "EV"."ACT" = 'Change') > 0
        +      PU_COUNT("EV_CASES", "EV"."ACT", "EV"."ACT" = 'Change') > 1
         triggers:
           - { id: T, record: ORDER, filterIds: [WANTED], outputs: [LAST, SINCE, EVENTS] }
    "#]]
    .assert_eq(&difference.text);
    let same = mining.difference("p.km", Which::Version(1), Which::Published).await.expect("both can be read");
    assert_eq!((same.objects.len(), same.text.as_str()), (0, ""));
}
