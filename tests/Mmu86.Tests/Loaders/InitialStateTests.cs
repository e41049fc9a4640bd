using Mmu86.Loaders;
using Mmu86.Loaders.Bare;
using Mmu86.Loaders.Processes;
using Mmu86.Paging;
using Mmu86.TestKit.Paging;
using Mmu86.X86;
using Xunit;

namespace Mmu86.Tests.Loaders;

/// <summary>What the reference walker says about accesses at the first instruction, by the control registers and tables that a loader leaves.</summary>
public sealed class InitialStateTests : IDisposable
{
    private const PageFaultErrorCode UserWrite = PageFaultErrorCode.Write | PageFaultErrorCode.User;
    private const PageFaultErrorCode UserFetch = PageFaultErrorCode.InstructionFetch | PageFaultErrorCode.User;

    private readonly LoadedMachine _machine = new();

    public void Dispose() => _machine.Dispose();

    [Theory]
    [InlineData(PageSize.Size4K)]
    [InlineData(PageSize.Size2M)]
    public void Process_PushesBelowItsStack_FaultsAsNotPresent(PageSize size)
    {
        ProcessImage image = _machine.LoadProcess(ElfWriter.Typical(), size);
        Assert.Null(Fault(image, image.StackPointer.Value - 8, AccessKind.Write, AccessMode.User));
        Assert.Null(Fault(image, ProcessLayout.StackStart.Value, AccessKind.Write, AccessMode.User));
        Assert.Equal(UserWrite, Fault(image, ProcessLayout.StackStart.Value - 8, AccessKind.Write, AccessMode.User));
        Assert.Equal(UserWrite, Fault(image, ProcessLayout.StackEnd.Value + (512 << 20), AccessKind.Write, AccessMode.User));
    }

    [Fact]
    public void Process_SmallPages_GrantExactlyWhatSegmentsAskFor()
    {
        ProcessImage image = _machine.LoadProcess(ElfWriter.Typical());
        Assert.Null(Fault(image, image.Entry.Value, AccessKind.Fetch, AccessMode.User));
        Assert.Null(Fault(image, image.Entry.Value, AccessKind.Read, AccessMode.User));
        Assert.Equal(UserWrite | PageFaultErrorCode.Present, Fault(image, image.Entry.Value, AccessKind.Write, AccessMode.User));
        Assert.Null(Fault(image, 0x40_3000, AccessKind.Write, AccessMode.User));
        Assert.Equal(UserFetch | PageFaultErrorCode.Present, Fault(image, 0x40_3000, AccessKind.Fetch, AccessMode.User));
        Assert.Equal(UserFetch | PageFaultErrorCode.Present, Fault(image, image.StackPointer.Value, AccessKind.Fetch, AccessMode.User));
        Assert.Equal(PageFaultErrorCode.User, Fault(image, 0, AccessKind.Read, AccessMode.User));
    }

    [Theory]
    [InlineData(PageSize.Size4K)]
    [InlineData(PageSize.Size2M)]
    [InlineData(PageSize.Size1G)]
    public void BareImage_Supervisor_ReachesAllOfMemoryAndUserNone(PageSize size)
    {
        var start = new GuestPhysicalAddress(0x10_0000);
        BareImage image = BareLoader.Load(new FlatImage(new byte[] { 0xF4 }, start, start), _machine.Memory, size);
        foreach (ulong address in new ulong[] { 0, start.Value, LoadedMachine.Gibibyte - 1, 0xFEC0_0000 })
        {
            Assert.Null(Fault(image, address, AccessKind.Write, AccessMode.Supervisor));
            Assert.Null(Fault(image, address, AccessKind.Fetch, AccessMode.Supervisor));
            Assert.Equal(PageFaultErrorCode.Present | PageFaultErrorCode.User, Fault(image, address, AccessKind.Read, AccessMode.User));
        }

        Assert.Equal(PageFaultErrorCode.Write, Fault(image, 4UL << 30, AccessKind.Write, AccessMode.Supervisor));
    }

    /// <summary>The error code of the fault, or null where the access is legal.</summary>
    private PageFaultErrorCode? Fault(GuestImage image, ulong linear, AccessKind kind, AccessMode mode)
    {
        var capabilities = new ReferenceCapabilities { PhysicalAddressBits = 39, HasPage1G = true, HasPse36 = true, ReservesBit8AbovePdpte = false, HasExecuteOnlyEpt = true, HasEptPage2M = true, HasEptPage1G = true, TellsViolationDetails = false, HasNpt = false };
        var context = new PagingContext
        {
            Cr0 = image.Cr0,
            Cr3 = image.Cr3.Value,
            Cr4 = image.Cr4,
            Efer = image.Efer,
            Eptp = 0,
            Vpid = 0,
        };
        var walker = new ReferenceWalker(new HostReferenceMemory(_machine.Host), capabilities, context);
        return walker.Walk(new ReferenceAccess(new LinearAddress(linear), kind, mode)).Fault?.ErrorCode;
    }
}
