using Mmu86.Memory;

namespace Mmu86.Hypervisor.Scheduling;

/// <summary>How short of memory a host is. A state is left for a better one only when more is free than it took to enter it.</summary>
/// <remarks>
/// Waldspurger, "Memory Resource Management in VMware ESX Server" (OSDI 2002), section 6.3: thresholds of 6, 4, 2 and 1 percent. A better state
/// is reached at the threshold above the one that was crossed on the way down.
/// </remarks>
internal sealed class HostShortage
{
    private readonly ulong _framesTotal;

    /// <summary>Of a host with so many frames, all of them free.</summary>
    public HostShortage(ulong framesTotal) => _framesTotal = framesTotal;

    /// <summary>The state at the last <see cref="Update"/>.</summary>
    public HostState State { get; private set; }

    /// <summary>With so many free frames reclaim ends.</summary>
    public ulong HighFrames => Math.Max(2, Frames(6));

    /// <summary>With fewer free frames reclaim begins.</summary>
    public ulong SoftFrames => Math.Max(1, Frames(4));

    /// <summary>Looks again.</summary>
    public HostState Update(ulong framesFree)
    {
        while (State < HostState.Low && framesFree < Frames(EnterPercent(State + 1)))
            State++;
        while (State > HostState.High && framesFree >= Frames(LeavePercent(State)))
            State--;
        return State;
    }

    /// <summary>Writes the state.</summary>
    public void Save(StateWriter writer) => writer.Write((byte)State);

    /// <summary>Reads it back.</summary>
    public void Load(StateReader reader) =>
        State = (HostState)reader.ReadByte("shortage") is var state and <= HostState.Low ? state : throw reader.Refuse("shortage", "is none that there is");

    private ulong Frames(ulong percent) => _framesTotal * percent / 100;

    private static ulong EnterPercent(HostState state) => state switch
    {
        HostState.Soft => 4,
        HostState.Hard => 2,
        HostState.Low => 1,
        _ => throw new ArgumentOutOfRangeException(nameof(state)),
    };

    private static ulong LeavePercent(HostState state) => state switch
    {
        HostState.Soft => 6,
        HostState.Hard => 4,
        HostState.Low => 2,
        _ => throw new ArgumentOutOfRangeException(nameof(state)),
    };
}
