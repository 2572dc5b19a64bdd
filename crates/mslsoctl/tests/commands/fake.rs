//! A driver without a kernel: it holds adapters and answers the protocol as the real one does.

use clap::Parser;
use control::{
    AdapterEntry, AttachSettings, DriverVersion, Invalid, IoControl, Limit, ListRequest,
    ListWriter, Message, Name, NicLimits, Profile, Raise, ReadReply, Select, SetRequest,
    SetSettingsRequest, SettingsReply, SoftwareSegmentation, StatisticsReply, Tuning,
    VersionRequest, first_stage_size,
};
use mslsoctl::cli::Cli;
use mslsoctl::connections::Connections;
use mslsoctl::device::{Answer, Device, DeviceError};
use mslsoctl::failure::Failure;

pub struct FakeAdapter {
    pub entry: AdapterEntry,
    pub read: ReadReply,
    pub statistics: StatisticsReply,
    /// The tuning in the registry.
    pub lasting: Tuning,
    /// The settings that are read at attach, in the registry.
    pub settings: AttachSettings,
}

/// The driver. Statistics double with each reading, so that a watch has something to see.
#[derive(Default)]
pub struct Fake {
    pub adapters: Vec<FakeAdapter>,
    /// Answers every call, if set.
    pub error: Option<DeviceError>,
    /// The version of the driver, if it is new enough to report it.
    pub driver: Option<DriverVersion>,
    /// An adapter that fails, and how.
    pub fails_at: Option<(u32, DeviceError)>,
    /// An adapter that is listed, and has gone away since.
    pub gone: Option<u32>,
    /// The value that replaces the replies' first byte, if set.
    pub version: Option<u8>,
    /// Codes that were called.
    pub calls: Vec<IoControl>,
    /// The host's connections, of adapters with the filter and without.
    pub host: Host,
}

