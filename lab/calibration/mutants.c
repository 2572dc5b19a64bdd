/*
 * More mistakes in the filter of lwf.c, each made between it and NDIS: the routines that it calls and
 * the handlers that it registers go through this file. -DMUTANT=n selects one; see mutants.tsv.
 */
#include "lwf.h"

#ifndef MUTANT
#define MUTANT 0
#endif

/* The numbers are those of mutants.tsv. */
enum {
    copy_completed = 1, complete_wrong_handle = 2, status_wrong_handle = 3, request_wrong_handle = 4,
    receive_wrong_handle = 5, receive_wrong_port = 6, receive_flag_lies = 7, return_flag_lies = 8,
    undefined_send_flag = 9, restart_pending = 10, restart_fails = 11, pause_twice = 12,
    pause_status = 13, lock_across_complete = 14, lock_across_return = 15, lock_across_request = 16,
    lock_across_status = 17, lock_order = 18, lock_released_twice = 19, lock_initialized_twice = 20,
    release_irql = 21, wait_at_dispatch = 22, raise_in_complete = 23, sleep_under_lock = 24,
    event_uninitialized = 25, module_leaked = 26, pool_leaked = 27, copy_leaked = 28, overrun_2 = 29,
    underrun = 30, freed_twice = 31, read_after_free = 32, no_bytes = 33, clone_freed_early = 34,
    request_completed_twice = 35, request_answered_twice = 36, completed_as_pending = 37,
    request_counts_lost = 38, own_request_on_stack = 39, cancel_swallowed = 40,
    status_source_lost = 41, status_changed = 42, irp_twice = 43, irp_as_pending = 44,
    ioctl_discloses = 45, configuration_twice = 46, parameter_kept = 47, recursion = 48,
    data_read_after_send = 49, nbl_written_after_send = 50, next_read_after_send = 51,
    received_read_after = 52, mdl_shortened = 53, offset_changed = 54, net_buffer_dropped = 55,
    flags_changed = 56, cancel_id_cleared = 57, information_not_copied = 58, hash_cleared = 59,
    resources_kept = 60, resources_reordered = 61, received_twice = 62, received_and_returned = 63,
    attributes_twice = 64, no_attributes = 65, attach_pending = 66, deregistered_twice = 67,
    cyclic_chain = 68, wild_net_buffer = 69, sends_while_pausing = 70, copy_pause_not_awaited = 71,
    cancel_wrong_status = 72, clone_double_free = 73, parent_overwritten = 74,
    reserved_overwritten = 75, scratch_kept = 76, entry_pending = 77, query_event_swallowed = 78,
    send_null_length = 80, received_source_changed = 81,
    unlocked_mapped = 82, tag_unprintable = 83, pool_revision = 84, pool_protocol = 85,
    attribute_flags = 86, length_without_mdl = 87, receive_without_status = 88, pnp_major = 89,
    irql_too_high = 90, original_kept = 91, restart_attributes_changed = 92, power_waits = 93,
    module_over_detach = 94, names_empty = 96, paged_at_dispatch = 97,
    completes_pending = 98, net_buffer_reserved = 100,
    lower_past = 101, device_twice = 102,
    configuration_header = 105, stale_handle_pool = 106,
    length_grown = 108,
    lowered_within = 109, copy_freed_below = 110, copy_sent_twice = 111,
    status_size = 112, answer_overruns = 113, answer_counts = 114, answer_twice = 115,
    cancels_all = 116, attach_leaks = 117, allocation_unchecked = 118, race_receive = 119,
    race_completion = 120, device_event_twice = 121, next_not_cleared = 122,
    own_request_not_awaited = 123, query_status_lost = 124, queue_without_cancel = 125,
    pool_over_detach = 126, lock_after_registration = 127, latest_context = 128, latest_handle = 129,
    latest_pool = 130, slow_pause = 131, long_sleep = 132, long_stall = 133,
    runs_too_early = 134, fails_and_completes = 135, data_kept = 136, restart_complete_unasked = 137,
    restart_complete_late = 138, lock_kept_on_error = 139, irql_kept_on_error = 140,
    pause_completed_early = 141, status_buffer_kept = 142, request_buffer_kept = 143, event_kept = 144,
    restart_parameters_kept = 145, attach_name_kept = 146,
    sent_returned = 148, received_completed = 149, sent_indicated = 150,
    originates_in_pause = 152, originates_while_paused = 153, own_indicated_and_freed = 154,
    own_returned_down = 155, own_request_reused = 156, clone_sent_twice = 157, status_header = 158,
    lowered_between = 159, irp_kept = 160, section_writable = 161, pool_of_other_kind = 162,
    revision_lost = 163, clone_freed_as_memory = 164, own_data_written = 165, own_mdl_changed = 166,
    resources_indicated_later = 167, attributes_later = 168, own_indicated_over_pause = 169,
    work_item_left = 171, timer_left = 172, work_item_freed = 173, timer_canceled_high = 174,
    timer_freed = 175, work_item_twice = 176,
    data_buffer_unchecked = 177, data_buffer_overruns = 178, retreat_not_undone = 179, retreat_mdl_left = 180,
    retreat_freed_wrongly = 181, mdl_leaked = 182, mdl_freed_otherwise = 183, mdl_of_stack = 184,
    mdl_left_locked = 185, context_left = 186, clone_nbl_leaked = 187, clone_nbl_freed_otherwise = 188,
    rw_lock_left = 189, rw_lock_promoted = 190, rw_lock_released_twice = 191, rw_lock_kept = 192,
    rw_lock_flag_lies = 193, lookaside_left = 194, lookaside_entry_leaked = 195, kernel_timer_left = 196,
    kernel_timer_freed = 197, io_work_item_left = 198, fast_mutex_twice = 199, rundown_over_released = 300,
    pool_executable = 301, direct_answered_twice = 302, direct_never_completed = 303,
    direct_without_complete = 304, synchronous_pends = 305, switch_nic_kept = 306,
    switch_report_lies = 307, kernel_device_left = 308, link_left = 309, thread_left = 310,
    answers_without_revision = 311, asks_in_low_power = 312, originates_in_low_power = 313,
    loopback_lost = 314,
    /* Legal ones. */
    one_by_one_up = 201, one_by_one_back = 202, sleeps_in_power_event = 203,
    adds_restart_attribute = 204, changes_mtu = 205, raises_and_lowers = 206, answers_vendor = 207,
    lock_again_at_restart = 208, clone_freed_late = 209, short_tag = 210, own_status = 211,
    requests_in_event = 212, pause_completed_later = 213, drops_large = 214, polls_for_pause = 215,
    sets_scratch = 216, one_adapter = 217, patient_pause = 218, short_stall = 219,
    other_pools = 220, configuration_padded = 221, received_restored = 222, one_by_one_indicated = 223,
    restart_completed_within = 224, slow_restart = 225, raises_then_locks = 226, asks_in_pause = 227,
    work_items = 228, timers = 229,
    data_buffers = 230, copies_packets = 231, retreats = 232, retreats_with_handler = 233, mdls = 234,
    contexts = 235, clones = 236, rw_locks = 237, lookasides = 238, kernel_timers = 239, io_work_items = 240,
    mutexes = 241, direct_oids = 242, data_handlers = 243, switch_extension = 244, kernel_device = 245,
    create_opened = 246, shared_time = 247, stack_secret = 248, system_thread = 249, pended_irps = 250,
    processor_block = 251, answers_set = 252,
};
#define IS(name) (MUTANT == (name))
#if MUTANT == 161
#pragma comment(linker, "/section:.text,ERW")
#endif

