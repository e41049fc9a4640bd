using Iced.Intel;
using static Iced.Intel.AssemblerRegisters;

namespace Mmu86.GuestPrograms;

/// <summary>Interprets a loop of eight instructions of a small register machine, one indirect jump each: 54 instructions a round, 135 million by default.</summary>
/// <remarks>A machine instruction is three bytes: operation, register, and a register, a number or a distance. Registers are in memory.</remarks>
internal sealed class BytecodeGuest : AssembledGuest
{
    private const int InstructionBytes = 3;
    private const byte Factor = 31;
    private const byte Shift = 7;

    private enum Operation : byte
    {
        Halt,
        LoadNumber,
        Move,
        Add,
        Multiply,
        Xor,
        ShiftRight,
        BranchIfEven,
        DecrementAndBranch,
    }

    // The registers of the program that is interpreted.
    private enum Variable : byte
    {
        Round,
        X,
        Y,
        Temporary,
        Factor,
        Count,
    }

    public override string Name => "bytecode";

    public override string Question => "What do indirect jumps between many small pieces of code cost when code and data are a few hot pages?";

    public override IReadOnlyList<GuestParameter> Parameters { get; } =
    [
        new() { Name = "N", Unit = "rounds", Default = 2_500_000, Minimum = 1, Maximum = 1UL << 40 },
    ];

    public override IReadOnlyList<string> AcceptableOutputs(GuestArguments arguments)
    {
        // What the program means, without an interpreter.
        ulong x = 1, y = 0;
        for (ulong round = arguments[0]; round > 0; round--)
        {
            x = unchecked((x * Factor) + round);
            y ^= x >> Shift;
            if (y % 2 != 0)
                y = unchecked(y + round);
        }

        return [$"bytecode {arguments[0]}: {y}\n"];
    }

    protected override void Emit(GuestAssembler guest, GuestArguments arguments)
    {
        Assembler c = guest.Code;
        var handlers = new Label[Enum.GetValues<Operation>().Length];
        for (int i = 0; i < handlers.Length; i++)
            handlers[i] = c.CreateLabel();
        ulong table = guest.AddAddressTable("handlers", handlers);
        ulong program = guest.AddData("program", Program(), 8);
        ulong variables = guest.AddData("data", new byte[8 * (int)Variable.Count], 8);

        guest.Load(rbx, variables);
        guest.Load(r12, table);
        guest.Load(rsi, program);
        guest.Load(rax, arguments[0]);
        c.mov(__[rbx], rax);
        guest.BeginMeasured();
        EmitDispatch(c);
        EmitHandlers(guest, handlers);

        c.Label(ref handlers[(int)Operation.Halt]);
        guest.EndMeasured();
        guest.Print($"bytecode {arguments[0]}: ");
        c.mov(rax, __[rbx + (8 * (int)Variable.Y)]);
        guest.PrintDecimal();
        guest.Print("\n");
        guest.Exit();
    }

    private static byte[] Program()
    {
        var code = new List<byte>();
        Append(Operation.LoadNumber, Variable.X, 1);
        Append(Operation.LoadNumber, Variable.Y, 0);
        Append(Operation.LoadNumber, Variable.Factor, Factor);
        int loop = code.Count;
        Append(Operation.Multiply, Variable.X, (int)Variable.Factor);
        Append(Operation.Add, Variable.X, (int)Variable.Round);
        Append(Operation.Move, Variable.Temporary, (int)Variable.X);
        Append(Operation.ShiftRight, Variable.Temporary, Shift);
        Append(Operation.Xor, Variable.Y, (int)Variable.Temporary);
        Append(Operation.BranchIfEven, Variable.Y, 2 * InstructionBytes);
        Append(Operation.Add, Variable.Y, (int)Variable.Round);
        Append(Operation.DecrementAndBranch, Variable.Round, loop - code.Count);
        Append(Operation.Halt, 0, 0);
        return [.. code];

        void Append(Operation operation, Variable variable, int operand) =>
            code.AddRange([(byte)operation, (byte)variable, (byte)operand]);
    }

    /// <summary>Jumps to the handler of the instruction at RSI.</summary>
    private static void EmitDispatch(Assembler c)
    {
        c.movzx(eax, __byte_ptr[rsi]);
        c.jmp(__qword_ptr[r12 + (rax * 8)]);
    }

    private static void EmitHandlers(GuestAssembler guest, Label[] handlers)
    {
        Assembler c = guest.Code;
        AssemblerMemoryOperand target = __qword_ptr[rbx + (rcx * 8)];
        EmitHandler(Operation.LoadNumber, Operands.Number, () => c.mov(target, rdx));
        EmitHandler(Operation.Move, Operands.Variable, () => c.mov(target, rax));
        EmitHandler(Operation.Add, Operands.Variable, () => c.add(target, rax));
        EmitHandler(Operation.Xor, Operands.Variable, () => c.xor(target, rax));
        EmitHandler(Operation.Multiply, Operands.Variable, () =>
        {
            c.imul(rax, target);
            c.mov(target, rax);
        });
        EmitHandler(Operation.ShiftRight, Operands.Number, () =>
        {
            c.mov(rax, rcx);
            c.mov(rcx, rdx);
            c.shr(__qword_ptr[rbx + (rax * 8)], cl);
        });
        EmitBranch(Operation.BranchIfEven, notTaken =>
        {
            c.test(__byte_ptr[rbx + (rcx * 8)], 1);
            c.jnz(notTaken);
        });
        EmitBranch(Operation.DecrementAndBranch, notTaken =>
        {
            c.dec(target);
            c.jz(notTaken);
        });

        void EmitHandler(Operation operation, Operands operands, Action body)
        {
            guest.Mark($"on_{operation}");
            c.Label(ref handlers[(int)operation]);
            c.movzx(ecx, __byte_ptr[rsi + 1]);
            c.movzx(edx, __byte_ptr[rsi + 2]);
            if (operands == Operands.Variable)
                c.mov(rax, __[rbx + (rdx * 8)]);
            body();
            c.add(rsi, InstructionBytes);
            EmitDispatch(c);
        }

        void EmitBranch(Operation operation, Action<Label> test)
        {
            Label notTaken = c.CreateLabel();
            guest.Mark($"on_{operation}");
            c.Label(ref handlers[(int)operation]);
            c.movzx(ecx, __byte_ptr[rsi + 1]);
            test(notTaken);
            c.movsx(rdx, __byte_ptr[rsi + 2]);
            c.add(rsi, rdx);
            EmitDispatch(c);
            c.Label(ref notTaken);
            c.add(rsi, InstructionBytes);
            EmitDispatch(c);
        }
    }

    /// <summary>What the third byte of an instruction is.</summary>
    private enum Operands
    {
        Number,
        Variable,
    }
}
