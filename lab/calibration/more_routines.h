/*
 * Routines that the filter of lwf.c does without, with their mistakes: mutants.c calls these functions
 * from the filter's handlers. Each mutant uses one family of routines.
 */
#pragma once

typedef MDL *NET_ALLOCATE_MDL(ULONG *Size);
typedef VOID NET_FREE_MDL(MDL *);
typedef struct { UCHAR OldIrql, LockState, Flags; } LOCK_STATE_EX;
typedef struct { _Alignas(16) UCHAR Opaque[128]; } LOOKASIDE_LIST_EX;
typedef struct { _Alignas(16) UCHAR Opaque[16]; } SLIST_HEADER;
typedef struct { ULONGLONG Opaque[8]; } KDPC, KTIMER, KMUTEX;
typedef struct { LONG Count; PVOID Owner; ULONG Contention; ULONGLONG Event[3]; ULONG OldIrql; } FAST_MUTEX;
typedef VOID KDEFERRED(KDPC *, PVOID Context, PVOID, PVOID);
typedef VOID IO_WORK(PVOID Device, PVOID Context);

IMPORT PVOID NdisGetDataBuffer(NET_BUFFER *, ULONG Needed, PVOID Storage, ULONG Multiple, ULONG Offset);
IMPORT NDIS_STATUS NdisCopyFromNetBufferToNetBuffer(NET_BUFFER *, ULONG, ULONG, const NET_BUFFER *, ULONG, ULONG *);
IMPORT NDIS_STATUS NdisRetreatNetBufferDataStart(NET_BUFFER *, ULONG Delta, ULONG BackFill, NET_ALLOCATE_MDL *);
IMPORT VOID NdisAdvanceNetBufferDataStart(NET_BUFFER *, ULONG Delta, BOOLEAN FreeMdl, NET_FREE_MDL *);
IMPORT NDIS_STATUS NdisRetreatNetBufferListDataStart(NBL *, ULONG, ULONG, NET_ALLOCATE_MDL *, NET_FREE_MDL *);
IMPORT VOID NdisAdvanceNetBufferListDataStart(NBL *, ULONG, BOOLEAN, NET_FREE_MDL *);
IMPORT MDL *NdisAllocateMdl(NDIS_HANDLE, PVOID, ULONG);
IMPORT VOID NdisFreeMdl(MDL *);
IMPORT MDL *IoAllocateMdl(PVOID, ULONG, BOOLEAN, BOOLEAN, IRP *);
IMPORT VOID IoFreeMdl(MDL *);
IMPORT VOID MmProbeAndLockPages(MDL *, CCHAR, LONG);
IMPORT VOID MmUnlockPages(MDL *);
IMPORT NDIS_STATUS NdisAllocateNetBufferListContext(NBL *, USHORT, USHORT, ULONG Tag);
IMPORT VOID NdisFreeNetBufferListContext(NBL *, USHORT);
IMPORT NBL *NdisAllocateCloneNetBufferList(NBL *, NDIS_HANDLE, NDIS_HANDLE, ULONG Flags);
IMPORT VOID NdisFreeCloneNetBufferList(NBL *, ULONG Flags);
IMPORT PVOID NdisAllocateRWLock(NDIS_HANDLE);
IMPORT VOID NdisFreeRWLock(PVOID);
IMPORT VOID NdisAcquireRWLockRead(PVOID, LOCK_STATE_EX *, UCHAR);
IMPORT VOID NdisAcquireRWLockWrite(PVOID, LOCK_STATE_EX *, UCHAR);
IMPORT VOID NdisReleaseRWLock(PVOID, LOCK_STATE_EX *);
IMPORT NTSTATUS ExInitializeLookasideListEx(LOOKASIDE_LIST_EX *, PVOID, PVOID, ULONG Type, ULONG, SIZE_T, ULONG, USHORT);
IMPORT VOID ExDeleteLookasideListEx(LOOKASIDE_LIST_EX *);
IMPORT PVOID ExAllocateFromLookasideListEx(LOOKASIDE_LIST_EX *);
IMPORT VOID ExFreeToLookasideListEx(LOOKASIDE_LIST_EX *, PVOID);
IMPORT PVOID ExpInterlockedPushEntrySList(SLIST_HEADER *, PVOID);
IMPORT PVOID ExpInterlockedPopEntrySList(SLIST_HEADER *);
IMPORT VOID KeInitializeDpc(KDPC *, KDEFERRED *, PVOID);
IMPORT BOOLEAN KeInsertQueueDpc(KDPC *, PVOID, PVOID);
IMPORT VOID KeFlushQueuedDpcs(void);
IMPORT VOID KeInitializeTimer(KTIMER *);
IMPORT BOOLEAN KeSetTimerEx(KTIMER *, long long Due, LONG Period, KDPC *);
IMPORT BOOLEAN KeCancelTimer(KTIMER *);
IMPORT PVOID IoAllocateWorkItem(PVOID);
IMPORT VOID IoQueueWorkItem(PVOID, IO_WORK *, LONG Queue, PVOID Context);
IMPORT VOID IoFreeWorkItem(PVOID);
IMPORT VOID KeInitializeMutex(KMUTEX *, ULONG);
IMPORT LONG KeReleaseMutex(KMUTEX *, BOOLEAN);
IMPORT NTSTATUS KeWaitForSingleObject(PVOID, LONG, CCHAR, BOOLEAN, long long *);
IMPORT VOID ExAcquireFastMutex(FAST_MUTEX *);
IMPORT VOID ExReleaseFastMutex(FAST_MUTEX *);
IMPORT VOID ExInitializeRundownProtection(PVOID *);
IMPORT BOOLEAN ExAcquireRundownProtection(PVOID *);
IMPORT VOID ExReleaseRundownProtection(PVOID *);
IMPORT VOID ExWaitForRundownProtectionRelease(PVOID *);
IMPORT PVOID ExAllocatePoolWithTag(ULONG Type, SIZE_T, ULONG Tag);
IMPORT NDIS_STATUS NdisFDirectOidRequest(NDIS_HANDLE, NDIS_OID_REQUEST *);
IMPORT VOID NdisFDirectOidRequestComplete(NDIS_HANDLE, NDIS_OID_REQUEST *, NDIS_STATUS);
IMPORT VOID NdisFCancelDirectOidRequest(NDIS_HANDLE, PVOID Id);
IMPORT NDIS_STATUS NdisSetOptionalHandlers(NDIS_HANDLE, PVOID);

