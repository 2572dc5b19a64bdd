//! Scripts as syntax trees, and the commands in them.

use tree_sitter::{Node, Parser, Tree};

/// A script or module, parsed.
pub struct Script {
    /// The file's name.
    pub name: &'static str,
    /// Its text.
    pub text: String,
    tree: Tree,
}

impl Script {
    pub fn parse(name: &'static str, text: String) -> Self {
        let mut parser = Parser::new();
        let language = tree_sitter_powershell::LANGUAGE.into();
        parser.set_language(&language).expect("the grammar");
        let tree = parser.parse(&text, None).expect("a tree");
        Self { name, text, tree }
    }

    pub fn is_module(&self) -> bool {
        self.name.ends_with(".psm1")
    }

    pub fn root(&self) -> Node<'_> {
        self.tree.root_node()
    }

    pub fn text(&self, node: Node<'_>) -> &str {
        &self.text[node.byte_range()]
    }

    /// All nodes of a kind below `node`, in the order of the text.
    pub fn below<'a>(&self, node: Node<'a>, kind: &str) -> Vec<Node<'a>> {
        let mut found = Vec::new();
        let mut left = vec![node];
        while let Some(node) = left.pop() {
            if node.kind() == kind {
                found.push(node);
            }
            left.extend(children(node).into_iter().rev());
        }
        found
    }

    pub fn all(&self, kind: &str) -> Vec<Node<'_>> {
        self.below(self.root(), kind)
    }

    /// `what`, and where.
    pub fn complaint(&self, node: Node<'_>, what: &str) -> String {
        format!("{}:{}: {what}", self.name, node.start_position().row + 1)
    }

    pub fn calls(&self) -> Vec<Call<'_>> {
        let calls = self.all("command").into_iter();
        calls.map(|node| Call { script: self, node }).collect()
    }

    pub fn functions(&self) -> Vec<Function<'_>> {
        let nodes = self.all("function_statement").into_iter();
        nodes.map(|node| Function { script: self, node }).collect()
    }

    /// The script's own parameters.
    pub fn parameters(&self) -> Vec<&str> {
        let blocks = children(self.root()).into_iter();
        let block = blocks.into_iter().find(|node| node.kind() == "param_block");
        block.map_or_else(Vec::new, |block| parameters(self, block))
    }
}

/// Names of the parameters declared below a node, as written but without `$`.
fn parameters<'a>(script: &'a Script, node: Node<'_>) -> Vec<&'a str> {
    let declared = script.below(node, "script_parameter").into_iter();
    declared
        .filter_map(|node| {
            let own = children(node).into_iter();
            let variable = own.into_iter().find(|child| child.kind() == "variable")?;
            script.text(variable).strip_prefix('$')
        })
        .collect()
}

pub fn children(node: Node<'_>) -> Vec<Node<'_>> {
    node.children(&mut node.walk()).collect()
}

pub fn ancestors(node: Node<'_>) -> impl Iterator<Item = Node<'_>> {
    std::iter::successors(node.parent(), Node::parent)
}

/// A function of a script.
pub struct Function<'a> {
    script: &'a Script,
    pub node: Node<'a>,
}

impl<'a> Function<'a> {
    pub fn name(&self) -> &'a str {
        let names = self.script.below(self.node, "function_name");
        names.first().map_or("", |name| self.script.text(*name))
    }

    pub fn parameters(&self) -> Vec<&'a str> {
        parameters(self.script, self.node)
    }
}

/// A command: a cmdlet, a function, or the operand of `&`.
pub struct Call<'a> {
    script: &'a Script,
    pub node: Node<'a>,
}

impl<'a> Call<'a> {
    /// The called command; with `&`, the expression.
    pub fn name(&self) -> &'a str {
        let names = ["command_name", "command_name_expr"];
        let parts = children(self.node).into_iter();
        let name = parts.into_iter().find(|part| names.contains(&part.kind()));
        name.map_or("", |name| self.script.text(name)).trim()
    }

    pub fn is_invoked(&self) -> bool {
        let parts = children(self.node);
        parts
            .iter()
            .any(|part| part.kind() == "command_invokation_operator")
    }

    fn elements(&self) -> Vec<Node<'a>> {
        let parts = children(self.node).into_iter();
        parts
            .filter(|part| part.kind() == "command_elements")
            .flat_map(children)
            .filter(|element| element.kind() != "command_argument_sep")
            .collect()
    }

    /// Names of the parameters given.
    pub fn given(&self) -> Vec<&'a str> {
        let elements = self.elements().into_iter();
        elements
            .filter(|element| element.kind() == "command_parameter")
            .filter_map(|element| self.script.text(element).strip_prefix('-'))
            .map(|text| text.split(':').next().unwrap_or(text))
            .collect()
    }

    /// How many words follow that are no names of parameters.
    pub fn words(&self) -> usize {
        let elements = self.elements();
        elements
            .iter()
            .filter(|element| element.kind() != "command_parameter")
            .count()
    }

    /// The first word after the name.
    pub fn first(&self) -> &'a str {
        let elements = self.elements();
        let first = elements.first();
        first.map_or("", |element| self.script.text(*element))
    }

    /// The function that it is in.
    pub fn function(&self) -> Option<Function<'a>> {
        let node = ancestors(self.node).find(|node| node.kind() == "function_statement")?;
        let script = self.script;
        Some(Function { script, node })
    }

    pub fn complaint(&self, what: &str) -> String {
        let what = format!("{} {what}", self.name());
        self.script.complaint(self.node, &what)
    }
}
