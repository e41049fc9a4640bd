namespace Mmu86.Hypervisor.Scheduling;

/// <summary>Which of two machines should rather give up memory.</summary>
/// <param name="order">By what.</param>
/// <param name="idleTaxPercent">How much of an idle page is taken from it when shares are weighed.</param>
internal sealed class MemoryClaims(ReclaimOrder order, int idleTaxPercent)
{
    /// <summary>Whether a machine should rather than another.</summary>
    /// <param name="machine">The one.</param>
    /// <param name="pages">The frames that it has, or would have.</param>
    /// <param name="than">The other.</param>
    /// <param name="thanPages">As for the one.</param>
    public bool ShouldGive(ScheduledMachine machine, ulong pages, ScheduledMachine than, ulong thanPages) => order == ReclaimOrder.Shares
        ? Price(machine, pages) * than.Shares > Price(than, thanPages) * machine.Shares
        : pages > thanPages;

    // What its memory costs it. ESX compares shares / (pages * (f + k * (1 - f))) with the used part f and k = 1 / (1 - tax); times (1 - tax) that is
    // pages * (1 - tax * f), which has no fraction.
    private UInt128 Price(ScheduledMachine machine, ulong pages) =>
        (UInt128)pages * (WorkingSetSampler.Whole - ((ulong)idleTaxPercent * (machine.ActivePartsPerMillion ?? WorkingSetSampler.Whole) / 100));
}
