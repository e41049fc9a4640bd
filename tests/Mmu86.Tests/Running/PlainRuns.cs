using Mmu86.Lab;
using Mmu86.X86;

namespace Mmu86.Tests.Running;

/// <summary>Runs of the small guests as they are, made once for all tests of a class that compare something with them.</summary>
public sealed class PlainRuns
{
    private readonly Dictionary<(string Guest, PagingMode Paging, Fidelity Fidelity), RunTrace> _traces = [];

    internal RunTrace Of(string guest, PagingMode paging, Fidelity fidelity)
    {
        if (!_traces.TryGetValue((guest, paging, fidelity), out RunTrace? trace))
        {
            trace = SmallRuns.Run(SmallRuns.Options(guest, paging, fidelity, PageSize.Size4K), null, null);
            _traces.Add((guest, paging, fidelity), trace);
        }

        return trace;
    }
}
