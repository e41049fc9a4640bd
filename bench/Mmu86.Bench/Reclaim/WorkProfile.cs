using System.Runtime.InteropServices;
using Microsoft.Win32.SafeHandles;

namespace Mmu86.Bench.Reclaim;

/// <summary>Says which part of a thread's CPU time each work takes: another thread looks now and then what it is at.</summary>
/// <remarks>
/// The thread only notes what it begins and ends, a store each: a clock read around work of some ten nanoseconds would cost more than the work. A look counts
/// if the thread's CPU clock went on since the last one, and if it does not wait for anything: swap makes it wait.
/// </remarks>
internal sealed class WorkProfile : IDisposable
{
    private const int LeastMicroseconds = 20;
    private const int MostMicroseconds = 80;
    private const int StatusBytes = 512;

    private readonly int[] _looks = new int[Enum.GetValues<HostWork>().Length];
    private readonly int _clock;
    private readonly SafeFileHandle _status;
    private readonly Thread _looker;
    private volatile int _current;
    private volatile bool _ends;

    // What ended goes on for as long as nothing else begins.
    private bool _lingers;

    // Looks at what is neither the guest's nor the hypervisor's yet: nobody knows before the guest is asked what it has done.
    private int _pending;

    /// <summary>Begins to look at the calling thread.</summary>
    public WorkProfile()
    {
        if (GetCpuClock(GetThread(), out _clock) != 0)
            throw new PlatformNotSupportedException("The operating system has no CPU clock for threads.");
        _status = File.OpenHandle($"/proc/self/task/{GetThreadId()}/stat");
        _looker = new Thread(Look) { IsBackground = true, Name = "looks at the host" };
        _looker.Start();
    }

    /// <summary>Forgets everything up to now.</summary>
    public void Restart()
    {
        foreach (ref int looks in _looks.AsSpan())
            _ = Interlocked.Exchange(ref looks, 0);
        _ = Interlocked.Exchange(ref _pending, 0);
        _lingers = false;
        _current = (int)HostWork.Hypervisor;
    }

    /// <summary>Work begins.</summary>
    /// <returns>The work around it, for <see cref="End"/>.</returns>
    public HostWork Begin(HostWork work)
    {
        HostWork outer = _lingers ? HostWork.Hypervisor : (HostWork)_current;
        _lingers = false;
        _current = (int)work;
        return outer;
    }

    /// <summary>Work ends.</summary>
    public void End(HostWork outer) => _current = (int)outer;

    /// <summary>Work ends, but what follows up to the next work, or to the next question to a guest, is part of it.</summary>
    public void Linger() => _lingers = true;

    /// <summary>Tells whose the time outside other work was since the last call.</summary>
    public void Ran(bool isGuest)
    {
        if (_lingers)
        {
            _lingers = false;
            _current = (int)HostWork.Hypervisor;
        }

        if (Volatile.Read(ref _pending) != 0)
            _ = Interlocked.Add(ref _looks[(int)(isGuest ? HostWork.Guest : HostWork.Hypervisor)], Interlocked.Exchange(ref _pending, 0));
    }

    /// <summary>How often each work was seen, by its number.</summary>
    public int[] Read() => [.. _looks];

    /// <summary>Looks no more.</summary>
    public void Dispose()
    {
        _ends = true;
        _looker.Join();
        _status.Dispose();
    }

    private void Look()
    {
        var random = new Random(1);
        (long, long) last = default;
        while (!_ends)
        {
            _ = Sleep((uint)random.Next(LeastMicroseconds, MostMicroseconds));
            int work = _current;
            (long, long) now = ReadClock();
            if (now == last || (work == (int)HostWork.Swap && Waits()))
                continue;
            last = now;
            _ = work == (int)HostWork.Hypervisor ? Interlocked.Increment(ref _pending) : Interlocked.Increment(ref _looks[work]);
        }
    }

    // "id (name) R": it runs, or could if it had a processor.
    private bool Waits()
    {
        Span<byte> text = stackalloc byte[StatusBytes];
        text = text[..RandomAccess.Read(_status, text, 0)];
        int state = text.LastIndexOf((byte)')') + 2;
        return text[state] != (byte)'R';
    }

    private (long Seconds, long Nanoseconds) ReadClock()
    {
        if (GetTime(_clock, out TimeSpecification time) != 0)
            throw new PlatformNotSupportedException("The CPU clock of another thread cannot be read.");
        return (time.Seconds, time.Nanoseconds);
    }

    [DllImport("libc", EntryPoint = "gettid")]
    private static extern int GetThreadId();

    [DllImport("libc", EntryPoint = "pthread_self")]
    private static extern nint GetThread();

    [DllImport("libc", EntryPoint = "pthread_getcpuclockid")]
    private static extern int GetCpuClock(nint thread, out int clock);

    [DllImport("libc", EntryPoint = "clock_gettime")]
    private static extern int GetTime(int clock, out TimeSpecification time);

    [DllImport("libc", EntryPoint = "usleep")]
    private static extern int Sleep(uint microseconds);

    [StructLayout(LayoutKind.Sequential)]
    private readonly struct TimeSpecification
    {
        public readonly long Seconds;
        public readonly long Nanoseconds;
    }
}
