using Iced.Intel;
using Mmu86.Memory;
using Mmu86.Paging;
using Mmu86.X86;

namespace Mmu86.Cpu;

/// <summary>Decoded blocks, keyed by host frame and offset, so that every alias of a frame shares them and every store to it is noticed.</summary>
/// <remarks>
/// Blocks never leave their page and are linked only inside it, so a frame's blocks are dropped together and no link from
/// elsewhere can dangle. Ops of dropped blocks stay where they are until the whole pool is reused, which happens only here,
/// called from the run loop or from a slow path that does not return to the old op.
/// </remarks>
internal sealed unsafe class CodeCache : ICodeWatcher, IDisposable
{
    private const int MaximumPages = 1 << 15;
    private const uint EntryTableBytes = 4096 * sizeof(uint);

    private readonly CpuState* _state;
    private readonly HostMemory _memory;
    private readonly IMmu _mmu;
    private readonly int _capacity;
    private readonly Reservation _opMemory;
    private readonly Reservation _detailMemory;
    private readonly Reservation _instructionMemory;
    private readonly Reservation _entryMemory;

    // Parallel to the ops; null where nobody keeps time.
    private readonly Reservation? _factMemory;
    private readonly InstructionFactsReader? _factsReader;
    private readonly List<CodePage> _pages = [];
    private readonly Dictionary<(HostFrameNumber Frame, BlockForm Form), CodePage> _byFrame = [];
    private readonly List<nint> _stubbed = [];

    // Every form that some page has: a guest uses few of them.
    private readonly List<BlockForm> _forms = [];
    private readonly BlockBuilder _builder;

    // The one memory besides RAM that code runs from: it never changes, so nothing guards it.
    private Reservation? _rom;
    private ulong _romStart;
    private ulong _romBytes;
    private int _used;
    private int _instructions;

    // The page that was asked for last, and its form: single steps ask for the same one over and over.
    private CodePage? _lastPage;
    private BlockForm _lastForm;

    public CodeCache(CpuState* state, HostMemory memory, IMmu mmu, int maximumMicroOps, FactKeeping facts)
    {
        if (maximumMicroOps < 4 * BlockBuilder.MostOpsOfABlock)
            throw new ArgumentOutOfRangeException(nameof(maximumMicroOps), maximumMicroOps, "Too few micro-ops for one block.");
        _state = state;
        _memory = memory;
        _mmu = mmu;
        _capacity = maximumMicroOps;
        _opMemory = new Reservation((ulong)maximumMicroOps * (ulong)sizeof(MicroOp));
        _detailMemory = new Reservation((ulong)maximumMicroOps * (ulong)sizeof(MicroOpDetail));
        _instructionMemory = new Reservation((ulong)maximumMicroOps * (ulong)sizeof(Instruction));
        _entryMemory = new Reservation((ulong)MaximumPages * EntryTableBytes);
        if (facts == FactKeeping.Kept)
        {
            _factMemory = new Reservation((ulong)maximumMicroOps * (ulong)sizeof(InstructionFacts));
            _factsReader = new InstructionFactsReader();
        }

        state->Pool = (MicroOp*)_opMemory.Pointer;
        state->Details = (MicroOpDetail*)_detailMemory.Pointer;
        *Registers.Pointer(state, CpuState.FarBiasRegister) = CpuState.FarBias;
        _builder = new BlockBuilder(this);
        Reset();
        memory.Watch(this);
    }

    /// <summary>The page that <see cref="Page"/> answered last.</summary>
    public int LastPage { get; private set; }

    /// <summary>Ops in use, of the capacity.</summary>
    public int Used => _used;

    /// <summary>Puts a ROM in place, from which code may run too.</summary>
    /// <param name="start">Its first address, that of a frame.</param>
    /// <param name="bytes">What it holds, whole frames.</param>
    public void SetRom(HostPhysicalAddress start, ReadOnlySpan<byte> bytes)
    {
        _rom?.Dispose();
        _rom = new Reservation((ulong)bytes.Length);
        bytes.CopyTo(new Span<byte>(_rom.Pointer, bytes.Length));
        _romStart = start.Value;
        _romBytes = (ulong)bytes.Length;
    }

    /// <summary>Whether code may run from an address that is not RAM.</summary>
    public bool IsRom(HostPhysicalAddress address) => address.Value - _romStart < _romBytes;

    /// <summary>The entry table of a frame: for each offset the index of the first op of the block there, or 0.</summary>
    public uint* Page(HostFrameNumber frame, BlockForm form)
    {
        if (_lastPage is { } last && last.Frame == frame && _lastForm == form)
            return last.Entries;
        if (!_byFrame.TryGetValue((frame, form), out CodePage? page))
        {
            if (_pages.Count == MaximumPages)
                Reset();
            page = new CodePage(_pages.Count, frame, (uint*)(_entryMemory.Pointer + ((ulong)_pages.Count * EntryTableBytes)));
            _pages.Add(page);
            _byFrame.Add((frame, form), page);
            if (!_forms.Contains(form))
                _forms.Add(form);
        }

        _lastPage = page;
        _lastForm = form;
        LastPage = page.Index;
        return page.Entries;
    }

