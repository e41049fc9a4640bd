using Mmu86.X86;

namespace Mmu86.Cpu;

/// <summary>States in which a processor or a loader begins, besides those of 64-bit images.</summary>
public static class StartState
{
    // Type (read/write, or execute/read, accessed), S, P; 32-bit segments with a granular limit have D/B and G too.
    private const ushort RealSegment = 0x0093;
    private const ushort FlatCode = 0xC09B;
    private const ushort FlatData = 0xC093;
    private const ushort LocalTable = 0x0082;
    private const ushort BusyTask = 0x008B;

    /// <summary>The state after RESET: real-address mode at F000:FFF0, whose base is FFFF0000H. SDM 3, "Processor State After Reset".</summary>
    /// <remarks>RDX, the processor's signature, comes from CPUID. Memory and the TLBs are the caller's.</remarks>
    public static void Reset(Vcpu vcpu)
    {
        SystemState system = vcpu.System;
        for (int i = 0; i < 16; i++)
            vcpu.Registers[i] = 0;
        vcpu.Registers.Rdx = vcpu.Configuration.Cpuid.Read(1, 0).Eax;
        vcpu.Registers.FsBase = 0;
        vcpu.Registers.GsBase = 0;
        system.Cr0 = Cr0.CacheDisable | Cr0.NotWriteThrough | Cr0.ExtensionType;
        system.Cr2 = 0;
        system.Cr3 = 0;
        system.Cr4 = 0;
        system.Efer = 0;
        system.Cpl = 0;
        system.Cs = new SegmentRegister(0xF000, 0xFFFF_0000, 0xFFFF, RealSegment);
        SegmentRegister data = new(0, 0, 0xFFFF, RealSegment);
        SetData(system, data);
        system.Ldtr = new SegmentRegister(0, 0, 0xFFFF, LocalTable);
        system.Tr = new SegmentRegister(0, 0, 0xFFFF, BusyTask);
        system.Gdtr = new DescriptorTableRegister(0, 0xFFFF);
        system.Idtr = new DescriptorTableRegister(0, 0xFFFF);
        vcpu.Registers.Flags = RFlags.Reserved1;
        vcpu.Registers.Rip = 0xFFF0;
        vcpu.ContextChanged();
    }

    /// <summary>Real-address mode at an address below 1 MiB with all other segments at 0, as firmware enters a boot sector.</summary>
    public static void Real(Vcpu vcpu, ushort codeSelector, ushort ip)
    {
        Reset(vcpu);
        SystemState system = vcpu.System;
        system.Cr0 = Cr0.ExtensionType;
        system.Idtr = new DescriptorTableRegister(0, 0x3FF);
        system.Cs = new SegmentRegister(codeSelector, (ulong)codeSelector << 4, 0xFFFF, RealSegment);
        vcpu.Registers.Rip = ip;
        vcpu.ContextChanged();
    }

    /// <summary>32-bit protected mode, ring 0, flat segments, no paging: what multiboot loaders hand over.</summary>
    /// <param name="vcpu">The CPU.</param>
    /// <param name="codeSelector">What CS shows; there need be no GDT behind it.</param>
    /// <param name="dataSelector">What the others show.</param>
    /// <param name="eip">Where it begins.</param>
    public static void FlatProtected(Vcpu vcpu, ushort codeSelector, ushort dataSelector, uint eip)
    {
        Reset(vcpu);
        SystemState system = vcpu.System;
        system.Cr0 = Cr0.ProtectionEnable | Cr0.ExtensionType;
        system.Cs = new SegmentRegister(codeSelector, 0, uint.MaxValue, FlatCode);
        SetData(system, new SegmentRegister(dataSelector, 0, uint.MaxValue, FlatData));
        vcpu.Registers.Rip = eip;
        vcpu.ContextChanged();
    }

    private static void SetData(SystemState system, SegmentRegister data)
    {
        system.Ss = data;
        system.Ds = data;
        system.Es = data;
        system.Fs = data;
        system.Gs = data;
    }
}
