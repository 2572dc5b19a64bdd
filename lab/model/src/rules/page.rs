//! The documentation pages behind the rules: paths below
//! `https://learn.microsoft.com/windows-hardware/drivers/`.

use super::Rule;
use crate::state::RESTARTING;

/// Where the pages are.
const SITE: &str = "https://learn.microsoft.com/windows-hardware/drivers/";

/// Routines whose page has another name than the routine, which a macro or an inline function of
/// the headers calls.
const RENAMED: [(&str, &str); 9] = [
    ("KfRaiseIrql", "keraiseirql"),
    ("KeAcquireSpinLockRaiseToDpc", "keacquirespinlock"),
    ("IofCompleteRequest", "iocompleterequest"),
    (
        "ExAcquireRundownProtectionCacheAwareEx",
        "exacquirerundownprotectioncacheaware",
    ),
    (
        "ExReleaseRundownProtectionCacheAwareEx",
        "exreleaserundownprotectioncacheaware",
    ),
    ("NdisDprAcquireSpinLock", "ndisdpracquirespinlock"),
    ("NdisDprReleaseSpinLock", "ndisdprreleasespinlock"),
    ("MmUnmapLockedPages", "mmunmaplockedpages"),
    ("KeInitializeSpinLock", "keinitializespinlock"),
];

/// The beginnings of the kernel's routines, whose pages are those of wdm.h.
const KERNEL: [&str; 8] = ["Ex", "Io", "Ke", "Kf", "Mm", "Etw", "Rtl", "Iof"];

/// The page about restarts.
pub(crate) const STARTING: &str = "network/starting-a-filter-module";

/// The page about power events.
pub(crate) const POWER: &str = "ddi/netpnp/ns-netpnp-_net_pnp_event";

/// The address of a finding's `own` page, or of the page that documents `rule`, or the routine that
/// it was broken with.
pub(super) fn address(rule: Rule, subject: &str, own: Option<&str>) -> String {
    let page = match (own, subject) {
        (Some(page), _) => page.into(),
        (None, RESTARTING) => STARTING.into(),
        _ => routine(subject).unwrap_or_else(|| rule.page().into()),
    };
    format!("{SITE}{page}")
}

/// The page of a routine of NDIS or the kernel; `None` for other subjects.
fn routine(name: &str) -> Option<String> {
    if name.is_empty() || !name.bytes().all(|byte| byte.is_ascii_alphanumeric()) {
        return None;
    }
    let renamed = RENAMED.iter().find(|(routine, _)| *routine == name);
    let lower = renamed.map_or_else(|| name.to_ascii_lowercase(), |(_, page)| (*page).into());
    let header = if name.starts_with("Ndis") {
        if name.contains("NetBuffer") && !name.starts_with("NdisF")
            || name.starts_with("NdisFreeNetBuffer")
        {
            "nblapi"
        } else {
            "ndis"
        }
    } else if KERNEL.iter().any(|start| name.starts_with(start)) {
        "wdm"
    } else {
        return None;
    };
    Some(format!("ddi/{header}/nf-{header}-{lower}"))
}

impl Rule {
    /// The page that documents the rule, below the drivers' documentation.
    #[must_use]
    pub(super) const fn page(self) -> &'static str {
        match self {
            Self::OneOwner => "network/sending-data-from-a-filter-driver",
            Self::Once => "ddi/ndis/nf-ndis-ndisfsendnetbufferlistscomplete",
            Self::EachCompletes => "ddi/ndis/nc-ndis-filter_send_net_buffer_lists_complete",
            Self::ParentIntact | Self::FirstFailure | Self::FinalStatus => {
                "ddi/ndis/nc-ndis-filter_send_net_buffer_lists"
            }
            Self::TransmitComplete => {
                "ddi/nbllso/ns-nbllso-ndis_tcp_large_send_offload_net_buffer_list_info"
            }
            Self::OneNetBuffer
            | Self::Limit
            | Self::MssMultiple
            | Self::Wire
            | Self::Order
            | Self::StaleSize
            | Self::PacketLength
            | Self::PacketChecksum
            | Self::Mtu => "network/offloading-the-segmentation-of-large-tcp-packets",
            Self::Headers => "network/sending-ethernet-frames",
            Self::Chain => "ddi/nbl/ns-nbl-net_buffer",
            Self::PartialMdl => "ddi/wdm/nf-wdm-iobuildpartialmdl",
            Self::Mappings => "ddi/wdm/nf-wdm-mmmaplockedpagesspecifycache",
            Self::SourceHandle | Self::PortAndFlags => "ddi/ndis/nf-ndis-ndisfsendnetbufferlists",
            Self::Clones => "network/relationships-between-net-buffer-list-generations",
            Self::OutOfBand => "ddi/nblapi/nf-nblapi-ndiscopysendnetbufferlistinfo",
            Self::Running => "network/pausing-a-filter-module",
            Self::Pause => "ddi/ndis/nc-ndis-filter_pause",
            Self::NothingLeft => "network/unloading-a-filter-driver",
            Self::Irql | Self::Passive => "network/irqls-in-network-drivers",
            Self::SpinLock => "network/synchronization-and-notification-in-network-drivers",
            Self::Recursion => "kernel/using-the-kernel-stack",
            Self::FailedAllocation | Self::SteadyState => "devtest/low-resources-simulation",
            Self::PoolTags => "ddi/wdm/nf-wdm-exallocatepool2",
            Self::Oid => "network/filtering-oid-requests-in-an-ndis-filter-driver",
            Self::Status | Self::PreDetach => "network/filter-module-status-indications",
            Self::Attach => "ddi/ndis/nf-ndis-ndisfsetattributes",
            Self::ControlDevice => "devtest/i-o-verification",
            Self::NetEvent => "network/filter-module-pnp-event-notifications",
            Self::Tracing => "ddi/wdm/nf-wdm-etwregister",
            Self::ChecksumOffload => "network/offloading-checksum-tasks",
            Self::Handles => "network/attaching-a-filter-module",
            Self::Receives => "network/receiving-data-in-a-filter-driver",
            Self::Restart => "ddi/ndis/nc-ndis-filter_restart",
            Self::Memory => "devtest/special-pool",
            Self::Race => "network/synchronization-and-notification-in-network-drivers",
            Self::Events => "kernel/event-objects",
            Self::Durations => "devtest/ndis-ndisstallexecution-delay",
            Self::ErrorLog => "ddi/wdm/ns-wdm-_io_error_log_packet",
            Self::Structures => "network/version-information-requirements-for-ndis-drivers",
            Self::Assertion => "ddi/wdm/nf-wdm-assertmsg",
        }
    }
}
