using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics.X86;
using Mmu86.X86;

namespace Mmu86.Paging;

/// <content>Lookups: what the hot path of the CPU asks for where the filter does not answer.</content>
public sealed unsafe partial class Mmu<TPolicy>
{
    /// <inheritdoc/>
    public bool TryTranslate(LinearAddress address, AccessKind kind, AccessMode mode, out Translation translation)
    {
        ulong linear = address.Value;
        if (!_addresses.IsOrdinary(linear))
            return TryTranslateUnusual(linear, kind, mode, out translation);
        TlbLane* lane;
        if (kind == AccessKind.Fetch)
        {
            _fetch.SlowLookups++;
            lane = _instructionDoor;
        }
        else
        {
            _data.SlowLookups++;
            lane = _dataDoor;
        }

        // A hit on a 4 KiB page of a plain array is most of what comes here, so it has the short way; TryTranslateElsewhere has the
        // long one for everything, this included. What one does to the model, the other does too (FilterExactnessTests).
        int entry = -1;
        int set = 0;
        if (lane->Stride != 0)
        {
            ulong page = Tag.PageNumber(linear, PageSize.Size4K);
            set = (int)((page ^ (page >> lane->HashShift)) & lane->SetMask);
            ulong number = page << Tag.PageNumberShift;
            entry = AssociativeArray.FindInSet(lane->Tags, set * lane->Stride, lane->Stride, _smallTag | number, _smallGlobalTag | number);
            if (!TPolicy.Observes && entry >= 0)
            {
                ulong data = lane->Data[entry];
                int accessClass = AccessRights.Class(kind, mode);
                if (_verdicts[AccessRights.Index(accessClass, data)] == AccessRights.Allowed)
                {
                    lane->Hits++;
                    TlbLevel.Touch(_filter, lane, entry, set);
                    HostPhysicalAddress answer = new((data & TlbEntry.FrameMask) | (linear & 0xFFF));
                    bool isRam = _memory.IsRam(answer);
                    int table = _slotTables[accessClass];
                    if (isRam && table >= 0)
                        Offer(lane, entry, accessClass, table, linear, answer.Value);
                    translation = new Translation(answer, PageSize.Size4K, isRam);
                    if (TPolicy.KeepsTime)
                        _policy.Accessed(kind, translation, TranslationHit.L1);
                    return true;
                }
            }
        }

        return TryTranslateElsewhere(linear, kind, mode, lane, entry, set, out translation);
    }

    // Which table of the filter an access of a class may be served by from now on: that of reads in its bank, or none (-1).
    private static sbyte* SlotTables(Arena arena, FilterService service)
    {
        sbyte* tables = arena.Allocate<sbyte>(AccessRights.Classes);
        for (int accessClass = 0; accessClass < AccessRights.Classes; accessClass++)
            tables[accessClass] = -1;
        if (service == FilterService.NotServed)
            return tables;
        for (AccessMode bank = AccessMode.User; bank <= AccessMode.SupervisorWithAc; bank++)
        {
            tables[AccessRights.Class(AccessKind.Read, bank)] = (sbyte)FilterKeeper.DataTable(bank);
            tables[AccessRights.Class(AccessKind.Write, bank)] = (sbyte)FilterKeeper.DataTable(bank);
        }

        return tables;
    }

    // Lets the filter answer for a data page from now on. The entry is the most recent of its set: it has just been used.
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private void Offer(TlbLane* lane, int entry, int accessClass, int table, ulong linear, ulong host)
    {
        if (TPolicy.Counts && !_data.Admits(lane))
            return;
        ulong page = linear & ~0xFFFUL;
        ulong payload = (ulong)_ram + (host & ~0xFFFUL) - page;
        _filter.Install(lane, entry, table, page, payload);
        // That a write succeeded says that it is permitted and that the dirty flag is cached as set.
        if (accessClass >> 2 == (int)AccessKind.Write && _memory.GuardedLines(new HostFrameNumber(host >> 12)) == 0)
            _filter.Install(lane, entry, table + 1, page, payload);
    }

    // Reads and writes see different arrays: an entry that answered one says nothing of the other.
    private void OfferPart(TlbLane* lane, int entry, int accessClass, ulong linear, ulong host)
    {
        if (TPolicy.Counts && !_data.Admits(lane))
            return;
        bool isWrite = accessClass >> 2 == (int)AccessKind.Write;
        if (isWrite && _memory.GuardedLines(new HostFrameNumber(host >> 12)) != 0)
            return;
        ulong page = linear & ~0xFFFUL;
        _filter.Install(lane, entry, _partTables[accessClass] + (isWrite ? 1 : 0), page, (ulong)_ram + (host & ~0xFFFUL) - page);
    }

