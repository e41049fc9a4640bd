using Mmu86.Loaders;
using Mmu86.Loaders.Processes;
using Mmu86.X86;
using Xunit;

namespace Mmu86.Tests.Loaders;

public sealed class ProcessAddressSpaceTests : IDisposable
{
    private const PageRights ReadWrite = PageRights.Read | PageRights.Write;
    private const ulong TwoMebibytes = 2UL << 20;

    private readonly LoadedMachine _machine = new();

    public void Dispose() => _machine.Dispose();

    [Fact]
    public void MapAnywhere_Twice_GoesDownFromTheTopAndJoins()
    {
        ProcessAddressSpace space = Make(PageSize.Size4K);
        Assert.Equal(AddressSpaceResult.Done, space.MapAnywhere(1, ReadWrite, default, out LinearAddress first));
        Assert.Equal(AddressSpaceResult.Done, space.MapAnywhere(0x2001, ReadWrite, default, out LinearAddress second));
        Assert.Equal(ProcessLayout.MappingEnd.Value - 0x1000, first.Value);
        Assert.Equal(first.Value - 0x3000, second.Value);
        Assert.True(Present(space, second.Value + 0x2FFF));
        Assert.False(Present(space, second.Value - 1));
        Assert.False(Present(space, ProcessLayout.MappingEnd.Value));
    }

    [Fact]
    public void MapAnywhere_Hint_IsFollowedWhereItIsFree()
    {
        ProcessAddressSpace space = Make(PageSize.Size4K);
        var hint = new LinearAddress(0x1234_5678);
        Assert.Equal(AddressSpaceResult.Done, space.MapAnywhere(0x1000, ReadWrite, hint, out LinearAddress first));
        Assert.Equal(0x1234_5000UL, first.Value);
        Assert.Equal(AddressSpaceResult.Done, space.MapAnywhere(0x1000, ReadWrite, hint, out LinearAddress second));
        Assert.NotEqual(first, second);
    }

    [Theory]
    [InlineData(PageSize.Size4K)]
    [InlineData(PageSize.Size2M)]
    public void MapAnywhere_AtLeastAPage_IsAlignedToThePage(PageSize size)
    {
        ProcessAddressSpace space = Make(size);
        space.MapAnywhere(0x1000, ReadWrite, default, out _);
        Assert.Equal(AddressSpaceResult.Done, space.MapAnywhere(3 * TwoMebibytes, ReadWrite, default, out LinearAddress start));
        Assert.Equal(0UL, start.Value & size.OffsetMask());
        Assert.Equal(size, _machine.Walk(space.Root, start.Value)!.Value.Size);
    }

    [Theory]
    [InlineData(PageSize.Size4K)]
    [InlineData(PageSize.Size2M)]
    public void Unmap_ThenMap_FindsZerosAgain(PageSize size)
    {
        ProcessAddressSpace space = Make(size);
        space.MapAnywhere(0x4000, ReadWrite, default, out LinearAddress start);
        Store(space, start.Value + 0x1008, 0x1122);
        Store(space, start.Value + 0x3008, 0x3344);
        Assert.Equal(AddressSpaceResult.Done, space.Unmap(new LinearAddress(start.Value + 0x1000), 0x1000));
        Assert.Equal(size != PageSize.Size4K, Present(space, start.Value + 0x1000)); // a large page stays for its other parts
        Assert.Equal(AddressSpaceResult.Done, space.MapFixed(new LinearAddress(start.Value + 0x1000), 0x1000, ReadWrite));
        Assert.Equal(0UL, Load(space, start.Value + 0x1008));
        Assert.Equal(0x3344UL, Load(space, start.Value + 0x3008));
    }

    [Fact]
    public void MapFixed_OverAMapping_ReplacesIt()
    {
        ProcessAddressSpace space = Make(PageSize.Size4K);
        space.MapAnywhere(0x3000, ReadWrite, default, out LinearAddress start);
        Store(space, start.Value + 0x1000, 7);
        Assert.Equal(AddressSpaceResult.Done, space.MapFixed(new LinearAddress(start.Value + 0x1000), 0x1000, PageRights.Read));
        Assert.Equal(0UL, Load(space, start.Value + 0x1000));
        Assert.False(_machine.Walk(space.Root, start.Value + 0x1000)!.Value.Writable);
        Assert.True(_machine.Walk(space.Root, start.Value + 0x2000)!.Value.Writable);
    }

