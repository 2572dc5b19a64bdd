//! Any bytes as an INF: both readers of it read or refuse it, and can write whatever they read.

use mslso_package::inf::Inf as Packaged;

use crate::{
    inf::{Inf, Line},
    inf_requirements,
};

/// The readers' results.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Read {
    /// So many sections, where the strict one reads it.
    pub sections: Option<usize>,
    /// Requirements of `mslso.inf` that it meets.
    pub met: usize,
    /// Whether a package can be made with it.
    pub packaged: bool,
}

/// Reads `bytes` with both.
///
/// # Panics
/// If something is lost between reading and writing.
#[must_use]
pub fn run(bytes: &[u8]) -> Read {
    let packaged = Packaged::new(bytes, "amd64").map(check_stamp).is_ok();
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
fn check_stamp(read: Packaged) {
    let facts = |inf: &Packaged| {
        let catalog = inf.catalog().map(str::to_owned);
        (catalog, inf.files(), inf.identifiers())
    };
    let again = |inf: &Packaged| Packaged::new(&inf.to_bytes(), "amd64").expect("an INF as before");
    assert_eq!(again(&read).to_bytes(), read.to_bytes());
    let before = facts(&read);
    let mut stamped = read;
    stamped.stamp("01/31/2026", "1.2.3.0");
    assert_eq!(facts(&stamped), before);
    let once = stamped.to_bytes();
    let stamp = b"DriverVer = 01/31/2026,1.2.3.0\r\n";
    assert!(once.windows(stamp.len()).any(|window| window == stamp));
    stamped.stamp("01/31/2026", "1.2.3.0");
    assert_eq!(stamped.to_bytes(), once);
    assert_eq!(facts(&again(&stamped)), before);
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