static NDIS_HANDLE TheModule, TheDriver, TheContext; /* of the module attached last */
static KSPIN_LOCK Outer, Inner;
static ULONG Turn;
static NBL *Stray;

static KIRQL TakeOuter(void) { return KeAcquireSpinLockRaiseToDpc(&Outer); }
static VOID GiveOuter(KIRQL irql) { KeReleaseSpinLock(&Outer, irql); }

/* ---- work items and timers -------------------------------------------------------------------- */

static LONG Queued; /* work items; under Outer */

static VOID Work(PVOID context, NDIS_HANDLE item)
{
    NdisFreeIoWorkItem(item);
    KIRQL irql = TakeOuter();
    Queued--;
    GiveOuter(irql);
}

static VOID Defer(void)
{
    NDIS_HANDLE item = NdisAllocateIoWorkItem(TheDriver);
    if (!item)
        return;
    KIRQL irql = TakeOuter();
    Queued++;
    GiveOuter(irql);
    NdisQueueIoWorkItem(item, Work, NULL);
    if (IS(work_item_twice))
        NdisQueueIoWorkItem(item, Work, NULL);
    if (IS(work_item_freed))
        NdisFreeIoWorkItem(item);
}

static VOID Ticks(PVOID one, PVOID context, PVOID two, PVOID three)
{
    KeAcquireSpinLockAtDpcLevel(&Outer);
    Turn++;
    KeReleaseSpinLockFromDpcLevel(&Outer);
}

/* A timer that expires in ten milliseconds, and every `period` from then on. */
static NDIS_HANDLE StartTimer(ULONG period)
{
    NDIS_TIMER_CHARACTERISTICS all = { OF_TIMER, 0x796C6154u, Ticks, NULL };
    NDIS_HANDLE timer;
    if (NdisAllocateTimerObject(TheDriver, &all, &timer) != NDIS_STATUS_SUCCESS)
        return NULL;
    NdisSetTimerObject(timer, -100000, period, NULL);
    return timer;
}

static VOID StopTimer(NDIS_HANDLE timer)
{
    KIRQL irql = IS(timer_canceled_high) ? KfRaiseIrql(DISPATCH_LEVEL) : 0;
    if (!IS(timer_freed))
        NdisCancelTimerObject(timer);
    if (IS(timer_canceled_high))
        KeLowerIrql(irql);
    NdisFreeTimerObject(timer);
}

/* The timers of the modules that run. */
static struct {
    PVOID Module;
    NDIS_HANDLE Timer;
} Timers[4];

/* ---- routines, as the filter calls them ------------------------------------------------------ */

static VOID Deeper(ULONG depth)
{
    volatile UCHAR frame[600];
    frame[depth % sizeof(frame)] = 1;
    if (depth)
        Deeper(depth - 1);
    else
        NdisFCancelSendNetBufferLists(TheModule, (PVOID)5);
    frame[0] = frame[depth % sizeof(frame)];
}

static VOID SendDown(NDIS_HANDLE handle, NBL *chain, ULONG port, ULONG flags)
{
    NBL *nbl = chain;
    NET_BUFFER *nb = nbl->FirstNetBuffer;
    MDL *mdl = nb->CurrentMdl;
    volatile UCHAR *data = (mdl->MdlFlags & 5) ? mdl->MappedSystemVa : NULL;
    BOOLEAN own = nbl->SourceHandle == handle;
    Turn++;
    if (IS(undefined_send_flag))
        flags |= 0x10000000;
    if (IS(loopback_lost))
        flags &= ~2u; /* NDIS_SEND_FLAGS_CHECK_FOR_LOOPBACK */
    if (IS(recursion))
        Deeper(20);
    if (IS(mdl_shortened) && !own)
        mdl->ByteCount--;
    if (IS(offset_changed) && !own && nb->DataLength > 100 && !nbl->Info[TcpLargeSendInfo])
        nb->DataOffset++, nb->CurrentMdlOffset++, nb->DataLength--;
    if (IS(net_buffer_dropped) && nb->Next)
        nbl->FirstNetBuffer = nb->Next;
    if (IS(flags_changed) && !own)
        nbl->NblFlags ^= 0x40;
    if (IS(cancel_id_cleared))
        nbl->Info[CancelId] = NULL;
    if (IS(hash_cleared))
        nbl->Info[HashValue] = NULL;
    if (IS(cyclic_chain) && chain->Next)
        chain->Next->Next = chain;
    if (IS(wild_net_buffer) && Turn == 9)
        nb->Next = (NET_BUFFER *)0x4141414100ull;
    if (IS(parent_overwritten) && !own)
        nbl->ParentNetBufferList = chain;
    if (IS(reserved_overwritten) && !own)
        *(PVOID *)&nbl->Pad0[40] = handle; /* ProtocolReserved[0] */
    if (IS(net_buffer_reserved) && !own)
        *(PVOID *)&nb->Rest[52] = handle; /* ProtocolReserved */
    if (IS(send_null_length) && own)
        nb->DataLength = 0;
    if (IS(length_grown) && own)
        nb->DataLength = 5000;
    if (IS(lock_order)) {
        KIRQL irql = TakeOuter();
        KeAcquireSpinLockAtDpcLevel(&Inner);
        KeReleaseSpinLockFromDpcLevel(&Inner);
        GiveOuter(irql);
    }
    if (IS(sleep_under_lock)) {
        KIRQL irql = TakeOuter();
        NdisMSleep(1);
        GiveOuter(irql);
    }
    if (IS(irql_too_high)) {
        KIRQL irql = KfRaiseIrql(15);
        NdisFSendNetBufferLists(handle, chain, port, flags);
        KeLowerIrql(irql);
        return;
    }
    if (IS(paged_at_dispatch)) {
        PVOID block = ExAllocatePool2(0x100, 64, 0x74754D54); /* POOL_FLAG_PAGED */
        if (block)
            ExFreePoolWithTag(block, 0x74754D54);
    }
    if (IS(sets_scratch) && !own)
        nbl->Scratch = &Turn;
    if (IS(data_kept)) {
        static volatile UCHAR *kept;
        if (kept)
            Turn += kept[0] & 1;
        if (data && !own)
            kept = data;
    }
    if (IS(sent_returned) && !own && !Stray) {
        Stray = chain;
        NdisFReturnNetBufferLists(handle, chain, flags & RETURN_DISPATCH_LEVEL);
        return;
    }
    if (IS(sent_indicated) && !own && !Stray) {
        Stray = chain;
        NdisFIndicateReceiveNetBufferLists(handle, chain, port, 1, flags & RECEIVE_DISPATCH_LEVEL);
        return;
    }
    NdisFSendNetBufferLists(handle, chain, port, flags);
    if (IS(own_data_written) && own)
        ((volatile UCHAR *)data)[0] ^= 1;
    if (IS(own_mdl_changed) && own)
        mdl->ByteCount -= 8;
    if (IS(copy_sent_twice) && own)
        NdisFSendNetBufferLists(handle, chain, port, flags);
    if (IS(copy_freed_below) && own)
        NdisFreeNetBufferList(nbl);
    if (IS(data_read_after_send) && data && !own)
        Turn += data[0] & 1;
    if (IS(nbl_written_after_send) && !own)
        nbl->Scratch = handle;
    if (IS(next_read_after_send) && nbl->Next)
        Turn++;
}
#define NdisFSendNetBufferLists SendDown

