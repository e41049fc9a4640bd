using Mmu86.Hypervisor.Frames;
using Mmu86.Memory;
using Mmu86.X86;

namespace Mmu86.Tests.Hypervisor;

/// <summary>The seeded bug: it forgets every seventh frame.</summary>
internal sealed class ForgetfulScrubber : IFrameScrubber
{
    private int _calls;

    public void Scrub(HostMemory memory, HostPhysicalAddress start, ulong length)
    {
        if (++_calls % 7 != 0)
            memory.Clear(start, length);
    }
}
