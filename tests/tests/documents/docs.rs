//! The documents compared with the code: names that the code has and a document lacks, commands
//! that do not parse, links that lead nowhere. The documents' description of a name is not judged.

use std::{fs, path::Path};

use children::{CHILD_BYTES, PACKET_BYTES, PACKETS_PER_CHILD, mdl_array_bytes};
use clap::{CommandFactory, Parser, error::ErrorKind};
use control::{
    AdapterEntry, IoControl, ListWriter, Message, Name, Profile, Refused, StatisticsReply,
    event_log::MESSAGES, keyword,
};
use lso::Refusal;
use model::Config;
use mslsoctl::{
    cli::Cli,
    connections::Unnamed,
    device::{Device, DeviceError},
};
use scenarios::{Machine, control::ModelDevice};
use serde_json::Value;

/// The root of the repository.
const ROOT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/..");

fn read(path: &str) -> String {
    let whole = format!("{ROOT}/{path}");
    fs::read_to_string(&whole).unwrap_or_else(|error| panic!("{path}: {error}"))
}

fn observe() -> String {
    read("docs/observe.md")
}

/// The names of the files in a folder that end so.
fn files(folder: &str, ends: &[&str]) -> Vec<String> {
    fs::read_dir(format!("{ROOT}/{folder}"))
        .expect("a folder")
        .map(|entry| entry.expect("an entry").file_name())
        .map(|name| name.into_string().expect("UTF-8"))
        .filter(|name| ends.iter().any(|end| name.ends_with(end)))
        .collect()
}

/// Path and text of each document.
fn documents() -> Vec<(String, String)> {
    let mut paths = vec!["README.md".to_owned()];
    paths.extend(files("docs", &[".md"]).iter().map(|f| format!("docs/{f}")));
    assert!(paths.len() > 6, "{paths:?}");
    paths
        .into_iter()
        .map(|path| (path.clone(), read(&path)))
        .collect()
}

/// All documents in one.
fn all() -> String {
    documents().into_iter().map(|(_, text)| text).collect()
}

/// Every text in `source` between `before` and the next `after`.
fn between<'a>(source: &'a str, before: &str, after: &str) -> Vec<&'a str> {
    let pieces = source.split(before).skip(1);
    pieces
        .filter_map(|piece| Some(piece.split_once(after)?.0))
        .collect()
}

/// Asserts that a document has each name as code.
fn assert_names<'a>(document: &str, names: impl IntoIterator<Item = &'a str>) {
    let mut known = 0;
    for name in names {
        assert!(document.contains(&format!("`{name}`")), "{name} is missing");
        known += 1;
    }
    assert!(known > 0, "there are names");
}

/// The JSON output of a command, over the model.
fn answer(machine: &Machine, line: &str) -> Value {
    let cli = Cli::parse_from(format!("mslsoctl {line} --json").split(' '));
    let world = &machine.world;
    let mut out = Vec::new();
    mslsoctl::run(&cli, &mut ModelDevice { world }, &Unnamed, &mut out).expect("it is done");
    serde_json::from_slice(&out).expect("JSON")
}

fn keys(value: &Value) -> Vec<&str> {
    let object = value.as_object().expect("an object");
    object.keys().map(String::as_str).collect()
}

#[test]
fn every_counter_and_every_field_of_show_is_explained() {
    let machine = Machine::start(Config::default());
    let (stats, show) = (answer(&machine, "stats"), answer(&machine, "show"));
    machine.stop_clean();
    assert_names(&observe(), keys(&stats["statistics"]));
    assert_names(&observe(), keys(&show));
    for part in ["adapter", "tuning", "nic", "advertised", "registry"] {
        assert_names(&observe(), keys(&show[part]));
    }
}

/// The names of all fields in an answer, at any depth.
fn all_keys(value: &Value) -> Vec<&str> {
    let fields = value.as_object().into_iter().flatten();
    fields
        .flat_map(|(name, value)| [vec![name.as_str()], all_keys(value)].concat())
        .collect()
}

