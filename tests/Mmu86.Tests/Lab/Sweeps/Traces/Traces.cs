using System.Text;
using Mmu86.Lab.Sweeps.Traces;

namespace Mmu86.Tests.Lab.Sweeps.Traces;

/// <summary>Reads traces that stand in the tests.</summary>
internal static class Traces
{
    /// <summary>All accesses of a text.</summary>
    public static List<TraceAccess> Read(TraceFormat format, string text) => Read(format, Encoding.UTF8.GetBytes(text));

    /// <summary>All accesses of bytes.</summary>
    public static List<TraceAccess> Read(TraceFormat format, byte[] bytes)
    {
        using TraceReader reader = TraceReader.Of(format, new MemoryStream(bytes));
        return Read(reader);
    }

    /// <summary>All accesses.</summary>
    public static List<TraceAccess> Read(TraceReader reader)
    {
        List<TraceAccess> accesses = [];
        while (reader.TryRead(out TraceAccess access))
            accesses.Add(access);
        return accesses;
    }

    /// <summary>A record of ChampSim's.</summary>
    public static byte[] Record(ulong ip, ulong[] destinations, ulong[] sources)
    {
        byte[] record = new byte[64];
        BitConverter.TryWriteBytes(record, ip);
        for (int i = 0; i < destinations.Length; i++)
            BitConverter.TryWriteBytes(record.AsSpan(16 + (8 * i)), destinations[i]);
        for (int i = 0; i < sources.Length; i++)
            BitConverter.TryWriteBytes(record.AsSpan(32 + (8 * i)), sources[i]);
        return record;
    }
}