static VOID CompleteUp(NDIS_HANDLE handle, NBL *chain, ULONG flags)
{
    if (IS(complete_wrong_handle))
        handle = TheDriver;
    if (IS(cancel_wrong_status))
        for (NBL *nbl = chain; nbl; nbl = nbl->Next)
            if (nbl->Status == NDIS_STATUS_SEND_ABORTED)
                nbl->Status = NDIS_STATUS_SUCCESS;
    if (IS(completes_pending))
        for (NBL *nbl = chain; nbl; nbl = nbl->Next)
            if (nbl->Status < 0)
                nbl->Status = NDIS_STATUS_PENDING;
    KIRQL irql = 0;
    if (IS(one_by_one_up) || IS(next_not_cleared)) {
        for (NBL *next; chain; chain = next) {
            next = chain->Next;
            if (IS(one_by_one_up))
                chain->Next = NULL;
            NdisFSendNetBufferListsComplete(handle, chain, flags);
        }
        return;
    }
    if (IS(lock_across_complete))
        irql = TakeOuter();
    NdisFSendNetBufferListsComplete(handle, chain, flags);
    if (IS(lock_across_complete))
        GiveOuter(irql);
}
#define NdisFSendNetBufferListsComplete CompleteUp

static VOID CopyInfo(NBL *to, const NBL *from)
{
    if (!IS(information_not_copied))
        NdisCopySendNetBufferListInfo(to, from);
}
#define NdisCopySendNetBufferListInfo CopyInfo

/* Inverts a bit of the first byte of each packet. */
static VOID Flip(NBL *chain)
{
    for (; chain; chain = chain->Next) {
        NET_BUFFER *nb = chain->FirstNetBuffer;
        UCHAR *bytes = MdlAddress(nb->CurrentMdl);
        if (bytes)
            bytes[nb->CurrentMdlOffset] ^= 2;
    }
}

static VOID IndicateUp(NDIS_HANDLE handle, NBL *chain, ULONG port, ULONG count, ULONG flags)
{
    if (IS(receive_wrong_handle))
        handle = TheDriver;
    if (IS(receive_wrong_port))
        port++;
    if (IS(receive_flag_lies))
        flags |= RECEIVE_DISPATCH_LEVEL;
    if (IS(received_source_changed) && !(flags & RECEIVE_RESOURCES))
        chain->SourceHandle = handle;
    NBL *second = chain->Next;
    if (IS(resources_reordered) && (flags & RECEIVE_RESOURCES) && second) {
        chain->Next = second->Next;
        second->Next = chain;
        chain = second;
    }
    if (IS(received_completed) && !(flags & RECEIVE_RESOURCES)) {
        NdisFSendNetBufferListsComplete(handle, chain, flags & COMPLETE_DISPATCH_LEVEL);
        return;
    }
    if (IS(resources_indicated_later)) {
        if (Stray && !(flags & RECEIVE_RESOURCES)) {
            NdisFIndicateReceiveNetBufferLists(handle, Stray, port, 1, flags);
            Stray = NULL;
        }
        if (flags & RECEIVE_RESOURCES) {
            Stray = chain;
            return;
        }
    }
    if (IS(received_restored) && !(flags & RECEIVE_RESOURCES))
        Flip(chain);
    if (IS(one_by_one_indicated)) {
        for (NBL *next; chain; chain = next) {
            next = chain->Next;
            chain->Next = NULL;
            NdisFIndicateReceiveNetBufferLists(handle, chain, port, 1, flags);
            if (flags & RECEIVE_RESOURCES)
                chain->Next = next;
        }
        return;
    }
    NdisFIndicateReceiveNetBufferLists(handle, chain, port, count, flags);
    if (IS(received_twice) && !(flags & RECEIVE_RESOURCES))
        NdisFIndicateReceiveNetBufferLists(handle, chain, port, count, flags);
    if (IS(received_and_returned) && !(flags & RECEIVE_RESOURCES))
        NdisFReturnNetBufferLists(handle, chain, flags & RETURN_DISPATCH_LEVEL);
    if (IS(received_read_after) && !(flags & RECEIVE_RESOURCES))
        Turn += chain->NblFlags & 1;
    if (IS(resources_kept)) {
        if (Stray && !(flags & RECEIVE_RESOURCES))
            Turn += Stray->NblFlags & 1;
        if (flags & RECEIVE_RESOURCES)
            Stray = chain;
    }
}
#define NdisFIndicateReceiveNetBufferLists IndicateUp

static VOID ReturnDown(NDIS_HANDLE handle, NBL *chain, ULONG flags)
{
    KIRQL irql = 0;
    if (IS(received_restored))
        Flip(chain);
    if (IS(one_by_one_back)) {
        for (NBL *next; chain; chain = next) {
            next = chain->Next;
            chain->Next = NULL;
            NdisFReturnNetBufferLists(handle, chain, flags);
        }
        return;
    }
    if (IS(return_flag_lies))
        flags |= RETURN_DISPATCH_LEVEL;
    if (IS(lock_across_return))
        irql = TakeOuter();
    NdisFReturnNetBufferLists(handle, chain, flags);
    if (IS(lock_across_return))
        GiveOuter(irql);
}
#define NdisFReturnNetBufferLists ReturnDown

static NDIS_OID_REQUEST *LateClone;
static BOOLEAN Failed; /* the last request */

static VOID FreeClone(NDIS_HANDLE handle, NDIS_OID_REQUEST *clone)
{
    if (IS(clone_freed_late)) {
        LateClone = clone;
        return;
    }
    if (IS(clone_freed_as_memory)) {
        NdisFreeMemory(clone, 0, 0);
        return;
    }
    NdisFreeCloneOidRequest(handle, clone);
    if (IS(clone_double_free))
        NdisFreeCloneOidRequest(handle, clone);
}

static NDIS_STATUS RequestDown(NDIS_HANDLE handle, NDIS_OID_REQUEST *request)
{
    KIRQL irql = 0;
    BOOLEAN own = !request->SourceReserved[0];
    if (IS(request_wrong_handle))
        handle = TheDriver;
    if (IS(lock_across_request))
        irql = TakeOuter();
    NDIS_STATUS status = NdisFOidRequest(handle, request);
    if (IS(own ? own_request_reused : clone_sent_twice) && status == NDIS_STATUS_PENDING)
        NdisFOidRequest(handle, request);
    if (IS(lock_across_request))
        GiveOuter(irql);
    if (IS(clone_freed_early) && status == NDIS_STATUS_PENDING && !own)
        NdisFreeCloneOidRequest(handle, request);
    return status;
}
#define NdisFOidRequest RequestDown

static VOID RequestUp(NDIS_HANDLE handle, NDIS_OID_REQUEST *request, NDIS_STATUS status)
{
    if (IS(request_counts_lost))
        request->Data.Query.BytesWritten = 0;
    if (IS(completed_as_pending))
        status = NDIS_STATUS_PENDING;
    if (IS(revision_lost) && request->RequestType == RequestSet)
        request->SupportedRevision = 0;
    if (IS(request_buffer_kept)) {
        static volatile UCHAR *kept;
        if (kept)
            Turn += kept[0] & 1;
        kept = request->Data.Query.InformationBufferLength ? request->Data.Query.InformationBuffer : NULL;
    }
    Failed = status < 0;
    if (IS(original_kept) && ++Turn % 5 == 0)
        return;
    NDIS_OID_REQUEST *clone = LateClone;
    LateClone = NULL;
    NdisFOidRequestComplete(handle, request, status);
    if (IS(clone_freed_late) && clone)
        NdisFreeCloneOidRequest(handle, clone);
    if (IS(request_completed_twice))
        NdisFOidRequestComplete(handle, request, status);
}
#define NdisFreeCloneOidRequest FreeClone
#define NdisFOidRequestComplete RequestUp

