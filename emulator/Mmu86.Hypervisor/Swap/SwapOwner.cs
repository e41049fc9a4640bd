namespace Mmu86.Hypervisor.Swap;

/// <summary>What the swap space keeps for one owner.</summary>
internal sealed class SwapOwner(int number)
{
    /// <summary>Where its last slot was.</summary>
    public SlotCursor Cursor = SlotCursor.Start;

    /// <summary>How far it reads ahead.</summary>
    public ReadAheadWindow Window = ReadAheadWindow.Start;

    /// <summary>The owner's number.</summary>
    public int Number => number;

    /// <summary>What happened to its pages.</summary>
    public SwapCounts Counts { get; } = new();

    /// <summary>The cluster that its pages are gathered in.</summary>
    public WriteCluster? Open { get; set; }
}
