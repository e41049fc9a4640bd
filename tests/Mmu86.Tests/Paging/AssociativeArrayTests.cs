using Mmu86.Paging;
using Mmu86.TestKit.Paging;
using Mmu86.X86;
using Xunit;

namespace Mmu86.Tests.Paging;

/// <summary>Tags and data against a dictionary.</summary>
public sealed unsafe class AssociativeArrayTests : IDisposable
{
    private readonly Arena _arena = new();

    [Theory]
    [InlineData(1, 7, IndexHash.Linear)]
    [InlineData(1, 33, IndexHash.Linear)]
    [InlineData(3, 5, IndexHash.Linear)]
    [InlineData(64, 4, IndexHash.Linear)]
    [InlineData(64, 3, IndexHash.Xor)]
    [InlineData(8, 3, IndexHash.Masks)]
    [InlineData(16, 3, IndexHash.Skewed)]
    public void FindMasked_RandomTagsAndMasks_AgreesWithALookAtEach(int sets, int ways, IndexHash hash)
    {
        AssociativeArray* array = Bounded(sets, ways, hash);
        var random = new Random(13);
        for (int step = 0; step < 20_000; step++)
        {
            int changed = random.Next(array->ScanEnd);
            array->Tags[changed] = random.Next(3) == 0 ? 0 : Tag.Make((uint)random.Next(1, 4), (PageSize)random.Next(2), (ulong)random.Next(64));
            ulong mask = (~0UL << random.Next(16, 23)) | (random.Next(2) == 0 ? 0xFFFFUL : 1);
            ulong wanted = Tag.Make((uint)random.Next(1, 4), (PageSize)random.Next(2), (ulong)random.Next(64)) & mask;
            int first = random.Next(array->ScanEnd);
            int end = random.Next(first, array->ScanEnd + 1);
            int expected = first;
            while (expected < end && (array->Tags[expected] & mask) != wanted)
                expected++;

            Assert.Equal(expected < end ? expected : -1, array->FindMasked(first, end, mask, wanted));
        }
    }

    [Theory]
    [InlineData(1, 24, IndexHash.Linear)]
    [InlineData(3, 5, IndexHash.Linear)]
    [InlineData(1024, 4, IndexHash.Linear)]
    [InlineData(1024, 4, IndexHash.Xor)]
    [InlineData(8, 3, IndexHash.Masks)]
    public void RangeOf_AlignedRunOfPages_HoldsTheSetOfEachAndNoOtherWhereItIsPart(int sets, int ways, IndexHash hash)
    {
        AssociativeArray* array = Bounded(sets, ways, hash);
        var random = new Random(17);
        for (int shift = 0; shift <= 18; shift++)
        {
            ulong page = (ulong)random.NextInt64(1L << 45);
            (int first, int end) = array->RangeOf(page, shift);

            var found = new HashSet<int>();
            for (ulong i = 0; i < 1UL << shift; i++)
            {
                int set = array->SetOf((page & (~0UL << shift)) + i);
                Assert.InRange(set * array->Stride, first, end - array->Stride);
                found.Add(set);
            }

            if (end - first < array->ScanEnd)
                Assert.Equal((end - first) / array->Stride, found.Count);
            else
                Assert.Equal(0, first);
        }

        Assert.Equal(array->IsPlain && sets > 1 ? array->Stride : array->ScanEnd, Length(array->RangeOf(5, 0)));
        static int Length((int First, int End) range) => range.End - range.First;
    }

    private AssociativeArray* Bounded(int sets, int ways, IndexHash hash)
    {
        AssociativeArray* array = _arena.Allocate<AssociativeArray>(1);
        TlbArrayConfiguration shape = Machines.Array("any", ["4k"], sets, ways, Replacement.Lru, hash);
        array->Initialize(_arena, new TagPool(_arena), hash == IndexHash.Masks ? shape with { IndexMasks = ["0x9", "0x12", "0x24"] } : shape, 1);
        return array;
    }

