using System.Text;
using Mmu86.Lab.Personality;
using Mmu86.Loaders.Processes;
using Xunit;

namespace Mmu86.Tests.Lab;

public sealed class LinuxPersonalityTests : IDisposable
{
    private const ulong Kernel = 0xFFFF_8000_0000_0000;
    private const long BadAddress = -(long)Errno.BadAddress;
    private const long BadDescriptor = -(long)Errno.BadDescriptor;
    private const long Invalid = -(long)Errno.Invalid;

    private readonly ProcessMachineFixture _process = new();

    public void Dispose() => _process.Dispose();

    [Fact]
    public void Write_AcrossTwoPages_GoesToItsSink()
    {
        byte[] text = Encoding.ASCII.GetBytes(new string('x', 5000) + "end");
        _process.Put(_process.Buffer + 100, text);
        Assert.Equal(text.Length, _process.Call(SystemCallNumber.Write, 1, _process.Buffer + 100, (ulong)text.Length));
        Assert.Equal(3, _process.Call(SystemCallNumber.Write, 2, _process.Buffer + 5100, 3));
        Assert.Equal(text, _process.Output.ToArray());
        Assert.Equal("end"u8.ToArray(), _process.Error.ToArray());
    }

    [Fact]
    public void Write_RangeThatEndsInUnmappedMemory_WritesTheMappedPart()
    {
        ulong unmapped = _process.Buffer + (2 * 4096);
        Assert.Equal(0, _process.Call(SystemCallNumber.Munmap, unmapped, 4096));
        Assert.Equal(6, _process.Call(SystemCallNumber.Write, 1, unmapped - 6, ulong.MaxValue));
        Assert.Equal(6, _process.Output.Length);
    }

    [Theory]
    [InlineData(0UL)]
    [InlineData(0x10UL)]
    [InlineData(Kernel)]
    [InlineData(0x0000_8000_0000_0000UL)]
    [InlineData(ulong.MaxValue)]
    [InlineData(ulong.MaxValue - 4095)]
    public void Write_BadPointer_IsEfaultAndWritesNothing(ulong buffer)
    {
        Assert.Equal(BadAddress, _process.Call(SystemCallNumber.Write, 1, buffer, 16));
        Assert.Equal(BadAddress, _process.Call(SystemCallNumber.Write, 1, buffer, ulong.MaxValue));
        Assert.Equal(0, _process.Call(SystemCallNumber.Write, 1, buffer, 0));
        Assert.Equal(0, _process.Output.Length);
    }

    [Theory]
    [InlineData(0UL)]
    [InlineData(3UL)]
    [InlineData(uint.MaxValue)]
    [InlineData(ulong.MaxValue)]
    public void Write_NoDescriptorForOutput_IsEbadf(ulong descriptor) =>
        Assert.Equal(BadDescriptor, _process.Call(SystemCallNumber.Write, descriptor, _process.Buffer, 1));

    [Fact]
    public void Write_DescriptorWithHighBits_IsThe32BitDescriptor() =>
        Assert.Equal(1, _process.Call(SystemCallNumber.Write, 0x1_0000_0001, _process.Buffer, 1));

    [Fact]
    public void Write_AfterClose_IsEbadf()
    {
        Assert.Equal(0, _process.Call(SystemCallNumber.Close, 1));
        Assert.Equal(BadDescriptor, _process.Call(SystemCallNumber.Write, 1, _process.Buffer, 1));
        Assert.Equal(BadDescriptor, _process.Call(SystemCallNumber.Close, 1));
    }

    [Fact]
    public void Writev_TwoParts_AreWrittenInOrder()
    {
        ulong vectors = _process.Buffer;
        _process.Put(_process.Buffer + 256, "abcdef"u8);
        Vectors(vectors, (_process.Buffer + 259, 3), (0, 0), (_process.Buffer + 256, 3));
        Assert.Equal(6, _process.Call(SystemCallNumber.Writev, 1, vectors, 3));
        Assert.Equal("defabc"u8.ToArray(), _process.Output.ToArray());
    }