IMPORT NDIS_STATUS NdisFGetOptionalSwitchHandlers(NDIS_HANDLE, PVOID *Context, PVOID Handlers);

IMPORT NTSTATUS PsCreateSystemThread(PVOID *Handle, ULONG, PVOID, PVOID, PVOID, VOID (*)(PVOID), PVOID Context);
IMPORT NTSTATUS PsTerminateSystemThread(NTSTATUS);
IMPORT NTSTATUS ObReferenceObjectByHandle(PVOID, ULONG, PVOID, CCHAR, PVOID *, PVOID);
IMPORT LONG ObfDereferenceObject(PVOID);
IMPORT NTSTATUS ZwClose(PVOID);
IMPORT VOID KeInitializeEvent(PVOID, LONG Type, BOOLEAN);
IMPORT LONG KeSetEvent(PVOID, LONG, BOOLEAN);

#define NonPagedPoolNx 512

/* Of NDIS_SWITCH_OPTIONAL_HANDLERS, the handlers that are used here. */
static struct {
    NDIS_OBJECT_HEADER Header;
    PVOID Context[3];
    NDIS_STATUS (*AddDestination)(PVOID, NBL *, const ULONG Destination[2]);
    NDIS_STATUS (*GrowDestinations)(PVOID, NBL *, ULONG, PVOID *Array);
    VOID (*GetDestinations)(PVOID, NBL *, PVOID *Array);
    PVOID Update[2];
    NDIS_STATUS (*ReferenceNic)(PVOID, ULONG Port, USHORT Index);
    NDIS_STATUS (*DereferenceNic)(PVOID, ULONG Port, USHORT Index);
    PVOID Port[2];
    VOID (*ReportFiltered)(PVOID, UNICODE_STRING *, UNICODE_STRING *, ULONG, ULONG, ULONG Count, NBL *, UNICODE_STRING *);
    PVOID NblContext[2];
} Switch = { HEADER(0xB8, 1, 128) };
static PVOID SwitchContext;

