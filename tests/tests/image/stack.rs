//! The stack that the image's handlers take, from its unwind data and its code: the functions that
//! `.pdata` lists, the bytes that the prologue of each takes, and the calls that it makes, which the
//! disassembler iced-x86 finds.
//!
//! A kernel stack has 24 KiB, and a send may pass many drivers on it, several times: from within a
//! completion the overlying driver sends again.

use std::collections::{BTreeMap, BTreeSet};

use iced_x86::{Decoder, DecoderOptions, FlowControl, Instruction, OpKind, Register};
use object::{
    LittleEndian as LE, Object, ObjectSection,
    pe::ImageNtHeaders64,
    read::pe::{Import, PeFile64},
};
use scenarios::driver::image_under_test;

/// Most bytes on a path to a routine of NDIS that other drivers' code is behind, at an IRQL up to
/// DISPATCH_LEVEL.
const REENTRANT_BUDGET: u32 = 1024;
/// Most bytes on any other path.
const BUDGET: u32 = 2048;

/// Routines for PASSIVE_LEVEL or APC_LEVEL: a handler from which one is reached is called there.
const PASSIVE: [&str; 6] = [
    "ExReInitializeRundownProtectionCacheAware",
    "ExWaitForRundownProtectionReleaseCacheAware",
    "KeEnterCriticalRegion",
    "NdisFRegisterFilterDriver",
    "NdisFDeregisterFilterDriver",
    "NdisOpenConfigurationEx",
];

/// Routines behind which other drivers run, on this stack.
const REENTRANT: [&str; 6] = [
    "NdisFSendNetBufferLists",
    "NdisFSendNetBufferListsComplete",
    "NdisFIndicateStatus",
    "NdisFOidRequest",
    "NdisFOidRequestComplete",
    "NdisFCancelOidRequest",
];

/// A function of the image.
#[derive(Default)]
struct Function {
    /// Bytes that it takes, with its return address.
    frame: u32,
    /// The functions that it calls.
    calls: BTreeSet<u32>,
    /// Those that it jumps to at its end, in their place on the stack.
    tail_calls: BTreeSet<u32>,
    /// The routines of other modules that it calls.
    imports: BTreeSet<String>,
}

/// The image's functions, by address.
struct Code {
    functions: BTreeMap<u32, Function>,
}

/// The bytes at `rva`, up to the end of their section.
fn at<'a>(file: &PeFile64<'a>, bytes: &'a [u8], rva: u32) -> &'a [u8] {
    let sections = file.section_table();
    sections.pe_data_at(bytes, rva).expect("in a section")
}

fn u32_at(bytes: &[u8], place: usize) -> u32 {
    u32::from_le_bytes(bytes[place..place + 4].try_into().expect("four"))
}

/// The name of the routine behind each entry of the import address table.
fn imports(file: &PeFile64<'_>) -> BTreeMap<u32, String> {
    let table = file.import_table().expect("readable").expect("imports");
    let mut names = BTreeMap::new();
    let mut descriptors = table.descriptors().expect("readable");
    while let Some(descriptor) = descriptors.next().expect("readable") {
        let mut slot = descriptor.first_thunk.get(LE);
        let lookup = descriptor.original_first_thunk.get(LE);
        let mut thunks = table.thunks(lookup).expect("readable");
        while let Some(thunk) = thunks.next::<ImageNtHeaders64>().expect("readable") {
            if let Import::Name(_, name) = table.import::<ImageNtHeaders64>(thunk).expect("a name")
            {
                names.insert(slot, String::from_utf8_lossy(name).into_owned());
            }
            slot += 8;
        }
    }
    names
}

