using System.Runtime.CompilerServices;
using Mmu86.X86;

namespace Mmu86.Paging;

/// <content>Accesses that no TLB entry answered by itself.</content>
public sealed unsafe partial class Mmu<TPolicy>
{
    // A level answered (where) but its entry does not suffice, or none did. The walk decides, and the levels take what it found.
    // Part of its one caller: nine arguments and a frame of its own would cost a tenth of a walk that finds its caches warm.
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private bool TryWalk(
        ulong linear, AccessKind kind, AccessMode mode, TlbLevel level, WalkReason reason, TranslationHit where, in TlbHit found, out Translation translation)
    {
        WalkResult result;
        bool walked = TPolicy.KeepsTime ? TryWalkTimed(linear, kind, mode, out result)
            : TPolicy.Observes ? _walker.TryWalk<ObservedWalk>(linear, kind, mode, out result)
            : _walker.TryWalk<ArchitecturalWalk>(linear, kind, mode, out result);
        if (!walked)
        {
            translation = default;
            Fail(level, linear);
            if (TPolicy.Observes)
                TellFailure(linear, kind, mode, reason);
            return false;
        }

        Prefetch(result.Host);
        _walks.Walked(_walker, reason);
        if (_walker.MayPermitOnce && _rights.Judge(AccessRights.Class(kind, mode), result.Flags) == AccessRights.Denied)
            return PermitOnce(linear, kind, mode, level, reason, where, found, result, out translation);
        result.Pages = _coalesces ? CountCoalesced(level, kind, result) : 1;
        uint space = result.IsGlobal ? _globalSpace : _space;
        if (where == TranslationHit.None)
        {
            int held = FilledBelow(level, result);
            if (held < 0)
            {
                level.Below.Unheld[(int)result.Size]++;
            }
            else
            {
                level.Below.Insert(linear, space, (PageSize)held, result.Host, result.Flags, out TlbHit filled);
                filled.Lane->Misses++;
            }

            Fill(level, linear, result.Host, result.Size, result.Pages, result.Flags, space, kind, mode, out translation);
        }
        else
        {
            Refresh(linear, kind, mode, level, where, found, space, result, out translation);
        }

        if (TPolicy.KeepsTime)
            _policy.Accessed(kind, translation, TranslationHit.None);
        if (TPolicy.Observes)
            TellWalk(result, translation, linear, kind, mode, reason);
        if (_dataPrefetcher != null && where == TranslationHit.None)
            PrefetchBehind(linear, kind, mode, level, result.Size);
        return true;
    }

    private bool TryWalkTimed(ulong linear, AccessKind kind, AccessMode mode, out WalkResult result)
    {
        bool walked = TPolicy.Observes
            ? _walker.TryWalk<ObservedTimedWalk>(linear, kind, mode, out result)
            : _walker.TryWalk<TimedWalk>(linear, kind, mode, out result);
        if (walked)
            _policy.Walked(_walker.Noted);
        else
            _policy.WalkFailed(_walker.Noted);
        return walked;
    }

    // The tables permit the access, and no entry may say so: sub-page permissions, guest-mode execute trap. Nothing is cached.
    [MethodImpl(MethodImplOptions.NoInlining)]
    private bool PermitOnce(
        ulong linear, AccessKind kind, AccessMode mode, TlbLevel level, WalkReason reason, TranslationHit where, in TlbHit found, in WalkResult result, out Translation translation)
    {
        HostPhysicalAddress host = new(result.Host);
        translation = new Translation(host, result.Size, _memory.IsRam(host));
        if (where != TranslationHit.L1)
            level.Unheld[(int)result.Size]++;
        if (where == TranslationHit.None)
            level.Below.Unheld[(int)result.Size]++;
        else
            found.Lane->Hits++;
        if (TPolicy.KeepsTime)
            _policy.Accessed(kind, translation, TranslationHit.None);
        if (TPolicy.Observes)
            TellWalk(result, translation, linear, kind, mode, reason);
        return true;
    }

    // An entry was found that did not suffice: whoever holds it takes what the tables say now.
    [MethodImpl(MethodImplOptions.NoInlining)]
    private void Refresh(
        ulong linear, AccessKind kind, AccessMode mode, TlbLevel level, TranslationHit where, in TlbHit found, uint space, in WalkResult result, out Translation translation)
    {
        found.Lane->Hits++;
        if (level.Below.IsInclusive)
        {
            RefreshBoth(linear, kind, mode, level, where, found, space, result, out translation);
            return;
        }

        if (where == TranslationHit.L2)
        {
            if (FilledBelow(level, result) < 0)
                level.Below.TakeOut(found);
            else if (Holds(level.Below, found, space, result))
            {
                level.Below.Update(found, result.Host, result.Flags);
            }
            else
            {
                level.Below.RemoveAnswers(linear, _space, _globalSpace);
                if (level.Below.Held(result.Size, result.Pages) is var held and >= 0)
                    level.Below.Insert(linear, space, (PageSize)held, result.Host, result.Flags, out _);
            }

            Fill(level, linear, result.Host, result.Size, result.Pages, result.Flags, space, kind, mode, out translation);
            return;
        }

        // The copy in the second level was not looked up, and it would bring the old translation back.
        if (level.Below.TryFind(linear, _space, _globalSpace, out TlbHit copy))
        {
            if (Holds(level.Below, copy, space, result))
                level.Below.Update(copy, result.Host, result.Flags);
            else
                level.Below.RemoveAnswers(linear, _space, _globalSpace);
        }

        TlbHit hit = found;
        if (Holds(level, found, space, result))
        {
            level.Update(found, result.Host, result.Flags);
        }
        else
        {
            // The page changed its size, became global, or parted from its group or joined one: slots of other pages that the new entry covers may go too.
            _filter.Clear();
            level.RemoveAnswers(linear, _space, _globalSpace);
            int held = level.Held(result.Size, result.Pages);
            if (held < 0)
            {
                HostPhysicalAddress host = new(result.Host);
                translation = new Translation(host, result.Size, _memory.IsRam(host));
                return;
            }

            level.Insert(linear, space, (PageSize)held, result.Host, result.Flags, out hit);
        }

        Answer(hit, linear, result.Host, kind, mode, out translation);
    }

