//! Whether commands that change the system ask `ShouldProcess` first, so that -WhatIf and -Confirm
//! work.

use tree_sitter::Node;

use crate::cmdlets;
use crate::syntax::{Call, Script, ancestors, children};

/// Cmdlets with -WhatIf whose use here changes nothing that outlasts the script.
const HARMLESS: [&str; 3] = ["ForEach-Object", "Remove-Job", "Stop-Job"];

/// Commands that run programs, on another machine or unseen.
const RUNNERS: [&str; 3] = ["Invoke-Native", "Invoke-Command", "Start-Job"];

/// Functions that run programs which change nothing. For `Invoke-Ctl`, its callers count.
const READERS: [&str; 2] = ["Invoke-Ctl", "Get-VerifierSetting"];

/// Calls that change something and are not confirmed.
pub fn unconfirmed(scripts: &[Script]) -> Vec<String> {
    let mut found = Vec::new();
    for script in scripts {
        let calls = script.calls();
        for call in calls.iter().filter(|call| changes(script, call)) {
            if !is_confirmed(script, &calls, call, 0) {
                found.push(call.complaint("is not confirmed by ShouldProcess"));
            }
        }
    }
    found
}

fn changes(script: &Script, call: &Call<'_>) -> bool {
    let name = call.name();
    if name == "Invoke-Ctl" {
        return script.text(call.node).contains("set");
    }
    let reads = call
        .function()
        .is_some_and(|function| READERS.contains(&function.name()));
    if RUNNERS.contains(&name) || (call.is_invoked() && name.contains("$PSScriptRoot")) {
        return !reads;
    }
    !HARMLESS.contains(&name) && cmdlets::has(name, "WhatIf")
}

/// Whether a call is reached only once `ShouldProcess` has returned true: where it stands, or
/// wherever the function is called that it is in.
fn is_confirmed(script: &Script, calls: &[Call<'_>], call: &Call<'_>, depth: usize) -> bool {
    if is_guarded(script, call.node) {
        return true;
    }
    // Undoing a confirmed change is confirmed.
    if call.name().contains("Remove-VmLab.ps1") && script.text(call.node).contains("$StateFile") {
        return ancestors(call.node).any(|node| node.kind() == "catch_clause");
    }
    let Some(function) = call.function() else {
        return false;
    };
    // A function calls another a few deep; one that calls itself is confirmed by none.
    let mut callers = calls
        .iter()
        .filter(|other| other.name() == function.name())
        .peekable();
    depth < 8
        && callers.peek().is_some()
        && callers.all(|caller| is_confirmed(script, calls, caller, depth + 1))
}

/// Whether a node is in an `if` that asks for confirmation, or after one that leaves when the
/// answer is no.
fn is_guarded(script: &Script, node: Node<'_>) -> bool {
    let mut inner = node;
    for outer in ancestors(node) {
        let is_body = inner.kind() == "statement_block";
        let is_if = ["if_statement", "elseif_clause"].contains(&outer.kind());
        if is_body && is_if && asks(script, outer) == Some(true) {
            return true;
        }
        if outer.kind() == "statement_list" {
            let before = children(outer).into_iter();
            let mut before = before.take_while(|sibling| sibling.id() != inner.id());
            if before.any(|sibling| leaves_unless_confirmed(script, sibling)) {
                return true;
            }
        }
        inner = outer;
    }
    false
}

/// Whether an `if` asks: `Some(false)` if it does for a no.
fn asks(script: &Script, node: Node<'_>) -> Option<bool> {
    let parts = children(node).into_iter();
    let condition = parts.into_iter().find(|part| part.kind() == "pipeline")?;
    let condition = script.text(condition);
    // An answer may be kept in a variable.
    let kept = format!("{condition} = $PSCmdlet.ShouldProcess(");
    if script.text.contains(&kept) {
        return Some(true);
    }
    let asks = condition.contains("$PSCmdlet.ShouldProcess(") && !condition.contains(" -or ");
    asks.then(|| !condition.contains("-not $PSCmdlet"))
}

fn leaves_unless_confirmed(script: &Script, node: Node<'_>) -> bool {
    if node.kind() != "if_statement" || asks(script, node) != Some(false) {
        return false;
    }
    let parts = children(node).into_iter();
    let body = parts
        .into_iter()
        .find(|part| part.kind() == "statement_block");
    let lists = body.map_or_else(Vec::new, children).into_iter();
    let list = lists
        .into_iter()
        .find(|part| part.kind() == "statement_list");
    let last = list.and_then(|list| children(list).pop());
    last.is_some_and(|last| last.kind() == "flow_control_statement")
}

/// Functions that ask, and have attributes: those ask for themselves, not for the script.
pub fn own_confirmation(scripts: &[Script]) -> Vec<String> {
    let mut found = Vec::new();
    for script in scripts {
        for function in script.functions() {
            let text = script.text(function.node);
            let attributes = ["[Parameter", "[CmdletBinding"]
                .iter()
                .any(|it| text.contains(it));
            if text.contains("$PSCmdlet") && (attributes || script.is_module()) {
                let what = "asks for itself, and does not see the script's -WhatIf";
                found.push(script.complaint(function.node, what));
            }
        }
    }
    found
}
