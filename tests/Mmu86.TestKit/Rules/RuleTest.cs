namespace Mmu86.TestKit.Rules;

/// <summary>That a test holds a row.</summary>
/// <param name="Row">The row's id.</param>
/// <param name="File">The source file, relative to the repository, with forward slashes.</param>
/// <param name="Class">The test class.</param>
/// <param name="Method">The test method; null where the attribute stands on the class.</param>
public sealed record RuleTest(string Row, string File, string Class, string? Method);
