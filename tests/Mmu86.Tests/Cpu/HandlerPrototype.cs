using Iced.Intel;
using Mmu86.Cpu;

namespace Mmu86.Tests.Cpu;

/// <summary>How a chain leads from one copy of an op to the next.</summary>
internal enum ChainKind
{
    /// <summary>The next op lies behind.</summary>
    Straight,

    /// <summary>The next op lies behind; RSI and RDI are pointers that move with each copy.</summary>
    Strings,

    /// <summary>By the links of a terminal, taken or not.</summary>
    Linked,

    /// <summary>To the address in RSI.</summary>
    ThroughRegister,

    /// <summary>To the address in memory at RBX.</summary>
    ThroughMemory,

    /// <summary>To the return address on the stack.</summary>
    ThroughStack,

    /// <summary>To the page offset in the op.</summary>
    ThroughImmediate,
}

/// <summary>An op to be copied into chains.</summary>
internal sealed unsafe record HandlerPrototype
{
    public required string Text { get; init; }

    public required MicroOp Op { get; init; }

    public required MicroOpDetail Detail { get; init; }

    public required ChainKind Kind { get; init; }

    /// <summary>Lookups that each copy makes where the filter is empty.</summary>
    public required int Lookups { get; init; }

    /// <summary>Whether a copy ends in a jump to a computed address.</summary>
    public bool IsComputed => Kind is not (ChainKind.Straight or ChainKind.Strings or ChainKind.Linked);

    /// <summary>The compiled code of its handler, once it ran; until then the runtime's stub.</summary>
    public nint Code => HandlerPointers.TryFollow(Op.Handler, out nint code) ? code : Op.Handler;

    /// <summary>All ops that handlers run, one for each handler.</summary>
    public static IReadOnlyList<HandlerPrototype> All()
    {
        var prototypes = new Dictionary<nint, HandlerPrototype>();
        foreach (HandlerForm form in HandlerForms.All())
        {
            if (Make(form, default) is { } prototype)
                prototypes.TryAdd(prototype.Op.Handler, prototype);
            if (HasMemory(form.First) && Make(form, s_narrow) is { } narrow)
                prototypes.TryAdd(narrow.Op.Handler, narrow);
        }

        foreach (HandlerPrototype prototype in NoInstructions())
            prototypes.TryAdd(prototype.Op.Handler, prototype);
        return [.. prototypes.Values];
    }

    // Protected mode with segments that must be asked. The windows of the machine, which is in 64-bit mode, allow everything.
    private static readonly CodeMode s_narrow = new((byte)ProcessorMode.Protected);

    private static bool HasMemory(in Instruction instruction)
    {
        for (int operand = 0; operand < instruction.OpCount; operand++)
        {
            if (instruction.GetOpKind(operand) == OpKind.Memory)
                return true;
        }

        return false;
    }

    private static HandlerPrototype? Make(HandlerForm form, CodeMode mode)
    {
        MicroOp op = default;
        MicroOpDetail detail = default;
        op.Length = (byte)form.First.Length;
        var selection = new Selection(&op, &detail, form.First, 0, mode);
        op.Handler = form.Jump is { } jump ? Fusing.Select(ref selection, jump) : Selector.Select(ref selection);
        if (op.Handler == 0)
            return null;
        return new HandlerPrototype
        {
            Text = mode.IsLong64 ? form.Text : $"{form.Text}, checked",
            Op = op,
            Detail = detail,
            Kind = form.Jump is null ? KindOf(selection) : ChainKind.Linked,
            Lookups = selection.Loads + selection.Stores - selection.ReadModifyWrites,
        };
    }

    private static ChainKind KindOf(in Selection selection)
    {
        if (!selection.IsTerminal)
            return selection.Instruction.IsStringInstruction ? ChainKind.Strings : ChainKind.Straight;
        if (selection.Taken is not null)
            return ChainKind.Linked;
        if (selection.Instruction.Mnemonic == Mnemonic.Ret)
            return ChainKind.ThroughStack;
        return selection.Instruction.Op0Kind switch
        {
            OpKind.Register => ChainKind.ThroughRegister,
            OpKind.Memory => ChainKind.ThroughMemory,
            _ => ChainKind.ThroughImmediate,
        };
    }

    // Ops that the block builder adds, and the one that stands for every managed instruction.
    private static HandlerPrototype[] NoInstructions() =>
    [
        Make("end of a block cut for its length", ChainKind.Linked, Handlers.Of(&Jumps.FallThrough), 0),
        Make("link to another page", ChainKind.ThroughImmediate, Handlers.Of(&Jumps.OtherPage), 0),
        Make("managed instruction", ChainKind.Straight, Handlers.Of(&Managed.Execute), (ulong)(nint)(delegate*<Vcpu, in Instruction, ManagedOutcome>)&Idle),
        Make("second fetch", ChainKind.Straight, Handlers.Of(&Managed.CrossPage), HandlerMachine.SecondPagePayload),
        .. NarrowHandlers(),
    ];

    // Stack and branches of 16- and 32-bit code, which forms of 64-bit mode do not have.
    private static HandlerPrototype[] NarrowHandlers()
    {
        const byte rsi = 6 * 8;
        const byte wide = NarrowBranchSize.WideTarget;

        // Return addresses lie eight bytes apart.
        var toImmediate = new MicroOp { Address32 = wide };
        var toRegister = new MicroOp { Address32 = wide, Source = rsi };
        var toStack = new MicroOp { Address32 = wide, Extra = 4 };
        return
        [
            Make("push register, narrow", ChainKind.Straight, default, Handlers.Of(&NarrowStack<FilteredMemory, W32>.PushRegister), 1),
            Make("push immediate, narrow", ChainKind.Straight, default, Handlers.Of(&NarrowStack<FilteredMemory, W16>.PushImmediate), 1),
            Make("pop, narrow", ChainKind.Straight, default, Handlers.Of(&NarrowStack<FilteredMemory, W32>.PopRegister), 1),
            Make("jmp, narrow", ChainKind.ThroughImmediate, toImmediate, Handlers.Of(&NarrowBranches.Jump), 0),
            Make("jmp register, narrow", ChainKind.ThroughRegister, toRegister, Handlers.Of(&NarrowBranches.JumpToRegister), 0),
            Make("loop, narrow", ChainKind.ThroughImmediate, toImmediate, Handlers.Of(&NarrowBranches.Loop), 0),
            Make("jz, narrow", ChainKind.ThroughImmediate, toImmediate, Handlers.Of(&NarrowConditional<IfEqual>.Jump), 0),
            Make("call, narrow", ChainKind.ThroughImmediate, toImmediate, Handlers.Of(&NarrowCall<FilteredMemory, W32, RelativeTarget>.Call), 1),
            Make("call register, narrow", ChainKind.ThroughRegister, toRegister, Handlers.Of(&NarrowCall<FilteredMemory, W32, RegisterTarget>.Call), 1),
            Make("ret, narrow", ChainKind.ThroughStack, toStack, Handlers.Of(&NarrowReturn<FilteredMemory, W32>.Return), 1),
        ];
    }

    private static HandlerPrototype Make(string text, ChainKind kind, nint handler, ulong immediate) =>
        Make(text, kind, new MicroOp { Immediate = immediate }, handler, 0);

    private static HandlerPrototype Make(string text, ChainKind kind, MicroOp op, nint handler, int lookups) => new()
    {
        Text = text,
        Op = op with { Handler = handler },
        Detail = default,
        Kind = kind,
        Lookups = lookups,
    };

    private static ManagedOutcome Idle(Vcpu vcpu, in Instruction instruction) => ManagedOutcome.Next;
}