    [MethodImpl(MethodImplOptions.NoInlining)]
    private bool TryTranslateElsewhere(ulong linear, AccessKind kind, AccessMode mode, TlbLane* lane, int entry, int set, out Translation translation)
    {
        TlbLevel level = FirstLevel(kind);
        TlbHit hit = new() { Lane = lane, Entry = entry, Set = set };
        TranslationHit where = TranslationHit.None;
        WalkReason reason = WalkReason.Miss;
        if (entry >= 0 || (level.Door == lane ? level.MayBeElsewhere && level.TryFindElsewhere(linear, _space, _globalSpace, out hit) : level.TryFind(linear, _space, _globalSpace, out hit)))
        {
            ulong data = hit.Data;
            byte verdict = _rights.Judge(AccessRights.Class(kind, mode), data);
            if (verdict == AccessRights.Allowed)
            {
                hit.Lane->Hits++;
                TlbLevel.Touch(_filter, hit.Lane, hit.Entry, hit.Set);
                Answer(hit, linear, TlbEntry.HostAddress(data, linear, hit.Lane->OffsetMask), kind, mode, out translation);
                if (TPolicy.KeepsTime)
                    _policy.Accessed(kind, translation, TranslationHit.L1);
                if (TPolicy.Observes)
                    TellHit(TranslationHit.L1, data, translation, linear, kind, mode);
                return true;
            }

            // The tables have the last word on an entry that does not suffice (docs/decisions/0010).
            where = TranslationHit.L1;
            reason = ReasonOf(verdict);
        }
        else if (level.Below.TryFind(linear, _space, _globalSpace, out hit))
        {
            byte verdict = _rights.Judge(AccessRights.Class(kind, mode), hit.Data);
            if (verdict == AccessRights.Allowed)
            {
                TakeFromL2(linear, kind, mode, level, hit, out translation);
                return true;
            }

            where = TranslationHit.L2;
            reason = ReasonOf(verdict);
        }

        return TryWalk(linear, kind, mode, level, reason, where, hit, out translation);
    }

    // The second level answered: the first is filled. Part of its one caller, which would hand it all that it knows.
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private void TakeFromL2(ulong linear, AccessKind kind, AccessMode mode, TlbLevel level, in TlbHit found, out Translation translation)
    {
        ulong data = found.Data;
        TlbLane* lane = found.Lane;
        ulong host = TlbEntry.HostAddress(data, linear, lane->OffsetMask);
        Prefetch(host);
        lane->Hits++;
        uint space = Tag.Space(found.Tag);
        TlbLevel.Touch(_filter, lane, found.Entry, found.Set);
        if (level.Below.IsExclusive && level.HoldsAsIs(lane))
            level.Below.TakeOut(found);
        Fill(level, linear, host, lane->Size, lane->Pages, data & ~TlbEntry.FrameMask, space, kind, mode, out translation);
        if (TPolicy.KeepsTime)
            _policy.Accessed(kind, translation, TranslationHit.L2);
        if (TPolicy.Observes)
            TellHit(TranslationHit.L2, data, translation, linear, kind, mode);
    }

    // A first-level miss that found its translation: fills, offers, answers. A Translation is never returned by value on these ways: it
    // would come in two registers, be stored from them and loaded again as one, which no processor forwards from its store buffer.
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private void Fill(
        TlbLevel level, ulong linear, ulong host, PageSize size, int pages, ulong flags, uint space, AccessKind kind, AccessMode mode, out Translation translation)
    {
        int held = level.Held(size, pages);
        if (held < 0)
        {
            level.Unheld[(int)size]++;
            HostPhysicalAddress answer = new(host);
            translation = new Translation(answer, size, _memory.IsRam(answer));
            return;
        }

        level.Insert(linear, space, (PageSize)held, host, flags, out TlbHit hit);
        hit.Lane->Misses++;
        Answer(hit, linear, host, kind, mode, out translation);
    }

    // A first-level entry answers, and is the most recent of its set. The filter may answer the next time if that would change nothing.
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private void Answer(in TlbHit hit, ulong linear, ulong host, AccessKind kind, AccessMode mode, out Translation translation)
    {
        HostPhysicalAddress answer = new(host);
        bool isRam = _memory.IsRam(answer);
        int accessClass = AccessRights.Class(kind, mode);
        int table = _slotTables[accessClass];
        if (isRam && table >= 0 && hit.IsSettled)
            Offer(hit.Lane, hit.Entry, accessClass, table, linear, host);
        else if (isRam && _partTables[accessClass] >= 0 && hit.IsSettled)
            OfferPart(hit.Lane, hit.Entry, accessClass, linear, host);
        translation = new Translation(answer, hit.Lane->Size, isRam);
    }

    // The access itself comes when all is filled: till then its line of the real machine's memory can be on its way. A page that the TLB did
    // not hold is mostly one that the real caches do not hold either. A prefetch of no matter which address never faults.
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private void Prefetch(ulong host)
    {
        if (Sse.IsSupported)
            Sse.Prefetch0(_ram + host);
    }

    private static WalkReason ReasonOf(byte verdict) => verdict == AccessRights.NotDirty ? WalkReason.Dirty : WalkReason.Rights;
}
