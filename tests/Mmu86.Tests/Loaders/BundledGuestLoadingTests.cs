using Mmu86.GuestPrograms;
using Mmu86.Loaders;
using Mmu86.Loaders.Bare;
using Mmu86.Loaders.Elf;
using Mmu86.Loaders.Processes;
using Mmu86.X86;
using Xunit;

namespace Mmu86.Tests.Loaders;

/// <summary>Every bundled guest loads, in both rings and with every page size.</summary>
public sealed class BundledGuestLoadingTests
{
    private const ulong SixteenGibibytes = 16UL << 30;

    public static TheoryData<string, PageSize> Cases()
    {
        var cases = new TheoryData<string, PageSize>();
        foreach (GuestProgram guest in GuestCatalogue.All)
        {
            cases.Add(guest.Name, PageSize.Size4K);
            cases.Add(guest.Name, PageSize.Size2M);
            cases.Add(guest.Name, PageSize.Size1G);
        }

        return cases;
    }

    [Theory]
    [MemberData(nameof(Cases))]
    public void Load_BundledGuest_EntryHoldsTheBytesOfTheFile(string name, PageSize size)
    {
        GuestProgram guest = GuestCatalogue.Find(name)!;
        if (guest.Variants.HasFlag(GuestVariants.RingThree))
        {
            using var machine = new LoadedMachine(SixteenGibibytes);
            ElfFile elf = Build(guest, GuestVariant.RingThree, size);
            Check(machine, elf, LinuxProcessLoader.Load(elf, machine.Memory, LoadedMachine.Options(size)));
            Assert.False(elf.IsStandalone);
        }

        if (guest.Variants.HasFlag(GuestVariants.Bare))
        {
            using var machine = new LoadedMachine(SixteenGibibytes);
            ElfFile elf = Build(guest, GuestVariant.Bare, size);
            Check(machine, elf, BareLoader.Load(elf, machine.Memory, size));
            Assert.True(elf.IsStandalone);
        }
    }

    private static ElfFile Build(GuestProgram guest, GuestVariant variant, PageSize size)
    {
        string page = size switch { PageSize.Size4K => "4k", PageSize.Size2M => "2m", _ => "1g" };
        byte[] file = guest.Build(new GuestBuildOptions { Variant = variant, GuestPage = page });
        Assert.Equal(ImageKind.Elf, ImageRecognition.Recognise(file));
        return ElfFile.Parse(file);
    }

    private static void Check(LoadedMachine machine, ElfFile elf, GuestImage image)
    {
        ElfSegment code = elf.Segments.Single(segment => segment.ContainsLinear(elf.Entry.Value));
        byte[] expected = code.Bytes.Span[(int)(elf.Entry.Value - code.Linear.Value)..].ToArray();
        Assert.Equal(expected, machine.ReadLinear(image.Cr3, image.Entry.Value, expected.Length));
        Assert.True(machine.Walk(image.Cr3, image.Entry.Value)!.Value.Executable);
        Assert.True(machine.Walk(image.Cr3, image.StackPointer.Value - 8)!.Value.Writable);
        Assert.NotNull(image.Symbols.Nearest(image.Entry));
    }
}
