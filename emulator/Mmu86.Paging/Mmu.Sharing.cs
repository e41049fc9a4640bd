using Mmu86.X86;

namespace Mmu86.Paging;

/// <content>Replays of machines that have levels in common: the common ones are simulated once.</content>
public sealed unsafe partial class Mmu<TPolicy>
{
    /// <summary>How far a lookup would get now. Leaves no trace.</summary>
    internal ReplayOutcome Foresee(ulong linear, AccessKind kind, AccessMode mode)
    {
        TlbLevel first = FirstLevel(kind);
        ReplayOutcome answers = ReplayOutcome.FirstLevel;
        if (!first.TryFind(linear, _space, _globalSpace, out TlbHit hit))
        {
            if (!first.Below.TryFind(linear, _space, _globalSpace, out hit))
                return ReplayOutcome.Miss;
            answers = ReplayOutcome.SecondLevel;
        }

        byte verdict = _rights.Judge(AccessRights.Class(kind, mode), hit.Data);
        // The two ways not to suffice stand behind the answer.
        return verdict == AccessRights.Allowed ? answers : (ReplayOutcome)((int)answers + (ReasonOf(verdict) == WalkReason.Dirty ? 1 : 2));
    }

    /// <summary>A first level that is not here had the page, and its entry did not suffice: what <see cref="Refresh"/> does below it.</summary>
    internal void ReplayRefresh(ulong linear, AccessKind kind, AccessMode mode, WalkReason reason)
    {
        if (!TryReplayWalk(linear, kind, mode, reason, out WalkResult result))
            return;
        if (_walker.MayPermitOnce && _rights.Judge(AccessRights.Class(kind, mode), result.Flags) == AccessRights.Denied)
            return;
        TlbLevel first = FirstLevel(kind);
        if (!first.Below.TryFind(linear, _space, _globalSpace, out TlbHit copy))
            return;
        result.Pages = _coalesces ? CountCoalesced(first, kind, result) : 1;
        if (Holds(first.Below, copy, result.IsGlobal ? _globalSpace : _space, result))
            first.Below.Update(copy, result.Host, result.Flags);
        else
            first.Below.RemoveAnswers(linear, _space, _globalSpace);
    }

    /// <summary>Levels that are not here had no entry that sufficed: the walk alone.</summary>
    internal void ReplayWalk(ulong linear, AccessKind kind, AccessMode mode, WalkReason reason) => TryReplayWalk(linear, kind, mode, reason, out _);

    private bool TryReplayWalk(ulong linear, AccessKind kind, AccessMode mode, WalkReason reason, out WalkResult result)
    {
        if (!_walker.TryWalk<ArchitecturalWalk>(linear, kind, mode, out result))
        {
            Fail(FirstLevel(kind), linear);
            return false;
        }

        _walks.Walked(_walker, reason);
        return true;
    }
}
