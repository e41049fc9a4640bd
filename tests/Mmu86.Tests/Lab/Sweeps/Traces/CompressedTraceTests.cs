using System.IO.Compression;
using System.Text;
using Mmu86.Lab.Sweeps.Traces;
using Xunit;

namespace Mmu86.Tests.Lab.Sweeps.Traces;

/// <summary>Compressed traces: recognised, read whole, and never mistaken for whole where they are cut off.</summary>
public sealed class CompressedTraceTests
{
    // Two lines, by XZ Utils.
    private const string XzOfTwoLines = "/Td6WFoAAATm1rRGAgAhARYAAAB0L+WjAQAVciAweDEwMDAgOAp3IDB4MjAwMCA0CgAAAPVM6qAZC7iOAAEuFlYJVd8ftvN9AQAAAAAEWVo=";

    public static TheoryData<string> Methods() => ["gzip", "zlib", "br", "zstd"];

    [Theory]
    [MemberData(nameof(Methods))]
    public void CompressedText_IsReadAsItIs(string method)
    {
        string text = Lines(20_000);
        using var file = new TraceOnDisk(Compress(method, text), Ending(method));

        Assert.Equal(TraceFormat.Text, file.Trace.Format);
        Assert.Equal(Traces.Read(TraceFormat.Text, text), file.Read());
    }

    [Theory]
    [MemberData(nameof(Methods))]
    public void CompressedFile_CutAnywhere_IsRefused(string method)
    {
        byte[] whole = Compress(method, Lines(3000));
        for (int length = 1000; length < whole.Length; length += Math.Max(1, (whole.Length - length) / 10))
        {
            using var file = new TraceOnDisk(whole[..length], Ending(method));
            string message = Assert.Throws<TraceException>(file.Read).Message;
            Assert.Contains($"data is damaged or cut off before byte {length} of the file", message);
        }
    }

    [Theory]
    [InlineData("gzip")]
    [InlineData("zstd")]
    public void SeveralCompressedFilesInOne_AreReadOneBehindTheOther(string method)
    {
        using var file = new TraceOnDisk([.. Compress(method, Lines(10)), .. Compress(method, Lines(20))], "");

        Assert.Equal(30, file.Read().Count);
    }

    [Fact]
    public void Xz_OneAndTwoInOne_AreRead()
    {
        byte[] xz = Convert.FromBase64String(XzOfTwoLines);
        using var one = new TraceOnDisk(xz, "");
        using var two = new TraceOnDisk([.. xz, .. xz], "");
        using var cut = new TraceOnDisk(xz[..^1], "");

        Assert.Equal(Traces.Read(TraceFormat.Text, "r 0x1000 8\nw 0x2000 4"), one.Read());
        Assert.Equal(4, two.Read().Count);
        Assert.Contains("the xz data is damaged or cut off", Assert.Throws<TraceException>(cut.Read).Message);
    }

    [Fact]
    public void RecordsThatBeginAsZlibDoes_AreRecords()
    {
        using var file = new TraceOnDisk([.. Traces.Record(0x9C78, [], []), .. Traces.Record(0x9C79, [], [])], "");

        Assert.Equal(TraceFormat.ChampSim, file.Trace.Format);
        Assert.Equal(2, file.Read().Count);
    }

    [Fact]
    public void Pipe_IsReadOnceAndHashedAsItPasses()
    {
        byte[] bytes = Compress("gzip", Lines(50_000));
        using TraceFile trace = TraceFile.Find("-", null, () => new MemoryStream(bytes));
        using (TraceReader reader = TraceReader.Of(trace.Format, trace.Open()))
            Assert.Equal(50_000, Traces.Read(reader).Count);

        Assert.Equal(Convert.ToHexStringLower(System.Security.Cryptography.SHA256.HashData(bytes)), trace.Program.Sha256);
        Assert.Contains("can be read only once", Assert.Throws<TraceException>(trace.Open).Message);
    }

    [Fact]
    public void FileThatIsNotThere_OrADirectory_IsToldSo()
    {
        Assert.Equal("/nowhere/at/all: there is no such file", Assert.Throws<TraceException>(() => TraceFile.Find("/nowhere/at/all", null, Stream () => Stream.Null)).Message);
        Assert.Equal("/tmp: is a directory", Assert.Throws<TraceException>(() => TraceFile.Find("/tmp", null, Stream () => Stream.Null)).Message);
    }

    private static string Lines(int count)
    {
        var text = new StringBuilder();
        for (int i = 0; i < count; i++)
            text.Append($"r {(ulong)i * 0x9E37_79B9 % 0x7FFF_FFFF} 8\n");
        return text.ToString();
    }

    private static string Ending(string method) => method == "br" ? ".br" : "";

    private static byte[] Compress(string method, string text)
    {
        var bytes = new MemoryStream();
        using (Stream stream = method switch
        {
            "gzip" => new GZipStream(bytes, CompressionLevel.Optimal),
            "zlib" => new ZLibStream(bytes, CompressionLevel.Optimal),
            "br" => new BrotliStream(bytes, CompressionLevel.Fastest),
            _ => new ZstdSharp.CompressionStream(bytes),
        })
        {
            stream.Write(Encoding.UTF8.GetBytes(text));
        }

        return bytes.ToArray();
    }

    private sealed class TraceOnDisk : IDisposable
    {
        private readonly string _path;

        public TraceOnDisk(byte[] bytes, string ending)
        {
            _path = Path.GetTempFileName() + ending;
            File.WriteAllBytes(_path, bytes);
            Trace = TraceFile.Find(_path, null, () => throw new InvalidOperationException());
        }

        public TraceFile Trace { get; }

        public List<TraceAccess> Read()
        {
            using TraceReader reader = TraceReader.Of(Trace.Format, Trace.Open());
            return Traces.Read(reader);
        }

        public void Dispose()
        {
            Trace.Dispose();
            File.Delete(_path);
        }
    }
}
