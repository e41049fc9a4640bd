namespace Mmu86.Lab.Diagnostics;

/// <summary>The names that an address expression may use: registers and symbols at one moment of a run.</summary>
public interface IAddressNames
{
    /// <summary>The value of a register, such as <c>rsp</c>.</summary>
    bool TryGetRegister(string name, out ulong value);

    /// <summary>The address of a symbol; <c>entry</c> is the program's first instruction.</summary>
    bool TryGetSymbol(string name, out ulong value);

    /// <summary>Names of registers, for suggestions.</summary>
    IEnumerable<string> Registers { get; }
}