    /// <summary>Decodes the block at an address.</summary>
    /// <returns>Its first op, or null where its first instruction needs bytes of the next page.</returns>
    public MicroOp* Build(HostPhysicalAddress address, BlockForm form)
    {
        CodePage page = Prepare(address, form);
        uint offset = (uint)(address.Value & 0xFFF);
        MicroOp* first = _builder.Build(BytesAt(new HostPhysicalAddress(address.Value - offset)), offset, page.Index, form, out uint length);
        if (first == null)
            return null;
        Register(page, offset, first, length);
        return first;
    }

    /// <summary>Decodes the instruction at an address that needs bytes of another frame.</summary>
    /// <param name="first">Where the instruction begins.</param>
    /// <param name="second">The translation of the next page.</param>
    /// <param name="form">The form of the block.</param>
    /// <returns>The op that looks the second page up; the instruction is behind it.</returns>
    public MicroOp* BuildCrossing(HostPhysicalAddress first, in Translation second, BlockForm form)
    {
        CodePage page = Prepare(first, form);
        uint offset = (uint)(first.Value & 0xFFF);
        byte* bytes = stackalloc byte[32];
        uint inFirst = 4096 - offset;
        new ReadOnlySpan<byte>(BytesAt(first), (int)inFirst).CopyTo(new Span<byte>(bytes, 32));
        uint* secondEntries = null;
        CodePage? secondPage = null;
        if (second.IsRam || IsRom(second.Address))
        {
            new ReadOnlySpan<byte>(BytesAt(second.Address), 16).CopyTo(new Span<byte>(bytes + inFirst, 16));
            secondEntries = Page(second.Address.Frame, form);
            secondPage = _pages[LastPage];
        }
        else
        {
            new Span<byte>(bytes + inFirst, 16).Fill(0xFF); // no code runs from devices: their bus answers all ones here
        }

        MicroOp* op = _builder.BuildCrossing(bytes, offset, page.Index, (nint)secondEntries, form, out uint length);
        Register(page, offset, op, inFirst);
        if (secondPage is not null)
        {
            Guard(second.Address, Math.Max(1, length - inFirst));
            secondPage.CrossedInto.Add(page);
        }

        return op;
    }

    /// <summary>Where the page-crossing block of an op begins.</summary>
    public CrossingKey CrossingOf(MicroOp* op)
    {
        CodePage page = _pages[(int)op->Extra];
        ulong offset = _state->Details[op - _state->Pool].PageOffset;
        return new CrossingKey(new HostPhysicalAddress(page.Frame.Address.Value + offset), new BlockForm((BlockKind)op->Source, new CodeMode(op->Destination)));
    }

    /// <summary>Where the instruction of a managed op was decoded from.</summary>
    public HostPhysicalAddress AddressOf(MicroOp* op) =>
        new(_pages[(int)op->Extra].Frame.Address.Value + Detail(op)->PageOffset);

    /// <summary>Where the rest of a page-crossing managed instruction was decoded from.</summary>
    /// <returns>False where its second page is no RAM.</returns>
    public bool TryGetRestOf(MicroOp* op, out HostPhysicalAddress rest)
    {
        var entries = (byte*)op[-1].Immediate; // the op in front looks the second page up
        rest = entries == null ? default : _pages[(int)((ulong)(entries - _entryMemory.Pointer) / EntryTableBytes)].Frame.Address;
        return entries != null;
    }

    /// <summary>Marks bytes as code again whose blocks were dropped while one of them runs.</summary>
    public void Guard(HostPhysicalAddress address, uint length)
    {
        if (IsRom(address))
            return;
        ulong lines = Lines((uint)(address.Value & 0xFFF), length);
        if ((_memory.CodeLines(address.Frame) & lines) == lines)
            return;
        _memory.AddCodeLines(address.Frame, lines);
    }

    /// <summary>An op that says that code cannot run from here.</summary>
    public MicroOp* NotRam(ulong rip)
    {
        Prepare();
        return _builder.BuildNotRam((uint)(rip & 0xFFF));
    }

    /// <summary>A decoded instruction kept for a managed op.</summary>
    public Instruction* Instruction(int index) => (Instruction*)_instructionMemory.Pointer + index;

    /// <summary>Keeps a decoded instruction.</summary>
    public int Keep(in Instruction instruction)
    {
        ((Instruction*)_instructionMemory.Pointer)[_instructions] = instruction;
        return _instructions++;
    }

