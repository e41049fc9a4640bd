using Mmu86.Loaders;
using Mmu86.Loaders.Processes;
using Mmu86.TestKit;
using Mmu86.X86;
using Xunit;

namespace Mmu86.Tests.Loaders;

/// <summary>Random calls against a model that knows every 4 KiB page by itself, and a TLB that forgets only what it is told to.</summary>
public sealed class ProcessAddressSpaceModelTests
{
    private const ulong Page = 4096;

    [Theory]
    [InlineData(PageSize.Size4K)]
    [InlineData(PageSize.Size2M)]
    public void RandomCalls_AgreeWithTheModelAndLeaveNoStaleTranslation(PageSize size)
    {
        int seeds = TestTiers.Pick(standard: 3, ci: 25, soak: 2000);
        for (int seed = 0; seed < seeds; seed++)
        {
            using var world = new World(size, seed);
            for (int step = 0; step < 120; step++)
                world.Step();
            world.UnmapEverything();
        }
    }

    private sealed class World : ITranslationInvalidator, IDisposable
    {
        // A window that spans several large pages and several page tables.
        private const ulong WindowStart = 0x4000_0000 - (5 * Page);
        private const int WindowPages = 1700;
        private const PageRights Everything = PageRights.Read | PageRights.Write | PageRights.Execute;

        private readonly LoadedMachine _machine = new(64UL << 20);
        private readonly PageSize _size;
        private readonly int _seed;
        private readonly Random _random;
        private readonly GuestFrameAllocator _frames;
        private readonly ProcessAddressSpace _space;
        private readonly SortedDictionary<ulong, (PageRights Rights, ulong Tag)> _model = [];
        private readonly Dictionary<ulong, LoadedMachine.Mapping> _tlb = [];

        public World(PageSize size, int seed)
        {
            _size = size;
            _seed = seed;
            _random = new Random(seed);
            _frames = new GuestFrameAllocator(new GuestPhysicalAddress(1 << 20), new GuestPhysicalAddress(_machine.Memory.SizeInBytes));
            _space = new ProcessAddressSpace(_machine.Memory, _frames, size);
            _space.Attach(this);
        }

        public void Invalidate(LinearAddress start, ulong lengthInBytes, PageSize size)
        {
            Assert.Equal(_size, size);
            for (ulong at = start.Value; at < start.Value + lengthInBytes; at += Page)
                _tlb.Remove(at);
        }

        public void Step()
        {
            ulong start = WindowStart + ((ulong)_random.Next(WindowPages) * Page);
            ulong pages = (ulong)(_random.Next(3) == 0 ? _random.Next(1, 1200) : _random.Next(1, 12));
            ulong length = (pages * Page) - (ulong)_random.Next(0, 4095);
            var rights = (PageRights)_random.Next(0, (int)Everything + 1);
            switch (_random.Next(4))
            {
                case 0:
                    if (_space.MapFixed(new LinearAddress(start), length, rights) == AddressSpaceResult.Done)
                        SetModel(start, pages, rights);
                    else
                        RemoveFromModel(start, pages);
                    break;
                case 1:
                    Assert.Equal(AddressSpaceResult.Done, _space.Unmap(new LinearAddress(start), length));
                    RemoveFromModel(start, pages);
                    break;
                case 2:
                    ProtectBoth(start, pages, length, rights);
                    break;
                default:
                    if (_space.MapAnywhere(length, rights, default, out LinearAddress at) == AddressSpaceResult.Done)
                        SetModel(at.Value, pages, rights);
                    break;
            }

            Check();
        }

        public void UnmapEverything()
        {
            foreach (ulong page in _model.Keys.ToList())
                Assert.Equal(AddressSpaceResult.Done, _space.Unmap(new LinearAddress(page), Page));
            _model.Clear();
            Check();
            Assert.Empty(_tlb);

            // Everything but tables came back: two frames can hold all that these ranges need.
            Assert.InRange(_frames.FreeFrames, (_machine.Memory.SizeInBytes >> 12) - 256 - 40, _machine.Memory.SizeInBytes >> 12);
        }

        public void Dispose() => _machine.Dispose();

        private void ProtectBoth(ulong start, ulong pages, ulong length, PageRights rights)
        {
            bool covered = true;
            for (ulong i = 0; i < pages; i++)
                covered &= _model.ContainsKey(start + (i * Page));
            AddressSpaceResult result = _space.Protect(new LinearAddress(start), length, rights);
            if (!covered)
                Assert.Equal(AddressSpaceResult.NoMemory, result);
            if (result != AddressSpaceResult.Done)
                return;
            for (ulong i = 0; i < pages; i++)
                _model[start + (i * Page)] = _model[start + (i * Page)] with { Rights = rights };
        }

        private void SetModel(ulong start, ulong pages, PageRights rights)
        {
            for (ulong i = 0; i < pages; i++)
                _model[start + (i * Page)] = (rights, 0);
        }

        private void RemoveFromModel(ulong start, ulong pages)
        {
            for (ulong i = 0; i < pages; i++)
                _model.Remove(start + (i * Page));
        }

        /// <summary>Compares every page of the model with a walk, stores a new tag where there is a frame, and fills the TLB.</summary>
        private void Check()
        {
            var wanted = new Dictionary<ulong, PageRights>();
            foreach ((ulong page, (PageRights rights, _)) in _model)
            {
                ulong large = page & ~_size.OffsetMask();
                wanted[large] = wanted.GetValueOrDefault(large) | rights;
            }

            var physical = new HashSet<ulong>();
            foreach ((ulong page, (PageRights rights, ulong tag)) in _model.ToList())
            {
                PageRights all = wanted[page & ~_size.OffsetMask()];
                LoadedMachine.Mapping? mapping = _machine.Walk(_space.Root, page);
                if (mapping is null != (all == PageRights.None))
                    Assert.Fail($"seed {_seed}: L:0x{page:x}");
                if (mapping is not { } found)
                    continue;
                if ((found.Size, found.Writable, found.Executable) != (_size, (all & PageRights.Write) != 0, (all & PageRights.Execute) != 0))
                    Assert.Fail($"seed {_seed}: L:0x{page:x} with {all} became {found}");
                if (!physical.Add(found.Physical))
                    Assert.Fail($"seed {_seed}: two pages share G:0x{found.Physical:x}");
                if (_machine.Host.Read<ulong>(new HostPhysicalAddress(found.Physical)) != tag)
                    Assert.Fail($"seed {_seed}: L:0x{page:x} has other bytes");
                if (rights == PageRights.None)
                    continue;
                ulong newTag = (ulong)_random.NextInt64();
                _machine.Host.Write(new HostPhysicalAddress(found.Physical), newTag);
                _model[page] = (rights, newTag);
            }

            foreach ((ulong page, LoadedMachine.Mapping cached) in _tlb)
            {
                if (_machine.Walk(_space.Root, page) != cached)
                    Assert.Fail($"seed {_seed}: L:0x{page:x} was {cached}, is {_machine.Walk(_space.Root, page)}");
            }
            foreach (ulong page in _model.Keys)
            {
                if (_machine.Walk(_space.Root, page) is { } mapping)
                    _tlb[page] = mapping;
            }

            for (ulong page = WindowStart; page < WindowStart + (WindowPages * Page); page += 13 * Page)
            {
                if (!wanted.ContainsKey(page & ~_size.OffsetMask()))
                    Assert.Null(_machine.Walk(_space.Root, page));
            }
        }
    }
}
