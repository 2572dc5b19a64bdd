//! The instructions of a child and of a parent, by step: the filter's beside the floor's.
//!
//! Callgrind's count of every instruction is assigned to a step by the source file that it was
//! compiled from, in the floor by the C function. Code of the core library belongs to the step before
//! it. The difference between two cases with the same buffers is the cost of their children, and the
//! rest is the parent's: the sums are the measured figures.

use std::collections::BTreeMap;

use anyhow::Context;
use comfy_table::{CellAlignment, Table, presets};

use crate::{
    callgrind::{self, Line},
    cases, ndis, time,
};

/// Two cases that differ in the number of children of each parent.
const CASES: [&str; 2] = ["256 KiB in 64 KiB x16", "1 MiB in 64 KiB x16"];

const RUNDOWN: &str = "rundown, classify, queues";
const HEADERS: &str = "copy and parse the headers";
const PLAN: &str = "limits, plan, its next";
const HEADER: &str = "template, header";
const SLOTS: &str = "slots, fields of the NBL";
const BUFFERS: &str = "NET_BUFFER, MDLs";
const TAKE: &str = "take, attach; IRQL, rundown";
const JOB: &str = "the split around them";
const COUNT: &str = "statistics";
const COMPLETE: &str = "completion";
const NDIS: &str = "the null NDIS's routines";
/// The steps, in the order of a send.
const STEPS: [&str; 11] = [
    RUNDOWN, HEADERS, PLAN, HEADER, SLOTS, BUFFERS, TAKE, JOB, COUNT, COMPLETE, NDIS,
];

/// The C functions of the floor, and the lines that they begin in.
const FLOOR: [(&str, &str); 2] = [
    ("floor.c", include_str!("floor/floor.c")),
    ("split.c", include_str!("floor/split.c")),
];

/// Instructions of one call of the handlers, by step.
type Steps = BTreeMap<&'static str, f64>;

pub(crate) fn table() -> anyhow::Result<String> {
    let mut columns = Vec::new();
    for in_floor in [false, true] {
        let mut calls = Vec::new();
        for name in CASES {
            let case = cases::find(name).context("a case")?;
            let children = time::units(case)? as f64 / case.batch as f64;
            let lines = callgrind::lines(case, in_floor)?;
            calls.push((children, steps(&lines, in_floor, case.batch as f64)));
        }
        let of = |at: usize, step| calls[at].1.get(step).copied().unwrap_or_default();
        let more = calls[1].0 - calls[0].0;
        for is_parent in [false, true] {
            columns.push(STEPS.map(|step| {
                let child = (of(1, step) - of(0, step)) / more;
                if is_parent {
                    calls[0].0.mul_add(-child, of(0, step))
                } else {
                    child
                }
            }));
        }
    }
    let mut table = Table::new();
    table.load_style(presets::ASCII_MARKDOWN);
    table.set_header(["step", "a child", "floor", "a parent", "floor"]);
    let row = |name: &str, figure: &dyn Fn(usize) -> f64| {
        let mut cells = vec![name.to_owned()];
        cells.extend([0, 2, 1, 3].map(|column| format!("{:.1}", figure(column))));
        cells
    };
    for (at, step) in STEPS.iter().enumerate() {
        table.add_row(row(step, &|column| columns[column][at]));
    }
    table.add_row(row("all", &|column| columns[column].iter().sum()));
    for column in table.column_iter_mut().skip(1) {
        column.set_cell_alignment(CellAlignment::Right);
    }
    Ok(table.to_string() + "\n")
}

/// The instructions of one parent, by step.
fn steps(lines: &[Line], in_floor: bool, parents: f64) -> Steps {
    let mut steps = Steps::new();
    let (mut function, mut last) = ("", JOB);
    for line in lines {
        if line.function != function {
            (function, last) = (&line.function, JOB);
        }
        let found = if ndis::is_routine(function) {
            Some(NDIS)
        } else if in_floor {
            floor_step(&line.file, line.number)
        } else {
            step(function, &line.file)
        };
        last = found.unwrap_or(last);
        *steps.entry(last).or_default() += line.cost as f64 / parents / f64::from(callgrind::TIMES);
    }
    steps
}