/// The tests of the module have a `mslsoctl` of their own, which prints the fields that they expect.
#[test]
fn the_module_reads_fields_that_mslsoctl_prints() {
    let machine = Machine::start(Config::default());
    let (stats, show) = (answer(&machine, "stats"), answer(&machine, "show"));
    machine.stop_clean();
    let printed = [all_keys(&stats), all_keys(&show)].concat();
    let module = read("inf/Mslso.Common.psm1");
    let is_name = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || "._".contains(c);
    let paths = module.split("$Shown.").skip(1).filter_map(|rest| {
        let end = rest.find(|c| !is_name(c))?;
        rest.get(..end)
    });
    let tested = between(&module, "Get-Field $Shown '", "'");
    let names: Vec<_> = paths
        .chain(tested)
        .flat_map(|path| path.split('.'))
        .collect();
    assert!(names.len() > 20, "{names:?}");
    for name in names {
        assert!(name.is_empty() || printed.contains(&name), "{name}");
    }
}

/// A driver that has refused one large send for each reason.
struct Refuser;

impl Device for Refuser {
    fn control(
        &mut self,
        code: IoControl,
        _input: &[u8],
        output: &mut [u8],
    ) -> Result<usize, DeviceError> {
        if code == IoControl::LIST {
            let mut list = ListWriter::new(output).expect("room");
            list.push(&AdapterEntry {
                if_index: 7,
                base_if_index: 5,
                running: true,
                name: Name::new(&[]),
            });
            return Ok(list.finish().expect("a list"));
        }
        let statistics = StatisticsReply {
            refused: Refused::from([1; Refusal::ALL.len()]),
            ..StatisticsReply::default()
        };
        Ok(statistics.encode(output).expect("room"))
    }
}

/// The last cell of the row of `document` that begins with `first`.
fn last_cell<'a>(document: &'a str, first: &str) -> &'a str {
    let start = format!("| {first} | ");
    let row = document.lines().find(|line| line.starts_with(&start));
    let cells = row
        .unwrap_or_else(|| panic!("{first} has no row"))
        .trim_end_matches(" |");
    cells.rsplit(" | ").next().expect("a cell")
}

#[test]
fn every_refusal_has_the_advice_that_mslsoctl_gives() {
    let mut out = Vec::new();
    let cli = Cli::parse_from(["mslsoctl", "stats"]);
    mslsoctl::run(&cli, &mut Refuser, &Unnamed, &mut out).expect("it is done");
    let printed = String::from_utf8(out).expect("UTF-8");
    let observe = observe();
    for refusal in Refusal::ALL {
        let name = refusal.name();
        let described = between(&printed, &format!("refused 1 x {name}: "), " refused ");
        let last = printed.rsplit_once("refused 1 x ").expect("reasons").1;
        let described = described.first().unwrap_or(&last);
        let advice = described
            .lines()
            .nth(1)
            .expect("advice")
            .trim_start_matches("   -> ");
        let documented = last_cell(&observe, last_cell(&observe, &format!("`{name}`")));
        assert!(
            documented.eq_ignore_ascii_case(advice),
            "{name}: {documented}; {advice}"
        );
    }
}

#[test]
fn every_event_and_every_field_is_listed() {
    let source = ["events", "module_events"]
        .map(|file| read(&format!("crates/filter/src/{file}.rs")))
        .concat();
    let begin = [
        ".write_with(",
        ".write_long_with(",
        "self.event(",
        "self.write_plain(",
    ];
    let fields = [".u32(", ".u64(", ".text(", ".utf16(", ".status("];
    let named = |call: &&str| {
        let arguments = source.split(*call).skip(1).map(str::trim_start);
        let quoted = arguments.filter_map(|text| text.strip_prefix('"'));
        quoted
            .map(|text| text.split('"').next().expect("an end"))
            .collect::<Vec<_>>()
    };
    let events: Vec<_> = begin.iter().flat_map(named).collect();
    assert!(events.len() > 10, "{events:?}");
    for event in events {
        assert!(
            observe().contains(&format!("\n| `{event}` | ")),
            "{event} is missing"
        );
    }
    assert_names(&observe(), fields.iter().flat_map(named));
}

#[test]
fn every_entry_of_the_system_event_log_is_listed() {
    let observe = observe();
    let (_, table) = observe
        .split_once("| event of mslso |")
        .expect("the table of the System event log");
    let rows: Vec<&str> = table
        .lines()
        .skip(2)
        .take_while(|line| line.starts_with('|'))
        .filter_map(|line| line.split('|').nth(1))
        .map(str::trim)
        .collect();
    let numbers = MESSAGES.map(|(code, _)| (code & 0xFFFF).to_string());
    assert_eq!(rows, numbers);
}

