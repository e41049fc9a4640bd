using Iced.Intel;

namespace Mmu86.Cpu;

/// <summary>Turns bytes into blocks of micro-ops.</summary>
/// <remarks>
/// Instructions are decoded with RIP = offset in the page: the same frame may be mapped at many addresses, so everything
/// relative to RIP is kept relative to the code page.
/// </remarks>
internal sealed unsafe class BlockBuilder(CodeCache cache)
{
    /// <summary>Instructions in a block at most.</summary>
    public const int MaximumInstructions = 64;

    /// <summary>Ops that one block may take: each instruction, the page-crossing op, a terminal with its link and two stubs.</summary>
    public const int MostOpsOfABlock = MaximumInstructions + 8;

    // What a baseline CPU does with encodings that later extensions took over: TZCNT runs as BSF, LZCNT as BSR.
    private const DecoderOptions Options = DecoderOptions.NoMPFX_0FBC | DecoderOptions.NoMPFX_0FBD;

    private readonly ByteReader _reader = new();

    /// <summary>Decodes a block.</summary>
    /// <param name="page">The first byte of the page.</param>
    /// <param name="offset">Where the block begins in it.</param>
    /// <param name="pageIndex">The code page, for links.</param>
    /// <param name="form">Chained or single steps, and the mode.</param>
    /// <param name="length">Bytes that the block's instructions take.</param>
    /// <returns>The first op; null where the first instruction needs bytes of the next page.</returns>
    public MicroOp* Build(byte* page, uint offset, int pageIndex, BlockForm form, out uint length)
    {
        _reader.Set(page + offset, 4096 - offset);
        var decoder = Decoder.Create(form.Mode.Bits, _reader, offset, Options);
        var block = new BlockInProgress(pageIndex, form.Mode);
        uint at = offset;
        int limit = form.Kind == BlockKind.SingleStep ? 1 : MaximumInstructions;
        bool ended = false;
        while (!ended && block.Instructions < limit && at < 4096)
        {
            decoder.Decode(out Instruction instruction);
            if (decoder.LastError == DecoderError.NoMoreBytes)
            {
                // The instruction reaches into the next page: it has a block of its own.
                if (block.Instructions == 0)
                {
                    length = 0;
                    return null;
                }

                break;
            }

            if (instruction.Length == 0)
                throw new System.Diagnostics.UnreachableException();
            if (IsTooLong(instruction, page + at, 4096 - at, form.Mode))
                instruction = InstructionLength.TooLong;
            Instruction next = default;
            uint behind = at + (uint)instruction.Length;
            bool fused = form.Kind == BlockKind.Chained && block.Instructions + 1 < limit && Fusing.CanLead(instruction)
                && Peek(page, behind, form.Mode, out next) && Fusing.CanFuse(instruction, next) && BranchSelector.IsLinked(next, form.Mode);
            ended = fused
                ? EmitFused(ref block, at, instruction, next)
                : Emit(ref block, at, instruction);
            at = fused ? behind + (uint)next.Length : behind;
        }

        if (!ended)
            EmitFallThrough(ref block, at);
        length = at - offset;
        return block.First;
    }

    /// <summary>Decodes one instruction that lies in two frames.</summary>
    /// <param name="bytes">Its bytes and what follows, gathered.</param>
    /// <param name="offset">Where it begins in the first page.</param>
    /// <param name="pageIndex">The code page of the first frame.</param>
    /// <param name="secondEntries">The entry table of the second frame, by which the op knows that the next page still leads there.</param>
    /// <param name="form">Form of the block.</param>
    /// <param name="length">The instruction's length.</param>
    public MicroOp* BuildCrossing(byte* bytes, uint offset, int pageIndex, nint secondEntries, BlockForm form, out uint length)
    {
        _reader.Set(bytes, 16 + (4096 - offset));
        var decoder = Decoder.Create(form.Mode.Bits, _reader, offset, Options);
        var block = new BlockInProgress(pageIndex, form.Mode);
        MicroOp* cross = Take(ref block, offset);
        cross->Immediate = (ulong)secondEntries;
        cross->Extra = (uint)pageIndex;
        cross->Source = (byte)form.Kind;
        cross->Destination = form.Mode.Value;
        cache.SetHandler(cross, Handlers.Of(&Managed.CrossPage));
        decoder.Decode(out Instruction instruction);
        if (IsTooLong(instruction, bytes, 16 + (4096 - offset), form.Mode))
            instruction = InstructionLength.TooLong;
        length = (uint)instruction.Length;
        cross->Length = (byte)length;
        cache.NoteFacts(cross, instruction);
        if (!Emit(ref block, offset, instruction))
            EmitFallThrough(ref block, offset + length);
        return cross;
    }

    /// <summary>A block that reports that code cannot be fetched from where it is.</summary>
    public MicroOp* BuildNotRam(uint offset)
    {
        var block = new BlockInProgress(0, default);
        MicroOp* op = Take(ref block, offset);
        op->Immediate = (ulong)(nint)(delegate*<Vcpu, in Instruction, ManagedOutcome>)&Unsupported.FetchFromDevice;
        cache.Detail(op)->InstructionIndex = cache.Keep(default);
        cache.SetHandler(op, Handlers.Of(&Managed.Execute));
        return op;
    }

