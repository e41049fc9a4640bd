using System.Reflection;
using Mmu86.TestKit.Rules;
using Xunit;

namespace Mmu86.Conformance.Tests.Rules;

/// <summary>The scan of the sources finds what the compiler finds.</summary>
public sealed class RuleScanTests
{
    [Fact]
    public void Everywhere_ForThisProject_IsWhatReflectionFinds()
    {
        IEnumerable<string> reflected =
            from type in typeof(RuleScanTests).Assembly.GetTypes()
            from member in type.GetMethods().Cast<MemberInfo>().Prepend(type)
            from attribute in member.GetCustomAttributes<RuleAttribute>(inherit: false)
            select $"{attribute.Id} {type.Name}.{(member is Type ? "" : member.Name)}";

        IEnumerable<string> scanned =
            from test in RuleScan.Everywhere()
            where test.File.StartsWith("tests/Mmu86.Conformance.Tests/", StringComparison.Ordinal)
            select $"{test.Row} {test.Class}.{test.Method}";

        Assert.Equal(reflected.Order(StringComparer.Ordinal), scanned.Order(StringComparer.Ordinal));
    }

    [Fact]
    public void Of_AttributesOfClassAndMethods_NamesWhatCarriesThem()
    {
        string[] source =
        [
            Attribute("A01"),
            "public sealed class First",
            "{",
            $"    [Fact, {Attribute("A02")[1..]}",
            "    [InlineData(1,",
            "        2)]",
            $"    {Attribute("A03")}",
            "    public async Task Does_This()",
            "    public void Does_That(int a)",
            "}",
            Attribute("A04"),
            "internal sealed partial class Second;",
        ];

        Assert.Equal(
            [new("A01", "x/F.cs", "First", null), new("A02", "x/F.cs", "First", "Does_This"), new("A03", "x/F.cs", "First", "Does_This"), new("A04", "x/F.cs", "Second", null)],
            RuleScan.Of("x/F.cs", source));
    }

    [Fact]
    public void Of_AttributeBeforeNothing_IsAnError() =>
        Assert.Throws<FormatException>(() => RuleScan.Of("F.cs", ["class A", "{", Attribute("A01"), "    private int _field;", "}"]));

    // Not written out, or the scan would find it here.
    private static string Attribute(string row) => $"[Rule({'"'}{row}{'"'})]";
}
