//! What a model says that is not obeyed: refused, or told.

use expect_test::expect;

use super::House;
use super::triggers::{CHANGED, house, one_trigger, refused};

#[tokio::test]
async fn a_trigger_that_would_not_be_obeyed_is_refused_with_the_place() {
    for (more, expected) in [
        (
            ", rearm: { after: NEVER }",
            expect![[
                r#"knowledge-model-invalid: knowledge model "km", triggers (line 19): unknown variant `NEVER`, expected one of ON_LEAVE"#
            ]],
        ),
        (
            ", rearm: NEVER",
            expect![[r#"knowledge-model-invalid: knowledge model "km", triggers (line 19): expected mapping start"#]],
        ),
        (
            ", cooldownMinutes: 30",
            expect![[
                r#"knowledge-model-invalid: knowledge model "p.km", triggers.T.cooldownMinutes (line 19): only cooldownMinutes: 0 is supported so far; write that or leave it out"#
            ]],
        ),
        (
            ", caps: { perMinute: 0 }",
            expect![[
                r#"knowledge-model-invalid: knowledge model "p.km", triggers.T (line 19): "caps.perMinute" is 0: with that nothing is ever sent; use shadow: true to only record"#
            ]],
        ),
        (
            ", itemLimit: 0",
            expect![[
                r#"knowledge-model-invalid: knowledge model "p.km", triggers.T (line 19): "itemLimit" is 0: with no room for one instance it never fires"#
            ]],
        ),
    ] {
        refused(&one_trigger(CHANGED, more), &expected).await;
    }
}

#[tokio::test]
async fn values_that_mean_what_happens_anyway_pass() {
    let house = house().await;
    let more =
        ", fireOn: ENTER, rearm: { after: ON_LEAVE, cooldownMinutes: 0 }, evaluate: CONTINUOUS, internalNote: hi";
    house.publish(&one_trigger(CHANGED, more).replace("unknownKey: { is: kept }", "")).await;
    assert_eq!(told(&house).await, "");
}

#[tokio::test]
async fn a_key_without_effect_is_told_and_kept() {
    let house = house().await;
    let text = one_trigger(CHANGED, ", itemlimit: 3");
    house.publish(&text).await;
    expect![[r#"
        unknownKey (line 5): the key "unknownKey" is not known and has no effect
        triggers.T.itemlimit (line 19): the key "itemlimit" is not known and has no effect; did you mean "itemLimit"?"#]]
    .assert_eq(&told(&house).await);
    let texts = house.mining().get("p.km").await.expect("a model");
    assert_eq!(texts.published, Some(text));
}

#[tokio::test]
async fn the_example_says_nothing_in_vain() {
    let text = include_str!("../../../../examples/purchase-to-pay/knowledge-model.yaml");
    assert_eq!(crate::notices::read("late-steps", text).expect("it is obeyed"), []);
}

async fn told(house: &House) -> String {
    let notices = house.mining().notices("p.km").await.expect("it is published");
    let lines: Vec<String> = notices.iter().map(ToString::to_string).collect();
    lines.join("\n")
}
