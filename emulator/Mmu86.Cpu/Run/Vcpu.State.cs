using System.Runtime.InteropServices;
using Mmu86.Memory;
using Mmu86.Paging;
using Mmu86.X86;

namespace Mmu86.Cpu;

/// <content>What of the CPU is saved, between two instructions. Decoded code is not: it is found anew.</content>
public sealed unsafe partial class Vcpu
{
    private const string Section = "cpu";

    // Every flag that SystemFlags may hold.
    private const ulong KnownSystemFlags = 0x3F_FFFF;

    /// <summary>Writes the section <c>cpu</c> and those of the MMU. Only between runs.</summary>
    /// <exception cref="InvalidOperationException">The CPU stands in the middle of an instruction, or its MMU is none that can be saved.</exception>
    public void SaveState(StateWriter writer)
    {
        if (_repeat != null || Mmu is not IMmuState mmu)
            throw new InvalidOperationException(_repeat != null ? "A string instruction is under way." : "The MMU cannot be saved.");
        FoldCounts();
        writer.Begin(Section);
        for (int number = 0; number < 16; number++)
            writer.Write(Registers[number]);
        writer.Write(Registers.FsBase);
        writer.Write(Registers.GsBase);
        writer.Write(_s->Rip);
        writer.WriteArray<ulong>([_s->FlagResult, _s->FlagCarry, _s->FlagAux, _s->SystemFlags]);
        System.Save(writer);
        SaveMode(writer);
        SaveEvents(writer);
        Data.Save(writer);
        Counters.Save(writer);
        AbsentRegisters.Save(writer);
        writer.End();
        mmu.SaveState(writer);
    }

    /// <summary>Reads them back. The CPU and its MMU were made for it and have run nothing yet.</summary>
    /// <param name="reader">The state.</param>
    /// <param name="eptp">The EPT pointer of the machine as it is now; 0 for native paging.</param>
    /// <param name="vpid">Its VPID as it is now.</param>
    /// <exception cref="StateFormatException">It is the state of another machine, or broken. The CPU is to be thrown away.</exception>
    public void LoadState(StateReader reader, ulong eptp, ushort vpid)
    {
        if (Mmu is not IMmuState mmu)
            throw new InvalidOperationException("The MMU cannot be restored.");
        reader.Open(Section);
        for (int number = 0; number < 16; number++)
            Registers[number] = reader.ReadUInt64("registers");
        *Cpu.Registers.Pointer(_s, CpuState.FsBaseRegister) = reader.ReadUInt64("fsBase");
        *Cpu.Registers.Pointer(_s, CpuState.GsBaseRegister) = reader.ReadUInt64("gsBase");
        _s->Rip = reader.ReadUInt64("rip");
        Span<ulong> flags = stackalloc ulong[4];
        reader.ReadArray("flags", flags);
        (_s->FlagResult, _s->FlagCarry, _s->FlagAux, _s->SystemFlags) = (flags[0], flags[1], flags[2], flags[3]);
        if ((flags[3] & ~KnownSystemFlags) != 0)
            throw reader.Refuse("flags", "has bits that RFLAGS has not");
        System.Load(reader);
        LoadMode(reader);
        LoadEvents(reader);
        Data.Load(reader);
        Counters.Load(reader);
        AbsentRegisters.Load(reader, "absentRegisters");
        reader.Close();
        mmu.LoadState(reader, eptp, vpid, System.MemoryTypeRanges);
        _nextShortening = Counters.Instructions;

        // The filter's tables, what is checked, breakpoints: all follow from what was read. The mode is the one in force, so no context changes.
        ModeChanged();
    }

    // Windows of segments are those of the loads that made them: in real-address mode they outlive the mode of their loads.
    private void SaveMode(StateWriter writer)
    {
        writer.Write(_mode.Value);
        writer.WriteArray<ulong>([_s->AbsentAddressBits, _s->CodeBase, _s->CodeLimit, _s->StackMask]);
        writer.Write(_s->LinearAddressBits);
        writer.WriteArray<ulong>(SegmentWords);
    }

    private void LoadMode(StateReader reader)
    {
        byte mode = reader.ReadByte("mode");
        _mode = CodeMode.Of(System, (RFlags)_s->SystemFlags);
        if (mode != _mode.Value)
            throw reader.Refuse("mode", $"is 0x{mode:x}, and the registers say 0x{_mode.Value:x}");
        Span<ulong> words = stackalloc ulong[4];
        reader.ReadArray("codeSegment", words);
        (_s->AbsentAddressBits, _s->CodeBase, _s->CodeLimit, _s->StackMask) = (words[0], words[1], words[2], words[3]);
        _s->LinearAddressBits = reader.ReadInt32("linearAddressBits", 0, 64);
        if (_s->LinearAddressBits != Canonical.Width(System.Cr4))
            throw reader.Refuse("linearAddressBits", $"is {_s->LinearAddressBits}, and CR4 says {Canonical.Width(System.Cr4)}");
        reader.ReadArray("segments", SegmentWords);
    }

    private Span<ulong> SegmentWords => MemoryMarshal.Cast<SegmentWindow, ulong>(new Span<SegmentWindow>(&_s->Segments, SegmentWindows.Count));

    private void SaveEvents(StateWriter writer)
    {
        writer.Write(_idleTicks);
        writer.Write(_isHalted);
        writer.Write(_blocksNonMaskable);
        writer.Write(_stopRequested);
        writer.Write((byte)InterruptShadow);
        writer.Write(InhibitsSingleStep);
        writer.Write(Breakpoints.Pending);
        writer.Write(_exceptionsInARow);
        writer.Write(_retiredAtException);
        writer.Write(PendingEvent.HasValue);
        if (PendingEvent is not { } pending)
            return;
        writer.Write((byte)pending.Kind);
        writer.Write(pending.Vector);
        writer.Write(pending.ErrorCode);
        writer.Write(pending.ReturnAddress);
        writer.Write(pending.Resume);
    }

    private void LoadEvents(StateReader reader)
    {
        _idleTicks = reader.ReadUInt64("idleTicks");
        _isHalted = reader.ReadBoolean("halted");
        _blocksNonMaskable = reader.ReadBoolean("blocksNonMaskable");
        _stopRequested = reader.ReadBoolean("stopRequested");
        InterruptShadow = (InterruptShadow)reader.ReadByte("interruptShadow");
        if (InterruptShadow > InterruptShadow.StackSegment)
            throw reader.Refuse("interruptShadow", "is none that there is");
        InhibitsSingleStep = reader.ReadBoolean("inhibitsSingleStep");
        Breakpoints.Pending = reader.ReadUInt64("debugTraps");
        _exceptionsInARow = reader.ReadInt32("exceptionsInARow", 0, int.MaxValue);
        _retiredAtException = reader.ReadUInt64("retiredAtException");
        _eventsAreDue = _events is not null;
        if (!reader.ReadBoolean("hasPendingEvent"))
            return;
        var kind = (EventKind)reader.ReadByte("pendingKind");
        if (kind > EventKind.SoftwareException)
            throw reader.Refuse("pendingKind", "is none that there is");
        PendingEvent = new PendingEvent(
            kind, reader.ReadByte("pendingVector"), reader.ReadUInt32("pendingErrorCode"), reader.ReadUInt64("pendingReturnAddress"), reader.ReadBoolean("pendingResume"));
    }
}
