namespace Mmu86.Cpu;

/// <summary>How reading a descriptor ended.</summary>
internal enum DescriptorLookup
{
    Found,

    /// <summary>The selector lies outside its table: the caller knows which exception that is.</summary>
    OutsideTable,

    /// <summary>The read faulted; the fault is recorded.</summary>
    Fault,
}

/// <summary>Descriptors in the GDT and the LDT. Their reads and writes are implicit supervisor accesses.</summary>
internal static class DescriptorTables
{
    /// <summary>Reads the descriptor of a selector that is not null.</summary>
    public static DescriptorLookup Read(Vcpu vcpu, ushort selector, out SegmentDescriptor descriptor)
    {
        descriptor = default;
        if (!TryLocate(vcpu, selector, 8, out ulong address))
            return DescriptorLookup.OutsideTable;
        if (!vcpu.Data.TryReadImplicit(address, out ulong value))
            return DescriptorLookup.Fault;
        descriptor = new SegmentDescriptor(value);
        return DescriptorLookup.Found;
    }

    /// <summary>Reads the upper half of a 16-byte system descriptor, whose lower half was read already.</summary>
    public static DescriptorLookup ReadUpper(Vcpu vcpu, ushort selector, out ulong upper)
    {
        upper = 0;
        if (!TryLocate(vcpu, selector, 16, out ulong address))
            return DescriptorLookup.OutsideTable;
        return vcpu.Data.TryReadImplicit(address + 8, out upper) ? DescriptorLookup.Found : DescriptorLookup.Fault;
    }

    /// <summary>Sets the accessed bit of a code or data descriptor where it is clear.</summary>
    /// <returns>False where the write faulted.</returns>
    public static bool TrySetAccessed(Vcpu vcpu, ushort selector, SegmentDescriptor descriptor) =>
        descriptor.IsAccessed || TryWriteType(vcpu, selector, descriptor, descriptor.Type | 1);

    /// <summary>Replaces the type of a descriptor.</summary>
    /// <returns>False where the write faulted.</returns>
    public static bool TryWriteType(Vcpu vcpu, ushort selector, SegmentDescriptor descriptor, int type)
    {
        const int TypeByte = 5;
        _ = TryLocate(vcpu, selector, 8, out ulong address);
        byte value = (byte)((byte)(descriptor.Value >> 40) & 0xF0 | type);
        return vcpu.Data.TryWriteImplicit(address + TypeByte, value, isStack: false);
    }

    private static bool TryLocate(Vcpu vcpu, ushort selector, uint bytes, out ulong address)
    {
        ulong tableBase = vcpu.System.Gdtr.Base;
        uint limit = vcpu.System.Gdtr.Limit;
        if (Selectors.IsLocal(selector))
        {
            tableBase = vcpu.System.Ldtr.Base;
            limit = vcpu.System.Ldtr.Limit;
            if (Selectors.IsNull(vcpu.System.Ldtr.Selector))
            {
                address = 0;
                return false;
            }
        }

        uint offset = selector & 0xFFF8u;
        address = vcpu.Mode.IsLong() ? tableBase + offset : (uint)(tableBase + offset);
        return offset + bytes - 1 <= limit;
    }
}
