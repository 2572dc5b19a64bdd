//! The list of adapters, byte for byte.

use control::{AdapterEntry, Invalid, ListReply, ListWriter, Name};

fn at(bytes: &[u8], place: usize, value: u8) -> Vec<u8> {
    let mut bytes = bytes.to_vec();
    bytes[place] = value;
    bytes
}

fn entry(if_index: u32, name: &str) -> AdapterEntry {
    AdapterEntry {
        if_index,
        base_if_index: if_index + 100,
        running: true,
        name: Name::from_text(name),
    }
}

fn list(out: &mut [u8], entries: &[AdapterEntry]) -> Result<usize, Invalid> {
    let mut writer = ListWriter::new(out)?;
    entries.iter().for_each(|entry| writer.push(entry));
    writer.finish()
}

#[test]
fn list_reply() -> Result<(), Invalid> {
    let entries = [entry(7, "Ethernet"), entry(0x0123, "Réseau 2")];
    let mut out = [0xEE; 600];
    let size = list(&mut out, &entries)?;
    assert_eq!(size, ListReply::size_of(2));
    assert_eq!(
        out[..16],
        [1, 0, 2, 0, 0x30, 2, 0, 0, 2, 0, 0, 0, 2, 0, 0, 0]
    );
    assert_eq!(
        out[16..36],
        [
            7, 0, 0, 0, 107, 0, 0, 0, 1, 0, 0, 0, 8, 0, 0, 0, b'E', 0, b't', 0
        ]
    );
    assert_eq!(out[288..292], [0x23, 1, 0, 0]);
    assert!(out[size..].iter().all(|byte| *byte == 0xEE));

    let reply = ListReply::decode(&out[..size])?;
    assert!(reply.is_whole());
    assert_eq!(reply.iter().collect::<Vec<_>>(), entries);

    let short = [1, 0, 2, 0, 12, 0, 0, 0, 0, 0, 0, 0];
    assert_eq!(ListReply::decode(&short).err(), Some(Invalid::Size));
    let wrong = |place, value| ListReply::decode(&at(&out[..size], place, value)).err();
    assert_eq!(wrong(8, 1), Some(Invalid::Count));
    assert_eq!(wrong(12, 1), Some(Invalid::Size));
    assert_eq!(wrong(15, 0xFF), Some(Invalid::Size));
    assert_eq!(
        wrong(24, 3),
        Some(Invalid::Reserved),
        "a flag of the first entry"
    );
    assert_eq!(wrong(28, 129), Some(Invalid::Name));
    assert_eq!(
        wrong(28, 7),
        Some(Invalid::Reserved),
        "the padding is not zero"
    );
    assert_eq!(
        wrong(300, 200),
        Some(Invalid::Name),
        "the second entry is read too"
    );
    Ok(())
}

#[test]
fn a_list_without_room_says_how_many_there_are() -> Result<(), Invalid> {
    let entries = [entry(1, "a"), entry(2, "b"), entry(3, "c")];
    for (room, fit) in [(16, 0), (287, 0), (288, 1), (831, 2), (832, 3)] {
        let mut out = vec![0; room];
        let size = list(&mut out, &entries)?;
        let reply = ListReply::decode(&out[..size])?;
        assert_eq!((reply.total(), reply.iter().count()), (3, fit));
        assert_eq!(reply.is_whole(), fit == 3);
    }
    assert_eq!(list(&mut [0; 15], &entries), Err(Invalid::BufferTooSmall));
    Ok(())
}

#[test]
fn a_name_is_never_cut_inside_a_character() {
    let mut units = [0x41; 129];
    units[127] = 0xD834;
    assert_eq!(Name::new(&units).units(), [0x41; 127]);
}
