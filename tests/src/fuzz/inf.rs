//! Any bytes as an INF: it is read or refused, and whatever is read can be written.

use mslso_package::inf::{Inf, Line};

use crate::inf_requirements;

/// The results of reading.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Read {
    /// So many sections, where it is read.
    pub sections: Option<usize>,
    /// Requirements of `mslso.inf` that it meets.
    pub met: usize,
    /// Whether a package can be made with it.
    pub packaged: bool,
}

/// Reads `bytes`.
///
/// # Panics
/// If something is lost between reading and writing.
#[must_use]
pub fn run(bytes: &[u8]) -> Read {
    let packaged = Inf::of_package(bytes, "amd64").inspect(check_stamp).is_ok();
    let inf = str::from_utf8(bytes).ok().map(Inf::parse);
    match inf {
        None | Some(Err(_)) => Read {
            sections: None,
            met: 0,
            packaged,
        },
        Some(Ok(inf)) => {
            check_lines(&inf);
            Read {
                sections: Some(inf.section_names().count()),
                met: met(&inf),
                packaged,
            }
        }
    }
}

fn met(inf: &Inf) -> usize {
    let requirements = inf_requirements::ALL.iter();
    requirements
        .filter(|requirement| requirement.check(inf).is_ok())
        .count()
}

/// A stamp changes DriverVer, and nothing else that a package is made from.
fn check_stamp(read: &Inf) {
    let facts = |inf: &Inf| (inf.catalog(), inf.files(), inf.identifiers());
    let again = |bytes: &[u8]| Inf::of_package(bytes, "amd64").expect("an INF as before");
    assert_eq!(again(&read.to_bytes()).to_bytes(), read.to_bytes());
    let stamped = read.stamped("01/31/2026", "1.2.3.0");
    let stamp = b"DriverVer = 01/31/2026,1.2.3.0\r\n";
    assert!(stamped.windows(stamp.len()).any(|window| window == stamp));
    let twice = again(&stamped);
    assert_eq!(twice.stamped("01/31/2026", "1.2.3.0"), stamped);
    assert_eq!(facts(&twice), facts(read));
}

/// Each line, written with all its quotation marks, is read as it was.
fn check_lines(inf: &Inf) {
    let _ = inf.tokens();
    for name in inf.section_names() {
        let lines = inf.lines(name);
        let text: String = lines.iter().map(written).collect();
        let again = Inf::parse(&format!("[a]\n{text}")).expect("an INF");
        assert_eq!(again.lines("a"), lines, "{text}");
        for line in lines {
            let key = inf.key(line);
            let _ = inf.value(name, &key);
        }
    }
}

fn written(line: &Line) -> String {
    let quoted = |text: &String| format!("\"{}\"", text.replace('"', "\"\""));
    let key = line.key.as_ref().map(|key| quoted(key) + " = ");
    let fields: Vec<_> = line.fields.iter().map(quoted).collect();
    format!("{}{}\n", key.unwrap_or_default(), fields.join(", "))
}
