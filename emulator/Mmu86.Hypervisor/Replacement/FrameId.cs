namespace Mmu86.Hypervisor.Replacement;

/// <summary>Names a guest frame of one machine on the host, whether it is resident or not: what a replacement policy keeps books of.</summary>
/// <param name="Value">The machine's number in bits 63:40, the guest frame number below.</param>
public readonly record struct FrameId(ulong Value)
{
    private const int MachineShift = 40;

    /// <summary>Guest frame numbers are below this: 52 bits of guest-physical address.</summary>
    public const ulong GuestFrameLimit = 1UL << MachineShift;

    /// <summary>Machine numbers are below this. The last one is no machine's, so that <see cref="None"/> is no frame's.</summary>
    public const int MachineLimit = (1 << 24) - 1;

    /// <summary>No frame.</summary>
    public static FrameId None => new(ulong.MaxValue);

    /// <summary>The frame of a machine.</summary>
    /// <param name="machine">0 up to <see cref="MachineLimit"/>.</param>
    /// <param name="guestFrame">The guest-physical address shifted right by 12.</param>
    /// <exception cref="ArgumentOutOfRangeException">One of them is out of range.</exception>
    public static FrameId Of(int machine, ulong guestFrame)
    {
        ArgumentOutOfRangeException.ThrowIfNegative(machine);
        ArgumentOutOfRangeException.ThrowIfGreaterThanOrEqual(machine, MachineLimit);
        ArgumentOutOfRangeException.ThrowIfGreaterThanOrEqual(guestFrame, GuestFrameLimit);
        return new FrameId(((ulong)machine << MachineShift) | guestFrame);
    }

    /// <summary>The machine's number.</summary>
    public int Machine => (int)(Value >> MachineShift);

    /// <summary>The guest frame number.</summary>
    public ulong GuestFrame => Value & (GuestFrameLimit - 1);

    /// <inheritdoc/>
    public override string ToString() => this == None ? "none" : $"machine {Machine} G:0x{GuestFrame << 12:x}";
}