/// The step of the filter's code in `file`, inlined into `function`; `None` for the core library.
fn step(function: &str, file: &str) -> Option<&'static str> {
    if function.contains("send_complete") {
        return Some(COMPLETE);
    }
    let (folder, name) = file.rsplit_once('/')?;
    if !folder.contains("/crates/") {
        return None;
    }
    let in_cut = function.contains("Job::cut") || function.contains("Headers::");
    Some(match name {
        "mdl.rs" if in_cut => HEADERS,
        "mod.rs" | "ethernet.rs" | "ipv4.rs" | "ipv6.rs" | "tcp.rs" | "udp.rs" if in_cut => HEADERS,
        "headers.rs" | "front.rs" | "large_send.rs" if in_cut => HEADERS,
        "mod.rs" | "headers.rs" | "template.rs" | "identification.rs" => HEADER,
        "plan.rs" | "nic_caps.rs" => PLAN,
        "child.rs" | "context.rs" => SLOTS,
        "mdl.rs" | "chain.rs" | "packet.rs" => BUFFERS,
        "child_pool.rs" | "idle_list.rs" | "processor.rs" | "rundown.rs" => TAKE,
        "statistics.rs" => COUNT,
        "send.rs" | "nbl.rs" | "oob.rs" | "lso_info.rs" | "callbacks.rs" | "seq_lock.rs"
        | "filter_module.rs" => RUNDOWN,
        _ => JOB,
    })
}

/// The step of the floor's line `number` in `file`; `None` for a line of its header.
fn floor_step(file: &str, number: u32) -> Option<&'static str> {
    let (_, source) = FLOOR.iter().find(|(name, _)| file.ends_with(name))?;
    // A function begins in a line that is not indented and has its parameters.
    let lines = source.lines().take(number as usize);
    let begin = lines
        .filter(|line| line.starts_with(|first: char| first.is_ascii_alphabetic()))
        .filter_map(|line| line.rsplit(") ").find_map(|part| part.split_once('(')))
        .last()?;
    let name = begin.0.rsplit([' ', '*']).next()?;
    Some(match name {
        "is_large" | "all_fit" | "mslso_floor_send" => RUNDOWN,
        "copy_front" | "read_header" | "swap16" => HEADERS,
        "make_plan" => PLAN,
        "copy_header" => HEADER,
        "copy_oob" => SLOTS,
        "next_mdl" | "advance" | "build_partial" | "is_tail" | "trim" => BUFFERS,
        "complete_run" | "give_back" | "unmap" | "mslso_floor_complete" => COMPLETE,
        _ => JOB,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_of_the_floor_belongs_to_its_function() {
        let (_, source) = FLOOR[1];
        let line = |text: &str| {
            let found = source.lines().position(|line| line.contains(text));
            found.expect("a line") as u32 + 1
        };
        let of = |text| floor_step("/x/split.c", line(text));
        assert_eq!(of("IoBuildPartialMdl(source"), Some(BUFFERS));
        assert_eq!(of("NdisCopySendNetBufferListInfo(child"), Some(SLOTS));
        assert_eq!(of("bool tail = is_last"), Some(BUFFERS));
        assert_eq!(of("parent->Scratch = "), Some(JOB));
        assert_eq!(floor_step("/x/floor.h", 5), None);
    }

    #[test]
    fn code_of_the_core_library_has_the_step_before_it() {
        let line = |file: &str, cost| Line {
            function: "filter::split::Job::cut".into(),
            file: file.into(),
            number: 1,
            cost,
        };
        let lines = [
            line("/x/crates/lso/src/plan.rs", 20),
            line("/rustc/core/src/num/uint_macros.rs", 40),
            line("/x/crates/ndis/src/mdl.rs", 60),
        ];
        let steps = steps(&lines, false, 1.0);
        assert_eq!((steps[PLAN], steps[HEADERS]), (3.0, 3.0));
    }
}