static VOID CancelDown(NDIS_HANDLE handle, PVOID id)
{
    if (!IS(cancel_swallowed))
        NdisFCancelOidRequest(handle, id);
}
#define NdisFCancelOidRequest CancelDown

static VOID IndicateStatus(NDIS_HANDLE handle, NDIS_STATUS_INDICATION *status)
{
    KIRQL irql = 0;
    if (IS(status_wrong_handle))
        handle = TheDriver;
    if (IS(latest_handle))
        handle = TheModule;
    if (IS(status_source_lost))
        status->SourceHandle = NULL;
    if (IS(status_changed))
        status->PortNumber++;
    if (IS(status_buffer_kept)) {
        static volatile UCHAR *kept;
        if (kept)
            Turn += kept[0] & 1;
        kept = status->StatusBufferSize ? status->StatusBuffer : NULL;
    }
    if (IS(restart_complete_late))
        NdisFRestartComplete(handle, NDIS_STATUS_SUCCESS);
    if (IS(lock_across_status))
        irql = TakeOuter();
    NdisFIndicateStatus(handle, status);
    if (IS(lock_across_status))
        GiveOuter(irql);
}
#define NdisFIndicateStatus IndicateStatus

static PVOID Allocate(NDIS_HANDLE handle, UINT length, ULONG tag, LONG priority)
{
    if (IS(no_bytes)) {
        PVOID nothing = ExAllocatePool2(POOL_FLAG_NON_PAGED, 0, tag);
        if (nothing)
            ExFreePoolWithTag(nothing, tag);
    }
    if (IS(tag_unprintable))
        tag = 0x01020304;
    if (IS(short_tag))
        tag &= 0xFFFFFF;
    if (IS(overrun_2))
        length -= 2;
    UCHAR *block = NdisAllocateMemoryWithTagPriority(handle, length, tag, priority);
    if (IS(allocation_unchecked))
        *(volatile UCHAR *)block = 0;
    if (IS(underrun) && block)
        ((volatile UCHAR *)block)[-1] = 0;
    return block;
}
#define NdisAllocateMemoryWithTagPriority Allocate

static VOID FreeMemory(PVOID block, UINT length, UINT flags)
{
    if (IS(module_leaked) || (IS(attach_leaks) && !TheModule))
        return;
    NdisFreeMemory(block, length, flags);
    if (IS(freed_twice))
        NdisFreeMemory(block, length, flags);
    if (IS(read_after_free))
        Turn += *(volatile UCHAR *)block;
}
#define NdisFreeMemory FreeMemory

static NDIS_HANDLE MakePool(NDIS_HANDLE handle, const NET_BUFFER_LIST_POOL_PARAMETERS *parameters)
{
    NET_BUFFER_LIST_POOL_PARAMETERS wrong = *parameters;
    if (IS(pool_revision))
        wrong.Header.Revision = 7;
    if (IS(pool_protocol))
        wrong.ProtocolId = 0xFF;
    if (IS(latest_pool) && TheModule)
        handle = TheModule;
    if (IS(stale_handle_pool))
        handle = (NDIS_HANDLE)0x1234;
    if (IS(other_pools)) {
        NET_BUFFER_LIST_POOL_PARAMETERS other = *parameters;
        for (ULONG data = 0; data < 2; data++) { /* NBLs alone, and NBLs with data */
            other.fAllocateNetBuffer = data;
            other.DataSize = data * 500;
            NDIS_HANDLE pool = NdisAllocateNetBufferListPool(handle, &other);
            NBL *nbl = pool ? NdisAllocateNetBufferList(pool, 64, 16) : NULL;
            if (nbl)
                NdisFreeNetBufferList(nbl);
            if (pool)
                NdisFreeNetBufferListPool(pool);
        }
    }
    return NdisAllocateNetBufferListPool(handle, &wrong);
}
#define NdisAllocateNetBufferListPool MakePool

static NDIS_HANDLE OldPool;

static VOID LastPool(void)
{
    NdisFreeNetBufferListPool(OldPool);
    OldPool = NULL;
}

static VOID FreePool(NDIS_HANDLE pool)
{
    if (IS(pool_over_detach)) { /* the one before, and at unload the last one */
        if (OldPool)
            NdisFreeNetBufferListPool(OldPool);
        OldPool = pool;
        return;
    }
    if (IS(pool_of_other_kind))
        NdisFreeNetBufferPool(pool);
    else if (!IS(pool_leaked))
        NdisFreeNetBufferListPool(pool);
}
#define NdisFreeNetBufferListPool FreePool

static VOID FreeNbl(NBL *nbl)
{
    if (!IS(copy_leaked))
        NdisFreeNetBufferList(nbl);
}
#define NdisFreeNetBufferList FreeNbl

static NBL *AllocateNbl(NDIS_HANDLE pool, USHORT context, USHORT back, MDL *mdl, ULONG offset, SIZE_T length)
{
    if (IS(length_without_mdl)) {
        NBL *nbl = NdisAllocateNetBufferAndNetBufferList(pool, context, back, NULL, 0, 100);
        if (nbl)
            NdisFreeNetBufferList(nbl);
    }
    return NdisAllocateNetBufferAndNetBufferList(pool, context, back, mdl, offset, length);
}
#define NdisAllocateNetBufferAndNetBufferList AllocateNbl

static VOID BuildMdl(MDL *mdl)
{
    if (IS(unlocked_mapped)) { /* its pages are described by nobody */
        PVOID address = MmMapLockedPagesSpecifyCache(mdl, 0, 1, NULL, FALSE, 16 | 0x40000000);
        (void)address;
        return;
    }
    MmBuildMdlForNonPagedPool(mdl);
}
#define MmBuildMdlForNonPagedPool BuildMdl

static VOID MakeLock(KSPIN_LOCK *lock)
{
    KeInitializeSpinLock(lock);
    if (IS(lock_initialized_twice))
        KeInitializeSpinLock(lock);
}
#define KeInitializeSpinLock MakeLock

static VOID ReleaseLock(KSPIN_LOCK *lock, KIRQL irql)
{
    KeReleaseSpinLock(lock, IS(release_irql) ? 1 : irql);
    if (IS(lock_released_twice))
        KeReleaseSpinLock(lock, irql);
}
#define KeReleaseSpinLock ReleaseLock

static VOID MakeEvent(NDIS_EVENT *event)
{
    if (!IS(event_uninitialized))
        NdisInitializeEvent(event);
}
#define NdisInitializeEvent MakeEvent

static BOOLEAN WaitEvent(NDIS_EVENT *event, UINT milliseconds)
{
    if (IS(own_request_not_awaited))
        return TRUE;
    return NdisWaitEvent(event, milliseconds);
}
#define NdisWaitEvent WaitEvent

static NDIS_CONFIGURATION_PARAMETER *Kept;

