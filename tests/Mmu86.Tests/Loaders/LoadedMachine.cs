using Mmu86.Loaders;
using Mmu86.Loaders.Elf;
using Mmu86.Loaders.Processes;
using Mmu86.Memory;
using Mmu86.X86;

namespace Mmu86.Tests.Loaders;

/// <summary>Host memory that a loader fills, with a literal reading of its page tables: a walk that knows nothing of how they were made.</summary>
internal sealed class LoadedMachine : IDisposable
{
    public const ulong Gibibyte = 1UL << 30;

    public LoadedMachine(ulong sizeInBytes = Gibibyte)
    {
        Host = new HostMemory(sizeInBytes, BackingPages.Small);
        Memory = new NativeGuestMemory(Host);
    }

    public HostMemory Host { get; }

    public NativeGuestMemory Memory { get; }

    public static LinuxProcessOptions Options(PageSize size = PageSize.Size4K) => new()
    {
        Arguments = ["program", "one", "two"],
        Environment = ["HOME=/", "LANG=C"],
        ExecutablePath = "./program",
        Seed = 1,
        GuestPage = size,
        HardwareCapabilities = 0x1234,
    };

    public ProcessImage LoadProcess(ElfWriter writer, PageSize size = PageSize.Size4K) =>
        LinuxProcessLoader.Load(ElfFile.Parse(writer.Write()), Memory, Options(size));

    /// <summary>Walks four levels from a CR3.</summary>
    public Mapping? Walk(GuestPhysicalAddress root, ulong linear)
    {
        ulong table = root.Value;
        bool writable = true;
        bool user = true;
        bool executable = true;
        for (int shift = 39; ; shift -= 9)
        {
            ulong entry = Host.Read<ulong>(new HostPhysicalAddress(table + ((linear >> shift & 0x1FF) * 8)));
            if ((entry & PagingEntry.Present) == 0)
                return null;
            writable &= (entry & PagingEntry.Writable) != 0;
            user &= (entry & PagingEntry.User) != 0;
            executable &= (entry & PagingEntry.ExecuteDisable) == 0;
            bool leaf = shift == 12 || (shift <= 30 && (entry & PagingEntry.PageSizeBit) != 0);
            if (!leaf)
            {
                table = entry & PagingEntry.AddressMask;
                continue;
            }

            ulong mask = (1UL << shift) - 1;
            return new Mapping((entry & PagingEntry.AddressMask & ~mask) | (linear & mask), (PageSize)((shift - 12) / 9), writable, user, executable, entry);
        }
    }

    public byte[] ReadLinear(GuestPhysicalAddress root, ulong linear, int length)
    {
        var bytes = new byte[length];
        for (int i = 0; i < length; i++)
            bytes[i] = Host.Read<byte>(new HostPhysicalAddress(Walk(root, linear + (ulong)i)!.Value.Physical));
        return bytes;
    }

    public ulong ReadWord(GuestPhysicalAddress root, ulong linear) => BitConverter.ToUInt64(ReadLinear(root, linear, 8));

    public void Dispose() => Host.Dispose();

    public readonly record struct Mapping(ulong Physical, PageSize Size, bool Writable, bool User, bool Executable, ulong Entry);
}