/// Bytes that the prologue takes, with those of functions that it is a continuation of (Windows
/// documentation, "x64 exception handling", "Unwind operation code", "Chained unwind info").
fn frame<'a>(file: &PeFile64<'a>, bytes: &'a [u8], info: u32) -> u32 {
    let unwind = at(file, bytes, info);
    let count = usize::from(unwind[2]);
    let codes = &unwind[4..4 + count * 2];
    let wide = |slot: usize| u32::from(u16::from_le_bytes([codes[slot * 2], codes[slot * 2 + 1]]));
    let (mut slot, mut size) = (0, 0);
    while slot < count {
        let (operation, info) = (codes[slot * 2 + 1] & 15, codes[slot * 2 + 1] >> 4);
        let (taken, slots) = match (operation, info) {
            (0, _) => (8, 1),
            (1, 0) => (wide(slot + 1) * 8, 2),
            (1, _) => (wide(slot + 1) | wide(slot + 2) << 16, 3),
            (2, info) => (u32::from(info) * 8 + 8, 1),
            (4 | 8, _) => (0, 2),
            (5 | 9, _) => (0, 3),
            _ => (0, 1),
        };
        size += taken;
        slot += slots;
    }
    let is_chained = unwind[0] >> 3 & 4 != 0;
    if is_chained {
        let parent = 4 + count.next_multiple_of(2) * 2;
        size += frame(file, bytes, u32_at(unwind, parent + 8));
    }
    size
}

impl Code {
    fn of(bytes: &[u8]) -> Self {
        let file = PeFile64::parse(bytes).expect("a PE32+ image");
        let imports = imports(&file);
        let pdata = file.section_by_name(".pdata").expect("unwind data");
        let entries: Vec<_> = pdata
            .data()
            .expect("readable")
            .chunks_exact(12)
            .map(|entry| [0, 4, 8].map(|place| u32_at(entry, place)))
            .filter(|entry| entry[0] != 0)
            .collect();
        let ranges: BTreeMap<_, _> = entries
            .iter()
            .map(|[begin, end, _]| (*begin, *end))
            .collect();
        let mut functions = BTreeMap::new();
        for [begin, end, info] in entries {
            let mut function = Function {
                frame: 8 + frame(&file, bytes, info),
                ..Function::default()
            };
            let code = &at(&file, bytes, begin)[..(end - begin) as usize];
            let decoder = Decoder::with_ip(64, code, begin.into(), DecoderOptions::NONE);
            for instruction in decoder {
                function.read(&instruction, begin..end, &imports);
            }
            functions.insert(begin, function);
        }
        let called: BTreeSet<_> = functions
            .values()
            .flat_map(|function| function.calls.iter().chain(&function.tail_calls))
            .copied()
            .collect();
        for start in called {
            let inside = ranges.range(..=start).next_back();
            let is_inside = inside.is_some_and(|(begin, end)| *begin < start && start < *end);
            assert!(
                !is_inside,
                "a call into the middle of a function: {start:#x}"
            );
            functions
                .entry(start)
                .or_insert_with(|| Function::leaf(at(&file, bytes, start), start, &imports));
        }
        Self { functions }
    }

    /// The most bytes on a path from the beginning of `start` to a routine that `counts`, or `None`
    /// if there is no such path, with the functions on it.
    fn deepest(
        &self,
        start: u32,
        counts: &dyn Fn(&Function) -> bool,
        path: &mut Vec<u32>,
    ) -> Option<(u32, Vec<u32>)> {
        assert!(!path.contains(&start), "the image recurses: {path:x?}");
        let function = &self.functions[&start];
        path.push(start);
        let mut most = counts(function).then(|| (function.frame, path.clone()));
        for called in &function.calls {
            if let Some((depth, path)) = self.deepest(*called, counts, path)
                && most
                    .as_ref()
                    .is_none_or(|most| most.0 < function.frame + depth)
            {
                most = Some((function.frame + depth, path));
            }
        }
        for called in &function.tail_calls {
            if let Some((depth, path)) = self.deepest(*called, counts, path)
                && most.as_ref().is_none_or(|most| most.0 < depth)
            {
                most = Some((depth, path));
            }
        }
        path.pop();
        most
    }

    /// The functions that no function calls: the entry point and the handlers.
    fn roots(&self) -> Vec<u32> {
        let called = |function: &Function| {
            let both = function.calls.iter().chain(&function.tail_calls);
            both.copied().collect::<Vec<_>>()
        };
        let called: BTreeSet<_> = self.functions.values().flat_map(called).collect();
        let all = self.functions.keys().copied();
        all.filter(|start| !called.contains(start)).collect()
    }

