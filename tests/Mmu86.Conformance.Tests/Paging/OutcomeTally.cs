using Mmu86.Paging;
using Mmu86.TestKit.Paging;
using Mmu86.X86;
using Xunit;

namespace Mmu86.Conformance.Tests.Paging;

/// <summary>Counts what a sampled test met, so that a sample which meets nothing fails.</summary>
internal sealed class OutcomeTally
{
    private readonly SortedDictionary<string, int> _counts = [];

    /// <summary>Counts one outcome.</summary>
    public void Add(ReferenceWalk walk)
    {
        string name = walk.Fault is { } fault
            ? fault.Failure == TranslationFailure.PageFault ? $"{fault.Failure} {fault.ErrorCode}" : $"{fault.Failure} at reference {walk.References.Count}"
            : $"Translation {walk.Translation!.Value.GuestPageSize} {walk.Translation.Value.EptPageSize}";
        Count(name);
        if (walk.Fault is { Failure: TranslationFailure.EptViolation } violation && (violation.Qualification & EptViolationQualification.GuestPagingVerification) != 0)
            Count("EptViolation by verification");

        void Count(string counted) => _counts[counted] = _counts.GetValueOrDefault(counted) + 1;
    }

    /// <summary>Fails the test unless it met each outcome, by name, and translations in one access of five.</summary>
    public void AssertMet(IEnumerable<string> names)
    {
        string tally = string.Join('\n', _counts.Select(pair => $"{pair.Key}: {pair.Value}"));
        int translations = _counts.Where(pair => pair.Key.StartsWith("Translation", StringComparison.Ordinal)).Sum(pair => pair.Value);
        Assert.True(translations * 5 > _counts.Values.Sum(), $"Too few translations:\n{tally}");
        foreach (string name in names)
            Assert.True(_counts.ContainsKey(name), $"Never met '{name}':\n{tally}");
    }
}