    [Fact]
    public void Writev_HostileVectors_GiveErrorsOrTheGoodPart()
    {
        ulong vectors = _process.Buffer;
        Vectors(vectors, (_process.Buffer, 5), (Kernel, 100));
        Assert.Equal(5, _process.Call(SystemCallNumber.Writev, 1, vectors, 2));
        Vectors(vectors, (Kernel, 100), (_process.Buffer, 5));
        Assert.Equal(BadAddress, _process.Call(SystemCallNumber.Writev, 1, vectors, 2));
        Vectors(vectors, (_process.Buffer, long.MaxValue), (_process.Buffer, 5));
        Assert.Equal(Invalid, _process.Call(SystemCallNumber.Writev, 1, vectors, 2));
        Vectors(vectors, (_process.Buffer, ulong.MaxValue));
        Assert.Equal(Invalid, _process.Call(SystemCallNumber.Writev, 1, vectors, 1));
        Assert.Equal(Invalid, _process.Call(SystemCallNumber.Writev, 1, vectors, 1025));
        Assert.Equal(Invalid, _process.Call(SystemCallNumber.Writev, 1, vectors, ulong.MaxValue));
        Assert.Equal(BadAddress, _process.Call(SystemCallNumber.Writev, 1, Kernel, 1));
        Assert.Equal(0, _process.Call(SystemCallNumber.Writev, 1, Kernel, 0));
    }

    [Theory]
    [InlineData(SystemCallNumber.Exit, 3UL, 3)]
    [InlineData(SystemCallNumber.ExitGroup, 256UL, 0)]
    [InlineData(SystemCallNumber.ExitGroup, ulong.MaxValue, 255)]
    public void Exit_AnyStatus_EndsWithItsLowByte(SystemCallNumber number, ulong status, int expected) =>
        Assert.Equal(expected, _process.Outcome((ulong)number, status).ExitStatus);

    [Fact]
    public void Brk_GrowAndShrink_MapsAndUnmapsZeros()
    {
        ulong start = (ulong)_process.Call(SystemCallNumber.Brk, 0);
        Assert.Equal((long)start + 10000, _process.Call(SystemCallNumber.Brk, start + 10000));
        Assert.Equal(0UL, _process.GetQuad(start + 9992));
        _process.Put(start + 8192, [7]);
        Assert.Equal((long)start + 1, _process.Call(SystemCallNumber.Brk, start + 1));
        Assert.Equal(BadAddress, _process.Call(SystemCallNumber.Write, 1, start + 8192, 1));
    }

    [Theory]
    [InlineData(1UL)]
    [InlineData(Kernel)]
    [InlineData(ulong.MaxValue)]
    [InlineData(0x7FFF_8000_0000UL)]
    public void Brk_Impossible_StaysWhereItIs(ulong wanted)
    {
        long start = _process.Call(SystemCallNumber.Brk, 0);
        Assert.Equal(start, _process.Call(SystemCallNumber.Brk, wanted));
    }

    [Fact]
    public void Mmap_Anonymous_GivesZerosThatMunmapTakes()
    {
        ulong start = (ulong)_process.Call(SystemCallNumber.Mmap, 0, 5000, 3, 0x22, ulong.MaxValue, 0);
        Assert.Equal(0UL, start & 0xFFF);
        Assert.Equal(0UL, _process.GetQuad(start + 8184));
        Assert.Equal(0, _process.Call(SystemCallNumber.Munmap, start, 5000));
        Assert.Equal(BadAddress, _process.Call(SystemCallNumber.Write, 1, start, 1));
    }

    [Fact]
    public void Mmap_Fixed_IsWhereItWasAskedFor()
    {
        const ulong Address = 0x1234_5000_0000;
        Assert.Equal((long)Address, _process.Call(SystemCallNumber.Mmap, Address, 4096, 3, 0x32, ulong.MaxValue, 0));
        Assert.Equal(-(long)Errno.Exists, _process.Call(SystemCallNumber.Mmap, Address, 4096, 3, 0x10_0022, ulong.MaxValue, 0));
        Assert.Equal((long)Address, _process.Call(SystemCallNumber.Mmap, Address, 4096, 3, 0x32, ulong.MaxValue, 0));
    }

    [Fact]
    public void Mmap_FreeHint_IsTaken() =>
        Assert.Equal(0x1234_5000_0000, _process.Call(SystemCallNumber.Mmap, 0x1234_5000_0123, 4096, 3, 0x22, ulong.MaxValue, 0));

