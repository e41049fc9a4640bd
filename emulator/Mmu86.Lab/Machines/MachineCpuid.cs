using System.Buffers.Binary;
using System.Text;
using Mmu86.Cpu;

namespace Mmu86.Lab.Machines;

/// <summary>CPUID as a machine description has it. SDM 2, "CPUID—CPU Identification".</summary>
public sealed class MachineCpuid : ICpuidSource
{
    /// <summary>The most descriptors of leaf 2: a register whose bit 31 is set says nothing, so its highest byte stays free.</summary>
    public const int MaximumDescriptors = 11;

    private const uint HighestBasicLeaf = 7;
    private const uint FirstExtendedLeaf = 0x8000_0000;
    private const uint HighestExtendedLeaf = 0x8000_0008;
    private const uint BrandLeaf = 0x8000_0002;
    private const uint FlushLineQuadwords = 8;
    private const uint MonitorLine = 64;

    private readonly CpuidDescription _cpuid;
    private readonly Dictionary<(uint Leaf, uint Subleaf, CpuidRegister Register), uint> _features = [];
    private readonly byte[] _vendor;
    private readonly byte[] _brand = new byte[48];
    private readonly CpuidResult _descriptors;
    private readonly uint _highestSubleaf;

    /// <summary>Prepares the answers.</summary>
    /// <param name="cpuid">A description in order: see <see cref="MachineJson.Read"/>.</param>
    public MachineCpuid(CpuidDescription cpuid)
    {
        _cpuid = cpuid;
        _vendor = Encoding.ASCII.GetBytes(cpuid.Vendor);
        Encoding.ASCII.GetBytes(cpuid.Brand, _brand);
        _descriptors = PackDescriptors(cpuid.TlbDescriptors);
        foreach (CpuidFeature feature in CpuidFeatures.All.Where(feature => cpuid.Features.Contains(feature.Name)))
            _features[(feature.Leaf, feature.Subleaf, feature.Register)] = Bits(feature.Leaf, feature.Subleaf, feature.Register) | (1u << feature.Bit);
        _highestSubleaf = cpuid.Features.Any(name => CpuidFeatures.All.Any(feature => feature.Name == name && feature.Subleaf == 1)) ? 1u : 0;
    }

    /// <summary>EDX of leaf 1: what a process finds in AT_HWCAP.</summary>
    public uint HardwareCapabilities => Bits(1, CpuidRegister.Edx);

    /// <inheritdoc/>
    public CpuidResult Read(uint leaf, uint subleaf)
    {
        // Beyond the highest leaf of either range the highest basic leaf answers.
        bool isKnown = leaf <= HighestBasicLeaf || leaf is >= FirstExtendedLeaf and <= HighestExtendedLeaf;
        if (!isKnown)
            leaf = HighestBasicLeaf;
        return leaf switch
        {
            0 => new CpuidResult(HighestBasicLeaf, Word(_vendor, 0), Word(_vendor, 2), Word(_vendor, 1)),
            1 => new CpuidResult(Signature(), (1 << 16) | (FlushLineQuadwords << 8), Bits(1, CpuidRegister.Ecx), Bits(1, CpuidRegister.Edx)),
            2 => _descriptors,
            5 when _cpuid.Features.Contains("monitor") => new CpuidResult(MonitorLine, MonitorLine, 0, 0),
            7 when subleaf == 1 => new CpuidResult(Bits(7, 1, CpuidRegister.Eax), 0, 0, 0),
            7 when subleaf == 0 => new CpuidResult(_highestSubleaf, Bits(7, CpuidRegister.Ebx), Bits(7, CpuidRegister.Ecx), Bits(7, CpuidRegister.Edx)),
            FirstExtendedLeaf => new CpuidResult(HighestExtendedLeaf, 0, 0, 0),
            FirstExtendedLeaf + 1 => new CpuidResult(0, 0, Bits(leaf, CpuidRegister.Ecx), Bits(leaf, CpuidRegister.Edx)),
            >= BrandLeaf and < BrandLeaf + 3 => Brand((int)(leaf - BrandLeaf) * 4),
            HighestExtendedLeaf => new CpuidResult((uint)(_cpuid.PhysicalAddressBits | (_cpuid.LinearAddressBits << 8)), 0, 0, 0),
            _ => default,
        };
    }

    // 27..20 extended family, 19..16 extended model, 11..8 family, 7..4 model, 3..0 stepping
    private uint Signature()
    {
        int baseFamily = Math.Min(_cpuid.Family, 15);
        return (uint)(((_cpuid.Family - baseFamily) << 20) | ((_cpuid.Model >> 4) << 16) | (baseFamily << 8) | ((_cpuid.Model & 15) << 4) | _cpuid.Stepping);
    }

    private CpuidResult Brand(int word) => new(Word(_brand, word), Word(_brand, word + 1), Word(_brand, word + 2), Word(_brand, word + 3));

    private uint Bits(uint leaf, CpuidRegister register) => Bits(leaf, 0, register);

    private uint Bits(uint leaf, uint subleaf, CpuidRegister register) => _features.GetValueOrDefault((leaf, subleaf, register));

    private static uint Word(byte[] bytes, int index) => BinaryPrimitives.ReadUInt32LittleEndian(bytes.AsSpan(index * 4));

    // AL is 1: one execution tells everything.
    private static CpuidResult PackDescriptors(IReadOnlyList<string> texts)
    {
        byte[] bytes = new byte[16];
        bytes[0] = 1;
        int at = 1;
        foreach (string text in texts)
        {
            if (!MachineRules.TryParseDescriptor(text, out byte value))
                throw new ArgumentException($"'{text}' is not a descriptor", nameof(texts));
            if (at % 4 == 3)
                at++;
            bytes[at++] = value;
        }

        return new CpuidResult(Word(bytes, 0), Word(bytes, 1), Word(bytes, 2), Word(bytes, 3));
    }
}
