//! Reproducible pseudo-random numbers: SplitMix64 (Steele, Lea and Flood, "Fast splittable
//! pseudorandom number generators", 2014).

/// A generator.
#[derive(Clone, Debug)]
pub struct Random {
    state: u64,
    /// Numbers that come first, the next one last.
    given: Vec<u16>,
}

impl Random {
    /// A generator of the sequence that `seed` names.
    pub fn new(seed: u64) -> Self {
        Self {
            state: seed,
            given: Vec::new(),
        }
    }

    /// A generator of the numbers that `bytes` are, two bytes each, and then of a sequence of its
    /// own: a fuzzer that turns a byte changes one decision.
    pub fn of_bytes(bytes: &[u8]) -> Self {
        let (words, _) = bytes.as_chunks();
        Self {
            state: 0,
            given: words
                .iter()
                .rev()
                .map(|word| u16::from_le_bytes(*word))
                .collect(),
        }
    }

    /// How many numbers are still to come of those that were given.
    pub fn given(&self) -> usize {
        self.given.len()
    }

    /// The next number.
    pub fn number(&mut self) -> u64 {
        if let Some(number) = self.given.pop() {
            return number.into();
        }
        self.state = self.state.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.state;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^ (z >> 31)
    }

    /// A number below `end`, or 0.
    pub fn below(&mut self, end: u64) -> u64 {
        self.number().checked_rem(end).unwrap_or(0)
    }

    /// True once in `times`, on average.
    pub fn once_in(&mut self, times: u64) -> bool {
        self.below(times) == 0
    }

    /// Fills `bytes`.
    pub fn fill(&mut self, bytes: &mut [u8]) {
        for chunk in bytes.chunks_mut(8) {
            let number = self.number().to_le_bytes();
            chunk.copy_from_slice(&number[..chunk.len()]);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The first numbers of the seed 1234567, as its authors' code gives them.
    #[test]
    fn the_sequence_is_that_of_splitmix64() {
        let mut random = Random::new(1_234_567);
        assert_eq!(random.number(), 6_457_827_717_110_365_317);
        assert_eq!(random.number(), 3_203_168_211_198_807_973);
    }

    #[test]
    fn bytes_come_first() {
        let mut random = Random::of_bytes(&[1, 2, 3, 4, 5]);
        assert_eq!(random.given(), 2);
        assert_eq!([random.number(), random.number()], [0x0201, 0x0403]);
        assert_eq!(random.number(), Random::new(0).number());
    }

    #[test]
    fn a_short_end_is_filled_too() {
        let (mut long, mut short) = ([0; 16], [0; 11]);
        Random::new(5).fill(&mut long);
        Random::new(5).fill(&mut short);
        assert_eq!(long[..11], short);
    }
}
