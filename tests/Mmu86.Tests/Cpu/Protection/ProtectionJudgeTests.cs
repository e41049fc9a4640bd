using System.Buffers.Binary;
using System.Text;
using Iced.Intel;
using Mmu86.Cpu;
using Mmu86.Memory;
using Mmu86.Paging;
using Mmu86.TestKit.Machines;
using Mmu86.TestKit.Paging;
using Mmu86.Tests.GuestPrograms;
using Mmu86.X86;
using Xunit;
using static Iced.Intel.AssemblerRegisters;

namespace Mmu86.Tests.Cpu.Protection;

/// <summary>Experiments with segments, gates, tasks, virtual-8086 and real-address mode: Bochs runs the same image and must print the same.</summary>
public sealed class ProtectionJudgeTests
{
    private const ulong MemoryBytes = 32 << 20;
    private const ulong InstructionLimit = 20_000_000;

    [SkippableFact]
    public void ProbesOfProtection_PrintWhatBochsPrints() => Compare(ProbeList.Protection);

    [SkippableFact]
    public void ProbesOfCorners_PrintWhatBochsPrints() => Compare(ProbeList.Corners);

    private static void Compare(IReadOnlyList<Probe> probes)
    {
        byte[] image = ProbeImage.Create(probes);

        string[] expected = ProbeImage.Annotate(PeerEmulators.RunDiskInBochs(Disk(image), MemoryBytes), probes);
        string[] got = ProbeImage.Annotate(Run(image), probes);

        Assert.True(expected.Length == probes.Count, $"Bochs printed {expected.Length} lines: {expected.LastOrDefault()}");
        Assert.True(got.Length == probes.Count, $"Mmu86 printed {got.Length} lines: {got.LastOrDefault()}");
        string[] differences = [.. expected.Zip(got).Where(pair => pair.First != pair.Second).Select(pair => $"Bochs {pair.First}\nMmu86 {pair.Second}")];
        Assert.True(differences.Length == 0, string.Join('\n', differences));
    }

    private static string Run(byte[] image)
    {
        using var memory = new HostMemory(MemoryBytes);
        using var mmu = new Mmu<Unobserved>(memory, TestMmuConfigurations.SmallSkylake() with { LookUpEveryAccess = false }, default);
        var ports = new PortBus();
        var serial = new SerialText();
        ports.Attach(0x3F8, 8, serial);
        using var vcpu = new Vcpu(
            new VcpuBus { Memory = memory, Ports = ports, Mmio = new MmioBus() },
            mmu,
            new VcpuConfiguration
            {
                InterceptSyscalls = false,
                InterceptExceptions = false,
                Cpuid = new FullCpuid(),
                Clock = new InstructionClock(),
                MaximumMicroOps = 1 << 16,
            });
        memory.Write(new HostPhysicalAddress(ProbeLayout.Image), image);
        StartState.Real(vcpu, (ushort)(ProbeLayout.Image >> 4), 0);
        VmExit exit = vcpu.Run(InstructionLimit);
        if (exit.Reason != VmExitReason.Halt)
            serial.Text.Append($"{exit.Reason} {exit.Detail} at {vcpu.Registers.Rip:x}");
        return serial.Text.ToString();
    }

    // A boot sector that reads the image to where it runs, 32 KiB at a time.
    private static byte[] Disk(byte[] image)
    {
        const int Sector = 512, Origin = 0x7C00, Packet = 0x1C0, SectorsAtATime = 64, CylinderBytes = 16 * 63 * 512;
        var c = new Assembler(16);
        c.xor(ax, ax);
        c.mov(ds, ax);
        c.mov(ss, ax);
        c.mov(sp, Origin);
        for (int read = 0; read < image.Length / (SectorsAtATime * Sector); read++)
        {
            c.mov(ah, 0x42);
            c.mov(si, (short)(Origin + Packet + (read * 16)));
            c.@int(0x13);
        }

        c.db(0xEA);
        c.dw(0);
        c.dw((ushort)(ProbeLayout.Image >> 4));
        var disk = new byte[CylinderBytes];
        using var code = new MemoryStream(disk, 0, Packet);
        c.Assemble(new StreamCodeWriter(code), Origin);
        for (int read = 0; read < image.Length / (SectorsAtATime * Sector); read++)
        {
            Span<byte> packet = disk.AsSpan(Packet + (read * 16), 16);
            packet[0] = 16;
            packet[2] = SectorsAtATime;
            BinaryPrimitives.WriteUInt16LittleEndian(packet[6..], (ushort)((ProbeLayout.Image >> 4) + (read * SectorsAtATime * Sector / 16)));
            packet[8] = (byte)(1 + (read * SectorsAtATime));
        }

        disk[510] = 0x55;
        disk[511] = 0xAA;
        image.CopyTo(disk, Sector);
        return disk;
    }

    private sealed class SerialText : IPortDevice
    {
        private const byte Empty = 0x60;
        private bool _isDivisor;

        public StringBuilder Text { get; } = new();

        public uint Read(ushort port, int size) => port == 0x3FD ? Empty : 0u;

        public void Write(ushort port, uint value, int size)
        {
            if (port == 0x3FB)
                _isDivisor = (value & 0x80) != 0;
            else if (port == 0x3F8 && !_isDivisor)
                Text.Append((char)(byte)value);
        }
    }
}