    [Fact]
    public void Protect_ToNothingAndBack_KeepsTheBytesAndTheFlags()
    {
        ProcessAddressSpace space = Make(PageSize.Size4K);
        space.MapAnywhere(0x2000, ReadWrite, default, out LinearAddress start);
        Store(space, start.Value, 42);
        Assert.Equal(AddressSpaceResult.Done, space.Protect(start, 0x1000, PageRights.None));
        Assert.False(Present(space, start.Value));
        Assert.True(Present(space, start.Value + 0x1000));
        Assert.Equal(AddressSpaceResult.Done, space.Protect(start, 0x1000, PageRights.Read | PageRights.Execute));
        Assert.Equal(42UL, Load(space, start.Value));
        Assert.True(_machine.Walk(space.Root, start.Value)!.Value is { Writable: false, Executable: true });
    }

    [Fact]
    public void Protect_WithAHoleInTheRange_ChangesNothing()
    {
        ProcessAddressSpace space = Make(PageSize.Size4K);
        space.MapAnywhere(0x3000, ReadWrite, default, out LinearAddress start);
        space.Unmap(new LinearAddress(start.Value + 0x1000), 0x1000);
        Assert.Equal(AddressSpaceResult.NoMemory, space.Protect(start, 0x3000, PageRights.Read));
        Assert.True(_machine.Walk(space.Root, start.Value)!.Value.Writable);
    }

    [Fact]
    public void MapAnywhere_ReservationWithoutRights_TakesNoFrames()
    {
        const ulong HundredTebibytes = 100UL << 40;
        GuestFrameAllocator frames = Frames();
        var space = new ProcessAddressSpace(_machine.Memory, frames, PageSize.Size4K);
        ulong before = frames.FreeFrames;
        Assert.Equal(AddressSpaceResult.Done, space.MapAnywhere(HundredTebibytes, PageRights.None, default, out LinearAddress start));
        Assert.Equal(before, frames.FreeFrames);

        var middle = new LinearAddress(start.Value + (HundredTebibytes / 2));
        Assert.Equal(AddressSpaceResult.Done, space.Protect(middle, 0x1000, ReadWrite));
        Assert.True(Present(space, middle.Value));
        Assert.Equal(before - 4, frames.FreeFrames); // a page and its three tables
        Assert.Equal(AddressSpaceResult.NoMemory, space.Protect(start, HundredTebibytes, ReadWrite));
        Assert.True(Present(space, middle.Value));
        Assert.Equal(AddressSpaceResult.Done, space.Unmap(start, HundredTebibytes));
        Assert.False(Present(space, middle.Value));
        Assert.Equal(before - 3, frames.FreeFrames);
    }

    [Theory]
    [InlineData(PageSize.Size4K)]
    [InlineData(PageSize.Size2M)]
    public void MapAnywhere_MoreThanMemory_LeavesEverythingAsItWas(PageSize size)
    {
        GuestFrameAllocator frames = Frames();
        var space = new ProcessAddressSpace(_machine.Memory, frames, size);
        ulong before = frames.FreeFrames;
        Assert.Equal(AddressSpaceResult.NoMemory, space.MapAnywhere(LoadedMachine.Gibibyte, ReadWrite, default, out _));
        Assert.Equal(before, frames.FreeFrames);
        Assert.True(space.IsFree(ProcessLayout.Lowest, ProcessLayout.MappingEnd.Value - ProcessLayout.Lowest.Value));
        Assert.Equal(AddressSpaceResult.Done, space.MapAnywhere(LoadedMachine.Gibibyte - (8UL << 20), ReadWrite, default, out _));
    }

    [Fact]
    public void SetBreak_UpAndDown_MapsWholePagesAndZeros()
    {
        ProcessImage image = _machine.LoadProcess(ElfWriter.Typical());
        ProcessAddressSpace space = image.AddressSpace;
        ulong start = image.BreakStart.Value;
        Assert.Equal(image.BreakStart, space.SetBreak(default));
        Assert.False(Present(space, start));

        Assert.Equal(start + 1, space.SetBreak(new LinearAddress(start + 1)).Value);
        Store(space, start + 8, 5);
        Assert.Equal(start + 0x2800, space.SetBreak(new LinearAddress(start + 0x2800)).Value);
        Store(space, start + 0x2008, 6);
        Assert.Equal(5UL, Load(space, start + 8));
        Assert.False(Present(space, start + 0x3000));

        Assert.Equal(start + 0x1000, space.SetBreak(new LinearAddress(start + 0x1000)).Value);
        Assert.False(Present(space, start + 0x1000));
        Assert.Equal(start + 0x3000, space.SetBreak(new LinearAddress(start + 0x3000)).Value);
        Assert.Equal(0UL, Load(space, start + 0x2008));
        Assert.Equal(5UL, Load(space, start + 8));
    }

