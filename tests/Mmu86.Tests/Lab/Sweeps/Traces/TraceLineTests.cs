using System.Text;
using Mmu86.Lab.Sweeps.Traces;
using Mmu86.Paging;
using Xunit;

namespace Mmu86.Tests.Lab.Sweeps.Traces;

/// <summary>Lines of lackey and of plain text.</summary>
public sealed class TraceLineTests
{
    private const string Lackey = """
        ==4611== Lackey, an example Valgrind tool
        --4611-- something said with -v
        I  0401ab70,3
         L 1fff000558,8
         S 04222c40,16
         M 0402a9a0,4
        ==4611==
        """;

    private const string Text = """
        # kind address size

        r 0x1000 8    # a comment
        W	4096,8
        fetch 0XFFFFFFFF80000000 15
        modify 8 1
        """;

    [Fact]
    public void Lackey_LoadsStoresModifiesAndInstructions_AreReadAndValgrindsOwnLinesAreNot() => Assert.Equal(
        [
            new TraceAccess(AccessKind.Fetch, 0x0401ab70, 3), new TraceAccess(AccessKind.Read, 0x1fff000558, 8),
            new TraceAccess(AccessKind.Write, 0x04222c40, 16), new TraceAccess(AccessKind.Write, 0x0402a9a0, 4),
        ],
        Traces.Read(TraceFormat.Lackey, Lackey));

    [Fact]
    public void Text_HexAndDecimalCommentsAndCommas_AreRead() => Assert.Equal(
        [
            new TraceAccess(AccessKind.Read, 0x1000, 8), new TraceAccess(AccessKind.Write, 4096, 8),
            new TraceAccess(AccessKind.Fetch, 0xFFFFFFFF80000000, 15), new TraceAccess(AccessKind.Write, 8, 1),
        ],
        Traces.Read(TraceFormat.Text, Text));

    [Fact]
    public void Text_WithCarriageReturnsAndWithoutAFinalLineEnd_IsTheSame() =>
        Assert.Equal(Traces.Read(TraceFormat.Text, Text), Traces.Read(TraceFormat.Text, Text.ReplaceLineEndings("\r\n").TrimEnd()));

    [Theory]
    [InlineData(TraceFormat.Text, "r 0x1000 8\nq 1 1", "line 2: 'q' is no kind of access")]
    [InlineData(TraceFormat.Text, "r", "line 1: the address is missing")]
    [InlineData(TraceFormat.Text, "r 0x1000", "line 1: the size is missing")]
    [InlineData(TraceFormat.Text, "r 7fff 1", "hexadecimal ones begin with 0x")]
    [InlineData(TraceFormat.Text, "r 0x10000000000000000 1", "no address from 0 to 2^64-1")]
    [InlineData(TraceFormat.Text, "r -1 1", "no address")]
    [InlineData(TraceFormat.Text, "r 1 0", "line 1: an access has 1 to 4096 bytes, not 0")]
    [InlineData(TraceFormat.Text, "r 1 4097", "an access has 1 to 4096 bytes, not 4097")]
    [InlineData(TraceFormat.Text, "r 1 1 1", "'1' is one word too many")]
    [InlineData(TraceFormat.Text, "\u001b[31mred 1 1", "'?[31mred' is no kind")]
    [InlineData(TraceFormat.Lackey, "I  04010173,3\n L 1fff", "line 2: ' L 1fff' is no line of lackey's")]
    [InlineData(TraceFormat.Lackey, "I  04010173,", "no line of lackey's")]
    [InlineData(TraceFormat.Lackey, "I  ,3", "no line of lackey's")]
    [InlineData(TraceFormat.Lackey, "hello, world", "--log-file keeps the program's own output out")]
    [InlineData(TraceFormat.Lackey, " S 04010173,0", "an access has 1 to 4096 bytes, not 0")]
    public void Line_ThatIsWrong_IsNamed(TraceFormat format, string text, string expected) =>
        Assert.Contains(expected, Assert.Throws<TraceException>(() => Traces.Read(format, text)).Message);

    [Fact]
    public void LineWithoutEnd_IsRefusedAndNotKept()
    {
        string message = Assert.Throws<TraceException>(() => Traces.Read(TraceFormat.Text, new string('r', 1 << 20))).Message;

        Assert.Equal("line 1: is longer than 4096 bytes; this is no trace of lines", message);
    }

    [Fact]
    public void Text_OfEveryLengthAroundTheBuffers_IsReadWhole()
    {
        // Lines of different lengths meet the buffer's end in all ways.
        var text = new StringBuilder();
        List<TraceAccess> expected = [];
        for (ulong i = 0; i < 60_000; i++)
        {
            expected.Add(new TraceAccess(AccessKind.Read, i * i * i, 1 + (int)(i % 64)));
            text.Append($"r {i * i * i} {1 + (i % 64)}\n");
        }

        Assert.Equal(expected, Traces.Read(TraceFormat.Text, text.ToString()));
    }

    [Theory]
    [InlineData("==1== Lackey\n", TraceFormat.Lackey)]
    [InlineData("I  04010173,3\n", TraceFormat.Lackey)]
    [InlineData(" L 10,1\n", TraceFormat.Lackey)]
    [InlineData("# a comment\nr 0x10 1\n", TraceFormat.Text)]
    [InlineData("l 10 1\n", TraceFormat.Text)]
    [InlineData("\n\n\n", TraceFormat.Text)]
    [InlineData("MMU86TS\0rest", TraceFormat.Mmu86)]
    [InlineData("\u0010\u0001@\0\0\0\0\0", TraceFormat.ChampSim)]
    public void Format_IsRecognisedFromTheBeginning(string head, TraceFormat expected) =>
        Assert.Equal(expected, TraceRecognition.Recognise(Encoding.Latin1.GetBytes(head)));
}