static const UCHAR Nonsense[64];
static PVOID RwLock;
static LOOKASIDE_LIST_EX Lookaside;
static SLIST_HEADER Spare;
static KDPC Dpc;
static KTIMER Timer;
static KMUTEX Mutex;
static FAST_MUTEX Fast = { 1 };
static PVOID Rundown;
static LONG Expired; /* under Outer */

static MDL *AllocateMdl(ULONG *size)
{
    PVOID memory = ExAllocatePoolWithTag(NonPagedPoolNx, *size, TAG);
    MDL *mdl = memory ? NdisAllocateMdl(TheDriver, memory, *size) : NULL;
    if (memory && !mdl)
        ExFreePoolWithTag(memory, TAG);
    return mdl;
}

static VOID FreeMdl(MDL *mdl)
{
    PVOID memory = (PVOID)((UCHAR *)mdl->StartVa + mdl->ByteOffset);
    NdisFreeMdl(mdl);
    ExFreePoolWithTag(memory, TAG);
}

static VOID OnTimer(KDPC *dpc, PVOID context, PVOID one, PVOID two)
{
    KeAcquireSpinLockAtDpcLevel(&Outer);
    Expired++;
    KeReleaseSpinLockFromDpcLevel(&Outer);
}

static VOID OnItem(PVOID device, PVOID context)
{
    IoFreeWorkItem(context);
    KIRQL irql = TakeOuter();
    Queued--;
    GiveOuter(irql);
}

static VOID FindSwitch(NDIS_HANDLE handle)
{
    NdisFGetOptionalSwitchHandlers(handle, &SwitchContext, &Switch);
}

static VOID StartKernelTimer(void)
{
    KeSetTimerEx(&Timer, -100000, 20, &Dpc);
}

static VOID StopKernelTimer(void)
{
    KeCancelTimer(&Timer);
    KeFlushQueuedDpcs();
}

static ULONGLONG Stop[3]; /* KEVENT */
static PVOID Thread;

static VOID Works(PVOID context)
{
    KeWaitForSingleObject(Stop, 0, 0, FALSE, NULL);
    if (context)
        PsTerminateSystemThread(STATUS_SUCCESS);
}

static VOID StartThread(void)
{
    PVOID handle;
    KeInitializeEvent(Stop, 0, FALSE);
    if (PsCreateSystemThread(&handle, 0x1FFFFF, NULL, NULL, NULL, Works, Stop) != STATUS_SUCCESS)
        return;
    ObReferenceObjectByHandle(handle, 0x1FFFFF, NULL, 0, &Thread, NULL);
    ZwClose(handle);
}

static VOID StopThread(void)
{
    if (!Thread || IS(thread_left))
        return;
    KeSetEvent(Stop, 0, FALSE);
    KeWaitForSingleObject(Thread, 0, 0, FALSE, NULL);
    ObfDereferenceObject(Thread);
    Thread = NULL;
}

