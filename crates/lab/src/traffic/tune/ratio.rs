//! Ratios with how far they may be off.

use serde::Serialize;

/// The mean of several ratios, and the half width of the interval that holds the true one in 95 of
/// 100 cases.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Ratio {
    /// The mean.
    pub mean: f64,
    /// The half width; infinite where a single ratio is known.
    pub off_by: f64,
}

/// Student's t for 95 % by degrees of freedom, from 1; beyond, that of the normal distribution does.
const T: [f64; 20] = [
    12.706, 4.303, 3.182, 2.776, 2.571, 2.447, 2.365, 2.306, 2.262, 2.228, 2.201, 2.179, 2.160,
    2.145, 2.131, 2.120, 2.110, 2.101, 2.093, 2.086,
];

impl Ratio {
    /// Of `values`.
    #[must_use]
    pub fn of(values: &[f64]) -> Self {
        let count = values.len() as f64;
        let mean = values.iter().sum::<f64>() / count;
        let Some(free) = values.len().checked_sub(2) else {
            return Self {
                mean,
                off_by: f64::INFINITY,
            };
        };
        let squares = values.iter().map(|value| (value - mean).powi(2));
        let deviation = (squares.sum::<f64>() / (count - 1.0)).sqrt();
        let t = T.get(free).copied().unwrap_or(1.96);
        Self {
            mean,
            off_by: t * deviation / count.sqrt(),
        }
    }

    /// The ratio of a thing to itself.
    pub const ONE: Self = Self {
        mean: 1.0,
        off_by: 0.0,
    };

    /// Whether 1 is within what the true ratio may be: the noise is larger than the difference.
    #[must_use]
    pub fn is_noise(self) -> bool {
        (self.mean - 1.0).abs() <= self.off_by
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_interval_by_hand() {
        // Mean 2, deviation 1, t of 2 degrees of freedom 4.303: 4.303 / sqrt(3).
        let ratio = Ratio::of(&[1.0, 2.0, 3.0]);
        assert!((ratio.mean - 2.0).abs() < 1e-9 && (ratio.off_by - 2.484).abs() < 1e-3);
        assert!(ratio.is_noise());
        assert!(!Ratio::of(&[0.80, 0.81, 0.79]).is_noise());
        assert!(Ratio::of(&[0.5]).is_noise());
        assert!(Ratio::ONE.is_noise());
    }
}
