//! The command `build`.

use std::fs;
use std::path::Path;

use der::Encode;
use object::pe::{IMAGE_FILE_MACHINE_AMD64, IMAGE_FILE_MACHINE_ARM64, Machine};
use rsa::rand_core::OsRng;
use rsa::sha2::Sha256;
use time::OffsetDateTime;

use crate::catalog::{self, Member};
use crate::cli::{BuildArgs, Tools};
use crate::failure::Failure;
use crate::folder::{self, Folder};
use crate::identity::{Identity, KEY_BITS};
use crate::image::Image;
use crate::inf::Inf;
use crate::names::{ARM64, CAT, CERTIFICATE, CTL, INF, Platform, SYS, VERSION, X64};
use crate::signed_data;
use crate::spc::{Kind, indirect_data};
use crate::{date, oids, wdk};

/// The texts in every package: its readme and the licenses.
const TEXTS: [(&str, &str); 3] = [
    ("README.txt", include_str!("readme.txt")),
    ("LICENSE-MIT", include_str!("../../../LICENSE-MIT")),
    ("LICENSE-APACHE", include_str!("../../../LICENSE-APACHE")),
];

fn platform(machine: Machine) -> Result<Platform, Failure> {
    match machine {
        IMAGE_FILE_MACHINE_AMD64 => Ok(X64),
        IMAGE_FILE_MACHINE_ARM64 => Ok(ARM64),
        _ => Err(Failure::Image("is neither for x64 nor for Arm64")),
    }
}

/// Makes the package, and gives the number of its files.
///
/// # Errors
///
/// See [`Failure`]. Before the last step the output folder is as it was.
pub fn run(args: &BuildArgs, date: OffsetDateTime) -> Result<usize, Failure> {
    let mut folder = Folder::default();
    for pdb in &args.pdb {
        folder.copy(pdb)?;
    }
    for (name, text) in TEXTS {
        folder.add(name, text.replace("\r\n", "\n").replace('\n', "\r\n"))?;
    }
    for scripts in &args.scripts {
        folder.copy_scripts(scripts)?;
    }
    let image = Image::new(folder::read(&args.sys)?)?;
    let tool = Image::new(folder::read(&args.ctl)?).map_err(|failure| match failure {
        Failure::Image(why) => Failure::CtlImage(why),
        failure => failure,
    })?;
    let platform = platform(image.machine())?;
    let inf = Inf::of_package(&folder::read(&args.inf)?, platform.inf)?;
    check(&inf, &folder)?;
    match args.tools {
        Tools::Own => own(args, date, platform, [image, tool], &inf, &mut folder)?,
        Tools::Wdk => wdk::sign(args, date, platform, &inf, &mut folder)?,
    }
    folder.write(&args.out)
}

/// Checks that the files named by the INF are in the package.
fn check(inf: &Inf, folder: &Folder) -> Result<(), Failure> {
    if inf.catalog() != CAT {
        return Err(Failure::Inf(format!("does not say CatalogFile = {CAT}")));
    }
    if !inf.files().contains(SYS) {
        return Err(Failure::Inf(format!(
            "does not name {SYS} in [SourceDisksFiles]"
        )));
    }
    match inf
        .files()
        .iter()
        .find(|name| *name != SYS && folder.get(name).is_none())
    {
        Some(missing) => Err(Failure::Inf(format!(
            "names {missing}, which is not in the package"
        ))),
        None => Ok(()),
    }
}

fn own(
    args: &BuildArgs,
    date: OffsetDateTime,
    platform: Platform,
    [image, tool]: [Image; 2],
    inf: &Inf,
    folder: &mut Folder,
) -> Result<(), Failure> {
    let stamped = inf.stamped(&date::for_inf(date), VERSION);
    let identity = identity(args, date)?;

    let mut members = vec![Member::flat(INF, &stamped), Member::image(SYS, &image)];
    for name in inf.files() {
        if let Some(bytes) = folder.get(&name) {
            members.push(Member::new(&name, bytes));
        }
    }
    let list = catalog::list(&members, platform.systems, &inf.identifiers(), date)?;
    folder.add(CAT, signed_data::sign(&identity, oids::CTL, &list)?)?;

    for (name, image) in [(SYS, image), (CTL, tool)] {
        let content = indirect_data(Kind::EmbeddedImage, &image.hash::<Sha256>())?;
        let signature = signed_data::sign(&identity, oids::INDIRECT_DATA, &content)?;
        folder.add(name, image.with_signature(&signature)?)?;
    }
    folder.add(INF, stamped)?;
    folder.add(CERTIFICATE, identity.certificate().to_der()?)
}

/// A new identity, or the one kept.
fn identity(args: &BuildArgs, date: OffsetDateTime) -> Result<Identity, Failure> {
    let create = || Identity::create(&args.certificate, date, KEY_BITS, &mut OsRng);
    let Some(path) = &args.keep_key else {
        return create();
    };
    if path.exists() {
        let pem = fs::read_to_string(path).map_err(Failure::read(path))?;
        return Identity::from_pem(&pem, path);
    }
    let identity = create()?;
    write_secret(path, identity.to_pem()?.as_bytes())?;
    Ok(identity)
}

/// Writes a file that no other user may read, if the system supports that.
fn write_secret(path: &Path, bytes: &[u8]) -> Result<(), Failure> {
    use std::io::Write;

    let mut options = fs::OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let mut file = options.open(path).map_err(Failure::write(path))?;
    file.write_all(bytes).map_err(Failure::write(path))
}