/* DriverEntry, before the registration. */
static VOID SetUpRoutines(void)
{
    if (IS(system_thread) || IS(thread_left))
        StartThread();
    if (IS(rw_locks) || IS(rw_lock_left) || IS(rw_lock_promoted) || IS(rw_lock_released_twice) || IS(rw_lock_kept) ||
        IS(rw_lock_flag_lies))
        RwLock = NdisAllocateRWLock(NULL);
    ExInitializeLookasideListEx(&Lookaside, NULL, NULL, NonPagedPoolNx, 0, 48, TAG, 0);
    KeInitializeDpc(&Dpc, OnTimer, NULL);
    KeInitializeTimer(&Timer);
    KeInitializeMutex(&Mutex, 0);
    ExInitializeRundownProtection(&Rundown);
}

/* DriverUnload, before the end. */
static VOID TearDownRoutines(void)
{
    StopThread();
    if (RwLock && !IS(rw_lock_left))
        NdisFreeRWLock(RwLock);
    if (!IS(lookaside_left))
        ExDeleteLookasideListEx(&Lookaside);
    if (IS(kernel_timer_left))
        KeSetTimerEx(&Timer, -100000, 0, &Dpc);
    KeFlushQueuedDpcs();
    ExWaitForRundownProtectionRelease(&Rundown);
}