    [Theory]
    [InlineData(0, 0, IndexHash.Linear)]
    [InlineData(1, 24, IndexHash.Linear)]
    [InlineData(16, 4, IndexHash.Linear)]
    [InlineData(3, 5, IndexHash.Linear)]
    [InlineData(8, 3, IndexHash.Xor)]
    [InlineData(8, 3, IndexHash.Masks)]
    [InlineData(16, 3, IndexHash.Skewed)]
    public void Anything_RandomOperations_AgreesWithADictionary(int sets, int ways, IndexHash hash)
    {
        var pool = new TagPool(_arena);
        AssociativeArray* array = _arena.Allocate<AssociativeArray>(1);
        TlbArrayConfiguration shape = Machines.Array("any", ["4k"], sets, ways, Replacement.Lru, hash);
        array->Initialize(_arena, pool, hash == IndexHash.Masks ? shape with { IndexMasks = ["0x9", "0x12", "0x24"] } : shape, 1);
        var model = new Dictionary<ulong, (int Entry, ulong Data)>();
        var spaces = new List<uint> { pool.Take(), pool.Take(), pool.Take() };
        var random = new Random(11);
        int evictions = 0;
        for (int step = 0; step < 60_000; step++)
        {
            uint space = spaces[random.Next(spaces.Count)];
            ulong page = (ulong)random.Next(sets == 0 ? 9000 : 200);
            ulong tag = Tag.Make(space, PageSize.Size4K, page);
            int set = array->SetOf(page);
            int found = array->Find(set, tag, tag);
            Assert.Equal(model.TryGetValue(tag, out (int Entry, ulong Data) known) ? known.Entry : -1, found);
            if (found >= 0)
            {
                Assert.Equal(known.Data, array->Data[found]);
                Assert.True(array->IsLive(found));
            }

            switch (random.Next(sets == 0 ? 400 : 20))
            {
                case 0 when random.Next(20) == 0:
                    // The space ends, and all its entries with it.
                    int expected = model.Keys.Count(key => Tag.Space(key) == space);
                    Assert.Equal((uint)expected, array->Bury(space, 0));
                    pool.Retire(space);
                    foreach (ulong key in model.Keys.Where(key => Tag.Space(key) == space).ToList())
                        model.Remove(key);
                    if (pool.NeedsSweep)
                    {
                        array->Sweep();
                        pool.Swept();
                    }

                    spaces[spaces.IndexOf(space)] = pool.Take();
                    break;
                case 1:
                    array->Sweep();
                    break;
                case 2 or 3 or 4 when found >= 0:
                    array->Remove(found);
                    model.Remove(tag);
                    break;
                default:
                    if (found >= 0)
                        break;
                    bool isEviction;
                    int entry = array->IsSkewed ? array->PlaceSkewed(page, out isEviction) : array->Place(_arena, set, out isEviction);
                    if (isEviction)
                    {
                        Assert.True(model.Remove(array->Tags[entry]), "the victim was not resident");
                        evictions++;
                    }

                    array->Write(entry, tag, (ulong)step, isEviction);
                    if (sets != 0)
                        array->Replacement.Fill(set, entry - (set * array->Stride));
                    model.Add(tag, (entry, (ulong)step));
                    break;
            }
        }

        Assert.Equal(sets == 0, evictions == 0);
        Assert.True(model.Count > 10);
    }

    [Fact]
    public void SetOf_Xor_FoldsTheNextBitsIn()
    {
        AssociativeArray array = default;
        array.Initialize(_arena, _arena, new TagPool(_arena), 128, 12, IndexHash.Xor, Replacement.Mru3Plru, 1);
        Assert.Equal(0x55 ^ 0x2A, array.SetOf((0x2AUL << 7) | 0x55));
        Assert.Equal(0x2A, array.SetOf((0x7FUL << 14) | (0x2AUL << 7)));
    }

    [Fact]
    public void SetOf_Masks_IsTheParityUnderEachMask()
    {
        AssociativeArray array = default;
        TlbArrayConfiguration shape = Machines.Array("any", ["4k"], 4, 1, Replacement.Lru, IndexHash.Masks) with { IndexMasks = ["0x7", "0x100000000001"] };
        array.Initialize(_arena, new TagPool(_arena), shape, 1);
        Assert.Equal(0, array.SetOf(0));
        Assert.Equal(0b11, array.SetOf(1));
        Assert.Equal(0b01, array.SetOf(2));
        Assert.Equal(0b00, array.SetOf(6));
        Assert.Equal(0b11, array.SetOf(7));
        Assert.Equal(0b10, array.SetOf(1UL << 44));
    }

    [Theory]
    [InlineData(4, 2)]
    [InlineData(64, 5)]
    [InlineData(128, 12)]
    public void EntryOf_Skewed_IsWhereTheLiteralFunctionsSay(int sets, int ways)
    {
        int stride = (ways + 3) / 4 * 4;
        var index = new SkewedIndex(sets, ways, stride, null);
        var reference = new ReferenceSkewing(ways, sets);
        var random = new Random(17);
        for (int i = 0; i < 2000; i++)
        {
            ulong page = (ulong)random.NextInt64() >> (19 + random.Next(40));
            (int Set, int Way)[] places = reference.Places(page);
            Assert.Equal(places.Select(place => (place.Set * stride) + place.Way), Enumerable.Range(0, ways).Select(way => index.EntryOf(page, way)));
        }
    }

    [Fact]
    public void EntryOf_PagesThatMeetInOneWay_MostlyPartInTheOthers()
    {
        var index = new SkewedIndex(64, 4, 4, null);
        // Pages that a linear index puts into one set.
        ulong[] pages = [.. Enumerable.Range(0, 64).Select(i => ((ulong)i << 6) | 5)];
        for (int way = 0; way < 4; way++)
        {
            int[] rows = [.. pages.Select(page => index.EntryOf(page, way) / 4)];
            Assert.Equal(64, rows.Distinct().Count());
        }

        int meetings = 0;
        int everywhere = 0;
        for (ulong a = 0; a < 1024; a++)
        {
            int[] ways = [.. Enumerable.Range(0, 4).Where(way => index.EntryOf(a, way) == index.EntryOf(0x12345, way))];
            meetings += ways.Length;
            everywhere += ways.Length > 1 ? 1 : 0;
        }

        Assert.Equal(64, meetings);
        Assert.InRange(everywhere, 0, 4);
    }

    [Fact]
    public void Tag_AnyPage_GivesItsAddressBack()
    {
        foreach (PageSize size in Enum.GetValues<PageSize>())
        {
            foreach (ulong address in new ulong[] { 0, 0x7FFF_C000_0000, 0xFFFF_8000_0000_0000, 0xFFFF_FFFF_C000_0000 })
            {
                ulong tag = Tag.Make(77, size, Tag.PageNumber(address + 123, size));
                Assert.Equal(address, Tag.Address(tag));
                Assert.Equal(size, Tag.Size(tag));
                Assert.Equal(77u, Tag.Space(tag));
            }
        }
    }

    public void Dispose() => _arena.Dispose();
}
