//! The guard against the naive model, with driven time and random operations.

mod model;

use proptest::prelude::*;

/// Operations, mostly reports from one or two sources at short intervals, so that windows fill.
fn operations(reports: u32) -> impl Strategy<Value = Vec<u8>> {
    let wild = any::<[u8; 4]>();
    let report = (0..8u8, 12..32u8, 0..4u8, any::<u8>())
        .prop_map(|(step, what, which, detail)| [step, what, which, detail]);
    let threshold = prop_oneof![Just(1u8), Just(2), 3..30u8, Just(60), Just(255)];
    let operation = prop_oneof![reports => report, 1 => wild];
    (threshold, prop::collection::vec(operation, 0..400)).prop_map(|(threshold, operations)| {
        let mut input = vec![threshold];
        input.extend(operations.iter().flatten());
        input
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    #[test]
    fn every_answer_equals_the_models(input in operations(1)) {
        model::run(&input);
    }

    #[test]
    fn every_verdict_equals_the_models_under_steady_reports(input in operations(20)) {
        model::run(&input);
    }

    #[test]
    fn no_load_makes_the_guard_ban_below_the_threshold(
        threshold in 1..8u8,
        operations in prop::collection::vec(any::<[u8; 4]>(), 0..60),
    ) {
        let mut input = vec![threshold];
        input.extend(operations.iter().flatten());
        model::run_crowd(&input);
    }
}

#[test]
fn ties_at_exactly_sixty_seconds_and_wrapping_clocks_agree_with_the_model() {
    // One source, one report a step: three seconds apart, then exactly sixty seconds after the first, then
    // across the wrap of 32 bits of milliseconds.
    for gap in [8, 10, 11, 12, 14, 15] {
        let mut input = vec![20];
        for round in 0..200u8 {
            let step = if round % 23 == 22 { gap } else { 8 };
            input.extend([step, 12, 0, round]);
        }
        model::run(&input);
    }
}
