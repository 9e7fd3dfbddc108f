//! The graph of an endpoint's steps: which wait for which. Checked when the configuration is loaded, so that running it
//! cannot go wrong.

use std::collections::BTreeSet;

/// One step, as far as the graph is concerned.
#[derive(Debug, Clone)]
pub(crate) struct StepShape {
    /// The name of its result.
    pub(crate) name: String,
    /// The results it waits for.
    pub(crate) after: Vec<String>,
    /// The programs that read results: where each stands, such as `with.id`, and its text.
    pub(crate) programs: Vec<(String, String)>,
}

/// The order of an endpoint's steps.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Plan {
    /// For each step the steps it waits for.
    pub(crate) waits_for: Vec<Vec<usize>>,
    /// For each step every step that is certainly done when it starts; it sees these results and no other, so that what
    /// it sees does not depend on who answers first.
    pub(crate) sees: Vec<Vec<usize>>,
}

/// What is wrong with a graph.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct PlanFault {
    /// The step.
    pub(crate) step: usize,
    /// The key below the step, such as `after`.
    pub(crate) key: String,
    /// What is wrong.
    pub(crate) detail: String,
}

impl Plan {
    /// Orders the steps, or tells every fault.
    pub(crate) fn compile(steps: &[StepShape]) -> Result<Self, Vec<PlanFault>> {
        let mut faults = Vec::new();
        let position = |name: &str| steps.iter().position(|step| step.name == name);
        let mut waits_for = Vec::new();
        for (index, step) in steps.iter().enumerate() {
            if position(&step.name) != Some(index) {
                let detail = format!("the result `{}` is already made by an earlier step", step.name);
                faults.push(PlanFault { step: index, key: "as".to_owned(), detail });
            }
            let mut earlier = Vec::new();
            for name in &step.after {
                match position(name) {
                    Some(other) if !earlier.contains(&other) => earlier.push(other),
                    Some(_) => {}
                    None => {
                        let detail = format!("no step makes the result `{name}`");
                        faults.push(PlanFault { step: index, key: "after".to_owned(), detail });
                    }
                }
            }
            waits_for.push(earlier);
        }
        let sees: Vec<BTreeSet<usize>> = (0..steps.len()).map(|index| closure(index, &waits_for)).collect();
        for (index, (step, seen)) in steps.iter().zip(&sees).enumerate() {
            if seen.contains(&index) {
                let detail = "the step waits for itself, in a circle".to_owned();
                faults.push(PlanFault { step: index, key: "after".to_owned(), detail });
                continue;
            }
            for (key, program) in &step.programs {
                for name in results_named(program) {
                    let detail = match position(name) {
                        None => format!("no step makes the result `{name}`"),
                        Some(other) if !seen.contains(&other) => {
                            format!("the result `{name}` is not there yet: name it in `after`")
                        }
                        Some(_) => continue,
                    };
                    faults.push(PlanFault { step: index, key: key.clone(), detail });
                }
            }
        }
        if !faults.is_empty() {
            return Err(faults);
        }
        Ok(Self { waits_for, sees: sees.into_iter().map(|seen| seen.into_iter().collect()).collect() })
    }
}

/// Every step reachable through `waits_for`; contains the step itself only when there is a circle.
fn closure(start: usize, waits_for: &[Vec<usize>]) -> BTreeSet<usize> {
    let mut seen = BTreeSet::new();
    let mut open = waits_for[start].clone();
    while let Some(next) = open.pop() {
        if seen.insert(next) {
            open.extend(&waits_for[next]);
        }
    }
    seen
}

/// The names after `.results.` in a program, as far as its text shows them.
pub(crate) fn results_named(program: &str) -> Vec<&str> {
    const PREFIX: &str = ".results.";
    let is_word = |c: char| c.is_ascii_alphanumeric() || c == '_';
    let mut names = Vec::new();
    for (at, _) in program.match_indices(PREFIX) {
        let before = program[..at].chars().next_back();
        // `.item.results.x` is another `results`.
        if before.is_some_and(|c| is_word(c) || matches!(c, ']' | ')' | '"' | '?' | '.')) {
            continue;
        }
        let rest = &program[at + PREFIX.len()..];
        let name = &rest[..rest.find(|c| !is_word(c)).unwrap_or(rest.len())];
        if !name.is_empty() {
            names.push(name);
        }
    }
    names
}

