using Mmu86.Lab.Sweeps.Engine;
using Mmu86.Lab.Sweeps.Grids;
using Mmu86.Paging;
using Mmu86.TestKit.Paging;
using Mmu86.X86;
using Xunit;

namespace Mmu86.Tests.Lab.Sweeps;

/// <summary>What the base machine dropped is dropped by those who follow a stream, and no more than that.</summary>
public sealed class RemovedEntriesTests
{
    private const uint Space = 1;

    // Two pieces of one large page of the guest, and a page beside it.
    private static readonly ulong[] s_pages = [0x20_3000, 0x20_4000, 0x50_0000];

    [Theory]
    [InlineData(StreamOperation.AddressRemoved, 1)]
    [InlineData(StreamOperation.PageRemoved, 2)]
    public void Removal_InsideALargeGuestPage_IsOfOnePieceOrOfAll(StreamOperation operation, int missing)
    {
        var sink = new KeepingSink();
        var writer = new TranslationStreamWriter(sink);
        Touch(writer);
        if (operation == StreamOperation.AddressRemoved)
            writer.AddressRemoved(Space, s_pages[0] + 8);
        else
            writer.PageRemoved(Space, s_pages[0] + 8);
        Touch(writer);
        writer.Flush();

        using var arrays = new OnePassConsumer(new LruFamilyRequest { IsInstruction = false, PageSize = PageSize.Size4K, Sets = [1], Ways = [1, 64] });
        using var classes = new MissConsumer(TestMmuConfigurations.Ideal().L1Data);
        arrays.Apply(sink.Kept!);
        classes.Apply(sink.Kept!);

        Assert.Equal(s_pages.Length + missing, arrays.Misses(1, 64));
        Assert.Equal(((long)s_pages.Length, (long)missing), (classes.Read([]).Total.Compulsory, classes.Read([]).Total.Invalidation));
    }

    // All missed, so that the classes tell what followed from the removal.
    private static void Touch(TranslationStreamWriter writer)
    {
        foreach (ulong page in s_pages)
        {
            PageSize guest = page < 0x40_0000 ? PageSize.Size2M : PageSize.Size4K;
            writer.Lookup(LookupEvent.Pack(page, AccessKind.Read, default, guest, PageSize.Size4K, LookupFlags.Missed), LookupEvent.Pack(Space, 0));
        }
    }

    private sealed class KeepingSink : IStreamSink
    {
        public StreamChunk? Kept { get; private set; }

        public StreamChunk Exchange(StreamChunk full)
        {
            Kept = full;
            return new StreamChunk();
        }
    }
}
