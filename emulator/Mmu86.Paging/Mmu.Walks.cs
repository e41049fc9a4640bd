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
        uint space = result.IsGlobal ? _globalSpace : _space;
        if (where == TranslationHit.None)
        {
            int held = FilledBelow(level, result.Size);
            if (held < 0)
            {
                level.Below.Unheld[(int)result.Size]++;
            }
            else
            {
                level.Below.Insert(linear, space, (PageSize)held, result.Host, result.Flags, out TlbHit filled);
                filled.Lane->Misses++;
            }

            Fill(level, linear, result.Host, result.Size, result.Flags, space, kind, mode, out translation);
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
            if (FilledBelow(level, result.Size) < 0)
                level.Below.TakeOut(found);
            else if (Holds(level.Below, found, linear, space, result.Size))
            {
                level.Below.Update(found, result.Host, result.Flags);
            }
            else
            {
                level.Below.Remove(found.Lane->Array, found.Entry);
                if (level.Below.Held(result.Size) is var held and >= 0)
                    level.Below.Insert(linear, space, (PageSize)held, result.Host, result.Flags, out _);
            }

            Fill(level, linear, result.Host, result.Size, result.Flags, space, kind, mode, out translation);
            return;
        }

        // The copy in the second level was not looked up, and it would bring the old translation back.
        if (level.Below.TryFind(linear, _space, _globalSpace, out TlbHit copy))
        {
            if (Holds(level.Below, copy, linear, space, result.Size))
                level.Below.Update(copy, result.Host, result.Flags);
            else
                level.Below.Remove(copy.Lane->Array, copy.Entry);
        }

        TlbHit hit = found;
        if (Holds(level, found, linear, space, result.Size))
        {
            level.Update(found, result.Host, result.Flags);
        }
        else
        {
            // The page changed its size or became global: slots of other pages that the new entry covers may go too.
            _filter.Clear();
            level.Remove(found.Lane->Array, found.Entry);
            int held = level.Held(result.Size);
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
        if (isInSecond && Holds(second, copy, linear, space, result.Size))
        {
            second.Update(copy, result.Host, result.Flags);
        }
        else
        {
            _filter.Clear();
            if (isInSecond)
                second.Remove(copy.Lane->Array, copy.Entry);
            if (second.Held(result.Size) is var held and >= 0)
                second.Insert(linear, space, (PageSize)held, result.Host, result.Flags, out _);
        }

        if (!isInFirst)
        {
            Fill(level, linear, result.Host, result.Size, result.Flags, space, kind, mode, out translation);
            return;
        }

        // It may have gone with its copy.
        bool isStillThere = level.TryFind(linear, _space, _globalSpace, out TlbHit hit);
        if (isStillThere && Holds(level, hit, linear, space, result.Size))
        {
            level.Update(hit, result.Host, result.Flags);
            Answer(hit, linear, result.Host, kind, mode, out translation);
            return;
        }

        _filter.Clear();
        if (isStillThere)
            level.Remove(hit.Lane->Array, hit.Entry);
        if (level.Held(result.Size) is not (var size and >= 0))
        {
            HostPhysicalAddress host = new(result.Host);
            translation = new Translation(host, result.Size, _memory.IsRam(host));
            return;
        }

        level.Insert(linear, space, (PageSize)size, result.Host, result.Flags, out hit);
        Answer(hit, linear, result.Host, kind, mode, out translation);
    }

    // The page size in which a walk fills the second level; -1 for not at all. One that is exclusive gets what the first cannot hold.
    private static int FilledBelow(TlbLevel level, PageSize size) =>
        level.Below.IsExclusive && level.Held(size) >= 0 ? -1 : level.Below.Held(size);

    // Whether an entry is where a walk's result would be inserted.
    private static bool Holds(TlbLevel level, in TlbHit entry, ulong linear, uint space, PageSize size)
    {
        int held = level.Held(size);
        return held >= 0 && entry.Tag == Tag.Make(space, (PageSize)held, Tag.PageNumber(linear, (PageSize)held));
    }

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
        // SDM 3, "Operations that Invalidate Cached Mappings": combined mappings of an address whose translation EPT refused.
        RemovePage(linear, _space);
        if (_globalSpace != _space)
            RemovePage(linear, _globalSpace);
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
