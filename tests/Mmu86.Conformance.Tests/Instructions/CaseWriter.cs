using Iced.Intel;
using Mmu86.TestKit.HostCpu;

namespace Mmu86.Conformance.Tests.Instructions;

/// <summary>Writes cases by hand: registers zero, interrupts on, the window at the start of the data pages.</summary>
internal static class CaseWriter
{
    /// <summary>The least that a case needs.</summary>
    /// <param name="code">The code in hexadecimal.</param>
    /// <param name="registers">Registers that are not zero.</param>
    public static InstructionCase Create(string code, params (Register Register, ulong Value)[] registers)
    {
        InstructionCase test = default;
        byte[] bytes = Convert.FromHexString(code.Replace(" ", ""));
        bytes.CopyTo(test.Code);
        test.CodeLength = (ulong)bytes.Length;
        test.CodeAddress = ScratchMemory.CodeStart;
        test.WindowAddress = ScratchMemory.DataStart;
        test.Flags = 0x202;
        foreach ((Register register, ulong value) in registers)
            test.Registers[register - Register.RAX] = value;
        return test;
    }
}
