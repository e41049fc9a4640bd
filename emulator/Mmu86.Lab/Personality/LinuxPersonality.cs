using System.Text;
using Mmu86.Loaders.Processes;
using Mmu86.Memory;

namespace Mmu86.Lab.Personality;

/// <summary>Answers what static Linux executables ask for: output, exit, memory, time and the questions of their start-up code.</summary>
/// <remarks>
/// The process is alone: no files, no signals, no threads, an empty standard input and pipes for output. Calls that would need
/// more return ENOSYS and are counted in <see cref="Unanswered"/>. Everything is determined by the image, the seed and the clock.
/// </remarks>
public sealed class LinuxPersonality : IPersonality
{
    /// <summary>The process id, which is the id of its only thread too.</summary>
    public const int ProcessId = 1000;

    /// <summary>User and group of the process; the loader's auxiliary vector says the same.</summary>
    public const int UserId = 1000;

    // A guest may call any number; those beyond the kernel's table are counted together.
    private const ulong HighestNumberCounted = 1023;

    private const ulong NanosecondsPerSecond = 1_000_000_000;

    // CLOCK_REALTIME begins at 2000-01-01T00:00:00Z in every run.
    private const ulong EpochSeconds = 946_684_800;

    private const ulong ClockRealTime = 0;
    private const ulong ClockRealTimeCoarse = 5;
    private const ulong ClockTai = 11;

    private const ulong SetGs = 0x1001;
    private const ulong SetFs = 0x1002;
    private const ulong GetFs = 0x1003;
    private const ulong GetGs = 0x1004;

    private const ulong RobustListBytes = 24;
    private const ulong LimitCount = 16;
    private const ulong StackLimit = 3;
    private const ulong RandomFlags = 7;
    private const ulong EmptyPathFlag = 0x1000;
    private const int UtsFieldBytes = 65;

    // Keeps getrandom from repeating the bytes of AT_RANDOM, which come from the same seed.
    private const ulong RandomStream = 0x6765_7472_616E_646F;

    private const string Section = "process";
    private const int MostUnanswered = 2048;
    private const int MostNameBytes = 64;

    private static readonly string[] s_utsFields = ["Linux", "mmu86", "6.1.0", "#1 Mmu86", "x86_64", "(none)"];

    private readonly LinuxFiles _files;
    private readonly OrderedDictionary<string, long> _unanswered = [];
    private ulong _randomState;

    /// <summary>Makes the personality of one process.</summary>
    /// <param name="output">Where its descriptor 1 goes.</param>
    /// <param name="error">Where its descriptor 2 goes.</param>
    /// <param name="seed">What getrandom is derived from.</param>
    public LinuxPersonality(Stream output, Stream error, ulong seed)
    {
        _files = new LinuxFiles(output, error);
        _randomState = seed ^ RandomStream;
    }

    /// <inheritdoc/>
    public IReadOnlyDictionary<string, long> Unanswered => _unanswered;

    /// <inheritdoc/>
    public SystemCallOutcome Answer(in SystemCall call, IProcessMachine machine)
    {
        var number = (SystemCallNumber)(uint)call.Number;
        return number is SystemCallNumber.Exit or SystemCallNumber.ExitGroup
            ? SystemCallOutcome.Exit(call.Argument0)
            : SystemCallOutcome.Resume(Result(number, call, machine));
    }

    /// <summary>Writes the section <c>process</c>: descriptors, random numbers, what went unanswered, and the address space.</summary>
    public void SaveState(StateWriter writer, ProcessAddressSpace space)
    {
        writer.Begin(Section);
        space.Save(writer);
        _files.Save(writer);
        writer.Write(_randomState);
        writer.Write(_unanswered.Count);
        foreach ((string name, long times) in _unanswered)
        {
            writer.Write(name);
            writer.Write((ulong)times);
        }

        writer.End();
    }

    /// <summary>Reads it back.</summary>
    public void LoadState(StateReader reader, ProcessAddressSpace space)
    {
        reader.Open(Section);
        space.Load(reader);
        _files.Load(reader);
        _randomState = reader.ReadUInt64("random");
        _unanswered.Clear();
        for (int left = reader.ReadInt32("unanswered", 0, MostUnanswered); left > 0; left--)
            _unanswered[reader.ReadText("name", MostNameBytes)] = (long)reader.ReadUInt64("times", 0, long.MaxValue);
        reader.Close();
    }