static NDIS_STATUS OpenConfiguration(NDIS_CONFIGURATION_OBJECT *object, NDIS_HANDLE *handle)
{
    if (IS(configuration_header))
        object->Header.Size = 12;
    if (IS(configuration_padded))
        object->Header.Size = sizeof(*object);
    return NdisOpenConfigurationEx(object, handle);
}
#define NdisOpenConfigurationEx OpenConfiguration

static VOID CloseConfiguration(NDIS_HANDLE handle)
{
    static UNICODE_STRING limit = CONSTANT_STRING(L"Label");
    NDIS_STATUS status = NDIS_STATUS_FAILURE;
    if (IS(parameter_kept))
        NdisReadConfiguration(&status, &Kept, handle, &limit, ParameterString);
    NdisCloseConfiguration(handle);
    if (IS(parameter_kept) && status == NDIS_STATUS_SUCCESS)
        Turn += *(volatile USHORT *)&Kept->StringData.Length;
    if (IS(configuration_twice))
        NdisCloseConfiguration(handle);
}
#define NdisCloseConfiguration CloseConfiguration

static NDIS_STATUS SetAttributes(NDIS_HANDLE handle, NDIS_HANDLE context, NDIS_FILTER_ATTRIBUTES *attributes)
{
    TheModule = handle;
    TheContext = context;
    if (IS(no_attributes))
        return NDIS_STATUS_SUCCESS;
    if (IS(attribute_flags))
        attributes->Flags = 4;
    NDIS_STATUS status = NdisFSetAttributes(handle, context, attributes);
    if (IS(attributes_twice))
        NdisFSetAttributes(handle, context, attributes);
    return status;
}
#define NdisFSetAttributes SetAttributes

static VOID CompleteRequest(IRP *irp, CCHAR boost)
{
    if (IS(irp_kept) && irp->CurrentStackLocation->MajorFunction == IRP_MJ_DEVICE_CONTROL)
        return;
    if (IS(create_opened) && irp->CurrentStackLocation->MajorFunction == IRP_MJ_CREATE)
        irp->IoStatus.Information = 1; /* FILE_OPENED */
    if (IS(irp_as_pending))
        irp->IoStatus.Status = 0x103;
    if (IS(ioctl_discloses) && irp->IoStatus.Status == 0)
        irp->IoStatus.Information = irp->CurrentStackLocation->Ioctl.OutputBufferLength;
    IofCompleteRequest(irp, boost);
    if (IS(irp_twice))
        IofCompleteRequest(irp, boost);
}
#define IofCompleteRequest CompleteRequest

static DRIVER_OBJECT *TheObject;

static VOID CancelPended(DEVICE_OBJECT *device, IRP *irp)
{
    IoReleaseCancelSpinLock(irp->Pad2[5]); /* CancelIrql */
    irp->IoStatus.Status = (NTSTATUS)0xC0000120; /* STATUS_CANCELLED */
    irp->IoStatus.Information = 0;
    IofCompleteRequest(irp, 0);
}

/* Keeps each request until it is canceled. */
static NTSTATUS Pend(DEVICE_OBJECT *device, IRP *irp)
{
    KIRQL irql;
    IoAcquireCancelSpinLock(&irql);
    irp->CurrentStackLocation->Control |= 1;
    *(PVOID *)&irp->Pad2[40] = CancelPended; /* CancelRoutine */
    IoReleaseCancelSpinLock(irql);
    return 0x103;
}

static NDIS_STATUS MakeKernelDevice(NDIS_DEVICE_OBJECT_ATTRIBUTES *attributes, DEVICE_OBJECT **object, NDIS_HANDLE *handle)
{
    NTSTATUS status = IoCreateDevice(TheObject, 8, attributes->DeviceName, 0x12, 0, FALSE, object);
    if (status != STATUS_SUCCESS)
        return status;
    status = IoCreateSymbolicLink(attributes->SymbolicName, attributes->DeviceName);
    if (status != STATUS_SUCCESS)
        IoDeleteDevice(*object);
    for (ULONG i = 0; i < 28; i++)
        TheObject->MajorFunction[i] = attributes->MajorFunctions[i];
    *handle = *object;
    return status;
}

static NDIS_STATUS MakeDevice(NDIS_HANDLE driver, NDIS_DEVICE_OBJECT_ATTRIBUTES *attributes, DEVICE_OBJECT **object,
                              NDIS_HANDLE *handle)
{
    if (IS(kernel_device) || IS(kernel_device_left) || IS(link_left))
        return MakeKernelDevice(attributes, object, handle);
    if (IS(pended_irps))
        attributes->MajorFunctions[IRP_MJ_DEVICE_CONTROL] = Pend;
    if (IS(pnp_major))
        attributes->MajorFunctions[27] = attributes->MajorFunctions[0];
    return NdisRegisterDeviceEx(driver, attributes, object, handle);
}
#define NdisRegisterDeviceEx MakeDevice

static VOID RemoveDevice(NDIS_HANDLE device)
{
    if (IS(kernel_device) || IS(kernel_device_left) || IS(link_left)) {
        static UNICODE_STRING link = CONSTANT_STRING(L"\\DosDevices\\Tally");
        if (!IS(link_left))
            IoDeleteSymbolicLink(&link);
        if (!IS(kernel_device_left))
            IoDeleteDevice(device);
        return;
    }
    NdisDeregisterDeviceEx(device);
    if (IS(device_twice))
        NdisDeregisterDeviceEx(device);
}
#define NdisDeregisterDeviceEx RemoveDevice

static VOID Deregister(NDIS_HANDLE driver)
{
    if (IS(work_item_left))
        Defer();
    if (IS(pool_over_detach) && OldPool)
        LastPool();
    NdisFDeregisterFilterDriver(driver);
    if (IS(deregistered_twice))
        NdisFDeregisterFilterDriver(driver);
}
#define NdisFDeregisterFilterDriver Deregister

static NDIS_STATUS Register(DRIVER_OBJECT *, NDIS_HANDLE, NDIS_FILTER_DRIVER_CHARACTERISTICS *, NDIS_HANDLE *);
#define NdisFRegisterFilterDriver Register

#define DriverEntry EntryOfLwf
#include "lwf.c"
#undef DriverEntry

static VOID FindSwitch(NDIS_HANDLE handle);
static VOID StartKernelTimer(void);
static VOID StopKernelTimer(void);

/* ---- handlers, as NDIS calls them ------------------------------------------------------------ */

#undef NdisFRegisterFilterDriver

static UNICODE_STRING *Name; /* of the module attached last, while it is attached */

static NDIS_STATUS MutantAttach(NDIS_HANDLE handle, NDIS_HANDLE context, NDIS_FILTER_ATTACH_PARAMETERS *parameters)
{
    if (IS(one_adapter) && Modules)
        return NDIS_STATUS_FAILURE;
    if (IS(lock_after_registration))
        GiveOuter(TakeOuter());
    if (IS(switch_extension) || IS(switch_nic_kept) || IS(switch_report_lies))
        FindSwitch(handle);
    NDIS_STATUS status = Attach(handle, context, parameters);
    Name = parameters->FilterModuleGuidName;
    if (IS(module_over_detach) && status == NDIS_STATUS_SUCCESS)
        ExAllocatePool2(POOL_FLAG_NON_PAGED, 32, TAG);
    return IS(attach_pending) && status == NDIS_STATUS_SUCCESS ? NDIS_STATUS_PENDING : status;
}