    // The same where what leaves the second level leaves the first: what does not stay in place is made anew from below.
    private void RefreshBoth(
        ulong linear, AccessKind kind, AccessMode mode, TlbLevel level, TranslationHit where, in TlbHit found, uint space, in WalkResult result, out Translation translation)
    {
        TlbLevel second = level.Below;
        bool isInFirst = where == TranslationHit.L1;
        TlbHit copy = found;
        bool isInSecond = !isInFirst || second.TryFind(linear, _space, _globalSpace, out copy);
        if (isInSecond && Holds(second, copy, space, result))
        {
            second.Update(copy, result.Host, result.Flags);
        }
        else
        {
            _filter.Clear();
            second.RemoveAnswers(linear, _space, _globalSpace);
            if (second.Held(result.Size, result.Pages) is var held and >= 0)
                second.Insert(linear, space, (PageSize)held, result.Host, result.Flags, out _);
        }

        if (!isInFirst)
        {
            Fill(level, linear, result.Host, result.Size, result.Pages, result.Flags, space, kind, mode, out translation);
            return;
        }

        // It may have gone with its copy.
        bool isStillThere = level.TryFind(linear, _space, _globalSpace, out TlbHit hit);
        if (isStillThere && Holds(level, hit, space, result))
        {
            level.Update(hit, result.Host, result.Flags);
            Answer(hit, linear, result.Host, kind, mode, out translation);
            return;
        }

        _filter.Clear();
        level.RemoveAnswers(linear, _space, _globalSpace);
        if (level.Held(result.Size, result.Pages) is not (var size and >= 0))
        {
            HostPhysicalAddress host = new(result.Host);
            translation = new Translation(host, result.Size, _memory.IsRam(host));
            return;
        }

        level.Insert(linear, space, (PageSize)size, result.Host, result.Flags, out hit);
        Answer(hit, linear, result.Host, kind, mode, out translation);
    }

    // How many pages the entries that are filled now may stand for.
    [MethodImpl(MethodImplOptions.NoInlining)]
    private int CountCoalesced(TlbLevel level, AccessKind kind, in WalkResult result) =>
        Math.Max(level.CoalescedPages, level.Below.CoalescedPages) is var most and > 1 ? _walker.CountCoalesced(result, kind, most) : 1;

    // What a walk fills the second level with; -1 for nothing. One that is exclusive gets what the first cannot hold.
    private static int FilledBelow(TlbLevel level, in WalkResult result) =>
        level.Below.IsExclusive && level.Held(result.Size, result.Pages) >= 0 ? -1 : level.Below.Held(result.Size, result.Pages);

    // Whether the entry that answered for an address is where a walk to it would be inserted.
    private static bool Holds(TlbLevel level, in TlbHit entry, uint space, in WalkResult result) =>
        (int)Tag.Size(entry.Tag) == level.Held(result.Size, result.Pages) && Tag.Space(entry.Tag) == space;

    [MethodImpl(MethodImplOptions.NoInlining)]
    private void Fail(TlbLevel level, ulong linear)
    {
        _fault = _walker.Fault;
        _walks.Failed(_walker);
        // Nobody answered the lookup, whatever was found on the way.
        level.Unresolved++;
        level.Below.Unresolved++;
        bool concernsPage = (_fault.Failure == TranslationFailure.EptViolation && (_fault.Qualification & EptViolationQualification.FinalTranslation) != 0)
            || (_fault.Failure == TranslationFailure.NestedPageFault && (_fault.NestedErrorCode & NestedPageFaultErrorCode.FinalAddress) != 0);
        if (!concernsPage)
            return;
        // SDM 3, "Operations that Invalidate Cached Mappings": combined mappings of an address whose translation EPT refused. Unlike INVLPG and a page fault it names
        // the address, not the page number: other fragments of the guest's page stay.
        RemoveAnswers(linear, _space);
        if (_globalSpace != _space)
            RemoveAnswers(linear, _globalSpace);
    }

    private void RemoveAnswers(ulong linear, uint space)
    {
        _removals?.AddressRemoved(linear, space);
        _l1Instruction.RemoveAnswers(linear, space, space);
        _l1Loads.RemoveAnswers(linear, space, space);
        if (_l1Stores != _l1Loads)
            _l1Stores.RemoveAnswers(linear, space, space);
        _l2.RemoveAnswers(linear, space, space);
        _l2Instruction?.RemoveAnswers(linear, space, space);
    }

    private void RemovePage(ulong linear, uint space)
    {
        _removals?.PageRemoved(linear, space);
        _l1Instruction.RemovePage(linear, space);
        // By parts: where an array of each holds a page size, the whole would not know which to look in.
        _l1Loads.RemovePage(linear, space);
        if (_l1Stores != _l1Loads)
            _l1Stores.RemovePage(linear, space);
        _l2.RemovePage(linear, space);
        _l2Instruction?.RemovePage(linear, space);
    }
}
