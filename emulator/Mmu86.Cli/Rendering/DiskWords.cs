namespace Mmu86.Cli.Rendering;

/// <summary>What is told of guests' disks at the end of a run.</summary>
internal static class DiskWords
{
    /// <summary>That requests failed, and why.</summary>
    /// <param name="owner">Whose disk it is.</param>
    /// <param name="failures">How many, at least 1.</param>
    /// <param name="last">Why the last of them did; null where it is not known.</param>
    public static string Failures(string owner, ulong failures, string? last) =>
        $"{owner}: {failures} {(failures == 1 ? "request" : "requests")} to its disk failed{(last is null ? "" : $", the last because {last}")}; the guest was told so";
}