static VOID OwnStatus(MODULE *m, ULONG size)
{
    NDIS_STATUS_INDICATION news;
    memset(&news, 0, sizeof(news));
    news.Header = (NDIS_OBJECT_HEADER)OF_STATUS;
    if (IS(status_header))
        news.Header.Size = 64;
    news.SourceHandle = m->Handle;
    news.StatusCode = NDIS_STATUS_MEDIA_SPECIFIC_INDICATION;
    news.StatusBufferSize = size;
    NdisFIndicateStatus(m->Handle, &news);
}

static NDIS_STATUS SetModuleOptions(NDIS_HANDLE context)
{
    MODULE *m = context;
    KIRQL irql = Enter(m);
    m->State = Running;
    Leave(m, irql);
    return NDIS_STATUS_SUCCESS;
}

static NDIS_STATUS MutantRestart(NDIS_HANDLE context, NDIS_FILTER_RESTART_PARAMETERS *parameters)
{
    MODULE *m = context;
    NDIS_RESTART_ATTRIBUTES *first = parameters->RestartAttributes;
    if (IS(restart_attributes_changed) && first)
        first->Oid = 0x12345;
    if (IS(changes_mtu) && first && first->Oid == OID_GEN_MINIPORT_RESTART_ATTRIBUTES)
        ((NDIS_RESTART_GENERAL_ATTRIBUTES *)first->Data)->MtuSize -= 8;
    if (IS(adds_restart_attribute) && first) {
        NDIS_RESTART_ATTRIBUTES *other =
            NdisAllocateMemoryWithTagPriority(m->Handle, sizeof(*other), TAG, NormalPoolPriority);
        if (other) {
            memset(other, 0, sizeof(*other));
            other->Oid = 0xFF010101;
            other->DataLength = 4;
            other->Next = first->Next;
            first->Next = other;
        }
    }
    if (IS(long_sleep))
        NdisMSleep(31000000);
    if (IS(lock_again_at_restart))
        KeInitializeSpinLock(&m->Lock);
    if (IS(own_status) || IS(status_header))
        OwnStatus(m, 0);
    if (IS(status_size))
        OwnStatus(m, 8);
    if (IS(restart_parameters_kept)) {
        static NDIS_RESTART_ATTRIBUTES *kept;
        if (kept)
            Turn += *(volatile ULONG *)&kept->Oid & 1;
        kept = first;
    }
    if (IS(attach_name_kept))
        Turn += *(volatile USHORT *)&Name->Length;
    if (IS(slow_restart))
        NdisMSleep(5000000);
    if (IS(timer_left) && !Timers[0].Timer)
        Timers[0].Timer = StartTimer(20);
    if (IS(timers) || IS(timer_canceled_high) || IS(timer_freed))
        for (ULONG i = 0; i < 4; i++)
            if (!Timers[i].Module) {
                Timers[i].Module = m;
                Timers[i].Timer = StartTimer(20);
                break;
            }
    if (IS(kernel_timers))
        StartKernelTimer();
    if (IS(attributes_later)) {
        NDIS_FILTER_ATTRIBUTES attributes = { OF_ATTRIBUTES, 0 };
        NdisFSetAttributes(m->Handle, m, &attributes);
    }
    NDIS_STATUS status = Restart(context, parameters);
    if (IS(restart_complete_unasked) || IS(restart_completed_within))
        NdisFRestartComplete(m->Handle, status);
    if (IS(restart_completed_within))
        return NDIS_STATUS_PENDING;
    if (IS(restart_pending))
        return NDIS_STATUS_PENDING;
    if (IS(restart_fails)) {
        ((MODULE *)context)->State = Paused;
        return NDIS_STATUS_FAILURE;
    }
    return status;
}

/* Waits for its own request no longer than this handler. */
static VOID AskInPassing(MODULE *m)
{
    NDIS_OID_REQUEST own;
    ULONG answer;
    memset(&own, 0, sizeof(own));
    own.Header = (NDIS_OBJECT_HEADER)OF_OID_REQUEST;
    own.RequestType = RequestQuery;
    own.Data.Query.Oid = OID_GEN_MAXIMUM_FRAME_SIZE;
    own.Data.Query.InformationBuffer = &answer;
    own.Data.Query.InformationBufferLength = sizeof(answer);
    NdisFOidRequest(m->Handle, &own);
}

/* Takes a copy that is free, as a frame of the filter's own. */
static COPY *OwnFrame(MODULE *m, BOOLEAN down)
{
    static const UCHAR hello[60] = { 255, 255, 255, 255, 255, 255, 2, 0, 0, 0, 0, 1, 0x88, 0xB5, 't' };
    KIRQL irql = Enter(m);
    COPY *copy = m->Free;
    if (copy) {
        m->Free = copy->Next;
        m->CopiesBelow += down;
        m->Below += down;
    }
    Leave(m, irql);
    if (copy) {
        NET_BUFFER *nb = copy->Own->FirstNetBuffer;
        memcpy(copy->Data, hello, sizeof(hello));
        nb->CurrentMdl = nb->MdlChain = &copy->Mdl;
        nb->DataOffset = nb->CurrentMdlOffset = 0;
        nb->DataLength = sizeof(hello);
        copy->Original = NULL;
        copy->Own->Next = NULL;
    }
    return copy;
}

static VOID Originate(MODULE *m)
{
    COPY *copy = OwnFrame(m, TRUE);
    if (copy)
        NdisFSendNetBufferLists(m->Handle, copy->Own, 0, AtDispatch() ? SEND_DISPATCH_LEVEL : 0);
}

static VOID Indicate(MODULE *m)
{
    COPY *copy = OwnFrame(m, FALSE);
    if (copy)
        NdisFIndicateReceiveNetBufferLists(m->Handle, copy->Own, 0, 1, AtDispatch() ? RECEIVE_DISPATCH_LEVEL : 0);
    if (copy && IS(own_indicated_and_freed))
        NdisFreeNetBufferList(copy->Own);
}

static BOOLEAN Later; /* a pause is to be completed; under the module's lock */

static VOID CompletePause(MODULE *m)
{
    KIRQL irql = Enter(m);
    BOOLEAN last = Later && !m->Below && !m->Busy;
    Later = Later && !last;
    Leave(m, irql);
    if (last)
        NdisFPauseComplete(m->Handle);
}

static NDIS_STATUS MutantPause(NDIS_HANDLE context, PVOID parameters)
{
    MODULE *m = context;
    if (IS(slow_pause))
        NdisMSleep(11000000);
    if (IS(asks_in_pause))
        Ask(m);
    for (ULONG i = 0; i < 4; i++)
        if (Timers[i].Module == m) {
            if (Timers[i].Timer)
                StopTimer(Timers[i].Timer);
            Timers[i].Module = NULL;
        }
    if (IS(kernel_timers))
        StopKernelTimer();
    if (IS(originates_in_pause))
        Originate(m);
    if (IS(pause_completed_early)) {
        KIRQL irql = Enter(m);
        m->State = Paused;
        NBL *waiting = m->Head;
        m->Head = NULL;
        m->Tail = &m->Head;
        Leave(m, irql);
        if (waiting)
            Refuse(m, waiting, NDIS_STATUS_PAUSED);
        NdisFPauseComplete(m->Handle);
        return NDIS_STATUS_PENDING;
    }
    if (IS(patient_pause)) {
        KIRQL irql = Enter(m);
        m->State = Pausing;
        Leave(m, irql);
        for (ULONG second = 0; second < 9; second++)
            NdisMSleep(1000000);
    }
    if (IS(sends_while_pausing)) { /* sends go on while it waits */
        NdisMSleep(3000);
    }
    if (IS(polls_for_pause)) {
        KIRQL irql = Enter(m);
        m->State = Pausing;
        while (m->Below) {
            Leave(m, irql);
            NdisMSleep(500);
            irql = Enter(m);
        }
        Leave(m, irql);
    }
    if (IS(pause_completed_later)) {
        KIRQL irql = Enter(m);
        m->State = Pausing;
        NBL *waiting = m->Head;
        m->Head = NULL;
        m->Tail = &m->Head;
        BOOLEAN later = Later = m->Below + m->Busy != 0;
        Leave(m, irql);
        if (waiting)
            Refuse(m, waiting, NDIS_STATUS_PAUSED);
        return later ? NDIS_STATUS_PENDING : NDIS_STATUS_SUCCESS;
    }
    if (IS(copy_pause_not_awaited)) {
        KIRQL irql = Enter(m);
        m->CopiesBelow = 0;
        Leave(m, irql);
    }
    NDIS_STATUS status = Pause(context, parameters);
    if (IS(pause_twice))
        NdisFPauseComplete(m->Handle);
    return IS(pause_status) ? NDIS_STATUS_RESOURCES : status;
}

