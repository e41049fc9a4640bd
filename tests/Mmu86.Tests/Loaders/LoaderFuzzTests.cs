using System.Diagnostics;
using Mmu86.GuestPrograms;
using Mmu86.Loaders;
using Mmu86.Loaders.Bare;
using Mmu86.Loaders.Elf;
using Mmu86.Loaders.Multiboot;
using Mmu86.Loaders.Processes;
using Mmu86.Memory;
using Mmu86.TestKit;
using Mmu86.X86;
using Xunit;

namespace Mmu86.Tests.Loaders;

/// <summary>Broken files end in a loaded image or an <see cref="ImageFormatException"/>: nothing else, not slowly, and not with much memory.</summary>
public sealed class LoaderFuzzTests
{
    private const ulong MemoryBytes = 16UL << 20;
    private const long MostBytesAllocated = 4 << 20;

    private static readonly ulong[] Extremes =
    [
        0, 1, 2, 3, 7, 0x7F, 0x80, 0xFF, 0xFFF, 0x1000, 0x1001, 0x7FFF, 0x8000, 0xFFFF, 0x10_0000, 0xFF_F000, 0x100_0000, 0x7FFF_FFFF,
        0x8000_0000, 0xBFFF_F000, 0xC000_0000, 0xFFFF_FFFF, 0x1_0000_0000, 0x7FFF_8000_0000, 0x7FFF_FFFF_F000, 0x8000_0000_0000,
        0xFFFF_8000_0000_0000, 0x7FFF_FFFF_FFFF_FFFF, 0x8000_0000_0000_0000, 0xFFFF_FFFF_FFFF_F000, 0xFFFF_FFFF_FFFF_FFFF,
    ];

    [Fact]
    public void Load_RandomlyChangedFiles_LoadOrSayWhy()
    {
        int count = TestTiers.Pick(standard: 2000, ci: 40_000, soak: 2_000_000);
        List<byte[]> files = SoundFiles();
        int loaded = 0;
        int refused = 0;
        for (int seed = 0; seed < count; seed++)
        {
            byte[] file = Mutate(files[seed % files.Count], new Random(seed));
            foreach (Func<bool> attempt in Attempts(file, seed))
            {
                if (attempt())
                    loaded++;
                else
                    refused++;
            }
        }

        // A fuzzer whose files are all refused, or all loaded, looks at nothing.
        Assert.InRange(loaded, count / 20, int.MaxValue);
        Assert.InRange(refused, count / 20, int.MaxValue);
    }

    [Fact]
    public void Load_EveryTruncation_LoadsOrSaysWhy()
    {
        foreach (byte[] file in SoundFiles().Take(3))
        {
            for (int length = 0; length < file.Length; length += length < 512 ? 1 : 61)
            {
                foreach (Func<bool> attempt in Attempts(file[..length], length))
                    attempt();
            }
        }
    }

    private static List<byte[]> SoundFiles()
    {
        ElfWriter symbols = ElfWriter.Typical()
            .AddSymbol("start", 0x40_1000, size: 4)
            .AddSymbol("data", 0x40_3000)
            .AddHeader(0x6474_E551, 6, []);
        ElfWriter low = new ElfWriter { OsAbi = 255, Entry = 0x10_0000 }
            .Add(0x10_0000, [0xF4, 0xEB, 0xFD], PageRights.Read | PageRights.Execute)
            .Add(0x20_0000, [1, 2, 3], PageRights.Read | PageRights.Write, memorySize: 0x8000);
        ElfWriter moving = new ElfWriter { Type = 3, Entry = 0x1000 }
            .Add(0x1000, [0xC3], PageRights.Read | PageRights.Execute)
            .Add(0x2000, [1], PageRights.Read | PageRights.Write, memorySize: 0x3000);
        GuestProgram hello = GuestCatalogue.Find("hello")!;
        return
        [
            symbols.Write(),
            low.Write(),
            moving.Write(),
            hello.Build(new GuestBuildOptions { Variant = GuestVariant.RingThree }),
            hello.Build(new GuestBuildOptions { Variant = GuestVariant.Bare }),
            MultibootFile.Elf(),
            MultibootFile.ByAddresses(),
        ];
    }

