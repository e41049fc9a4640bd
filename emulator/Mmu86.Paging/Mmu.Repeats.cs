using Mmu86.X86;

namespace Mmu86.Paging;

/// <content>Accesses that string instructions make many times over.</content>
public sealed unsafe partial class Mmu<TPolicy>
{
    /// <inheritdoc/>
    public bool TryRepeat(LinearAddress address, AccessKind kind, AccessMode mode, out Translation translation)
    {
        ulong linear = address.Value;
        if (_repeats
            && _l1Data.TryFind(linear, _space, _globalSpace, out TlbHit hit)
            && (hit.Lane->Array->Entries.Replacement.IgnoresAlternation || hit.IsSettled)
            && _rights.Judge(AccessRights.Class(kind, mode), hit.Data) == AccessRights.Allowed)
        {
            HostPhysicalAddress answer = new(TlbEntry.HostAddress(hit.Data, linear, hit.Lane->OffsetMask));
            translation = new Translation(answer, hit.Lane->Size, _memory.IsRam(answer));
            return true;
        }

        translation = default;
        return false;
    }

    /// <inheritdoc/>
    public void CountRepeated(LinearAddress address, ulong times)
    {
        if (!_l1Data.TryFind(address.Value, _space, _globalSpace, out TlbHit hit))
            throw new System.Diagnostics.UnreachableException();
        // As if each had come here: whoever reads the statistics takes the rest of the lookups for hits of the filter.
        _data.SlowLookups += times;
        hit.Lane->Hits += times;
    }
}