/* FilterSendNetBufferLists of a running module, with NBLs of the overlying driver. */
static VOID UseRoutines(MODULE *m, NBL *nbl)
{
    NET_BUFFER *nb = nbl->FirstNetBuffer;
    LOCK_STATE_EX one, two;
    UCHAR storage[256];
    ULONG copied;
    PVOID item;
    if (IS(processor_block)) { /* KeGetCurrentThread and KeGetCurrentProcessorIndex, which wdm.h inlines */
        PVOID thread;
        ULONG processor;
        __asm__ volatile("movq %%gs:0x188, %0" : "=r"(thread));
        __asm__ volatile("movl %%gs:0x1a4, %0" : "=r"(processor));
        if (!thread || processor > 63)
            NdisFreeMemory(NULL, 0, 0);
    }
    if (IS(shared_time)) /* KeQuerySystemTime and KeQueryTickCount, which wdm.h inlines */
        Turn += *(volatile ULONGLONG *)0xFFFFF78000000014ull != 0 && *(volatile ULONGLONG *)0xFFFFF78000000320ull > 9;
    if (IS(data_buffers)) {
        UCHAR *start = NdisGetDataBuffer(nb, 14, storage, 1, 0);
        if (start)
            Turn += start[12];
        NdisGetDataBuffer(nb, nb->DataLength < 256 ? nb->DataLength : 256, storage, 4, 2);
    }
    if (IS(data_buffer_unchecked))
        Turn += *(volatile UCHAR *)NdisGetDataBuffer(nb, 200, NULL, 1, 0);
    if (IS(data_buffer_overruns)) {
        UCHAR *small = ExAllocatePool2(POOL_FLAG_NON_PAGED, 32, TAG);
        if (small) {
            NdisGetDataBuffer(nb, 200, small, 1, 0);
            ExFreePoolWithTag(small, TAG);
        }
    }
    if (IS(retreats) && nb->DataOffset >= 8 &&
        NdisRetreatNetBufferListDataStart(nbl, 8, 0, NULL, NULL) == NDIS_STATUS_SUCCESS)
        NdisAdvanceNetBufferListDataStart(nbl, 8, FALSE, NULL);
    if (IS(retreats)) { /* with 12 bytes more before them */
        ULONG more = nb->DataOffset + 20;
        if (NdisRetreatNetBufferDataStart(nb, more, 12, NULL) == NDIS_STATUS_SUCCESS) {
            UCHAR *header = NdisGetDataBuffer(nb, 20, NULL, 1, 0);
            if (header)
                memset(header, 1, 20);
            NdisAdvanceNetBufferDataStart(nb, more, TRUE, NULL);
        }
    }
    if (IS(retreats_with_handler) || IS(retreat_freed_wrongly)) {
        ULONG before = nb->DataOffset;
        if (NdisRetreatNetBufferDataStart(nb, before + 20, 0, AllocateMdl) == NDIS_STATUS_SUCCESS)
            NdisAdvanceNetBufferDataStart(nb, before + 20, TRUE, IS(retreat_freed_wrongly) ? NULL : FreeMdl);
    }
    if (IS(retreat_not_undone))
        (void)NdisRetreatNetBufferDataStart(nb, 8, 0, NULL);
    if (IS(retreat_mdl_left)) {
        NET_BUFFER kept = *nb;
        if (NdisRetreatNetBufferDataStart(nb, nb->DataOffset + 20, 0, NULL) == NDIS_STATUS_SUCCESS) {
            nb->MdlChain = kept.MdlChain;
            nb->CurrentMdl = kept.CurrentMdl;
            nb->CurrentMdlOffset = kept.CurrentMdlOffset;
            nb->DataOffset = kept.DataOffset;
            nb->DataLength = kept.DataLength;
        }
    }
    if (IS(mdls) || IS(mdl_leaked) || IS(mdl_freed_otherwise)) {
        UCHAR *memory = ExAllocatePoolWithTag(NonPagedPoolNx, 100, TAG);
        MDL *mdl = memory ? NdisAllocateMdl(m->Handle, memory, 100) : NULL;
        MDL *other = memory ? IoAllocateMdl(memory, 100, FALSE, FALSE, NULL) : NULL;
        if (other)
            MmBuildMdlForNonPagedPool(other);
        if (mdl && IS(mdl_freed_otherwise))
            IoFreeMdl(mdl);
        else if (mdl && !IS(mdl_leaked))
            NdisFreeMdl(mdl);
        if (other)
            IoFreeMdl(other);
        if (memory)
            ExFreePoolWithTag(memory, TAG);
    }
    if (IS(mdl_of_stack)) {
        MDL *mdl = NdisAllocateMdl(m->Handle, storage, sizeof(storage));
        if (mdl)
            NdisFreeMdl(mdl);
    }
    if (IS(mdl_left_locked) && !AtDispatch()) {
        MDL *mdl = IoAllocateMdl(storage, sizeof(storage), FALSE, FALSE, NULL);
        if (mdl) {
            MmProbeAndLockPages(mdl, 0, 0);
            IoFreeMdl(mdl);
        }
    }
    if ((IS(contexts) || IS(context_left)) &&
        NdisAllocateNetBufferListContext(nbl, 32, 16, TAG) == NDIS_STATUS_SUCCESS) {
        memset(nbl->Context->ContextData + nbl->Context->Offset, 3, 32);
        if (!IS(context_left))
            NdisFreeNetBufferListContext(nbl, 32);
    }
    if (IS(clones) || IS(clone_nbl_leaked) || IS(clone_nbl_freed_otherwise)) {
        NBL *clone = NdisAllocateCloneNetBufferList(nbl, m->Pool, NULL, 0);
        if (clone) {
            Turn += clone->FirstNetBuffer->DataLength == nb->DataLength;
            if (IS(clone_nbl_freed_otherwise))
                NdisFreeNetBufferList(clone);
            else if (!IS(clone_nbl_leaked))
                NdisFreeCloneNetBufferList(clone, 0);
        }
    }
    if (IS(rw_locks) && RwLock) {
        NdisAcquireRWLockRead(RwLock, &one, 0);
        NdisAcquireRWLockRead(RwLock, &two, 1);
        NdisReleaseRWLock(RwLock, &two);
        NdisReleaseRWLock(RwLock, &one);
        NdisAcquireRWLockWrite(RwLock, &one, 0);
        Turn++;
        NdisReleaseRWLock(RwLock, &one);
    }
    if (IS(rw_lock_promoted) && RwLock) {
        NdisAcquireRWLockRead(RwLock, &one, 0);
        NdisAcquireRWLockWrite(RwLock, &two, 1);
        NdisReleaseRWLock(RwLock, &one);
    }
    if (IS(rw_lock_released_twice) && RwLock) {
        NdisAcquireRWLockRead(RwLock, &one, 0);
        NdisReleaseRWLock(RwLock, &one);
        KfRaiseIrql(DISPATCH_LEVEL);
        NdisReleaseRWLock(RwLock, &one);
    }
    if (IS(rw_lock_kept) && RwLock)
        NdisAcquireRWLockRead(RwLock, &one, 0);
    if (IS(rw_lock_flag_lies) && RwLock && !AtDispatch()) {
        NdisAcquireRWLockRead(RwLock, &one, 1);
        NdisReleaseRWLock(RwLock, &one);
    }
    if (IS(lookasides) || IS(lookaside_entry_leaked)) {
        PVOID entry = ExAllocateFromLookasideListEx(&Lookaside);
        if (entry)
            ExpInterlockedPushEntrySList(&Spare, entry);
        entry = ExpInterlockedPopEntrySList(&Spare);
        if (entry && !IS(lookaside_entry_leaked))
            ExFreeToLookasideListEx(&Lookaside, entry);
    }
    if (IS(kernel_timers))
        KeInsertQueueDpc(&Dpc, NULL, NULL);
    if (IS(kernel_timer_freed)) {
        KTIMER *timer = ExAllocatePool2(POOL_FLAG_NON_PAGED, sizeof(*timer), TAG);
        if (timer) {
            KeInitializeTimer(timer);
            KeSetTimerEx(timer, -100000, 0, NULL);
            ExFreePoolWithTag(timer, TAG);
        }
    }
    if ((IS(io_work_items) || IS(io_work_item_left)) && (item = IoAllocateWorkItem(m)) != NULL) {
        KIRQL irql = TakeOuter();
        Queued++;
        GiveOuter(irql);
        if (IS(io_work_items))
            IoQueueWorkItem(item, OnItem, 1, item);
    }
    if (IS(mutexes) && !AtDispatch()) {
        ExAcquireFastMutex(&Fast);
        ExReleaseFastMutex(&Fast);
        KeWaitForSingleObject(&Mutex, 0, 0, FALSE, NULL);
        KeWaitForSingleObject(&Mutex, 0, 0, FALSE, NULL);
        KeReleaseMutex(&Mutex, FALSE);
        KeReleaseMutex(&Mutex, FALSE);
        if (ExAcquireRundownProtection(&Rundown))
            ExReleaseRundownProtection(&Rundown);
    }
    if (IS(fast_mutex_twice) && !AtDispatch()) {
        ExAcquireFastMutex(&Fast);
        ExAcquireFastMutex(&Fast);
        ExReleaseFastMutex(&Fast);
    }
    if (IS(rundown_over_released))
        ExReleaseRundownProtection(&Rundown);
    if (IS(pool_executable)) {
        PVOID block = ExAllocatePoolWithTag(0, 64, TAG);
        if (block)
            ExFreePoolWithTag(block, TAG);
    }
    if (IS(switch_extension) || IS(switch_nic_kept) || IS(switch_report_lies)) {
        const ULONG to[2] = { 1, 1 };
        PVOID destinations;
        Switch.AddDestination(SwitchContext, nbl, to);
        if (Switch.GrowDestinations(SwitchContext, nbl, 3, &destinations) == NDIS_STATUS_SUCCESS)
            Switch.GetDestinations(SwitchContext, nbl, &destinations);
        if (Switch.ReferenceNic(SwitchContext, 1, 1) == NDIS_STATUS_SUCCESS && !IS(switch_nic_kept))
            Switch.DereferenceNic(SwitchContext, 1, 1);
        if (IS(switch_report_lies))
            Switch.ReportFiltered(SwitchContext, NULL, NULL, 2, 1, 99, nbl, NULL);
    }
    if (IS(copies_packets)) {
        COPY *copy = OwnFrame(m, FALSE);
        if (copy) {
            ULONG length = nb->DataLength < COPY_BYTES ? nb->DataLength : COPY_BYTES;
            NdisCopyFromNetBufferToNetBuffer(copy->Own->FirstNetBuffer, 0, length, nb, 0, &copied);
            KIRQL irql = Enter(m);
            copy->Next = m->Free;
            m->Free = copy;
            Leave(m, irql);
        }
    }
}

