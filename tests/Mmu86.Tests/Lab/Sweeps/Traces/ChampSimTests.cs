using Mmu86.Lab.Sweeps.Traces;
using Mmu86.Paging;
using Xunit;

namespace Mmu86.Tests.Lab.Sweeps.Traces;

/// <summary>ChampSim's records.</summary>
public sealed class ChampSimTests
{
    [Fact]
    public void Record_LoadsAndStores_FollowTheirInstruction()
    {
        byte[] trace = [.. Traces.Record(0x401000, [0x7000], [0x5000, 0x6000]), .. Traces.Record(0x401004, [], [])];

        Assert.Equal(
            [
                new TraceAccess(AccessKind.Fetch, 0x401000, 1), new TraceAccess(AccessKind.Read, 0x5000, 1), new TraceAccess(AccessKind.Read, 0x6000, 1),
                new TraceAccess(AccessKind.Write, 0x7000, 1), new TraceAccess(AccessKind.Fetch, 0x401004, 1),
            ],
            Traces.Read(TraceFormat.ChampSim, trace));
    }

    [Fact]
    public void AddressThatIsLoadedAndStored_IsOneAccessWithWriteIntent() => Assert.Equal(
        [new TraceAccess(AccessKind.Fetch, 0x401000, 1), new TraceAccess(AccessKind.Write, 0x5000, 1), new TraceAccess(AccessKind.Write, 0x7000, 1)],
        Traces.Read(TraceFormat.ChampSim, Traces.Record(0x401000, [0x7000, 0x5000], [0x5000])));

    [Fact]
    public void RecordThatIsCutOff_IsNamedByItsByte()
    {
        byte[] trace = [.. Traces.Record(1, [], []), .. Traces.Record(2, [], [])];

        Assert.Equal(
            "byte 64: the last record has 63 of 64 bytes; the trace was cut off",
            Assert.Throws<TraceException>(() => Traces.Read(TraceFormat.ChampSim, trace[..^1])).Message);
    }

    [Fact]
    public void ManyRecords_AreReadAcrossBuffers()
    {
        byte[] trace = [.. Enumerable.Range(0, 10_000).SelectMany(i => Traces.Record((ulong)i, [], [(ulong)i + 1]))];

        List<TraceAccess> accesses = Traces.Read(TraceFormat.ChampSim, trace);

        Assert.Equal(20_000, accesses.Count);
        Assert.Equal(new TraceAccess(AccessKind.Read, 10_000, 1), accesses[^1]);
    }
}