    private long Result(SystemCallNumber number, in SystemCall call, IProcessMachine machine) => number switch
    {
        SystemCallNumber.Read => _files.Read(call.Argument0),
        SystemCallNumber.Write => _files.Write(call.Argument0, call.Argument1, call.Argument2, machine),
        SystemCallNumber.Writev => _files.WriteVector(call.Argument0, call.Argument1, call.Argument2, machine),
        SystemCallNumber.Close => _files.Close(call.Argument0),
        SystemCallNumber.Lseek => _files.Seek(call.Argument0),
        SystemCallNumber.Ioctl => _files.Control(call.Argument0),
        SystemCallNumber.Fstat => _files.Status(call.Argument0, call.Argument1, machine),
        SystemCallNumber.Newfstatat => StatusAt(call, machine),
        SystemCallNumber.Readlink => Fail(Errno.NoSuchFile),
        SystemCallNumber.Brk => LinuxMemory.Break(call.Argument0, machine.AddressSpace),
        SystemCallNumber.Mmap => LinuxMemory.Map(call, _files, machine.AddressSpace),
        SystemCallNumber.Munmap => LinuxMemory.Unmap(call.Argument0, call.Argument1, machine.AddressSpace),
        SystemCallNumber.Mprotect => LinuxMemory.Protect(call.Argument0, call.Argument1, call.Argument2, machine.AddressSpace),
        SystemCallNumber.ClockGettime => ClockTime(call.Argument0, call.Argument1, machine),
        SystemCallNumber.ClockGetres => ClockResolution(call.Argument0, call.Argument1, machine),
        SystemCallNumber.Gettimeofday => TimeOfDay(call.Argument0, machine),
        SystemCallNumber.Time => Time(call.Argument0, machine),
        SystemCallNumber.SchedYield => 0,
        SystemCallNumber.Getpid or SystemCallNumber.Gettid => ProcessId,
        SystemCallNumber.SetTidAddress => ProcessId,
        SystemCallNumber.Getuid or SystemCallNumber.Geteuid or SystemCallNumber.Getgid or SystemCallNumber.Getegid => UserId,
        SystemCallNumber.Uname => Name(call.Argument0, machine),
        SystemCallNumber.ArchPrctl => SegmentBase(call.Argument0, call.Argument1, machine),
        SystemCallNumber.SetRobustList => call.Argument1 == RobustListBytes ? 0 : Fail(Errno.Invalid),
        SystemCallNumber.Prlimit64 => Limit(call, machine),
        SystemCallNumber.Getrandom => Random(call, machine),
        _ => Refuse(call.Number),
    };

    // Only what fstat could answer too: there is no path to look up.
    private long StatusAt(in SystemCall call, IProcessMachine machine)
    {
        Span<byte> first = stackalloc byte[1];
        if (!machine.TryReadAll(call.Argument1, first))
            return Fail(Errno.BadAddress);
        if (first[0] != 0)
            return Fail(Errno.NoSuchFile);
        return (call.Argument3 & EmptyPathFlag) != 0 ? _files.Status(call.Argument0, call.Argument2, machine) : Fail(Errno.NoSuchFile);
    }

    private static long ClockTime(ulong clock, ulong buffer, IProcessMachine machine)
    {
        if (!IsClock(clock))
            return Fail(Errno.Invalid);
        ulong epoch = (uint)clock is (uint)ClockRealTime or (uint)ClockRealTimeCoarse or (uint)ClockTai ? EpochSeconds : 0;
        ulong now = machine.VirtualNanoseconds;
        return machine.TryWritePair(buffer, epoch + (now / NanosecondsPerSecond), now % NanosecondsPerSecond) ? 0 : Fail(Errno.BadAddress);
    }

    private static long ClockResolution(ulong clock, ulong buffer, IProcessMachine machine)
    {
        if (!IsClock(clock))
            return Fail(Errno.Invalid);
        return buffer == 0 || machine.TryWritePair(buffer, 0, 1) ? 0 : Fail(Errno.BadAddress);
    }

    // CLOCK_REALTIME to CLOCK_BOOTTIME, and CLOCK_TAI; alarm clocks and clocks of other processes are not there.
    private static bool IsClock(ulong clock) => (uint)clock <= 7 || (uint)clock == ClockTai;

    private static long TimeOfDay(ulong buffer, IProcessMachine machine)
    {
        ulong now = machine.VirtualNanoseconds;
        ulong microseconds = now % NanosecondsPerSecond / 1000;
        return buffer == 0 || machine.TryWritePair(buffer, EpochSeconds + (now / NanosecondsPerSecond), microseconds) ? 0 : Fail(Errno.BadAddress);
    }

