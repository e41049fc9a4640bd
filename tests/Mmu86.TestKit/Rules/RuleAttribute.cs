namespace Mmu86.TestKit.Rules;

/// <summary>Says that a test holds a row of the conformance checklist. <c>docs/SPECIFICATION.md</c> lists the tests of each row by it.</summary>
/// <param name="id">The row, such as <c>P04</c>, <c>E17</c> or <c>N02</c>.</param>
[AttributeUsage(AttributeTargets.Method | AttributeTargets.Class, AllowMultiple = true)]
public sealed class RuleAttribute(string id) : Attribute
{
    /// <summary>The row.</summary>
    public string Id { get; } = id;
}
