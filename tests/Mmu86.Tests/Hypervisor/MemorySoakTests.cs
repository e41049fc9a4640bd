using Mmu86.Hypervisor;
using Mmu86.Hypervisor.Frames;
using Mmu86.Hypervisor.Replacement;
using Mmu86.Hypervisor.Scheduling;
using Mmu86.Hypervisor.Sharing;
using Mmu86.Paging;
using Mmu86.TestKit;
using Mmu86.Tests.Hypervisor.Sharing;
using Mmu86.X86;
using Xunit;

namespace Mmu86.Tests.Hypervisor;

/// <summary>Random machines, sizes and faults on one small host, against a shadow copy of every byte that was written.</summary>
[LongTests]
public sealed class MemorySoakTests
{
    private const int Worlds = 8;

    [Fact]
    public void Machines_RandomStepsAndFaults_KeepEveryByteAndEveryFrame()
    {
        int steps = TestTiers.Pick(1_600, 12_000, 200_000);
        for (int world = 0; world < Worlds; world++)
            new Soak(world).Run(steps / Worlds);
    }

    private sealed class Soak(int number)
    {
        private readonly Random _random = TestSeed.Case(number);
        private readonly Dictionary<VirtualMachine, Dictionary<ulong, ulong>> _shadows = [];
        private readonly Dictionary<VirtualMachine, (VictimChooser Chooser, IReplacementPolicy Policy)> _choosers = [];
        private PageSize _largest;
        private int _evictions;
        private ulong _broken;
        private ulong _now;

        public void Run(int steps)
        {
            using var world = new MemoryWorld((ulong)_random.Next(3, 14) << 20, new ZeroingScrubber());
            _largest = number % 2 == 0 ? PageSize.Size4K : PageSize.Size2M;
            IPageContent content = number % 3 == 0 ? new CollidingContent() : new PageContent((ulong)number);
            world.Sharing = new PageSharing(world.Host, PageSharingOptions.At(PageSharingOptions.DefaultPagesPerSecond, (ulong)number) with { Content = content });
            world.Host.Frames.Relief = () => Reclaim(world, 8) > 0;
            for (int step = 0; step < steps; step++)
            {
                try
                {
                    Step(world);
                }
                catch (HostMemoryExhaustedException)
                {
                    // Somebody gives way, as a host would have it.
                    if (world.Machines.Count > 0)
                        Remove(world, world.Machines[_random.Next(world.Machines.Count)]);
                }

                world.Check();
                foreach (VirtualMachine machine in world.Machines)
                    Assert.Equal(machine.Memory.ResidentFrames, (ulong)_choosers[machine].Policy.Count);
            }

            foreach (VirtualMachine machine in world.Machines)
                Compare(machine);
            while (world.Machines.Count > 0)
                Remove(world, world.Machines[0]);
            Assert.Equal((0UL, 0), (world.Host.Frames.FramesUsed, world.Store.Count));
            Assert.True(_evictions > 0, $"seed {TestSeed.Base}, world {number}: nothing was evicted");
            Assert.True(world.Sharing.Counts.Merged > 0, $"seed {TestSeed.Base}, world {number}: nothing was shared");
            Assert.True(_broken > 0, $"seed {TestSeed.Base}, world {number}: no sharing was broken");
        }

        private void Step(MemoryWorld world)
        {
            if (world.Machines.Count == 0 || (world.Machines.Count < 5 && _random.Next(30) == 0))
            {
                PageReplacement[] live = [.. PageReplacement.All.Where(known => !known.NeedsFuture)];
                IReplacementPolicy policy = live[_random.Next(live.Length)].Create(ReplacementOptions.Default(8 << 8, (ulong)number));
                var chooser = new VictimChooser(policy, null);
                VirtualMachine made = world.Add((ulong)_random.Next(1, 9) << 20, _largest, _random.Next(2) == 0 ? NestedFormat.Ept : NestedFormat.Npt, chooser);
                _shadows.Add(made, []);
                _choosers.Add(made, (chooser, policy));
            }

            VirtualMachine machine = world.Machines[_random.Next(world.Machines.Count)];
            GuestMemoryManager memory = machine.Memory;
            Dictionary<ulong, ulong> shadow = _shadows[machine];
            switch (_random.Next(17))
            {
                case < 5:
                    for (int i = _random.Next(60); i > 0; i--)
                        Write(memory, shadow, Address(memory));
                    break;
                case 5:
                    for (int i = _random.Next(40); i > 0; i--)
                        Read(memory, shadow, Address(memory));
                    break;
                case 6:
                    _ = Reclaim(world, _random.Next(1, 100));
                    break;
                case 7:
                    ulong cleared = Address(memory) & ~0xFFFUL;
                    memory.Clear(new GuestPhysicalAddress(cleared), 4096);
                    foreach (ulong address in shadow.Keys.Where(key => key >> 12 == cleared >> 12).ToList())
                        shadow[address] = 0;
                    break;
                case 8:
                    memory.TrySplit(new GuestPhysicalAddress(Address(memory)));
                    memory.JoinWhole(_random.Next(3));
                    break;
                case 9:
                    _now += (ulong)_random.Next(20_000_000);
                    foreach (VirtualMachine watched in world.Machines)
                    {
                        _choosers[watched].Chooser.Tick(watched.Memory, _now);
                        watched.Memory.Settle();
                        _choosers[watched].Policy.Verify();
                    }

                    Fault(world, machine);
                    break;
                case 10:
                    machine.Frames.TryReserve(_random.Next(40));
                    break;
                case 11:
                    Balloon(memory, shadow);
                    break;
                case 12:
                    ulong start = Address(memory);
                    ulong length = (ulong)_random.Next(_random.Next(2) == 0 ? 0x8000 : 0x50_0000);
                    if (memory.ReportFree(new GuestPhysicalAddress(start), length))
                        Lose(shadow, (start + 0xFFF) >> 12, (start + length) >> 12);
                    break;
                case 13:
                    // Pages that others have too: what was never written reads as zeros.
                    for (int i = _random.Next(60); i > 0; i--)
                        Write(memory, shadow, Address(memory) & ~0xFFFUL, (ulong)_random.Next(4));
                    break;
                case 14:
                    world.Sharing!.Scan(world.Machines, (ulong)_random.Next(1, 4_000_000));
                    break;
                case 15:
                    world.Sharing!.ScanAll(world.Machines);
                    break;
                default:
                    if (_random.Next(8) == 0)
                        Remove(world, machine);
                    break;
            }
        }

