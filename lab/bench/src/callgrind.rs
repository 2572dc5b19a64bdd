//! Instructions, counted by valgrind: exact, the same on every run, and no matter how busy the
//! machine is.
//!
//! This program runs itself under callgrind, once for each case. Only instructions inside the
//! [loop](steady::LOOP) are counted, and of those only the cost of its two calls of the filter. The
//! null NDIS's routines are recognized by their names.

use std::{collections::BTreeMap, env, fs, process::Command};

use anyhow::{Context, bail, ensure};

use crate::{
    cases::Case,
    floor::Floor,
    module::{self, Handlers, Module},
    ndis,
    packets::Batch,
    steady,
};

/// How often the batch is sent under callgrind.
pub(crate) const TIMES: u32 = 20;

/// The cost of one unit, in instructions.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Instructions {
    /// The filter's own.
    pub(crate) filter: f64,
    /// Those of the null NDIS, on the filter's behalf.
    pub(crate) ndis: f64,
    /// Each function's own, the most expensive first.
    pub(crate) functions: Vec<(String, f64)>,
}

impl Instructions {
    pub(crate) fn all(&self) -> f64 {
        self.filter + self.ndis
    }
}

/// Makes sure that there is a valgrind.
pub(crate) fn require() -> anyhow::Result<()> {
    match Command::new("valgrind").arg("--version").output() {
        Ok(answer) if answer.status.success() => Ok(()),
        _ => bail!(
            "instructions are counted by valgrind, which is not installed: \
             `apt-get install valgrind`, or measure time alone with --no-instructions"
        ),
    }
}

/// The cost of one instruction, and the place that it was compiled from.
pub(crate) struct Line {
    pub(crate) function: String,
    /// The source file, of what was inlined there.
    pub(crate) file: String,
    pub(crate) number: u32,
    pub(crate) cost: u64,
}

/// The instructions that [`TIMES`] batches of `case` cost, in the order of the code.
pub(crate) fn lines(case: &Case, in_floor: bool) -> anyhow::Result<Vec<Line>> {
    let text = profile(case, in_floor, &["--dump-instr=yes", "--dump-line=yes"])?;
    let (mut lines, mut function, mut file) = (BTreeMap::new(), String::new(), String::new());
    let mut is_call = false;
    for line in text.lines() {
        let new = |key: &str| line.strip_prefix(key);
        if let Some(name) = new("fn=") {
            name.clone_into(&mut function);
        } else if let Some(name) = new("fl=").or(new("fi=")).or(new("fe=")) {
            name.clone_into(&mut file);
        } else if line.starts_with("calls=") {
            is_call = true;
        } else if let Some((address, number, cost)) = instruction(line) {
            // The cost of a call is the called function's.
            if !is_call && (!function.contains("mslso_bench") || ndis::is_routine(&function)) {
                let line = lines.entry(address).or_insert_with(|| Line {
                    function: function.clone(),
                    file: file.clone(),
                    number,
                    cost: 0,
                });
                line.cost += cost;
            }
            is_call = false;
        }
    }
    Ok(lines.into_values().collect())
}

/// Address, line and cost of a line of a profile that has them.
fn instruction(line: &str) -> Option<(u64, u32, u64)> {
    let mut words = line.strip_prefix("0x")?.split(' ');
    let address = u64::from_str_radix(words.next()?, 16).ok()?;
    Some((
        address,
        words.next()?.parse().ok()?,
        words.next()?.parse().ok()?,
    ))
}

/// Counts the cost of one unit of `case`, in the filter or in the [floor](crate::floor).
pub(crate) fn count(case: &Case, units: u64, in_floor: bool) -> anyhow::Result<Instructions> {
    let profile = parse(&profile(case, in_floor, &["--dump-line=no"])?);
    let each = |count: u64| count as f64 / (units * u64::from(TIMES)) as f64;
    let stubs = profile.iter().filter(|(name, _)| ndis::is_routine(name));
    let of_ndis: u64 = stubs.map(|(_, function)| function.with_callees).sum();
    let all = profile
        .get(steady::LOOP)
        .context("the loop is not in the profile")?
        .called;
    let mut functions: Vec<_> = profile
        .into_iter()
        .filter(|(name, function)| function.own > 0 && !name.contains("mslso_bench"))
        .map(|(name, function)| (name, each(function.own)))
        .collect();
    functions.sort_by(|left, right| right.1.total_cmp(&left.1));
    Ok(Instructions {
        filter: each(all - of_ndis),
        ndis: each(of_ndis),
        functions,
    })
}

