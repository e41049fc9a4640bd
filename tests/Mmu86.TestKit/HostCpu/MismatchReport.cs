using System.Text;
using Iced.Intel;

namespace Mmu86.TestKit.HostCpu;

/// <summary>Collects cases that came out differently, by mnemonic, a few of each in full.</summary>
public sealed class MismatchReport
{
    private readonly int _shownOfEach;
    private readonly SortedDictionary<string, Group> _groups = [];

    /// <summary>Makes an empty report.</summary>
    /// <param name="shownOfEach">How many cases of one mnemonic are told in full.</param>
    public MismatchReport(int shownOfEach) => _shownOfEach = shownOfEach;

    /// <summary>How many cases were added.</summary>
    public int Count { get; private set; }

    /// <summary>Adds a case that came out differently.</summary>
    /// <param name="index">Its index in the generator.</param>
    /// <param name="subject">Which subject it was.</param>
    /// <param name="test">The case.</param>
    /// <param name="differences">From <see cref="CaseComparer.Compare"/>.</param>
    public void Add(long index, string subject, in InstructionCase test, IReadOnlyList<string> differences)
    {
        Count++;
        Instruction[] instructions = CaseText.Decode(test);
        string key = instructions.Length == 0 ? "nothing" : instructions[0].Mnemonic.ToString();
        if (!_groups.TryGetValue(key, out Group? group))
            _groups.Add(key, group = new Group());
        group.Count++;
        if (group.Count <= _shownOfEach)
            group.Text.AppendLine($"  case {index}, {subject}: {CaseText.Describe(test)}").AppendLine($"    {string.Join("; ", differences)}");
    }

    /// <inheritdoc/>
    public override string ToString()
    {
        StringBuilder text = new();
        text.AppendLine($"{Count} cases differ: {string.Join(", ", _groups.OrderByDescending(group => group.Value.Count).Select(group => $"{group.Key} {group.Value.Count}"))}");
        foreach ((string _, Group group) in _groups)
            text.Append(group.Text);
        return text.ToString();
    }

    private sealed class Group
    {
        public int Count { get; set; }

        public StringBuilder Text { get; } = new();
    }
}