static VOID UseRoutines(MODULE *m, NBL *nbl);

static VOID MutantSend(NDIS_HANDLE context, NBL *chain, ULONG port, ULONG flags)
{
    if (IS(latest_context))
        context = TheContext;
    MODULE *m = context;
    if (IS(scratch_kept) && m->State == Running && Stray)
        Stray->Scratch = m;
    if (IS(drops_large) && m->State == Running && chain->Info[TcpLargeSendInfo]) {
        Refuse(m, chain, NDIS_STATUS_FAILURE);
        return;
    }
    for (NBL *nbl = chain; nbl && m->State == Running; nbl = nbl->Next)
        UseRoutines(m, nbl);
    Send(context, chain, port, flags);
    if (IS(pause_completed_later))
        CompletePause(m);
    if (IS(scratch_kept))
        Stray = chain;
}

static VOID MutantSendComplete(NDIS_HANDLE context, NBL *chain, ULONG flags)
{
    MODULE *m = context;
    if (IS(copy_completed) && chain->SourceHandle == m->Handle) {
        CompleteUp(m->Handle, chain, flags);
        return;
    }
    if ((IS(originates_in_pause) || IS(originates_while_paused) || IS(originates_in_low_power)) && chain->SourceHandle == m->Handle && !chain->Next) {
        COPY *copy = *(COPY **)(chain->Context->ContextData + chain->Context->Offset);
        if (!copy->Original) {
            KIRQL irql = Enter(m);
            copy->Next = m->Free;
            m->Free = copy;
            m->CopiesBelow--;
            m->Below--;
            BOOLEAN last = m->State == Pausing && !m->CopiesBelow;
            Leave(m, irql);
            if (last)
                NdisSetEvent(&m->CopiesHome);
            return;
        }
    }
    if (IS(lowered_between)) {
        KIRQL irql = KeGetCurrentIrql();
        if (irql == 0) {
            KfRaiseIrql(DISPATCH_LEVEL);
            KeLowerIrql(1);
            KeLowerIrql(0);
        }
    }
    if (IS(raises_then_locks)) {
        KIRQL irql = KfRaiseIrql(DISPATCH_LEVEL);
        KeAcquireSpinLockAtDpcLevel(&Inner);
        Turn++;
        KeReleaseSpinLockFromDpcLevel(&Inner);
        KeLowerIrql(irql);
    }
    BOOLEAN failed = chain->Status < 0;
    if (IS(lock_order)) {
        KIRQL irql = KeAcquireSpinLockRaiseToDpc(&Inner);
        KeAcquireSpinLockAtDpcLevel(&Outer);
        KeReleaseSpinLockFromDpcLevel(&Outer);
        KeReleaseSpinLock(&Inner, irql);
    }
    if (IS(wait_at_dispatch)) {
        NDIS_EVENT event;
        NdisInitializeEvent(&event);
        NdisSetEvent(&event);
        NdisWaitEvent(&event, 10);
    }
    if (IS(lowered_within) && AtDispatch()) {
        KeLowerIrql(0);
        KfRaiseIrql(DISPATCH_LEVEL);
    }
    if (IS(raises_and_lowers)) {
        KIRQL irql = KfRaiseIrql(DISPATCH_LEVEL);
        Turn++;
        KeLowerIrql(irql);
    }
    if (IS(long_stall) || IS(short_stall))
        KeStallExecutionProcessor(IS(long_stall) ? 60 : 40);
    if (IS(race_completion))
        m->Seen.Refused++;
    SendComplete(context, chain, flags);
    if (IS(pause_completed_later))
        CompletePause(m);
    if (IS(raise_in_complete) || (IS(irql_kept_on_error) && failed))
        KfRaiseIrql(DISPATCH_LEVEL);
    if (IS(lower_past) && AtDispatch())
        KeLowerIrql(0);
}

static NDIS_STATUS MutantOid(NDIS_HANDLE context, NDIS_OID_REQUEST *request)
{
    static const char text[] = "a filter that answers for its NIC";
    MODULE *m = context;
    BOOLEAN vendor = request->RequestType == RequestQuery && request->Data.Query.Oid == OID_GEN_VENDOR_DESCRIPTION;
    if (vendor && (IS(answers_vendor) || IS(answer_overruns) || IS(answer_counts) || IS(answer_twice))) {
        BOOLEAN fits = request->Data.Query.InformationBufferLength >= sizeof(text);
        if (!fits && !IS(answer_overruns) && !IS(answer_counts)) {
            request->Data.Query.BytesWritten = 0;
            request->Data.Query.BytesNeeded = sizeof(text);
            return (NDIS_STATUS)0xC0010016; /* NDIS_STATUS_BUFFER_TOO_SHORT */
        }
        if (fits || IS(answer_overruns))
            memcpy(request->Data.Query.InformationBuffer, text, sizeof(text));
        request->Data.Query.BytesWritten = sizeof(text);
        if (IS(answer_twice))
            NdisFOidRequestComplete(m->Handle, request, NDIS_STATUS_SUCCESS);
        return NDIS_STATUS_SUCCESS;
    }
    enum { OID_TCP_OFFLOAD_PARAMETERS = 0xFC01020C };
    if ((IS(answers_without_revision) || IS(answers_set)) && request->RequestType == RequestSet &&
        request->Data.Set.Oid == (ULONG)OID_TCP_OFFLOAD_PARAMETERS) {
        request->Data.Set.BytesRead = request->Data.Set.InformationBufferLength;
        if (IS(answers_set))
            request->SupportedRevision = 1;
        return NDIS_STATUS_SUCCESS;
    }
    if (IS(own_request_on_stack) && !AtDispatch())
        AskInPassing(context);
    Failed = FALSE;
    NDIS_STATUS status = OidRequest(context, request);
    if (IS(lock_kept_on_error) && status != NDIS_STATUS_PENDING)
        TakeOuter();
    if (IS(fails_and_completes) && status == NDIS_STATUS_PENDING && Failed)
        return NDIS_STATUS_FAILURE;
    return IS(request_answered_twice) && status == NDIS_STATUS_PENDING ? NDIS_STATUS_SUCCESS : status;
}