    [Theory]
    [InlineData(0UL, 0UL, 0x22UL, Errno.Invalid)]
    [InlineData(0UL, 4096UL, 0x20UL, Errno.Invalid)]
    [InlineData(0UL, 4096UL, 0x02UL, Errno.BadDescriptor)]
    [InlineData(0UL, ulong.MaxValue, 0x22UL, Errno.NoMemory)]
    [InlineData(0UL, 1UL << 40, 0x22UL, Errno.NoMemory)]
    [InlineData(0UL, 4096UL, 0x4_0022UL, Errno.NoMemory)]
    [InlineData(0x1001UL, 4096UL, 0x32UL, Errno.Invalid)]
    [InlineData(0xFFFF_F000UL, ulong.MaxValue, 0x10_0022UL, Errno.Invalid)]
    [InlineData(Kernel, 4096UL, 0x32UL, Errno.Invalid)]
    [InlineData(ulong.MaxValue - 4095, 4096UL, 0x10_0022UL, Errno.Invalid)]
    public void Mmap_Impossible_GivesAnErrorNumber(ulong address, ulong length, ulong flags, Errno error) =>
        Assert.Equal(-(long)error, _process.Call(SystemCallNumber.Mmap, address, length, 3, flags, ulong.MaxValue, 0));

    [Theory]
    [InlineData(1UL, 4096UL, 1UL, Errno.Invalid)]
    [InlineData(0x1234_5000_0000UL, 4096UL, 1UL, Errno.NoMemory)]
    [InlineData(0x1234_5000_0000UL, ulong.MaxValue, 1UL, Errno.Invalid)]
    [InlineData(0x1234_5000_0000UL, 4096UL, 8UL, Errno.Invalid)]
    public void Mprotect_Impossible_GivesAnErrorNumber(ulong address, ulong length, ulong protection, Errno error) =>
        Assert.Equal(-(long)error, _process.Call(SystemCallNumber.Mprotect, address, length, protection));

    [Fact]
    public void Mprotect_None_TakesThePagesAway()
    {
        Assert.Equal(0, _process.Call(SystemCallNumber.Mprotect, _process.Buffer, 4096, 0));
        Assert.Equal(BadAddress, _process.Call(SystemCallNumber.Write, 1, _process.Buffer, 1));
    }

    [Theory]
    [InlineData(0UL, 946_684_803UL)]
    [InlineData(1UL, 3UL)]
    [InlineData(7UL, 3UL)]
    public void ClockGettime_VirtualClock_IsSecondsAndNanoseconds(ulong clock, ulong seconds)
    {
        Assert.Equal(0, _process.Call(SystemCallNumber.ClockGettime, clock, _process.Buffer));
        Assert.Equal((seconds, 7UL), (_process.GetQuad(_process.Buffer), _process.GetQuad(_process.Buffer + 8)));
        Assert.Equal(BadAddress, _process.Call(SystemCallNumber.ClockGettime, clock, Kernel));
        Assert.Equal(BadAddress, _process.Call(SystemCallNumber.ClockGettime, clock, ulong.MaxValue - 7));
    }

    [Fact]
    public void ClockGettime_UnknownClock_IsEinval() => Assert.Equal(Invalid, _process.Call(SystemCallNumber.ClockGettime, 99, _process.Buffer));

    [Fact]
    public void ClockGettime_ReadOnlyBuffer_IsEfault()
    {
        (_process.ReadOnlyStart, _process.ReadOnlyEnd) = (_process.Buffer, _process.Buffer + 4096);
        Assert.Equal(BadAddress, _process.Call(SystemCallNumber.ClockGettime, 1, _process.Buffer + 8));
    }

    [Fact]
    public void ArchPrctl_SetFs_SetsTheBaseAndGetFsReadsIt()
    {
        Assert.Equal(0, _process.Call(SystemCallNumber.ArchPrctl, 0x1002, 0x1234));
        Assert.Equal(0x1234UL, _process.FsBase);
        Assert.Equal(0, _process.Call(SystemCallNumber.ArchPrctl, 0x1003, _process.Buffer));
        Assert.Equal(0x1234UL, _process.GetQuad(_process.Buffer));
        Assert.Equal(-(long)Errno.NotPermitted, _process.Call(SystemCallNumber.ArchPrctl, 0x1001, Kernel));
        Assert.Equal(Invalid, _process.Call(SystemCallNumber.ArchPrctl, 0x3001, 0));
    }

    [Fact]
    public void Getrandom_SameSeed_GivesTheSameBytes()
    {
        using var again = new ProcessMachineFixture();
        using var other = new ProcessMachineFixture(seed: 2);
        Assert.Equal(300, _process.Call(SystemCallNumber.Getrandom, _process.Buffer, 300, 0));
        Assert.Equal(300, again.Call(SystemCallNumber.Getrandom, again.Buffer, 300, 0));
        Assert.Equal(300, other.Call(SystemCallNumber.Getrandom, other.Buffer, 300, 0));
        Assert.Equal(_process.Get(_process.Buffer, 300), again.Get(again.Buffer, 300));
        Assert.NotEqual(_process.Get(_process.Buffer, 300), other.Get(other.Buffer, 300));
        Assert.Equal(BadAddress, _process.Call(SystemCallNumber.Getrandom, Kernel, ulong.MaxValue, 0));
    }

