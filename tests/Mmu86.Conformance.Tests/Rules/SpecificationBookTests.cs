using Mmu86.TestKit;
using Mmu86.TestKit.Rules;
using Xunit;

namespace Mmu86.Conformance.Tests.Rules;

/// <summary>docs/SPECIFICATION.md says what the checklist and the tests say.</summary>
public sealed class SpecificationBookTests
{
    private static readonly string Path = System.IO.Path.Combine(Repository.Root, "docs", "SPECIFICATION.md");

    /// <summary>With MMU86_WRITE_BOOK=1 the book is written first; the comparison then shows that it can be read back.</summary>
    [Fact]
    public void Render_OfChecklistAndTests_IsTheBookInDocs()
    {
        string rendered = new SpecificationBook(Checklist.Load(), RuleScan.Everywhere()).Render();
        if (Environment.GetEnvironmentVariable("MMU86_WRITE_BOOK") == "1")
            File.WriteAllText(Path, rendered);

        string inDocs = File.Exists(Path) ? File.ReadAllText(Path) : "";

        Assert.True(inDocs == rendered, $"docs/SPECIFICATION.md is not what the checklist and the tests say; its first lines tell how to write it anew.{FirstDifference(inDocs, rendered)}");
    }

    private static string FirstDifference(string inDocs, string rendered)
    {
        string[] old = inDocs.Split('\n');
        string[] wanted = rendered.Split('\n');
        int line = 0;
        while (line < old.Length && line < wanted.Length && old[line] == wanted[line])
            line++;
        return $"\nLine {line + 1} is: {old.ElementAtOrDefault(line)}\nIt should be: {wanted.ElementAtOrDefault(line)}";
    }
}