#[test]
fn every_pool_tag_is_listed() {
    let source = read("crates/ndis/src/pool_tag.rs");
    let tags = between(&source, "Self::new(*b\"", "\")");
    let troubleshoot = read("docs/troubleshoot.md");
    let (_, table) = troubleshoot.split_once("| tag |").expect("a table of tags");
    let listed: Vec<&str> = table
        .lines()
        .skip(2)
        .map_while(|line| line.strip_prefix("| `")?.split('`').next())
        .collect();
    assert_eq!(listed, tags);
}

#[test]
fn the_event_provider_is_the_drivers() {
    let machine = Machine::start(Config::default());
    let (id, name) = machine.world.trace_provider().expect("a provider");
    machine.stop_clean();
    assert!(observe().contains(&format!("`{name}`")));
    assert!(observe().contains(&format!("`{{{id}}}`")));
    assert!(observe().contains(&format!("-p \"{{{id}}}\"")));
}

#[test]
fn profiles_and_settings_are_as_they_are() {
    let tune = read("docs/tune.md");
    for profile in Profile::ALL {
        let name = profile.name();
        let default = if profile == Profile::default() {
            ", the default"
        } else {
            ""
        };
        let row = format!(
            "| `{name}`{default} | {} | {} | ",
            profile.number(),
            profile.multiple()
        );
        assert!(tune.contains(&row), "{row}");
    }
    let settings = [
        keyword::MULTIPLE,
        keyword::PROFILE,
        keyword::CAP_BYTES,
        keyword::IP_ID_BITS,
        keyword::SOFTWARE_SEGMENTATION,
        keyword::MAX_SG_ELEMENTS,
        keyword::MEMORY_BOUND,
    ];
    for setting in settings {
        assert!(tune.contains(&format!("\n| `{setting}` | ")), "{setting}");
    }
    // A setting that is added to the INF has to be added here too.
    let inf = read("inf/mslso.inf");
    assert_eq!(inf.matches(", ParamDesc,, ").count(), settings.len());
}

/// The memory of an adapter: what a child and its parts take, and what rests with a processor, as the
/// model finds it.
#[test]
fn memory_figures_are_as_they_are() {
    let memory = |processors| {
        let machine = Machine::start(Config {
            processors,
            ..Config::default()
        });
        let memory = machine.world.memory_in_use();
        machine.stop_clean();
        memory
    };
    let at_rest = (memory(3) - memory(2)).div_ceil(1024);
    let bound = 64 << 20;
    let packets = 502_240_usize.div_ceil(1448);
    let nbls = packets.div_ceil(PACKETS_PER_CHILD as usize);
    let send = nbls * CHILD_BYTES + (packets - nbls) * PACKET_BYTES;
    let tune = read("docs/tune.md").replace('\n', " ");
    for words in [
        format!("64 children for each processor, which are {at_rest} KiB."),
        format!("A child takes {} bytes;", number(CHILD_BYTES)),
        format!("itself takes {} bytes", number(PACKET_BYTES)),
        format!("an array of {} bytes", number(mdl_array_bytes(256 << 10))),
        format!(
            "some {} children,",
            number(bound / CHILD_BYTES / 1000 * 1000)
        ),
        format!(
            "or for {} large sends of 502,240 bytes",
            bound / send / 10 * 10
        ),
    ] {
        assert!(tune.contains(&words), "{words}");
    }
}

#[test]
fn the_calibration_set_has_as_many_variants_as_documented() {
    let tables = ["bugs", "mutants", "legal"];
    let rows = tables.map(|name| read(&format!("lab/calibration/{name}.tsv")));
    let variants = rows.iter().flat_map(|table| table.lines().skip(1));
    // A row of `legal.tsv` has no rule; in the other tables `-` stands for none.
    let is_wrong = |row: &&str| !row.ends_with("\t-") && !rows[2].contains(*row);
    let (wrong, legal): (Vec<&str>, Vec<&str>) = variants.partition(is_wrong);
    let found = format!(
        "{} mistakes and {} unusual but documented",
        wrong.len(),
        legal.len()
    );
    for page in ["docs/judge.md", "docs/testing.md"] {
        assert!(
            read(page).replace('\n', " ").contains(&found),
            "{page}: {found}"
        );
    }
}

