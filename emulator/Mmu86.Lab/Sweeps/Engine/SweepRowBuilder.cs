using System.Text.Json.Nodes;
using Mmu86.Cpu;
using Mmu86.Lab.Configuration;
using Mmu86.Lab.Machines;
using Mmu86.Lab.Reports;
using Mmu86.Lab.Sweeps.Grids;
using Mmu86.Paging;
using Mmu86.X86;

namespace Mmu86.Lab.Sweeps.Engine;

/// <summary>Makes rows of what consumers counted in one run.</summary>
/// <param name="options">The run.</param>
/// <param name="runs">How it was recorded.</param>
/// <param name="mark">What the base machine had counted at the end.</param>
internal sealed class SweepRowBuilder(RunOptions options, RecordedRuns runs, StreamMark mark)
{
    private string Paging => options.Paging.ToString().ToLowerInvariant();

    /// <summary>The rows of a one-pass family.</summary>
    public IEnumerable<SweepRow> Rows(OnePassConsumer family)
    {
        LruFamilyRequest request = family.Request;
        long lookups = (long)(request.IsInstruction ? mark.FetchBySize : mark.DataBySize)[(int)request.PageSize];
        long levels = family.ReferencesOfAWalk;
        foreach (int sets in request.Sets)
        {
            foreach (int ways in request.Ways)
            {
                long misses = family.Misses(sets, ways);
                yield return new SweepRow
                {
                    Structure = request.IsInstruction ? "l1i" : "l1d",
                    PageSize = RunReportBuilder.NameOf(request.PageSize),
                    Sets = sets,
                    Ways = ways,
                    Replacement = "lru",
                    Hash = "linear",
                    Lookups = lookups,
                    Misses = misses,
                    Mpki = Mpki(misses),
                    WalkReferences = misses * levels,
                    Paging = Paging,
                };
            }
        }
    }

    /// <summary>The row of a machine.</summary>
    /// <param name="request">What the grid asks of it.</param>
    /// <param name="settings">What it sets.</param>
    /// <param name="machine">The machine.</param>
    /// <param name="statistics">What it counted.</param>
    public SweepRow Row(ModelRequest request, IReadOnlyList<string> settings, MachineDescription machine, MmuStatistics statistics)
    {
        TlbStatistics level = request.Structure switch
        {
            "l1i" => statistics.L1Instruction,
            "l1d" => statistics.L1Data,
            _ => statistics.L2,
        };
        long misses = (long)(request.PageSize is PageSize size ? level[size].Misses : level.Misses);
        WalkCounts walks = new RunCountsReader(machine, options.Paging, Fidelity.Tlb).Read(new CpuCounters(), statistics).Walks!;
        JsonNode? array = request.Array is null ? null : Find(machine, request.Array);
        return new SweepRow
        {
            Structure = request.Structure,
            PageSize = request.PageSize is PageSize named ? RunReportBuilder.NameOf(named) : null,
            Sets = array?["sets"]?.GetValue<int>(),
            Ways = array?["ways"]?.GetValue<int>(),
            Replacement = array?["replacement"]?.GetValue<string>(),
            Hash = array?["hash"]?.GetValue<string>(),
            Lookups = Lookups(request, level),
            Misses = misses,
            Mpki = Mpki(misses),
            WalkReferences = walks.References,
            WalkCycles = walks.Cycles,
            Paging = Paging,
            Settings = string.Join(' ', settings),
            Walks = walks.Count,
        };
    }

    // The shortcut's hits are in the stream only where each lookup is; elsewhere the base machine's count is the member's too (StreamRules).
    private long Lookups(ModelRequest request, TlbStatistics level)
    {
        if (request.Structure == "l2" || runs == RecordedRuns.Strict)
            return (long)(request.PageSize is PageSize held ? level[held].Lookups : level.Lookups);
        bool isInstruction = request.Structure == "l1i";
        if (request.PageSize is PageSize size)
            return (long)(isInstruction ? mark.FetchBySize : mark.DataBySize)[(int)size];
        return (long)(isInstruction ? mark.FetchLookups : mark.DataLookups);
    }

    private double Mpki(long misses) => mark.Instructions == 0 ? 0 : misses * 1000.0 / mark.Instructions;

    private static JsonNode? Find(MachineDescription machine, string path) =>
        ConfigurationPath.TryResolve(JsonNode.Parse(MachineJson.Write(machine))!, path, out JsonNode? node, out _) ? node : null;
}
