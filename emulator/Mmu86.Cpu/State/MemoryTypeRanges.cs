using Mmu86.Memory;
using Mmu86.Paging;
using Mmu86.X86;

namespace Mmu86.Cpu;

/// <summary>Memory-type range registers: storage with the manual's checks, and what they say of an address. SDM 3, "Memory Type Range Registers (MTRRs)".</summary>
public sealed class MemoryTypeRanges : IMemoryTypeRanges
{
    /// <summary>IA32_MTRRCAP: eight variable ranges, fixed ranges, write-combining.</summary>
    public const ulong Capabilities = 0x508;

    private const uint CapabilitiesNumber = 0xFE;
    private const uint FirstVariable = 0x200;
    private const uint LastVariable = 0x20F;
    private const uint DefaultTypeNumber = 0x2FF;
    private const ulong DefaultTypeBits = 0xCFF;
    private const ulong Enabled = 1UL << 11;
    private const ulong RangeValid = 1UL << 11;
    private const ulong FixedEnabled = 1UL << 10;
    private const ulong FixedLimit = 1UL << 20;
    private const ulong BaseReserved = 0xF00;
    private const ulong MaskReserved = 0x7FF;

    private readonly ulong[] _variable = new ulong[LastVariable - FirstVariable + 1];
    private readonly ulong[] _fixed = new ulong[11];
    private ulong _defaultType;

    /// <summary>Whether the number is one of these registers.</summary>
    public static bool IsNumber(uint number) =>
        number is CapabilitiesNumber or DefaultTypeNumber or (>= FirstVariable and <= LastVariable) || FixedIndex(number) >= 0;

    /// <summary>Reads one of these registers.</summary>
    public ulong Read(uint number) => number switch
    {
        CapabilitiesNumber => Capabilities,
        DefaultTypeNumber => _defaultType,
        >= FirstVariable and <= LastVariable => _variable[number - FirstVariable],
        _ => _fixed[FixedIndex(number)],
    };

    /// <summary>Writes one of these registers.</summary>
    /// <param name="number">Which.</param>
    /// <param name="value">What.</param>
    /// <param name="addressReserved">The bits from MAXPHYADDR on.</param>
    /// <returns>False where the value is reserved or the register is read-only.</returns>
    public bool TryWrite(uint number, ulong value, ulong addressReserved)
    {
        switch (number)
        {
            case CapabilitiesNumber:
                return false;
            case DefaultTypeNumber:
                if ((value & ~DefaultTypeBits) != 0 || !IsType((byte)value))
                    return false;
                _defaultType = value;
                return true;
            case >= FirstVariable and <= LastVariable:
                bool isBase = number % 2 == 0;
                ulong reserved = addressReserved | (isBase ? BaseReserved : MaskReserved);
                if ((value & reserved) != 0 || (isBase && !IsType((byte)value)))
                    return false;
                _variable[number - FirstVariable] = value;
                return true;
            default:
                for (int i = 0; i < 64; i += 8)
                {
                    if (!IsType((byte)(value >> i)))
                        return false;
                }

                _fixed[FixedIndex(number)] = value;
                return true;
        }
    }

    /// <summary>The state that firmware leaves: all memory write-back, but uncacheable from 3 GiB to 4 GiB, where devices are.</summary>
    /// <param name="addressReserved">The bits from MAXPHYADDR on.</param>
    public void SetAsFirmwareDoes(ulong addressReserved)
    {
        const ulong Hole = 3UL << 30;
        const ulong HoleBytes = 1UL << 30;
        _defaultType = Enabled | (ulong)MemoryType.WriteBack;
        _variable[0] = Hole | (ulong)MemoryType.Uncacheable;
        _variable[1] = (~addressReserved & ~(HoleBytes - 1)) | RangeValid;
    }

    /// <inheritdoc/>
    /// <remarks>Where ranges overlap UC wins, and WT over WB; the manual leaves other overlaps undefined, and they are UC here.</remarks>
    public MemoryType TypeOf(HostPhysicalAddress address)
    {
        if ((_defaultType & Enabled) == 0)
            return MemoryType.Uncacheable;
        if ((_defaultType & FixedEnabled) != 0 && address.Value < FixedLimit)
            return FixedType((uint)address.Value);
        MemoryType? found = null;
        for (int i = 0; i < _variable.Length; i += 2)
        {
            ulong mask = _variable[i + 1];
            if ((mask & RangeValid) == 0 || ((address.Value ^ _variable[i]) & mask & ~0xFFFUL) != 0)
                continue;
            var type = (MemoryType)(byte)_variable[i];
            found = found is { } other && other != type ? Overlap(other, type) : type;
        }

        return found ?? (MemoryType)(byte)_defaultType;
    }

    /// <summary>Writes the registers.</summary>
    public void Save(StateWriter writer)
    {
        writer.WriteArray<ulong>(_variable);
        writer.WriteArray<ulong>(_fixed);
        writer.Write(_defaultType);
    }

    /// <summary>Reads them back.</summary>
    public void Load(StateReader reader)
    {
        reader.ReadArray<ulong>("variable", _variable);
        reader.ReadArray<ulong>("fixed", _fixed);
        _defaultType = reader.ReadUInt64("defaultType", 0, DefaultTypeBits);
    }

    private static MemoryType Overlap(MemoryType a, MemoryType b)
    {
        bool isThroughAndBack = (a, b) is (MemoryType.WriteThrough, MemoryType.WriteBack) or (MemoryType.WriteBack, MemoryType.WriteThrough);
        return isThroughAndBack ? MemoryType.WriteThrough : MemoryType.Uncacheable;
    }

    // Eight types of 64 KiB each, then sixteen of 16 KiB, then sixty-four of 4 KiB.
    private MemoryType FixedType(uint address)
    {
        uint index = address switch
        {
            < 0x8_0000 => address >> 16,
            < 0xC_0000 => 8 + ((address - 0x8_0000) >> 14),
            _ => 24 + ((address - 0xC_0000) >> 12),
        };
        return (MemoryType)(byte)(_fixed[index / 8] >> (int)(8 * (index % 8)));
    }

    // Uncacheable, write-combining, write-through, write-protected, write-back.
    private static bool IsType(byte type) => type is 0 or 1 or 4 or 5 or 6;

    // 64 KiB, two of 16 KiB, eight of 4 KiB.
    private static int FixedIndex(uint number) => number switch
    {
        0x250 => 0,
        0x258 or 0x259 => (int)(number - 0x258) + 1,
        >= 0x268 and <= 0x26F => (int)(number - 0x268) + 3,
        _ => -1,
    };
}
