using Mmu86.Lab.Machines;
using Mmu86.Paging;
using Xunit;

namespace Mmu86.Tests.Lab;

public sealed class MachineComparisonTests
{
    [Fact]
    public void Tables_OfAllPresets_HaveARowForEachAndFitIntoEightyColumns()
    {
        MachineDescription[] machines = [.. MachineCatalogue.Names.Select(MachineCatalogue.Preset)];
        foreach (IReadOnlyList<IReadOnlyList<string>> table in new[] { MachineComparison.Tlbs(machines), MachineComparison.Caches(machines) })
        {
            Assert.Equal(["machine", .. MachineCatalogue.Names], table.Select(row => row[0]));
            int width = Enumerable.Range(0, table[0].Count).Sum(column => table.Max(row => row[column].Length) + 2) - 2;
            Assert.InRange(width, 1, 80);
        }
    }

    [Fact]
    public void Tlbs_ArraysOfOneSize_AreCountedTogetherWithoutThoseOfStores()
    {
        IReadOnlyList<string> row = MachineComparison.Tlbs([MachineCatalogue.Preset("golden-cove")])[1];
        Assert.Equal(["golden-cove", "256/8", "32/8", "96/6", "32/4", "2048/8", "1024/8", "1024/8", "-", "1g"], row);
    }

    [Fact]
    public void Policies_AreThoseOfTheModel()
    {
        Assert.Equal(Enum.GetValues<Replacement>(), ReplacementPolicy.All.Select(policy => policy.Replacement));
        Assert.All(ReplacementPolicy.All, policy => Assert.NotEmpty(policy.Meaning));
        Assert.Contains(ReplacementPolicy.All, policy => policy.Name == "mru3Plru");
    }
}
