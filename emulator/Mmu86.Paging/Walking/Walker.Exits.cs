using Mmu86.X86;

namespace Mmu86.Paging;

/// <content>How a translation of a guest-physical address fails.</content>
internal sealed unsafe partial class Walker
{
    private const EptViolationQualification Final = EptViolationQualification.LinearAddressValid | EptViolationQualification.FinalTranslation;

    private bool _logsModifications;

    // Read, write, fetch: bits 0, 1, 2.
    private static EptViolationQualification FinalAccess(AccessKind kind) => Final | (EptViolationQualification)(1UL << (int)kind);

    // Of a walk that writes nothing: what it would have logged so far.
    private ushort _wouldLog;

    private bool IsLogFull => (ushort)(_controls!.PageModificationIndex - _wouldLog) >= NestedControls.ListEntries;

    // Nothing may be set while the log is full: whether something had to be is known when the walk ends.
    private void PrepareToLog() => _ept->AccessedFlag = IsLogFull ? 0 : _nestedAccessedFlag;

    // SDM 3, "Page-Modification Logging": the guest-physical address with bits 11:0 clear, and the index counts down.
    private void LogModification<TWalk>(ulong address)
        where TWalk : struct, IWalkKind
    {
        NestedControls controls = _controls!;
        ulong log = controls.PageModificationLog!.Value.Value;
        if (!TWalk.ActsAsAccess || TWalk.Withholds)
        {
            if (TWalk.Withholds)
                Withhold(log + ((ushort)(controls.PageModificationIndex - _wouldLog) * 8UL), address & ~0xFFFUL, isShort: false);
            _wouldLog++;
            return;
        }

        _memory.Write(new HostPhysicalAddress(log + (controls.PageModificationIndex * 8UL)), address & ~0xFFFUL);
        controls.PageModificationIndex--;
    }

    private bool FailLogFull(ulong address)
    {
        Fault = new TranslationFault
        {
            Failure = TranslationFailure.PageModificationLogFull,
            Linear = new LinearAddress(_linear),
            GuestPhysical = new GuestPhysicalAddress(address),
        };
        return false;
    }

    // An address that the tables do not reach: there is no entry that could make it #VE.
    private bool FailBeyond<TWalk>(ulong address, EptViolationQualification access)
        where TWalk : struct, IWalkKind => _nested.IsNpt
            ? FailNested<TWalk>(address, access, NestedPageFaultErrorCode.None)
            : FailViolation<TWalk>(address, access, 0, EptEntry.SuppressVirtualizationException);

    private bool FailAbsent<TWalk>(ulong address, EptViolationQualification access)
        where TWalk : struct, IWalkKind => _nested.IsNpt
            ? FailNested<TWalk>(address, access, NestedPageFaultErrorCode.None)
            : FailViolation<TWalk>(address, access, 0, _ept->Entry);

    private bool FailRights<TWalk>(ulong address, EptViolationQualification access, ulong rights)
        where TWalk : struct, IWalkKind => _nested.IsNpt
            ? FailNested<TWalk>(address, access, NestedPageFaultErrorCode.Present)
            : FailViolation<TWalk>(address, access, rights, _ept->Entry);

    private bool FailMalformed<TWalk>(ulong address, EptViolationQualification access)
        where TWalk : struct, IWalkKind
    {
        if (_nested.IsNpt)
            return FailNested<TWalk>(address, access, NestedPageFaultErrorCode.Present | NestedPageFaultErrorCode.Reserved);
        Fault = new TranslationFault
        {
            Failure = TranslationFailure.EptMisconfiguration,
            Linear = new LinearAddress(_linear),
            GuestPhysical = new GuestPhysicalAddress(address),
        };
        return false;
    }

    // SDM 3, "Operations that Invalidate Cached Mappings": the violation drops what would translate this guest-physical address.
    private bool FailViolation<TWalk>(ulong address, EptViolationQualification access, ulong rights, ulong decidingEntry)
        where TWalk : struct, IWalkKind
    {
        if (TWalk.ActsAsAccess)
            _caches.RemoveGuestPhysical(_ept->Space, address);
        EptViolationQualification qualification = access
            | (EptViolationQualification)((rights & EptEntry.Rights) << 3)
            | ((rights & EptEntry.UserExecute) != 0 ? EptViolationQualification.GuestPhysicalUserExecutable : 0);
        if (_nested.TellsViolationDetails && (access & EptViolationQualification.FinalTranslation) != 0)
            qualification |= Details(_finalRights);
        Fault = new TranslationFault
        {
            Failure = TranslationFailure.EptViolation,
            Linear = new LinearAddress(_linear),
            GuestPhysical = new GuestPhysicalAddress(address),
            Qualification = qualification,
            IsConvertible = _controls?.VirtualizationExceptionArea is not null && (decidingEntry & EptEntry.SuppressVirtualizationException) == 0,
        };
        return false;
    }

    private static EptViolationQualification Details(ulong rights) =>
        ((rights & (ulong)TranslationRights.User) != 0 ? EptViolationQualification.UserModeAddress : 0)
        | ((rights & (ulong)TranslationRights.Writable) != 0 ? EptViolationQualification.LinearAddressWritable : 0)
        | ((rights & (ulong)TranslationRights.Executable) != 0 ? 0 : EptViolationQualification.LinearAddressExecuteDisable);

    // APM 2, "Nested versus Guest Page Faults, Fault Ordering".
    private bool FailNested<TWalk>(ulong address, EptViolationQualification access, NestedPageFaultErrorCode cause)
        where TWalk : struct, IWalkKind
    {
        if (TWalk.ActsAsAccess)
            _caches.RemoveGuestPhysical(_ept->Space, address);
        bool isFinal = (access & EptViolationQualification.FinalTranslation) != 0;
        NestedPageFaultErrorCode code = cause | (isFinal ? NestedPageFaultErrorCode.FinalAddress : NestedPageFaultErrorCode.GuestTable);
        if (!_hasExecuteTrap || !isFinal || _mode == AccessMode.User)
            code |= NestedPageFaultErrorCode.User;
        if ((access & EptViolationQualification.Write) != 0)
            code |= NestedPageFaultErrorCode.Write;
        bool tellsFetches = (_context.Eptp & (NptPointer.NoExecute | NptPointer.Smep)) != 0;
        if ((access & EptViolationQualification.Fetch) != 0 && tellsFetches)
            code |= NestedPageFaultErrorCode.InstructionFetch;
        Fault = new TranslationFault
        {
            Failure = TranslationFailure.NestedPageFault,
            Linear = new LinearAddress(_linear),
            GuestPhysical = new GuestPhysicalAddress(address),
            NestedErrorCode = code,
        };
        return false;
    }
}
