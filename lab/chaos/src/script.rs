//! A run as a file: JSON lines, the first with the machine and the failure as far as it is known,
//! each further one a step.

use std::fs::{self, File};
use std::io::{self, Read};
use std::path::Path;

use serde::{Deserialize, Serialize};

use super::{
    generate::Generator,
    outcome::Failure,
    step::{Machine, Step},
};
use crate::error::Error;
use harness::json::SCHEMA;
use harness::random::Random;

/// Most bytes of a file that are read: beyond any script, and a bound on a device without an end.
const MOST: u64 = 256 << 20;

/// A machine, and what happens to it.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Script {
    /// The machine at the start.
    pub machine: Machine,
    /// The steps, in order.
    pub steps: Vec<Step>,
}

/// The origin of a script.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Origin {
    /// The seed of the run.
    pub seed: u64,
    /// The number of the episode in it.
    pub episode: u64,
    /// The step of the run that went wrong, before it was shrunk.
    pub step: u64,
    /// The failure.
    pub failure: Option<Failure>,
}

#[derive(Serialize, Deserialize)]
struct Head {
    /// The number of the script's form; scripts of before it was written have none.
    #[serde(default = "schema")]
    schema: u32,
    #[serde(flatten)]
    origin: Origin,
    machine: Machine,
}

fn schema() -> u32 {
    SCHEMA
}

impl Script {
    /// An episode of a run, as far as step number `end`.
    pub fn episode(seed: u64, episode: u64, end: u64) -> Self {
        let mut generator = Generator::new(seed, episode);
        Self {
            machine: generator.machine(),
            steps: (0..end).map(|_| generator.step()).collect(),
        }
    }

    /// The steps that `bytes` decide, until they are used up, and no more than `most`.
    pub fn of_bytes(bytes: &[u8], most: usize) -> Self {
        let mut generator = Generator::of(Random::of_bytes(bytes));
        let machine = generator.machine();
        let steps = std::iter::from_fn(|| generator.has_decisions().then(|| generator.step()));
        Self {
            machine,
            steps: steps.take(most).collect(),
        }
    }

    /// Reads a script.
    pub fn read(path: &Path) -> Result<Self, Error> {
        let none = |line: usize, why: serde_json::Error| {
            Error::Script(path.to_owned(), format!("line {}: {why}", line + 1))
        };
        let read = || {
            let mut text = String::new();
            File::open(path)?.take(MOST).read_to_string(&mut text)?;
            Ok(text)
        };
        let text =
            read().map_err(|why: io::Error| Error::Script(path.to_owned(), why.to_string()))?;
        let mut lines = text.lines().enumerate();
        let (_, head) = lines.next().unwrap_or((0, ""));
        let head: Head = serde_json::from_str(head).map_err(|why| none(0, why))?;
        if head.schema != SCHEMA {
            let why = format!("line 1: schema {}, not {SCHEMA}", head.schema);
            return Err(Error::Script(path.to_owned(), why));
        }
        let steps = lines
            .filter(|(_, line)| !line.trim().is_empty())
            .map(|(number, line)| serde_json::from_str(line).map_err(|why| none(number, why)));
        Ok(Self {
            machine: head.machine,
            steps: steps.collect::<Result<_, _>>()?,
        })
    }

    /// Writes the script.
    pub fn write(&self, path: &Path, origin: &Origin) -> Result<(), Error> {
        let head = Head {
            schema: SCHEMA,
            origin: origin.clone(),
            machine: self.machine.clone(),
        };
        let steps = self.steps.iter().map(line);
        let lines: Vec<_> = std::iter::once(line(&head)).chain(steps).collect();
        let text = lines.join("\n") + "\n";
        fs::write(path, text).map_err(|why| Error::Write(path.to_owned(), why))
    }
}

/// One line of JSON.
fn line(value: &impl Serialize) -> String {
    // Serializing these types cannot fail: their maps have only strings as keys.
    serde_json::to_string(value).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_script_comes_back_as_it_was_written() {
        let path = std::env::temp_dir().join(format!("mslso-script-{}.jsonl", std::process::id()));
        let script = Script::episode(5, 3, 400);
        let origin = Origin {
            seed: 5,
            episode: 3,
            ..Origin::default()
        };
        script.write(&path, &origin).unwrap();
        let first = fs::read_to_string(&path).unwrap();
        assert!(first.starts_with("{\"schema\":2,"), "{first:.40}");
        let read = Script::read(&path).unwrap();
        fs::remove_file(&path).unwrap();
        assert_eq!(read, script);
    }

    #[test]
    fn an_episode_is_the_same_again_and_another_one_is_not() {
        let script = Script::episode(7, 0, 50);
        assert_eq!(Script::episode(7, 0, 100).steps[..50], script.steps);
        assert_ne!(Script::episode(7, 1, 50).steps, script.steps);
        assert_ne!(Script::episode(8, 0, 50).steps, script.steps);
    }
}
