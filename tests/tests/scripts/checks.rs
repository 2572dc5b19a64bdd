//! The checks that the scripts must pass.

use std::collections::BTreeSet;

use crate::cmdlets;
use crate::confirmation;
use crate::syntax::{Call, Script, ancestors, children};

/// A check gives its complaints.
pub struct Check {
    pub name: &'static str,
    pub run: fn(&[Script]) -> Vec<String>,
}

pub const ALL: &[Check] = &[
    Check {
        name: "it parses",
        run: parses,
    },
    Check {
        name: "it is ASCII, which no version misreads",
        run: ascii,
    },
    Check {
        name: "it is for Windows PowerShell 5.1",
        run: old_enough,
    },
    Check {
        name: "it is strict and stops at errors",
        run: strict,
    },
    Check {
        name: "it takes -WhatIf and -Confirm",
        run: should_process,
    },
    Check {
        name: "its help has every parameter, and no other",
        run: help,
    },
    Check {
        name: "what changes the system is confirmed",
        run: confirmation::unconfirmed,
    },
    Check {
        name: "functions ask for the script",
        run: confirmation::own_confirmation,
    },
    Check {
        name: "programs are run where their exit code is checked",
        run: programs,
    },
    Check {
        name: "commands and their parameters exist",
        run: commands,
    },
    Check {
        name: "CDXML cmdlets are told what to do at errors",
        run: error_action,
    },
    Check {
        name: "variables that are read are set",
        run: variables,
    },
    Check {
        name: "variables that are set are not PowerShell's",
        run: automatic,
    },
    Check {
        name: "scripts that are named exist",
        run: named_scripts,
    },
    Check {
        name: "the module is imported",
        run: imports,
    },
];

/// Complaints of a check that reads one script after the other.
fn each(scripts: &[Script], check: impl Fn(&Script) -> Vec<String>) -> Vec<String> {
    scripts.iter().flat_map(check).collect()
}

fn lacks(script: &Script, words: &[&str]) -> Vec<String> {
    let missing = words.iter().filter(|word| !script.text.contains(**word));
    missing
        .map(|word| format!("{} lacks {word:?}", script.name))
        .collect()
}

fn parses(scripts: &[Script]) -> Vec<String> {
    each(scripts, |script| {
        let mut left = vec![script.root()];
        let mut found = Vec::new();
        while let Some(node) = left.pop() {
            if node.is_error() || node.is_missing() {
                found.push(script.complaint(node, "a syntax error"));
            }
            left.extend(children(node));
        }
        found
    })
}

fn ascii(scripts: &[Script]) -> Vec<String> {
    each(scripts, |script| {
        let lines = script.text.lines().enumerate();
        lines
            .filter(|(_, line)| !line.is_ascii())
            .map(|(row, _)| format!("{}:{}: not ASCII", script.name, row + 1))
            .collect()
    })
}

/// The grammar supports neither `?:` nor `??`; it does support chains.
fn old_enough(scripts: &[Script]) -> Vec<String> {
    each(scripts, |script| {
        let chains = script.all("pipeline_chain_tail").into_iter();
        let mut found: Vec<_> = chains
            .map(|node| script.complaint(node, "a chain of PowerShell 7"))
            .collect();
        for call in script.calls() {
            // Windows PowerShell's Join-Path joins two.
            if call.name() == "Join-Path" && call.words() > 2 {
                found.push(call.complaint("joins more than two"));
            }
        }
        found.extend(lacks(script, &["#Requires -Version 5.1"]));
        found
    })
}

fn strict(scripts: &[Script]) -> Vec<String> {
    each(scripts, |script| {
        let words = ["\nSet-StrictMode -Version Latest\n$ErrorActionPreference = 'Stop'\n"];
        lacks(script, &words)
    })
}

fn imports(scripts: &[Script]) -> Vec<String> {
    each(scripts, |script| {
        let line =
            "Import-Module (Join-Path $PSScriptRoot 'Mslso.Common.psm1') -Force -Verbose:$false";
        let host = "\nAssert-MslsoHost\n";
        if script.is_module() {
            Vec::new()
        } else {
            lacks(script, &[line, host])
        }
    })
}

