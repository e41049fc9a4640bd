using Mmu86.Paging;
using Mmu86.X86;

namespace Mmu86.TestKit.Paging;

/// <summary>The notebook of one reference walk: what was read, which flags it calls for, how it ended.</summary>
internal sealed class WalkRecord(ReferenceAccess access)
{
    private readonly List<ReferenceStep> _steps = [];
    private readonly Dictionary<ulong, ulong> _flags = [];
    private readonly Dictionary<ulong, ulong> _allowedFlags = [];
    private readonly List<TranslationFault> _refusedUpdates = [];
    private readonly HashSet<ulong> _guestEntriesToWrite = [];
    private readonly HashSet<ulong> _eptEntriesRead = [];
    private TranslationFault? _fault;
    private ReferenceTranslation? _translation;

    public ReferenceAccess Access => access;

    /// <summary>The PML index as the walk has moved it so far; null while nothing looked at it.</summary>
    public ushort? LogIndex { get; set; }

    /// <summary>Whether hypervisor-managed tables are being used (E22).</summary>
    public bool IsHlat { get; set; }

    /// <summary>The level of the entry that restarted the translation with ordinary paging; null while none did.</summary>
    public int? RestartLevel { get; set; }

    /// <summary>Guest-paging verification (E22): whether every guest entry used so far lies in a page with paging-write access.</summary>
    public bool AreTablesVerified { get; set; } = true;

    /// <summary>Whether an update of a flag was an access of its own, of whose reads the manual says nothing.</summary>
    public bool AreReferencesOpen { get; set; }

    /// <summary>What was written to the page-modification log, in order.</summary>
    public List<ulong> Logged { get; } = [];

    /// <summary>An entry that was read, with the flags that the walk has set in it since.</summary>
    public ulong Current(HostPhysicalAddress entry, ulong value) => value | _flags.GetValueOrDefault(entry.Value);

    public void Read(WalkDimension dimension, int level, HostPhysicalAddress address, ulong value)
    {
        _steps.Add(new ReferenceStep(dimension, level, address, value));
        if (dimension == WalkDimension.Ept)
            _eptEntriesRead.Add(address.Value);
    }

    /// <summary>Notes that the access calls for flags of an entry. They are required only if the access succeeds.</summary>
    public void CallForFlags(WalkDimension dimension, HostPhysicalAddress entry, ulong before, ulong flags)
    {
        _flags[entry.Value] = _flags.GetValueOrDefault(entry.Value) | flags;
        if (dimension == WalkDimension.Guest && (flags & ~before) != 0)
            _guestEntriesToWrite.Add(entry.Value);
    }

    /// <summary>Notes that flags of an entry may become set, whatever becomes of the access.</summary>
    public void AllowFlags(HostPhysicalAddress entry, ulong flags) => _allowedFlags[entry.Value] = _allowedFlags.GetValueOrDefault(entry.Value) | flags;

    /// <summary>Notes that EPT forbids the write that an A/D update of a guest entry would be. The walk goes on to find what else is wrong.</summary>
    public void RefuseUpdate(TranslationFault violation) => _refusedUpdates.Add(violation);

    public void Fail(TranslationFault fault) => _fault = fault;

    public void Succeed(ReferenceTranslation translation) => _translation = translation;

    private EntryFlags FlagsOf(ulong entry, bool failed)
    {
        ulong called = _flags.GetValueOrDefault(entry);
        return new EntryFlags(failed ? 0 : called, called | _allowedFlags.GetValueOrDefault(entry));
    }

    public ReferenceWalk Finish()
    {
        // SDM 3, "Prioritization of EPT Misconfigurations and EPT Violations": the order does not consider accesses that update
        // A/D. If the walk is otherwise good, some refused update must be reported; if it is bad, either may come first (E05).
        var faults = new List<TranslationFault>(_refusedUpdates);
        if (_fault is { } end)
            faults.Add(end);
        bool failed = faults.Count > 0;
        return new ReferenceWalk
        {
            Access = access,
            Translation = failed ? null : _translation!.Value,
            Fault = failed ? faults[0] : null,
            OtherLegalFaults = failed ? faults.GetRange(1, faults.Count - 1) : [],
            AreReferencesOpen = AreReferencesOpen || _refusedUpdates.Count > 0,
            References = _steps,
            Logged = Logged,
            // F06, A01: a successful access must leave the flags set, one that fails may.
            Flags = _flags.Keys.Union(_allowedFlags.Keys).ToDictionary(entry => entry, entry => FlagsOf(entry, failed)),
            DependsOnUpdateOrder = _guestEntriesToWrite.Overlaps(_eptEntriesRead),
        };
    }
}
