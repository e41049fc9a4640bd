using Mmu86.Memory;
using Mmu86.Paging;
using Mmu86.TestKit.Paging;
using Mmu86.TestKit.Rules;
using Mmu86.X86;
using Xunit;

namespace Mmu86.Conformance.Tests.Paging;

/// <summary>Invalidation where a paging mode has something of its own: pages of 4 MiB, prefixes of structure caches, a change of mode.</summary>
public sealed class PagingModeInvalidationTests : IDisposable
{
    private const ulong Good = PagingEntry.Present | PagingEntry.Writable | PagingEntry.User | PagingEntry.Accessed | PagingEntry.Dirty;
    private const ulong Directory = 0x10_0000;
    private const ulong FirstTable = 0x10_1000;
    private const ulong SecondTable = 0x10_2000;
    private const ulong Large = 0x40_0000;

    private readonly HostMemory _memory = new(32 << 20);

    /// <summary>Machines that hold a page of 4 MiB in fragments of 2 MiB, or of 4 KiB.</summary>
    public static TheoryData<string, ulong, ulong> Fragments
    {
        get
        {
            var rows = new TheoryData<string, ulong, ulong>();
            foreach (string machine in (string[])["2m", "4k", "small-skylake"])
            {
                foreach (ulong accessed in (ulong[])[0, 0x1F_F000, 0x20_0000, 0x3F_F000])
                {
                    rows.Add(machine, accessed, 0);
                    rows.Add(machine, accessed, 0x3F_FFFF);
                    rows.Add(machine, accessed, 0x20_0123);
                }
            }

            return rows;
        }
    }

    [Theory]
    [MemberData(nameof(Fragments))]
    [Rule("T11")]
    [Rule("P04")]
    public void InvalidatePage_AnyAddressOfA4MPage_RemovesEveryPiece(string machine, ulong accessed, ulong named)
    {
        IMmu mmu = Mmu(machine);
        Write32(Directory + 4, 0x80_0000 | Good | PagingEntry.PageSizeBit);
        foreach (ulong offset in (ulong[])[0, 0x1F_F000, 0x20_0000, 0x3F_F000])
            Assert.Equal(0x80_0000 + offset, Read(mmu, Large + offset));
        Write32(Directory + 4, 0xC0_0000 | Good | PagingEntry.PageSizeBit);
        Assert.Equal(0x80_0000 + accessed, Read(mmu, Large + accessed));

        mmu.InvalidatePage(new LinearAddress(Large + named));

        Assert.Equal(0xC0_0000 + accessed, Read(mmu, Large + accessed));
    }

    [Theory]
    [MemberData(nameof(Fragments))]
    [Rule("T11")]
    [Rule("F07")]
    public void InvalidateAfterPageFault_AnyAddressOfA4MPage_RemovesEveryPiece(string machine, ulong accessed, ulong named)
    {
        IMmu mmu = Mmu(machine);
        Write32(Directory + 4, 0x80_0000 | Good | PagingEntry.PageSizeBit);
        foreach (ulong offset in (ulong[])[0, 0x1F_F000, 0x20_0000, 0x3F_F000])
            Read(mmu, Large + offset);
        Write32(Directory + 4, 0xC0_0000 | Good | PagingEntry.PageSizeBit);

        mmu.InvalidateAfterPageFault(new LinearAddress(Large + named));

        Assert.Equal(0xC0_0000 + accessed, Read(mmu, Large + accessed));
    }

    /// <summary>A PDE of 32-bit paging is cached under bits 31:22: it serves both halves of its 4 MiB, and no neighbour.</summary>
    [Theory]
    [InlineData(0x40_0000UL, true)]
    [InlineData(0x5F_F000UL, true)]
    [InlineData(0x60_0000UL, true)]
    [InlineData(0x7F_F000UL, true)]
    [InlineData(0x80_0000UL, false)]
    [InlineData(0x00_0000UL, false)]
    [Rule("T03")]
    [Rule("T06")]
    [Rule("T22")]
    public void Access_PdeOf32BitPagingChanged_IsStaleInItsOwn4MUntilAnyInvlpg(ulong sibling, bool isStale)
    {
        IMmu mmu = Mmu("2m");
        for (ulong page = 0; page < 1024; page++)
        {
            Write32(FirstTable + (4 * page), 0x80_0000 | Good);
            Write32(SecondTable + (4 * page), 0xC0_0000 | Good);
        }

        for (ulong pde = 0; pde < 3; pde++)
            Write32(Directory + (4 * pde), FirstTable | Good);
        Read(mmu, 0x41_0000);
        for (ulong pde = 0; pde < 3; pde++)
            Write32(Directory + (4 * pde), SecondTable | Good);

        Assert.Equal(isStale ? 0x80_0000UL : 0xC0_0000UL, Read(mmu, sibling));

        // Not the sibling's own page: what goes is every PDE, for every address.
        mmu.InvalidatePage(new LinearAddress(0x1234_5000));
        Assert.Equal(0xC0_0000UL, Read(mmu, sibling ^ 0x3000));
    }

    /// <summary>Entries of one format never serve another mode, also where nobody invalidated.</summary>
    [Fact]
    [Rule("T14")]
    public void SetContext_AnotherModeWithTheSameTags_FindsNothingOfTheFirst()
    {
        IMmu mmu = Mmu("2m");
        PagingContext bits32 = mmu.Context;
        Write32(Directory, FirstTable | Good);
        Write32(FirstTable + (4 * 5), 0x80_0000 | Good);
        Assert.Equal(0x80_0000UL, Read(mmu, 0x5000));

        // The same bytes as a page directory of PAE paging.
        mmu.SetContext(bits32 with { Cr4 = bits32.Cr4 | Cr4.PhysicalAddressExtension, Pdptes = new PdpteRegisters(Directory | PagingEntry.Present, 0, 0, 0) });
        _memory.Write(new HostPhysicalAddress(Directory), SecondTable | Good);
        _memory.Write(new HostPhysicalAddress(SecondTable + (8 * 5)), 0xC0_0000 | Good);

        Assert.Equal(0xC0_0000UL, Read(mmu, 0x5000));
    }

    /// <inheritdoc/>
    public void Dispose() => _memory.Dispose();

    private IMmu Mmu(string machine)
    {
        MmuConfiguration ideal = TestMmuConfigurations.Ideal();
        MmuConfiguration configuration = machine switch
        {
            "2m" => ideal,
            "4k" => ideal with
            {
                L1Data = TestMmuConfigurations.Level(TestMmuConfigurations.Array("l1d", 0, 0, IndexHash.Linear, Replacement.Lru, "4k")),
            },
            _ => TestMmuConfigurations.SmallSkylake(),
        };
        IMmu mmu = MmuUnderTest.Create(configuration, _memory);
        mmu.SetContext(new PagingContext
        {
            Cr0 = Cr0.ProtectionEnable | Cr0.Paging | Cr0.WriteProtect,
            Cr3 = Directory,
            Cr4 = Cr4.PageSizeExtensions,
            Efer = Efer.None,
            Eptp = 0,
            Vpid = 0,
        });
        return mmu;
    }

    private static ulong Read(IMmu mmu, ulong linear)
    {
        Assert.True(mmu.TryTranslate(new LinearAddress(linear), AccessKind.Read, AccessMode.Supervisor, out Translation translation));
        return translation.Address.Value;
    }

    private void Write32(ulong address, ulong entry) => _memory.Write(new HostPhysicalAddress(address), (uint)entry);
}
