//! Numbers, sizes and tables in the words of every report.

use comfy_table::{CellAlignment, ContentLineStyle, LineStyle, Table, TableStyle};
use lso::IpVersion;

use crate::driver::Build;

/// The line that names the build of the driver.
pub fn driver_line(build: &Build) -> String {
    format!("Driver: {build}.\n")
}

/// Lines between columns and under the heads, none else: it is wide enough.
const STYLE: TableStyle = TableStyle::new()
    .header_lines(ContentLineStyle::none().junction('│'))
    .header_separator(LineStyle::none().fill('─').junction('┼'))
    .content_lines(ContentLineStyle::none().junction('│'));

/// A table of `columns`, each with its head and whether it holds numbers.
pub fn lined<Cells: IntoIterator<Item = String>>(
    columns: &[(impl ToString, bool)],
    rows: impl IntoIterator<Item = Cells>,
) -> String {
    let mut table = Table::new();
    table.load_style(STYLE);
    table.set_header(columns.iter().map(|(head, _)| head.to_string()));
    for (column, (_, number)) in table.column_iter_mut().zip(columns) {
        if *number {
            column.set_cell_alignment(CellAlignment::Right);
        }
    }
    for row in rows {
        table.add_row(row);
    }
    table.trim_fmt()
}

/// The name of an IP version.
pub fn ip_name(ip: IpVersion) -> &'static str {
    match ip {
        IpVersion::V4 => "IPv4",
        IpVersion::V6 => "IPv6",
    }
}

/// A whole number with a comma between thousands.
pub fn number(value: u64) -> String {
    let digits = value.to_string();
    let first = (digits.len() - 1) % 3 + 1;
    let (head, rest) = digits.split_at(first);
    rest.as_bytes()
        .chunks(3)
        .fold(head.to_owned(), |text, three| {
            text + "," + &String::from_utf8_lossy(three)
        })
}

/// `count` things: `1 child`, `17 children`.
pub fn counted(count: u64, one: &str, many: &str) -> String {
    format!("{} {}", number(count), if count == 1 { one } else { many })
}

/// Runs of equal sizes, such as `12×60,816 + 5×62,264`.
pub fn sizes(children: &[usize]) -> String {
    let runs = children.chunk_by(|a, b| a == b).map(|run| {
        let size = number(run[0] as u64);
        match run.len() {
            1 => size,
            times => format!("{times}×{size}"),
        }
    });
    let runs: Vec<_> = runs.collect();
    runs.join(" + ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn thousands_are_separated() {
        let numbers = [0, 7, 999, 1000, 62_780, 1_048_576, u64::MAX].map(number);
        let expected = [
            "0",
            "7",
            "999",
            "1,000",
            "62,780",
            "1,048,576",
            "18,446,744,073,709,551,615",
        ];
        assert_eq!(numbers, expected);
    }

    #[test]
    fn equal_sizes_are_counted() {
        assert_eq!(sizes(&[]), "");
        assert_eq!(sizes(&[62_780]), "62,780");
        assert_eq!(sizes(&[1448, 1448, 2896, 2896, 5]), "2×1,448 + 2×2,896 + 5");
    }
}