/// A profile of `case` in the format of the Callgrind manual, section "Callgrind Format
/// Specification", without compressed names.
fn profile(case: &Case, in_floor: bool, options: &[&str]) -> anyhow::Result<String> {
    let program = env::current_exe().context("this program's own path")?;
    let out = env::temp_dir().join(format!("mslso-bench-{}.callgrind", std::process::id()));
    let answer = Command::new("valgrind")
        .arg("--tool=callgrind")
        .arg(format!("--toggle-collect={}", steady::LOOP))
        .arg(format!("--callgrind-out-file={}", out.display()))
        .args(["--compress-strings=no", "--compress-pos=no"])
        .args(options)
        .arg(program)
        .args(["--run-case", case.name])
        .args(in_floor.then_some("--floor"))
        // The C library chooses its memcpy by the machine. This one is on all of them, and like
        // the kernel's it does without AVX.
        .env(
            "GLIBC_TUNABLES",
            "glibc.cpu.hwcaps=-AVX_Fast_Unaligned_Load,-AVX2,-AVX512VL,-ERMS",
        )
        .output()
        .context("valgrind")?;
    ensure!(
        answer.status.success(),
        "{}: {}",
        case.name,
        String::from_utf8_lossy(&answer.stderr)
    );
    let text = fs::read_to_string(&out).with_context(|| out.display().to_string())?;
    fs::remove_file(&out)?;
    Ok(text)
}

/// The part that runs under callgrind.
pub(crate) fn run(case: &Case, in_floor: bool) -> anyhow::Result<()> {
    if in_floor {
        return send(case, Floor::start(case)?.handlers());
    }
    module::load()?;
    send(case, Module::start(case)?.handlers())
}

fn send(case: &Case, filter: &Handlers) -> anyhow::Result<()> {
    let mut batch = Batch::new(case);
    steady::warm_up(case, filter, &mut batch)?;
    steady::run(filter, case.elsewhere, &mut batch, TIMES);
    Ok(())
}

/// A profile's figures for one function, in instructions.
#[derive(Clone, Copy, Default)]
struct Function {
    own: u64,
    /// By functions that it called, and theirs.
    called: u64,
    with_callees: u64,
}

/// A profile's figures by function.
fn parse(text: &str) -> BTreeMap<String, Function> {
    let mut functions = BTreeMap::<String, Function>::new();
    let mut current = String::new();
    let mut is_call = false;
    for line in text.lines() {
        if let Some(name) = line.strip_prefix("fn=") {
            name.clone_into(&mut current);
        } else if line.starts_with("calls=") {
            // The next line has the cost of these calls.
            is_call = true;
        } else if let Some(cost) = cost(line) {
            let function = functions.entry(current.clone()).or_default();
            function.with_callees += cost;
            *if is_call {
                &mut function.called
            } else {
                &mut function.own
            } += cost;
            is_call = false;
        }
    }
    functions
}

/// The cost in a line that has a position and a cost.
fn cost(line: &str) -> Option<u64> {
    let (position, cost) = line.split_once(' ')?;
    position.parse::<u64>().ok()?;
    cost.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::parse;

    #[test]
    fn calls_are_apart_from_a_functions_own() {
        let profile = parse(
            "events: Ir\nfl=a.rs\nfn=outer\n0 7\ncfn=inner\ncalls=2 0\n0 40\n0 3\nfn=inner\n0 40\n",
        );
        let outer = profile["outer"];
        assert_eq!((outer.own, outer.called, outer.with_callees), (10, 40, 50));
        assert_eq!(profile["inner"].own, 40);
    }
}
