//! Looks for one linearization instead of all that can be reached: where it is found, nothing else
//! matters.
//!
//! In: calls, and states in which they begin. Out: that there is a linearization; otherwise nothing
//! is said. It goes on with the few most promising configurations. At a dead end it goes back some
//! moments and passes that point with more of them; the further and the more, the oftener it ends
//! there.

use super::configurations::{self, Configuration};
use super::meter::Stop;
use super::slots::{Open, Placed};
use super::unknown::UnknownCalls;
use super::{Meter, Moment, States, invoke, reach, returned};
use crate::call::Call;

/// So many configurations go on.
const WIDTH: usize = 1;
/// So many times more at each further try, and so many times further back.
const GROWTH: usize = 4;
/// Moments between two places to go back to.
const MARK_EVERY: usize = 8;
/// So many such places are remembered.
const MARKS_MAX: usize = 1 << 10;

struct Mark<const WORDS: usize> {
    moment: usize,
    frontier: Vec<Configuration<WORDS>>,
    open: Vec<Placed>,
}

/// Returns true if a linearization was found.
pub(super) fn attempt<const WORDS: usize>(
    calls: &[Call],
    moments: &[Moment],
    begin: States,
    unknown: &UnknownCalls,
    meter: &mut Meter,
) -> Result<bool, Stop> {
    let mut open = Open::<WORDS>::new();
    let mut frontier = configurations::beginning(begin, unknown);
    let mut marks: Vec<Mark<WORDS>> = Vec::new();
    let mut at = 0;
    // The furthest dead end, and how often it was met.
    let (mut end, mut tries) = (0, 0_u32);
    while at < moments.len() {
        let width = if at <= end { WIDTH * GROWTH.pow(tries) } else { WIDTH };
        if at.is_multiple_of(MARK_EVERY) {
            if marks.len() == MARKS_MAX {
                marks.drain(..MARKS_MAX / 2);
            }
            let open = open.calls().to_vec();
            marks.push(Mark { moment: at, frontier: frontier.clone(), open });
        }
        match moments[at] {
            Moment::Invoke(number) => invoke(&mut open, &mut frontier, number, calls),
            Moment::Return(number) => {
                let (behind, _) = reach::behind(frontier, &open, unknown, meter, Some(width))?;
                frontier = configurations::best(behind, width);
                returned(&mut open, &mut frontier, number);
            }
        }
        at += 1;
        if !frontier.is_empty() {
            continue;
        }
        tries = if at > end + MARK_EVERY { 1 } else { tries + 1 };
        if tries > 8 {
            return Ok(false);
        }
        end = end.max(at);
        let back = at.saturating_sub(MARK_EVERY * GROWTH.pow(tries));
        let kept = marks.partition_point(|mark| mark.moment <= back).max(1);
        marks.truncate(kept);
        let Some(mark) = marks.pop() else { return Ok(false) };
        (at, frontier, open) = (mark.moment, mark.frontier, Open::of(&mark.open));
    }
    Ok(true)
}
