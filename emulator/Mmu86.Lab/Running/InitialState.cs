using Mmu86.Cpu;
using Mmu86.Loaders;
using Mmu86.Loaders.Bare;
using Mmu86.Loaders.Multiboot;
using Mmu86.Loaders.Processes;
using Mmu86.Loaders.RealMode;
using Mmu86.X86;

namespace Mmu86.Lab.Running;

/// <summary>Puts a virtual CPU into the state in which an image starts.</summary>
internal static class InitialState
{
    // SDM 3, "Segment Descriptors": P=1, S=1, accessed; code execute/read with L=1, data read/write with B=1, both G=1.
    private const ushort CodeAttributes = 0xA09B;
    private const ushort DataAttributes = 0xC093;
    private const ushort Ring3 = 3 << 5;

    // The selectors that Linux gives a 64-bit process; there is no GDT behind them.
    private const ushort LinuxCodeSelector = 0x33;
    private const ushort LinuxDataSelector = 0x2B;

    /// <summary>Sets registers, segments and paging. SDM 3, "Initializing IA-32e Mode" for the bits that a loader's state has.</summary>
    public static void Apply(Vcpu vcpu, GuestImage image, ulong eptp, ushort vpid)
    {
        SystemState system = vcpu.System;
        system.Cr0 = image.Cr0;
        system.Cr3 = image.Cr3.Value;
        system.Cr4 = image.Cr4;
        system.Efer = image.Efer;
        bool isReset = image is RealModeImage { Rom.IsEmpty: false };
        if (!isReset)
            system.MemoryTypeRanges.SetAsFirmwareDoes(~0UL << vcpu.PhysicalAddressBits);
        vcpu.Registers.Rip = image.Entry.Value;
        vcpu.Registers.Rsp = image.StackPointer.Value;
        switch (image)
        {
            case BareImage bare:
                Segments(system, bare.CodeSelector, bare.DataSelector, 0);
                system.Gdtr = new DescriptorTableRegister(bare.GdtBase.Value, bare.GdtLimit);
                vcpu.Registers.Rdi = bare.MemorySizeInBytes;
                vcpu.Registers.Flags = RFlags.Reserved1;
                break;
            case MultibootImage multiboot:
                ProtectedSegments(system);
                vcpu.Registers.Rax = MultibootImage.BootMagic;
                vcpu.Registers.Rbx = multiboot.Information.Value;
                vcpu.Registers.Flags = RFlags.Reserved1;
                break;
            case RealModeImage when isReset:
                StartState.Reset(vcpu);
                break;
            case RealModeImage real:
                RealSegments(system, real.CodeSegment);
                vcpu.Registers.Rip = image.Entry.Value - ((ulong)real.CodeSegment << 4);
                vcpu.Registers.Rdx = real.BootDrive;
                vcpu.Registers.Flags = RFlags.Reserved1;
                break;
            case ProcessImage:
                Segments(system, LinuxCodeSelector, LinuxDataSelector, Ring3);
                vcpu.Registers.Flags = RFlags.Reserved1 | RFlags.InterruptEnable;
                break;
            default:
                throw new System.Diagnostics.UnreachableException();
        }

        vcpu.ContextChanged(eptp, vpid);
    }

    // 32-bit flat segments whose descriptors nobody keeps: the kernel loads its own before it loads a segment.
    private static void ProtectedSegments(SystemState system)
    {
        const ushort Code32Attributes = 0xC09B, CodeSelector = 0x08, DataSelector = 0x10;
        system.Cpl = 0;
        system.Cs = new SegmentRegister(CodeSelector, 0, uint.MaxValue, Code32Attributes);
        SetData(system, new SegmentRegister(DataSelector, 0, uint.MaxValue, DataAttributes));
    }

    // As firmware enters a boot sector.
    private static void RealSegments(SystemState system, ushort code)
    {
        const ushort RealCodeAttributes = 0x009B, RealDataAttributes = 0x0093;
        system.Cpl = 0;
        system.Cs = new SegmentRegister(code, (ulong)code << 4, ushort.MaxValue, RealCodeAttributes);
        SetData(system, new SegmentRegister(0, 0, ushort.MaxValue, RealDataAttributes));
        system.Idtr = new DescriptorTableRegister(0, 0x3FF);
    }

    private static void SetData(SystemState system, SegmentRegister segment)
    {
        system.Ss = segment;
        system.Ds = segment;
        system.Es = segment;
        system.Fs = segment;
        system.Gs = segment;
    }

    private static void Segments(SystemState system, ushort code, ushort data, ushort privilege)
    {
        var codeSegment = new SegmentRegister(code, 0, uint.MaxValue, (ushort)(CodeAttributes | privilege));
        var dataSegment = new SegmentRegister(data, 0, uint.MaxValue, (ushort)(DataAttributes | privilege));
        system.Cpl = privilege >> 5;
        system.Cs = codeSegment;
        system.Ss = dataSegment;
        bool ring3 = privilege != 0;

        // Linux starts a 64-bit process with null selectors in DS, ES, FS and GS.
        SegmentRegister others = ring3 ? default : dataSegment;
        system.Ds = others;
        system.Es = others;
        system.Fs = others;
        system.Gs = others;
    }
}
