using System.Runtime.InteropServices;
using Mmu86.Memory;
using Mmu86.X86;

namespace Mmu86.Paging;

/// <summary>Follows every paging table that a walk could read, and writes it and each change of it to a translation stream.</summary>
/// <remarks>
/// Whoever replays the stream walks these copies instead of the host's memory, which is ahead of it. Tables are found from the roots of
/// each context by their present entries, all of them and not only those that the base machine walked: another machine may walk others.
/// A frame stays watched once it was a table; that costs time where it becomes data, and nothing else.
/// </remarks>
internal sealed class TableRecorder : ITableWatcher
{
    /// <summary>The most frames that may be tables: 4 GiB of address space are mapped by 2048.</summary>
    public const int MaximumTables = 1 << 18;

    // In place of a guest-physical address: a table of EPT.
    private const ulong NoGuestAddress = ulong.MaxValue;

    private const ulong LargeLevelsOfLong = 0b1100;

    private readonly HostMemory _memory;
    private readonly TranslationStreamWriter _writer;
    private readonly Action<HostFrameNumber> _revokeWrites;
    private readonly TryLocate _tryLocate;
    private readonly Dictionary<ulong, List<Role>> _roles = [];
    private readonly Dictionary<ulong, ulong[]> _copies = [];
    private readonly List<(ulong GuestAddress, Role Role)> _absent = [];

    /// <summary>Starts to watch.</summary>
    /// <param name="memory">Where the tables lie.</param>
    /// <param name="writer">Takes them.</param>
    /// <param name="revokeWrites">Makes stores to a frame come to the memory's gate.</param>
    /// <param name="tryLocate">Finds guest-physical addresses in host memory, without a trace, in the context followed.</param>
    public TableRecorder(HostMemory memory, TranslationStreamWriter writer, Action<HostFrameNumber> revokeWrites, TryLocate tryLocate)
    {
        _memory = memory;
        _writer = writer;
        _revokeWrites = revokeWrites;
        _tryLocate = tryLocate;
        memory.WatchTables(this);
    }

    /// <summary>Finds a guest-physical address in host memory.</summary>
    internal delegate bool TryLocate(ulong guestAddress, out ulong hostAddress);

    /// <summary>Present entries that changed, accessed and dirty flags apart, and that no invalidation has followed yet.</summary>
    public long Uninvalidated { get; private set; }

    /// <summary>An invalidation: of one page, or of more.</summary>
    public void Invalidated(bool isOnePage) => Uninvalidated = isOnePage ? Math.Max(0, Uninvalidated - 1) : 0;

    /// <summary>Finds the tables of a context, which must be in force in the MMU.</summary>
    /// <exception cref="NotSupportedException">There are more than <see cref="MaximumTables"/>.</exception>
    public void Follow(in PagingContext context, ulong addressMask)
    {
        if (context.IsNested)
            Add(context.Eptp & addressMask, new Role(NoGuestAddress, EptPointer.Levels(context.Eptp), 8, LargeLevelsOfLong));
        switch (context.Mode)
        {
            case GuestPagingMode.None:
                break;
            case GuestPagingMode.Bits32:
                ulong largeLevels = (context.Cr4 & Cr4.PageSizeExtensions) != 0 ? 0b100UL : 0;
                AddGuest(context.Cr3 & uint.MaxValue & PagingEntry.AddressMask, levels: 2, 4, largeLevels);
                break;
            case GuestPagingMode.Pae:
                // With AMD's nested paging the four entries at CR3 are read in each walk; their table is followed like any other.
                if (context.IsNested)
                    AddGuest(context.Cr3 & 0xFFFF_F000, levels: 3, 8, 0b100);
                for (ulong index = 0; index < 4; index++)
                {
                    ulong pdpte = context.Pdptes[index << 30];
                    if ((pdpte & PagingEntry.Present) != 0)
                        AddGuest(pdpte & addressMask, levels: 2, 8, 0b100);
                }

                break;
            case GuestPagingMode.FourLevel:
                AddGuest(context.Cr3 & addressMask, levels: 4, 8, LargeLevelsOfLong);
                break;
            case GuestPagingMode.FiveLevel:
                AddGuest(context.Cr3 & addressMask, levels: 5, 8, LargeLevelsOfLong);
                break;
        }
    }

