using Iced.Intel;
using static Iced.Intel.AssemblerRegisters;

namespace Mmu86.GuestPrograms;

/// <summary>A multiboot kernel that does in 32-bit and then in 64-bit mode what every kernel begins with.</summary>
internal sealed class MultibootKernelGuest : MultibootGuest
{
    private const ulong BeyondFourGibibytes = 1UL << 40;

    public override string Name => "kernel-multiboot";

    public override string Question => "Do loader, descriptor tables, 8259, 8254, HLT and the way to 64-bit mode work together?";

    public override IReadOnlyList<string> AcceptableOutputs(GuestArguments arguments) =>
    [
        "loader: multiboot\n" +
        $"command line:{string.Concat(arguments.Words.Select(word => $" {word}"))}\n" +
        string.Concat(MemoryMap(arguments.MemoryBytes).Select(range => $"memory: {range.Start:x16} {range.Length:x16} {(range.IsAvailable ? 1 : 2):x8}\n")) +
        $"timer ticks in protected mode: 0x{MultibootKernel.Ticks:x8}\n" +
        $"64-bit mode: {BeyondFourGibibytes}\n" +
        $"timer ticks in 64-bit mode: {MultibootKernel.Ticks}\n",
    ];

    protected override void EmitProtected(ProtectedModeAssembler kernel, LongModeEntry entry) => new MultibootKernel(kernel, entry).Emit();

    protected override void EmitLong(GuestAssembler guest)
    {
        Assembler c = guest.Code;
        var kernel = new KernelSupport(guest);
        var ticks = new InterruptCount(guest, "ticks");
        kernel.EmitStart(globality: 0);
        guest.Print("64-bit mode: ");
        guest.Load(rax, BeyondFourGibibytes);
        guest.PrintDecimal();
        guest.Print("\ntimer ticks in 64-bit mode: ");
        ticks.EmitGate(kernel, LegacyInterrupts.FirstVector);
        LegacyInterrupts.EmitInitialise(c);
        LegacyInterrupts.EmitTimer(c);
        LegacyInterrupts.EmitListenToTimer(c);
        ticks.EmitWaitFor(MultibootKernel.Ticks);
        LegacyInterrupts.EmitMaskAll(c);
        ticks.EmitRead();
        guest.PrintDecimal();
        guest.Print("\n");
        guest.Exit();
        ticks.EmitHandler(() => LegacyInterrupts.EmitEnd(c));
        kernel.EmitUnexpectedExceptions();
    }

    /// <summary>The memory of a PC as its loader describes it: low memory, firmware, RAM below the device hole, devices, RAM above the hole.</summary>
    private static IEnumerable<(ulong Start, ulong Length, bool IsAvailable)> MemoryMap(ulong memoryBytes)
    {
        const ulong FirmwareData = 0x9_FC00, Video = 0xA_0000, Firmware = 0xF_0000, High = 0x10_0000, Hole = 0xC000_0000, Devices = 0xFEC0_0000, HoleEnd = 1UL << 32;
        ulong low = Math.Min(memoryBytes, Hole);
        yield return (0, FirmwareData, true);
        yield return (FirmwareData, Video - FirmwareData, false);
        yield return (Firmware, High - Firmware, false);
        yield return (High, low - High, true);
        yield return (Devices, HoleEnd - Devices, false);
        if (memoryBytes > Hole)
            yield return (HoleEnd, memoryBytes - Hole, true);
    }
}
