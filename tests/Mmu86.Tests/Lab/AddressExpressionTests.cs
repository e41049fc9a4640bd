using Mmu86.Lab.Diagnostics;
using Xunit;

namespace Mmu86.Tests.Lab;

public sealed class AddressExpressionTests
{
    [Theory]
    [InlineData("0x1000", 0x1000UL)]
    [InlineData("0XfF", 0xFFUL)]
    [InlineData("L:0x7fff0000", 0x7FFF_0000UL)]
    [InlineData("4096", 4096UL)]
    [InlineData("rsp", 0x7000UL)]
    [InlineData("RSP", 0x7000UL)]
    [InlineData("rsp+8", 0x7008UL)]
    [InlineData("rsp - 0x10", 0x6FF0UL)]
    [InlineData("rsp+0x10-8", 0x7008UL)]
    [InlineData("table+rcx", 0x5003UL)]
    [InlineData("entry", 0x40_0000UL)]
    [InlineData("_start.part-1", 0x40_1FFFUL)]
    [InlineData("rcx-4", ulong.MaxValue)]
    [InlineData("0xffffffffffffffff+2", 1UL)]
    public void Evaluate_Expression_IsItsAddress(string text, ulong expected)
    {
        AddressExpression? expression = AddressExpression.Parse(text, out string problem);
        Assert.Equal("", problem);
        Assert.True(expression!.TryEvaluate(new Names(), out ulong address, out _));
        Assert.Equal(expected, address);
    }

    [Theory]
    [InlineData("", "an address, a register or a symbol is missing")]
    [InlineData("rsp+", "an address, a register or a symbol is missing")]
    [InlineData("-8", "an address, a register or a symbol is missing")]
    [InlineData("rsp++8", "an address, a register or a symbol is missing")]
    [InlineData("7fff", "'7fff' is not a decimal number; hex begins with 0x: '0x7fff'")]
    [InlineData("0x", "'0x' is not a 64-bit number")]
    [InlineData("0x10000000000000000", "'0x10000000000000000' is not a 64-bit number")]
    [InlineData("18446744073709551616", "'18446744073709551616' is not a decimal number; hex begins with 0x: '0x18446744073709551616'")]
    public void Parse_NoAddress_SaysWhy(string text, string expected)
    {
        Assert.Null(AddressExpression.Parse(text, out string problem));
        Assert.Equal(expected, problem);
    }

    [Fact]
    public void Evaluate_UnknownName_IsNamedWithASuggestion()
    {
        AddressExpression expression = AddressExpression.Parse("rps+8", out _)!;
        Assert.False(expression.TryEvaluate(new Names(), out _, out string problem));
        Assert.Equal("there is no register or symbol 'rps'; did you mean 'rsp'?", problem);
    }

    [Fact]
    public void Where_Entry_IsBeforeTheFirstInstruction() => Assert.Equal(0UL, Where.Parse("entry", out _)!.Instruction);

    [Fact]
    public void Where_Number_IsBeforeThatInstruction() => Assert.Equal(1000UL, Where.Parse("#1000", out _)!.Instruction);

    [Fact]
    public void Where_Symbol_IsAnAddress() => Assert.Equal("main+4", Where.Parse("main+4", out _)!.Address!.Text);

    [Theory]
    [InlineData("#")]
    [InlineData("#x")]
    [InlineData("#-1")]
    [InlineData("")]
    public void Where_Nothing_SaysWhy(string text)
    {
        Assert.Null(Where.Parse(text, out string problem));
        Assert.NotEqual("", problem);
    }

    private sealed class Names : IAddressNames
    {
        private static readonly Dictionary<string, ulong> s_registers = new() { ["rsp"] = 0x7000, ["rcx"] = 3, ["rip"] = 0x40_0000 };
        private static readonly Dictionary<string, ulong> s_symbols = new() { ["table"] = 0x5000, ["entry"] = 0x40_0000, ["_start.part"] = 0x40_2000 };

        public IEnumerable<string> Registers => s_registers.Keys;

        public bool TryGetRegister(string name, out ulong value) => s_registers.TryGetValue(name, out value);

        public bool TryGetSymbol(string name, out ulong value) => s_symbols.TryGetValue(name, out value);
    }
}