    private static long Time(ulong buffer, IProcessMachine machine)
    {
        ulong seconds = EpochSeconds + (machine.VirtualNanoseconds / NanosecondsPerSecond);
        return buffer == 0 || machine.TryWriteAll(buffer, BitConverter.GetBytes(seconds)) ? (long)seconds : Fail(Errno.BadAddress);
    }

    private static long Name(ulong buffer, IProcessMachine machine)
    {
        byte[] fields = new byte[UtsFieldBytes * s_utsFields.Length];
        for (int i = 0; i < s_utsFields.Length; i++)
            Encoding.ASCII.GetBytes(s_utsFields[i], fields.AsSpan(i * UtsFieldBytes));
        return machine.TryWriteAll(buffer, fields) ? 0 : Fail(Errno.BadAddress);
    }

    private static long SegmentBase(ulong code, ulong value, IProcessMachine machine)
    {
        switch (code)
        {
            case SetFs or SetGs when value >= ProcessLayout.StackEnd.Value:
                return Fail(Errno.NotPermitted);
            case SetFs:
                machine.FsBase = value;
                return 0;
            case SetGs:
                machine.GsBase = value;
                return 0;
            case GetFs:
                return machine.TryWriteAll(value, BitConverter.GetBytes(machine.FsBase)) ? 0 : Fail(Errno.BadAddress);
            case GetGs:
                return machine.TryWriteAll(value, BitConverter.GetBytes(machine.GsBase)) ? 0 : Fail(Errno.BadAddress);
            default:
                return Fail(Errno.Invalid);
        }
    }

    private static long Limit(in SystemCall call, IProcessMachine machine)
    {
        if ((uint)call.Argument0 is not (0 or ProcessId))
            return Fail(Errno.NoSuchProcess);
        if ((uint)call.Argument1 >= LimitCount)
            return Fail(Errno.Invalid);
        if (call.Argument2 != 0)
            return Fail(Errno.NotPermitted);
        ulong current = (uint)call.Argument1 == StackLimit ? ProcessLayout.StackBytes : ulong.MaxValue;
        return call.Argument3 == 0 || machine.TryWritePair(call.Argument3, current, ulong.MaxValue) ? 0 : Fail(Errno.BadAddress);
    }

    private long Random(in SystemCall call, IProcessMachine machine)
    {
        if ((call.Argument2 & ~RandomFlags) != 0)
            return Fail(Errno.Invalid);
        Span<byte> chunk = stackalloc byte[256];
        ulong length = Math.Min(call.Argument1, int.MaxValue);
        ulong done = 0;
        while (done < length)
        {
            int part = (int)Math.Min((ulong)chunk.Length, length - done);
            for (int i = 0; i < part; i += sizeof(ulong))
                BitConverter.TryWriteBytes(chunk[i..], NextRandom());
            ulong address = unchecked(call.Argument0 + done);
            if (address < call.Argument0 || !machine.TryWriteAll(address, chunk[..part]))
                return done == 0 ? Fail(Errno.BadAddress) : (long)done;
            done += (ulong)part;
        }

        return (long)done;
    }

    // SplitMix64: any seed gives a full-period stream.
    private ulong NextRandom()
    {
        ulong mixed = _randomState = unchecked(_randomState + 0x9E37_79B9_7F4A_7C15);
        mixed = unchecked((mixed ^ (mixed >> 30)) * 0xBF58_476D_1CE4_E5B9);
        mixed = unchecked((mixed ^ (mixed >> 27)) * 0x94D0_49BB_1331_11EB);
        return mixed ^ (mixed >> 31);
    }

    private long Refuse(ulong number)
    {
        uint low = (uint)number;
        string name = Enum.GetName((SystemCallNumber)low) is string known ? KernelName(known) : low <= HighestNumberCounted ? $"number {low}" : "other numbers";
        _unanswered[name] = _unanswered.GetValueOrDefault(name) + 1;
        return Fail(Errno.NoSuchCall);
    }

    // RtSigaction is rt_sigaction. Names with a digit at the end (dup2, wait4) need no care.
    private static string KernelName(string name) =>
        string.Concat(name.Select((c, i) => char.IsUpper(c) ? (i == 0 ? "" : "_") + char.ToLowerInvariant(c) : c.ToString()));

    private static long Fail(Errno error) => -(long)error;
}