    [Fact]
    public void SetBreak_IntoAMappingOrBeyondMemory_StaysWhereItIs()
    {
        ProcessImage image = _machine.LoadProcess(ElfWriter.Typical());
        ProcessAddressSpace space = image.AddressSpace;
        ulong start = image.BreakStart.Value;
        Assert.Equal(AddressSpaceResult.Done, space.MapFixed(new LinearAddress(start + 0x2000), 0x1000, ReadWrite));
        Assert.Equal(start, space.SetBreak(new LinearAddress(start + 0x2001)).Value);
        Assert.Equal(start + 0x2000, space.SetBreak(new LinearAddress(start + 0x2000)).Value);
        Assert.Equal(start + 0x2000, space.SetBreak(new LinearAddress(start - 1)).Value);
        Assert.Equal(start + 0x2000, space.SetBreak(new LinearAddress(ulong.MaxValue)).Value);
        Assert.Equal(start + 0x2000, space.SetBreak(new LinearAddress(start + (8UL << 30))).Value);
    }

    [Theory]
    [InlineData(0x1000UL, 0UL)]
    [InlineData(0x1001UL, 0x1000UL)]
    [InlineData(0x1000UL, ulong.MaxValue)]
    [InlineData(0xFFFF_8000_0000_0000UL, 0x1000UL)]
    [InlineData(ulong.MaxValue - 0xFFF, 0x1000UL)]
    public void Changes_OfRangesThatAreNone_AreRefused(ulong start, ulong length)
    {
        ProcessAddressSpace space = Make(PageSize.Size4K);
        var address = new LinearAddress(start);
        Assert.Equal(AddressSpaceResult.BadRange, space.MapFixed(address, length, ReadWrite));
        Assert.Equal(AddressSpaceResult.BadRange, space.Unmap(address, length));
        if (length != 0)
            Assert.Equal(AddressSpaceResult.BadRange, space.Protect(address, length, ReadWrite));
        if (length is 0 or ulong.MaxValue)
            Assert.NotEqual(AddressSpaceResult.Done, space.MapAnywhere(length, ReadWrite, address, out _));
    }

    [Fact]
    public void Unmap_OfThousandsOfPieces_EndsAtTheLimitAndNotBefore()
    {
        ProcessAddressSpace space = Make(PageSize.Size4K);
        const ulong Pages = 140_000;
        space.MapAnywhere(Pages * 4096, ReadWrite, default, out LinearAddress start);
        AddressSpaceResult result = AddressSpaceResult.Done;
        ulong holes = 0;
        for (; holes < Pages / 2 && result == AddressSpaceResult.Done; holes++)
            result = space.Unmap(new LinearAddress(start.Value + (((holes * 2) + 1) * 4096)), 4096);
        Assert.Equal(AddressSpaceResult.NoMemory, result);
        Assert.InRange(holes, 65_000UL, 66_000UL);
    }

    private static GuestFrameAllocator Frames() => new(new GuestPhysicalAddress(1 << 20), new GuestPhysicalAddress(LoadedMachine.Gibibyte));

    private ProcessAddressSpace Make(PageSize size) => new(_machine.Memory, Frames(), size);

    private bool Present(ProcessAddressSpace space, ulong linear)
    {
        bool present = _machine.Walk(space.Root, linear) is not null;
        Assert.Equal(present, space.TryTranslate(new LinearAddress(linear), out _));
        return present;
    }

    private void Store(ProcessAddressSpace space, ulong linear, ulong value) =>
        _machine.Host.Write(new HostPhysicalAddress(_machine.Walk(space.Root, linear)!.Value.Physical), value);

    private ulong Load(ProcessAddressSpace space, ulong linear) => _machine.ReadWord(space.Root, linear);
}
