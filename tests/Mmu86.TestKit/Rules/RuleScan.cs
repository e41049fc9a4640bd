using System.Text.RegularExpressions;

namespace Mmu86.TestKit.Rules;

/// <summary>Finds <see cref="RuleAttribute"/>s in the sources of the tests: the book names tests of projects that do not know each other.</summary>
public static partial class RuleScan
{
    /// <summary>All of the working copy, by file and in the order in which they stand there.</summary>
    public static IReadOnlyList<RuleTest> Everywhere()
    {
        var found = new List<RuleTest>();
        foreach (string path in Sources().Order(StringComparer.Ordinal))
            found.AddRange(Of(path, File.ReadLines(Path.Combine(Repository.Root, path))));
        return found;
    }

    /// <summary>Those of one file.</summary>
    /// <param name="path">What the results call it.</param>
    /// <param name="lines">Its text.</param>
    /// <exception cref="FormatException">An attribute stands before nothing that could carry it.</exception>
    public static IReadOnlyList<RuleTest> Of(string path, IEnumerable<string> lines)
    {
        var found = new List<RuleTest>();
        var waiting = new List<string>();
        string name = Path.GetFileNameWithoutExtension(path);
        foreach (string line in lines)
        {
            if (line.TrimStart().StartsWith('['))
                waiting.AddRange(Attributes().Matches(line).Select(match => match.Groups[1].Value));
            else if (ClassDeclaration().Match(line) is { Success: true } type)
                Attach(name = type.Groups[1].Value, null);
            else if (MethodDeclaration().Match(line) is { Success: true } method)
                Attach(name, method.Groups[1].Value);
        }

        return waiting.Count == 0 ? found : throw new FormatException($"{path}: {waiting[0]} stands before no test.");

        void Attach(string type, string? method)
        {
            found.AddRange(waiting.Select(row => new RuleTest(row, path, type, method)));
            waiting.Clear();
        }
    }

    private static IEnumerable<string> Sources() =>
        from path in Directory.EnumerateFiles(Path.Combine(Repository.Root, "tests"), "*.cs", SearchOption.AllDirectories)
        let relative = Path.GetRelativePath(Repository.Root, path).Replace('\\', '/')
        where !relative.Contains("/bin/") && !relative.Contains("/obj/")
        select relative;

    [GeneratedRegex("""\bRule\("([^"]*)"\)""")]
    private static partial Regex Attributes();

    [GeneratedRegex(@"^\s*(?:\w+ )*class (\w+)")]
    private static partial Regex ClassDeclaration();

    [GeneratedRegex(@"^\s*public (?:async )?(?:void|Task) (\w+)\(")]
    private static partial Regex MethodDeclaration();
}
