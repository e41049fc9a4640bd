using Mmu86.Lab;
using Mmu86.Lab.Machines;
using Mmu86.Lab.Reports;
using Mmu86.Lab.Running;
using Mmu86.Loaders;
using Mmu86.Paging;
using Mmu86.X86;
using Xunit;
using static Iced.Intel.AssemblerRegisters;

namespace Mmu86.Tests.Hypervisor.Shadow;

/// <summary>The memory types of a guest's pages are the same by shadow tables as by nested ones.</summary>
public sealed class ShadowMemoryTypeTests
{
    private const uint Pat = 0x277;

    // Every type is at some index: WP WC WT UC- UC WB WB WT.
    private const ulong OtherPat = 0x0406_0600_0704_0105;

    [Theory]
    [InlineData(PageSize.Size4K)]
    [InlineData(PageSize.Size2M)]
    public void Access_ToAPageOfEachType_IsOfTheTypeThatNestedTablesGive(PageSize hostPage)
    {
        var program = new TwoRootsProgram(Cr4.None);

        // By the PAT after a reset, then by another, then by the first again; then with CR0.CD.
        EmitEachIndex(program);
        EmitPat(program, OtherPat);
        EmitEachIndex(program);
        EmitPat(program, 0x0007_0406_0007_0406);
        program.EmitLook();
        EmitIndex(program, 0);
        EmitCacheDisable(program);
        program.EmitLook();
        EmitIndex(program, 0);
        EmitCacheDisable(program);
        program.EmitLook();
        byte[] image = program.Build(isGlobal: false);

        IReadOnlyList<MemoryType> nested = Run(image, PagingMode.Nested, hostPage), shadow = Run(image, PagingMode.Shadow, hostPage);

        MemoryType[] afterReset = [MemoryType.WriteBack, MemoryType.WriteThrough, MemoryType.Uncacheable, MemoryType.Uncacheable];
        MemoryType[] byAnother =
        [
            MemoryType.WriteProtected, MemoryType.WriteCombining, MemoryType.WriteThrough, MemoryType.Uncacheable,
            MemoryType.Uncacheable, MemoryType.WriteBack, MemoryType.WriteBack, MemoryType.WriteThrough,
        ];
        MemoryType[] atLast = [MemoryType.Uncacheable, MemoryType.WriteBack, MemoryType.Uncacheable, MemoryType.Uncacheable, MemoryType.WriteBack];
        Assert.Equal([.. afterReset, .. afterReset, .. byAnother, .. atLast], nested);
        Assert.Equal(nested, shadow);
    }

    private static void EmitEachIndex(TwoRootsProgram program)
    {
        for (int index = 0; index < 8; index++)
            EmitIndex(program, index);
    }

    private static void EmitIndex(TwoRootsProgram program, int index)
    {
        ulong bits = ((ulong)(index & 3) << 3) | (index >= 4 ? PagingEntry.LargePagePat : 0);
        program.Code.mov(rsi, TwoRootsProgram.EntryUnder(TwoRootsProgram.RootA));
        program.Code.mov(rax, TwoRootsProgram.Page | PagingEntry.PageSizeBit | 3 | bits);
        program.Code.mov(__[rsi], rax);
        program.Code.invlpg(__byte_ptr[TwoRootsProgram.Page]);
        program.EmitLook();
    }

    private static void EmitPat(TwoRootsProgram program, ulong pat)
    {
        program.Code.mov(ecx, Pat);
        program.Code.mov(eax, (uint)pat);
        program.Code.mov(edx, (uint)(pat >> 32));
        program.Code.wrmsr();
        program.EmitLoad(TwoRootsProgram.RootA, 0, keeps: false);
    }

    private static void EmitCacheDisable(TwoRootsProgram program)
    {
        program.Code.mov(rax, cr0);
        program.Code.xor(rax, (int)Cr0.CacheDisable);
        program.Code.mov(cr0, rax);
    }

    private static List<MemoryType> Run(byte[] image, PagingMode paging, PageSize hostPage)
    {
        var options = new RunOptions
        {
            Program = new ProgramImage { Name = "program", Bytes = image, Arguments = [] },
            Format = ImageKind.Flat,
            LoadAddress = TwoRootsProgram.LoadAddress,
            Entry = TwoRootsProgram.Entry,
            Machine = MachineCatalogue.Find("skylake", []),
            Paging = paging,
            GuestPage = PageSize.Size2M,
            HostPage = hostPage,
            Fidelity = Fidelity.Tlb,
            MemoryBytes = 16 << 20,
            Seed = 1,
        };
        var types = new Types();
        using GuestMachine guest = GuestMachine.Build(options, GuestOutput.None, types);
        ExitReport exit = guest.Run(1_000_000, _ => { })!;
        Assert.Equal((ExitKind.Exited, 1, null), (exit.Kind, exit.Status, exit.Detail));
        return types.OfReads;
    }

    private sealed class Types : ITranslationObserver
    {
        public List<MemoryType> OfReads { get; } = [];

        public void Translated(WalkTrace trace)
        {
            if (trace.Linear.Value == TwoRootsProgram.Page && trace.Kind == AccessKind.Read && trace.Fault is null)
                OfReads.Add(trace.MemoryType!.Value);
        }
    }
}