/// Functions that look at their input as a whole.
const WHOLE: [&str; 13] =
    ["entries", "map", "keys", "del", "path", "add", "tojson", "tostring", "walk", "recurse", "any", "all", "values"];

/// Whether a program may look at this result, as far as its text shows; when that shows too little, it may.
pub(crate) fn may_see(program: &str, result: &str) -> bool {
    let named = results_named(program);
    if named.len() != program.matches("results").count() {
        return true;
    }
    // The whole scope is looked at by a dot that no name follows, or by a function of it.
    let is_whole = |(at, _): (usize, &str)| {
        let next = program[at + 1..].chars().next();
        !next.is_some_and(|c| c.is_ascii_alphanumeric() || matches!(c, '_' | '"'))
    };
    named.contains(&result)
        || named.is_empty() && program.match_indices('.').any(is_whole)
        || named.is_empty() && WHOLE.iter().any(|word| program.replace(".path", "").contains(word))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn step(name: &str, after: &[&str], program: &str) -> StepShape {
        StepShape {
            name: name.to_owned(),
            after: after.iter().map(|&name| name.to_owned()).collect(),
            programs: vec![("with.x".to_owned(), program.to_owned())],
        }
    }

    #[test]
    fn a_step_sees_what_is_certainly_done() {
        let steps =
            [step("a", &[], "1"), step("b", &["a"], ".results.a.id"), step("c", &["b"], ".results.a, .results.b")];
        let plan = Plan::compile(&steps).expect("a chain");
        assert_eq!(plan.waits_for, [vec![], vec![0], vec![1]]);
        assert_eq!(plan.sees, [vec![], vec![0], vec![0, 1]]);
    }

    #[test]
    fn what_a_program_may_look_at_is_known_by_its_text() {
        for program in [
            ".results.a",
            "{x: .results.a.b}",
            ".results",
            ".results[\"a\"]",
            ". as $all | $all.results.b",
            ".",
            "to_entries",
            "{results}",
        ] {
            assert!(may_see(program, "a"), "{program}");
        }
        for program in
            [".results.b", "{x: .results.b | map(.id)}", ".path.id", "1, 2", "\"x\"", ".headers.\"x-a\" // .query.b"]
        {
            assert!(!may_see(program, "a"), "{program}");
        }
    }

    #[test]
    fn every_fault_is_told() {
        let steps = [
            step("a", &["b"], "1"),
            step("b", &["a"], "1"),
            step("a", &["nobody"], ".results.nothing"),
            step("d", &[], ".results.b | .item.results.z"),
        ];
        let faults = Plan::compile(&steps).expect_err("faults");
        let told: Vec<_> = faults.iter().map(|fault| (fault.step, fault.key.as_str())).collect();
        assert_eq!(told, [(2, "as"), (2, "after"), (0, "after"), (1, "after"), (2, "with.x"), (3, "with.x")]);
    }

    proptest! {
        #[test]
        fn steps_that_only_look_back_always_have_an_order(edges in prop::collection::vec((0usize..12, 0usize..12), 0..40)) {
            let name = |index: usize| format!("s{index}");
            let steps: Vec<_> = (0..12)
                .map(|index| StepShape {
                    name: name(index),
                    after: edges.iter().filter(|(from, to)| *from == index && *to < index).map(|(_, to)| name(*to)).collect(),
                    programs: Vec::new(),
                })
                .collect();
            let plan = Plan::compile(&steps).expect("no circle");
            for (index, seen) in plan.sees.iter().enumerate() {
                prop_assert!(seen.iter().all(|other| *other < index));
                prop_assert!(plan.waits_for[index].iter().all(|other| seen.contains(other)));
            }
        }
    }
}
