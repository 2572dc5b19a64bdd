//! Numbers, sizes and tables for people to read. ASCII only, for the console's sake.

use comfy_table::{CellAlignment, ContentLineStyle, LineStyle, Table, TableStyle};

/// Columns two spaces apart, a line under the heads, and no borders.
const STYLE: TableStyle = TableStyle::new()
    .header_lines(ContentLineStyle::none())
    .header_separator(LineStyle::none().fill('-').junction(' '))
    .content_lines(ContentLineStyle::none());

/// A table whose first columns, `texts` of them, are text and the others numbers.
pub(crate) fn table<const N: usize>(
    texts: usize,
    heads: [&str; N],
    rows: Vec<[String; N]>,
) -> String {
    let mut table = Table::new();
    table.load_style(STYLE);
    table.set_header(heads);
    for column in table.column_iter_mut().skip(texts) {
        column.set_cell_alignment(CellAlignment::Right);
    }
    table.add_rows(rows);
    table.trim_fmt() + "\n"
}

/// A number with its thousands separated.
pub(crate) fn number(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::new();
    for (place, digit) in digits.chars().enumerate() {
        if place > 0 && (digits.len() - place).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// A number of bytes, and the same in the binary unit that suits it.
pub(crate) fn bytes(bytes: u64) -> String {
    const UNITS: [&str; 5] = ["KiB", "MiB", "GiB", "TiB", "PiB"];
    let mut scaled = bytes as f64 / 1024.0;
    let mut unit = UNITS[0];
    for next in &UNITS[1..] {
        if scaled < 1024.0 {
            break;
        }
        scaled /= 1024.0;
        unit = next;
    }
    if bytes < 1024 {
        format!("{} bytes", number(bytes))
    } else {
        format!("{} bytes ({scaled:.1} {unit})", number(bytes))
    }
}

/// A quantity in a second, with its thousands separated.
pub(crate) fn rate(quantity: u64, seconds: f64) -> String {
    number((quantity as f64 / seconds).round() as u64)
}

/// How many times `whole` is `part`, without a fraction that is zero.
pub(crate) fn times(whole: u32, part: u32) -> String {
    let times = f64::from(whole) / f64::from(part);
    if whole.is_multiple_of(part) {
        format!("{times:.0} x")
    } else {
        format!("{times:.1} x")
    }
}

#[cfg(test)]
mod tests {
    use super::{bytes, number, rate, table, times};

    #[test]
    fn thousands_are_separated() {
        let numbers = [0, 999, 1000, 62_780, 1_048_576].map(number);
        assert_eq!(numbers, ["0", "999", "1,000", "62,780", "1,048,576"]);
        assert_eq!(number(u64::MAX), "18,446,744,073,709,551,615");
    }

    #[test]
    fn bytes_have_a_suitable_unit() {
        assert_eq!(bytes(1023), "1,023 bytes");
        assert_eq!(bytes(62_780), "62,780 bytes (61.3 KiB)");
        assert_eq!(bytes(1 << 20), "1,048,576 bytes (1.0 MiB)");
        assert!(bytes(u64::MAX).ends_with("(16384.0 PiB)"));
    }

    #[test]
    fn ratios() {
        assert_eq!(rate(3000, 2.0), "1,500");
        assert_eq!(times(502_240, 62_780), "8 x");
        assert_eq!(times(94_170, 62_780), "1.5 x");
    }

    #[test]
    fn tables_align() {
        let rows = vec![["a".into(), "1".into()], ["bcd".into(), "1,000".into()]];
        let expected = [
            " name       n",
            "------ -------",
            " a          1",
            " bcd    1,000",
        ];
        let text = table(1, ["name", "n"], rows);
        assert_eq!(text.lines().collect::<Vec<_>>(), expected);
    }
}
