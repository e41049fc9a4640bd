namespace Mmu86.Cpu;

/// <summary>The eight bytes of a segment descriptor. SDM 3, "Segment Descriptors" and "System Descriptor Types".</summary>
/// <remarks>
/// <code>
/// 63..56       55 54  53 52   51..48        47 46..45 44 43..40  39..16      15..0
/// base 31..24  G  D/B L  AVL  limit 19..16  P  DPL    S  type    base 23..0  limit 15..0
///
/// gates:  63..48 offset 31..16   47..40 as above   36..32 parameters or IST   31..16 selector   15..0 offset 15..0
/// </code>
/// </remarks>
internal readonly record struct SegmentDescriptor(ulong Value)
{
    /// <summary>The type of a 16-bit TSS that is not busy.</summary>
    public const int AvailableTss16 = 1;

    /// <summary>The type of an LDT.</summary>
    public const int LocalDescriptorTable = 2;

    /// <summary>The type of a 16-bit TSS in use.</summary>
    public const int BusyTss16 = 3;

    /// <summary>The type of a 16-bit call gate.</summary>
    public const int CallGate16 = 4;

    /// <summary>The type of a task gate.</summary>
    public const int TaskGate = 5;

    /// <summary>The type of a 16-bit interrupt gate.</summary>
    public const int InterruptGate16 = 6;

    /// <summary>The type of a 16-bit trap gate.</summary>
    public const int TrapGate16 = 7;

    /// <summary>The type of a 32-bit TSS, or in IA-32e mode of a 64-bit TSS, that is not busy.</summary>
    public const int AvailableTss = 9;

    /// <summary>The type of a 32-bit or 64-bit TSS in use.</summary>
    public const int BusyTss = 11;

    /// <summary>The type of a 32-bit or 64-bit call gate.</summary>
    public const int CallGate = 12;

    /// <summary>The type of a 32-bit or 64-bit interrupt gate.</summary>
    public const int InterruptGate = 14;

    /// <summary>The type of a 32-bit or 64-bit trap gate.</summary>
    public const int TrapGate = 15;

    /// <summary>What makes the type of an available TSS that of a busy one.</summary>
    public const int BusyBit = 2;

    public int Type => (int)(Value >> 40) & 15;

    /// <summary>S=0: a gate, an LDT or a TSS.</summary>
    public bool IsSystem => (Value & (1UL << 44)) == 0;

    public int Dpl => (int)(Value >> 45) & 3;

    public bool IsPresent => (Value & (1UL << 47)) != 0;

    public bool IsCode => !IsSystem && (Type & 8) != 0;

    public bool IsConforming => IsCode && (Type & 4) != 0;

    /// <summary>A data segment, or a code segment that may be read.</summary>
    public bool IsReadable => !IsSystem && (Type & 8) == 0 || IsCode && (Type & 2) != 0;

    public bool IsWritableData => !IsSystem && (Type & 8) == 0 && (Type & 2) != 0;

    /// <summary>For code and data: whether the processor noted that it was loaded.</summary>
    public bool IsAccessed => (Type & 1) != 0;

    /// <summary>L: a 64-bit code segment, in IA-32e mode.</summary>
    public bool IsLong => (Value & (1UL << 53)) != 0;

    /// <summary>D/B: 32-bit operands by default.</summary>
    public bool IsDefault32 => (Value & (1UL << 54)) != 0;

    /// <summary>A task-state segment of any width, in use or not.</summary>
    public bool IsTss => IsSystem && Type is AvailableTss16 or BusyTss16 or AvailableTss or BusyTss;

    /// <summary>For a TSS: in use.</summary>
    public bool IsBusy => (Type & BusyBit) != 0;

    /// <summary>For gates and task-state segments: 32 bits wide, not 16.</summary>
    public bool IsWide => (Type & 8) != 0;

    /// <summary>For gates: the selector that it leads to.</summary>
    public ushort GateSelector => (ushort)(Value >> 16);

    /// <summary>For gates: where it leads in that segment; the low 32 bits for a 64-bit gate.</summary>
    public uint GateOffset => (uint)(Value & 0xFFFF) | (IsWide ? (uint)(Value >> 32) & 0xFFFF_0000 : 0);

    /// <summary>For call gates: words or doublewords to copy to the inner stack.</summary>
    public int ParameterCount => (int)(Value >> 32) & 31;

    /// <summary>For 64-bit interrupt and trap gates: 1 to 7, or 0 for none.</summary>
    public int InterruptStack => (int)(Value >> 32) & 7;

    /// <summary>The base address: its low 32 bits, for system segments.</summary>
    public ulong Base => ((Value >> 16) & 0xFF_FFFF) | ((Value >> 32) & 0xFF00_0000);

    /// <summary>The limit in bytes, granularity applied.</summary>
    public uint Limit
    {
        get
        {
            uint raw = (uint)(Value & 0xFFFF) | (uint)((Value >> 32) & 0xF_0000);
            return (Value & (1UL << 55)) != 0 ? (raw << 12) | 0xFFF : raw;
        }
    }

    /// <summary>The segment register that this descriptor loads: accessed, as a load leaves it.</summary>
    /// <param name="selector">The visible part.</param>
    public SegmentRegister ToRegister(ushort selector) =>
        new(selector, Base, Limit, (ushort)(((Value >> 40) & 0xF0FF) | (IsSystem ? 0u : 1u)));

    /// <summary>A null selector in a segment register, with the privilege level that SS keeps even then.</summary>
    public static SegmentRegister Null(ushort selector) => new(selector, 0, 0, (ushort)((selector & 3) << 5));

    /// <summary>A segment register of virtual-8086 mode. SDM 3, "Virtual-8086 Mode".</summary>
    public static SegmentRegister Paragraph(ushort selector)
    {
        const ushort ReadWriteAtLevel3 = 0xF3;
        return new SegmentRegister(selector, (ulong)selector << 4, 0xFFFF, ReadWriteAtLevel3);
    }
}
