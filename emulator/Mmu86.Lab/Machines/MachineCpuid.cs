using System.Buffers.Binary;
using System.Text;
using Mmu86.Cpu;

namespace Mmu86.Lab.Machines;

/// <summary>CPUID as a machine description has it. SDM 2, "CPUID—CPU Identification".</summary>
public sealed class MachineCpuid : ICpuidSource
{
    /// <summary>The vendor whose processors have the extended leaves of TLBs and caches, and answer leaves beyond the highest with zeros.</summary>
    public const string Amd = "AuthenticAMD";

    private const uint FeatureLeaf = 7;
    private const uint TranslationLeaf = 0x18;
    private const uint FirstExtendedLeaf = 0x8000_0000;
    private const uint BrandLeaf = 0x8000_0002;
    private const uint FirstLevelLeaf = 0x8000_0005;
    private const uint SecondLevelLeaf = 0x8000_0006;
    internal const uint AddressSizeLeaf = 0x8000_0008;
    private const uint HugePageLeaf = 0x8000_0019;

    // InvlpgbCountMax: how many pages one INVLPGB may name beyond the first. Processors are free in it.
    private const uint MostBroadcastPages = 7;
    private const uint FlushLineQuadwords = 8;
    private const uint MonitorLine = 64;

    private readonly CpuidDescription _cpuid;
    private readonly Dictionary<(uint Leaf, uint Subleaf, CpuidRegister Register), uint> _features = [];
    private readonly byte[] _vendor;
    private readonly byte[] _brand = new byte[48];
    private readonly CpuidResult _descriptors;
    private readonly uint _highestSubleaf;
    private readonly bool _isAmd;
    private readonly uint _highestBasic;
    private readonly uint _highestExtended;

    /// <summary>Prepares the answers.</summary>
    /// <param name="cpuid">A description in order: see <see cref="MachineJson.Read"/>.</param>
    public MachineCpuid(CpuidDescription cpuid)
    {
        _cpuid = cpuid;
        _vendor = Encoding.ASCII.GetBytes(cpuid.Vendor);
        Encoding.ASCII.GetBytes(cpuid.Brand, _brand);
        _descriptors = CpuidLeaves.Descriptors(cpuid.TlbDescriptors);
        _isAmd = cpuid.Vendor == Amd;
        _highestBasic = cpuid.TranslationCaches is null ? FeatureLeaf : TranslationLeaf;
        _highestExtended = cpuid.ExtendedTlbs is { } tlbs && tlbs.Any(tlb => tlb.PageSize == "1g") ? HugePageLeaf : AddressSizeLeaf;
        foreach (CpuidFeature feature in CpuidFeatures.All.Where(feature => cpuid.Features.Contains(feature.Name)))
            _features[(feature.Leaf, feature.Subleaf, feature.Register)] = Bits(feature.Leaf, feature.Subleaf, feature.Register) | (1u << feature.Bit);
        _highestSubleaf = cpuid.Features.Any(name => CpuidFeatures.All.Any(feature => feature.Name == name && feature.Subleaf == 1)) ? 1u : 0;
    }

    /// <summary>EDX of leaf 1: what a process finds in AT_HWCAP.</summary>
    public uint HardwareCapabilities => Bits(1, CpuidRegister.Edx);

    /// <inheritdoc/>
    public CpuidResult Read(uint leaf, uint subleaf)
    {
        // Beyond the highest leaf of either range the highest basic leaf answers; AMD answers zeros.
        bool isKnown = leaf <= _highestBasic || (leaf >= FirstExtendedLeaf && leaf <= _highestExtended);
        if (!isKnown && _isAmd)
            return default;
        if (!isKnown)
            leaf = _highestBasic;
        return leaf switch
        {
            0 => new CpuidResult(_highestBasic, Word(_vendor, 0), Word(_vendor, 2), Word(_vendor, 1)),
            1 => new CpuidResult(Signature(), (1 << 16) | (FlushLineQuadwords << 8), Bits(1, CpuidRegister.Ecx), Bits(1, CpuidRegister.Edx)),
            2 when _cpuid.TlbDescriptors.Count > 0 => _descriptors,
            4 when !_isAmd && _cpuid.Caches is { } caches => CpuidLeaves.Cache(caches, subleaf),
            5 when _cpuid.Features.Contains("monitor") => new CpuidResult(MonitorLine, MonitorLine, 0, 0),
            FeatureLeaf when subleaf == 1 => new CpuidResult(Bits(FeatureLeaf, 1, CpuidRegister.Eax), 0, 0, 0),
            FeatureLeaf when subleaf == 0 => new CpuidResult(
                _highestSubleaf, Bits(FeatureLeaf, CpuidRegister.Ebx), Bits(FeatureLeaf, CpuidRegister.Ecx), Bits(FeatureLeaf, CpuidRegister.Edx)),
            TranslationLeaf => CpuidLeaves.TranslationCache(_cpuid.TranslationCaches!, subleaf),
            FirstExtendedLeaf when _isAmd => new CpuidResult(_highestExtended, Word(_vendor, 0), Word(_vendor, 2), Word(_vendor, 1)),
            FirstExtendedLeaf => new CpuidResult(_highestExtended, 0, 0, 0),
            FirstExtendedLeaf + 1 => new CpuidResult(_isAmd ? Signature() : 0, 0, Bits(leaf, CpuidRegister.Ecx), Bits(leaf, CpuidRegister.Edx)),
            >= BrandLeaf and < BrandLeaf + 3 => Brand((int)(leaf - BrandLeaf) * 4),
            FirstLevelLeaf when _isAmd => CpuidLeaves.FirstLevel(_cpuid),
            SecondLevelLeaf when _isAmd => CpuidLeaves.SecondLevel(_cpuid),
            AddressSizeLeaf => new CpuidResult((uint)(_cpuid.PhysicalAddressBits | (_cpuid.LinearAddressBits << 8)), Bits(leaf, CpuidRegister.Ebx), 0, _cpuid.Features.Contains("invlpgb") ? MostBroadcastPages : 0),
            HugePageLeaf => CpuidLeaves.HugePages(_cpuid),
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
}
