//! What is evaluated for one case is what is evaluated for all of them, also
//! where a value depends on rows of other cases.

use std::sync::Arc;

use proptest::prelude::*;

use super::reference::{load, worlds};
use crate::evaluate::Evaluator;
use crate::log::NO_ROW;
use crate::pql::check::{Checker, Vocabulary};
use crate::pql::plan::{Grain, Node};

/// Conditions, and whether other cases have a part in them.
const CONDITIONS: [(&str, bool); 12] = [
    (r#"PU_MODE("ORDERS", "EV"."ACT") = 'a'"#, false),
    (r#"PU_STRING_AGG("ORDERS", "EV"."ACT", '' ORDER BY "EV"."H" DESC) > 'b'"#, false),
    (r#"PU_QUANTILE_LINEAR("VENDOR", "EV"."H", 0.3) > 1"#, true),
    (r#"PU_COUNT_DISTINCT(DOMAIN_TABLE("EV"."ACT"), "EV"."H") > 1"#, true),
    (r#"PU_COUNT(DOMAIN_TABLE("ORDERS"."VENDOR", "EV"."ACT"), "EV"."ACT") > 1"#, true),
    (r#"PU_SUM("ORDERS", LAG("EV"."H" ORDER BY "EV"."H")) > 1"#, true),
    (r#"INDEX_ORDER("ORDERS"."CASE", PARTITION BY ("ORDERS"."VENDOR")) = 2"#, true),
    (r#"RUNNING_SUM("ORDERS"."V") > 1"#, true),
    (r#"LOOKUP("ORDERS", "ITEMS"."Q", ("ORDERS"."V", "ITEMS"."Q")) >= 0"#, true),
    (r#"LOOKUP("EV", "VENDOR"."R", ("EV"."H", "VENDOR"."R")) = 1"#, true),
    (r#"BIND_FILTERS("ORDERS", "EV"."ACT" = 'a', "EV"."H" > 1, "VENDOR"."R" > 0)"#, false),
    (r#"BIND_FILTERS("VENDOR", "EV"."ACT" = 'a', "ITEMS"."Q" > 1)"#, true),
];

fn is_shared(checker: &Checker<'_>, condition: &Node) -> bool {
    let mut shared = false;
    condition.walk(&mut |node| shared |= node.is_shared(checker.program()));
    shared
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 128, ..ProptestConfig::default() })]

    #[test]
    fn a_case_alone_is_as_it_is_among_all(world in worlds()) {
        let log = load(&world);
        let words = Vocabulary::default();
        let mut checker = Checker::new(log.catalog().clone(), &words);
        let orders = Grain::Table(log.catalog().roles.case_table);
        let mut conditions = Vec::new();
        for (text, shared) in CONDITIONS {
            let node = checker.condition(text).expect("it fits");
            prop_assert_eq!(is_shared(&checker, &node), shared, "{}", text);
            let way = checker.way(&node, orders).expect("it is joined");
            conditions.push((node, way));
        }
        let evaluator = Evaluator::new(log.clone(), Arc::new(checker.finish()), 0);
        for (condition, (text, _)) in conditions.iter().zip(CONDITIONS) {
            let all = evaluator.everything(|scope| scope.selected(orders, [condition]));
            let with_row: Vec<u32> = (0..log.case_count()).filter(|case| log.case(*case).row != NO_ROW).collect();
            prop_assert_eq!(all.len(), with_row.len());
            for (case, expected) in with_row.into_iter().zip(all) {
                let alone = evaluator.cases(&[case], 0, None, |scope| scope.selected(orders, [condition]));
                prop_assert_eq!(alone, vec![expected], "{}", text);
            }
        }
    }
}
