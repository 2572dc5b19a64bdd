//! What is to be had from a sweep.

use control::Profile;

use super::ratio::Ratio;
use super::report::shown;
use super::{Point, Recommendation};

/// The multiple for each profile. Where noise leaves several, the smallest: it delays others least.
pub(super) fn recommend(points: &[Point]) -> Vec<Recommendation> {
    let cpu = best(points, |point| point.cpu, 1.0);
    let throughput = best(points, |point| point.throughput, -1.0);
    let quick: Vec<_> = points
        .iter()
        .filter(|point| point.latency.is_noise() || point.latency.mean < 1.0)
        .cloned()
        .collect();
    let latency = best(&quick, |point| point.cpu, 1.0);
    let one = |profile: Profile, point: Option<&Point>, what: &str, ratio: fn(&Point) -> Ratio| {
        let point = point?;
        let ratio = ratio(point);
        let why = if point.multiple == 1 {
            "no larger multiple is better by more than the noise".to_owned()
        } else {
            format!("{what} {}", shown(ratio))
        };
        Some(Recommendation {
            profile: profile.name(),
            multiple: point.multiple,
            why,
        })
    };
    let all = [
        one(Profile::Cpu, cpu, "processor time for a byte", |point| {
            point.cpu
        }),
        one(Profile::Throughput, throughput, "throughput", |point| {
            point.throughput
        }),
        one(
            Profile::Latency,
            latency,
            "processor time for a byte without more latency,",
            |point| point.cpu,
        ),
    ];
    all.into_iter().flatten().collect()
}

/// The smallest multiple within what the best may be off by. `sign` is 1 where less is better.
fn best(points: &[Point], ratio: fn(&Point) -> Ratio, sign: f64) -> Option<&Point> {
    let value = |point: &Point| ratio(point).mean * sign;
    let best = points.iter().min_by(|a, b| value(a).total_cmp(&value(b)))?;
    let margin = ratio(best).off_by;
    let mut points = points.iter();
    points.find(|point| value(point) - value(best) <= margin)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn point(multiple: u32, cpu: (f64, f64), latency: (f64, f64)) -> Point {
        let ratio = |(mean, off_by)| Ratio { mean, off_by };
        Point {
            multiple,
            told: 0,
            largest_large_send: 0,
            cpu: ratio(cpu),
            throughput: ratio((1.0 / cpu.0, cpu.1)),
            latency: ratio(latency),
        }
    }

    fn multiples(points: &[Point]) -> Vec<u32> {
        recommend(points).iter().map(|one| one.multiple).collect()
    }

    #[test]
    fn noise_recommends_the_smallest() {
        let one = point(1, (1.0, 0.0), (1.0, 0.0));
        let noise = point(4, (0.97, 0.10), (1.05, 0.20));
        assert_eq!(multiples(&[one.clone(), noise]), [1, 1, 1]);
        let clear = point(4, (0.80, 0.02), (1.40, 0.10));
        assert_eq!(multiples(&[one.clone(), clear.clone()]), [4, 4, 1]);
        let hardly_better = point(8, (0.79, 0.02), (1.90, 0.10));
        assert_eq!(multiples(&[one, clear, hardly_better]), [4, 4, 1]);
    }
}
