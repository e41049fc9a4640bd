using System.Diagnostics;
using System.Text.Json.Nodes;
using Mmu86.TestKit;
using Xunit;

namespace Mmu86.EndToEnd.Tests;

/// <summary>Processes that write snapshots, and what two of them must have in common.</summary>
internal static class SnapshotProcesses
{
    /// <summary>Starts a process that replaces a snapshot, kills it about when it writes, and does so again and again: the old one stays valid, or the new one is whole.</summary>
    /// <param name="path">The snapshot, alone in its folder.</param>
    /// <param name="command">Writes it anew.</param>
    /// <param name="times">How many are killed.</param>
    /// <param name="longestWait">Milliseconds at most from the beginning of the writing to the kill.</param>
    /// <param name="requireWhole">Reads it and fails where it is not whole.</param>
    public static void KillWhileWriting(string path, string[] command, int times, int longestWait, Action requireWhole)
    {
        string folder = Path.GetDirectoryName(path)!;
        byte[] old = File.ReadAllBytes(path);
        Random random = TestSeed.Case(3);
        int killedInside = 0;
        for (int i = 0; i < times; i++)
        {
            using Process process = Mmu86Process.Start(new Dictionary<string, string>(), command);
            while (!process.HasExited && Directory.GetFiles(folder, "*.partial").Length == 0)
                Thread.Sleep(1);
            Thread.Sleep(random.Next(longestWait));
            process.Kill();
            process.WaitForExit();
            string[] left = [.. Directory.GetFiles(folder, ".*.partial")];
            killedInside += left.Length;
            Array.ForEach(left, File.Delete);
            byte[] now = File.ReadAllBytes(path);
            if (now.AsSpan().SequenceEqual(old))
                continue;

            // It was done before it died.
            requireWhole();
            old = now;
        }

        requireWhole();
        Assert.True(killedInside > 0, "no process died while it was writing");
    }

    /// <summary>A report without what varies from run to run.</summary>
    public static string WithoutHost(string report)
    {
        JsonNode json = JsonNode.Parse(report)!;
        json.AsObject().Remove("host");
        return json.ToJsonString();
    }
}