/* ---- direct and synchronous requests ---------------------------------------------------------- */

static NDIS_STATUS DirectOid(NDIS_HANDLE context, NDIS_OID_REQUEST *request)
{
    MODULE *m = context;
    NDIS_OID_REQUEST *clone;
    NDIS_STATUS status = NdisAllocateCloneOidRequest(m->Handle, request, TAG, &clone);
    if (status != NDIS_STATUS_SUCCESS)
        return status;
    clone->SourceReserved[0] = request;
    clone->RequestId = request->RequestId;
    status = NdisFDirectOidRequest(m->Handle, clone);
    if (status != NDIS_STATUS_PENDING) {
        request->Data = clone->Data;
        request->SupportedRevision = clone->SupportedRevision;
        NdisFreeCloneOidRequest(m->Handle, clone);
    }
    if (IS(direct_answered_twice) && status != NDIS_STATUS_PENDING)
        NdisFDirectOidRequestComplete(m->Handle, request, status);
    return status;
}

static VOID DirectOidComplete(NDIS_HANDLE context, NDIS_OID_REQUEST *clone, NDIS_STATUS status)
{
    MODULE *m = context;
    NDIS_OID_REQUEST *request = clone->SourceReserved[0];
    request->Data = clone->Data;
    request->SupportedRevision = clone->SupportedRevision;
    NdisFreeCloneOidRequest(m->Handle, clone);
    if (!IS(direct_never_completed))
        NdisFDirectOidRequestComplete(m->Handle, request, status);
}

