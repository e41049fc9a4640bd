using System.Runtime.InteropServices;
using Perfolizer.Horology;

namespace Mmu86.Bench.Reporting;

/// <summary>CPU time of the calling thread in nanoseconds: what else the computer does meanwhile takes none of it.</summary>
internal sealed class ThreadClock : IClock
{
    private const int ThreadCpuTimeClock = 3; // CLOCK_THREAD_CPUTIME_ID
    private const long NanosecondsPerSecond = 1_000_000_000;

    /// <summary>The clock.</summary>
    public static ThreadClock Instance { get; } = new();

    /// <summary>CPU time that this thread has used, in seconds.</summary>
    public static double Seconds => (double)Read() / NanosecondsPerSecond;

    /// <inheritdoc/>
    public string Title => "CPU time of the thread";

    /// <inheritdoc/>
    public bool IsAvailable => OperatingSystem.IsLinux();

    /// <inheritdoc/>
    public Frequency Frequency => new(NanosecondsPerSecond);

    /// <inheritdoc/>
    public long GetTimestamp() => Read();

    private static long Read()
    {
        if (GetTime(ThreadCpuTimeClock, out TimeSpecification time) != 0)
            throw new PlatformNotSupportedException("The operating system has no CPU clock for threads.");
        return (time.Seconds * NanosecondsPerSecond) + time.Nanoseconds;
    }

    [DllImport("libc", EntryPoint = "clock_gettime")]
    private static extern int GetTime(int clock, out TimeSpecification time);

    [StructLayout(LayoutKind.Sequential)]
    private readonly struct TimeSpecification
    {
        public readonly long Seconds;
        public readonly long Nanoseconds;
    }
}