/// The connections of a host: interface indices and names.
#[derive(Clone, Default)]
pub struct Host(pub Vec<(u32, &'static str)>);

impl Connections for Host {
    fn index_of(&self, name: &str) -> Option<u32> {
        let mut all = self.0.iter();
        all.find(|(_, known)| *known == name).map(|(i, _)| *i)
    }

    fn name_of(&self, if_index: u32) -> Option<String> {
        let mut all = self.0.iter();
        all.find(|(i, _)| *i == if_index)
            .map(|(_, name)| (*name).into())
    }
}

impl Fake {
    /// A driver on adapters of these interface indices and descriptions. Each NIC's own index is
    /// 100 above.
    pub fn on(adapters: &[(u32, &str)]) -> Self {
        Self {
            adapters: adapters.iter().map(|(i, name)| adapter(*i, name)).collect(),
            driver: Some(DriverVersion::BUILT),
            ..Self::default()
        }
    }

    /// The same on a host with these connections.
    pub fn connected(mut self, host: &[(u32, &'static str)]) -> Self {
        self.host = Host(host.to_vec());
        self
    }

    fn find(&mut self, if_index: u32) -> Result<&mut FakeAdapter, DeviceError> {
        if let Some((_, error)) = self.fails_at.filter(|(at, _)| *at == if_index) {
            return Err(error);
        }
        let gone = self.gone;
        self.adapters
            .iter_mut()
            .find(|adapter| adapter.entry.if_index == if_index && gone != Some(if_index))
            .ok_or(DeviceError::NoSuchAdapter)
    }

    fn answer(&mut self, code: IoControl, input: &[u8], output: &mut [u8]) -> Answer {
        match code {
            IoControl::LIST => {
                ListRequest::decode(input).map_err(error_of)?;
                let mut list = ListWriter::new(output).map_err(error_of)?;
                self.adapters.iter().for_each(|a| list.push(&a.entry));
                list.finish().map_err(error_of)
            }
            IoControl::READ => self.selected(input)?.read.encode(output).map_err(error_of),
            IoControl::STATISTICS => {
                let adapter = self.selected(input)?;
                let size = adapter.statistics.encode(output).map_err(error_of)?;
                adapter.statistics.sends *= 2;
                adapter.statistics.bytes *= 2;
                Ok(size)
            }
            IoControl::RESET_STATISTICS => {
                self.selected(input)?.statistics = StatisticsReply::default();
                Ok(0)
            }
            IoControl::SET => {
                let request = SetRequest::decode(input).map_err(error_of)?;
                self.find(request.if_index)?.set(request);
                Ok(0)
            }
            IoControl::DRIVER_VERSION => {
                VersionRequest::decode(input).map_err(error_of)?;
                let version = self.driver.ok_or(DeviceError::UnknownCode)?;
                version.encode(output).map_err(error_of)
            }
            // As old as one without a version.
            IoControl::READ_SETTINGS | IoControl::SET_SETTINGS if self.driver.is_none() => {
                Err(DeviceError::UnknownCode)
            }
            IoControl::READ_SETTINGS => {
                let adapter = self.selected(input)?;
                adapter.settings_reply().encode(output).map_err(error_of)
            }
            IoControl::SET_SETTINGS => {
                let request = SetSettingsRequest::decode(input).map_err(error_of)?;
                self.find(request.if_index)?.set_settings(request);
                Ok(0)
            }
            _ => Err(DeviceError::UnknownCode),
        }
    }

    fn selected(&mut self, input: &[u8]) -> Result<&mut FakeAdapter, DeviceError> {
        let select = Select::decode(input).map_err(error_of)?;
        self.find(select.if_index)
    }
}

impl FakeAdapter {
    fn settings_reply(&self) -> SettingsReply {
        let (elements, bits) = (self.read.max_sg_elements, self.read.ip_id_bits);
        let (mut in_effect, _) =
            AttachSettings::from_parameters(Some(bits), None, Some(elements), None);
        in_effect.software = self.read.software;
        SettingsReply {
            in_effect,
            registry_tuning: self.lasting,
            registry: self.settings,
        }
    }

    fn set_settings(&mut self, request: SetSettingsRequest) {
        let (new, old) = (request.change, self.settings);
        self.settings = AttachSettings {
            ip_id_bits: new.ip_id_bits.unwrap_or(old.ip_id_bits),
            software: new.software.unwrap_or(old.software),
            max_sg_elements: new.max_sg_elements.unwrap_or(old.max_sg_elements),
            memory_bound: new.memory_bound.unwrap_or(old.memory_bound),
        };
    }

    fn set(&mut self, request: SetRequest) {
        self.read.tuning = request.tuning;
        if request.persist {
            self.lasting = request.tuning;
        }
        let raised = |limit: Limit| first_stage_size(limit.max_payload, request.tuning);
        self.read.advertised_v2_ipv4 = raised(self.read.nic.v2_ipv4);
        self.read.advertised_uso_ipv4 = raised(self.read.nic.uso_ipv4);
    }
}

impl Device for Fake {
    fn control(&mut self, code: IoControl, input: &[u8], output: &mut [u8]) -> Answer {
        self.calls.push(code);
        if let Some(error) = self.error {
            return Err(error);
        }
        let size = self.answer(code, input, output)?;
        if let (Some(version), Some(first)) = (self.version, output.first_mut()) {
            *first = version;
        }
        Ok(size)
    }
}

fn error_of(invalid: Invalid) -> DeviceError {
    match invalid {
        Invalid::Version => DeviceError::Version,
        Invalid::BufferTooSmall => DeviceError::BufferTooSmall,
        _ => DeviceError::InvalidParameter,
    }
}

fn adapter(if_index: u32, name: &str) -> FakeAdapter {
    let nic = |max_payload| Limit {
        max_payload,
        min_segments: 2,
    };
    FakeAdapter {
        entry: AdapterEntry {
            if_index,
            base_if_index: if_index + 100,
            running: true,
            name: Name::from_text(name),
        },
        read: ReadReply {
            tuning: throughput(),
            ip_id_bits: 16,
            software: SoftwareSegmentation::WithChecksums,
            max_sg_elements: 64,
            mtu: 1500,
            running: true,
            nic: NicLimits {
                v2_ipv4: nic(62_780),
                uso_ipv4: nic(60_000),
                tcp_checksum_ipv4: true,
                ..NicLimits::default()
            },
            advertised_v2_ipv4: 502_240,
            advertised_v2_ipv6: 0,
            advertised_uso_ipv4: 480_000,
            advertised_uso_ipv6: 0,
            settings_out_of_range: 0,
            malformed_offloads: 0,
            invalid_oid_headers: 0,
        },
        statistics: StatisticsReply {
            sends: 1000,
            large_sends: 700,
            split: 600,
            children: 4800,
            packets: 80,
            bytes: 300_000_000,
            largest_large_send: 502_294,
            completed: 600,
            failed: 1,
            low_memory: 2,
            paused: 3,
            children_allocated: 512,
            refused: refused().into(),
        },
        lasting: throughput(),
        settings: AttachSettings::default(),
    }
}

/// The tuning that every adapter of the fake has at first.
pub fn throughput() -> Tuning {
    Tuning {
        raise: Raise::Profile(Profile::Throughput),
        cap: None,
    }
}

/// A reason of refusal that the tool has no name for yet.
pub const UNKNOWN_REASON: usize = lso::Refusal::ALL.len();

/// Five of a reason with a name in the tool, and one of the other.
fn refused() -> [u64; UNKNOWN_REASON + 1] {
    let mut refused = [0; UNKNOWN_REASON + 1];
    refused[lso::Refusal::SegmentAboveMtu.index()] = 5;
    refused[UNKNOWN_REASON] = 1;
    refused
}

/// Runs a command line, without the program's name, and returns its output.
pub fn run(fake: &mut Fake, line: &[&str]) -> Result<String, Failure> {
    let line = ["mslsoctl"].iter().chain(line);
    let cli = Cli::try_parse_from(line).expect("the command line is right");
    let mut out = Vec::new();
    let host = fake.host.clone();
    mslsoctl::run(&cli, fake, &host, &mut out)?;
    Ok(String::from_utf8(out).expect("the output is UTF-8"))
}

/// The same with `--json`, read back.
pub fn json(fake: &mut Fake, line: &[&str]) -> Result<serde_json::Value, Failure> {
    let mut line = line.to_vec();
    line.push("--json");
    let text = run(fake, &line)?;
    assert_eq!(text.lines().count(), 1, "one object in one line");
    Ok(serde_json::from_str(&text).expect("the output is JSON"))
}