static VOID CancelDirectOid(NDIS_HANDLE context, PVOID id)
{
    NdisFCancelDirectOidRequest(((MODULE *)context)->Handle, id);
}

static NDIS_STATUS SynchronousOid(NDIS_HANDLE context, NDIS_OID_REQUEST *request, PVOID *call)
{
    *call = request;
    return IS(synchronous_pends) ? NDIS_STATUS_PENDING : NDIS_STATUS_SUCCESS;
}

static VOID SynchronousOidComplete(NDIS_HANDLE context, NDIS_OID_REQUEST *request, NDIS_STATUS *status, PVOID call)
{
    Turn += call == request;
}

/* The module's own handlers of the data path, set again before each restart. */
static NDIS_STATUS SetDataHandlers(NDIS_HANDLE context)
{
    struct {
        NDIS_OBJECT_HEADER Header;
        ULONG Flags;
        PVOID Handlers[5];
    } own = { HEADER(0x8C, 1, 48), 0, { MutantSend, MutantSendComplete, CancelSend, MutantReceive, MutantReturn } };
    return NdisSetOptionalHandlers(((MODULE *)context)->Handle, &own);
}

static VOID AddHandlers(NDIS_FILTER_DRIVER_CHARACTERISTICS *all)
{
    if (IS(direct_oids) || IS(direct_answered_twice) || IS(direct_never_completed) || IS(direct_without_complete)) {
        all->DirectOidHandlers[0] = DirectOid;
        if (!IS(direct_without_complete))
            all->DirectOidHandlers[1] = DirectOidComplete;
        all->DirectOidHandlers[2] = CancelDirectOid;
    }
    if (IS(direct_oids) || IS(synchronous_pends)) {
        all->SynchronousOidHandlers[0] = SynchronousOid;
        all->SynchronousOidHandlers[1] = SynchronousOidComplete;
    }
    if (IS(data_handlers))
        all->SetFilterModuleOptionsHandler = SetDataHandlers;
}