fn should_process(scripts: &[Script]) -> Vec<String> {
    let scripts = scripts.iter().filter(|script| !script.is_module());
    scripts
        .flat_map(|script| {
            lacks(
                script,
                &["[CmdletBinding(SupportsShouldProcess, ConfirmImpact = '"],
            )
        })
        .collect()
}

fn help(scripts: &[Script]) -> Vec<String> {
    each(scripts, |script| {
        if script.is_module() {
            return Vec::new();
        }
        let comment = script
            .all("comment")
            .first()
            .map_or("", |node| script.text(*node));
        let mut found = Vec::new();
        for section in [".SYNOPSIS\n", ".DESCRIPTION\n", ".EXAMPLE\n.\\"] {
            if !comment.contains(section) {
                found.push(format!("{}: no {}", script.name, section.trim()));
            }
        }
        let documented = comment
            .lines()
            .filter_map(|line| line.strip_prefix(".PARAMETER "));
        let documented: BTreeSet<_> = documented.collect();
        let declared: BTreeSet<_> = script.parameters().into_iter().collect();
        let differ = documented.symmetric_difference(&declared);
        found.extend(differ.map(|name| format!("{}: -{name} in help or code alone", script.name)));
        found
    })
}

/// Where `&` may stand: the function, and the command that is run.
const INVOKED: [(&str, &str); 3] = [
    ("Invoke-Native", "$FilePath"),
    ("Test-Step", "$Body"),
    ("", "$Program"), // the block that runs where traffic comes from
];

/// The programs of Windows that the scripts run.
const PROGRAMS: [&str; 7] = [
    "bcdedit.exe",
    "certutil.exe",
    "cmd.exe",
    "logman.exe",
    "netcfg.exe",
    "pnputil.exe",
    "verifier.exe",
];

fn programs(scripts: &[Script]) -> Vec<String> {
    let check = |script: &Script, call: &Call<'_>| {
        let (name, first) = (call.name(), call.first());
        let function = call.function().map_or("", |function| function.name());
        if call.is_invoked() && name.contains(".ps1") {
            return None;
        }
        if call.is_invoked() {
            if !INVOKED.contains(&(function, name)) {
                return Some(call.complaint("is run by &"));
            }
            let block = ancestors(call.node).find(|node| node.kind() == "script_block_body");
            let rest = block.map_or("", |block| {
                &script.text[call.node.end_byte()..block.end_byte()]
            });
            let is_read = name == "$Body" || rest.contains("$LASTEXITCODE");
            return (!is_read).then(|| call.complaint("has its exit code ignored"));
        }
        if name.to_lowercase().ends_with(".exe") {
            return Some(call.complaint("is not run by Invoke-Native"));
        }
        let known =
            PROGRAMS.contains(&first) || first == "(Join-Path $PSScriptRoot 'mslsoctl.exe')";
        (name == "Invoke-Native" && !known).then(|| call.complaint("runs another program"))
    };
    each(scripts, |script| {
        let calls = script.calls();
        calls
            .iter()
            .filter_map(|call| check(script, call))
            .collect()
    })
}

fn commands(scripts: &[Script]) -> Vec<String> {
    let module = scripts.iter().filter(|script| script.is_module());
    let module: Vec<_> = module.flat_map(Script::functions).collect();
    each(scripts, |script| {
        let own = script.functions();
        let mut found = Vec::new();
        for call in script.calls() {
            let name = call.name();
            let function = own
                .iter()
                .chain(&module)
                .find(|function| function.name() == name);
            let other = scripts
                .iter()
                .find(|other| call.is_invoked() && name.contains(&format!("'{}'", other.name)));
            let declared = match (function, other) {
                (Some(function), _) => Some(function.parameters()),
                (None, Some(other)) => {
                    let mut declared = other.parameters();
                    declared.extend(["Confirm", "WhatIf"]);
                    Some(declared)
                }
                (None, None) => None,
            };
            if declared.is_none() && !call.is_invoked() && !cmdlets::is_known(name) {
                found.push(call.complaint("is not known"));
                continue;
            }
            for given in call.given() {
                let exists = match &declared {
                    Some(declared) => declared.contains(&given),
                    None => cmdlets::takes(name, given),
                };
                if !exists {
                    found.push(call.complaint(&format!("has no -{given}")));
                }
            }
        }
        found
    })
}

