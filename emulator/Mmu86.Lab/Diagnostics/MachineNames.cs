using Mmu86.Cpu;
using Mmu86.Lab.Running;
using Mmu86.X86;

namespace Mmu86.Lab.Diagnostics;

/// <summary>The registers and symbols of a machine at this moment.</summary>
public sealed class MachineNames(GuestMachine machine) : IAddressNames
{
    private static readonly string[] s_general =
        ["rax", "rcx", "rdx", "rbx", "rsp", "rbp", "rsi", "rdi", "r8", "r9", "r10", "r11", "r12", "r13", "r14", "r15"];

    /// <inheritdoc/>
    public IEnumerable<string> Registers => [.. s_general, "rip", "rflags", "fsbase", "gsbase", "cr0", "cr2", "cr3", "cr4"];

    /// <inheritdoc/>
    public bool TryGetRegister(string name, out ulong value)
    {
        Vcpu vcpu = machine.Vcpu;
        int general = Array.IndexOf(s_general, name);
        ulong? found = general >= 0 ? vcpu.Registers[general] : name switch
        {
            "rip" => vcpu.Registers.Rip,
            "rflags" => (ulong)vcpu.Registers.Flags,
            "fsbase" => vcpu.Registers.FsBase,
            "gsbase" => vcpu.Registers.GsBase,
            "cr0" => (ulong)vcpu.System.Cr0,
            "cr2" => vcpu.System.Cr2,
            "cr3" => vcpu.System.Cr3,
            "cr4" => (ulong)vcpu.System.Cr4,
            _ => null,
        };
        value = found ?? 0;
        return found is not null;
    }

    /// <inheritdoc/>
    public bool TryGetSymbol(string name, out ulong value)
    {
        // A symbol of the program's own goes before our word for its first instruction.
        bool isFound = machine.Image.Symbols.TryFind(name, out LinearAddress address);
        if (!isFound && name == "entry")
        {
            address = machine.Image.Entry;
            isFound = true;
        }

        value = address.Value;
        return isFound;
    }
}