    /// <summary>Takes the next op of the pool; the builder asks for no more than a block needs.</summary>
    public MicroOp* Take()
    {
        MicroOp* op = _state->Pool + _used;
        *op = default;
        _state->Details[_used] = default;
        _used++;
        return op;
    }

    /// <summary>Facts of an op, where they are kept.</summary>
    public InstructionFacts* Facts(MicroOp* op) => (InstructionFacts*)_factMemory!.Pointer + (op - _state->Pool);

    /// <summary>Keeps the facts of the instruction of an op, where somebody wants them.</summary>
    public void NoteFacts(MicroOp* op, in Instruction instruction)
    {
        if (_factsReader is { } reader)
            *Facts(op) = reader.Read(instruction);
    }

    /// <summary>Detail of an op.</summary>
    public MicroOpDetail* Detail(MicroOp* op) => _state->Details + (op - _state->Pool);

    /// <summary>Sets the handler of an op, compiled code if there is some already.</summary>
    public void SetHandler(MicroOp* op, nint handler)
    {
        if (!HandlerPointers.TryFollow(handler, out nint code))
            _stubbed.Add((nint)op);
        op->Handler = code;
    }

    /// <summary>Shortens the handlers of ops that ran for the first time since they were decoded. Called now and then by the run loop.</summary>
    public void ShortenHandlers()
    {
        for (int i = _stubbed.Count - 1; i >= 0; i--)
        {
            var op = (MicroOp*)_stubbed[i];
            if (!HandlerPointers.TryFollow(op->Handler, out nint code))
                continue;
            op->Handler = code;
            _stubbed.RemoveAt(i);
        }
    }

    /// <inheritdoc/>
    public void CodeAppears(HostFrameNumber frame) => _mmu.RevokeWrites(frame);

    /// <inheritdoc/>
    public void CodeWritten(HostFrameNumber frame, ulong lines)
    {
        Drop(frame);
        _memory.ClearCodeLines(frame);
        _state->Attention = 1;
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        _memory.Unwatch(this);
        _opMemory.Dispose();
        _detailMemory.Dispose();
        _instructionMemory.Dispose();
        _entryMemory.Dispose();
        _factMemory?.Dispose();
        _rom?.Dispose();
    }

    private CodePage Prepare(HostPhysicalAddress address, BlockForm form)
    {
        Prepare();
        _ = Page(address.Frame, form);
        return _pages[LastPage];
    }

    // Makes room for one block and the pages that it needs, so that nothing is forgotten while it is built.
    private void Prepare()
    {
        if (_used + BlockBuilder.MostOpsOfABlock > _capacity || _pages.Count + 2 > MaximumPages)
            Reset();
    }

    private void Register(CodePage page, uint offset, MicroOp* first, uint length)
    {
        page.Entries[offset] = (uint)(first - _state->Pool);
        page.UsedOffsets.Add((ushort)offset);
        if (!IsRom(page.Frame.Address))
            _memory.AddCodeLines(page.Frame, Lines(offset, length));
    }

    // SAFETY: whoever asks has RAM or the ROM before it (Vcpu.FindOp), and both consist of whole frames.
    private byte* BytesAt(HostPhysicalAddress address) => IsRom(address) ? _rom!.Pointer + (address.Value - _romStart) : _memory.Base + address.Value;

    private static ulong Lines(uint offset, uint length)
    {
        int from = (int)(offset >> 6);
        int to = (int)Math.Min(63, (offset + length - 1) >> 6);
        return (ulong.MaxValue << from) & (ulong.MaxValue >> (63 - to));
    }

    private void Drop(HostFrameNumber frame)
    {
        foreach (BlockForm form in _forms)
            Drop(frame, form);
    }

    private void Drop(HostFrameNumber frame, BlockForm form)
    {
        if (!_byFrame.TryGetValue((frame, form), out CodePage? page))
            return;
        Drop(page);
        foreach (CodePage other in page.CrossedInto)
            Drop(other);
        page.CrossedInto.Clear();
    }

    private static void Drop(CodePage page)
    {
        foreach (ushort offset in page.UsedOffsets)
            page.Entries[offset] = 0;
        page.UsedOffsets.Clear();
    }

    // Forgets everything; op 0 is never used, because entry 0 means "not decoded".
    private void Reset()
    {
        foreach (CodePage page in _pages)
        {
            Drop(page);
            if (!IsRom(page.Frame.Address))
                _memory.ClearCodeLines(page.Frame);
        }

        _pages.Clear();
        _lastPage = null;
        _byFrame.Clear();
        _forms.Clear();
        _stubbed.Clear();
        _used = 1;
        _instructions = 0;
        _state->Attention = 1;

        // The filter's fetch slots lead to entry tables that will serve other frames.
        _mmu.SetContext(_mmu.Context);
    }
}
