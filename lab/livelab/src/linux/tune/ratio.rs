//! Ratios with the interval that the true one is in.

use serde::Serialize;
use statrs::distribution::{ContinuousCDF, StudentsT};

/// The mean of a ratio over rounds, each of which was measured in a pair, and its interval.
///
/// The logarithms of the ratios are averaged, so that 2 and 1/2 cancel out; the interval is
/// Student's t of these paired differences.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Ratio {
    /// The geometric mean.
    pub mean: f64,
    /// The lower end of the interval; 0 where a single ratio is known.
    pub low: f64,
    /// The upper end.
    pub high: f64,
    /// How many ratios.
    #[serde(skip)]
    rounds: f64,
}

impl Ratio {
    /// The geometric mean of `values`, with an interval that holds the true one with this confidence.
    pub fn of(values: &[f64], confidence: f64) -> Self {
        let rounds = values.len() as f64;
        let logs = || values.iter().map(|value| value.ln());
        let mean = logs().sum::<f64>() / rounds;
        let squares = logs().map(|log| (log - mean).powi(2));
        let deviation = (squares.sum::<f64>() / (rounds - 1.0)).sqrt();
        let off_by = StudentsT::new(0.0, 1.0, rounds - 1.0).map_or(f64::INFINITY, |t| {
            t.inverse_cdf(0.5 + confidence / 2.0) * deviation / rounds.sqrt()
        });
        Self {
            mean: mean.exp(),
            low: (mean - off_by).exp(),
            high: (mean + off_by).exp(),
            rounds,
        }
    }

    /// The ratio of a thing to itself.
    pub const ONE: Self = Self {
        mean: 1.0,
        low: 1.0,
        high: 1.0,
        rounds: 0.0,
    };

    /// The other way round.
    pub fn inverse(self) -> Self {
        Self {
            mean: 1.0 / self.mean,
            low: 1.0 / self.high,
            high: 1.0 / self.low,
            ..self
        }
    }

    /// Whether the interval holds 1, so that the ratio is neither above nor below it for certain.
    pub fn is_noise(self) -> bool {
        self.low <= 1.0 && self.high >= 1.0
    }

    /// About how many rounds it takes until the interval does not hold `bound`, were the mean and
    /// the spread right: its width goes with the root of their number.
    pub fn rounds_to_tell_from(self, bound: f64) -> f64 {
        let half = (self.high / self.mean).ln();
        let distance = (self.mean / bound).ln().abs();
        (self.rounds * (half / distance).powi(2)).ceil() + 1.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The interval of R's `t.test(extra ~ group, data = sleep, paired = TRUE)`, by its manual.
    #[test]
    fn the_interval_is_that_of_a_paired_t_test() {
        let first = [0.7, -1.6, -0.2, -1.2, -0.1, 3.4, 3.7, 0.8, 0.0, 2.0];
        let second = [1.9, 0.8, 1.1, 0.1, -0.1, 4.4, 5.5, 1.6, 4.6, 3.4];
        let pairs = first.iter().zip(second);
        let ratios: Vec<_> = pairs.map(|(a, b): (&f64, f64)| (a - b).exp()).collect();
        let ratio = Ratio::of(&ratios, 0.95);
        for (is, by_r) in [
            (ratio.mean, -1.58),
            (ratio.low, -2.459_885_8),
            (ratio.high, -0.700_114_2),
        ] {
            assert!((is.ln() - by_r).abs() < 1e-6, "{} is not {by_r}", is.ln());
        }
        assert!(!ratio.is_noise());
    }

    #[test]
    fn noise_without_a_recommendation() {
        assert!(Ratio::of(&[0.5], 0.95).is_noise());
        assert!(Ratio::of(&[0.5, 2.0, 0.7, 1.4], 0.95).is_noise());
        assert!(!Ratio::of(&[0.80, 0.81, 0.79], 0.95).is_noise());
        assert!(Ratio::ONE.is_noise());
        // Half the width takes four times as many.
        let wide = Ratio {
            mean: 0.9,
            low: 0.9 * 0.9 * 0.9,
            high: 1.0 / 0.9,
            rounds: 6.0,
        };
        assert!((wide.rounds_to_tell_from(1.0) - 25.0).abs() < 1.5);
    }
}
