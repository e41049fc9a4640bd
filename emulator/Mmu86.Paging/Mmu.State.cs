using System.Runtime.InteropServices;
using Mmu86.Memory;
using Mmu86.X86;

namespace Mmu86.Paging;

/// <content>What of the translation hardware is saved.</content>
public sealed unsafe partial class Mmu<TPolicy> : IMmuState
{
    private const string ControlsSection = "mmu";
    private const string LevelsSection = "tlb";
    private const string CachesSection = "structure-caches";

    /// <inheritdoc/>
    public void SaveState(StateWriter writer)
    {
        if (_context.Nested is { } controls && !controls.OnlyLogsWrites)
            throw new InvalidOperationException("Further controls of nested paging are not saved.");
        writer.Begin(ControlsSection);
        SaveContext(writer);
        _tags.Save(writer, Own(_context.Eptp, _context.Vpid));
        writer.Write(_spaceIndex);
        writer.Write(_globalIndex);
        writer.Write(_guestPhysicalIndex);
        foreach (PcidSlots slots in _pcidSlots)
            slots.Save(writer);
        writer.WriteArray<ulong>(WalkCounts);
        _dataPrefetcher?.Save(writer);
        _fetchPrefetcher?.Save(writer);
        _data.Save(writer, _l1Data);
        _fetch.Save(writer, _l1Instruction);
        writer.End();
        writer.Begin(LevelsSection);
        _l1Instruction.Save(writer);
        _l1Data.Save(writer);
        _l2.Save(writer);
        _l2Instruction?.Save(writer);
        writer.End();
        writer.Begin(CachesSection);
        _caches.Save(writer);
        writer.End();
    }

    /// <inheritdoc/>
    public void LoadState(StateReader reader, ulong eptp, ushort vpid, IMemoryTypeRanges? memoryTypes)
    {
        _filter.Clear();
        reader.Open(ControlsSection);
        PagingContext context = LoadContext(reader, eptp, vpid, memoryTypes);
        _tags.Load(reader, Own(eptp, vpid));
        int last = _tags.Spaces.Count - 1;
        _spaceIndex = reader.ReadInt32("space", 0, last);
        _globalIndex = reader.ReadInt32("globalSpace", 0, last);
        _guestPhysicalIndex = reader.ReadInt32("guestPhysicalSpace", 0, last);
        foreach (PcidSlots slots in _pcidSlots)
            slots.Load(reader, _tags.Spaces.Count);
        reader.ReadArray("walks", WalkCounts);
        Load("dataPrefetcher", _dataPrefetcher);
        Load("fetchPrefetcher", _fetchPrefetcher);
        _data.Load(reader, _l1Data);
        _fetch.Load(reader, _l1Instruction);
        reader.Close();
        reader.Open(LevelsSection);
        Level("l1i", _l1Instruction);
        Level("l1d", _l1Data);
        Level("l2", _l2);
        Level("l2i", _l2Instruction);
        reader.Close();
        reader.Open(CachesSection);
        _caches.Load(reader);
        reader.Close();
        PutInForce(context);
        LoadTags();

        void Load(string name, Prefetcher? prefetcher)
        {
            reader.Enter(name);
            prefetcher?.Load(reader);
            reader.Leave();
        }

        void Level(string name, TlbLevel? level)
        {
            reader.Enter(name);
            level?.Load(reader);
            reader.Leave();
        }
    }

    // Counts of one kind, one after the other: the order of the fields is the format.
    private Span<ulong> WalkCounts => MemoryMarshal.Cast<WalkCounters, ulong>(new Span<WalkCounters>(ref _walks));

    private AddressSpaces.OwnTags Own(ulong eptp, ushort vpid) => new(vpid, EptPointer.RootTag(eptp), _configuration.Nested.Format == NestedFormat.Npt);

    private void SaveContext(StateWriter writer)
    {
        writer.Write((ulong)_context.Cr0);
        writer.Write(_context.Cr3);
        writer.Write((ulong)_context.Cr4);
        writer.Write((ulong)_context.Efer);
        writer.Write(_context.IsNested);
        writer.WriteArray<ulong>([_context.Pdptes.First, _context.Pdptes.Second, _context.Pdptes.Third, _context.Pdptes.Fourth]);
        writer.Write(_context.Pkru);
        writer.Write(_context.Pkrs);
        writer.Write(_context.Pat);
    }

    private static PagingContext LoadContext(StateReader reader, ulong eptp, ushort vpid, IMemoryTypeRanges? memoryTypes)
    {
        var cr0 = (Cr0)reader.ReadUInt64("cr0");
        ulong cr3 = reader.ReadUInt64("cr3");
        var cr4 = (Cr4)reader.ReadUInt64("cr4");
        var efer = (Efer)reader.ReadUInt64("efer");
        if (reader.ReadBoolean("nested") != (eptp != 0))
            throw reader.Refuse("nested", "is another than this machine's");
        Span<ulong> pdptes = stackalloc ulong[4];
        reader.ReadArray("pdptes", pdptes);
        return new PagingContext
        {
            Cr0 = cr0,
            Cr3 = cr3,
            Cr4 = cr4,
            Efer = efer,
            Eptp = eptp,
            Vpid = vpid,
            Pdptes = new PdpteRegisters(pdptes[0], pdptes[1], pdptes[2], pdptes[3]),
            Pkru = reader.ReadUInt32("pkru"),
            Pkrs = reader.ReadUInt32("pkrs"),
            Pat = reader.ReadUInt64("pat"),
            MemoryTypes = memoryTypes,
        };
    }
}
