using Mmu86.GuestPrograms;
using Mmu86.Lab.Personality;
using Mmu86.Loaders;
using Mmu86.Loaders.Elf;
using Mmu86.Loaders.Processes;
using Mmu86.Memory;
using Mmu86.X86;

namespace Mmu86.Tests.Lab;

/// <summary>A loaded process without a CPU: calls are made by the test.</summary>
internal sealed class ProcessMachineFixture : IProcessMachine, IDisposable
{
    private readonly HostMemory _host = new(64 << 20);
    private readonly NativeGuestMemory _memory;

    public ProcessMachineFixture(ulong seed = 1)
    {
        _memory = new NativeGuestMemory(_host);
        ElfFile elf = ElfFile.Parse(GuestCatalogue.Find("hello")!.Build(new GuestBuildOptions()));
        ProcessImage image = LinuxProcessLoader.Load(elf, _memory, new LinuxProcessOptions
        {
            Arguments = ["hello"],
            Environment = [],
            ExecutablePath = "hello",
            Seed = seed,
            GuestPage = PageSize.Size4K,
            HardwareCapabilities = 0,
        });
        AddressSpace = image.AddressSpace;
        Linux = new LinuxPersonality(Output, Error, seed);
        Assert(AddressSpace.MapAnywhere(2 * 4096, PageRights.Read | PageRights.Write, default, out LinearAddress buffer));
        Buffer = buffer.Value;
    }

    public LinuxPersonality Linux { get; }

    public MemoryStream Output { get; } = new();

    public MemoryStream Error { get; } = new();

    /// <summary>Two pages that may be written. What follows is mapped for nothing or not at all.</summary>
    public ulong Buffer { get; }

    /// <summary>Pages from here to <see cref="ReadOnlyEnd"/> refuse stores.</summary>
    public ulong ReadOnlyStart { get; set; }

    public ulong ReadOnlyEnd { get; set; }

    public ProcessAddressSpace AddressSpace { get; }

    public ulong VirtualNanoseconds { get; set; } = 3_000_000_007;

    public ulong FsBase { get; set; }

    public ulong GsBase { get; set; }

    public bool TryRead(LinearAddress address, Span<byte> destination)
    {
        if (!AddressSpace.TryTranslate(address, out GuestPhysicalAddress physical))
            return false;
        Xunit.Assert.True((address.Value & 0xFFF) + (ulong)destination.Length <= 4096);
        _memory.Read(physical, destination);
        return true;
    }

    public bool TryWrite(LinearAddress address, ReadOnlySpan<byte> source)
    {
        if ((address.Value >= ReadOnlyStart && address.Value < ReadOnlyEnd) || !AddressSpace.TryTranslate(address, out GuestPhysicalAddress physical))
            return false;
        Xunit.Assert.True((address.Value & 0xFFF) + (ulong)source.Length <= 4096);
        _memory.Write(physical, source);
        return true;
    }

    /// <summary>Makes a call that does not end the process.</summary>
    public long Call(SystemCallNumber number, params ulong[] arguments)
    {
        SystemCallOutcome outcome = Outcome((ulong)number, arguments);
        Xunit.Assert.Null(outcome.ExitStatus);
        return outcome.Result;
    }

    /// <summary>Makes any call.</summary>
    public SystemCallOutcome Outcome(ulong number, params ulong[] arguments)
    {
        ulong[] all = [.. arguments, 0, 0, 0, 0, 0, 0];
        return Linux.Answer(new SystemCall(number, all[0], all[1], all[2], all[3], all[4], all[5]), this);
    }

    /// <summary>Puts bytes into the process.</summary>
    public void Put(ulong address, ReadOnlySpan<byte> bytes)
    {
        for (int i = 0; i < bytes.Length; i++)
            Xunit.Assert.True(TryWrite(new LinearAddress(address + (ulong)i), bytes.Slice(i, 1)));
    }

    /// <summary>Takes bytes out of the process.</summary>
    public byte[] Get(ulong address, int length)
    {
        byte[] bytes = new byte[length];
        for (int i = 0; i < length; i++)
            Xunit.Assert.True(TryRead(new LinearAddress(address + (ulong)i), bytes.AsSpan(i, 1)));
        return bytes;
    }

    public ulong GetQuad(ulong address) => BitConverter.ToUInt64(Get(address, 8));

    public void Dispose() => _host.Dispose();

    private static void Assert(AddressSpaceResult result) => Xunit.Assert.Equal(AddressSpaceResult.Done, result);
}
