using System.Runtime.InteropServices;

namespace Mmu86.Lab.Running;

/// <summary>CPU time of the calling thread: what a run cost, whatever else the computer did meanwhile.</summary>
internal static class ThreadCpuTime
{
    private const int ThreadCpuTimeClock = 3; // CLOCK_THREAD_CPUTIME_ID

    /// <summary>CPU time that this thread has used since it started.</summary>
    public static TimeSpan Now
    {
        get
        {
            if (GetTime(ThreadCpuTimeClock, out TimeSpecification time) != 0)
                throw new PlatformNotSupportedException("The operating system has no CPU clock for threads.");
            return new TimeSpan((time.Seconds * TimeSpan.TicksPerSecond) + (time.Nanoseconds / TimeSpan.NanosecondsPerTick));
        }
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