fn error_action(scripts: &[Script]) -> Vec<String> {
    each(scripts, |script| {
        let calls = script.calls().into_iter();
        calls
            .filter(|call| cmdlets::is_cdxml(call.name()) && !call.given().contains(&"ErrorAction"))
            .map(|call| call.complaint("has no -ErrorAction"))
            .collect()
    })
}

/// Variables that PowerShell sets and scripts may read.
const READABLE: [&str; 12] = [
    "$_",
    "$ErrorActionPreference",
    "$ExecutionContext",
    "$LASTEXITCODE",
    "$PSCmdlet",
    "$PSScriptRoot",
    "$WhatIfPreference",
    "$false",
    "$null",
    "$true",
    "$env:SystemDrive",
    "$env:SystemRoot",
];

/// Variables that PowerShell sets and scripts should not.
const AUTOMATIC: [&str; 16] = [
    "$args",
    "$error",
    "$event",
    "$eventargs",
    "$foreach",
    "$home",
    "$host",
    "$input",
    "$matches",
    "$myinvocation",
    "$pid",
    "$profile",
    "$pwd",
    "$sender",
    "$switch",
    "$this",
];

/// A variable in one spelling: no scope, no case, and `$` even where it is splatted.
fn plain(text: &str) -> String {
    let name = text.trim_start_matches(['$', '@']).to_lowercase();
    format!("${}", name.trim_start_matches("script:"))
}

/// The variables that a script sets.
fn set(script: &Script) -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    for node in script.all("left_assignment_expression") {
        found.extend(
            script
                .below(node, "variable")
                .iter()
                .map(|node| plain(script.text(*node))),
        );
    }
    for kind in ["script_parameter", "foreach_statement"] {
        for node in script.all(kind) {
            let own = children(node).into_iter();
            let variable = own.into_iter().find(|child| child.kind() == "variable");
            found.extend(variable.map(|node| plain(script.text(node))));
        }
    }
    found
}

fn variables(scripts: &[Script]) -> Vec<String> {
    let module = scripts.iter().filter(|script| script.is_module());
    let module: BTreeSet<_> = module.flat_map(set).collect();
    let readable = READABLE.map(plain);
    each(scripts, |script| {
        let set = set(script);
        let exported = |name: &String| name.starts_with("$mslso") && module.contains(name);
        let known = |name: &String| set.contains(name) || exported(name) || readable.contains(name);
        let read = script.all("variable").into_iter();
        read.filter(|node| !known(&plain(script.text(*node))))
            .map(|node| script.complaint(node, &format!("{} is never set", script.text(node))))
            .collect()
    })
}

fn automatic(scripts: &[Script]) -> Vec<String> {
    each(scripts, |script| {
        let set = set(script).into_iter();
        set.filter(|name| AUTOMATIC.contains(&name.as_str()))
            .map(|name| format!("{} sets {name}", script.name))
            .collect()
    })
}

/// Scripts are named in help, advice and calls.
fn named_scripts(scripts: &[Script]) -> Vec<String> {
    let names: BTreeSet<_> = scripts.iter().map(|script| script.name).collect();
    each(scripts, |script| {
        let words = script
            .text
            .split(|c: char| !c.is_ascii_alphanumeric() && !"-.".contains(c));
        words
            .map(|word| word.trim_matches('.'))
            .filter(|word| word.ends_with(".ps1") || word.ends_with(".psm1"))
            .filter(|word| !names.contains(word))
            .map(|word| format!("{} names {word}", script.name))
            .collect()
    })
}