    private static bool IsTooLong(in Instruction instruction, byte* bytes, uint available, CodeMode mode) =>
        instruction.Code == Code.INVALID && instruction.Length == InstructionLength.Most && InstructionLength.IsExceeded(bytes, available, mode.Bits, Options);

    // True where the instruction ends the block.
    private bool Emit(ref BlockInProgress block, uint at, in Instruction instruction)
    {
        MicroOp* op = Take(ref block, at);
        op->Length = (byte)instruction.Length;
        var selection = new Selection(op, cache.Detail(op), instruction, at, block.Mode);
        nint handler = Selector.Select(ref selection);
        if (handler == 0)
        {
            EmitManaged(op, instruction, block.PageIndex, ref selection);
            handler = Handlers.Of(&Managed.Execute);
        }

        cache.SetHandler(op, handler);
        cache.NoteFacts(op, instruction);
        block.Instructions++;
        block.Counts += PackedCounts.Of(1, selection.Loads, selection.Stores, selection.ReadModifyWrites);
        if (selection.ReadModifyWrites != 0)
            cache.Detail(op)->Flags |= MicroOpFlags.ReadsDestination;
        if (!selection.IsTerminal)
            return false;
        EmitLink(ref block, selection.Taken, at + (uint)instruction.Length);
        return true;
    }

    private bool EmitFused(ref BlockInProgress block, uint at, in Instruction first, in Instruction jump)
    {
        MicroOp* op = Take(ref block, at);
        op->Length = (byte)first.Length;
        var selection = new Selection(op, cache.Detail(op), first, at, block.Mode);
        cache.SetHandler(op, Fusing.Select(ref selection, jump));
        block.Instructions += 2;
        block.Counts += PackedCounts.Of(2, selection.Loads, selection.Stores, selection.ReadModifyWrites);
        EmitLink(ref block, BranchSelector.Target(jump), at + (uint)first.Length + (uint)jump.Length);
        return true;
    }

    private void EmitManaged(MicroOp* op, in Instruction instruction, int pageIndex, ref Selection selection)
    {
        op->Immediate = (ulong)ManagedInstructions.Find(instruction);
        op->Extra = (uint)pageIndex;
        cache.Detail(op)->InstructionIndex = cache.Keep(instruction);

        // What a managed instruction accesses it counts itself.
        selection.Loads = 0;
        selection.Stores = 0;
        selection.ReadModifyWrites = 0;
    }

    private void EmitFallThrough(ref BlockInProgress block, uint at)
    {
        MicroOp* op = Take(ref block, at);
        cache.SetHandler(op, Handlers.Of(&Jumps.FallThrough));
        EmitLink(ref block, at, at);
    }

    // The link slot of a terminal and the stubs that stand for targets not known yet. Targets are relative to the code page.
    private void EmitLink(ref BlockInProgress block, long? taken, uint fall)
    {
        var link = (BlockLink*)cache.Take();
        link->Counts = block.Counts;
        link->Fall = EmitStub(block, fall, (nint)(&link->Fall));
        link->Taken = taken is { } target && target != fall ? EmitStub(block, target, (nint)(&link->Taken)) : link->Fall;
    }

    private MicroOp* EmitStub(in BlockInProgress block, long target, nint link)
    {
        MicroOp* stub = cache.Take();
        MicroOpDetail* detail = cache.Detail(stub);
        if (target is >= 0 and < 4096)
        {
            detail->PageOffset = (ushort)target;
            stub->Immediate = (ulong)link;
            stub->Extra = (uint)block.PageIndex;
            cache.SetHandler(stub, Handlers.Of(&Jumps.Unresolved));
        }
        else
        {
            stub->Immediate = (ulong)target;
            detail->Flags = MicroOpFlags.TargetInImmediate;
            cache.SetHandler(stub, Handlers.Of(&Jumps.OtherPage));
        }

        return stub;
    }

    private MicroOp* Take(ref BlockInProgress block, uint at)
    {
        MicroOp* op = cache.Take();
        MicroOpDetail* detail = cache.Detail(op);
        detail->PageOffset = (ushort)at;
        detail->CountsBefore = block.Counts;
        detail->InstructionIndex = -1;
        if (block.First == null)
            block.First = op;
        return op;
    }

    private static bool Peek(byte* page, uint at, CodeMode mode, out Instruction instruction)
    {
        if (at >= 4096)
        {
            instruction = default;
            return false;
        }

        var reader = new ByteReader();
        reader.Set(page + at, 4096 - at);
        var decoder = Decoder.Create(mode.Bits, reader, at, Options);
        decoder.Decode(out instruction);
        return decoder.LastError == DecoderError.None;
    }

    private ref struct BlockInProgress(int pageIndex, CodeMode mode)
    {
        public MicroOp* First;
        public int Instructions;
        public long Counts;
        public readonly int PageIndex = pageIndex;
        public readonly CodeMode Mode = mode;
    }
}