static VOID MutantOidComplete(NDIS_HANDLE context, NDIS_OID_REQUEST *request, NDIS_STATUS status)
{
    if (IS(own_request_on_stack) && !request->SourceReserved[0] && request != &((MODULE *)context)->Own)
        return;
    OidComplete(context, request, status);
}

static BOOLEAN LowPower; /* the device has been put to sleep */

static NDIS_STATUS MutantNetEvent(NDIS_HANDLE context, NET_PNP_EVENT_NOTIFICATION *event)
{
    enum { SetPower = 0, QueryPower = 1, QueryRemoveDevice = 2 };
    MODULE *m = context;
    if (IS(event_kept)) {
        static NET_PNP_EVENT_NOTIFICATION *kept;
        if (kept)
            Turn += *(volatile ULONG *)&kept->NetEvent & 1;
        kept = event;
    }
    if (IS(query_status_lost) && event->NetEvent == QueryPower) {
        NdisFNetPnPEvent(m->Handle, event);
        return NDIS_STATUS_SUCCESS;
    }
    if (IS(sleeps_in_power_event) && event->NetEvent <= QueryPower)
        NdisMSleep(2000);
    if (IS(requests_in_event) && event->NetEvent == NetEventReconfigure)
        Ask(m);
    if (IS(query_event_swallowed) && event->NetEvent == QueryRemoveDevice)
        return NDIS_STATUS_SUCCESS;
    if (IS(power_waits) && event->NetEvent == SetPower)
        while (m->Below)
            NdisMSleep(1000);
    if (event->NetEvent == SetPower)
        LowPower = *(ULONG *)event->Buffer > 1; /* NdisDeviceStateD0 */
    return NetEvent(context, event);
}

static VOID MutantReceive(NDIS_HANDLE context, NBL *chain, ULONG port, ULONG count, ULONG flags)
{
    if (IS(race_receive))
        ((MODULE *)context)->Seen.Received++;
    if ((IS(own_indicated_and_freed) || IS(own_returned_down) || IS(own_indicated_over_pause)) &&
        ((MODULE *)context)->State == Running && !(flags & RECEIVE_RESOURCES))
        Indicate(context);
    Receive(context, chain, port, count, flags);
}

static VOID MutantReturn(NDIS_HANDLE context, NBL *chain, ULONG flags)
{
    MODULE *m = context;
    NBL *theirs = NULL, **end = &theirs;
    for (NBL *nbl = chain, *next; nbl; nbl = next) {
        next = nbl->Next;
        if (nbl->SourceHandle != m->Handle || !(IS(own_indicated_and_freed) || IS(own_indicated_over_pause))) {
            *end = nbl;
            end = &nbl->Next;
            *end = NULL;
            continue;
        }
        COPY *copy = *(COPY **)(nbl->Context->ContextData + nbl->Context->Offset);
        KIRQL irql = Enter(m);
        copy->Next = m->Free;
        m->Free = copy;
        Leave(m, irql);
    }
    if (theirs)
        Return(context, theirs, flags);
}

static VOID MutantStatus(NDIS_HANDLE context, NDIS_STATUS_INDICATION *status)
{
    MODULE *m = context;
    if (IS(originates_while_paused) && m->State == Paused)
        Originate(m);
    if (IS(asks_in_low_power) && LowPower)
        Ask(m);
    if (IS(originates_in_low_power) && LowPower)
        Originate(m);
    if (IS(work_items) || IS(work_item_twice) || IS(work_item_freed))
        Defer();
    Status(context, status);
}

static VOID MutantDetach(NDIS_HANDLE context)
{
    while (IS(work_items) || IS(io_work_items)) {
        KIRQL irql = TakeOuter();
        LONG queued = Queued;
        GiveOuter(irql);
        if (!queued)
            break;
        NdisMSleep(1000);
    }
    Detach(context);
}

static VOID MutantCancel(NDIS_HANDLE context, PVOID id)
{
    MODULE *m = context;
    if (IS(cancels_all)) {
        KIRQL irql = Enter(m);
        NBL *gone = m->Head;
        m->Head = NULL;
        m->Tail = &m->Head;
        Leave(m, irql);
        if (gone)
            Refuse(m, gone, NDIS_STATUS_SEND_ABORTED);
    }
    CancelSend(context, id);
}

static VOID MutantDeviceEvent(NDIS_HANDLE context, NET_DEVICE_PNP_EVENT *event)
{
    DeviceEvent(context, event);
    if (IS(device_event_twice))
        DeviceEvent(context, event);
}

#include "more_routines.h"

static NDIS_STATUS Register(DRIVER_OBJECT *driver, NDIS_HANDLE context, NDIS_FILTER_DRIVER_CHARACTERISTICS *all,
                            NDIS_HANDLE *handle)
{
    all->AttachHandler = MutantAttach;
    all->RestartHandler = MutantRestart;
    all->PauseHandler = MutantPause;
    all->SendHandler = MutantSend;
    all->SendCompleteHandler = MutantSendComplete;
    all->OidRequestHandler = MutantOid;
    all->OidRequestCompleteHandler = MutantOidComplete;
    all->NetPnPEventHandler = MutantNetEvent;
    all->ReceiveHandler = MutantReceive;
    all->ReturnHandler = MutantReturn;
    all->DetachHandler = MutantDetach;
    all->StatusHandler = MutantStatus;
    all->CancelSendHandler = MutantCancel;
    all->DevicePnPEventHandler = MutantDeviceEvent;
    if (IS(receive_without_status))
        all->StatusHandler = NULL;
    if (IS(runs_too_early))
        all->SetFilterModuleOptionsHandler = SetModuleOptions;
    if (IS(queue_without_cancel))
        all->CancelSendHandler = NULL;
    AddHandlers(all);
    if (IS(names_empty))
        all->UniqueName.Length = all->ServiceName.Length = 0;
    NDIS_STATUS status = NdisFRegisterFilterDriver(driver, context, all, handle);
    TheDriver = *handle;
    return status;
}

#if MUTANT == 248
/* IMAGE_LOAD_CONFIG_DIRECTORY64, to the secret of the stack checks, which the loader replaces. */
static ULONGLONG Secret = 0x2B992DDFA232ull;
const struct {
    ULONG Size;
    UCHAR Pad[84];
    ULONGLONG *SecurityCookie;
    UCHAR Rest[24];
} _load_config_used = { 120, { 0 }, &Secret };
#else
static ULONGLONG Secret;
#endif

static VOID (*LwfUnload)(DRIVER_OBJECT *);

static VOID MutantUnload(DRIVER_OBJECT *driver)
{
    LwfUnload(driver);
    TearDownRoutines();
}

NTSTATUS DriverEntry(DRIVER_OBJECT *driver, UNICODE_STRING *path)
{
    if (!IS(lock_after_registration))
        KeInitializeSpinLock(&Outer);
    KeInitializeSpinLock(&Inner);
    if (IS(stack_secret) && *(volatile ULONGLONG *)&Secret == 0x2B992DDFA232ull)
        return STATUS_INVALID_PARAMETER;
    SetUpRoutines();
    TheObject = driver;
    NTSTATUS status = EntryOfLwf(driver, path);
    if (status != STATUS_SUCCESS)
        TearDownRoutines();
    LwfUnload = driver->DriverUnload;
    driver->DriverUnload = MutantUnload;
    if (IS(lock_after_registration))
        KeInitializeSpinLock(&Outer);
    return IS(entry_pending) && status == STATUS_SUCCESS ? NDIS_STATUS_PENDING : status;
}