    /// <inheritdoc/>
    public void TableWritten(HostFrameNumber frame, ulong lines)
    {
        ReadOnlySpan<ulong> entries = Entries(frame);
        for (ulong left = lines; left != 0; left &= left - 1)
        {
            int line = System.Numerics.BitOperations.TrailingZeroCount(left);
            _writer.TableLine(frame.Address.Value + ((ulong)line * 64), entries.Slice(line * 8, 8));
            Compare(_copies[frame.Value].AsSpan(line * 8, 8), entries.Slice(line * 8, 8));
        }

        // The list may grow while children are added, and a child may be this frame.
        List<Role> roles = _roles[frame.Value];
        for (int i = 0; i < roles.Count; i++)
        {
            for (ulong left = lines; left != 0; left &= left - 1)
                AddChildren(roles[i], entries.Slice(System.Numerics.BitOperations.TrailingZeroCount(left) * 8, 8));
            if (roles[i].GuestAddress == NoGuestAddress)
                RetryAbsent();
        }
    }

    private void Compare(Span<ulong> before, ReadOnlySpan<ulong> now)
    {
        // The flags of both dimensions, and of each half where entries have four bytes. That a change of G alone is not seen loses nothing here.
        const ulong Flags = PagingEntry.Accessed | PagingEntry.Dirty | EptEntry.Accessed | EptEntry.Dirty;
        const ulong Halves = (Flags << 32) | Flags;
        for (int i = 0; i < now.Length; i++)
        {
            if (before[i] != 0 && ((before[i] ^ now[i]) & ~Halves) != 0)
                Uninvalidated++;
            before[i] = now[i];
        }
    }

    private void AddGuest(ulong guestAddress, int levels, int entryBytes, ulong largeLevels) =>
        AddGuest(new Role(guestAddress, levels, entryBytes, largeLevels));

    private void AddGuest(Role role)
    {
        if (_tryLocate(role.GuestAddress, out ulong host))
            Add(host & ~0xFFFUL, role);
        else if (!_absent.Contains((role.GuestAddress, role)))
            _absent.Add((role.GuestAddress, role));
    }

    // EPT changed: a table that lay nowhere may lie somewhere now.
    private void RetryAbsent()
    {
        for (int i = _absent.Count - 1; i >= 0; i--)
        {
            (ulong address, Role role) = _absent[i];
            if (!_tryLocate(address, out ulong host))
                continue;
            _absent.RemoveAt(i);
            Add(host & ~0xFFFUL, role);
        }
    }

    private void Add(ulong hostAddress, Role role)
    {
        HostPhysicalAddress address = new(hostAddress);
        if (!_memory.IsRam(address))
            return;
        ref List<Role>? roles = ref CollectionsMarshal.GetValueRefOrAddDefault(_roles, address.Frame.Value, out bool isKnown);
        roles ??= [];
        if (roles.Contains(role))
            return;
        roles.Add(role);
        if (!isKnown)
        {
            if (_roles.Count > MaximumTables)
                throw new NotSupportedException($"the guest has more than {MaximumTables} paging tables; such a run cannot be recorded");
            _copies.Add(address.Frame.Value, Entries(address.Frame).ToArray());
            _memory.AddTable(address.Frame);
            _revokeWrites(address.Frame);
        }

        ReadOnlySpan<ulong> entries = Entries(address.Frame);
        if (!isKnown)
            _writer.Table(hostAddress, entries);
        AddChildren(role, entries);
    }

    private void AddChildren(Role role, ReadOnlySpan<ulong> entries)
    {
        if (role.Level == 1)
            return;
        bool mayBeLarge = ((role.LargeLevels >> role.Level) & 1) != 0;
        if (role.EntryBytes == 4)
        {
            foreach (uint entry in MemoryMarshal.Cast<ulong, uint>(entries))
                AddChild(role, entry, mayBeLarge);
            return;
        }

        foreach (ulong entry in entries)
            AddChild(role, entry, mayBeLarge);
    }

    private void AddChild(Role role, ulong entry, bool mayBeLarge)
    {
        bool isNested = role.GuestAddress == NoGuestAddress;
        ulong present = isNested ? EptEntry.Rights | EptEntry.UserExecute : PagingEntry.Present;
        if ((entry & present) == 0 || (mayBeLarge && (entry & PagingEntry.PageSizeBit) != 0))
            return;
        ulong child = entry & PagingEntry.AddressMask;
        if (isNested)
            Add(child, role with { Level = role.Level - 1 });
        else
            AddGuest(role with { GuestAddress = child, Level = role.Level - 1 });
    }

    private ReadOnlySpan<ulong> Entries(HostFrameNumber frame) => MemoryMarshal.Cast<byte, ulong>(_memory.Frame(frame));

    // What a frame is read as. A frame may be several: an entry that points to its own table makes that a page table and a directory.
    private readonly record struct Role(ulong GuestAddress, int Level, int EntryBytes, ulong LargeLevels);
}
