using System.Globalization;

namespace Mmu86.Bench.GuestPaging;

/// <summary>A memory cgroup (version 1): processes that together may have so much memory and no more. What is over goes to the computer's swap.</summary>
internal sealed class MemoryGroup : IDisposable
{
    private const string Root = "/sys/fs/cgroup/memory";

    private readonly string _folder;

    private MemoryGroup(string folder) => _folder = folder;

    /// <summary>Where a process writes its number to belong to it.</summary>
    public string ProcessFile => Path.Combine(_folder, "cgroup.procs");

    /// <summary>The most memory that its processes had.</summary>
    public long PeakBytes => Read("memory.max_usage_in_bytes");

    /// <summary>Pages that the computer has read from swap since it was started, for anyone.</summary>
    public static double SwappedIn => File.ReadLines("/proc/vmstat")
        .Where(line => line.StartsWith("pswpin ", StringComparison.Ordinal))
        .Select(line => double.Parse(line.AsSpan(7), CultureInfo.InvariantCulture))
        .First();

    /// <summary>Makes one.</summary>
    /// <exception cref="IOException">There are none here, or they need more rights.</exception>
    public static MemoryGroup Create()
    {
        if (!File.Exists(Path.Combine(Root, "memory.limit_in_bytes")))
            throw new IOException($"{Root} has no memory.limit_in_bytes");
        string folder = Path.Combine(Root, $"mmu86-bench-{Environment.ProcessId}");
        try
        {
            Directory.CreateDirectory(folder);
        }
        catch (UnauthorizedAccessException exception)
        {
            throw new IOException(exception.Message, exception);
        }

        return new MemoryGroup(folder);
    }

    /// <summary>Lets it have so much from now on, and forgets its peak.</summary>
    public void Limit(long bytes)
    {
        Write("memory.limit_in_bytes", bytes);
        Write("memory.max_usage_in_bytes", 0);
    }

    /// <inheritdoc/>
    public void Dispose() => Directory.Delete(_folder);

    private long Read(string name) => long.Parse(File.ReadAllText(Path.Combine(_folder, name)), CultureInfo.InvariantCulture);

    private void Write(string name, long value) => File.WriteAllText(Path.Combine(_folder, name), value.ToString(CultureInfo.InvariantCulture));
}