        private void Balloon(GuestMemoryManager memory, Dictionary<ulong, ulong> shadow)
        {
            GuestFrameNumber[] frames = [.. Enumerable.Range(0, _random.Next(40)).Select(_ => new GuestFrameNumber((Address(memory) >> 12) + (ulong)_random.Next(3)))];
            if (_random.Next(3) == 0)
            {
                foreach (GuestFrameNumber frame in frames)
                    memory.Deflate(frame);
                return;
            }

            BalloonOutcome outcome = memory.Balloon(frames);
            Assert.Equal(frames.Length, (int)(outcome.Taken + outcome.Repeated + outcome.OutsideMemory + outcome.WithoutTable));
            foreach (GuestFrameNumber frame in frames)
            {
                if (memory.IsFrame(frame) && memory.StateOf(frame) == GuestFrameState.Ballooned)
                    Lose(shadow, frame.Value, frame.Value + 1);
            }
        }

        // What the guest gave up reads as zeros.
        private static void Lose(Dictionary<ulong, ulong> shadow, ulong first, ulong end)
        {
            foreach (ulong address in shadow.Keys.Where(key => key >> 12 >= first && key >> 12 < end).ToList())
                shadow[address] = 0;
        }

        // A full store, or one that gives nothing back: the page is where it was, and the next try may go well.
        private void Fault(MemoryWorld world, VirtualMachine machine)
        {
            world.Store.Capacity = _random.Next(2) == 0 ? world.Store.Count : int.MaxValue;
            world.Store.Answer = (PageLoad)_random.Next(3);
            PopulateResult result = machine.Memory.BringIn(new GuestPhysicalAddress(Address(machine.Memory)));
            Assert.True(world.Store.Answer != PageLoad.Done || result is PopulateResult.Mapped or PopulateResult.NoFrame);
            world.Store.Answer = PageLoad.Done;
            world.Store.Capacity = int.MaxValue;
        }

        private int Reclaim(MemoryWorld world, int frames)
        {
            int taken = 0;
            foreach (VirtualMachine machine in world.Machines)
            {
                List<GuestFrameNumber> victims = [];
                for (int i = 0; i < frames && _choosers[machine].Chooser.TryChoose(machine.Memory, out GuestFrameNumber victim); i++)
                    victims.Add(victim);
                taken += machine.Memory.Evict(victims.ToArray());
                _choosers[machine].Chooser.TakeBack();
            }

            _evictions += taken;
            return taken;
        }

        private void Remove(MemoryWorld world, VirtualMachine machine)
        {
            Compare(machine);
            _broken += machine.Memory.Counts.SharingBroken;
            _shadows.Remove(machine);
            world.Remove(machine);
        }

        private void Compare(VirtualMachine machine)
        {
            foreach ((ulong address, ulong _) in _shadows[machine].OrderBy(pair => pair.Key).Take(400))
            {
                if (machine.Memory.StateOf(new GuestPhysicalAddress(address).Frame) != GuestFrameState.Swapped)
                    Read(machine.Memory, _shadows[machine], address);
            }
        }

        private ulong Address(GuestMemoryManager memory) => (ulong)_random.NextInt64((long)memory.SizeInBytes / 8) * 8;

        private void Write(GuestMemoryManager memory, Dictionary<ulong, ulong> shadow, ulong address) =>
            Write(memory, shadow, address, (ulong)_random.NextInt64());

        private static void Write(GuestMemoryManager memory, Dictionary<ulong, ulong> shadow, ulong address, ulong value)
        {
            memory.Write(new GuestPhysicalAddress(address), BitConverter.GetBytes(value));
            shadow[address] = value;
        }

        private static void Read(GuestMemoryManager memory, Dictionary<ulong, ulong> shadow, ulong address)
        {
            Span<byte> bytes = stackalloc byte[8];
            memory.Read(new GuestPhysicalAddress(address), bytes);
            Assert.Equal(shadow.GetValueOrDefault(address), BitConverter.ToUInt64(bytes));
        }
    }
}
