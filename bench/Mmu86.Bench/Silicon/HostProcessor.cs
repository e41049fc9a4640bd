using System.Runtime.InteropServices;
using System.Runtime.Intrinsics.X86;
using System.Text;

namespace Mmu86.Bench.Silicon;

/// <summary>Which processor this is, by CPUID, and the preset for it.</summary>
/// <param name="Vendor">CPUID's vendor string.</param>
/// <param name="Family">Family and extended family.</param>
/// <param name="Model">Model and extended model.</param>
/// <param name="IsVirtual">CPUID says that there is a hypervisor.</param>
/// <param name="Preset">The preset.</param>
/// <param name="IsMatch">Whether the preset is of this core; otherwise it is the nearest there is.</param>
internal sealed record HostProcessor(string Vendor, int Family, int Model, bool IsVirtual, string Preset, bool IsMatch)
{
    private const int HypervisorBit = 31;
    private const int HybridLeaf = 0x1A;
    private const int AtomCore = 0x20;

    // Family 6 of Intel: the models of each core, client and server, by the Intel SDM, volume 4, table 2-1.
    private static readonly (string Preset, int[] Models)[] s_intel =
    [
        ("nehalem", [0x1A, 0x1E, 0x1F, 0x2E]),
        ("sandy-bridge", [0x2A, 0x2D]),
        ("ivy-bridge", [0x3A, 0x3E]),
        ("haswell", [0x3C, 0x3F, 0x45, 0x46]),
        ("broadwell", [0x3D, 0x47, 0x4F, 0x56]),
        ("skylake", [0x4E, 0x5E, 0x55, 0x8E, 0x9E]),
        ("ice-lake", [0x6A, 0x6C, 0x7D, 0x7E]),
        ("golden-cove", [0x8F, 0x97, 0x9A, 0xB7, 0xBA, 0xBF, 0xCF]),
        ("gracemont", [0xBE]),
    ];

    /// <summary>This computer's.</summary>
    /// <exception cref="MeasurementException">It is no x86-64 Linux.</exception>
    public static HostProcessor Read()
    {
        if (!X86Base.IsSupported || RuntimeInformation.ProcessArchitecture != Architecture.X64 || !OperatingSystem.IsLinux())
            throw new MeasurementException("Curves of silicon want an x86-64 processor and Linux.");
        (int highest, int b, int c, int d) = X86Base.CpuId(0, 0);
        string vendor = Encoding.ASCII.GetString(MemoryMarshal.AsBytes<int>([b, d, c]));
        (int signature, _, int features, _) = X86Base.CpuId(1, 0);
        bool isAtom = highest >= HybridLeaf && vendor == "GenuineIntel" && (X86Base.CpuId(HybridLeaf, 0).Eax >>> 24) == AtomCore;
        int family = (signature >> 8) & 15, model = (signature >> 4) & 15;
        if (family is 6 or 15)
            model |= (signature >> 12) & 0xF0;
        if (family == 15)
            family += (signature >> 20) & 255;
        (string preset, bool isMatch) = Find(vendor, family, model, isAtom);
        return new HostProcessor(vendor, family, model, ((features >>> HypervisorBit) & 1) != 0, preset, isMatch);
    }

    /// <summary>The preset for a signature.</summary>
    public static (string Preset, bool IsMatch) Find(string vendor, int family, int model, bool isAtom)
    {
        if (vendor == "GenuineIntel")
        {
            string? known = family == 6 ? s_intel.FirstOrDefault(core => core.Models.Contains(model)).Preset : null;
            return isAtom ? ("gracemont", known is "golden-cove") : (known ?? "golden-cove", known is not null);
        }

        return (vendor, family) switch
        {
            ("AuthenticAMD", 0x17) => (model < 0x30 ? "zen1" : "zen2", true),
            ("AuthenticAMD", 0x19) => (model is (>= 0x10 and < 0x20) or (>= 0x60 and < 0x80) or >= 0xA0 ? "zen4" : "zen3", true),
            ("AuthenticAMD", 0x1A) => ("zen5", true),
            ("AuthenticAMD", _) => ("zen5", false),
            _ => ("skylake", false),
        };
    }

    /// <summary>In words, for the top of a table.</summary>
    public override string ToString() =>
        $"{Vendor}, family {Family:X}H, model {Model:X}H{(IsVirtual ? ", in a virtual machine" : "")}; beside it the preset {Preset}{(IsMatch ? "" : ", the nearest there is")}";
}
