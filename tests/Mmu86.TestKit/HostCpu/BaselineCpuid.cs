using Mmu86.Cpu;

namespace Mmu86.TestKit.HostCpu;

/// <summary>A processor with the baseline of x86-64, CMPXCHG16B, CLFLUSH and FSGSBASE, and without any later extension.</summary>
internal sealed class BaselineCpuid : ICpuidSource
{
    // FPU PSE TSC MSR PAE MCE CX8 SEP PGE CMOV PAT CLFSH MMX FXSR SSE SSE2.
    private const uint BasicEdx = 0x0789_A9F9;

    // SSE3, CX16.
    private const uint BasicEcx = 0x2001;

    // FSGSBASE.
    private const uint StructuredEbx = 1;

    // SYSCALL NX 1G-pages RDTSCP LM.
    private const uint ExtendedEdx = 0x2C10_0800;

    // LAHF in 64-bit mode, PREFETCHW.
    private const uint ExtendedEcx = 0x101;

    // 48 bits of linear and 46 of physical address.
    private const uint AddressSizes = 0x302E;

    /// <inheritdoc/>
    public CpuidResult Read(uint leaf, uint subleaf) => leaf switch
    {
        0 => new CpuidResult(7, 0, 0, 0),
        1 => new CpuidResult(0, 0x0800, BasicEcx, BasicEdx),
        7 => new CpuidResult(0, StructuredEbx, 0, 0),
        0x8000_0000 => new CpuidResult(0x8000_0008, 0, 0, 0),
        0x8000_0001 => new CpuidResult(0, 0, ExtendedEcx, ExtendedEdx),
        0x8000_0008 => new CpuidResult(AddressSizes, 0, 0, 0),
        _ => default,
    };
}