    /// The deepest of the paths from `roots`.
    fn deepest_of_all(
        &self,
        roots: &[u32],
        counts: &dyn Fn(&Function) -> bool,
    ) -> Option<(u32, Vec<u32>)> {
        let roots = roots.iter();
        roots
            .filter_map(|root| self.deepest(*root, counts, &mut Vec::new()))
            .max()
    }

    /// Whether a handler is called at PASSIVE_LEVEL alone.
    fn is_passive(&self, root: u32) -> bool {
        let counts = |function: &Function| {
            let mut imports = function.imports.iter();
            imports.any(|import| PASSIVE.contains(&import.as_str()))
        };
        self.deepest(root, &counts, &mut Vec::new()).is_some()
    }

    /// A path with the frame of each function, for a message.
    fn in_words(&self, path: &[u32]) -> String {
        let words = path
            .iter()
            .map(|start| format!("{start:#x} ({})", self.functions[start].frame));
        words.collect::<Vec<_>>().join(" > ")
    }
}

impl Function {
    /// A function without unwind data, which takes nothing but its return address: a leaf, or the
    /// jump to a routine of another module.
    fn leaf(code: &[u8], start: u32, imports: &BTreeMap<u32, String>) -> Self {
        let mut function = Self {
            frame: 8,
            ..Self::default()
        };
        for instruction in Decoder::with_ip(64, code, start.into(), DecoderOptions::NONE) {
            function.read(&instruction, start..u32::MAX, imports);
            if matches!(
                instruction.flow_control(),
                FlowControl::Return
                    | FlowControl::IndirectBranch
                    | FlowControl::UnconditionalBranch
            ) {
                break;
            }
        }
        function
    }

    fn read(
        &mut self,
        instruction: &Instruction,
        own: std::ops::Range<u32>,
        imports: &BTreeMap<u32, String>,
    ) {
        let target = || instruction.near_branch_target() as u32;
        match instruction.flow_control() {
            FlowControl::Call => {
                self.calls.insert(target());
            }
            FlowControl::UnconditionalBranch | FlowControl::ConditionalBranch
                if !own.contains(&target()) =>
            {
                self.tail_calls.insert(target());
            }
            FlowControl::IndirectCall | FlowControl::IndirectBranch => {
                let through_table = instruction.op0_kind() == OpKind::Memory
                    && instruction.memory_base() == Register::RIP;
                if through_table {
                    let slot = instruction.memory_displacement64() as u32;
                    self.imports.extend(imports.get(&slot).cloned());
                }
            }
            _ => {}
        }
    }
}

#[test]
fn a_path_to_other_drivers_takes_little_of_the_stack() {
    let Some(bytes) = image_under_test() else {
        return;
    };
    let code = Code::of(&bytes);
    let mut reached = BTreeSet::new();
    for function in code.functions.values() {
        reached.extend(function.imports.iter().map(String::as_str));
    }
    for routine in REENTRANT {
        assert!(reached.contains(routine), "no call of {routine} was found");
    }
    let (passive, others): (Vec<_>, Vec<_>) = code
        .roots()
        .into_iter()
        .partition(|root| code.is_passive(*root));
    for (roots, budget) in [(others, REENTRANT_BUDGET), (passive, BUDGET)] {
        for routine in REENTRANT {
            let calls = |function: &Function| function.imports.contains(routine);
            if let Some((depth, path)) = code.deepest_of_all(&roots, &calls) {
                let path = code.in_words(&path);
                println!("{depth:>5} bytes to {routine}: {path}");
                assert!(depth <= budget, "{depth} bytes to {routine}: {path}");
            }
        }
    }
}

#[test]
fn no_path_takes_much_of_the_stack() {
    let Some(bytes) = image_under_test() else {
        return;
    };
    let code = Code::of(&bytes);
    let mut paths: Vec<_> = code
        .roots()
        .into_iter()
        .filter_map(|root| code.deepest(root, &|_| true, &mut Vec::new()))
        .collect();
    paths.sort();
    for (depth, path) in &paths {
        println!("{depth:>5} bytes: {}", code.in_words(path));
    }
    let (depth, path) = paths.last().expect("a path");
    assert!(*depth <= BUDGET, "{depth} bytes: {}", code.in_words(path));
}
