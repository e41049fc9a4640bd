using System.Runtime.CompilerServices;
using Mmu86.Paging;
using Mmu86.X86;

namespace Mmu86.Cpu;

/// <content>What only managed instructions and event delivery need: read-modify-write, frames pushed at once.</content>
public sealed unsafe partial class DataAccess
{
    private byte* _modified;

    /// <summary>Translates as an access would, without one: one lookup, no load and no store.</summary>
    /// <returns>False where it faulted.</returns>
    internal bool TryTouch(ulong address, AccessKind kind, ExceptionVector nonCanonicalVector)
    {
        _state->PendingLookups++;
        return Translate(address, kind, Mode, nonCanonicalVector, out _);
    }

    /// <summary>Translates for a store of 1, 2, 4 or 8 bytes whose value is not known yet: <see cref="CompleteStore"/> makes it.</summary>
    /// <returns>False where it faulted.</returns>
    internal bool TryPrepareStore(ulong address, int size)
    {
        _modified = TryWriteSpan(address, (uint)size, Mode, ExceptionVector.GeneralProtection);
        return _modified != null;
    }

    /// <summary>Makes the store prepared last.</summary>
    internal void CompleteStore(ulong value, int size)
    {
        Unsafe.CopyBlockUnaligned(_modified, &value, (uint)size);
        Commit();
        _stores++;
    }

    /// <summary>Begins a read-modify-write: one lookup with write intent. Nothing is written until <see cref="CompleteModify"/>.</summary>
    /// <returns>False where it faulted.</returns>
    internal bool TryBeginModify<T>(ulong address, ExceptionVector nonCanonicalVector, out T value)
        where T : unmanaged
    {
        byte* pointer = TryWriteSpan(address, (uint)sizeof(T), Mode, nonCanonicalVector);
        if (pointer == null)
        {
            value = default;
            return false;
        }

        if (_state->PendingCommit is CommitKind.Split or CommitKind.Device)
            CopyIn((uint)sizeof(T));
        _modified = pointer;
        value = Unsafe.ReadUnaligned<T>(pointer);
        return true;
    }

    /// <summary>Ends the read-modify-write begun last: one load and one store.</summary>
    internal void CompleteModify<T>(T value)
        where T : unmanaged
    {
        Unsafe.WriteUnaligned(_modified, value);
        Commit();
        _loads++;
        _stores++;
    }

    /// <summary>Pushes the frame of an event: all of it or nothing. Counted as implicit accesses.</summary>
    /// <param name="stack">Where, with room for it.</param>
    /// <param name="words">The words in the order in which they are pushed.</param>
    /// <param name="wordBytes">2, 4 or 8.</param>
    /// <param name="mode">The mode of the stack: that of the handler's privilege level.</param>
    internal bool TryPushFrame(in TransferStack stack, ReadOnlySpan<ulong> words, int wordBytes, AccessMode mode)
    {
        _implicit += (ulong)words.Length;
        return TryPush(stack, words, wordBytes, mode);
    }

    /// <summary>Pushes the words of a far call: all of them or nothing.</summary>
    /// <param name="stack">Where, with room for them.</param>
    /// <param name="words">The words in the order in which they are pushed.</param>
    /// <param name="wordBytes">2, 4 or 8.</param>
    /// <param name="mode">The mode of the stack.</param>
    internal bool TryPushWords(in TransferStack stack, ReadOnlySpan<ulong> words, int wordBytes, AccessMode mode)
    {
        _stores += (ulong)words.Length;
        return TryPush(stack, words, wordBytes, mode);
    }

    // Every word is translated, in the order of the pushes, before the first is written.
    private bool TryPush(in TransferStack stack, ReadOnlySpan<ulong> words, int wordBytes, AccessMode mode)
    {
        Span<PushedWord> targets = stackalloc PushedWord[words.Length];
        for (int i = 0; i < words.Length; i++)
        {
            ulong address = stack.Linear((ulong)((i + 1) * wordBytes), (uint)wordBytes);
            byte* pointer = TryWriteSpan(address, (uint)wordBytes, mode, ExceptionVector.StackFault);
            if (pointer == null)
                return false;
            targets[i] = new PushedWord(
                (nint)pointer, _state->PendingCommit, _commitFirst, _commitSecond, _commitFirstIsRam, _commitSecondIsRam, _commitFirstBytes);
        }

        for (int i = 0; i < words.Length; i++)
        {
            PushedWord target = targets[i];
            _state->PendingCommit = target.Commit;
            _commitFirst = target.First;
            _commitSecond = target.Second;
            _commitFirstIsRam = target.FirstIsRam;
            _commitSecondIsRam = target.SecondIsRam;
            _commitFirstBytes = target.FirstBytes;
            _commitBytes = (uint)wordBytes;
            ulong word = words[i];
            Unsafe.CopyBlockUnaligned((byte*)target.Pointer, &word, (uint)wordBytes);
            Commit();
        }

        return true;
    }

    // Where one word goes: what TryWriteSpan left for Commit.
    private readonly record struct PushedWord(
        nint Pointer, CommitKind Commit, HostPhysicalAddress First, HostPhysicalAddress Second, bool FirstIsRam, bool SecondIsRam, uint FirstBytes);
}