    [Fact]
    public void Prlimit64_Stack_IsWhatTheLoaderMapped()
    {
        Assert.Equal(0, _process.Call(SystemCallNumber.Prlimit64, 0, 3, 0, _process.Buffer));
        Assert.Equal(ProcessLayout.StackBytes, _process.GetQuad(_process.Buffer));
        Assert.Equal(-(long)Errno.NotPermitted, _process.Call(SystemCallNumber.Prlimit64, 0, 3, _process.Buffer, 0));
        Assert.Equal(-(long)Errno.NoSuchProcess, _process.Call(SystemCallNumber.Prlimit64, 77, 3, 0, _process.Buffer));
    }

    [Fact]
    public void Uname_Always_NamesLinuxOnX86()
    {
        Assert.Equal(0, _process.Call(SystemCallNumber.Uname, _process.Buffer));
        byte[] fields = _process.Get(_process.Buffer, 6 * 65);
        Assert.Equal("Linux", Encoding.ASCII.GetString(fields, 0, 65).TrimEnd('\0'));
        Assert.Equal("x86_64", Encoding.ASCII.GetString(fields, 4 * 65, 65).TrimEnd('\0'));
    }

    [Fact]
    public void Fstat_StandardOutput_IsAPipe()
    {
        Assert.Equal(0, _process.Call(SystemCallNumber.Fstat, 1, _process.Buffer));
        Assert.Equal(0x1180u, BitConverter.ToUInt32(_process.Get(_process.Buffer + 24, 4)));
        Assert.Equal(-(long)Errno.NotATerminal, _process.Call(SystemCallNumber.Ioctl, 1, 0x5401, _process.Buffer));
        Assert.Equal(-(long)Errno.IllegalSeek, _process.Call(SystemCallNumber.Lseek, 1, 0, 0));
        Assert.Equal(0, _process.Call(SystemCallNumber.Read, 0, Kernel, 100));
    }

    [Fact]
    public void Unanswered_Calls_AreCountedByNameAndBounded()
    {
        Assert.Equal(-(long)Errno.NoSuchCall, _process.Call(SystemCallNumber.Openat, 0, 0));
        Assert.Equal(-(long)Errno.NoSuchCall, _process.Call(SystemCallNumber.RtSigaction, 0, 0));
        Assert.Equal(-(long)Errno.NoSuchCall, _process.Call(SystemCallNumber.RtSigaction, 0, 0));
        for (ulong number = 1000; number < 5000; number++)
            Assert.Equal(-(long)Errno.NoSuchCall, _process.Outcome(number).Result);
        Assert.Equal(1, _process.Linux.Unanswered["openat"]);
        Assert.Equal(2, _process.Linux.Unanswered["rt_sigaction"]);
        Assert.Equal(1, _process.Linux.Unanswered["number 1023"]);
        Assert.Equal(5000 - 1024, _process.Linux.Unanswered["other numbers"]);
    }

    [Fact]
    public void AnyCall_RandomArguments_NeverThrows()
    {
        var random = new Random(86);
        SystemCallNumber[] numbers = [.. Enum.GetValues<SystemCallNumber>()];
        ulong[] interesting =
            [0, 1, 2, 3, 8, 0x1000, 0x22, 0x32, 4095, 4096, 1 << 20, uint.MaxValue, 1UL << 46, 0x7FFF_FFFF_F000, Kernel, ulong.MaxValue, ulong.MaxValue - 4095];
        for (int round = 0; round < 20_000; round++)
        {
            ulong[] arguments = [.. Enumerable.Range(0, 6).Select(_ => random.Next(4) switch
            {
                0 => (ulong)random.NextInt64(),
                1 => _process.Buffer + (ulong)random.Next(8192),
                _ => interesting[random.Next(interesting.Length)],
            })];
            SystemCallOutcome outcome = _process.Outcome((ulong)numbers[random.Next(numbers.Length)], arguments);
            Assert.True(outcome.ExitStatus is not null || outcome.Result >= -133);
            _process.Output.SetLength(0);
        }
    }

    private void Vectors(ulong address, params (ulong Buffer, ulong Length)[] vectors)
    {
        foreach ((ulong buffer, ulong length) in vectors)
        {
            _process.Put(address, BitConverter.GetBytes(buffer));
            _process.Put(address + 8, BitConverter.GetBytes(length));
            address += 16;
        }
    }
}
