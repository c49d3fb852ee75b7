//! Writes `junit.xml`: a night for CI systems, a case for each run.
//!
//! In: a [`Summary`]. Out: JUnit XML. Invalid and unknown runs are failures, crashes are errors,
//! runs that were not begun are left out, and counted in the matrix's output. No run that is not
//! valid looks as if it had passed.

use super::{
    outcome::{Kind, Outcome, Row},
    summary::Summary,
};
use failure::Failure;
use quick_junit::{NonSuccessKind, Report, TestCase, TestCaseStatus, TestSuite};
use std::time::Duration;
use terminal::escaped;

/// Returns the file's contents.
pub fn xml(summary: &Summary) -> Result<String, Failure> {
    let mut report = Report::new(format!("jepsen-tikv nightly, seed {}", summary.seed));
    for kind in Kind::ALL {
        let mut suite = TestSuite::new(kind.to_string());
        let rows = summary.rows.iter().filter(|row| row.kind == kind);
        suite.add_test_cases(rows.map(case));
        if kind == Kind::Matrix
            && let Some(sentence) = summary.cells_ran()
        {
            suite.set_system_out(sentence);
        }
        if !suite.test_cases.is_empty() {
            report.add_test_suite(suite);
        }
    }
    report.to_string().map_err(Failure::software)
}

fn case(row: &Row) -> TestCase {
    let status = match row.outcome {
        Outcome::Valid => TestCaseStatus::success(),
        worse => {
            let kind = if worse == Outcome::Crash {
                NonSuccessKind::Error
            } else {
                NonSuccessKind::Failure
            };
            let mut status = TestCaseStatus::non_success(kind);
            status.set_type(worse.to_string()).set_message(escaped(row.reason()));
            status.set_description(format!(
                "{}\n\n{}\n",
                row.reasons.iter().map(escaped).collect::<Vec<_>>().join("\n"),
                escaped(&row.command)
            ));
            status
        }
    };
    let mut case = named(&row.label, row.kind, status);
    case.set_time(Duration::from_secs_f64(row.seconds.max(0.0)));
    case.set_system_out(escaped(&row.command));
    case
}

fn named(label: &str, kind: Kind, status: TestCaseStatus) -> TestCase {
    let mut case = TestCase::new(escaped(label), status);
    case.set_classname(format!("jepsen-tikv.{}", kind.to_string().replace(' ', "-")));
    case
}

#[cfg(test)]
mod tests {
    use super::{
        super::summary::tests::{assert_shows_everything, hostile, row, summary},
        *,
    };

    #[test]
    fn texts_that_a_terminal_would_obey_are_shown_and_stay_xml() {
        let xml = xml(&hostile()).expect("XML");
        assert_shows_everything(&xml);
        let report = Report::deserialize_from_str(&xml).expect("JUnit");
        assert_eq!((report.tests, report.failures), (1, 1));
        assert!(!xml.contains("</pre>"), "{xml}");
    }

    #[test]
    fn only_what_is_valid_has_passed() {
        let xml = xml(&summary(vec![
            row("self-test-1", Kind::SelfTest, Outcome::Valid, Some(0)),
            row("fine", Kind::Matrix, Outcome::Valid, Some(0)),
            row("odd", Kind::Matrix, Outcome::Unknown, Some(2)),
            row("bad", Kind::Matrix, Outcome::Invalid, Some(1)),
            row("broken", Kind::Matrix, Outcome::Crash, None),
        ]))
        .expect("XML");
        let report = Report::deserialize_from_str(&xml).expect("JUnit");
        assert_eq!(report.tests, 5);
        assert_eq!((report.failures, report.errors), (2, 1));
        assert!(xml.contains("a | &lt;reason&gt;") && !xml.contains("later"), "{xml}");
        assert!(xml.contains("4 of 5 cells ran"), "{xml}");
    }
}
