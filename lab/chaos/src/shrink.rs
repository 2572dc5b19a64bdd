//! Shrinks a run that fails to a short one that fails in the same way: steps are left out, by delta
//! debugging (Zeller and Hildebrandt, "Simplifying and isolating failure-inducing input", 2002),
//! and the remaining steps are simplified.

use std::time::{Duration, Instant};

use serde::{Serialize, de::DeserializeOwned};
use serde_json::Value;

use super::script::Script;
use crate::error::Error;

/// Most runs that shrinking may take.
const MOST_TRIALS: u32 = 4000;
/// The time after which no further trial begins: a driver that hangs takes long to fail.
const PATIENCE: Duration = Duration::from_secs(90);

/// Numbers up to this are tried one by one.
const FEW: i64 = 8;

/// Runs a script, and returns whether it fails in the same way.
pub trait Trial {
    /// Whether it does.
    fn fails(&mut self, script: &Script) -> Result<bool, Error>;
}

struct Shrinker<'a, T> {
    trial: &'a mut T,
    script: Script,
    left: u32,
    begun: Instant,
}

/// The shortest script that is found.
pub fn shrink(trial: &mut impl Trial, script: Script) -> Result<Script, Error> {
    let left = MOST_TRIALS;
    let mut shrinker = Shrinker {
        trial,
        script,
        left,
        begun: Instant::now(),
    };
    loop {
        let before = shrinker.script.clone();
        shrinker.fewer_steps()?;
        shrinker.simpler_machine()?;
        shrinker.simpler_steps()?;
        if shrinker.script == before {
            return Ok(shrinker.script);
        }
    }
}

impl<T: Trial> Shrinker<'_, T> {
    /// Replaces the current script by `script`, if that fails too.
    fn accept(&mut self, script: Script) -> Result<bool, Error> {
        let late = self.left == 0 || self.begun.elapsed() > PATIENCE;
        if late || script == self.script {
            return Ok(false);
        }
        self.left -= 1;
        let fails = self.trial.fails(&script)?;
        if fails {
            self.script = script;
        }
        Ok(fails)
    }

    /// Leaves out ever shorter sections of the list.
    fn fewer_steps(&mut self) -> Result<(), Error> {
        let mut length = self.script.steps.len().div_ceil(2);
        while length > 0 {
            let mut start = 0;
            while start < self.script.steps.len() {
                let mut script = self.script.clone();
                let end = (start + length).min(script.steps.len());
                script.steps.drain(start..end);
                if !self.accept(script)? {
                    start += length;
                }
            }
            length = if length == 1 { 0 } else { length.div_ceil(2) };
        }
        Ok(())
    }

    fn simpler_steps(&mut self) -> Result<(), Error> {
        for place in 0..self.script.steps.len() {
            self.simplify(
                |script| simpler(&script.steps[place]),
                |script, step| script.steps[place] = step,
            )?;
        }
        Ok(())
    }

    fn simpler_machine(&mut self) -> Result<(), Error> {
        self.simplify(
            |script| more_usual(&script.machine),
            |script, machine| script.machine = machine,
        )
    }

    /// Tries every simpler value in place of one element, once.
    fn simplify<P>(
        &mut self,
        simpler: impl Fn(&Script) -> Vec<P>,
        put: impl Fn(&mut Script, P),
    ) -> Result<(), Error> {
        let mut at = 0;
        while let Some(part) = simpler(&self.script).into_iter().nth(at) {
            let mut script = self.script.clone();
            put(&mut script, part);
            if !self.accept(script)? {
                at += 1;
            }
        }
        Ok(())
    }
}

/// Simpler values: as JSON, with one element left out or one number smaller, where that still
/// deserializes, and is shorter to write or has smaller numbers.
fn simpler<T: Serialize + DeserializeOwned>(what: &T) -> Vec<T> {
    let value = value(what);
    let most = weight(&value);
    let fewer = less(&value).into_iter();
    fewer
        .filter_map(|value| serde_json::from_value(value).ok())
        .filter(|simpler| weight(&self::value(simpler)) < most)
        .collect()
}