    private static byte[] Mutate(byte[] sound, Random random)
    {
        byte[] file = [.. sound];
        for (int changes = random.Next(1, 5); changes > 0; changes--)
        {
            switch (random.Next(6))
            {
                case 0:
                    file[random.Next(file.Length)] ^= (byte)(1 << random.Next(8));
                    break;
                case 1:
                    file[random.Next(Math.Min(file.Length, 512))] = (byte)random.Next(256);
                    break;
                case 2 when changes == 1:
                    return file[..random.Next(file.Length)];
                case 3:
                    Copy(file, random.Next(3) * 56, random.Next(3) * 56);
                    break;
                default:
                    // Fields of the header and of the first program headers, on the 8-byte grid that most of them share.
                    int width = 1 << random.Next(4);
                    int at = random.Next(2) == 0 ? random.Next(16, 64) & -width : 64 + (random.Next(28) * 8);
                    ulong value = Extremes[random.Next(Extremes.Length)] + (ulong)random.Next(-1, 2);
                    for (int i = 0; i < width && at + i < file.Length; i++)
                        file[at + i] = (byte)(value >> (i * 8));
                    break;
            }
        }

        return file;
    }

    private static void Copy(byte[] file, int from, int to)
    {
        const int Headers = 64, Size = 56;
        if (Headers + Math.Max(from, to) + Size <= file.Length)
            file.AsSpan(Headers + from, Size).CopyTo(file.AsSpan(Headers + to));
    }

    private static IEnumerable<Func<bool>> Attempts(byte[] file, int seed)
    {
        PageSize size = (seed % 3) switch { 0 => PageSize.Size4K, 1 => PageSize.Size2M, _ => PageSize.Size4K };
        var random = new Random(seed);
        ulong address = random.Next(2) == 0 ? (ulong)random.Next(0, 32 << 20) : Extremes[random.Next(Extremes.Length)];
        ulong entry = unchecked(address + (ulong)random.Next(0, file.Length + 2));
        yield return () => Try(seed, memory => LinuxProcessLoader.Load(Parse(file), memory, LoadedMachine.Options(size)));
        yield return () => Try(seed, memory => BareLoader.Load(Parse(file), memory, size));
        yield return () => Try(seed, memory => MultibootLoader.Load(
            file, new MultibootOptions { CommandLine = "kernel a", Modules = [new MultibootModule(new byte[100], "module")] }, memory));
        yield return () => Try(seed, memory => BareLoader.Load(
            new FlatImage(file, new GuestPhysicalAddress(address), new GuestPhysicalAddress(entry)), memory, size));
    }

    private static ElfFile Parse(byte[] file)
    {
        _ = ImageRecognition.Recognise(file);
        ElfFile elf = ElfFile.Parse(file);
        _ = elf.Symbols.Nearest(elf.Entry);
        _ = elf.Symbols.TryFind("start", out _);
        return elf;
    }

    private static bool Try(int seed, Func<IGuestPhysicalMemory, GuestImage> load)
    {
        using var host = new HostMemory(MemoryBytes, BackingPages.Small);
        long before = GC.GetAllocatedBytesForCurrentThread();
        long started = Stopwatch.GetTimestamp();
        bool loaded;
        try
        {
            GuestImage image = load(new NativeGuestMemory(host));
            Assert.Equal(0UL, image.StackPointer.Value % 16);
            loaded = true;
        }
        catch (ImageFormatException error)
        {
            Assert.True(error.Message.EndsWith('.') && !error.Message.Contains('\n'), $"seed {seed}: {error.Message}");
            loaded = false;
        }
        catch (Exception error) when (error is not Xunit.Sdk.XunitException)
        {
            throw new InvalidOperationException($"seed {seed}", error);
        }

        Assert.InRange(GC.GetAllocatedBytesForCurrentThread() - before, 0, MostBytesAllocated);
        Assert.True(Stopwatch.GetElapsedTime(started) < TimeSpan.FromSeconds(10), $"seed {seed} takes too long");
        return loaded;
    }
}
