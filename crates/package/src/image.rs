//! An image, the driver's or the tool's: its Authenticode hash, its checksum, and a signature put into it.
//!
//! Microsoft, "Windows Authenticode Portable Executable Signature Format": the hash is of the whole
//! file but the checksum, the directory entry of the signature, and the signature, which comes last.

use object::LittleEndian as LE;
use object::pe::{IMAGE_DIRECTORY_ENTRY_SECURITY, ImageNtHeaders64, Machine};
use object::read::pe::{ImageNtHeaders, PeFile64};
use rsa::sha2::Digest;

use crate::failure::Failure;

/// Where CheckSum is in the optional header.
const CHECKSUM: usize = 64;
/// Where the data directories begin in the optional header of a PE32+ image.
const DIRECTORIES: usize = 112;
/// The length of the PE signature and the file header, before the optional header.
const BEFORE_OPTIONAL: usize = 24;
/// The length of a WIN_CERTIFICATE before its data.
const CERTIFICATE_HEADER: usize = 8;
/// Signatures begin and end at multiples of this.
const CERTIFICATE_ALIGNMENT: usize = 8;
/// WIN_CERT_REVISION_2_0.
const REVISION: u16 = 0x0200;
/// WIN_CERT_TYPE_PKCS_SIGNED_DATA.
const PKCS_SIGNED_DATA: u16 = 2;

/// A PE32+ image without a signature, as long as one needs it to be.
#[derive(Clone, Debug)]
pub struct Image {
    bytes: Vec<u8>,
    checksum: usize,
    security: usize,
    machine: Machine,
}

impl Image {
    /// Takes an image.
    ///
    /// # Errors
    ///
    /// It is not one, or has a signature already.
    pub fn new(mut bytes: Vec<u8>) -> Result<Self, Failure> {
        let file = PeFile64::parse(bytes.as_slice())
            .map_err(|_| Failure::Image("is no PE32+ image; build it again"))?;
        let directories = file.data_directories();
        if directories.len() <= IMAGE_DIRECTORY_ENTRY_SECURITY {
            return Err(Failure::Image("has no place for a signature"));
        }
        if directories.get(IMAGE_DIRECTORY_ENTRY_SECURITY).is_some() {
            return Err(Failure::Image("is signed already; give the unsigned one"));
        }
        let optional = file.dos_header().nt_headers_offset() as usize + BEFORE_OPTIONAL;
        let machine = ImageNtHeaders64::file_header(file.nt_headers())
            .machine
            .get(LE);
        let aligned = bytes.len().next_multiple_of(CERTIFICATE_ALIGNMENT);
        bytes.resize(aligned, 0);
        Ok(Self {
            bytes,
            checksum: optional + CHECKSUM,
            security: optional + DIRECTORIES + 8 * IMAGE_DIRECTORY_ENTRY_SECURITY,
            machine,
        })
    }

    /// The processor it is for.
    pub fn machine(&self) -> Machine {
        self.machine
    }

    /// Its Authenticode hash, the same with a signature and without.
    pub fn hash<D: Digest>(&self) -> Vec<u8> {
        D::new()
            .chain_update(&self.bytes[..self.checksum])
            .chain_update(&self.bytes[self.checksum + 4..self.security])
            .chain_update(&self.bytes[self.security + 8..])
            .finalize()
            .to_vec()
    }

    /// The file with a signature, and with its checksum right again.
    ///
    /// # Errors
    ///
    /// The file would be longer than an image can be.
    pub fn with_signature(mut self, signature: &[u8]) -> Result<Vec<u8>, Failure> {
        let length = CERTIFICATE_HEADER + signature.len();
        let length = length.next_multiple_of(CERTIFICATE_ALIGNMENT);
        let too_long = |_| Failure::Image("is too long");
        let start = u32::try_from(self.bytes.len()).map_err(too_long)?;
        let size = u32::try_from(length).map_err(too_long)?;
        self.put(self.security, start);
        self.put(self.security + 4, size);
        let end = self.bytes.len() + length;
        self.bytes.extend(size.to_le_bytes());
        self.bytes.extend(REVISION.to_le_bytes());
        self.bytes.extend(PKCS_SIGNED_DATA.to_le_bytes());
        self.bytes.extend(signature);
        self.bytes.resize(end, 0);
        let checksum = self.sum();
        self.put(self.checksum, checksum);
        Ok(self.bytes)
    }

    fn put(&mut self, at: usize, value: u32) {
        self.bytes[at..at + 4].copy_from_slice(&value.to_le_bytes());
    }

    /// The checksum that the loader verifies: a one's complement sum of 16-bit words, without the
    /// field itself, plus the length of the file.
    fn sum(&self) -> u32 {
        let (words, _) = self.bytes.as_chunks::<2>();
        let field = self.checksum / 2..self.checksum / 2 + 2;
        let sum = words
            .iter()
            .enumerate()
            .filter(|(at, _)| !field.contains(at))
            .fold(0_u32, |sum, (_, word)| {
                let sum = sum + u32::from(u16::from_le_bytes(*word));
                (sum & 0xFFFF) + (sum >> 16)
            });
        sum + self.bytes.len() as u32
    }
}