/// The same with one field as it usually is.
fn more_usual<T: Serialize + DeserializeOwned + PartialEq>(what: &T) -> Vec<T> {
    let value = value(what);
    let mut found = Vec::new();
    for (name, field) in value.as_object().into_iter().flatten() {
        found.push(without(&value, name));
        for inner in field.as_object().into_iter().flat_map(|field| field.keys()) {
            let mut value = value.clone();
            value[name] = without(field, inner);
            found.push(value);
        }
    }
    let found = found.into_iter();
    found
        .filter_map(|value| serde_json::from_value(value).ok())
        .filter(|usual| usual != what)
        .collect()
}

fn without(value: &Value, field: &str) -> Value {
    let mut value = value.clone();
    if let Some(fields) = value.as_object_mut() {
        fields.remove(field);
    }
    value
}

fn value(what: &impl Serialize) -> Value {
    // Serializing the types of scripts cannot fail: their maps have only strings as keys.
    serde_json::to_value(what).unwrap_or_default()
}

/// How long it is to write, and how large its numbers are together.
fn weight(value: &Value) -> (usize, u128) {
    (value.to_string().len(), numbers(value))
}

fn numbers(value: &Value) -> u128 {
    match value {
        Value::Number(number) => {
            let signed = number.as_i64().map(i64::unsigned_abs);
            signed.or(number.as_u64()).unwrap_or_default().into()
        }
        Value::Array(items) => items.iter().map(numbers).sum(),
        Value::Object(fields) => fields.values().map(numbers).sum(),
        _ => 0,
    }
}

/// Every way to take something away from a value.
fn less(value: &Value) -> Vec<Value> {
    match value {
        Value::Null | Value::String(_) | Value::Bool(false) => Vec::new(),
        Value::Bool(true) => vec![false.into()],
        Value::Number(number) => match number.as_i64() {
            None | Some(0) => Vec::new(),
            Some(number) if (1..=FEW).contains(&number) => vec![0.into(), (number - 1).into()],
            Some(number) => [0, number / 2, number - number / 8].map(Value::from).into(),
        },
        Value::Array(items) => {
            let fewer = |place: usize| {
                let mut items = items.clone();
                items.remove(place);
                Value::Array(items)
            };
            let mut found: Vec<_> = (0..items.len()).map(fewer).collect();
            for (place, item) in items.iter().enumerate() {
                found.extend(less(item).into_iter().map(|item| {
                    let mut items = items.clone();
                    items[place] = item;
                    Value::Array(items)
                }));
            }
            found
        }
        Value::Object(fields) => {
            let fewer = fields.keys().map(|name| without(value, name));
            let mut found: Vec<_> = fewer.collect();
            for (name, field) in fields {
                found.extend(less(field).into_iter().map(|field| {
                    let mut fields = fields.clone();
                    fields.insert(name.clone(), field);
                    Value::Object(fields)
                }));
            }
            found
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::step::Step;

    /// Fails where a pause comes before a send of more than 1000 bytes.
    struct Pauses;

    impl Trial for Pauses {
        fn fails(&mut self, script: &Script) -> Result<bool, Error> {
            let pause = script.steps.iter().position(|step| *step == Step::Pause);
            let long = |step: &Step| match step {
                Step::Send(sends) => sends.packets.iter().any(|packet| packet.payload > 1000),
                _ => false,
            };
            Ok(pause.is_some_and(|place| script.steps[place..].iter().any(long)))
        }
    }

    #[test]
    fn what_has_no_part_in_a_failure_is_left_out() {
        let script = Script::episode(3, 1, 1000);
        assert!(Pauses.fails(&script).unwrap());
        let shrunk = shrink(&mut Pauses, script).unwrap();
        assert_eq!(shrunk.steps.len(), 2, "{shrunk:?}");
        assert_eq!(shrunk.steps[0], Step::Pause);
        let Step::Send(sends) = &shrunk.steps[1] else {
            panic!("{shrunk:?}");
        };
        assert_eq!(sends.packets.len(), 1);
        assert_eq!(sends.packets[0].mss, 0);
        assert!(sends.packets[0].payload <= 1001 + 1001 / 7);
    }
}