/// With a comma between thousands.
fn number(number: usize) -> String {
    format!("{},{:03}", number / 1000, number % 1000)
        .trim_start_matches("0,")
        .into()
}

#[test]
fn the_rules_are_the_models() {
    let (source, design) = (read("lab/model/src/rules/mod.rs"), read("docs/design.md"));
    let mut rules = 0;
    for line in between(&source, "impl Rule {", "\n}")[0].lines() {
        let Some((rule, name)) = line.trim().split_once(" => \"") else {
            continue;
        };
        let rule = rule.trim_start_matches("Self::");
        // The levels have names and no numbers.
        let numbers = between(&source, &format!(" {rule} = "), ",");
        let [number] = numbers.as_slice() else {
            continue;
        };
        let cell = format!("| {number} | {} |", name.trim_end_matches("\","));
        assert!(design.contains(&cell), "{cell}");
        rules += 1;
    }
    let cells = design
        .lines()
        .filter(|line| line.starts_with("| ") && line.matches('|').count() == 7);
    let numbers = cells
        .flat_map(|line| line.split('|'))
        .filter(|cell| cell.trim().parse::<u8>().is_ok());
    assert_eq!(numbers.count(), rules);
}

#[test]
fn the_verification_runs_checks_are_listed_in_order() {
    let verify = read("docs/verify.md");
    let script = read("tests/vm-lab/Invoke-Verification.ps1");
    let checks = script.split("Test-Step ").skip(1).filter_map(|text| {
        let quote = text.chars().next().filter(|c| ['\'', '"'].contains(c))?;
        Some(
            text[1..]
                .split_once(quote)?
                .0
                .replace("$program", "TOOL")
                .replace("$source", "SOURCE"),
        )
    });
    let checks: Vec<_> = checks.collect();
    assert!(checks.len() > 10, "{checks:?}");
    for (place, check) in checks.iter().enumerate() {
        let line = format!("\n{}. {check}", place + 1);
        assert!(verify.contains(&line), "{line}");
    }
    assert!(!verify.contains(&format!("\n{}. ", checks.len() + 1)));
}

#[test]
fn the_peer_of_cts_traffic_expects_the_length_that_is_sent() {
    let script =
        read("tests/vm-lab/Invoke-Verification.ps1") + &read("tests/vm-lab/Mslso.Traffic.ps1");
    let lengths = |text: &str| {
        let rest = text.split("-transfer:").skip(1);
        rest.map(|rest| {
            let end = rest.find(|c: char| !c.is_ascii_digit());
            rest[..end.unwrap_or(rest.len())].to_owned()
        })
        .collect::<Vec<_>>()
    };
    // In its help and where it sends; and the document.
    let (sent, expected) = (lengths(&script), lengths(&read("docs/verify.md")));
    assert_eq!((sent.len(), expected.len()), (2, 1));
    assert!(sent.iter().all(|length| *length == expected[0]), "{sent:?}");
}

/// The tasks of Makefile.toml that are for people.
fn tasks() -> Vec<String> {
    let mut tasks = Vec::new();
    for section in read("Makefile.toml").split("\n[tasks.").skip(1) {
        let (name, body) = section.split_once(']').expect("a heading");
        let is_part = name.contains('.') || name == "default";
        if !is_part && !body.contains("\nprivate = true") {
            tasks.push(name.to_owned());
        }
    }
    tasks
}

#[test]
fn a_key_to_keep_reaches_the_package_of_every_system() {
    let makefile = read("Makefile.toml");
    let sections = makefile.split("\n[tasks.");
    let packages: Vec<_> = sections.filter(|s| s.starts_with("package")).collect();
    assert_eq!(packages.len(), 2, "one of them is for Windows");
    for package in packages {
        let given = package.contains("\"@@remove-empty(MSLSO_KEEP_KEY)\"");
        assert!(given, "[tasks.{package}");
    }
}

