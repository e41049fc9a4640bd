using Mmu86.X86;

namespace Mmu86.Paging;

/// <content>Walks that leave no trace.</content>
internal sealed unsafe partial class Walker
{
    // What the inspection under way would have written: words of four bytes, by host-physical address.
    private readonly Dictionary<ulong, uint> _withheld = [];

    /// <summary>Walks as an access would, records every step, and leaves everything as it was (docs/decisions/0017).</summary>
    /// <remarks>Parameters and result as those of <see cref="TryWalk"/>.</remarks>
    public bool TryInspect(ulong address, AccessKind kind, AccessMode mode, out WalkResult result)
    {
        _caches.Save();
        try
        {
            return TryWalk<InspectionWalk>(address, kind, mode, out result);
        }
        finally
        {
            _caches.Restore();
            _withheld.Clear();
            _wouldLog = 0;
        }
    }

    /// <summary>Walks through what is in memory, whatever caches hold.</summary>
    /// <remarks>Parameters and result as those of <see cref="TryWalk"/>.</remarks>
    /// <typeparam name="TWalk"><see cref="TableWalk"/>, or to record it <see cref="RecordedTableWalk"/>.</typeparam>
    public bool TryWalkTables<TWalk>(ulong address, AccessKind kind, AccessMode mode, out WalkResult result)
        where TWalk : struct, IWalkKind
    {
        bool found = TryWalk<TWalk>(address, kind, mode, out result);
        _wouldLog = 0;
        return found;
    }

    /// <summary>Finds a guest-physical address in host memory as a read would, by what is in memory.</summary>
    public bool TryFindGuestPhysical(ulong address, out ulong host)
    {
        // A recorder asks in the middle of a walk, when that sets a flag: its references go on behind.
        uint references = EptReferences;
        bool found = TryTranslateGuestPhysical<TableWalk>(address, EptEntry.Read, EptViolationQualification.Read, out GuestPhysicalMapping mapping);
        EptReferences = references;
        host = mapping.Host;
        return found;
    }

    private void Withhold(ulong host, ulong value, bool isShort)
    {
        // A replay writes nothing either.
        if (_isReplay)
            return;
        _withheld[host] = (uint)value;
        if (!isShort)
            _withheld[host + 4] = (uint)(value >> 32);
    }

    // An entry as the walk would find it: memory with what it wrote. What is not RAM takes no writes.
    private ulong ReadWithheld(ulong host, bool isShort)
    {
        if (!_memory.IsRam(new HostPhysicalAddress(host)))
            return isShort ? uint.MaxValue : ulong.MaxValue;
        ulong low = ReadWord(host);
        return isShort ? low : low | ((ulong)ReadWord(host + 4) << 32);
    }

    private uint ReadWord(ulong host) => _withheld.TryGetValue(host, out uint value) ? value : _memory.Read<uint>(new HostPhysicalAddress(host));
}
