//! The recommendations that a sweep supports.

use control::Profile;

use super::ratio::Ratio;
use super::report::shown;
use super::{Point, Recommendation};

/// Latency up to this ratio is no more latency: the margin of a test for non-inferiority.
const MARGIN: f64 = 1.1;

/// Rounds beyond which it is of no use to wait.
const MANY: f64 = 10_000.0;

/// The multiple for each profile, only where the interval excludes the opposite. If several
/// qualify, the smallest within the tolerance of the best: it delays others least.
pub(super) fn recommend(points: &[Point]) -> Vec<Recommendation> {
    let raised: Vec<_> = points.iter().filter(|point| point.multiple > 1).collect();
    let cheaper: Vec<_> = raised
        .iter()
        .copied()
        .filter(|p| p.cpu.high < 1.0)
        .collect();
    let quick: Vec<_> = cheaper
        .iter()
        .copied()
        .filter(|point| point.latency.high <= MARGIN)
        .collect();
    // Less is better: throughput the other way round.
    let cpu = |point: &Point| point.cpu;
    let slow = |point: &Point| point.throughput.inverse();
    let faster = raised.iter().copied().filter(|p| slow(p).high < 1.0);
    let faster: Vec<_> = faster.collect();
    let all = [
        choice(
            Profile::Cpu,
            best(&cheaper, cpu),
            |point| {
                format!(
                    "the sender's processor time for a byte {}",
                    shown(point.cpu)
                )
            },
            || unknown(&raised, cpu, 1.0, "costs less"),
        ),
        choice(
            Profile::Throughput,
            best(&faster, slow),
            |point| format!("throughput {}", shown(point.throughput)),
            || unknown(&raised, slow, 1.0, "is faster"),
        ),
        choice(
            Profile::Latency,
            best(&quick, cpu),
            |point| {
                format!(
                    "the sender's processor time for a byte {}, latency {}, not 1.1 times as much",
                    shown(point.cpu),
                    shown(point.latency)
                )
            },
            || {
                if cheaper.is_empty() {
                    return unknown(&raised, cpu, 1.0, "costs less");
                }
                let what = "costs less and stays below 1.1 times the latency";
                unknown(&cheaper, |point| point.latency, MARGIN, what)
            },
        ),
    ];
    all.into()
}

fn choice(
    profile: Profile,
    best: Option<&Point>,
    why: impl Fn(&Point) -> String,
    otherwise: impl Fn() -> (Option<u32>, String),
) -> Recommendation {
    let (multiple, why) = match best {
        Some(point) => (Some(point.multiple), why(point)),
        None => otherwise(),
    };
    Recommendation {
        profile: profile.name(),
        multiple,
        why,
    }
}

/// The smallest multiple whose mean is within the interval of the best.
fn best<'a>(points: &[&'a Point], ratio: impl Fn(&Point) -> Ratio) -> Option<&'a Point> {
    let mut all = points.iter();
    let best = all
        .clone()
        .min_by(|a, b| ratio(a).mean.total_cmp(&ratio(b).mean))?;
    let reach = ratio(best).high;
    all.find(|point| ratio(point).mean <= reach).copied()
}

/// The answer if no point is certain to have a ratio below `bound`: either all are certainly above,
/// or more rounds are needed.
fn unknown(
    points: &[&Point],
    ratio: impl Fn(&Point) -> Ratio,
    bound: f64,
    what: &str,
) -> (Option<u32>, String) {
    if points.iter().all(|point| ratio(point).low > bound) {
        return (Some(1), format!("no larger multiple {what}"));
    }
    let rounds = points
        .iter()
        .map(|point| ratio(point))
        .filter(|ratio| ratio.low <= bound)
        .map(|ratio| ratio.rounds_to_tell_from(bound))
        .fold(f64::INFINITY, f64::min);
    let rounds = if rounds < MANY {
        format!("about --rounds {rounds:.0} would")
    } else {
        "so small a difference takes more rounds than are of use".to_owned()
    };
    (
        None,
        format!("the noise does not let it tell whether a larger multiple {what}; {rounds}"),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A ratio whose rounds are a little above and below.
    fn ratio(mean: f64, spread: f64) -> Ratio {
        let values: Vec<_> = (0..8_i32)
            .map(|round| mean * (spread * f64::from(round % 2 * 2 - 1)).exp())
            .collect();
        Ratio::of(&values, 0.95)
    }

    fn point(multiple: u32, cpu: (f64, f64), latency: (f64, f64)) -> Point {
        let cpu = ratio(cpu.0, cpu.1);
        Point {
            multiple,
            advertised: 0,
            largest_large_send: 0,
            cpu,
            throughput: cpu.inverse(),
            latency: ratio(latency.0, latency.1),
        }
    }

    fn multiples(points: &[Point]) -> [Option<u32>; 3] {
        let all = recommend(points);
        [0, 1, 2].map(|place| all[place].multiple)
    }

    #[test]
    fn noise_recommends_nothing_and_says_what_it_takes() {
        let noise = point(4, (0.97, 0.3), (1.0, 0.3));
        assert_eq!(multiples(std::slice::from_ref(&noise)), [None; 3]);
        let why = &recommend(&[noise])[0].why;
        assert!(why.contains("about --rounds "), "{why}");
    }

    #[test]
    fn noise_in_the_latency_is_not_its_absence() {
        // Measured once: 2.56 within 5.46 to both sides.
        let clear = point(4, (0.80, 0.02), (2.56, 1.4));
        assert_eq!(multiples(&[clear]), [Some(4), Some(4), None]);
        let slow = point(4, (0.80, 0.02), (1.4, 0.02));
        assert_eq!(multiples(&[slow]), [Some(4), Some(4), Some(1)]);
        let quick = point(4, (0.80, 0.02), (1.01, 0.02));
        assert_eq!(multiples(&[quick]), [Some(4); 3]);
    }

    #[test]
    fn of_those_as_good_the_smallest_is_taken() {
        let clear = point(4, (0.80, 0.02), (1.0, 0.02));
        let hardly = point(8, (0.795, 0.02), (1.0, 0.02));
        let better = point(8, (0.6, 0.02), (1.0, 0.02));
        assert_eq!(multiples(&[clear.clone(), hardly]), [Some(4); 3]);
        assert_eq!(multiples(&[clear, better]), [Some(8); 3]);
    }

    #[test]
    fn where_all_are_worse_it_is_1() {
        let worse = point(4, (1.2, 0.02), (1.3, 0.02));
        assert_eq!(multiples(&[worse]), [Some(1); 3]);
    }
}
