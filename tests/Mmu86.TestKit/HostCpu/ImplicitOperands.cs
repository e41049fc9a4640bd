using Iced.Intel;

namespace Mmu86.TestKit.HostCpu;

/// <summary>Sets up what instructions use without naming it: the stack, counters, accumulators.</summary>
internal static class ImplicitOperands
{
    // What POPF may load: status flags, DF, IOPL and IF (which ring 3 cannot change), NT, AC and ID. Not TF.
    private const ulong PoppedFlags = 0x24_7ED5;

    /// <summary>The counts on which shifts and rotates differ: none, one, the widths and what surrounds them.</summary>
    private static readonly byte[] ShiftCounts = [0, 1, 2, 3, 4, 7, 8, 9, 15, 16, 17, 18, 24, 31, 32, 33, 40, 63, 64, 65, 0x80, 0xFF];

    /// <summary>A count for a shift or rotate.</summary>
    public static byte ShiftCount(CaseRandom random) => random.Percent(70) ? random.Pick<byte>(ShiftCounts) : (byte)random.Next();

    /// <summary>Whether an instruction's second operand is a shift count.</summary>
    public static bool TakesShiftCount(Mnemonic mnemonic) => mnemonic is Mnemonic.Shl or Mnemonic.Sal or Mnemonic.Shr or Mnemonic.Sar
        or Mnemonic.Rol or Mnemonic.Ror or Mnemonic.Rcl or Mnemonic.Rcr or Mnemonic.Shld or Mnemonic.Shrd;

    /// <summary>Pins the registers that the instruction uses implicitly; explicit operands come after.</summary>
    public static void Prepare(CaseDraft draft, OpCodeInfo form)
    {
        CaseRandom random = draft.Random;
        int stackBytes = form.OperandSize == 16 ? 2 : 8;
        switch (form.Mnemonic)
        {
            case Mnemonic.Push or Mnemonic.Pushf or Mnemonic.Pushfq or Mnemonic.Call:
                draft.Pin(Register.RSP, Choose(draft, stackBytes, OperandUse.Data) + (ulong)stackBytes);
                break;
            case Mnemonic.Pop:
                draft.Pin(Register.RSP, Choose(draft, stackBytes, OperandUse.Data));
                break;
            case Mnemonic.Popf or Mnemonic.Popfq:
                draft.Pin(Register.RSP, Choose(draft, stackBytes, OperandUse.Controlled));
                draft.Store(draft[Register.RSP], random.Next() & PoppedFlags, stackBytes);
                break;
            case Mnemonic.Ret:
                draft.Pin(Register.RSP, Choose(draft, 8, OperandUse.Controlled));
                draft.Store(draft[Register.RSP], draft.BranchTarget(), 8);
                break;
            case Mnemonic.Leave:
                draft.Pin(Register.RBP, Choose(draft, stackBytes, OperandUse.Data));
                break;
            case Mnemonic.Enter:
                draft.Pin(Register.RSP, Choose(draft, stackBytes, OperandUse.Data) + (ulong)stackBytes);
                draft.Pin(Register.RBP, Choose(draft, stackBytes, OperandUse.Data));
                break;
            case Mnemonic.Loop or Mnemonic.Loope or Mnemonic.Loopne or Mnemonic.Jecxz or Mnemonic.Jrcxz:
                draft.Pin(Register.RCX, random.Pick<ulong>([0, 1, 2, 0x1_0000_0000, 0x1_0000_0001, random.Corner()]));
                break;
            case Mnemonic mnemonic when TakesShiftCount(mnemonic):
                draft.Suggest(Register.RCX, (random.Corner() & ~0xFFUL) | ShiftCount(random));
                break;
        }
    }

    /// <summary>Chooses the remaining registers so that the instruction does something: quotients that fit, comparisons that hold.</summary>
    /// <param name="draft">The case; every other operand is settled.</param>
    /// <param name="form">The form.</param>
    /// <param name="operand">The value of the first operand.</param>
    public static void Finish(CaseDraft draft, OpCodeInfo form, ulong operand)
    {
        CaseRandom random = draft.Random;
        switch (form.Mnemonic)
        {
            case Mnemonic.Div when operand != 0 && random.Percent(75):
                SetDividendHigh(draft, form, random.Next() % operand);
                break;
            case Mnemonic.Idiv when operand != 0 && random.Percent(75):
                SetDividendHigh(draft, form, random.Below(3) switch { 0 => 0, 1 => ulong.MaxValue, _ => (random.Next() % operand) >> 1 });
                break;
            case Mnemonic.Cmpxchg when random.Percent(50):
                ulong mask = form.Op0Kind == OpCodeOperandKind.r8_or_mem ? 0xFF
                    : form.OperandSize switch { 16 => 0xFFFFUL, 32 => uint.MaxValue, _ => ulong.MaxValue };
                draft.Suggest(Register.RAX, (draft[Register.RAX] & ~mask) | (operand & mask));
                break;
        }
    }

    /// <summary>Makes EDX:EAX or RDX:RAX equal to memory in half of the cases.</summary>
    public static void FinishCompareExchange(CaseDraft draft, OpCodeInfo form, ulong low, ulong high)
    {
        if (draft.Random.Percent(50))
            return;
        if (form.Mnemonic == Mnemonic.Cmpxchg16b)
        {
            draft.Suggest(Register.RAX, low);
            draft.Suggest(Register.RDX, high);
            return;
        }

        // The upper halves do not take part.
        draft.Suggest(Register.RAX, (uint)low | (draft.Random.Next() << 32));
        draft.Suggest(Register.RDX, (low >> 32) | (draft.Random.Next() << 32));
    }

    private static void SetDividendHigh(CaseDraft draft, OpCodeInfo form, ulong value)
    {
        if (form.Op0Kind == OpCodeOperandKind.r8_or_mem)
            draft.Suggest(Register.RAX, (draft[Register.RAX] & ~0xFF00UL) | ((value & 0xFF) << 8));
        else
            draft.Suggest(Register.RDX, value);
    }

    private static ulong Choose(CaseDraft draft, int bytes, OperandUse use) => OperandAddress.Choose(draft, bytes, use, SplitLocks.Avoided);
}