/// A text without line breaks and indents, so that a phrase that is broken over two lines is found.
fn flat(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

#[test]
fn every_task_is_in_the_documents_and_every_one_there_exists() {
    let (tasks, text) = (tasks(), flat(&all()));
    assert!(tasks.len() > 10, "{tasks:?}");
    let named = text.split("cargo make ").skip(1).map(|rest| {
        let end = |c: char| !c.is_ascii_alphanumeric() && c != '-';
        rest.split(end).next().expect("a word").to_owned()
    });
    let named: Vec<_> = named.filter(|name| !name.starts_with('-')).collect();
    for task in &tasks {
        assert!(named.contains(task), "cargo make {task} is in no document");
    }
    for name in named {
        assert!(tasks.contains(&name), "there is no cargo make {name}");
    }
}

#[test]
fn every_script_is_in_the_documents_and_every_one_there_exists() {
    let mut scripts = files("inf", &[".ps1", ".psm1", ".wprp"]);
    scripts.extend(files("tests/vm-lab", &[".ps1", ".psm1"]));
    let text = all();
    // The parts of the scripts' shared code have one row for all.
    assert!(text.contains("`Mslso.*.ps1`"));
    for script in scripts.iter().filter(|name| !name.starts_with("Mslso.")) {
        assert!(text.contains(script), "{script} is in no document");
    }
    let word = |c: char| !c.is_ascii_alphanumeric() && !['-', '.'].contains(&c);
    for name in text.split(word).filter(|word| word.ends_with(".ps1")) {
        let name = name.trim_start_matches('.');
        assert!(
            name == "NAME.ps1"
                || name == "ps1"
                || name.ends_with("-completion.ps1")
                || scripts.iter().any(|s| s == name),
            "there is no {name}"
        );
    }
}

#[test]
fn links_lead_to_files() {
    let mut links = 0;
    for (path, text) in documents() {
        for target in between(&text, "](", ")") {
            let file = target.split('#').next().expect("a part");
            let folder = Path::new(ROOT).join(&path);
            let folder = folder.parent().expect("a folder");
            assert!(folder.join(file).exists(), "{path} links to {target}");
            links += 1;
        }
    }
    assert!(links > 10);
}

/// The commands of mslsoctl in a document, each with whether it stands by itself.
fn commands(text: &str) -> Vec<(String, bool)> {
    let mut commands = Vec::new();
    for line in text.lines() {
        let block = line.starts_with("    ");
        let parts: Vec<_> = if block {
            vec![line.trim()]
        } else {
            line.split('`').skip(1).step_by(2).collect()
        };
        for part in parts {
            let part = part.trim_start_matches(r".\");
            if let Some(command) = part.strip_prefix("mslsoctl ") {
                let command = command.split(" #").next().expect("a part").trim();
                commands.push((command.to_owned(), block));
            }
        }
    }
    commands
}

#[test]
fn commands_of_mslsoctl_parse() {
    let mut parsed = 0;
    for (path, text) in documents() {
        for (command, block) in commands(&text) {
            // Quotes hold words together.
            let words = command.split('"').enumerate().flat_map(|(place, part)| {
                if place % 2 == 1 {
                    vec![part]
                } else {
                    part.split_whitespace().collect()
                }
            });
            let words = ["mslsoctl"].into_iter().chain(words);
            if let Err(error) = Cli::try_parse_from(words) {
                // In a sentence, a command may be named without its arguments.
                let named = !block && error.kind() == ErrorKind::MissingRequiredArgument;
                assert!(
                    named || error.kind() == ErrorKind::DisplayHelp,
                    "{path}: mslsoctl {command}: {error}"
                );
            }
            parsed += 1;
        }
    }
    assert!(parsed > 20, "{parsed}");
}

#[test]
fn options_named_alone_are_mslsoctls() {
    let cli = Cli::command();
    let all = [&cli].into_iter().chain(cli.get_subcommands());
    let known: Vec<_> = all
        .flat_map(|command| command.get_arguments())
        .filter_map(|arg| arg.get_long())
        .collect();
    for document in ["tune", "observe", "troubleshoot"] {
        let text = read(&format!("docs/{document}.md"));
        for option in between(&text, "`--", "`") {
            let option = option.split(' ').next().expect("a word");
            assert!(known.contains(&option), "{document}: --{option}");
        }
    }
}
