using Mmu86.Paging;
using Mmu86.X86;
using Xunit;

namespace Mmu86.Tests.Paging;

/// <summary>The slow side allocates nothing: not for a lookup, a walk, a fault, an invalidation or a change of context.</summary>
public sealed class AllocationTests
{
    [Theory]
    [InlineData("skylake", false)]
    [InlineData("skylake", true)]
    [InlineData("uncached", true)]
    [InlineData("small-pages-only", true)]
    [InlineData("random", false)]
    [InlineData("coalescing", false)]
    [InlineData("coalescing", true)]
    public void Run_EverythingOnTheSlowSide_AllocatesNothing(string machine, bool nested)
    {
        using var fuzz = new FuzzWorld(nested, PageSize.Size4K, FuzzMachines.Coalescing.Contains(machine) ? PageMix.Runs : PageMix.MostlySmall, 9);
        Mmu<Unobserved> mmu = fuzz.World.Mmu(FuzzMachines.Get(machine));
        // Once to see every address space, once to measure.
        Drive(fuzz, mmu);

        long before = GC.GetAllocatedBytesForCurrentThread();
        ulong faults = Drive(fuzz, mmu);
        long after = GC.GetAllocatedBytesForCurrentThread();

        Assert.True(faults > 0);
        Assert.Equal(before, after);
    }

    private static ulong Drive(FuzzWorld fuzz, Mmu<Unobserved> mmu)
    {
        ulong state = 88172645463325252;
        ulong faults = 0;
        ulong fetches = 0;
        for (int n = 0; n < 20_000; n++)
        {
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            var address = new LinearAddress((state & 3) == 0 ? 0x1_0000_0000 + (state >> 43) : 0x40_0000 + ((state >> 20) & 0x7F_FFF));
            AccessKind kind = (AccessKind)((state >> 8) % 3);
            AccessMode mode = (AccessMode)((state >> 12) % 4);
            fetches += kind == AccessKind.Fetch ? 1UL : 0;
            if (!mmu.TryTranslate(address, kind, mode, out Translation translation))
            {
                faults++;
                mmu.InvalidateAfterPageFault(address);
            }
            else if (kind == AccessKind.Fetch)
            {
                mmu.EnterCodePage(address, fetches);
                mmu.OfferFetch(new LinearAddress(address.Value & ~0xFFFUL), mode == AccessMode.User ? AccessMode.User : AccessMode.Supervisor, 8);
                mmu.RevokeWrites(translation.Address.Frame);
            }

            switch (n % 100)
            {
                case 10:
                    mmu.InvalidatePage(address);
                    break;
                case 30:
                    mmu.InvalidatePcid(mmu.Context.Pcid);
                    break;
                case 40:
                    mmu.SetContext(fuzz.Contexts[(n / 100) % fuzz.Contexts.Length]);
                    break;
                case 50:
                    mmu.InvalidateAll();
                    break;
                case 60:
                    mmu.InvalidateEptAll();
                    break;
                case 70:
                    mmu.InvalidateVpid(1);
                    break;
            }
        }

        return faults;
    }
}
