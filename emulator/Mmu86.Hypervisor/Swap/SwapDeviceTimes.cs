namespace Mmu86.Hypervisor.Swap;

/// <summary>The figures of a swap device in simulated time. Presets are typical devices of their kind by their makers' data sheets (docs/hypervisor/swap.md).</summary>
public sealed record SwapDeviceTimes
{
    private static readonly SwapDeviceTimes[] s_presets =
    [
        new()
        {
            // 19 000 reads and 60 000 writes of 4 KiB a second one at a time, 600 000 together; 3.5 and 3.3 GB a second.
            Name = "nvme",
            QueueDepth = 32,
            ReadNanoseconds = 51_000,
            WriteNanoseconds = 15_500,
            SeekNanoseconds = 0,
            ReadPicosecondsPerByte = 286,
            WritePicosecondsPerByte = 303,
        },
        new()
        {
            // 10 000 reads and 42 000 writes a second one at a time, 98 000 together; 550 and 520 MB a second.
            Name = "ssd",
            QueueDepth = 10,
            ReadNanoseconds = 92_500,
            WriteNanoseconds = 16_000,
            SeekNanoseconds = 0,
            ReadPicosecondsPerByte = 1818,
            WritePicosecondsPerByte = 1923,
        },
        new()
        {
            // One arm: an average seek of 8.5 ms and half a turn at 7200 a minute; 210 MB a second.
            Name = "hdd",
            QueueDepth = 1,
            ReadNanoseconds = 100_000,
            WriteNanoseconds = 100_000,
            SeekNanoseconds = 12_660_000,
            ReadPicosecondsPerByte = 4762,
            WritePicosecondsPerByte = 4762,
        },
    ];

    /// <summary>What a scenario calls it.</summary>
    public required string Name { get; init; }

    /// <summary>Operations that it works on at once, at least 1; others wait in order.</summary>
    public required int QueueDepth { get; init; }

    /// <summary>What every read takes besides its bytes.</summary>
    public required ulong ReadNanoseconds { get; init; }

    /// <summary>What every write takes besides its bytes.</summary>
    public required ulong WriteNanoseconds { get; init; }

    /// <summary>What an operation takes in addition that does not begin where the one before ended.</summary>
    public required ulong SeekNanoseconds { get; init; }

    /// <summary>What a byte read takes on the link that all operations share.</summary>
    public required ulong ReadPicosecondsPerByte { get; init; }

    /// <summary>What a byte written takes on that link.</summary>
    public required ulong WritePicosecondsPerByte { get; init; }

    /// <summary>The presets' names.</summary>
    public static IReadOnlyList<string> Names => [.. s_presets.Select(preset => preset.Name)];

    /// <summary>A preset by its name, null where there is none of that name.</summary>
    public static SwapDeviceTimes? Find(string name) => Array.Find(s_presets, preset => preset.Name == name);
}
