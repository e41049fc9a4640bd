using System.Text;
using Xunit;

namespace Mmu86.Conformance.Tests.Paging;

/// <summary>Collects what differs, so that one run of a long test shows more than its first difference.</summary>
internal sealed class MismatchLog
{
    private const int Shown = 20;

    private readonly StringBuilder _text = new();

    /// <summary>How many differences there were.</summary>
    public int Count { get; private set; }

    /// <summary>Whether there are so many that going on tells nothing new.</summary>
    public bool IsFull => Count >= Shown;

    /// <summary>Adds a difference: the inputs in one line, what the judge says, what came.</summary>
    public void Add(string inputs, string expected, string got)
    {
        Count++;
        if (Count <= Shown)
            _text.Append(inputs).Append("\n    expected ").Append(expected).Append("\n    got      ").Append(got).Append('\n');
    }

    /// <summary>Fails the test with the first differences.</summary>
    public void AssertNone() => Assert.True(Count == 0, $"{Count} mismatches, the first {Math.Min(Count, Shown)}:\n{_text}");
}
